package train

import (
	"math"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
)

// scaledGrad is y = x with a derivative that is By times too large.
type scaledGrad struct{ By float64 }

func (scaledGrad) Infer(in []graph.Meta) (graph.Meta, error) { return in[0], nil }

func (s scaledGrad) VJP(g *graph.Graph, _ []*graph.Node, _, dy *graph.Node) []*graph.Node {
	return []*graph.Node{g.Scale(dy, s.By)}
}

func (scaledGrad) Eval(_ *graph.Ctx, out, in []graph.Buf) error {
	copy(out[0].Mem, in[0].Mem)
	return nil
}

// checkedNet is a network of two matrices, the second behind scaledGrad, and a parameter that nothing reads.
type checkedNet struct{ By float64 }

func (n checkedNet) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	s.Param("unread", nn.Ones, 3)
	x = s.Call("in", nn.Linear{Out: 5}, x)
	x = s.Apply(scaledGrad{n.By}, s.Tanh(x))
	return s.Call("out", nn.Linear{Out: 1}, x)
}

func TestGradCheck(t *testing.T) {
	fields := []data.Field{{Name: "x", Shape: []int{3}}, {Name: "y"}}
	b := data.NewBatch(fields, 4)
	for _, a := range b {
		for i := range a.Float {
			a.Float[i] = float32(math.Sin(float64(7*i + 1)))
		}
	}
	for _, c := range []struct {
		by, low, high float64 // of the worst error
		ok, full      bool
		checked       int
	}{
		{1, 0, 1e-8, true, false, 4*4 + 8 + 5 + 5 + 1},
		{1, 0, 1e-8, true, true, 4*4 + 15 + 5 + 5 + 1},
		{1.5, 1.0 / 3 * 0.999, 1.0 / 3 * 1.001, false, false, 4*4 + 8 + 5 + 5 + 1},
		{1 + 1e-5, 0.9e-5, 1.1e-5, false, false, 4*4 + 8 + 5 + 5 + 1},
		{math.NaN(), 0, 0, false, false, 4*4 + 8 + 5 + 5 + 1},
	} {
		r, err := GradCheck{Task: Supervised{checkedNet{c.by}, nn.MSE{}}, Seed: 3, Random: 0.3, Full: c.full}.Run(fields, b, 4)
		if err != nil {
			t.Fatal(err)
		}
		if r.OK != c.ok || r.Checked != c.checked {
			t.Errorf("by %g: ok %t, %d checked, want %t, %d", c.by, r.OK, r.Checked, c.ok, c.checked)
		}
		if e := r.WorstRelErr; !math.IsNaN(c.by) && !(c.low <= e && e <= c.high) {
			t.Errorf("by %g: worst error %g at %s, want %g to %g", c.by, e, r.WorstParam, c.low, c.high)
		}
		if e := r.ByParam["out.weight"]; !math.IsNaN(c.by) && e > 1e-8 {
			t.Errorf("by %g: error %g of out.weight, whose gradient is right", c.by, e)
		}
		if _, ok := r.ByParam["unread"]; ok {
			t.Errorf("the parameter that nothing reads was checked")
		}
	}
}
