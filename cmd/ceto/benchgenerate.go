package main

import (
	"fmt"
	"io"
	"time"

	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/spf13/cobra"
)

// started is the time at which package main was initialised. The Go runtime had started before.
var started = time.Now()

// generateFigures is the JSON of ceto bench generate. bench/peers/pretrained.py measures the same.
type generateFigures struct {
	Threads       int     `json:"threads"`
	TokensPerS    float64 `json:"tokens_per_s"`  // new tokens over the whole call, the prompt's pass included
	DecodePerS    float64 `json:"decode_per_s"`  // new tokens after the first
	PrefillPerS   float64 `json:"prefill_per_s"` // tokens of the long prompt, up to the logits of its last position
	FirstTokenS   float64 `json:"first_token_s"` // from the start of the process
	BytesPerToken int     `json:"bytes_per_token"`
	GBPerS        float64 `json:"gb_per_s"` // weights read while decoding, 10⁹ bytes
	RSS           float64 `json:"rss_mib"`
}

// benchGenerateFlags are the flags of ceto bench generate.
type benchGenerateFlags struct {
	*global
	model  string
	Prompt int `flag:"prompt-tokens" usage:"tokens of the prompt that new ones follow" range:"[1,inf)" default:"32"`
	Tokens int `flag:"tokens" usage:"new tokens" range:"[1,inf)" default:"128"`
	Long   int `flag:"prefill" usage:"tokens of the prompt that is only read" range:"[1,inf)" default:"512"`
	Rounds int `flag:"rounds" usage:"measurements; the median counts" range:"[1,1000000]" default:"3"`
}

func benchGenerateCmd(g *global) *cobra.Command {
	f := &benchGenerateFlags{global: g}
	c := &cobra.Command{
		Use:   "generate",
		Short: "Measure a model's first token, its decoding and its reading of a prompt",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return f.run(c.OutOrStdout()) },
	}
	setting.Var(c.Flags(), finetune.Settings{}, "model", &f.model)
	setting.Flags(c.Flags(), f)
	return c
}

func (f *benchGenerateFlags) run(w io.Writer) error {
	if err := setting.Check(f); err != nil {
		return usage(err)
	}
	s, err := openModel(f.model)
	if err != nil {
		return err
	}
	defer s.Close()
	d := s.Model.Dims()
	if n := max(f.Prompt+f.Tokens, f.Long); n > d.Context {
		return usagef("%d tokens; the model's context holds %d", n, d.Context)
	}
	exec, err := f.executor()
	if err != nil {
		return err
	}
	defer exec.Close()
	gen, err := s.Generator(exec)
	if err != nil {
		return err
	}
	defer gen.Close()
	ids := make([]int32, max(f.Prompt, f.Long))
	for i := range ids {
		ids[i] = int32((1000 + i) % d.Vocab)
	}
	r := generateFigures{Threads: exec.Device().Workers, BytesPerToken: 4 * s.Model.Params()}
	gen.Tokenizer = nil
	if err := r.measure(gen, ids[:f.Prompt], ids[:f.Long], f.Tokens, f.Rounds); err != nil {
		return err
	}
	if f.JSON {
		return printJSON(w, r)
	}
	_, err = fmt.Fprintf(w, "%.1f tokens/s (after the first %.1f: %.1f GB/s of weights), prefill %.0f tokens/s, first token %.2f s, %.0f MiB\n",
		r.TokensPerS, r.DecodePerS, r.GBPerS, r.PrefillPerS, r.FirstTokenS, r.RSS)
	return err
}

// measure fills in the figures.
func (r *generateFigures) measure(gen *generate.Generator, prompt, long []int32, tokens, rounds int) error {
	if _, err := gen.Sample(prompt, generate.Options{Tokens: 1}); err != nil {
		return err
	}
	r.FirstTokenS = time.Since(started).Seconds()
	var all, rest, read []time.Duration
	for i := range rounds + 1 { // the first is a warm-up
		var first time.Duration
		start := time.Now()
		_, err := gen.Sample(prompt, generate.Options{Tokens: tokens, Stream: func(int32) bool {
			if first == 0 {
				first = time.Since(start)
			}
			return true
		}})
		took := time.Since(start)
		if err != nil {
			return err
		}
		start = time.Now()
		if _, err := gen.Logits(long); err != nil {
			return err
		}
		if i > 0 {
			all, rest, read = append(all, took), append(rest, took-first), append(read, time.Since(start))
		}
	}
	r.TokensPerS, r.PrefillPerS, r.RSS = float64(tokens)/median(all), float64(len(long))/median(read), peakRSS()
	if tokens > 1 {
		r.DecodePerS = float64(tokens-1) / median(rest)
		r.GBPerS = r.DecodePerS * float64(r.BytesPerToken) / 1e9
	}
	return nil
}
