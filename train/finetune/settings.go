package finetune

import (
	"cmp"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/train"
	"github.com/goccy/go-yaml"
	"github.com/pkg/errors"
)

// The methods.
const (
	LoRA = "lora" // low-rank additions and the head are trained
	Full = "full" // all parameters are
	Head = "head" // the head alone, on the frozen model's features
)

// Settings say what is fine-tuned, on what data and how. Open puts defaults in place of zero values. A run keeps the
// resolved settings in run.yaml.
type Settings struct {
	Task   string `yaml:"task"`             // one of Tasks
	Model  string `yaml:"model"`            // what pretrained.Open takes
	Method string `yaml:"method"`           // lora, full or head; default lora
	Random bool   `yaml:"random,omitempty"` // start from random parameters, to compare; all are trained

	Data  DataSettings  `yaml:"data"`
	Head  HeadSettings  `yaml:"head,omitempty"`
	LoRA  LoRASettings  `yaml:"lora,omitempty"`
	Train TrainSettings `yaml:"train"`
}

// DataSettings name the records and how they are divided.
type DataSettings struct {
	Path    string        `yaml:"path"` // what record.Open takes
	Format  record.Format `yaml:"format,omitempty"`
	Columns []string      `yaml:"columns,omitempty"`
	Comma   string        `yaml:"comma,omitempty"`

	Text   string   `yaml:"text,omitempty"`   // column of the texts
	Label  []string `yaml:"label,omitempty"`  // column of the labels; each of several columns is a label, 0 or 1
	Layout Layout   `yaml:"layout,omitempty"` // columns of chats; by default found by their names

	Val        float64 `yaml:"val,omitempty"`      // share to validate on; default 0.2 up to 1,000 records, else 0.1; for chat and lm at most 200 records
	Folds      int     `yaml:"folds,omitempty"`    // number of folds of cross-validation, in place of Val
	Fold       int     `yaml:"fold,omitempty"`     // the fold to validate on, counted from 1
	ValPath    string  `yaml:"val_path,omitempty"` // file of validation records, in place of Val
	TestPath   string  `yaml:"test_path,omitempty"`
	Rows       int     `yaml:"rows,omitempty"`       // records to use, drawn by class and seed; 0 uses all
	Duplicates bool    `yaml:"duplicates,omitempty"` // keep records whose text, folded, an earlier record has

	Context   int  `yaml:"context"`              // most ids of an example, the rest is left out; default 512, for chat and lm by their lengths, at most the model's
	Stride    int  `yaml:"stride,omitempty"`     // lm: tokens from one window of a held-out text to the next; 0 is the context
	Strict    bool `yaml:"strict,omitempty"`     // a longer one is an error
	NoPacking bool `yaml:"no_packing,omitempty"` // chat and lm: each example gets a row of its own, padded

	Classes  []string        `yaml:"classes,omitempty"`  // in the order of their ids
	Positive string          `yaml:"positive,omitempty"` // the one of two classes that f1, precision and recall measure; default the rarer
	Augment  AugmentSettings `yaml:"augment,omitempty"`
}

// AugmentSettings vary the texts that are trained on, anew in each epoch. See record.Augment.
type AugmentSettings struct {
	Swap     float64 `yaml:"swap,omitempty"`
	Delete   float64 `yaml:"delete,omitempty"`
	Replace  float64 `yaml:"replace,omitempty"`
	Synonyms string  `yaml:"synonyms,omitempty"` // file of the words that Replace puts in
}

// HeadSettings are the settings of a new head.
type HeadSettings struct {
	Pool    gpt.Pool `yaml:"pool,omitempty"`    // default mean+last; last is that of transformers' …ForSequenceClassification
	NoFit   bool     `yaml:"no_fit,omitempty"`  // do not fit the head to frozen features first
	Dropout float64  `yaml:"dropout,omitempty"` // share of the features dropped in training
}

// LoRASettings are the settings of nn.LoRA.
type LoRASettings struct {
	Targets []string `yaml:"targets,omitempty"` // default all linear layers of the blocks
	Rank    int      `yaml:"rank,omitempty"`    // default 8
	Alpha   float64  `yaml:"alpha,omitempty"`   // default 2·rank
	Dropout float64  `yaml:"dropout,omitempty"`
}

