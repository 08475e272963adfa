package main

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/pretrain"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// pretrainFlags are the flags of ceto pretrain; those that were given override preset, config file and --set.
type pretrainFlags struct {
	*global
	runFlags
	s pretrain.Settings // as the flags set them
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
	f.s.Preset = pretrain.DefaultPreset
	setting.Flags(c.Flags(), &f.s)
	setting.Flags(c.Flags(), &f.runFlags)
	return c
}

// settings makes the settings from preset, file, --set and flags, in this order.
func (f *pretrainFlags) settings(c *cobra.Command) (s pretrain.Settings, err error) {
	if err := f.refuseWith(c, "out", "config", "preset"); err != nil {
		return s, err
	}
	file := f.Config
	if f.Resume != "" {
		file = filepath.Join(f.Resume, "run.yaml")
		if _, err := os.Stat(file); err != nil {
			return s, usagef("--resume %s: no run there: it has no run.yaml", f.Resume)
		}
	}
	switch {
	case file == "":
		s, err = pretrain.Preset(f.s.Preset)
	case c.Flags().Changed("preset"):
		if s, err = pretrain.Preset(f.s.Preset); err == nil {
			err = s.Read(file)
		}
	default:
		s, err = pretrain.ReadSettings(file)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return s, err
	}
	if err != nil {
		return s, usage(err)
	}
	if f.Resume != "" {
		keepOld(&s.Train.Keep)
	}
	old := s
	if err := f.override(c, &s); err != nil {
		return s, err
	}
	if f.Resume != "" {
		if err := resumed(c.ErrOrStderr(), &old, &s); err != nil {
			return s, err
		}
	}
	return s, usage(s.Resolve())
}

// override overwrites settings with those of --set and the flags. The learning rate takes the one at the end of the run
// with it, unless that is given too.
func (f *pretrainFlags) override(c *cobra.Command, s *pretrain.Settings) error {
	old := s.Train
	s.Train.MinLR = math.NaN()
	if err := f.set(s); err != nil {
		return err
	}
	setting.Given(c.Flags(), &f.s, s)
	if math.IsNaN(s.Train.MinLR) {
		s.Train.MinLR = old.MinLR
		if lr := s.Train.LR; lr != old.LR {
			s.Train.LR = old.LR
			s.ScaleLR(lr)
		}
	}
	return nil
}

func (f *pretrainFlags) run(c *cobra.Command) error {
	s, err := f.settings(c)
	if err != nil {
		return err
	}
	j, err := pretrain.Open(s)
	if err != nil {
		return err
	}
	defer j.Close()
	exec, err := f.executor()
	if err != nil {
		return err
	}
	defer exec.Close()
	out := f.folder()
	p := newProgress(c.ErrOrStderr(), exec)
	smallHeap()
	release := func() {}
	r, err := j.Fit(pretrain.Options{Out: out, Resume: f.Resume != "", DataChanged: f.Data, Executor: exec, MemoryLimit: f.limit(exec), Interrupt: c.Context().Done(),
		Callbacks: []train.Callback{p},
		Warn:      func(s string) { fmt.Fprintln(c.ErrOrStderr(), "ceto: warning:", s) },
		Ready: func(*train.Loop) {
			debug.FreeOSMemory() // gives back what initialisation used
			p.header(j, out)
			release = f.signals.hold() // the loop ends with a whole step and a checkpoint
		}})
	release()
	p.close()
	if errors.Is(err, train.ErrInterrupted) {
		fmt.Fprintf(c.ErrOrStderr(), "stopped after a whole step; go on with\n  ceto pretrain --resume %s\n", filepath.ToSlash(out))
	}
	if err != nil {
		return err
	}
	return f.report(c.OutOrStdout(), j, r)
}
