package train

import (
	"fmt"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

// interrupting is validation data that closes a channel when its n-th batch is read.
type interrupting struct {
	EvalData
	n    *int
	stop chan struct{}
}

func (v interrupting) Eval() data.Source { return interruptingSource{v.EvalData.Eval(), v} }

type interruptingSource struct {
	data.Source
	v interrupting
}

func (s interruptingSource) Next(b data.Batch) (int, error) {
	if *s.v.n--; *s.v.n == 0 {
		close(s.v.stop)
	}
	return s.Source.Next(b)
}

// evaluations lists the steps of a history that were evaluated, with both losses.
func evaluations(h []Status) (list []string) {
	for _, s := range h {
		if s.Evaluated {
			list = append(list, fmt.Sprint(s.Step, s.Loss, s.ValLoss))
		}
	}
	return list
}

// TestInterruptEvaluation interrupts a run in each of its evaluations, the last one too. No more batches are read, and
// a checkpoint is written. Resumed, perhaps after a kill, the run ends as one that never stopped.
func TestInterruptEvaluation(t *testing.T) {
	base := rows(AdamW{LR: 0.05})
	base.Steps, base.EvalEvery, base.EvalBatch, base.EMA = 9, 2, 2, 0.5
	base.Stop = EarlyStopping{Patience: 3, MinDelta: 0.001, RestoreBest: true}
	val := classes(7) // 4 batches and the end
	base.Val = val
	run, err := base.Fit(classes(22))
	whole := must(t, run, err)
	want := everything(t, whole.State)
	for eval := range 5 {
		for _, killed := range []bool{false, true} {
			tr, n, stop := base, eval*5+2, make(chan struct{})
			tr.Out, tr.Interrupt, tr.Val = t.TempDir(), stop, interrupting{val, &n, stop}
			run, err := tr.Fit(classes(22))
			at := min(2*eval+2, base.Steps)
			if !errors.Is(err, ErrInterrupted) || n != 0 || len(run.History) != at-1 {
				t.Fatalf("evaluation %d: %v, %d batches were read after the interrupt, %d steps reported; want ErrInterrupted, 0 and %d", eval, err, -n, len(run.History), at-1)
			}
			if steps, err := stepsIn(tr.Out); err != nil || steps[len(steps)-1] != at {
				t.Fatalf("evaluation %d: checkpoints %v, %v; want one of step %d", eval, steps, err, at)
			}
			tr.Resume, tr.Interrupt, tr.Val = true, nil, val
			if killed { // after the step's line in the log
				tr.Callbacks = []Callback{stopAt(at)}
				if _, err := tr.Fit(classes(22)); !errors.Is(err, errStopped) {
					t.Fatal(err)
				}
				tr.Callbacks = nil
			}
			for range 2 { // the second time there is nothing left to do
				run, err = tr.Fit(classes(22))
				if d := cmp.Diff(want, everything(t, must(t, run, err).State)); d != "" {
					t.Errorf("evaluation %d: the values differ:\n%s", eval, d)
				}
				if d := cmp.Diff(evaluations(whole.History), evaluations(run.Whole())); d != "" {
					t.Errorf("evaluation %d: the history differs:\n%s", eval, d)
				}
				wantLog(t, "interrupted", tr.Out, losses(whole.History))
			}
		}
	}
}
