package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"

	"github.com/ceto-ml/ceto/plot"
	"github.com/ceto-ml/ceto/train/pretrain"
)

// report tells how a run ended: JSON, or a curve, figures and a sample.
func (f *pretrainFlags) report(w io.Writer, j *pretrain.Job, r *pretrain.Result) error {
	if f.JSON {
		return printJSON(w, r)
	}
	losses := make([]float64, len(r.Whole))
	for i, s := range r.Whole {
		losses[i] = s.Loss
	}
	fmt.Fprintf(w, "%s\n\n", plot.Curve(losses, "training loss, nats per token"))
	fmt.Fprintf(w, "val loss %.4f nats/token", float64(r.ValLoss))
	if b := float64(r.BitsPerByte); !math.IsNaN(b) {
		fmt.Fprintf(w, ", %.3f bits/byte", b)
	}
	fmt.Fprintf(w, "; %.0f tokens/s, %.1f s; SHA-256 of the parameters %s…\n\n", r.TokensPerS, r.Seconds, r.Digest[:12])
	text, err := j.Sample(r)
	if err != nil {
		return err
	}
	if text != nil {
		fmt.Fprintf(w, "%s\n", text)
	}
	fmt.Fprintf(w, "\nnext:\n")
	dir := filepath.ToSlash(r.Run)
	switch {
	case j.Text.Tokenizer() == nil: // token files without one: nothing to encode a prompt with
	case j.Settings.Data.Path == "":
		fmt.Fprintf(w, "  ceto generate --model %s --prompt \"func \" --tokens 300\n", dir)
	default:
		fmt.Fprintf(w, "  ceto generate --model %s --tokens 300\n", dir)
	}
	_, err = fmt.Fprintf(w, "  ceto inspect --model %s --svg model.svg\n  ceto pretrain --data FILE --preset shakespeare-char-cpu\n", dir)
	return err
}
