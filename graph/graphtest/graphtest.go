// Package graphtest tests evaluators of graphs: a table of cases with every op, and what each of them must hold.
//
//	func TestOps(t *testing.T) { graphtest.Run(t, graphtest.Planned(x, x.Options()), plan.ErrUnsupported) }
//
// A new executor x starts with this one line. An op of the user's own is tested by [Check].
package graphtest

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// The names of package graph that each row of the table uses.
type (
	G = graph.Graph
	N = graph.Node
	S = graph.Shape
)

// An Evaluator computes nodes of a graph, given the values of all inputs and states by name.
type Evaluator interface {
	Eval(g *graph.Graph, outputs []*graph.Node, in map[string]graph.Buf) ([]graph.Buf, error)
}

// Operand is an input of a case.
type Operand struct {
	Shape  S
	Vocab  int       // above 0: ids 0 ≤ id < Vocab, as Int32
	Lo, Hi float64   // range of floats; both 0: the case's
	Values []float64 // the elements, where they are not drawn; they repeat if there are too few
	Fixed  bool      // no gradient is checked
}

// Case is one row: operands, and what is built on them.
type Case struct {
	Name string
	In   []Operand
	// Lo and Hi are the range of floats; both 0: −2 to 2.
	Lo, Hi float64
	// Away are kinks of the function: no element is drawn within a 50th of the range around one.
	Away []float64
	// Distinct draws the floats of all operands from an even grid without repetition, for maxima.
	Distinct bool
	// Build returns the result under test; BuildAll, in its place, several results (parts of a whole, say).
	Build    func(g *G, x []*N) *N
	BuildAll func(g *G, x []*N) []*N
	// Want computes the first result in another way, where one is known.
	Want Oracle
	// NoGrad says why there is no gradient to check, if so.
	NoGrad string
}

// floats are float operands in the case's range.
func floats(shapes ...S) []Operand { return within(0, 0, shapes...) }

// within are float operands in a range of their own.
func within(lo, hi float64, shapes ...S) []Operand {
	var o []Operand
	for _, s := range shapes {
		o = append(o, Operand{Shape: s, Lo: lo, Hi: hi})
	}
	return o
}

// fixed are float operands in a range of their own whose gradient is not checked.
func fixed(lo, hi float64, shapes ...S) []Operand {
	o := within(lo, hi, shapes...)
	for i := range o {
		o[i].Fixed = true
	}
	return o
}

// ids are Int32 operands with elements in 0 ≤ id < vocab.
func ids(s S, vocab int) []Operand { return []Operand{{Shape: s, Vocab: vocab}} }

// idsOf are Int32 operands with the given elements.
func idsOf(s S, values ...float64) []Operand { return []Operand{{Shape: s, Vocab: 1, Values: values}} }

// floatsOf are float operands with the given elements.
func floatsOf(s S, values ...float64) []Operand { return []Operand{{Shape: s, Values: values}} }

// join concatenates lists of operands.
func join(lists ...[]Operand) []Operand {
	var o []Operand
	for _, l := range lists {
		o = append(o, l...)
	}
	return o
}

// Seed draws other inputs for all cases; 0 gives each those of its name.
var Seed uint64

// seed is the number that a case's inputs follow from.
func (c Case) seed() uint64 {
	h := fnv.New64a()
	h.Write([]byte(c.Name))
	return h.Sum64() ^ Seed*0x9e3779b97f4a7c15
}

// meta is operand i's, with floats of dtype d.
func (c Case) meta(i int, d graph.DType) graph.Meta {
	if c.In[i].Vocab > 0 {
		d = graph.Int32
	}
	return graph.Of(d, c.In[i].Shape...)
}

// span is the range of operand i.
func (c Case) span(i int) (lo, hi float64) {
	switch o := c.In[i]; {
	case o.Lo != 0 || o.Hi != 0:
		return o.Lo, o.Hi
	case c.Lo != 0 || c.Hi != 0:
		return c.Lo, c.Hi
	}
	return -2, 2
}

