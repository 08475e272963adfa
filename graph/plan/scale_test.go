package plan

import (
	"runtime"
	"testing"

	"github.com/ceto-ml/ceto/graph"
)

// unrolled is a recurrent network of n steps with its gradient and its update.
func unrolled(n int) *graph.Graph {
	g, f := graph.New(), graph.Float32
	const h = 4
	w := g.State("w", graph.Of(f, 2*h, h), graph.Param)
	x := g.Input("x", graph.Of(f, n, 2, h))
	y := g.Input("y", graph.Of(f, 2, h))
	for t := range n {
		xt := g.Reshape(g.Slice(x, 0, t, t+1), 2, h)
		y = g.Tanh(g.MatMul(g.Concat(1, xt, y), w))
	}
	g.Assign(w, g.Sub(w, g.Grad(g.Mean(y), w)[0]))
	return g
}

// TestUnrolled compares the memory that making a plan allocates for a network and one of eight times its steps. It
// grows with the steps; where a pass makes a list for each step of all the others, it grows with their square.
func TestUnrolled(t *testing.T) {
	allocated := func(n int) (steps, bytes int) {
		g := unrolled(n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p, err := New(g, Options{})
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return len(p.Steps), int(after.TotalAlloc - before.TotalAlloc)
	}
	steps, small := allocated(200)
	more, large := allocated(1600)
	if more < 7*steps || large > 12*small {
		t.Errorf("%d steps take %d bytes, %d steps %d", steps, small, more, large)
	}
}
