package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/goccy/go-yaml"
	"github.com/pkg/errors"
)

// config is what a pretraining run is made from; run.yaml records it, resolved.
type config struct {
	Preset string      `yaml:"preset"`
	Model  gpt.GPT2    `yaml:"model"`
	Data   dataConfig  `yaml:"data"`
	Train  trainConfig `yaml:"train"`
}

type dataConfig struct {
	Path      string  `yaml:"path"`      // file or folder; empty: the Go standard library's source
	Tokenizer string  `yaml:"tokenizer"` // char, byte, or the path of a tokenizer
	Val       float64 `yaml:"val"`       // share of the text, at its end, that is held out; 0: 0.1, of Go's source 0.03
}

type trainConfig struct {
	Steps      int     `yaml:"steps"`
	Batch      int     `yaml:"batch"` // sequences of a micro-batch
	Accumulate int     `yaml:"accumulate"`
	LR         float64 `yaml:"lr"`
	MinLR      float64 `yaml:"min_lr"`
	Warmup     int     `yaml:"warmup"` // steps
	Beta1      float64 `yaml:"beta1"`
	Beta2      float64 `yaml:"beta2"`
	Decay      float64 `yaml:"decay"`
	Clip       float64 `yaml:"clip"`
	Recompute  float64 `yaml:"recompute,omitempty"` // share of a step's work that may be done twice to need less memory
	EvalEvery  int     `yaml:"eval_every"`          // steps
	Checkpoint int     `yaml:"checkpoint_every"`    // steps
	Seed       uint64  `yaml:"seed"`
}

// defaultSteps is how many steps the run without flags makes: about 90 seconds on two cores with its evaluations.
const defaultSteps = 2000

// presetConfig returns the settings that go with a preset.
func presetConfig(name string) (config, error) {
	m, err := gpt.Preset(name)
	if err != nil {
		return config{}, usage(err)
	}
	c := config{Preset: name, Model: m, Data: dataConfig{Tokenizer: "byte"},
		Train: trainConfig{Steps: 1000, Batch: 8, Accumulate: 1, LR: 6e-4, MinLR: 6e-5, Warmup: 100, Beta1: 0.9, Beta2: 0.95, Decay: 0.1, Clip: 1, EvalEvery: 250, Checkpoint: 500, Seed: 1337}}
	switch name {
	case "tiny":
		c.Train.Steps, c.Train.Batch, c.Train.LR, c.Train.MinLR, c.Train.Warmup = defaultSteps, 12, 3e-3, 3e-4, 60
		c.Train.EvalEvery = defaultSteps / 4
	case "shakespeare-char-cpu": // nanoGPT's README
		c.Data.Tokenizer = "char"
		c.Train.Steps, c.Train.Batch, c.Train.LR, c.Train.MinLR, c.Train.Beta2 = 2000, 12, 1e-3, 1e-4, 0.99
	case "shakespeare-char": // nanoGPT's config/train_shakespeare_char.py
		c.Data.Tokenizer = "char"
		c.Train.Steps, c.Train.Batch, c.Train.LR, c.Train.MinLR, c.Train.Beta2 = 5000, 64, 1e-3, 1e-4, 0.99
	}
	return c, nil
}

// load reads a YAML file over c; unknown keys are refused.
func (c *config) load(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return errors.Wrap(err, "--config")
	}
	return c.merge(b, "--config "+path)
}

func (c *config) merge(b []byte, from string) error { return mergeYAML(c, b, from) }

// mergeYAML reads YAML over v; unknown keys are refused.
func mergeYAML(v any, b []byte, from string) error {
	if err := yaml.UnmarshalWithOptions(b, v, yaml.Strict()); err != nil {
		return usagef("%s: %s", from, strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	return nil
}

// setKey applies "a.b=c" to settings.
func setKey(v any, expr string) error {
	key, value, ok := strings.Cut(expr, "=")
	if !ok || key == "" {
		return usagef("--set %q: want key=value, such as train.lr=0.001", expr)
	}
	var b strings.Builder
	parts := strings.Split(key, ".")
	for i, p := range parts {
		b.WriteString(strings.Repeat("  ", i) + p + ":")
		if i < len(parts)-1 {
			b.WriteString("\n")
		}
	}
	b.WriteString(" " + value + "\n")
	return mergeYAML(v, []byte(b.String()), "--set "+expr)
}

// presetOf finds the preset that a config file names.
func presetOf(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", errors.Wrap(err, "--config")
	}
	var p struct {
		Preset string `yaml:"preset"`
	}
	if err := yaml.Unmarshal(b, &p); err != nil {
		return "", usagef("--config %s: %s", path, strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	return p.Preset, nil
}

// finish fills in what depends on other settings, and checks all.
func (c *config) finish() error {
	if c.Data.Val == 0 {
		c.Data.Val = 0.1
		if c.Data.Path == "" {
			c.Data.Val = 0.03
		}
	}
	if c.Data.Path != "" {
		abs, err := filepath.Abs(c.Data.Path) // a run may be resumed from another folder
		if err != nil {
			return errors.Wrap(err, "--data")
		}
		c.Data.Path = abs
	}
	if k := c.Data.Tokenizer; k != "char" && k != "byte" {
		if abs, err := filepath.Abs(k); err == nil && exists(abs) {
			c.Data.Tokenizer = abs
		}
	}
	return c.check()
}

// check refuses settings that cannot be, by name.
func (c *config) check() error {
	t := c.Train
	for _, f := range []struct {
		name   string
		v, min int
	}{
		{"train.steps", t.Steps, 1}, {"train.batch", t.Batch, 1}, {"train.accumulate", t.Accumulate, 1},
		{"train.warmup", t.Warmup, 0}, {"train.eval_every", t.EvalEvery, 0}, {"train.checkpoint_every", t.Checkpoint, 0},
	} {
		if f.v < f.min {
			return usagef("%s is %d; it must be at least %d", f.name, f.v, f.min)
		}
	}
	for _, f := range []struct {
		name string
		v    float64
		ok   bool
		want string
	}{
		{"train.lr", t.LR, t.LR > 0 && t.LR < math.Inf(1), "above 0"},
		{"train.min_lr", t.MinLR, t.MinLR >= 0 && t.MinLR <= t.LR, "from 0 to train.lr"},
		{"train.beta1", t.Beta1, t.Beta1 >= 0 && t.Beta1 < 1, "from 0 to below 1"},
		{"train.beta2", t.Beta2, t.Beta2 >= 0 && t.Beta2 < 1, "from 0 to below 1"},
		{"train.decay", t.Decay, t.Decay >= 0 && t.Decay < math.Inf(1), "0 or more"},
		{"train.recompute", t.Recompute, t.Recompute >= 0 && t.Recompute <= 1, "a share, 0 to 1"},
		{"train.clip", t.Clip, t.Clip >= 0 && t.Clip < math.Inf(1), "0 or more"},
		{"data.val", c.Data.Val, c.Data.Val > 0 && c.Data.Val < 1, "between 0 and 1"},
	} {
		if !f.ok {
			return usagef("%s is %g; it must be %s", f.name, f.v, f.want)
		}
	}
	if k := c.Data.Tokenizer; k != "char" && k != "byte" && !exists(k) {
		return usagef("data.tokenizer is %q; want char, byte, or the path of a tokenizer", k)
	}
	return usage(c.Model.Validate())
}
