package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/train"
)

// pretrainResult is the JSON of ceto pretrain.
type pretrainResult struct {
	Steps       int     `json:"steps"`
	TrainLoss   float64 `json:"train_loss"` // nats per token, mean of the last tenth of the steps
	ValLoss     any     `json:"val_loss"`   // nats per token over the whole held-out part
	BitsPerByte any     `json:"bits_per_byte"`
	TokensPerS  float64 `json:"tokens_per_s"`
	Seconds     float64 `json:"seconds"`      // in training steps, of this process
	WallSeconds float64 `json:"wall_seconds"` // with evaluations and checkpoints
	Params      int     `json:"params"`
	Digest      string  `json:"digest"` // SHA-256 of the final parameters
	Run         string  `json:"run"`
}

// report tells how a run ended: JSON, or a curve, figures and a sample.
func (f *pretrainFlags) report(w io.Writer, cfg config, text *data.TextData, run *train.Run, out string) error {
	r, err := f.result(cfg, text, run, out)
	if err != nil || f.json {
		if err == nil {
			err = printJSON(w, r)
		}
		return err
	}
	losses := make([]float64, len(run.History))
	for i, s := range run.History {
		losses[i] = s.Loss
	}
	fmt.Fprintf(w, "%s\n\n", plot(losses, "training loss, nats per token"))
	fmt.Fprintf(w, "val loss %.4f nats/token", r.ValLoss)
	if r.BitsPerByte != nil {
		fmt.Fprintf(w, ", %.3f bits/byte", r.BitsPerByte)
	}
	fmt.Fprintf(w, "; %.0f tokens/s, %.1f s; SHA-256 of the parameters %s…\n\n", r.TokensPerS, r.Seconds, r.Digest[:12])
	if err := f.sample(w, cfg, text, run); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nnext:\n")
	dir := filepath.ToSlash(out)
	switch {
	case text.Tokenizer() == nil: // token files without one: nothing to encode a prompt with
	case cfg.Data.Path == "":
		fmt.Fprintf(w, "  ceto generate --model %s --prompt \"func \" --tokens 300\n", dir)
	default:
		fmt.Fprintf(w, "  ceto generate --model %s --tokens 300\n", dir)
	}
	_, err = fmt.Fprintf(w, "  ceto inspect --model %s --svg model.svg\n  ceto pretrain --data FILE --preset shakespeare-char-cpu\n", dir)
	return err
}

// result gathers the figures of a run.
func (f *pretrainFlags) result(cfg config, text *data.TextData, run *train.Run, out string) (pretrainResult, error) {
	h := run.History
	r := pretrainResult{Steps: cfg.Train.Steps, Run: out}
	r.Params, _ = run.State.Params.Count()
	var err error
	if r.Digest, err = run.State.Digest(); err != nil {
		return r, err
	}
	tokens := float64(cfg.Train.Batch * cfg.Train.Accumulate * cfg.Model.Context)
	tail := h[len(h)-(len(h)+9)/10:]
	for _, s := range tail {
		r.TrainLoss += s.Loss / float64(len(tail))
	}
	for _, s := range h {
		r.Seconds += tokens / s.TokensPerSec
	}
	if len(h) > 0 {
		r.Steps, r.TokensPerS = h[len(h)-1].Step, tokens*float64(len(h))/r.Seconds
	}
	r.WallSeconds = run.FitSeconds
	val := math.NaN()
	if n := len(h); n > 0 && h[n-1].Evaluated {
		val = h[n-1].ValLoss
	} else {
		scores, err := run.Evaluate(text)
		if err != nil {
			return r, err
		}
		val = scores.Loss
	}
	r.ValLoss = finite(val)
	if b := text.BytesPerToken(); b > 0 {
		r.BitsPerByte = finite(val / math.Ln2 / b)
	}
	return r, nil
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
	g := generate.Generator{Model: cfg.Model, State: run.State}
	more, err := g.Sample(ids, generate.Options{Tokens: 300, Temperature: 0.8, TopK: 40, Seed: cfg.Train.Seed})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", printable(tok.Decode(append(ids, more...))))
	return err
}

// printable replaces control characters, which an untrained model may write, so that a terminal does not obey them.
func printable(text []byte) []byte {
	for i, b := range text {
		if b < ' ' && b != '\n' && b != '\t' || b == 0x7f {
			text[i] = '?'
		}
	}
	return text
}
