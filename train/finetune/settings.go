package finetune

import (
	"math"
	"os"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/nn"
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

// Settings say what to fine-tune, on what and how. A run records them, resolved, in run.yaml. Zero values stand for the
// defaults that Open puts in their place.
type Settings struct {
	Task   string `yaml:"task"`             // one of Tasks
	Model  string `yaml:"model"`            // what pretrained.Open takes
	Method string `yaml:"method"`           // lora, full or head; lora where the model was pretrained
	Random bool   `yaml:"random,omitempty"` // start from random weights, to compare: all are trained

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
	Label  []string `yaml:"label,omitempty"`  // column of the labels; of several columns each is a label, 0 or 1
	Layout Layout   `yaml:"layout,omitempty"` // columns of chats, where they are not to be found by their names

	Val        float64 `yaml:"val,omitempty"`      // share held out for validation: 0.2 of up to 1,000 records, else 0.1; of a writer's at most 200 records
	Folds      int     `yaml:"folds,omitempty"`    // of cross-validation, in place of Val
	Fold       int     `yaml:"fold,omitempty"`     // the one to validate on, from 1
	ValPath    string  `yaml:"val_path,omitempty"` // records of their own for it
	TestPath   string  `yaml:"test_path,omitempty"`
	Rows       int     `yaml:"rows,omitempty"`       // records to use, drawn by class and seed; 0: all
	Duplicates bool    `yaml:"duplicates,omitempty"` // keep records whose text, folded, came before

	Context   int  `yaml:"context"`              // ids of an example; the rest is left out. 512, at most the model's; of a writer the rows', see chooseContext
	Stride    int  `yaml:"stride,omitempty"`     // of lm: tokens from one window of a held-out text to the next; 0 is the context
	Strict    bool `yaml:"strict,omitempty"`     // a longer one is an error
	NoPacking bool `yaml:"no_packing,omitempty"` // a writer's examples get a row each, padded, in place of sharing them

	Classes  []string        `yaml:"classes,omitempty"`  // in the order of their ids
	Positive string          `yaml:"positive,omitempty"` // of two classes: the one that f1, precision and recall are of; the rarer
	Augment  AugmentSettings `yaml:"augment,omitempty"`
}

// AugmentSettings change the texts that are trained on, anew in each epoch: see record.Augment.
type AugmentSettings struct {
	Swap     float64 `yaml:"swap,omitempty"`
	Delete   float64 `yaml:"delete,omitempty"`
	Replace  float64 `yaml:"replace,omitempty"`
	Synonyms string  `yaml:"synonyms,omitempty"` // file of the table that Replace takes words from
}

// HeadSettings are those of a new head.
type HeadSettings struct {
	Pool    gpt.Pool `yaml:"pool,omitempty"`    // mean+last; last is what transformers' …ForSequenceClassification has
	NoFit   bool     `yaml:"no_fit,omitempty"`  // do not fit it to frozen features first
	Dropout float64  `yaml:"dropout,omitempty"` // of the features, in training
}

// LoRASettings are those of nn.LoRA.
type LoRASettings struct {
	Targets []string `yaml:"targets,omitempty"` // all linear layers of the blocks
	Rank    int      `yaml:"rank,omitempty"`    // 8
	Alpha   float64  `yaml:"alpha,omitempty"`   // 2·rank
	Dropout float64  `yaml:"dropout,omitempty"`
}

// TrainSettings are those of the loop.
type TrainSettings struct {
	Batch        int           `yaml:"batch"`                  // 8, of less than 32 tokens an example 16
	Tokens       int           `yaml:"batch_tokens,omitempty"` // of a batch by length, padding included: 1024, or one example
	Accumulate   int           `yaml:"accumulate"`
	Epochs       int           `yaml:"epochs"` // 2 for 3,000 examples and more, up to 8 for few
	LR           float64       `yaml:"lr"`
	Warmup       train.Warmup  `yaml:"warmup"` // share of the steps
	Decay        float64       `yaml:"decay"`  // AdamW's
	Clip         float64       `yaml:"clip"`
	Recompute    float64       `yaml:"recompute,omitempty"` // share of a step's work that may be done twice to need less memory
	Smoothing    float64       `yaml:"smoothing,omitempty"` // of labels
	ClassWeights string        `yaml:"class_weights"`       // balanced: n/(classes·n of the class); none
	EMA          float64       `yaml:"ema,omitempty"`
	Patience     int           `yaml:"patience"`                   // evaluations without a lower validation loss
	Evaluations  int           `yaml:"evaluations"`                // an epoch
	Checkpoint   int           `yaml:"checkpoint_every,omitempty"` // steps; an epoch
	Groups       []train.Group `yaml:"groups,omitempty"`           // learning rate and decay by pattern of parameters
	Freeze       []string      `yaml:"freeze,omitempty"`           // patterns of parameters
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

// records says how the files of records are read.
func (d DataSettings) records() record.Options {
	o := record.Options{Format: d.Format, Columns: d.Columns}
	if d.Comma == "tab" {
		o.Comma = '\t'
	} else if d.Comma != "" {
		o.Comma = d.Comma[0]
	}
	return o
}

func orElse[T comparable](v *T, zero T) {
	var none T
	if *v == none {
		*v = zero
	}
}

// resolve fills in the defaults that depend on the task and the model alone.
func (s *Settings) resolve(t task, m gpt.Model) error {
	orElse(&s.Method, LoRA)
	if s.Random {
		s.Method = Full
	}
	if t.pooled() {
		orElse(&s.Head.Pool, gpt.PoolMeanLast)
	}
	s.Head.NoFit = s.Head.NoFit || s.Random || !t.pooled()
	if s.Method == LoRA {
		if len(s.LoRA.Targets) == 0 {
			s.LoRA.Targets = gpt.ArchitectureOf(m).Targets
		}
		orElse(&s.LoRA.Rank, 8)
		orElse(&s.LoRA.Alpha, 2*float64(s.LoRA.Rank))
	}
	orElse(&s.Data.Context, min(512, m.Dims().Context))
	orElse(&s.Train.Accumulate, 1)
	orElse(&s.Train.Warmup, 0.1)
	orElse(&s.Train.Clip, 1)
	orElse(&s.Train.ClassWeights, "balanced")
	orElse(&s.Train.Patience, 3)
	lr := 2e-4 // of a head that fits already, the rest is to move slowly
	if _, ok := t.(writer); ok {
		lr = 3e-4
	}
	if _, ok := t.(*tag); ok {
		lr = 1e-3 // the head is new: PEFT's guide to token classification
	}
	if s.Method == Full {
		lr = 5e-5
		if s.Random {
			lr = 3e-4
		}
	}
	orElse(&s.Train.LR, lr)
	return s.check(t, m)
}

// resolveSize fills in the defaults that depend on how many examples there are and how long they are.
func (j *Job) resolveSize() {
	s, examples := &j.Settings, j.Counts.Train
	if _, ok := j.task.(writer); ok {
		j.resolveRows()
		return
	}
	batch := 8
	if float64(j.Counts.Tokens)/float64(examples) < 32 {
		batch = 16
	}
	orElse(&s.Train.Batch, min(batch, examples))
	orElse(&s.Train.Tokens, 1024)
	orElse(&s.Train.Epochs, min(8, max(2, 2000/max(1, examples))))
	each := 1
	if s.Train.Epochs < 4 {
		each = 2
	}
	orElse(&s.Train.Evaluations, each)
}

// check refuses what cannot be, by the setting's name.
func (s *Settings) check(t task, m gpt.Model) error {
	d := s.Data
	for _, c := range []struct {
		bad  bool
		what string
		v    any
		want string
	}{
		{!slices.Contains([]string{LoRA, Full, Head}, s.Method), "method", s.Method, "lora, full or head"},
		{s.Method == Head && !t.pooled(), "method", s.Method, "lora or full: this task has no head that is fitted to frozen features"},
		{s.Head.Pool != "" && !slices.Contains(gpt.Pools, s.Head.Pool), "pool", s.Head.Pool, "last, mean or mean+last"},
		{d.Context < 1 || d.Context > m.Dims().Context, "context", d.Context, "from 1 to the model's " + nn.Itoa(m.Dims().Context)},
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
