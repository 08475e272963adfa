package finetune

import (
	"cmp"
	"math"
	"strconv"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
)

// A run trains by one of these methods.
const (
	LoRA     = "lora" // low-rank additions and the head are trained
	Full     = "full" // all parameters are trained
	HeadOnly = "head" // the head alone is trained, on the frozen model's features
)

// Kind is the value of the key kind, with which a run.yaml of fine-tuning begins.
const Kind = "finetune"

// Settings say what is fine-tuned, on what data and how. Open puts defaults in place of zero values. A run keeps the
// resolved settings in run.yaml.
type Settings struct {
	Task   string `yaml:"task" flag:"task" usage:"what the model learns:" resume:"fixed"`
	Model  string `yaml:"model" flag:"model" usage:"run folder (its newest checkpoint is taken), Hugging Face folder, GGUF file, .bin of llm.c or llama2.c, or OWNER/NAME that ceto pull has fetched" resume:"fixed"`
	Method string `yaml:"method" flag:"method" usage:"lora (low-rank additions and the head), full (all parameters) or head (the head alone, on the frozen model's features)" oneof:"lora full head" default:"lora" resume:"fixed"`
	Random bool   `yaml:"random,omitempty" flag:"random" usage:"start from random weights, to see what the pretrained ones are worth" resume:"fixed"`

	Data  DataSettings  `yaml:"data" resume:"fixed"`
	Head  HeadSettings  `yaml:"head,omitempty" resume:"fixed but dropout"`
	LoRA  LoRASettings  `yaml:"lora,omitempty" resume:"fixed but dropout"`
	Train TrainSettings `yaml:"train"`
}

// Choices lists the tasks.
func (Settings) Choices(key string) []string {
	if key == "task" {
		return Tasks()
	}
	return nil
}

// MarshalYAML writes the settings as run.yaml has them: the kind of the run and the version of the file first.
func (s Settings) MarshalYAML() ([]byte, error) {
	type plain Settings
	return setting.Marshal(Kind, plain(s))
}

// DataSettings name the records and how they are divided.
type DataSettings struct {
	Path    string        `yaml:"path" flag:"data" usage:"CSV, TSV, JSON or text file, also .gz and .zst, or a folder of such files"`
	Format  record.Format `yaml:"format,omitempty" flag:"format" usage:"csv, tsv, json or text" default:"(by the file's extension)"`
	Columns []string      `yaml:"columns,omitempty" flag:"columns" usage:"names of the columns, with commas, of a file without a header"`
	Comma   string        `yaml:"comma,omitempty" flag:"comma" usage:"what stands between the fields of CSV: one character, or tab" default:"(a comma)"`

	Encoding    data.Encoding `yaml:"encoding,omitempty" flag:"encoding" usage:"encoding of texts, such as windows-1252, shift_jis, gb18030 or utf-16" range:"one such as windows-1252, shift_jis, gb18030, or utf-16" default:"(UTF-8, UTF-16 and UTF-32 are recognised)"`
	MaxUnpacked float64       `yaml:"max_unpacked,omitempty" flag:"max-unpacked" usage:"GiB that a compressed file may unpack to" range:"[0,inf)" default:"(1)"`

	Text   string   `yaml:"text,omitempty" flag:"text" usage:"column of the texts" default:"(text, where there is one)"`
	Label  []string `yaml:"label,omitempty" flag:"label" usage:"column of the labels; for multilabel perhaps several, each of 0 and 1" default:"(label, where there is one)"`
	Layout Layout   `yaml:"layout,omitempty"` // columns of chats, where they are not to be found by their names

	Val        float64 `yaml:"val,omitempty" flag:"val" usage:"share of the records to validate on" range:"(0,1)" default:"(0.2, above 1,000 records 0.1; of chat and lm at most 200 records)"`
	Folds      int     `yaml:"folds,omitempty" usage:"folds of cross-validation, in place of val" range:"[2,inf)"`
	Fold       int     `yaml:"fold,omitempty" usage:"the fold to validate on, from 1" range:"[1,inf)"`
	ValPath    string  `yaml:"val_path,omitempty" flag:"val-data" usage:"validation data in a file of its own"`
	TestPath   string  `yaml:"test_path,omitempty" flag:"test-data" usage:"test data, measured once at the end"`
	Rows       int     `yaml:"rows,omitempty" flag:"rows" usage:"records to use, drawn by class and seed" range:"[0,inf)" default:"(all)"`
	Duplicates bool    `yaml:"duplicates,omitempty" flag:"keep-duplicates" usage:"keep records whose text came before, but for case and white space"`

	Context   int  `yaml:"context" flag:"context" usage:"tokens of an example; the rest is left out" range:"[1,inf)" default:"(512; of chat and lm as the texts need, at most 1024; at most the model's)"`
	Stride    int  `yaml:"stride,omitempty" flag:"stride" usage:"of lm: tokens from one window of a held-out text to the next, so that tokens are predicted from more of the text" range:"[0,inf)" default:"(the context)"`
	Strict    bool `yaml:"strict,omitempty" flag:"strict" usage:"refuse examples longer than the context, which are cut, and records that nothing can be learned from, which are left out"`
	NoPacking bool `yaml:"no_packing,omitempty" flag:"no-packing" usage:"pad chats and texts in place of putting several in a row"`

	Classes  []string        `yaml:"classes,omitempty" usage:"classes in the order of their ids" default:"(those of the data)"`
	Positive string          `yaml:"positive,omitempty" flag:"positive" usage:"of two classes, the one that f1, precision and recall are of" default:"(the rarer)"`
	Augment  AugmentSettings `yaml:"augment,omitempty"`
}

