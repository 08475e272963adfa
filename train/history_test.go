package train

import (
	"math"
	"slices"
	"testing"
)

// TestCourse: a run of many steps keeps a bounded number of statuses. They have the same mean loss and time, and the
// evaluations that count keep their steps.
func TestCourse(t *testing.T) {
	for _, every := range []int{0, 1, 2, 3, 100, 7001} {
		const n = 100_000
		c, largest, evals, seconds, loss := course{}, 0, 0, 0.0, 0.0
		best := Status{ValLoss: math.Inf(1)}
		for step := 1; step <= n; step++ {
			s := Status{Step: step, Loss: 1 + 1/float64(step), TokensPerSec: 100 + float64(step%7)}
			if every > 0 && step%every == 0 {
				s.Evaluated, s.ValLoss = true, math.Abs(float64(step)-70_000)
				evals++
				if s.ValLoss < best.ValLoss {
					best = s
				}
			}
			seconds += 1 / s.TokensPerSec
			loss += s.Loss
			c.add(s)
			largest = max(largest, len(c.all))
		}
		if largest > mostStatuses || largest < mostStatuses/2 {
			t.Errorf("evaluated every %d steps: %d statuses, want at most %d", every, largest, mostStatuses)
		}
		gotLoss, gotSeconds, last := 0.0, 0.0, 0
		var seen []Status
		for i, s := range c.all {
			k := float64(steps(c.all, i))
			gotLoss, gotSeconds = gotLoss+k*s.Loss, gotSeconds+k/s.TokensPerSec
			if s.Step <= last {
				t.Fatalf("evaluated every %d steps: step %d after step %d", every, s.Step, last)
			}
			last = s.Step
			if s.Evaluated {
				seen = append(seen, s)
			}
		}
		if last != n || c.all[0].Loss != 2 || math.Abs(gotLoss-loss) > 1e-2*loss || math.Abs(gotSeconds-seconds) > 1e-2*seconds {
			t.Errorf("evaluated every %d steps: to step %d, loss %g, %g s; want %g, %g", every, last, gotLoss, gotSeconds, loss, seconds)
		}
		if every >= 100 && len(seen) != evals {
			t.Errorf("evaluated every %d steps: %d evaluations are kept, want all %d", every, len(seen), evals)
		}
		if every > 0 && !slices.ContainsFunc(seen, func(s Status) bool { return s.Step == best.Step && s.ValLoss == best.ValLoss }) {
			t.Errorf("evaluated every %d steps: the best one, of step %d, is not kept", every, best.Step)
		}
	}
}

// TestHistoryBounded trains for more steps than a run keeps statuses. Those of the resumed run go back to the first
// step.
func TestHistoryBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 steps")
	}
	tr := rows(SGD{LR: 1e-4})
	tr.Out, tr.Steps, tr.CheckpointEvery = t.TempDir(), mostStatuses+2000, 5000
	run, err := tr.Fit(classes(12))
	must(t, run, err)
	if n := len(run.History); n > mostStatuses || run.History[n-1].Step != tr.Steps {
		t.Errorf("%d statuses up to step %d, want at most %d up to %d", n, run.History[n-1].Step, mostStatuses, tr.Steps)
	}
	wantSteps(t, "log", tr.Out, tr.Steps)
	tr.Resume, tr.Steps = true, tr.Steps+3
	run, err = tr.Fit(classes(12))
	must(t, run, err)
	all := run.Whole()
	if len(run.History) != 3 || all[0].Step != 1 || all[len(all)-1].Step != tr.Steps || len(all) > mostStatuses+3 {
		t.Errorf("resumed: %d statuses, of steps %d to %d in all", len(run.History), all[0].Step, all[len(all)-1].Step)
	}
}
