package graph_test

import (
	"math"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/graph/loss"
	"github.com/ceto-ml/ceto/internal/vec"
)

type (
	G = graph.Graph
	N = graph.Node
)

// TestKinks pins values and gradients where functions bend and where NaN meets them: PyTorch 2.11 gives the same.
func TestKinks(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name     string
		x, y, dx []float64 // dx is the gradient of Σ y
		build    func(g *G, x *N) *N
	}{
		{"Max/ties", []float64{3, 1, 3}, []float64{3}, []float64{0.5, 0, 0.5}, func(g *G, x *N) *N { return g.Max(x) }},
		{"Max/rows", []float64{1, 2, 2, 2}, []float64{2, 2}, []float64{0, 1, 0.5, 0.5}, func(g *G, x *N) *N { return g.Max(g.Reshape(x, 2, 2), 1) }},
		{"Min/ties", []float64{1, 1, 1, 2}, []float64{1}, []float64{1. / 3, 1. / 3, 1. / 3, 0}, func(g *G, x *N) *N { return g.Min(x) }},
		{"Max/nan", []float64{1, nan, 3}, []float64{nan}, nil, func(g *G, x *N) *N { return g.Max(x) }},
		{"Max/nan-first", []float64{nan, 2, 3}, []float64{nan}, nil, func(g *G, x *N) *N { return g.Max(x) }},
		{"Min/nan-columns", []float64{1, nan, 3, 2}, []float64{1, nan}, nil, func(g *G, x *N) *N { return g.Min(g.Reshape(x, 2, 2), 0) }},
		{"Max/infinite", []float64{-inf, -inf}, []float64{-inf}, nil, func(g *G, x *N) *N { return g.Max(x) }},
		{"Sum/nan", []float64{1, nan}, []float64{nan}, nil, func(g *G, x *N) *N { return g.Sum(x) }},
		{"Maximum/tie", []float64{1, 2, 3}, []float64{2, 2, 3}, []float64{0, 0.5, 1}, func(g *G, x *N) *N { return g.Maximum(x, two(g)) }},
		{"Minimum/tie", []float64{1, 2, 3}, []float64{1, 2, 2}, []float64{1, 0.5, 0}, func(g *G, x *N) *N { return g.Minimum(two(g), x) }},
		{"Maximum/nan", []float64{nan, 1}, []float64{nan, 2}, nil, func(g *G, x *N) *N { return g.Maximum(two(g), x) }},
		{"Minimum/nan", []float64{nan, 1}, []float64{nan, 1}, nil, func(g *G, x *N) *N { return g.Minimum(x, two(g)) }},
		{"ReLU", []float64{-1, 0, 2, nan}, []float64{0, 0, 2, nan}, nil, func(g *G, x *N) *N { return g.ReLU(x) }},
		{"ReLU/zero", []float64{-1, 0, 2}, []float64{0, 0, 2}, []float64{0, 0, 1}, func(g *G, x *N) *N { return g.ReLU(x) }},
		{"LeakyReLU/zero", []float64{-1, 0, 2}, []float64{-0.5, 0, 2}, []float64{0.5, 0.5, 1}, func(g *G, x *N) *N { return g.LeakyReLU(x, 0.5) }},
		{"ELU/zero", []float64{0, 2}, []float64{0, 2}, []float64{0.5, 1}, func(g *G, x *N) *N { return g.ELU(x, 0.5) }},
		{"Abs/zero", []float64{-1, 0, 2}, []float64{1, 0, 2}, []float64{-1, 0, 1}, func(g *G, x *N) *N { return g.Abs(x) }},
		{"Pow/zero", []float64{0, 2}, []float64{1, 1}, []float64{0, 0}, func(g *G, x *N) *N { return g.Pow(x, 0) }},
		{"L1/equal", []float64{2, 3, 1}, []float64{2}, []float64{0, 1, -1}, func(g *G, x *N) *N { return loss.L1(g, x, g.Full(x.Meta(), 2)) }},
		{"Huber/edge", []float64{3, 2}, []float64{0.5}, []float64{1, 0}, func(g *G, x *N) *N { return loss.Huber(g, x, g.Full(x.Meta(), 2), 1) }},
		{"BCEWithLogits/far", []float64{1000, -1000}, []float64{1000}, []float64{1, 0}, func(g *G, x *N) *N { return loss.BCEWithLogits(g, x, g.Full(x.Meta(), 0)) }},
		{"Where/nan", []float64{nan, 1}, []float64{2, 1}, []float64{0, 1}, func(g *G, x *N) *N { return g.Where(isOne(g, x), x, two(g)) }},
		{"Slice/nan", []float64{nan, 1}, []float64{1}, []float64{0, 1}, func(g *G, x *N) *N { return g.Slice(x, 0, 1, 2) }},
	} {
		for _, d := range []graph.DType{graph.Float32, graph.Float64} {
			g := graph.New()
			x := g.Input("x", graph.Of(d, len(c.x)))
			y := c.build(g, x)
			outputs := []*N{y}
			if c.dx != nil {
				outputs = append(outputs, g.Grad(g.Sum(y), x)...)
			}
			kinkCheck(t, c.name+" "+d.String(), g, outputs, c.x, c.y, c.dx)
		}
	}
}

