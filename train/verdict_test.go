package train

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/nn"
)

// history makes statuses of losses by formula: train at every step from 1, val at every tenth.
func history(steps int, train, val func(x float64) float64) (h []Status) {
	for i := range steps {
		x := float64(i+1) / float64(steps)
		s := Status{Step: i + 1, Steps: steps, Loss: train(x)}
		if s.Step%10 == 0 && val != nil {
			s.Evaluated, s.ValLoss = true, val(x)
		}
		h = append(h, s)
	}
	return h
}

// line goes from a to b.
func line(a, b float64) func(float64) float64 {
	return func(x float64) float64 { return a + (b-a)*x }
}

// bend goes from a to b at x = at, and then to c.
func bend(a, b, at, c float64) func(float64) float64 {
	return func(x float64) float64 {
		if x < at {
			return a + (b-a)*x/at
		}
		return b + (c-b)*(x-at)/(1-at)
	}
}

// rough puts an error of ±n on every other value.
func rough(f func(float64) float64, n float64) func(float64) float64 {
	return func(x float64) float64 {
		n = -n
		return f(x) + n
	}
}

func TestJudge(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name   string
		h      []Status
		chance float64
		want   string
		text   []string
	}{
		{"nothing", nil, 0, Undecided, []string{"no step"}},
		{"no validation", history(100, line(2, 1), nil), 0, Undecided, []string{"0 evaluations"}},
		{"two evaluations", history(29, line(2, 1), line(2, 1)), 0, Undecided, []string{"2 evaluations", "at least 3"}},
		{"levels off", history(100, bend(2, 1, 0.5, 0.9), bend(2, 1.1, 0.5, 1.1)), 0, Fits, []string{"1.1, at step 50 of 100", "another learning rate"}},
		{"levels off, rough", history(100, rough(bend(2, 1, 0.5, 0.9), 0.5), bend(2, 1.1, 0.5, 1.11)), 0, Fits, nil},
		{"levels off with a gap", history(100, bend(2, 0.2, 0.5, 0.1), bend(2, 1.1, 0.5, 1.1)), 0, Fits, []string{"much lower, 0.1", "more data"}},
		{"rises again", history(100, bend(2, 0.8, 0.5, 0.3), bend(2, 1, 0.5, 1.6)), 0, Overfits, []string{"after step 50 of 100", "from 1 to 1.6", "from 0.9", "to 0.3", "weights of step 50", "dropout", "rank"}},
		{"rises a little, at the bound", history(100, bend(2, 0.8, 0.5, 0.3), bend(2, 1, 0.5, 1.019)), 0, Fits, nil},
		{"rises a little, past the bound", history(100, bend(2, 0.8, 0.5, 0.3), bend(2, 1, 0.5, 1.021)), 0, Overfits, nil},
		{"rises with the training loss", history(100, bend(2, 0.8, 0.5, 1.4), bend(2, 1, 0.5, 1.6)), 0, Unstable, []string{"since step 50 of 100 both losses rose again", "to 1.35", "from 1 to 1.6"}},
		{"rises, with nothing left to learn", history(100, bend(2, 0.01, 0.4, 0.0101), bend(2, 1, 0.5, 1.6)), 0, Overfits, nil},
		{"rises, with a rough training loss", history(100, rough(bend(2, 0.7, 0.4, 0.8), 0.3), bend(2, 1, 0.5, 1.6)), 0, Overfits, nil},
		{"falls to the end", history(100, line(2, 1), line(2, 1.1)), 0, StillImproving, []string{"still getting better", "to 1.1", "more epochs"}},
		{"falls slowly at the end", history(100, bend(2, 1, 0.5, 0.95), bend(2, 1.1, 0.5, 1.08)), 0, Fits, nil},
		{"learns nothing", history(100, line(2, 1.95), line(2, 1.98)), 0, Underfits, []string{"hardly learnt", "higher learning rate", "rank"}},
		{"knew it all before the first step", history(100, line(0.0023, 0.0022), line(0.167, 0.166)), math.Ln2, Fits, []string{"by heart", "more data"}},
		{"no better than chance", history(100, bend(2, 0.7, 0.5, 0.69), bend(1, 0.68, 0.5, 0.68)), math.Ln2, Underfits, []string{"guessing", "0.68", "0.693"}},
		{"better than chance", history(100, bend(2, 0.7, 0.5, 0.69), bend(1, 0.6, 0.5, 0.6)), math.Ln2, Fits, nil},
		{"rises", history(100, line(1, 2), line(1, 2)), 0, Unstable, []string{"rose from 1.", "to 1.9", "smaller"}},
		{"rises within its noise", history(10, rough(line(1, 1.3), 0.4), line(1, 1.01)), 0, Undecided, nil},
		{"NaN in training", history(100, bend(2, nan, 0.9, nan), line(2, 1)), 0, Unstable, []string{"not a number"}},
		{"NaN in validation", history(100, line(2, 1), bend(2, 1, 0.9, nan)), 0, Unstable, []string{"not a number"}},
		{"negative losses", history(100, bend(-1, -2, 0.5, -3), bend(-1, -2, 0.5, -1.5)), 0, Overfits, nil},
	} {
		v := Judge(c.h, c.chance)
		if v.Name != c.want {
			t.Errorf("%s: %v, want %s", c.name, v, c.want)
		}
		for _, s := range c.text {
			if !strings.Contains(v.Text, s) {
				t.Errorf("%s: %q lacks %q", c.name, v.Text, s)
			}
		}
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if s := fmt.Sprint(v); !strings.HasPrefix(s, c.want+": ") || strings.Contains(s, "\n") || !strings.HasSuffix(s, ".") || strings.Contains(s, "%!") {
			t.Errorf("%s: prints as %q", c.name, s)
		}
	}
}

// guesses are n rows of 3 numbers with classes that have nothing to do with them.
func guesses(n int, name string) *data.Table {
	r := nn.NewRand(5, name)
	var x [][]float32
	var y []int
	for i := range n {
		x = append(x, []float32{float32(r.Normal(4*i, 0)), float32(r.Normal(4*i+1, 0)), float32(r.Normal(4*i+2, 0))})
		y = append(y, min(2, int(math.Abs(r.Normal(4*i+3, 0))*2)))
	}
	return data.Rows(x, y)
}

// TestJudgeFit judges whole fits of what cannot be learnt but by heart.
func TestJudgeFit(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  Optimizer
		want string
	}{
		{"overfit", Adam{LR: 0.05}, Overfits},
		{"no rate", Adam{LR: 1e-9}, Underfits},
	} {
		tr := rows(c.opt)
		tr.Model, tr.Steps, tr.Batch, tr.Clip, tr.Schedule = small(0), 120, 9, 0, Constant{}
		tr.Val, tr.EvalEvery = guesses(40, "val"), 10
		run, err := tr.Fit(guesses(9, "train"))
		if v := Judge(must(t, run, err).History, 0); v.Name != c.want {
			t.Errorf("%s: %v, want %s", c.name, v, c.want)
		}
	}
	tr, d := hill(1)
	tr.Optimizer, tr.Steps = SGD{LR: 1.02}, 50 // the limit is 1
	run, err := tr.Fit(d)
	if v := Judge(must(t, run, err).History, 0); v.Name != Unstable {
		t.Errorf("too large a rate: %v, want %s", v, Unstable)
	}
}
