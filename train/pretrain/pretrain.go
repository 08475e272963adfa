// Package pretrain trains a GPT on text from nothing, as the command ceto pretrain does.
//
//	s, err := pretrain.Preset("tiny")
//	s.Data.Path = "input.txt"
//	job, err := pretrain.Open(s)
//	defer job.Close()
//	result, err := job.Fit(pretrain.Options{Out: "runs/first"})
package pretrain

import (
	"context"
	"io"
	"maps"
	"path/filepath"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
)

// Job is a text that a model is about to be trained on. Close it after use.
type Job struct {
	Settings Settings // resolved; the model's vocabulary is the text's
	Text     *data.TextData
}

// Options say how a job is run.
type Options struct {
	Out         string          // run folder; "" writes nothing
	Resume      bool            // go on with the run in Out
	DataChanged bool            // go on, too, where the data is not what the run began with
	Executor    plan.Executor   // plan.CPU(0); the caller's to close
	MemoryLimit uint64          // bytes that a step may need; 0 does not look
	Interrupt   <-chan struct{} // closed: finish the step, write a checkpoint, return train.ErrInterrupted
	Callbacks   []train.Callback
	Warn        func(string)        // gets what may be a mistake; nil: log/slog
	Ready       func(l *train.Loop) // called before the first step, when all memory is planned
}

// Open resolves the settings and reads the text that they name.
func Open(s Settings) (*Job, error) {
	if err := s.Resolve(); err != nil {
		return nil, err
	}
	text, err := openText(s)
	if err != nil {
		return nil, err
	}
	s.Model.Vocab = text.Vocab()
	setting.Fill(&s, "train.keep")
	if err := s.Model.Validate(); err != nil {
		text.Close()
		return nil, err
	}
	return &Job{s, text}, nil
}

// Close closes the text's files.
func (j *Job) Close() error { return j.Text.Close() }

// openText reads the data: a path, or the Go standard library's source.
func openText(s Settings) (*data.TextData, error) {
	o := data.TextOptions{Context: s.Model.Context, Val: s.Data.Val, Encoding: s.Data.Encoding, MaxUnpacked: s.Data.MaxUnpacked, Column: s.Data.Column}
	if s.Data.builtIn() {
		o.Kind = s.Data.Tokenizer
	} else {
		var err error
		if o.Tokenizer, err = openTokenizer(s.Data.Tokenizer); err != nil {
			return nil, err
		}
	}
	if s.Data.Path != "" {
		return data.Open(s.Data.Path, o)
	}
	root, err := goroot(context.Background())
	if err != nil {
		return nil, err
	}
	o.Ext, o.Keep = []string{".go"}, isGoText
	return data.Text(filepath.Join(root, "src"), o)
}

// openTokenizer opens a tokenizer's file or folder, or that of a run's newest whole checkpoint.
func openTokenizer(path string) (token.Tokenizer, error) {
	path, err := train.Resolve(path, nil)
	if err != nil {
		return nil, errors.WithMessage(err, "pretrain: tokenizer")
	}
	t, err := token.Open(path)
	return t, errors.WithMessage(err, "pretrain: tokenizer")
}

// Fit trains the model and returns what came of it. Where Options.Interrupt ends it early the error is
// train.ErrInterrupted, and Resume goes on from there with the same bits.
func (j *Job) Fit(o Options) (*Result, error) {
	// Values and AdamW's two moments of each parameter: what needs more is not worth a plan, which takes its time.
	if need := 12 * uint64(j.Settings.Model.Params()); o.MemoryLimit > 0 && need > o.MemoryLimit {
		return nil, &train.MemoryError{What: "a step", Batch: j.Settings.Train.Batch, Need: need, Free: o.MemoryLimit}
	}
	t, err := j.trainer(o)
	if err != nil {
		return nil, err
	}
	l, err := t.Start(j.Text)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	if o.Ready != nil {
		o.Ready(l)
	}
	if err := l.Fit(); err != nil {
		return nil, err
	}
	return j.result(l.Run, o.Out)
}

// trainer returns the trainer that the settings describe.
func (j *Job) trainer(o Options) (train.Trainer, error) {
	var err error
	s := j.Settings
	files := map[string]func(io.Writer) error{"config.json": func(w io.Writer) error { return pretrained.WriteConfig(w, s.Model) }}
	if tok := j.Text.Tokenizer(); tok != nil {
		own, err := token.Files(tok)
		if err != nil {
			return train.Trainer{}, err
		}
		maps.Copy(files, own)
	}
	t := s.Train.Trainer()
	t.Model, t.Loss = s.Model, nn.CrossEntropy{}
	t.Optimizer = train.AdamW{LR: s.Train.LR, Beta1: s.Train.Beta1, Beta2: s.Train.Beta2, Decay: s.Train.Decay}
	t.Schedule = train.Cosine{Warmup: s.Train.Warmup, Min: s.Train.MinLR / s.Train.LR}
	t.Steps, t.Val, t.EvalEvery = s.Train.Steps, j.Text, s.Train.EvalEvery
	if t.Digests, err = j.Text.Digests(); err != nil {
		return t, err
	}
	t.DataChanged = o.DataChanged
	t.Out, t.Resume, t.Config, t.Files = o.Out, o.Resume, s, files
	t.Executor, t.MemoryLimit, t.Interrupt, t.Callbacks, t.Warn = o.Executor, o.MemoryLimit, o.Interrupt, o.Callbacks, o.Warn
	return t, nil
}
