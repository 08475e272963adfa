package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// generateFlags are the flags of ceto generate.
type generateFlags struct {
	*global
	model, prompt string
	opt           gpt.SampleOptions
}

func generateCmd(g *global) *cobra.Command {
	f := &generateFlags{global: g}
	c := &cobra.Command{
		Use:     "generate",
		Short:   "Continue a text with a trained model",
		Example: `  ceto generate --model runs/2026-01-02-150405 --prompt "func " --tokens 200 --temperature 0.8`,
		RunE:    func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	fl := c.Flags()
	fl.StringVar(&f.model, "model", "", "run folder (its newest checkpoint is taken) or model folder")
	fl.StringVar(&f.prompt, "prompt", "", "text to continue; without one a line begins")
	fl.IntVar(&f.opt.Tokens, "tokens", 200, "tokens to add")
	fl.Float64Var(&f.opt.Temperature, "temperature", 0.8, "spread of the choice; 0 takes the most likely token each time")
	fl.IntVar(&f.opt.TopK, "top-k", 0, "choose among the k most likely tokens; 0: among all")
	fl.Float64Var(&f.opt.TopP, "top-p", 0, "choose among the most likely tokens that together have this probability; 0: among all")
	fl.Uint64Var(&f.opt.Seed, "seed", 0, "seed of the choice")
	return c
}

// generated is the JSON of ceto generate.
type generated struct {
	Text       string  `json:"text"` // what follows the prompt
	IDs        []int32 `json:"ids"`
	PromptIDs  []int32 `json:"prompt_ids"`
	TokensPerS float64 `json:"tokens_per_s"` // of the new tokens, the prompt's time included
}

// open loads the model and its tokenizer.
func (f *generateFlags) open(exec plan.Executor) (*gpt.Generator, token.Tokenizer, error) {
	dir, err := modelFolder(f.model)
	if err != nil {
		return nil, nil, err
	}
	tok, err := token.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, errors.Errorf("%s has no %s: the model was trained on token files, and nothing says which text they stand for", dir, token.FileName)
	}
	if err != nil {
		return nil, nil, err
	}
	g, err := gpt.Load(dir, exec)
	if err != nil {
		return nil, nil, err
	}
	if tok.Vocab() > g.Model.Vocab {
		return nil, nil, errors.Errorf("%s: the tokenizer has %d ids, the model %d", dir, tok.Vocab(), g.Model.Vocab)
	}
	return g, tok, nil
}

func (f *generateFlags) run(c *cobra.Command) error {
	if err := usage(f.opt.Validate()); err != nil {
		return err
	}
	exec, err := f.executor()
	if err != nil {
		return err
	}
	defer exec.Close()
	g, tok, err := f.open(exec)
	if err != nil {
		return err
	}
	ids, err := promptIDs(tok, f.prompt)
	if err != nil {
		return usage(errors.WithMessage(err, "--prompt"))
	}
	w := c.OutOrStdout()
	if !f.json {
		if _, err := io.WriteString(w, f.prompt); err != nil {
			return err
		}
	}
	show := func(text []byte) []byte { return text }
	if isTerminal(w) {
		show = printable
	}
	var failed error
	f.opt.Stream = func(id int32) bool {
		if !f.json {
			_, failed = w.Write(show(tok.Decode([]int32{id})))
		}
		return failed == nil && c.Context().Err() == nil
	}
	start := time.Now()
	more, err := g.Sample(ids, f.opt)
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	if !f.json {
		_, err := fmt.Fprintln(w)
		return err
	}
	rate := float64(len(more)) / time.Since(start).Seconds()
	return printJSON(w, generated{string(tok.Decode(more)), append([]int32{}, more...), ids, rate})
}

// promptIDs encodes a prompt; in place of an empty one it takes a line's end, or the first id.
func promptIDs(tok token.Tokenizer, prompt string) ([]int32, error) {
	if prompt != "" {
		return tok.Encode([]byte(prompt))
	}
	if ids, err := tok.Encode([]byte("\n")); err == nil {
		return ids, nil
	}
	return []int32{0}, nil
}

// modelFolder finds the model that --model names: a model's folder, or a run folder's newest checkpoint.
func modelFolder(path string) (string, error) {
	if path == "" {
		return "", usagef("--model is missing: name a run folder or a model folder")
	}
	if _, err := os.Stat(path); err != nil {
		return "", usagef("--model %s: no such folder", path)
	}
	if _, err := os.Stat(filepath.Join(path, gpt.ConfigFile)); err == nil {
		return path, nil
	}
	dir, err := train.NewestCheckpoint(path)
	if err != nil {
		return "", errors.Errorf("--model %s: it has no %s and no checkpoint", path, gpt.ConfigFile)
	}
	return dir, nil
}
