package main

import (
	"fmt"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// gradcheckFlags are the flags of ceto gradcheck.
type gradcheckFlags struct {
	*global
	Preset string                      `flag:"preset" usage:"model to check, shrunk where it is large" default:"(two small models)"`
	Full   bool                        `flag:"full" usage:"check every coordinate of every parameter"`
	Seed   uint64                      `flag:"seed" usage:"seed of parameters, tokens and directions" default:"1"`
	task   func(train.Task) train.Task // changes what is checked, for tests; nil: nothing
}

func gradcheckCmd(g *global) *cobra.Command {
	f := &gradcheckFlags{global: g}
	c := &cobra.Command{
		Use:   "gradcheck",
		Short: "Compare a whole model's gradients with central differences",
		Long: `Compare a whole model's gradients with central differences of its loss, in float64: along 4 random directions of each
parameter and at its 8 largest gradients. Without --preset two small models are checked, one in the style of GPT-2 and
one in that of nanoGPT. The exit code is 1 if a gradient a and a difference n are too far apart:
|a−n| / max(|a|, |n|, 1e-4·rms of all gradients) > 1e-6.`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	setting.Flags(c.Flags(), f)
	return c
}

// gradcheckResult is the JSON of ceto gradcheck.
type gradcheckResult struct {
	Checked  int      `json:"checked"`
	Worst    string   `json:"worst_param"`
	WorstErr any      `json:"worst_rel_err"`
	OK       bool     `json:"ok"`
	Models   []string `json:"models"`
	worstErr float64
}

// checked is a model under gradcheck.
type checked struct {
	name string
	cfg  gpt.GPT2
}

// checkBatch and checkContext bound a check: a loss of few tokens is precise enough to be differenced.
const (
	checkBatch   = 2
	checkContext = 16
	checkWidth   = 32 // for presets larger than tiny, with two layers
	checkVocab   = 96
	// checkSpread is the deviation added to each parameter's first value: zeros and ones would hide errors.
	checkSpread = 0.1
)

// models lists what is to be checked.
func (f *gradcheckFlags) models() ([]checked, error) {
	if f.Preset == "" {
		tiny := gpt.GPT2{Layers: 2, Heads: 4, Width: checkWidth, Vocab: checkVocab, Context: checkContext}
		nano := tiny
		nano.NoBias, nano.GELUErf = true, true
		return []checked{{"gpt2-style", tiny}, {"nanogpt-style", nano}}, nil
	}
	cfg, err := gpt.Preset(f.Preset)
	if err != nil {
		return nil, usage(err)
	}
	cfg.Context, cfg.Dropout = min(cfg.Context, checkContext), 0
	if cfg.Params() > gpt.Tiny.Params() {
		cfg.Width, cfg.Layers = cfg.Heads*max(2, checkWidth/cfg.Heads), 2
		cfg.Vocab = min(cfg.Vocab, checkVocab)
	}
	return []checked{{f.Preset, cfg}}, nil
}

func (f *gradcheckFlags) run(c *cobra.Command) error {
	models, err := f.models()
	if err != nil {
		return err
	}
	w := c.OutOrStdout()
	sum := gradcheckResult{OK: true}
	for _, m := range models {
		r, err := f.check(m.cfg)
		if err != nil {
			return err
		}
		if !f.JSON {
			k := m.cfg
			fmt.Fprintf(w, "%s: L=%d NH=%d C=%d V=%d T=%d B=%d, no dropout, %d parameters\n", m.name, k.Layers, k.Heads, k.Width, k.Vocab, k.Context, checkBatch, k.Params())
			fmt.Fprintf(w, "  %d derivatives compared, worst relative error %.2e at %s\n", r.Checked, r.WorstRelErr, r.WorstParam)
		}
		sum.add(m.name, r)
	}
	if f.JSON {
		sum.WorstErr = finite(sum.worstErr)
		err = printJSON(w, sum)
	}
	if err == nil && !sum.OK {
		err = errors.Errorf("gradients differ: %s by %.2e, more than 1e-6", sum.Worst, sum.worstErr)
	}
	return err
}

// add takes in the report of one model.
func (s *gradcheckResult) add(name string, r train.GradReport) {
	s.Models = append(s.Models, name)
	s.Checked += r.Checked
	s.OK = s.OK && r.OK
	if s.Worst == "" || !(r.WorstRelErr <= s.worstErr) {
		s.Worst, s.worstErr = name+": "+r.WorstParam, r.WorstRelErr
	}
}

// check checks one model on random tokens.
func (f *gradcheckFlags) check(cfg gpt.GPT2) (train.GradReport, error) {
	x, err := f.executor()
	if err != nil {
		return train.GradReport{}, err
	}
	defer x.Close()
	fields := tokenFields(cfg.Context)
	b := data.NewBatch(fields, checkBatch)
	randomTokens(b, cfg.Vocab, f.Seed)
	task := train.Task(train.Supervised{Model: cfg, Loss: nn.CrossEntropy{}})
	if f.task != nil {
		task = f.task(task)
	}
	return train.GradCheck{Task: task, Seed: f.Seed, Full: f.Full, Executor: x, Random: checkSpread}.Run(fields, b, checkBatch)
}

// randomTokens fills all id arrays of a batch.
func randomTokens(b data.Batch, vocab int, seed uint64) {
	for name, a := range b {
		r := nn.NewRand(seed, "tokens."+name)
		for i := range a.Int {
			a.Int[i] = int32(r.Uniform(i, 0) * float64(vocab))
		}
	}
}
