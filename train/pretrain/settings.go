package pretrain

import (
	"cmp"
	"math"
	"os"
	"path/filepath"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
)

// Kind is what a run.yaml of pretraining begins with.
const Kind = "pretrain"

// Settings are what a pretraining run is made from. A run records them, resolved, in run.yaml. Begin with those of a
// [Preset] and change what is to differ.
type Settings struct {
	Preset string        `yaml:"preset" flag:"preset" usage:"model and settings:" resume:"fixed"`
	Model  gpt.GPT2      `yaml:"model" resume:"fixed but dropout"`
	Data   DataSettings  `yaml:"data"`
	Train  TrainSettings `yaml:"train"`
}

// DataSettings name the text and say how it becomes tokens.
type DataSettings struct {
	Path      string  `yaml:"path" flag:"data" usage:"text file, folder of text files, also .gz and .zst, or token .bin" default:"(the Go standard library's source)"`
	Tokenizer string  `yaml:"tokenizer" flag:"tokenizer" usage:"char, byte, or the path of a tokenizer; see ceto tokenize"`
	Val       float64 `yaml:"val" usage:"share of the text, at its end, that is held out" resume:"fixed" range:"(0,1)" default:"(0.1; of the Go standard library's source 0.03)"`

	Encoding    data.Encoding `yaml:"encoding,omitempty" flag:"encoding" usage:"encoding of texts, such as windows-1252, shift_jis, gb18030 or utf-16; binary takes the bytes as they are" range:"one such as windows-1252, shift_jis, gb18030, utf-16, or binary" default:"(UTF-8, UTF-16 and UTF-32 are recognised)"`
	Column      string        `yaml:"text,omitempty" flag:"text" usage:"column of Parquet files with the texts" default:"(the only column of texts)"`
	MaxUnpacked float64       `yaml:"max_unpacked,omitempty" flag:"max-unpacked" usage:"GiB that a compressed file may unpack to" range:"[0,inf)" default:"(1)"`
}

// TrainSettings are those of the loop.
type TrainSettings struct {
	Steps          int `yaml:"steps" flag:"steps" usage:"updates" range:"[1,inf)"`
	train.Settings `yaml:",inline"`

	MinLR     float64 `yaml:"min_lr" usage:"learning rate at the end of the run; --lr and --set train.lr change it in proportion" range:"[0,inf)"`
	Beta1     float64 `yaml:"beta1" usage:"share of AdamW's mean gradient that each step keeps" range:"[0,1)"`
	Beta2     float64 `yaml:"beta2" usage:"share of AdamW's mean squared gradient that each step keeps" range:"[0,1)"`
	EvalEvery int     `yaml:"eval_every" flag:"eval-every" usage:"steps between evaluations; 0 evaluates at the end only" range:"[0,inf)"`
}

// Choices lists the presets.
func (Settings) Choices(key string) []string {
	if key == "preset" {
		return gpt.Presets()
	}
	return nil
}

// MarshalYAML writes the settings as run.yaml has them: the kind of the run and the version of the file first.
func (s Settings) MarshalYAML() ([]byte, error) {
	type plain Settings
	return setting.Marshal(Kind, plain(s))
}

// DefaultPreset is that of a run that names none. It takes about 90 seconds on two cores with its evaluations.
const DefaultPreset = "tiny"

// Preset returns the settings that go with a preset of package gpt.
func Preset(name string) (Settings, error) {
	m, err := gpt.Preset(name)
	if err != nil {
		return Settings{}, err
	}
	s := Settings{Preset: name, Model: m, Data: DataSettings{Tokenizer: "byte"}, Train: TrainSettings{
		Settings: train.Settings{Batch: 8, Accumulate: 1, LR: 6e-4, Warmup: 100, Decay: 0.1, Clip: 1, Checkpoint: 500, Seed: 1337},
		Steps:    1000, MinLR: 6e-5, Beta1: 0.9, Beta2: 0.95, EvalEvery: 250}}
	t := &s.Train
	switch name {
	case DefaultPreset:
		t.Steps, t.Batch, t.LR, t.MinLR, t.Warmup, t.EvalEvery = 2000, 12, 3e-3, 3e-4, 60, 500
	case "shakespeare-char-cpu": // nanoGPT's README
		s.Data.Tokenizer = "char"
		t.Steps, t.Batch, t.LR, t.MinLR, t.Beta2 = 2000, 12, 1e-3, 1e-4, 0.99
	case "shakespeare-char": // nanoGPT's config/train_shakespeare_char.py
		s.Data.Tokenizer = "char"
		t.Steps, t.Batch, t.LR, t.MinLR, t.Beta2 = 5000, 64, 1e-3, 1e-4, 0.99
	}
	return s, nil
}

// ReadSettings reads a YAML file over the settings of the preset that it names, or of [DefaultPreset]. Keys that are
// not known are refused.
func ReadSettings(path string) (Settings, error) {
	var named struct {
		Preset string `yaml:"preset"`
	}
	if err := setting.Peek(path, &named); err != nil {
		return Settings{}, err
	}
	s, err := Preset(cmp.Or(named.Preset, DefaultPreset))
	if err != nil {
		return s, err
	}
	return s, s.Read(path)
}

// Read reads a YAML file over the settings; keys that are not known are refused. Files of all versions are read alike.
func (s *Settings) Read(path string) error {
	_, err := setting.ReadFile(path, Kind, s)
	return err
}

// ScaleLR sets the learning rate, and the one at the end in the same proportion.
func (s *Settings) ScaleLR(lr float64) { s.Train.MinLR, s.Train.LR = s.Train.MinLR*lr/s.Train.LR, lr }

// Resolve fills in what depends on other settings, makes paths absolute, and checks all. It may be called again.
func (s *Settings) Resolve() error {
	d := &s.Data
	if d.Val == 0 {
		d.Val = 0.1
		if d.Path == "" {
			d.Val = 0.03
		}
	}
	if d.Path != "" {
		abs, err := filepath.Abs(d.Path) // a run may be resumed from another folder
		if err != nil {
			return errors.Wrap(err, "pretrain: data.path")
		}
		d.Path = abs
	}
	if !d.builtIn() {
		abs, err := filepath.Abs(d.Tokenizer)
		if err == nil {
			_, err = os.Stat(abs)
		}
		if err != nil {
			return errors.Errorf("data.tokenizer is %q; want char, byte, or the path of a tokenizer", d.Tokenizer)
		}
		d.Tokenizer = abs
	}
	if err := setting.Check(s); err != nil {
		return err
	}
	if s.Train.MinLR > s.Train.LR || math.IsNaN(s.Train.MinLR) {
		return errors.Errorf("train.min_lr is %g; it must be from 0 to train.lr", s.Train.MinLR)
	}
	return s.Model.Validate()
}

// builtIn tells whether the tokenizer is one of those that need no file.
func (d DataSettings) builtIn() bool { return d.Tokenizer == "char" || d.Tokenizer == "byte" }
