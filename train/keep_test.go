package train

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/internal/atomicfile"
)

// TestKeep: what Keep leaves of a run's checkpoints. Validation is on rows that the run learns badly, so that the best
// evaluation is not the last.
func TestKeep(t *testing.T) {
	for _, c := range []struct {
		keep, every, evals int
		best               int // the evaluation that a callback makes the best
		want               []int
	}{
		{0, 2, 0, 0, []int{2, 4, 6, 8, 10, 12}},
		{-1, 2, 0, 0, []int{2, 4, 6, 8, 10, 12}},
		{1, 2, 0, 0, []int{12}},
		{3, 2, 0, 0, []int{8, 10, 12}},
		{3, 1, 0, 0, []int{10, 11, 12}},
		{20, 3, 0, 0, []int{3, 6, 9, 12}},
		{1, 2, 2, 4, []int{4, 12}},
		{3, 2, 2, 4, []int{4, 8, 10, 12}},
		{3, 2, 2, 12, []int{8, 10, 12}},
		{1, 4, 3, 6, []int{8, 12}}, // no checkpoint of step 6: the next
	} {
		tr := rows(SGD{LR: 0.1})
		tr.Steps, tr.CheckpointEvery, tr.Keep, tr.EvalEvery, tr.Out = 12, c.every, c.keep, c.evals, t.TempDir()
		if c.evals > 0 {
			tr.Val = classes(9)
		}
		l, err := tr.Start(classes(12))
		if err != nil {
			t.Fatal(err)
		}
		for !l.Done() {
			if _, err := l.Step(); err != nil {
				t.Fatal(err)
			}
			if c.best == l.at.Step {
				l.at.Best = -1 // none is better from here on
			}
		}
		if err := l.Finish(); err != nil {
			t.Fatal(err)
		}
		l.Close()
		if got, err := stepsIn(tr.Out); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%+v: checkpoints of steps %v, %v", c, got, err)
		}
	}
}

// TestKeepStands: at every operation on the files of a run the checkpoints that were whole are there, or a newer one is
// whole. What a crash leaves of one that is removed is no checkpoint.
func TestKeepStands(t *testing.T) {
	tr := rows(SGD{LR: 0.1})
	tr.Steps, tr.CheckpointEvery, tr.Keep, tr.Out = 6, 1, 1, t.TempDir()
	reached, looks := 0, 0
	tr.fs = fileOps{fast{atomicfile.OS}, func(name string) {
		steps, err := stepsIn(tr.Out)
		if err != nil || len(steps) == 0 {
			return
		}
		looks++
		for _, n := range steps {
			if _, err := verify(filepath.Join(tr.Out, checkpoints, fmt.Sprint(stepPrefix, n)), func(string) {}); err != nil {
				t.Errorf("before %s: %v", name, err)
			}
		}
		if last := steps[len(steps)-1]; last < reached {
			t.Errorf("before %s: the newest checkpoint is of step %d, there was one of step %d", name, last, reached)
		} else {
			reached = last
		}
	}}
	if _, err := tr.Fit(classes(12)); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(tr.Out, checkpoints)); err != nil || len(left) != 1 || looks < 20 {
		t.Errorf("%d folders are left, %v, after %d looks; want 1", len(left), err, looks)
	}
}
