package train

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

// hill is a least squares problem with one weight and inputs ±size. Its loss size²·(w−3)² has the curvature 2·size². So
// gradient descent diverges where the learning rate is above 1/size².
func hill(size float32) (Trainer, *data.Table) {
	d := data.Rows([][]float32{{size}, {-size}, {size}, {-size}}, []float32{3 * size, -3 * size, 3 * size, -3 * size})
	return Trainer{Model: nn.Linear{Out: 1, NoBias: true}, Loss: nn.MSE{}, Optimizer: SGD{LR: 123}, Steps: 5, Seed: 1, DType: graph.Float64}, d
}

// TestFindRate looks for rates of problems whose limit is known.
func TestFindRate(t *testing.T) {
	for _, r := range []struct {
		size   float32
		steps  int
		smooth float64
	}{{1, 100, 0.9}, {10, 100, 0.9}, {100, 100, 0.9}, {10, 200, 0.98}} {
		size, steps := r.size, r.steps
		tr, d := hill(size)
		c, err := tr.FindRate(d, RateFinder{To: 10, Steps: steps, Smooth: r.smooth})
		if err != nil {
			t.Errorf("size %g: %v", size, err)
		}
		limit := 1 / float64(size*size)
		if !c.Diverged || c.Suggested < limit/100 || c.Suggested > limit || c.Suggested != c.Lowest/10 || c.Steepest >= c.Lowest || c.Steepest < limit/200 {
			t.Errorf("size %g, limit %g: diverged %v, lowest at %g, steepest at %g, suggested %g", size, limit, c.Diverged, c.Lowest, c.Steepest, c.Suggested)
		}
		n := len(c.Rates)
		if c.Rates[0] != 1e-7 || n >= steps || len(c.Losses) != n || len(c.Smoothed) != n || !near(graph.Float64, c.Rates[n-1]/c.Rates[n-2], math.Pow(1e8, 1/float64(steps-1))) {
			t.Errorf("size %g: %d rates from %g to %g, %d losses, %d smoothed", size, n, c.Rates[0], c.Rates[n-1], len(c.Losses), len(c.Smoothed))
		}
		for i := range c.Smoothed { // by the formula: Σ smooth^(i−k)·loss[k] / Σ smooth^(i−k)
			sum, weight := 0.0, 0.0
			for k := i; k >= max(0, i-400); k-- { // what is further away counts for less than 1e-18
				w := math.Pow(r.smooth, float64(i-k))
				sum, weight = sum+w*c.Losses[k], weight+w
			}
			if !near(graph.Float64, c.Smoothed[i], sum/weight) {
				t.Errorf("size %g: smoothed[%d] = %g, want %g", size, i, c.Smoothed[i], sum/weight)
			}
		}
		at := slices.Index(c.Rates, c.Steepest)
		for i := steps / 10; c.Rates[i] < c.Lowest; i++ {
			if c.Smoothed[i-1]-c.Smoothed[i+1] > c.Smoothed[at-1]-c.Smoothed[at+1] {
				t.Errorf("size %g: the loss falls faster at %g than at %g", size, c.Rates[i], c.Steepest)
			}
		}
		for i := steps / 10; i < n; i++ { // the test ends at the first loss that is four times the lowest before it
			if low := slices.Min(c.Smoothed[:i+1]); (c.Smoothed[i] > 4*low) != (i == n-1) {
				t.Errorf("size %g: smoothed loss %g at step %d of %d, the lowest before is %g", size, c.Smoothed[i], i+1, n, low)
			}
		}
	}
}

func TestFindRateEnds(t *testing.T) {
	for _, c := range []struct {
		smoothed []float64
		want     bool
	}{
		{[]float64{1, 2, 3, 9}, false}, // too soon to tell: a tenth of 40 steps
		{[]float64{1, 2, 3, 4, 4}, false},
		{[]float64{1, 2, 3, 4, 4.1}, true},
		{[]float64{4, 3, 2, 1, 3.9}, false},
		{[]float64{4, 3, 2, 1, 4.1}, true},
		{[]float64{-1, -2, -3, -4, -1}, false}, // of no loss in the usual sense a multiple says nothing
	} {
		if got := (&RateFinder{Steps: 40, Stop: 4}).over(c.smoothed); got != c.want {
			t.Errorf("%v: the test ends: %v, want %v", c.smoothed, got, c.want)
		}
	}
}

// TestFindRateLeavesNothing has all that a fit has. The test of rates gives the same curve twice, calls no callback and
// writes nothing. The fit after it equals a fit without it.
func TestFindRateLeavesNothing(t *testing.T) {
	tr, d := rows(AdamW{LR: 0.01}), classes(22)
	run, err := tr.Fit(d)
	want := digest(t, must(t, run, err))
	tr.Out, tr.CheckpointEvery = filepath.Join(t.TempDir(), "run"), 1
	tr.Val, tr.EvalEvery, tr.Stop = classes(7), 1, EarlyStopping{Patience: 1, RestoreBest: true}
	tr.Accumulate = 2
	tr.Callbacks = []Callback{CallbackFunc(func(*Status) error { t.Error("a callback is called"); return nil })}
	a, err := tr.FindRate(d, RateFinder{})
	must(t, a, err)
	b, err := tr.FindRate(d, RateFinder{})
	if diff := cmp.Diff(a, must(t, b, err)); diff != "" {
		t.Errorf("the second curve differs:\n%s", diff)
	}
	if _, err := os.Stat(tr.Out); !os.IsNotExist(err) {
		t.Errorf("the test of rates made %s", tr.Out)
	}
	run, err = rows(AdamW{LR: 0.01}).Fit(d)
	if digest(t, must(t, run, err)) != want {
		t.Error("after a test of rates the same fit gives another digest")
	}
}

// flat is a task whose parameter the loss does not depend on: the loss is the sum of x.
type flat struct{}

func (flat) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	return nn.Objective{Loss: s.Add(s.Sum(in["x"]), s.Scale(s.Param("w", nn.Zeros), 0)), Weight: s.Full(graph.Of(s.DType()), 1)}
}

func TestFindRateErrors(t *testing.T) {
	good, d := hill(1)
	closed := make(chan struct{})
	close(closed)
	for _, c := range []struct {
		name   string
		change func(tr *Trainer)
		o      RateFinder
		want   string
	}{
		{"from above to", func(*Trainer) {}, RateFinder{From: 2}, "want 0 < From < To"},
		{"few steps", func(*Trainer) {}, RateFinder{Steps: 9}, "at least 10 steps"},
		{"smooth", func(*Trainer) {}, RateFinder{Smooth: 1}, "Smooth in [0, 1)"},
		{"no rate", func(tr *Trainer) { tr.Optimizer = SGD{} }, RateFinder{}, "learning rate above 0"},
		{"nothing falls", func(tr *Trainer) { tr.Task = flat{} }, RateFinder{}, "the loss did not fall at any rate"},
		{"breaks at once", func(*Trainer) {}, RateFinder{From: 1e80, To: 1e300}, "training broke after 2 of 100 steps"},
		{"interrupt", func(tr *Trainer) { tr.Interrupt = closed }, RateFinder{}, ErrInterrupted.Error()},
	} {
		tr := good
		c.change(&tr)
		curve, err := tr.FindRate(d, c.o)
		wantErr(t, c.name, err, c.want)
		if curve.Suggested != 0 || c.name == "interrupt" && !errors.Is(err, ErrInterrupted) || curve.Diverged != (c.name == "breaks at once") {
			t.Errorf("%s: suggested %g, diverged %v, error %v", c.name, curve.Suggested, curve.Diverged, err)
		}
	}
}