// TrainSettings are the settings of the loop.
type TrainSettings struct {
	Batch        int           `yaml:"batch"`                  // default 8, or 16 where an example has less than 32 tokens
	Tokens       int           `yaml:"batch_tokens,omitempty"` // most tokens of a batch, padding included; default 1024
	Accumulate   int           `yaml:"accumulate"`
	Epochs       int           `yaml:"epochs"` // default 2 for 667 examples or more, up to 8 for fewer
	LR           float64       `yaml:"lr"`
	Warmup       float64       `yaml:"warmup"` // share of the steps in which the rate rises
	Decay        float64       `yaml:"decay"`  // weight decay of AdamW
	Clip         float64       `yaml:"clip"`
	Recompute    float64       `yaml:"recompute,omitempty"` // share of a step's work that may be done twice to save memory
	Smoothing    float64       `yaml:"smoothing,omitempty"` // share of each label that goes to all classes alike
	ClassWeights string        `yaml:"class_weights"`       // balanced, n/(classes·n of the class), or none
	EMA          float64       `yaml:"ema,omitempty"`
	Patience     int           `yaml:"patience"`                   // evaluations without a lower validation loss that end the run
	Evaluations  int           `yaml:"evaluations"`                // evaluations of each epoch
	Checkpoint   int           `yaml:"checkpoint_every,omitempty"` // steps between checkpoints; default an epoch
	Groups       []train.Group `yaml:"groups,omitempty"`           // learning rate and decay by pattern of parameters
	Freeze       []string      `yaml:"freeze,omitempty"`           // patterns of parameters that stay as they are
	Thaw         []string      `yaml:"thaw,omitempty"`             // "0.5 *.layers.29.*": from that share of the steps on these are trained
	Seed         uint64        `yaml:"seed"`
}

