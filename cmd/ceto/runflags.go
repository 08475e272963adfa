package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/spf13/cobra"
)

// runFlags are the flags of commands that train, beside those of their settings.
type runFlags struct {
	Config string   `flag:"config" usage:"YAML file of settings, such as a run's run.yaml"`
	Sets   []string `flag:"set,array" usage:"one setting, such as train.lr=0.001; may be repeated; see docs/settings.md"`
	Out    string   `flag:"out" usage:"run folder" default:"(runs/DATE-TIME)"`
	Resume string   `flag:"resume" usage:"run folder to continue"`
	Data   bool     `flag:"data-changed" usage:"with --resume: go on though the data, the tokenizer or the parts are not what the run began with"`
	Memory float64  `flag:"memory-limit" usage:"GiB that the run may need" range:"(0,inf)" default:"(what is free)"`
}

// folder is where a run writes: the one to resume, the one that was named, or one by date and time.
func (f *runFlags) folder() string {
	switch {
	case f.Resume != "":
		return f.Resume
	case f.Out != "":
		return f.Out
	}
	return filepath.Join("runs", time.Now().Format("2006-01-02-150405"))
}

// limit is the number of bytes that a run may need.
func (f *runFlags) limit(x plan.Executor) uint64 {
	if f.Memory == 0 {
		return x.Device().Free
	}
	return uint64(f.Memory * (1 << 30))
}

// refuseWith refuses the named flags beside --resume.
func (f *runFlags) refuseWith(c *cobra.Command, names ...string) error {
	for _, name := range names {
		if f.Resume != "" && c.Flags().Changed(name) {
			return usagef("--resume goes on with the run as it was set up; it cannot be given with --%s", name)
		}
	}
	return nil
}

// set overwrites settings with the values of --set.
func (f *runFlags) set(settings any) error {
	for _, expr := range f.Sets {
		if err := setting.Set(settings, expr); err != nil {
			return usage(err)
		}
	}
	return nil
}

// keepOld makes a run that has no setting keep, since an older program began it, go on keeping all checkpoints.
func keepOld(k *int) {
	if *k == 0 {
		*k = -1
	}
}

// resumed refuses settings that a run cannot change when it goes on, and says which others have changed.
func resumed(w io.Writer, old, next any) error {
	changed, err := setting.Resumed(old, next)
	if err == nil && len(changed) > 0 {
		fmt.Fprintf(w, "the run goes on with other settings, which its run.yaml keeps: %s\n", strings.Join(changed, ", "))
	}
	return usage(err)
}