// draw returns the elements of all operands; floats are float32 values, so that both dtypes compute on the same.
func (c Case) draw() [][]float64 {
	r := rand.New(rand.NewPCG(c.seed(), 1))
	var grid []int
	if c.Distinct {
		n := 0
		for _, o := range c.In {
			n += o.Shape.Size()
		}
		grid = r.Perm(n)
	}
	x := make([][]float64, len(c.In))
	at := 0
	for i, o := range c.In {
		x[i] = make([]float64, o.Shape.Size())
		lo, hi := c.span(i)
		for j := range x[i] {
			switch {
			case len(o.Values) > 0:
				x[i][j] = o.Values[j%len(o.Values)]
			case o.Vocab > 0:
				x[i][j] = float64(r.IntN(o.Vocab))
			case c.Distinct:
				x[i][j] = float64(float32(lo + (hi-lo)*(float64(grid[at])+0.5)/float64(len(grid))))
			default:
				x[i][j] = c.element(r, lo, hi)
			}
			at++
		}
	}
	return x
}

func (c Case) element(r *rand.Rand, lo, hi float64) float64 {
draw:
	for {
		v := float64(float32(lo + (hi-lo)*r.Float64()))
		for _, k := range c.Away {
			if math.Abs(v-k) < (hi-lo)/50 {
				continue draw
			}
		}
		return v
	}
}

// toBuf makes a value of elements.
func toBuf(m graph.Meta, x []float64) graph.Buf {
	b := graph.NewBuf(m)
	b.Convert(graph.BufOf(x, m.Shape...))
	return b
}

// Floats returns the elements of b as float64.
func Floats(b graph.Buf) []float64 {
	y := make([]float64, b.Size())
	graph.BufOf(y, b.Shape...).Convert(b)
	return y
}

// built is a case as a graph of one dtype: results, a loss Σ y·r over the float ones, and its gradients.
type built struct {
	g     *graph.Graph
	x, y  []*graph.Node
	loss  *graph.Node
	wrt   []int // operands with a gradient
	dx    []*graph.Node
	in    map[string]graph.Buf
	scale float64 // what the loss is made of, for rounding errors
}

// build makes the graph of c with floats of dtype d, and its inputs.
func (c Case) build(d graph.DType) (*built, error) {
	b := &built{g: graph.New(), in: map[string]graph.Buf{}}
	values := c.draw()
	for i := range c.In {
		m := c.meta(i, d)
		name := fmt.Sprintf("x%d", i)
		b.x = append(b.x, b.g.Input(name, m))
		b.in[name] = toBuf(m, values[i])
	}
	if c.BuildAll != nil {
		b.y = c.BuildAll(b.g, b.x)
	} else {
		b.y = []*graph.Node{c.Build(b.g, b.x)}
	}
	if err := b.g.Err(); err != nil {
		return nil, err
	}
	for i, y := range b.y {
		if y == nil {
			return nil, errors.Errorf("result %d is nil, and the graph has no error", i)
		}
	}
	if c.NoGrad == "" {
		c.addGrad(b)
	}
	return b, b.g.Err()
}

// addGrad adds the loss and its gradients, where a gradient can flow.
func (c Case) addGrad(b *built) {
	r := rand.New(rand.NewPCG(c.seed(), 2))
	for i, y := range b.y {
		if !y.DType().IsFloat() {
			continue
		}
		w := make([]float64, y.Meta().Size())
		for j := range w {
			w[j] = float64(float32(r.Float64()*2 - 1))
		}
		name := fmt.Sprintf("r%d", i)
		l := b.g.Mul(y, b.g.Input(name, y.Meta()))
		b.in[name] = toBuf(y.Meta(), w)
		if len(l.Shape()) > 0 {
			l = b.g.Sum(l)
		}
		if b.loss != nil {
			l = b.g.Add(b.loss, l)
		}
		b.loss = l
	}
	reach := b.g.Reaches(b.loss)
	var x []*graph.Node
	for i, n := range b.x {
		if reach[n] && n.DType().IsFloat() && !c.In[i].Fixed {
			b.wrt, x = append(b.wrt, i), append(x, n)
		}
	}
	if len(x) > 0 {
		b.dx = b.g.Grad(b.loss, x...)
	}
}

// outputs are the results and the gradients.
func (b *built) outputs() []*graph.Node { return append(append([]*graph.Node{}, b.y...), b.dx...) }

// label names output i.
func (b *built) label(i int) string {
	if i < len(b.y) {
		return fmt.Sprintf("y%d", i)
	}
	return fmt.Sprintf("dx%d", b.wrt[i-len(b.y)])
}
