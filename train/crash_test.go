package train

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/atomicfile/faultfs"
	"github.com/ceto-ml/ceto/nn"
)

// TestFaults lets every operation of a run's files fail in turn, in every way. Fit returns an error, and the last good
// checkpoint is there. The resumed run ends as if nothing had happened.
func TestFaults(t *testing.T) {
	base := rows(AdamW{LR: 0.05, Decay: 0.1})
	base.Steps, base.CheckpointEvery, base.Accumulate = 3, 2, 2
	base.Val, base.EvalEvery, base.Stop = classes(7), 2, EarlyStopping{RestoreBest: true}
	lora := base
	lora.From, lora.LoRA = pretrained(1), &nn.LoRA{Targets: []string{"0"}, Rank: 2, Dropout: 0.1, Also: []string{"4.*"}}
	lora.EMA, lora.Thaw = 0.9, []Thaw{{2, []string{"3.*"}}}
	few := []faultfs.Kind{faultfs.NoSpace, faultfs.CrashAll}
	everyFault(t, "", base, faultfs.Kinds, few)
	everyFault(t, "LoRA, ", lora, few, few[1:])
	keep := base
	keep.CheckpointEvery, keep.EvalEvery, keep.Keep = 1, 3, 1
	everyFault(t, "keep, ", keep, few, few[1:])
}

// everyFault lets operations of base fail in the ways of kinds, of short where tests are to be short.
func everyFault(t *testing.T, name string, base Trainer, kinds, short []faultfs.Kind) {
	run, err := base.Fit(classes(22))
	want := digest(t, must(t, run, err))
	if testing.Short() {
		kinds = short
	}
	for _, kind := range kinds {
		t.Run(name+kind.String(), func(t *testing.T) {
			t.Parallel()
			base := base
			base.Executor = plan.CPU(1)
			defer base.Executor.Close()
			n := 1
			for faulty(t, base, kind, n, want) {
				n++
			}
			if n < 44 {
				t.Errorf("%d operations, want those of run.yaml and 2 checkpoints of 4 files: at least 44", n)
			}
		})
	}
}

// faulty runs base with a fault at operation n and resumes it; it tells whether the run has so many operations.
func faulty(t *testing.T, base Trainer, kind faultfs.Kind, n int, want string) bool {
	t.Helper()
	name := fmt.Sprintf("%v at operation %d", kind, n)
	fs := faultfs.New(atomicfile.OS, kind, n)
	defer fs.Close()
	tr := base
	reached := 0
	tr.Out, tr.fs = t.TempDir(), fs
	tr.Callbacks = []Callback{CallbackFunc(func(s *Status) error { reached = s.Step; return nil })}
	run, err := tr.Fit(classes(22))
	if fs.Err() != nil {
		t.Fatalf("%s: the simulation: %v", name, fs.Err())
	}
	if !fs.Fired() {
		if err != nil || digest(t, run) != want {
			t.Errorf("%s, which does not come: %v, or another digest", name, err)
		}
		return false
	}
	if err == nil {
		t.Errorf("%s: Fit returns no error", name)
	}
	good := max(0, reached-1) / tr.CheckpointEvery * tr.CheckpointEvery // the last step whose checkpoint the run went past
	if ck, err := NewestCheckpoint(tr.Out, nil); good > 0 && (err != nil || !strings.HasPrefix(filepath.Base(ck), stepPrefix)) {
		t.Errorf("%s: newest checkpoint %q, %v, want that of step %d", name, ck, err, good)
	}
	_, e := os.Stat(filepath.Join(tr.Out, runFile))
	tr.Resume, tr.fs, tr.Callbacks = e == nil, fast{atomicfile.OS}, nil
	run, err = tr.Fit(classes(22))
	if err != nil {
		t.Fatalf("%s: resume: %v", name, err)
	}
	if digest(t, run) != want || len(run.History) > tr.Steps-good {
		t.Errorf("%s: resumed, the digest is another, or %d steps were made again, from step %d", name, len(run.History), good)
	}
	wantSteps(t, name, tr.Out, tr.Steps)
	return true
}

// wantSteps reports a log that does not have each step once.
func wantSteps(t *testing.T, name, run string, steps int) {
	t.Helper()
	var got []int
	for _, r := range logged(t, run) {
		got = append(got, r.Step)
	}
	if len(got) != steps || !slices.IsSorted(got) || got[0] != 1 || got[steps-1] != steps {
		t.Errorf("%s: steps in the log: %v, want 1 to %d", name, got, steps)
	}
}