// AugmentSettings vary the texts that are trained on, anew in each epoch. See record.Augment.
type AugmentSettings struct {
	Swap     float64 `yaml:"swap,omitempty" flag:"augment-swap" usage:"share of the words of a text to train on that change places, anew each epoch" range:"[0,1]"`
	Delete   float64 `yaml:"delete,omitempty" flag:"augment-delete" usage:"probability with which a word is left out" range:"[0,1]"`
	Replace  float64 `yaml:"replace,omitempty" flag:"augment-replace" usage:"share of the words that become a synonym of --synonyms" range:"[0,1]"`
	Synonyms string  `yaml:"synonyms,omitempty" flag:"synonyms" usage:"file with a word and its synonyms a line"`
}

// HeadSettings are the settings of a new head.
type HeadSettings struct {
	Pool    gpt.Pool `yaml:"pool,omitempty" flag:"pool" usage:"what the head sees: mean+last, mean, or last as transformers' …ForSequenceClassification" oneof:"last mean mean+last" default:"mean+last"`
	NoFit   bool     `yaml:"no_fit,omitempty" flag:"no-head-fit" usage:"do not fit the head to frozen features first"`
	Dropout float64  `yaml:"dropout,omitempty" flag:"dropout" usage:"dropout of what the head sees, in training" range:"[0,1)"`
}

// LoRASettings are the settings of nn.LoRA.
type LoRASettings struct {
	Targets []string `yaml:"targets,omitempty" flag:"targets" usage:"patterns of the layers with LoRA" default:"(all linear layers of the blocks)"`
	Rank    int      `yaml:"rank,omitempty" flag:"rank" usage:"rank of LoRA" range:"[1,inf)" default:"8"`
	Alpha   float64  `yaml:"alpha,omitempty" flag:"alpha" usage:"alpha of LoRA: its additions are multiplied by alpha/rank" range:"(0,inf)" default:"(twice the rank)"`
	Dropout float64  `yaml:"dropout,omitempty" flag:"lora-dropout" usage:"dropout of what LoRA's matrices see, in training" range:"[0,1)"`
}

