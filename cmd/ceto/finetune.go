package main

import (
	"path/filepath"
	"strings"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// finetuneFlags are the flags of ceto finetune; those that were given override config file and --set.
type finetuneFlags struct {
	*global
	runFlags
	repeatFlags
	s finetune.Settings // as the flags set them
}

// repeatFlags ask for several runs, or for a test of learning rates in place of a run.
type repeatFlags struct {
	FindRate bool `flag:"find-lr" usage:"test learning rates, plot them and suggest one; trains nothing"`
	Seeds    int  `flag:"seeds" usage:"number of runs, with consecutive seeds; figures are mean ± standard deviation" range:"[1,100000]" default:"1"`
	Folds    int  `flag:"folds" usage:"cross-validation: number of runs, each validated on another part of the records" range:"[0,100000]"`
}

func finetuneCmd(g *global) *cobra.Command {
	f := &finetuneFlags{global: g}
	c := &cobra.Command{
		Use:   "finetune",
		Short: "Teach a pretrained model a task on your own data",
		Long: `Teach a pretrained model a task on your own data. Nothing but the model, the data, the task and its columns has to be
given: head, split, batch, learning rate, epochs and early stop have defaults that are printed and kept with the run.

` + finetune.Describe() + `
For classes, labels and numbers, a new head is first fitted to features of the frozen model, which needs no backward
pass. Then LoRA goes on from there or, with --method full, all parameters do. What has the best validation loss is kept.
Where fewer than 100 records validate, LoRA is kept only if it is clearly better than the head.`,
		Example: `  ceto finetune --model smollm2 --data sms.csv --task classify --text text --label label
  ceto finetune --model smollm2 --data sms.csv --task classify --text text --label label --find-lr
  ceto finetune --model smollm2 --data instructions.json --task chat
  ceto finetune --model smollm2 --data pairs.tsv --task chat --prompt-template "Translate into Chinese: {english}" --answer chinese
  ceto finetune --resume runs/2026-01-02-150405`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	setting.Flags(c.Flags(), &f.s)
	setting.Flags(c.Flags(), &f.runFlags)
	setting.Flags(c.Flags(), &f.repeatFlags)
	return c
}

// settings makes the settings from config file, --set and flags, in this order.
func (f *finetuneFlags) settings(c *cobra.Command) (s finetune.Settings, err error) {
	if err := f.refuseWith(c, "out", "config", "model", "data", "task", "seeds", "folds"); err != nil {
		return s, err
	}
	if f.Resume != "" {
		return f.resumed(c)
	}
	if f.Config != "" {
		if s, err = finetune.ReadSettings(f.Config); err != nil {
			return s, usage(err)
		}
	}
	if err := f.set(&s); err != nil {
		return s, err
	}
	setting.Given(c.Flags(), &f.s, &s)
	if err := absolute(&s); err != nil {
		return s, err
	}
	switch {
	case s.Task == "":
		return s, usagef("--task is missing: %s", strings.Join(finetune.Tasks(), ", "))
	case s.Data.Path == "":
		return s, usagef("--data is missing: name a CSV, TSV, JSON or text file")
	}
	s.Model, err = findModel(s.Model)
	return s, err
}

// resumed returns the settings of the run that goes on, with those of --set and the flags that it may change.
func (f *finetuneFlags) resumed(c *cobra.Command) (finetune.Settings, error) {
	s, err := finetune.ReadSettings(filepath.Join(f.Resume, finetune.SettingsFile))
	if err != nil {
		return s, err
	}
	keepOld(&s.Train.Keep)
	old := s
	if err := f.set(&s); err != nil {
		return s, err
	}
	setting.Given(c.Flags(), &f.s, &s)
	return s, resumed(c.ErrOrStderr(), &old, &s)
}

// absolute makes the paths absolute, since a run may be resumed and used from another folder.
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
	if abs, err := filepath.Abs(s.Model); err == nil && s.Model != "" && atomicfile.Exists(abs) {
		s.Model = abs
	}
	return nil
}
