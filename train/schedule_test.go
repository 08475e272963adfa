package train

import (
	"math"
	"testing"

	"github.com/ceto-ml/ceto/data"
)

// TestSchedules compares factors with values worked out by hand from the formulas, for steps counted from 0.
func TestSchedules(t *testing.T) {
	half := math.Sqrt(0.5)
	for _, c := range []struct {
		name  string
		s     Schedule
		steps int
		at    []int
		want  []float64
	}{
		{"constant", Constant{}, 10, []int{0, 5, 9}, []float64{1, 1, 1}},
		{"constant, warmup", Constant{Warmup: 4}, 10, []int{0, 1, 3, 4, 9}, []float64{0.2, 0.4, 0.8, 1, 1}},
		{"linear", Linear{}, 10, []int{0, 1, 5, 9, 10, 20}, []float64{1, 0.9, 0.5, 0.1, 0, 0}},
		{"linear, warmup, min", Linear{Warmup: 2, Min: 0.2}, 12, []int{0, 1, 2, 7, 12}, []float64{1. / 3, 2. / 3, 1, 0.6, 0.2}},
		{"cosine", Cosine{}, 8, []int{0, 2, 4, 6, 8, 9}, []float64{1, (1 + half) / 2, 0.5, (1 - half) / 2, 0, 0}},
		{"cosine, warmup, min", Cosine{Warmup: 4, Min: 0.1}, 12, []int{0, 3, 4, 6, 8, 12}, []float64{0.2, 0.8, 1, 0.1 + 0.45*(1+half), 0.55, 0.1}},
		{"step", StepDecay{Every: 3, Gamma: 0.5}, 10, []int{0, 2, 3, 5, 6, 9}, []float64{1, 1, 0.5, 0.5, 0.25, 0.125}},
		{"step, warmup", StepDecay{Every: 3, Gamma: 0.5, Warmup: 1}, 10, []int{0, 1, 3, 4, 6, 7}, []float64{0.5, 1, 1, 0.5, 0.5, 0.25}},
		{"exponential", Exponential{Gamma: 0.9}, 10, []int{0, 1, 2}, []float64{1, 0.9, 0.81}},
		{"exponential, warmup", Exponential{Gamma: 0.9, Warmup: 3}, 10, []int{0, 2, 3, 5}, []float64{0.25, 0.75, 1, 0.81}},
		{"inverse square root", InverseSqrt{}, 100, []int{0, 3, 8, 99}, []float64{1, 0.5, 1. / 3, 0.1}},
		{"inverse square root, warmup", InverseSqrt{Warmup: 3}, 100, []int{0, 2, 3, 15}, []float64{0.25, 0.75, 1, 0.5}},
		{"WSD", WSD{Warmup: 1, Decay: 0.5, Min: 0.2}, 8, []int{0, 1, 3, 4, 5, 6, 8}, []float64{0.5, 1, 1, 1, 0.8, 0.6, 0.2}},
		{"linear, a share of the steps", Linear{Warmup: 0.2, Min: 0.2}, 12, []int{0, 1, 2, 7, 12}, []float64{1. / 3, 2. / 3, 1, 0.6, 0.2}},
		{"cosine, a share of the steps", Cosine{Warmup: 1. / 3, Min: 0.1}, 12, []int{3, 4, 8}, []float64{0.8, 1, 0.55}},
		{"constant, one step", Constant{Warmup: 1}, 4, []int{0, 1}, []float64{0.5, 1}},
		{"constant, all steps but a hair", Constant{Warmup: Warmup(math.Nextafter(1, 0))}, 4, []int{0, 3}, []float64{0.2, 0.8}},
		{"WSD, all decay", WSD{Warmup: 1, Decay: 1}, 4, []int{0, 1, 2}, []float64{0.5, 1, 2. / 3}},
	} {
		for i, step := range c.at {
			if got := c.s.Factor(step, c.steps); math.Abs(got-c.want[i]) > 1e-12 {
				t.Errorf("%s: factor at step %d of %d is %g, want %g", c.name, step, c.steps, got, c.want[i])
			}
		}
	}
}

// TestRate has the learning rate of each step in the log and in the parameters: p falls by it.
func TestRate(t *testing.T) {
	g := data.Examples(data.Batch{"g": data.Array{Shape: []int{1, 2, 3}, Float: []float32{1, 1, 1, 1, 1, 1}}})
	tr := Trainer{Task: given{make([]float64, 6), 1}, Optimizer: SGD{LR: 0.5}, Steps: 4, Schedule: Linear{Warmup: 1}}
	tr.Callbacks = []Callback{CallbackFunc(func(s *Status) error {
		if s.Step == 2 {
			s.LRScale = 0.1
		}
		return nil
	})}
	run, err := tr.Fit(g)
	must(t, run, err)
	want := []float64{0.25, 0.5, 0.5 * (2. / 3) * 0.1, 0.5 * (1. / 3) * 0.1}
	sum := 0.0
	for i, s := range run.History {
		sum += want[i]
		if math.Abs(s.LR-want[i]) > 1e-12 {
			t.Errorf("learning rate of step %d is %g, want %g", s.Step, s.LR, want[i])
		}
	}
	if p := values(t, run.State, "p")[0]; math.Abs(p+sum) > 1e-6 {
		t.Errorf("p moved by %g, want the sum of the rates %g", -p, sum)
	}
}

// TestWarmup: which numbers are steps, which shares, and which neither.
func TestWarmup(t *testing.T) {
	for _, c := range []struct {
		w     Warmup
		steps int // of 200; -1: not a warmup
	}{
		{0, 0}, {0.1, 20}, {0.0024, 0}, {0.0026, 1}, {0.999, 200}, {1, 1}, {60, 60}, {1000, 1000}, {1.5, -1}, {-1, -1}, {-0.1, -1},
		{Warmup(math.NaN()), -1}, {Warmup(math.Inf(1)), -1},
	} {
		if c.w.Valid() != (c.steps >= 0) {
			t.Errorf("warmup %g: valid %v", c.w, c.w.Valid())
		}
		if got := c.w.Steps(200); c.steps >= 0 && got != c.steps {
			t.Errorf("warmup %g is %d of 200 steps, want %d", c.w, got, c.steps)
		}
	}
}
