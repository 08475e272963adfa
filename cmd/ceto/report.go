package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/train"
)

// pretrainResult is the JSON of ceto pretrain.
type pretrainResult struct {
	Steps       int     `json:"steps"`
	TrainLoss   float64 `json:"train_loss"` // nats per token, mean of the last tenth of the steps
	ValLoss     any     `json:"val_loss"`   // nats per token over the whole held-out part
	BitsPerByte any     `json:"bits_per_byte"`
	TokensPerS  float64 `json:"tokens_per_s"`
	Seconds     float64 `json:"seconds"`
	Params      int     `json:"params"`
	Digest      string  `json:"digest"` // SHA-256 of the final parameters
	Run         string  `json:"run"`
}

// report tells how a run ended: JSON, or a curve, figures and a sample.
func (f *pretrainFlags) report(w io.Writer, cfg config, text *data.TextData, run *train.Run, out string) error {
	h := run.History
	digest, err := run.State.Digest()
	if err != nil {
		return err
	}
	r := pretrainResult{Steps: cfg.Train.Steps, ValLoss: nil, BitsPerByte: nil, Digest: digest, Run: out}
	r.Params, _ = run.State.Params.Count()
	losses := make([]float64, len(h))
	for i, s := range h {
		losses[i] = s.Loss
	}
	if len(h) > 0 {
		last := h[len(h)-1]
		tail := losses[len(losses)-(len(losses)+9)/10:]
		for _, v := range tail {
			r.TrainLoss += v / float64(len(tail))
		}
		r.Seconds = last.Seconds
		r.TokensPerS = float64(len(h)*cfg.Train.Batch*cfg.Train.Accumulate*cfg.Model.Context) / run.FitSeconds
	}
	scores, err := run.Evaluate(text)
	if err != nil {
		return err
	}
	r.ValLoss = finite(scores.Loss)
	if b := text.BytesPerToken(); b > 0 {
		r.BitsPerByte = finite(scores.Loss / math.Ln2 / b)
	}
	if f.json {
		return printJSON(w, r)
	}
	fmt.Fprintln(w, plot(losses, "training loss, nats per token"))
	fmt.Fprintf(w, "\nval loss %.4f nats/token, %.3f bits/byte, %.0f tokens/s, %.1f s, parameters %s…\n\n", scores.Loss, r.BitsPerByte, r.TokensPerS, r.Seconds, digest[:12])
	if err := f.sample(w, cfg, text, run); err != nil {
		return err
	}
	ck, err := train.NewestCheckpoint(out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nnext:\n  ceto generate --model %s --tokens 200 --temperature 0.8\n  ceto inspect --preset %s --plan\n  ceto pretrain --data FILE --preset shakespeare-char-cpu\n", filepath.ToSlash(ck), cfg.Preset)
	return err
}

// sample continues a prompt from the held-out text.
func (f *pretrainFlags) sample(w io.Writer, cfg config, text *data.TextData, run *train.Run) error {
	tok := text.Tokenizer()
	if tok == nil {
		return nil
	}
	prompt := []byte("\n")
	if cfg.Data.Path == "" {
		prompt = []byte("\nfunc ")
	}
	ids, err := tok.Encode(prompt)
	if err != nil {
		if ids, err = []int32{0}, nil; err != nil {
			return err
		}
	}
	g := gpt.Generator{Model: cfg.Model, State: run.State}
	more, err := g.Sample(ids, gpt.SampleOptions{Tokens: 300, Temperature: 0.8, TopK: 40, Seed: cfg.Train.Seed})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", tok.Decode(append(ids, more...)))
	return err
}