// TrainSettings are the settings of the loop.
type TrainSettings struct {
	train.Settings `yaml:",inline" defaults:"batch=(by the examples' length); accumulate=1; lr=(by task and method, see --find-lr); warmup=0.1; clip=1; checkpoint_every=(an epoch)" resume:"fixed batch accumulate"`

	Tokens       int           `yaml:"batch_tokens,omitempty" flag:"batch-tokens" usage:"tokens of a micro-batch by length, padding included, at most" range:"[1,inf)" default:"(1024, or one example)" resume:"fixed"`
	Epochs       int           `yaml:"epochs" flag:"epochs" usage:"passes over the data" range:"[1,1000000]" default:"(2 to 8, by the data's size)"`
	Smoothing    float64       `yaml:"smoothing,omitempty" flag:"smoothing" usage:"label smoothing" range:"[0,1)" resume:"fixed"`
	ClassWeights string        `yaml:"class_weights" flag:"class-weights" usage:"weights of classes in the loss: balanced, n/(classes·n of the class), or none" oneof:"balanced none" default:"balanced" resume:"fixed"`
	EMA          float64       `yaml:"ema,omitempty" flag:"ema" usage:"decay of the moving average of the weights; 0 takes none" range:"[0,1)" resume:"fixed"`
	Patience     int           `yaml:"patience" flag:"patience" usage:"evaluations without a better validation loss that end the run" range:"[1,inf)" default:"3"`
	Evaluations  int           `yaml:"evaluations" usage:"evaluations in an epoch" range:"[1,inf)" default:"(1 or 2, by the epochs)"`
	Groups       []train.Group `yaml:"groups,omitempty" usage:"learning rate and decay of parameters that match a pattern: match, lr_scale, decay"`
	Freeze       []string      `yaml:"freeze,omitempty" flag:"freeze" usage:"patterns of parameters that stay as they are" resume:"fixed"`
	Thaw         []string      `yaml:"thaw,omitempty" flag:"thaw,array" usage:"gradual unfreezing: \"0.5 *.layers.29.*\" trains these from half of the steps on; may be repeated" resume:"fixed"`
}

// ReadSettings reads settings from a YAML file and refuses unknown keys. A file without a version is older: its warmup
// is always a share of the steps, so that 1 is the whole run.
func ReadSettings(path string) (Settings, error) {
	var s Settings
	version, err := setting.ReadFile(path, Kind, &s)
	if err != nil {
		return s, errors.WithMessage(err, "finetune")
	}
	if version == 1 && s.Train.Warmup == 1 {
		s.Train.Warmup = train.Warmup(math.Nextafter(1, 0)) // rounds to all steps
	}
	return s, nil
}

// records returns how the files of records are read.
func (d DataSettings) records() record.Options {
	o := record.Options{Format: d.Format, Columns: d.Columns, Encoding: string(d.Encoding), MaxUnpacked: int64(min(d.MaxUnpacked, 1<<30) * (1 << 30))}
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
	// longest returns the context to begin with where the settings name none. s has the usual default as its Context.
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
	setting.Fill(s, "method", "train")
	if s.Random {
		s.Method = Full
	}
	if t.probes() {
		setting.Fill(s, "head.pool")
	}
	s.Head.NoFit = s.Head.NoFit || s.Random || !t.probes()
	if s.Method == LoRA {
		if len(s.LoRA.Targets) == 0 {
			s.LoRA.Targets = gpt.ArchitectureOf(m).Targets
		}
		setting.Fill(s, "lora.rank")
		s.LoRA.Alpha = cmp.Or(s.LoRA.Alpha, 2*float64(s.LoRA.Rank))
	}
	s.Data.Context = cmp.Or(s.Data.Context, min(512, m.Dims().Context))
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

// check refuses values that do not fit together or the model. The error names the setting. The bounds of single
// settings are in their tags.
func (s *Settings) check(t task, m gpt.Model) error {
	if err := setting.CheckGiven(s); err != nil {
		return errors.WithMessage(err, "finetune")
	}
	d := s.Data
	for _, c := range []struct {
		bad  bool
		what string
		v    any
		want string
	}{
		{s.Method == HeadOnly && !t.probes(), "method", s.Method, "lora or full: this task has no head that is fitted to frozen features"},
		{d.Context > m.Dims().Context, "data.context", d.Context, "from 1 to the model's " + strconv.Itoa(m.Dims().Context)},
		{len(s.Train.Thaw) > 0 && s.Method != Full, "train.thaw", s.Train.Thaw, "method full: an adapter cannot hold what is unfrozen"},
		{d.Folds > 0 && (d.Fold < 1 || d.Fold > d.Folds || d.ValPath != ""), "data.folds, data.fold", []int{d.Folds, d.Fold},
			"2 folds or more, one of them, and no file to validate on"},
		{len(d.Comma) > 1 && d.Comma != "tab", "data.comma", d.Comma, "one ASCII character, or tab"},
		{s.Train.LR > 10, "train.lr", s.Train.LR, "above 0, at most 10"},
	} {
		if c.bad {
			return errors.Errorf("finetune: %s is %v; it must be %s", c.what, c.v, c.want)
		}
	}
	return nil
}
