package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// pretrainFlags are the flags of ceto pretrain; those that were given go over preset and config file.
type pretrainFlags struct {
	*global
	configFile, preset, data, tokenizer, out, resume  string
	sets                                              []string
	steps, batch, context, accumulate, eval, snapshot int
	lr, recompute                                     float64
	seed                                              uint64
	memory                                            float64
}

func pretrainCmd(g *global) *cobra.Command {
	f := &pretrainFlags{global: g}
	c := &cobra.Command{
		Use:   "pretrain",
		Short: "Train a GPT on text from nothing",
		Long: `Train a GPT on text from nothing. Without flags it trains a small one on the Go standard library's source, about
90 seconds on two cores. A run writes its settings, log and checkpoints to a folder and can be resumed from there.`,
		Example: `  ceto pretrain
  ceto pretrain --data input.txt --preset shakespeare-char-cpu
  ceto pretrain --resume runs/2026-01-02-150405`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	fl := c.Flags()
	fl.StringVar(&f.configFile, "config", "", "YAML file of settings")
	fl.StringArrayVar(&f.sets, "set", nil, "one setting, such as train.lr=0.001; may be repeated")
	fl.StringVar(&f.preset, "preset", "tiny", "model and settings: "+strings.Join(gpt.Presets(), ", "))
	fl.StringVar(&f.data, "data", "", "text file, folder of text files, or token .bin")
	fl.StringVar(&f.tokenizer, "tokenizer", "", "char, byte, or the path of a tokenizer; see ceto tokenize")
	fl.StringVar(&f.out, "out", "", "run folder (default runs/DATE-TIME)")
	fl.StringVar(&f.resume, "resume", "", "run folder to continue")
	fl.IntVar(&f.steps, "steps", 0, "updates")
	fl.IntVar(&f.batch, "batch", 0, "sequences of a micro-batch")
	fl.IntVar(&f.context, "context", 0, "tokens of a sequence")
	fl.IntVar(&f.accumulate, "accumulate", 0, "micro-batches of a step")
	fl.IntVar(&f.eval, "eval-every", 0, "steps between evaluations")
	fl.IntVar(&f.snapshot, "checkpoint-every", 0, "steps between checkpoints")
	fl.Float64Var(&f.recompute, "recompute", 0, recomputeUsage)
	fl.Float64Var(&f.lr, "lr", 0, "learning rate at its highest")
	fl.Uint64Var(&f.seed, "seed", 0, "seed of parameters, batches and dropout")
	fl.Float64Var(&f.memory, "memory-limit", 0, "GiB that the run may need (default: what is free)")
	return c
}

// resolve makes the configuration from preset, file, flags, in this order.
func (f *pretrainFlags) resolve(c *cobra.Command) (config, error) {
	file := f.configFile
	for _, name := range []string{"out", "config", "preset"} {
		if f.resume != "" && c.Flags().Changed(name) {
			return config{}, usagef("--resume goes on with the run as it was set up; it cannot be given with --%s", name)
		}
	}
	if f.resume != "" {
		file = filepath.Join(f.resume, "run.yaml")
		if _, err := os.Stat(file); err != nil {
			return config{}, usagef("--resume %s: no run there: it has no run.yaml", f.resume)
		}
	}
	preset := f.preset
	if file != "" && !c.Flags().Changed("preset") {
		p, err := presetOf(file)
		if err != nil {
			return config{}, err
		}
		if p != "" {
			preset = p
		}
	}
	cfg, err := presetConfig(preset)
	if err != nil {
		return cfg, err
	}
	if file != "" {
		if err := cfg.load(file); err != nil {
			return cfg, err
		}
	}
	for _, s := range f.sets {
		if err := setKey(&cfg, s); err != nil {
			return cfg, err
		}
	}
	f.over(c, &cfg)
	return cfg, cfg.finish()
}

// over puts the flags that were given over cfg.
func (f *pretrainFlags) over(c *cobra.Command, cfg *config) {
	t := &cfg.Train
	for name, set := range map[string]func(){
		"data":             func() { cfg.Data.Path = f.data },
		"tokenizer":        func() { cfg.Data.Tokenizer = f.tokenizer },
		"steps":            func() { t.Steps = f.steps },
		"batch":            func() { t.Batch = f.batch },
		"context":          func() { cfg.Model.Context = f.context },
		"recompute":        func() { t.Recompute = f.recompute },
		"accumulate":       func() { t.Accumulate = f.accumulate },
		"eval-every":       func() { t.EvalEvery = f.eval },
		"checkpoint-every": func() { t.Checkpoint = f.snapshot },
		"lr":               func() { t.MinLR, t.LR = t.MinLR*f.lr/t.LR, f.lr },
		"seed":             func() { t.Seed = f.seed },
	} {
		if c.Flags().Changed(name) {
			set()
		}
	}
}

func (f *pretrainFlags) run(c *cobra.Command) error {
	cfg, err := f.resolve(c)
	if err != nil {
		return err
	}
	text, err := openText(cfg)
	if err != nil {
		return err
	}
	defer text.Close()
	cfg.Model.Vocab = text.Vocab()
	if err := cfg.Model.Validate(); err != nil {
		return usage(err)
	}
	exec, err := f.executor()
	if err != nil {
		return err
	}
	defer exec.Close()
	out := runFolder(f.resume, f.out)
	p := newProgress(c.ErrOrStderr(), exec.Threads())
	t, err := f.trainer(cfg, text, exec, out)
	if err != nil {
		return err
	}
	t.Callbacks = []train.Callback{p}
	t.Interrupt = c.Context().Done()
	t.Warn = func(s string) { fmt.Fprintln(c.ErrOrStderr(), "ceto: warning:", s) }
	smallHeap()
	l, err := t.Start(text)
	if err != nil {
		return err
	}
	defer l.Close()
	debug.FreeOSMemory() // what the first values have left behind
	p.header(cfg, text, t)
	err = l.Fit()
	p.close()
	if errors.Is(err, train.ErrInterrupted) {
		fmt.Fprintf(c.ErrOrStderr(), "stopped after a whole step; go on with\n  ceto pretrain --resume %s\n", filepath.ToSlash(out))
	}
	if err != nil {
		return err
	}
	return f.report(c.OutOrStdout(), cfg, text, l.Run, out)
}

// runFolder is where a run writes: the one to resume, the one that was named, or one by date and time.
func runFolder(resume, out string) string {
	switch {
	case resume != "":
		return resume
	case out != "":
		return out
	}
	return filepath.Join("runs", time.Now().Format("2006-01-02-150405"))
}

func (f *pretrainFlags) trainer(cfg config, text *data.TextData, exec plan.Executor, out string) (train.Trainer, error) {
	tc := cfg.Train
	files := map[string]func(io.Writer) error{"config.json": func(w io.Writer) error { return pretrained.WriteConfig(w, cfg.Model) }}
	if tok := text.Tokenizer(); tok != nil {
		own, err := token.Files(tok)
		if err != nil {
			return train.Trainer{}, err
		}
		maps.Copy(files, own)
	}
	limit := uint64(f.memory * (1 << 30))
	if f.memory == 0 {
		limit = availableMemory()
	}
	return train.Trainer{
		Model: cfg.Model, Loss: nn.CrossEntropy{},
		Optimizer: train.AdamW{LR: tc.LR, Beta1: tc.Beta1, Beta2: tc.Beta2, Decay: tc.Decay},
		Schedule:  train.Cosine{Warmup: train.Warmup(tc.Warmup), Min: tc.MinLR / tc.LR},
		Clip:      tc.Clip, Recompute: tc.Recompute, Batch: tc.Batch, Accumulate: tc.Accumulate, Steps: tc.Steps, Seed: tc.Seed,
		Val: text, EvalEvery: tc.EvalEvery,
		Out: out, CheckpointEvery: tc.Checkpoint, Resume: f.resume != "", Config: cfg, Files: files,
		Executor: exec, MemoryLimit: limit,
	}, nil
}

// openText reads the data: a path, or the Go standard library's source.
func openText(cfg config) (*data.TextData, error) {
	o := data.TextOptions{Context: cfg.Model.Context, Val: cfg.Data.Val}
	switch kind := cfg.Data.Tokenizer; kind {
	case "char", "byte":
		o.Kind = kind
	default:
		tok, err := openTokenizer(kind)
		if err != nil {
			return nil, err
		}
		o.Tokenizer = tok
	}
	if cfg.Data.Path != "" {
		return data.Open(cfg.Data.Path, o)
	}
	root, err := goroot(context.Background())
	if err != nil {
		return nil, err
	}
	o.Ext, o.Keep = []string{".go"}, isGoText
	return data.Text(filepath.Join(root, "src"), o)
}
