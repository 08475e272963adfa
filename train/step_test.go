package train

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/nn"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

// A watcher notes, for each status, the step and how many runs are under way. It observes where late is set.
type watcher struct {
	x     *graphtest.Remote
	steps []string
	stop  int // ends the run at this step
}

func (w *watcher) OnStep(s *Status) error {
	w.steps = append(w.steps, fmt.Sprint(s.Step, " ", w.x.Pending()))
	if s.Step == w.stop {
		return ErrStop
	}
	return nil
}

// An observer is a watcher that does not mind being late.
type observer struct{ *watcher }

func (observer) Observes() {}

// figures are those of a history that do not depend on time.
func figures(h []Status) (list []string) {
	for _, s := range h {
		list = append(list, fmt.Sprintf("%d of %d, epoch %g: %g, norm %g, rate %g ×%g, %t %g", s.Step, s.Steps, s.Epoch, s.Loss, s.GradNorm, s.LR, s.LRScale,
			s.Evaluated, s.ValLoss))
	}
	return list
}

// TestPipelined: on a device that runs behind, results are read a step late, unless something is due. Whatever is read,
// logged and trained is what a run has that waits for each step.
func TestPipelined(t *testing.T) {
	want := []string{"1 1", "2 1", "3 0", "4 0", "5 1", "6 0", "7 0"} // step and runs under way, as an observer sees them
	d := words(t)
	sums := text(d, AdamW{LR: 0.01})
	sums.Accumulate = 3
	for _, c := range []scenario{
		{"whole", text(d, AdamW{LR: 0.01}), d}, {"accumulate", sums, d}, {"ragged", raggedTrainer(), raggedData(22)},
	} {
		tr := c.trainer
		tr.Steps, tr.noSync, tr.Config = 7, true, map[string]int{}
		tr.CheckpointEvery = 4
		if e, ok := c.data.(EvalData); ok {
			tr.Val, tr.EvalEvery = e, 3
		}
		var history []string
		var whole string // digest
		for _, late := range []bool{false, true} {
			x := remote(t, graphtest.AtNextCall)
			w := &watcher{x: x}
			tr.Executor, tr.Callbacks, tr.Out = x, []Callback{w}, filepath.Join(t.TempDir(), "run")
			if late {
				tr.Callbacks = []Callback{observer{w}}
			}
			r, err := tr.Fit(c.data)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if !late {
				history, whole = figures(r.History), digest(t, r)
				for i := range want {
					if s := fmt.Sprint(i+1, " 0"); w.steps[i] != s {
						t.Errorf("%s: a callback that may read values is called with %q, want %q", c.name, w.steps[i], s)
					}
				}
			}
			if d := cmp.Diff(history, figures(r.History)); d != "" || digest(t, r) != whole {
				t.Errorf("%s: a run that reads late differs: %s", c.name, d)
			}
			if late && !slices.Equal(w.steps, want) {
				t.Errorf("%s: called at %q, want %q", c.name, w.steps, want)
			}
			var losses []float64
			for _, s := range r.History {
				losses = append(losses, s.Loss)
			}
			wantLog(t, c.name, tr.Out, losses)
			r.Close()
		}
	}
}

// TestPipelinedStop: a run that an observer ends, one that is interrupted and one whose data fail have all their steps
// in the log.
func TestPipelinedStop(t *testing.T) {
	d := words(t)
	for name, c := range map[string]struct {
		change func(tr *Trainer, w *watcher)
		steps  int
		err    error
	}{
		"stop":      {func(_ *Trainer, w *watcher) { w.stop = 3 }, 4, nil}, // the fourth was under way
		"interrupt": {func(tr *Trainer, _ *watcher) { tr.Interrupt = afterSteps(tr, 3) }, 4, ErrInterrupted},
	} {
		x := remote(t, graphtest.AtNextCall)
		tr := text(d, AdamW{LR: 0.01})
		w := &watcher{x: x}
		tr.Executor, tr.Callbacks, tr.Out = x, []Callback{observer{w}}, filepath.Join(t.TempDir(), "run")
		tr.Steps, tr.noSync, tr.Config = 9, true, map[string]int{}
		c.change(&tr, w)
		r, err := tr.Fit(d)
		if !errors.Is(err, c.err) || r == nil || len(r.History) != c.steps {
			t.Fatalf("%s: error %v, %d steps, want %d", name, err, len(r.History), c.steps)
		}
		for i, line := range logged(t, tr.Out) {
			if line.Step != i+1 || line.Loss != r.History[i].Loss {
				t.Errorf("%s: line %d of the log: %+v", name, i+1, line)
			}
		}
		if n := len(logged(t, tr.Out)); n != c.steps {
			t.Errorf("%s: %d lines in the log, want %d", name, n, c.steps)
		}
		if path, err := NewestCheckpoint(tr.Out, nil); err != nil || filepath.Base(path) != fmt.Sprint("step-", c.steps) {
			t.Errorf("%s: checkpoint %s, error %v", name, path, err)
		}
		r.Close()
	}
}

// afterSteps is closed by an observer after n steps.
func afterSteps(tr *Trainer, n int) <-chan struct{} {
	c := make(chan struct{})
	tr.Callbacks = append(tr.Callbacks, closer{c, n})
	return c
}

type closer struct {
	c chan struct{}
	n int
}

func (c closer) Observes() {}
func (c closer) OnStep(s *Status) error {
	if s.Step == c.n {
		close(c.c)
	}
	return nil
}

// ending is data whose batches end with an error. Where bad is set, the last one before it is not finite.
type ending struct {
	data.Source
	left int
	bad  bool
}

func (f *ending) Train(uint64) data.Source { return f }

func (f *ending) Next(b data.Batch) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errors.New("no more")
	}
	n, err := f.Source.Next(b)
	if f.left == 0 && f.bad {
		b[field.X].Float[0] = float32(math.NaN())
	}
	return n, err
}

// TestPipelinedData: where the data fail, the step before is reported, or its failure is.
func TestPipelinedData(t *testing.T) {
	for bad, c := range map[bool]struct {
		err   string
		steps int
	}{false: {"step 4: batch: no more", 3}, true: {"step 3: loss NaN", 2}} {
		x := remote(t, graphtest.AtNextCall)
		tr := Trainer{Model: nn.Linear{Out: 1}, Loss: nn.BCEWithLogits{}, Optimizer: Adam{LR: 0.1}, Batch: 2, Steps: 9, Executor: x}
		r, err := tr.Fit(&ending{spoilt(1, 2, 3).Train(1), 3, bad})
		wantErr(t, c.err, err, c.err)
		if r == nil || len(r.History) != c.steps {
			t.Fatalf("%s: %d steps are reported, want %d", c.err, len(r.History), c.steps)
		}
		r.Close()
	}
}
