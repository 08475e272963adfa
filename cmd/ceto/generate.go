package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// generateFlags are the flags of ceto generate.
type generateFlags struct {
	*global
	modelFlags
	sampleFlags
	Prompts []string `flag:"prompt,array,empty" usage:"text to continue; without one the model begins a text. May be repeated, for one batch"`
	Stream  bool     `flag:"stream" usage:"print the text as it comes" default:"true"`
}

func generateCmd(g *global) *cobra.Command {
	f := &generateFlags{global: g}
	c := &cobra.Command{
		Use:   "generate",
		Short: "Continue a text with a model",
		Example: `  ceto generate --model runs/2026-01-02-150405 --prompt "func " --tokens 200 --temperature 0.8
  ceto generate --model model.gguf --prompt "Once upon a time" --beams 4 --returns 2`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	fl := c.Flags()
	f.modelFlags.add(fl)
	setting.Flags(fl, f)
	f.sampleFlags.add(fl, generate.Options{Tokens: 200, Temperature: 0.8, LengthPenalty: 1, EarlyStopping: generate.EarlyFalse, Returns: 1},
		"beams", "length-penalty", "early-stopping", "returns")
	return c
}

// generated is the JSON of ceto generate: the first sequence, and all where there are several.
type generated struct {
	Text       string     `json:"text"` // what follows the prompt
	IDs        []int32    `json:"ids"`
	PromptIDs  []int32    `json:"prompt_ids"`
	LogProbs   []float64  `json:"logprobs"`     // natural logarithms, one for each of ids
	TokensPerS float64    `json:"tokens_per_s"` // of the tokens after the first
	PrefillS   float64    `json:"prefill_s"`    // from the prompt to the first token
	Sequences  []sequence `json:"sequences,omitempty"`
}

type sequence struct {
	Prompt    int       `json:"prompt"`
	Text      string    `json:"text"`
	IDs       []int32   `json:"ids"`
	PromptIDs []int32   `json:"prompt_ids"`
	LogProbs  []float64 `json:"logprobs"`
	Score     float64   `json:"score"`
	End       string    `json:"end"`
}

// run loads the model, and prints the continuations.
func (f *generateFlags) run(c *cobra.Command) error {
	m, err := f.load(&f.modelFlags)
	if err != nil {
		return err
	}
	defer m.close()
	o, err := f.options(c.Flags(), m.source)
	if err != nil {
		return err
	}
	if len(f.Prompts) == 0 {
		f.Prompts = []string{""}
	}
	ids := make([][]int32, len(f.Prompts))
	for i, p := range f.Prompts {
		if ids[i], err = generate.PromptIDs(m.tok, p, policies[f.Special]); err != nil {
			return usage(errors.WithMessage(err, "--prompt"))
		}
	}
	w := c.OutOrStdout()
	one := len(ids) == 1 && max(o.Beams, o.Returns) <= 1
	live := f.Stream && one && !f.JSON
	out := w
	if !live {
		out = io.Discard
	}
	seqs, t, err := m.generate(c.Context(), out, f.Prompts[0], ids, o)
	if err != nil {
		return err
	}
	switch {
	case f.JSON:
		return printJSON(w, result(seqs, ids, t))
	case live && isTerminal(w): // a pipe gets the text and nothing else
		_, err = fmt.Fprintln(w)
		return err
	case live:
		return nil
	}
	return f.print(w, seqs)
}

// print writes finished sequences, with a line before each where there are several.
func (f *generateFlags) print(w io.Writer, seqs []generate.Sequence) error {
	for _, s := range seqs {
		if len(seqs) > 1 {
			fmt.Fprintf(w, "--- prompt %d, log-probability %.4f, ended by %s\n", s.Prompt, s.Score, s.End)
		}
		if _, err := fmt.Fprintf(w, "%s%s\n", f.Prompts[s.Prompt], s.Text); err != nil {
			return err
		}
	}
	return nil
}

// loaded is a model ready to generate.
type loaded struct {
	source *pretrained.Source
	tok    token.Tokenizer
	gen    *generate.Generator
	close  func()
}

// load opens the model of f and reads its values.
func (g *global) load(f *modelFlags) (*loaded, error) {
	s, err := openModel(f.path, f.Adapters...)
	if err != nil {
		return nil, err
	}
	defer s.Close() // the values are copied
	tok, err := f.openTokenizer(s)
	if err != nil {
		return nil, err
	}
	exec, err := g.executor()
	if err != nil {
		return nil, err
	}
	if need, free := 4*uint64(s.Model.Params()), exec.Device().Free; free > 0 && need > free {
		exec.Close()
		return nil, errors.Errorf("%s: %d parameters need %s as float32; %s of memory are free", s.Path, s.Model.Params(), size(int64(need)), size(int64(free)))
	}
	gen, err := s.Generator(exec)
	if err != nil {
		exec.Close()
		return nil, err
	}
	gen.Tokenizer = tok
	return &loaded{s, tok, gen, func() { gen.Close(); exec.Close() }}, nil
}

// timing is how long a generation took.
type timing struct {
	first  time.Duration // to the first token
	all    time.Duration
	tokens int
}

// generate runs the model until it ends or ctx is done. It writes the text before, then the new text as it comes.
func (m *loaded) generate(ctx context.Context, w io.Writer, before string, ids [][]int32, o generate.Options) ([]generate.Sequence, timing, error) {
	var t timing
	var failed error
	start := time.Now()
	o.Stream = func(int32) bool {
		if t.first == 0 {
			t.first = time.Since(start)
			_, failed = io.WriteString(w, before)
		}
		t.tokens++
		return failed == nil && ctx.Err() == nil
	}
	o.StreamText = func(text []byte) bool {
		_, failed = w.Write(text)
		return failed == nil
	}
	seqs, err := m.gen.Generate(ids, o)
	if err == nil {
		err = failed
	}
	if t.all = time.Since(start); t.tokens == 0 {
		t.first = t.all
	}
	return seqs, t, err
}

// result is the JSON of sequences.
func result(seqs []generate.Sequence, prompts [][]int32, t timing) generated {
	var all []sequence
	for _, s := range seqs {
		logProbs := make([]float64, len(s.LogProbs))
		for i, p := range s.LogProbs {
			logProbs[i] = max(float64(p), -math.MaxFloat32)
		}
		all = append(all, sequence{s.Prompt, strings.ToValidUTF8(s.Text, "\uFFFD"), append([]int32{}, s.IDs...), prompts[s.Prompt], logProbs, s.Score, s.End})
	}
	g := generated{IDs: []int32{}, PromptIDs: prompts[0], LogProbs: []float64{}, PrefillS: t.first.Seconds()}
	if len(all) > 0 {
		g.Text, g.IDs, g.LogProbs = all[0].Text, all[0].IDs, all[0].LogProbs
	}
	if rest := (t.all - t.first).Seconds(); t.tokens > 1 && rest > 0 {
		g.TokensPerS = float64(t.tokens-1) / rest
	}
	if len(all) > 1 {
		g.Sequences = all
	}
	return g
}
