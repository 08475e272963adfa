package main

import (
	"fmt"
	"time"

	"github.com/ceto-ml/ceto/gpt/generate"
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

func benchGenerateCmd(g *global) *cobra.Command {
	f := &modelFlags{}
	prompt, tokens, long, rounds := 0, 0, 0, 0
	c := &cobra.Command{
		Use:   "generate",
		Short: "Measure a model's first token, its decoding and its reading of a prompt",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for name, n := range map[string]int{"prompt-tokens": prompt, "tokens": tokens, "prefill": long, "rounds": rounds} {
				if n < 1 {
					return usagef("--%s is %d; it must be at least 1", name, n)
				}
			}
			return benchGenerate(c, g, f, prompt, tokens, long, rounds)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.path, "model", "", modelUsage)
	fl.IntVar(&prompt, "prompt-tokens", 32, "tokens of the prompt that new ones follow")
	fl.IntVar(&tokens, "tokens", 128, "new tokens")
	fl.IntVar(&long, "prefill", 512, "tokens of the prompt that is only read")
	fl.IntVar(&rounds, "rounds", 3, "measurements; the median counts")
	return c
}

func benchGenerate(c *cobra.Command, g *global, f *modelFlags, prompt, tokens, long, rounds int) error {
	s, err := openModel(f.path)
	if err != nil {
		return err
	}
	defer s.Close()
	d := s.Model.Dims()
	if n := max(prompt+tokens, long); n > d.Context {
		return usagef("%d tokens; the model's context holds %d", n, d.Context)
	}
	exec, err := g.executor()
	if err != nil {
		return err
	}
	defer exec.Close()
	gen, err := s.Generator(exec)
	if err != nil {
		return err
	}
	defer gen.Close()
	ids := make([]int32, max(prompt, long))
	for i := range ids {
		ids[i] = int32((1000 + i) % d.Vocab)
	}
	r := generateFigures{Threads: exec.Device().Workers, BytesPerToken: 4 * s.Model.Params()}
	gen.Tokenizer = nil
	if err := r.measure(gen, ids[:prompt], ids[:long], tokens, rounds); err != nil {
		return err
	}
	w := c.OutOrStdout()
	if g.json {
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