func two(g *G) *N { return g.Full(graph.Of(g.Named("x").DType()), 2) }

// isOne is not 0 where x is 1.
func isOne(g *G, x *N) *N { return g.Apply(graph.Same{}, x, g.Full(graph.Of(x.DType()), 1)) }

func kinkCheck(t *testing.T, name string, g *G, outputs []*N, x []float64, want ...[]float64) {
	t.Helper()
	pool := vec.NewPool(1)
	defer pool.Close()
	in := graph.BufOf(x, len(x))
	if outputs[0].DType() == graph.Float32 {
		x32 := make([]float32, len(x))
		for i, v := range x {
			x32[i] = float32(v)
		}
		in = graph.BufOf(x32, len(x))
	}
	got, err := graphtest.Interpreter(pool).Watch().Eval(g, outputs, map[string]graph.Buf{"x": in})
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	for k, b := range got {
		for i, v := range graphtest.Floats(b) {
			if !graphtest.Close(v, want[k][i]) {
				t.Errorf("%s: output %d is %v at %d, want %v", name, k, v, i, want[k][i])
			}
		}
	}
}

// TestInferErrors says what does not fit.
func TestInferErrors(t *testing.T) {
	f := func(shape ...int) graph.Meta { return graph.Of(graph.Float32, shape...) }
	for _, c := range []struct {
		want  string
		build func(g *G, x, y, ids *N) *N
	}{
		{"graph: Add[float32[2 3] float32[4]]: shapes [2 3] and [4] do not broadcast: axes of 3 and 4", func(g *G, x, y, ids *N) *N { return g.Add(x, y) }},
		{"graph: Mul[float32[2 3] int32[5]]: want floats of one dtype", func(g *G, x, y, ids *N) *N { return g.Mul(x, ids) }},
		{"graph: Exp[int32[5]]: want floats of one dtype and shape", func(g *G, x, y, ids *N) *N { return g.Exp(ids) }},
		{"graph: Reshape[float32[2 3]]: cannot become [4]: 6 elements are not 4", func(g *G, x, y, ids *N) *N { return g.Reshape(x, 4) }},
		{"graph: Permute[float32[2 3]]: [0 0] is no permutation of 2 axes", func(g *G, x, y, ids *N) *N { return g.Permute(x, 0, 0) }},
		{"graph: Slice[float32[2 3]]: range 1 to 4 of axis 1, which has 3", func(g *G, x, y, ids *N) *N { return g.Slice(x, 1, 1, 4) }},
		{"graph: Reduce[float32[2 3]]: axis 2 of shape [2 3]", func(g *G, x, y, ids *N) *N { return g.Sum(x, 2) }},
		{"graph: Gather[float32[2 3] float32[4]]: want a float and ids (N)", func(g *G, x, y, ids *N) *N { return g.Gather(x, 0, y) }},
		{"graph: Compare[float32[2 3] float32[4]]: want floats of one dtype and shape", func(g *G, x, y, ids *N) *N { return loss.MSE(g, x, y) }},
		{"graph: Concat[float32[2 3] float32[4]]: want one dtype and equal extents but along axis 0", func(g *G, x, y, ids *N) *N { return g.Concat(0, x, y) }},
		{"graph: BroadcastTo[float32[2 3]]: float32[2 3] does not broadcast to [2 4]: want a float whose axes, matched from the last, are equal or 1", func(g *G, x, y, ids *N) *N { return g.BroadcastTo(x, 2, 4) }},
		{"graph: Sqrt: operand 0 is nil", func(g *G, x, y, ids *N) *N { return g.Sqrt(nil) }},
	} {
		g := graph.New()
		n := c.build(g, g.Input("x", f(2, 3)), g.Input("y", f(4)), g.Input("ids", graph.Of(graph.Int32, 5)))
		if n != nil || g.Err() == nil || g.Err().Error() != c.want {
			t.Errorf("got %v and error\n\t%v, want\n\t%s", n, g.Err(), c.want)
		}
	}
}
