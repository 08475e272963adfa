package train

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/atomicfile/faultfs"
)

// TestRecoverCheckpoint crashes at every operation while the only checkpoint is written again, where the file system
// cannot exchange two folders: the run resumes from it.
func TestRecoverCheckpoint(t *testing.T) {
	base := rows(AdamW{LR: 0.05})
	base.Steps = 4
	run, err := base.Fit(classes(22))
	want, aside := digest(t, must(t, run, err)), 0
	for _, kind := range []faultfs.Kind{faultfs.Crash, faultfs.CrashData, faultfs.CrashAll} {
		for n, fired := 1, true; fired; n++ {
			tr := base
			tr.Out, tr.CheckpointEvery = t.TempDir(), 2
			l, err := tr.Start(classes(22))
			must(t, l, err)
			for l.at.Step < 2 {
				_, err := l.Step()
				must(t, l, err)
			}
			fs := faultfs.New(atomicfile.OS, kind, n)
			fs.NoExchange = true
			l.folder.fs, l.saved = fs, -1
			err = l.Checkpoint()
			if fired = fs.Fired(); fired == (err == nil) {
				t.Fatalf("%v at %d: %v, fired %t", kind, n, err, fired)
			}
			l.Close()
			folder := filepath.Join(tr.Out, checkpoints, "step-2")
			if _, err := os.Stat(folder); err != nil {
				aside++
			}
			path, err := NewestCheckpoint(tr.Out, nil)
			if err != nil || path != folder {
				t.Fatalf("%v at %d: newest checkpoint %q, %v", kind, n, path, err)
			}
			tr.Resume = true
			run, err := tr.Fit(classes(22))
			if err != nil || digest(t, run) != want || len(run.History) != 2 {
				t.Errorf("%v at %d: resumed: %v, another digest, or not 2 steps", kind, n, err)
			}
			if err := fs.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if aside < 2 { // a crash that loses names loses that the old one was put aside
		t.Errorf("%d crashes left the checkpoint aside, want one of the two kinds that keep names", aside)
	}
}

// TestRecoverLoad: values are read from a folder that a crash has left aside.
func TestRecoverLoad(t *testing.T) {
	tr := rows(AdamW{LR: 0.05})
	tr.Steps, tr.Out = 2, t.TempDir()
	run, err := tr.Fit(classes(22))
	want := digest(t, must(t, run, err))
	folder := filepath.Join(tr.Out, checkpoints, "step-2")
	if err := os.Rename(folder, folder+atomicfile.OldSuffix); err != nil {
		t.Fatal(err)
	}
	other := tr
	other.Seed, other.Out = 9, ""
	run, err = other.Fit(classes(22))
	must(t, run, err)
	if err := run.State.Load(filepath.Join(folder, modelFile)); err != nil {
		t.Fatal(err)
	}
	if got := digest(t, run); got != want {
		t.Errorf("digest %s, want that of the run that was left aside, %s", got, want)
	}
}
