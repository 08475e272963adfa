package graphtest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/vec"
)

// gradTol bounds the relative error of a directional derivative.
const gradTol = 1e-6

// gradcheck compares the derivative of the loss along a fixed random direction with a central difference. It does so
// for each operand that has a gradient, and for all of them together.
func (c Case) gradcheck(t T) {
	t.Helper()
	pool := vec.NewPool(1)
	defer pool.Close()
	b, err := c.build(graph.Float64)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	if len(b.dx) == 0 {
		return
	}
	e := Interpreter(pool)
	dx, err := e.Eval(b.g, b.dx, b.in)
	if err != nil {
		t.Fatalf("%s seed %d: %v", c.Name, c.seed(), err)
	}
	v := c.directions(b)
	all := make([]int, len(b.wrt))
	for k := range b.wrt {
		all[k] = k
		c.direction(t, e, b, dx, v, k)
	}
	if len(all) > 1 {
		c.direction(t, e, b, dx, v, all...)
	}
}

// directions has one for each operand with a gradient, a quarter of its range long in each element at most.
func (c Case) directions(b *built) [][]float64 {
	r := rand.New(rand.NewPCG(c.seed(), 3))
	v := make([][]float64, len(b.wrt))
	for k, i := range b.wrt {
		lo, hi := c.span(i)
		v[k] = make([]float64, b.x[i].Meta().Size())
		for j := range v[k] {
			v[k][j] = (hi - lo) / 4 * (2*r.Float64() - 1)
		}
	}
	return v
}

// direction checks the derivative along v in some of the operands.
func (c Case) direction(t T, e *Interp, b *built, dx []graph.Buf, v [][]float64, which ...int) {
	t.Helper()
	a, sq := 0.0, 0.0
	for _, k := range which {
		for j, d := range graph.Data[float64](dx[k]) {
			a += d * v[k][j]
			sq += d * d * v[k][j] * v[k][j]
		}
	}
	at := func(h float64) float64 {
		in := map[string]graph.Buf{}
		for name, x := range b.in {
			in[name] = x
		}
		for _, k := range which {
			name := fmt.Sprintf("x%d", b.wrt[k])
			x := graph.NewBuf(in[name].Meta)
			copy(x.Mem, in[name].Mem)
			for j, d := range v[k] {
				graph.Data[float64](x)[j] += h * d
			}
			in[name] = x
		}
		l, err := e.Eval(b.g, []*graph.Node{b.loss}, in)
		if err != nil {
			t.Fatalf("%s seed %d: %v", c.Name, c.seed(), err)
		}
		return graph.Data[float64](l[0])[0]
	}
	const h = 1e-3
	wide, narrow := (at(h)-at(-h))/(2*h), (at(h/2)-at(-h/2))/h
	n := (4*narrow - wide) / 3 // Richardson: the error is of order h⁴
	// Under the size of the terms that a is a sum of, and under the rounding of the loss, an error is noise.
	size := math.Max(math.Max(math.Abs(a), math.Abs(n)), math.Sqrt(sq))
	if err := math.Abs(a - n); !(err <= gradTol*size+1e-11*(1+math.Abs(at(0)))) {
		t.Errorf("%s seed %d: along operands %v the derivative is %.12g, the difference %.12g: relative error %.2g", c.Name, c.seed(), which, a, n, err/size)
	}
}
