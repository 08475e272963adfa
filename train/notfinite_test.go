package train

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

// root is y = √(x·w)²: finite at x = 0, where its derivative is not.
type root struct{}

func (root) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	z := s.Mul(x, s.Param("w", nn.Ones, x.Dim(-1)))
	return s.Sqrt(s.Mul(z, z))
}

// named calls a layer under a name.
type named struct {
	name  string
	layer nn.Layer
}

func (n named) Forward(s *nn.Scope, x *graph.Node) *graph.Node { return s.Call(n.name, n.layer, x) }

// spoilt are rows of which one is bad, for BCEWithLogits.
func spoilt(bad ...float32) *data.Table {
	r := nn.NewRand(2, "spoilt")
	var x [][]float32
	var y []float32
	for i := range 40 {
		x = append(x, []float32{float32(r.Normal(i, 0)), float32(1 + r.Uniform(i, 9)), float32(r.Normal(i, 99))})
		y = append(y, float32(i%2))
	}
	x[33], y[33] = bad, 0.5 // no logit of it has a gradient of 0
	return data.Rows(x, y)
}

func TestNotFinite(t *testing.T) {
	nan := float32(math.NaN())
	exp := named{"boom", nn.Func("Exp", (*graph.Graph).Exp)}
	drop := nn.Dropout{P: 0.2}
	for _, c := range []struct {
		name      string
		model     nn.Layer
		bad       []float32
		lr        float64
		op, scope string
		forward   bool // the loss is not finite, not the gradient's norm alone
	}{
		{"forward", nn.Sequential{drop, exp, nn.Linear{Out: 1}}, []float32{200, 200, 200}, 0.1, "Exp", "1.boom", true},
		{"backward only", nn.Sequential{named{"root", root{}}, drop, nn.Linear{Out: 1}}, []float32{0, 0, 0}, 0.1, "", "0.root", false},
		{"norm overflows", nn.Sequential{nn.Linear{Out: 1}}, []float32{1e20, 1e20, 1e20}, 1e-3, "SumSq", "update", false},
		{"input", nn.Sequential{drop, nn.Linear{Out: 1}}, []float32{0, nan, 0}, 0.1, "input x", "batch", true},
		{"learning rate", nn.Sequential{nn.Linear{Out: 4}, nn.Linear{Out: 1}}, []float32{1, 2, 3}, 1e38, "MatMul", "", true},
	} {
		for i, accumulate := range []int{1, 4, 4, 4, 4} { // the bad row comes in one micro-batch or another
			name := fmt.Sprintf("%s, accumulate %d, seed %d", c.name, accumulate, i)
			tr := Trainer{Model: c.model, Loss: nn.BCEWithLogits{}, Optimizer: Adam{LR: c.lr}, Batch: 2, Accumulate: accumulate, Steps: 25, Seed: uint64(i), Clip: 1}
			run, err := tr.Fit(spoilt(c.bad...))
			var bad *NotFiniteError
			if !errors.As(err, &bad) {
				t.Fatalf("%s: error %v, want a NotFiniteError", name, err)
			}
			if !strings.HasPrefix(bad.Op, c.op) || !strings.HasPrefix(bad.Scope, c.scope) || bad.Op == "" || finite(bad.Value) {
				t.Errorf("%s: first is %s of %s, %g; want %s of %s", name, bad.Op, bad.Scope, bad.Value, c.op, c.scope)
			}
			if finite(bad.Loss) == c.forward || !c.forward && finite(bad.GradNorm) || c.forward && accumulate > 1 && bad.GradNorm != 0 {
				t.Errorf("%s: loss %g, norm %g", name, bad.Loss, bad.GradNorm)
			}
			wantErr(t, name, err, fmt.Sprintf("train: step %d: loss %g, gradient norm", bad.Step, bad.Loss), bad.Scope+": "+bad.Op)
			if len(run.History) != bad.Step-1 {
				t.Errorf("%s: %d steps in the history, stopped in step %d", name, len(run.History), bad.Step)
			}
			if bad.Step == 1 {
				fresh, err := tr.New(spoilt(c.bad...))
				if must(t, fresh, err); digest(t, fresh) != digest(t, run) {
					t.Errorf("%s: the parameters are not the first ones", name)
				}
				continue
			}
			tr.Steps = bad.Step - 1
			before, err := tr.Fit(spoilt(c.bad...))
			if d := cmp.Diff(everything(t, must(t, before, err).State), everything(t, run.State)); d != "" {
				t.Errorf("%s: step %d changed parameters or moments (want, got):\n%s", name, bad.Step, d)
			}
		}
	}
}

// large is a loss that is finite in each micro-batch and not in their sum.
type large struct{}

func (large) Loss(s *nn.Scope, y, _ *graph.Node) (sum, weight *graph.Node) {
	return s.Scale(s.Sum(y), 1e18), s.Full(graph.Of(s.DType()), 1)
}

func (large) Predict(_ *nn.Scope, y *graph.Node) *graph.Node { return y }

// TestNotFiniteSum has an overflow that only the sum of the micro-batches shows.
func TestNotFiniteSum(t *testing.T) {
	x := [][]float32{{1}, {1}, {1}, {1}}
	tr := Trainer{Model: nn.Linear{Out: 1, NoBias: true}, Loss: large{}, Optimizer: SGD{LR: 1}, Batch: 1, Accumulate: 40, Steps: 1}
	_, err := tr.Fit(data.Rows(x, []float32{0, 0, 0, 0}))
	var bad *NotFiniteError
	if !errors.As(err, &bad) || bad.Scope != "update" || bad.Op != "SumSq" || !finite(bad.Loss) {
		t.Errorf("error %v, want SumSq of update", err)
	}
	tr.Accumulate = 10 // (10·1e18)² fits
	run, err := tr.Fit(data.Rows(x, []float32{0, 0, 0, 0}))
	must(t, run, err)
}

func TestLearningRateNotFinite(t *testing.T) {
	tr := rows(SGD{LR: 1})
	tr.Callbacks = []Callback{CallbackFunc(func(s *Status) error { s.LRScale = math.Inf(1); return nil })}
	run, err := tr.Fit(classes(12))
	wantErr(t, "infinite rate", err, "step 2: the learning rate is +Inf")
	for _, p := range run.State.Params.All() {
		for i, v := range values(t, run.State, p.Name) {
			if !finite(v) {
				t.Fatalf("%s[%d] = %g", p.Name, i, v)
			}
		}
	}
}
