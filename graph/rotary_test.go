package graph_test

import (
	"math"
	"math/cmplx"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/internal/vec"
)

// eval returns the value of y in float64.
func eval(t *testing.T, g *graph.Graph, y *graph.Node, in map[string]graph.Buf) []float64 {
	t.Helper()
	pool := vec.NewPool(1)
	defer pool.Close()
	if g.Err() != nil {
		t.Fatal(g.Err())
	}
	out, err := graphtest.Interpreter(pool).Eval(g, []*graph.Node{y}, in)
	if err != nil {
		t.Fatal(err)
	}
	return graphtest.Floats(out[0])
}

// TestRotary compares with products of complex numbers, pair by pair.
func TestRotary(t *testing.T) {
	const b, l, nh, hs = 2, 5, 3, 10
	positions := []int32{0, 1, 2, 3, 4, 9, 8, 1000, 6, 5}
	data := make([]float64, b*l*nh*hs)
	for i := range data {
		data[i] = math.Sin(float64(i))
	}
	for _, o := range []graph.RotaryOpts{{}, {Base: 100}, {Dim: 4}, {Interleaved: true}, {Interleaved: true, Dim: 6},
		{Scaling: graph.RotaryScaling{Factor: 4}}, {Base: 500, Scaling: graph.RotaryScaling{Factor: 8, Low: 1, High: 4, Context: 64}}} {
		g := graph.New()
		x, p := g.Input("x", graph.Of(graph.Float64, b, l, nh, hs)), g.Input("p", graph.Of(graph.Int32, b, l))
		got := eval(t, g, g.Rotary(x, p, o), map[string]graph.Buf{"x": graph.BufOf(data, b, l, nh, hs), "p": graph.BufOf(positions, b, l)})
		want := append([]float64{}, data...)
		for row := range b * l * nh {
			turn(want[row*hs:(row+1)*hs], float64(positions[row/nh]), o)
		}
		for i := range want {
			if math.Abs(got[i]-want[i]) > 1e-12 {
				t.Errorf("%+v: y[%d] = %.15g, want %.15g", o, i, got[i], want[i])
				break
			}
		}
	}
}

// turn rotates one head as the papers have it.
func turn(x []float64, position float64, o graph.RotaryOpts) {
	dim, base := o.Dim, o.Base
	if dim == 0 {
		dim = len(x)
	}
	if base == 0 {
		base = 10000
	}
	for i := range dim / 2 {
		theta := 1 / math.Pow(base, float64(2*i)/float64(dim))
		if s := o.Scaling; s.Context > 0 { // in wavelengths, as the code released with Llama 3.1
			switch length := 2 * math.Pi / theta; {
			case length < float64(s.Context)/s.High:
			case length > float64(s.Context)/s.Low:
				theta /= s.Factor
			default:
				smooth := (float64(s.Context)/length - s.Low) / (s.High - s.Low)
				theta = (1-smooth)*theta/s.Factor + smooth*theta
			}
		} else if s.Factor != 0 {
			theta /= s.Factor
		}
		j, k := i, i+dim/2
		if o.Interleaved {
			j, k = 2*i, 2*i+1
		}
		z := complex(x[j], x[k]) * cmplx.Rect(1, position*theta)
		x[j], x[k] = real(z), imag(z)
	}
}

// TestRotaryShares sees that two layers share one table, and that the default positions count from 0.
func TestRotaryShares(t *testing.T) {
	g := graph.New()
	q, k := g.Input("q", graph.Of(graph.Float64, 1, 6, 2, 4)), g.Input("k", graph.Of(graph.Float64, 1, 6, 1, 4))
	a, b := g.Rotary(q, nil, graph.RotaryOpts{}), g.Rotary(k, g.Iota(6), graph.RotaryOpts{Base: 10000, Dim: 4})
	if g.Err() != nil || a.Operands()[1] != b.Operands()[1] {
		t.Errorf("tables %v and %v, want one (error %v)", a, b, g.Err())
	}
}