// Load reads settings from a YAML file; keys that are not known are refused.
func Load(path string) (Settings, error) {
	var s Settings
	b, err := os.ReadFile(path)
	if err != nil {
		return s, errors.Wrap(err, "finetune")
	}
	if err := yaml.UnmarshalWithOptions(b, &s, yaml.Strict()); err != nil {
		return s, errors.Errorf("finetune: %s: %s", path, strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	return s, nil
}

// records returns how the files of records are read.
func (d DataSettings) records() record.Options {
	o := record.Options{Format: d.Format, Columns: d.Columns}
	if d.Comma == "tab" {
		o.Comma = '\t'
	} else if d.Comma != "" {
		o.Comma = d.Comma[0]
	}
	return o
}

// presets are a task's part in the settings.
type presets interface {
	// probes tells whether the task has a head that maps one vector of the text. Such a head is fitted to frozen
	// features first.
	probes() bool
	// rate returns the default learning rate with LoRA or of a head.
	rate() float64
	// longest returns the context to begin with where the settings name none. The settings' Context is the usual one.
	longest(s *Setup) int
	// shorter returns a shorter context that suits examples of these lengths, or the given one.
	shorter(lengths []int32, context int) int
	// sizes sets batch, epochs and evaluations where the settings name none.
	sizes(s *Settings, n extent)
}

// extent tells how much there is to train on.
type extent struct {
	examples int // training records
	tokens   int // tokens of an epoch
	longest  int // tokens of the longest example
}

// resolve sets the defaults that depend on the task and the model alone, and checks the settings.
func (s *Settings) resolve(t task, m gpt.Model) error {
	s.Method = cmp.Or(s.Method, LoRA)
	if s.Random {
		s.Method = Full
	}
	if t.probes() {
		s.Head.Pool = cmp.Or(s.Head.Pool, gpt.PoolMeanLast)
	}
	s.Head.NoFit = s.Head.NoFit || s.Random || !t.probes()
	if s.Method == LoRA {
		if len(s.LoRA.Targets) == 0 {
			s.LoRA.Targets = gpt.ArchitectureOf(m).Targets
		}
		s.LoRA.Rank = cmp.Or(s.LoRA.Rank, 8)
		s.LoRA.Alpha = cmp.Or(s.LoRA.Alpha, 2*float64(s.LoRA.Rank))
	}
	s.Data.Context = cmp.Or(s.Data.Context, min(512, m.Dims().Context))
	s.Train.Accumulate = cmp.Or(s.Train.Accumulate, 1)
	s.Train.Warmup = cmp.Or(s.Train.Warmup, 0.1)
	s.Train.Clip = cmp.Or(s.Train.Clip, 1)
	s.Train.ClassWeights = cmp.Or(s.Train.ClassWeights, "balanced")
	s.Train.Patience = cmp.Or(s.Train.Patience, 3)
	lr := t.rate()
	if s.Method == Full {
		lr = 5e-5
		if s.Random {
			lr = 3e-4
		}
	}
	s.Train.LR = cmp.Or(s.Train.LR, lr)
	return s.check(t, m)
}

// check refuses values that cannot be. The error names the setting.
func (s *Settings) check(t task, m gpt.Model) error {
	d := s.Data
	for _, c := range []struct {
		bad  bool
		what string
		v    any
		want string
	}{
		{!slices.Contains([]string{LoRA, Full, Head}, s.Method), "method", s.Method, "lora, full or head"},
		{s.Method == Head && !t.probes(), "method", s.Method, "lora or full: this task has no head that is fitted to frozen features"},
		{s.Head.Pool != "" && !slices.Contains(gpt.Pools, s.Head.Pool), "pool", s.Head.Pool, "last, mean or mean+last"},
		{d.Context < 1 || d.Context > m.Dims().Context, "context", d.Context, "from 1 to the model's " + strconv.Itoa(m.Dims().Context)},
		{len(s.Train.Thaw) > 0 && s.Method != Full, "thaw", s.Train.Thaw, "method full: an adapter cannot hold what is unfrozen"},
		{!(d.Val >= 0 && d.Val < 1), "val", d.Val, "a share below 1"},
		{d.Folds < 0 || d.Folds == 1 || d.Folds > 0 && (d.Fold < 1 || d.Fold > d.Folds || d.ValPath != ""), "folds, fold", []int{d.Folds, d.Fold},
			"2 folds or more, one of them, and no file to validate on"},
		{d.Stride < 0, "stride", d.Stride, "0 or more"},
		{d.Rows < 0, "rows", d.Rows, "0 or more"},
		{len(d.Comma) > 1 && d.Comma != "tab", "comma", d.Comma, "one ASCII character, or tab"},
		{s.Train.Batch < 0 || s.Train.Tokens < 0 || s.Train.Accumulate < 0 || s.Train.Epochs < 0 || s.Train.Patience < 0 || s.Train.Evaluations < 0, "batch, batch_tokens, accumulate, epochs, patience, evaluations",
			[]int{s.Train.Batch, s.Train.Tokens, s.Train.Accumulate, s.Train.Epochs, s.Train.Patience, s.Train.Evaluations}, "none below 0"},
		{!(s.Train.LR > 0 && s.Train.LR <= 10), "lr", s.Train.LR, "above 0, at most 10"},
		{!(s.Train.Warmup >= 0 && s.Train.Warmup <= 1), "warmup", s.Train.Warmup, "a share"},
		{!(s.Train.Decay >= 0) || math.IsInf(s.Train.Decay, 0), "decay", s.Train.Decay, "0 or more"},
		{!(s.Train.Recompute >= 0 && s.Train.Recompute <= 1), "recompute", s.Train.Recompute, "a share, 0 to 1"},
		{!(s.Train.Smoothing >= 0 && s.Train.Smoothing < 1), "smoothing", s.Train.Smoothing, "from 0 to below 1"},
		{!(s.Train.EMA >= 0 && s.Train.EMA < 1), "ema", s.Train.EMA, "from 0 to below 1"},
		{!slices.Contains([]string{"balanced", "none"}, s.Train.ClassWeights), "class_weights", s.Train.ClassWeights, "balanced or none"},
	} {
		if c.bad {
			return errors.Errorf("finetune: %s is %v; want %s", c.what, c.v, c.want)
		}
	}
	return nil
}
