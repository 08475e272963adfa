package main

import (
	"path/filepath"
	"strings"

	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// finetuneFlags are the flags of ceto finetune; those that were given go over the config file.
type finetuneFlags struct {
	*global
	dataFlags
	s                             finetune.Settings // of flags
	configFile, out, resume, pool string
	sets                          []string
	text                          string
	labels                        []string
	findRate                      bool
	seeds, folds                  int
	memory                        float64
}

func finetuneCmd(g *global) *cobra.Command {
	f := &finetuneFlags{global: g}
	c := &cobra.Command{
		Use:   "finetune",
		Short: "Teach a pretrained model a task on your own data",
		Long: `Teach a pretrained model a task on your own data. Nothing but the model, the data, the task and its columns has to be
given: head, split, batch, learning rate, epochs and early stop have defaults that are printed and kept with the run.

  classify     one class a text: --text COLUMN --label COLUMN
  multilabel   labels that do not exclude each other: lists in one column (a|b or ["a", "b"]), or a column of 0 and 1 for each
  regress      a number a text
  tag          stretches of a text: --label is a column of JSON spans, [{"start": 0, "end": 5, "label": "PER"}], in characters
  chat         answers: columns messages, conversations, instruction and output, prompt and completion, or --prompt-template
               and --answer; loss on the answers only, the model's own chat template, several chats to a row without leaks
  lm           going on with a text: --text COLUMN

For classes, labels and numbers, first a new head is fitted to features of the frozen model, which needs no backward pass; then LoRA (or, with
--method full, all parameters) goes on from there; what has the best validation loss is kept; where fewer than 100
records validate, LoRA only if it is clearly better than the head.`,
		Example: `  ceto finetune --model smollm2 --data sms.csv --task classify --text text --label label
  ceto finetune --model smollm2 --data sms.csv --task classify --text text --label label --find-lr
  ceto finetune --model smollm2 --data instructions.json --task chat
  ceto finetune --model smollm2 --data pairs.tsv --task chat --prompt-template "Translate into Chinese: {english}" --answer chinese
  ceto finetune --resume runs/2026-01-02-150405`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	fl := c.Flags()
	settingFlags(fl, &f.s)
	fl.BoolVar(&f.findRate, "find-lr", false, "test learning rates, plot them and suggest one; trains nothing")
	fl.IntVar(&f.seeds, "seeds", 1, "runs with seeds that follow each other; figures are mean ± standard deviation")
	fl.IntVar(&f.folds, "folds", 0, "cross-validation: as many runs, each validated on another part of the records")
	fl.StringVar(&f.configFile, "config", "", "YAML file of settings, such as a run's run.yaml")
	fl.StringArrayVar(&f.sets, "set", nil, "one setting, such as train.lr=0.001; may be repeated")
	fl.StringVar(&f.out, "out", "", "run folder (default runs/DATE-TIME)")
	fl.StringVar(&f.resume, "resume", "", "run folder to continue")
	fl.Float64Var(&f.memory, "memory-limit", 0, "GiB that the run may need (default: what is free)")
	return c
}

// settingFlags adds the flags that are settings.
func settingFlags(fl *pflag.FlagSet, s *finetune.Settings) {
	fl.StringVar(&s.Model, "model", "", modelUsage)
	fl.StringVar(&s.Task, "task", "", strings.Join(finetune.Tasks(), ", "))
	dataSettingFlags(fl, &s.Data)
	fl.StringVar(&s.Method, "method", "", "lora, full (all parameters) or head (a head on the frozen model) (default lora)")
	fl.BoolVar(&s.Random, "random", false, "start from random weights, to see what the pretrained ones are worth")
	fl.IntVar(&s.LoRA.Rank, "rank", 0, "of LoRA (default 8)")
	fl.Float64Var(&s.LoRA.Alpha, "alpha", 0, "of LoRA (default twice the rank)")
	fl.Float64Var(&s.LoRA.Dropout, "lora-dropout", 0, "of LoRA")
	fl.StringSliceVar(&s.LoRA.Targets, "targets", nil, "patterns of the layers with LoRA (default: all linear layers of the blocks)")
	fl.StringVar((*string)(&s.Head.Pool), "pool", "", "what the head sees: mean+last, mean, or last as transformers' …ForSequenceClassification (default mean+last)")
	fl.BoolVar(&s.Head.NoFit, "no-head-fit", false, "do not fit the head to frozen features first")
	fl.Float64Var(&s.Head.Dropout, "dropout", 0, "of what the head sees, in training")
	trainSettingFlags(fl, &s.Train)
}

// trainSettingFlags adds those of the loop.
func trainSettingFlags(fl *pflag.FlagSet, t *finetune.TrainSettings) {
	fl.IntVar(&t.Batch, "batch", 0, "examples of a micro-batch, of packed chats and texts rows (default by their length)")
	fl.IntVar(&t.Tokens, "batch-tokens", 0, "tokens of a micro-batch by length, padding included, at most (default 1024)")
	fl.IntVar(&t.Accumulate, "accumulate", 0, "micro-batches of a step (default 1)")
	fl.IntVar(&t.Epochs, "epochs", 0, "passes over the data (default 2 to 8, by its size)")
	fl.Float64Var(&t.LR, "lr", 0, "learning rate at its highest (default by task and method; see --find-lr)")
	fl.Float64Var((*float64)(&t.Warmup), "warmup", 0, "share of the steps in which the rate rises (default 0.1)")
	fl.Float64Var(&t.Decay, "decay", 0, "weight decay of AdamW")
	fl.Float64Var(&t.Recompute, "recompute", 0, recomputeUsage)
	fl.Float64Var(&t.Smoothing, "smoothing", 0, "of the labels")
	fl.StringVar(&t.ClassWeights, "class-weights", "", "balanced or none (default balanced)")
	fl.Float64Var(&t.EMA, "ema", 0, "decay of the moving average of the weights; 0 takes none")
	fl.IntVar(&t.Patience, "patience", 0, "evaluations without a better validation loss that end the run (default 3)")
	fl.IntVar(&t.Checkpoint, "checkpoint-every", 0, "steps between checkpoints (default an epoch)")
	fl.StringSliceVar(&t.Freeze, "freeze", nil, "patterns of parameters that stay as they are")
	fl.StringArrayVar(&t.Thaw, "thaw", nil, `gradual unfreezing: "0.5 *.layers.29.*" trains these from half of the steps on; may be repeated`)
	fl.Uint64Var(&t.Seed, "seed", 0, "seed of split, head, order and dropout")
}

// dataSettingFlags adds those of the data.
func dataSettingFlags(fl *pflag.FlagSet, d *finetune.DataSettings) {
	fl.StringVar(&d.Path, "data", "", dataUsage)
	fl.StringVar((*string)(&d.Format), "format", "", formatUsage)
	fl.StringSliceVar(&d.Columns, "columns", nil, columnsUsage)
	fl.StringVar(&d.Comma, "comma", "", commaUsage)
	fl.StringVar(&d.Text, "text", "", "column of the texts (default: text, where there is one)")
	fl.StringSliceVar(&d.Label, "label", nil, "column of the labels (default: label, where there is one); for multilabel perhaps several")
	l := &d.Layout
	fl.StringVar(&l.Messages, "messages", "", "column of chats: JSON messages with role and content")
	fl.StringVar(&l.Prompt, "prompt", "", "column of what the user says")
	fl.StringVar(&l.Input, "input", "", "column of the text that this is about")
	fl.StringVar(&l.Template, "prompt-template", "", `what the user says, made of columns: "Translate into Chinese: {english}"`)
	fl.StringVar(&l.Answer, "answer", "", "column of the answers")
	fl.StringVar(&l.System, "system", "", "column of the system's message")
	fl.BoolVar(&d.NoPacking, "no-packing", false, "pad chats and texts in place of putting several in a row")
	fl.StringVar(&d.ValPath, "val-data", "", "validation data in a file of its own")
	fl.StringVar(&d.TestPath, "test-data", "", "test data, measured once at the end")
	fl.Float64Var(&d.Val, "val", 0, "share of the data to validate on (default 0.2, above 1,000 records 0.1)")
	fl.IntVar(&d.Rows, "rows", 0, "records to use, drawn by class and seed; 0: all")
	fl.IntVar(&d.Context, "context", 0, "tokens of an example; the rest is left out (default 512, of chats and texts as they need, at most the model's)")
	fl.BoolVar(&d.Strict, "strict", false, "refuse examples longer than the context")
	fl.BoolVar(&d.Duplicates, "keep-duplicates", false, "keep records whose text came before")
	fl.StringVar(&d.Positive, "positive", "", "of two classes, the one that f1, precision and recall are of (default: the rarer)")
	fl.Float64Var(&d.Augment.Swap, "augment-swap", 0, "share of the words of a text to train on that change places, anew each epoch")
	fl.Float64Var(&d.Augment.Delete, "augment-delete", 0, "probability with which a word is left out")
	fl.Float64Var(&d.Augment.Replace, "augment-replace", 0, "share of the words that become a synonym of --synonyms")
	fl.StringVar(&d.Augment.Synonyms, "synonyms", "", "file with a word and its synonyms a line")
}

// settings makes the settings from config file and flags, in this order.
func (f *finetuneFlags) settings(c *cobra.Command) (finetune.Settings, error) {
	if f.resume != "" {
		for _, name := range []string{"out", "config", "model", "data", "task", "seeds", "folds"} {
			if c.Flags().Changed(name) {
				return f.s, usagef("--resume goes on with the run as it was set up; it cannot be given with --%s", name)
			}
		}
		return finetune.Load(filepath.Join(f.resume, finetune.SettingsFile))
	}
	s := f.s
	if f.configFile != "" {
		var err error
		if s, err = finetune.Load(f.configFile); err != nil {
			return s, usage(err)
		}
		if err := given(c, &s); err != nil {
			return s, err
		}
	}
	for _, expr := range f.sets {
		if err := setKey(&s, expr); err != nil {
			return s, err
		}
	}
	if err := absolute(&s); err != nil {
		return s, err
	}
	switch {
	case s.Task == "":
		return s, usagef("--task is missing: %s", strings.Join(finetune.Tasks(), ", "))
	case s.Data.Path == "":
		return s, usagef("--data is missing: name a CSV, TSV, JSON or text file")
	}
	var err error
	s.Model, err = findModel(s.Model)
	return s, err
}

// given puts the flags that were given over s.
func given(c *cobra.Command, s *finetune.Settings) (err error) {
	to, loaded := pflag.NewFlagSet("", pflag.ContinueOnError), *s
	settingFlags(to, s)
	*s = loaded // which the flags' defaults have replaced
	c.Flags().Visit(func(f *pflag.Flag) {
		t := to.Lookup(f.Name)
		if t == nil || err != nil {
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			err = t.Value.(pflag.SliceValue).Replace(list.GetSlice())
		} else {
			err = t.Value.Set(f.Value.String())
		}
	})
	return err
}

// absolute makes paths that hold in other folders too: a run may be resumed and used from there.
func absolute(s *finetune.Settings) error {
	for _, p := range []*string{&s.Data.Path, &s.Data.ValPath, &s.Data.TestPath, &s.Data.Augment.Synonyms} {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return errors.Wrap(err, "finetune")
		}
		*p = abs
	}
	if abs, err := filepath.Abs(s.Model); err == nil && s.Model != "" && exists(abs) {
		s.Model = abs
	}
	return nil
}
