package graph

import "github.com/pkg/errors"

// Where returns a where cond is not 0 and b elsewhere. All three broadcast as in [Graph.Add]. a and b are floats of
// one dtype, which the result has; cond has any dtype and no gradient. NaN in cond is not 0.
func (g *Graph) Where(cond, a, b *Node) *Node { return g.Apply(Where{}, cond, a, b) }

// Where is the op of [Graph.Where].
type Where struct{}

// Infer broadcasts.
func (Where) Infer(in []Meta) (Meta, error) {
	if err := Arity(3, in); err != nil {
		return Meta{}, err
	}
	if in[1].DType != in[2].DType || !in[1].DType.IsFloat() {
		return Meta{}, errors.New("want a condition and two floats of one dtype")
	}
	s, err := Broadcast(in[1].Shape, in[2].Shape)
	if err != nil {
		return Meta{}, err
	}
	s, err = Broadcast(in[0].Shape, s)
	return Meta{in[1].DType, s}, err
}

// Stops stops the condition.
func (Where) Stops(i int) bool { return i == 0 }

// Overwrites allows the result over either choice, and over a condition of its dtype.
func (Where) Overwrites(int, int) bool { return true }

// VJP gives dy to the operand that was taken.
func (Where) VJP(g *Graph, x []*Node, y, dy *Node) []*Node {
	zero := g.Full(Of(y.meta.DType), 0)
	return []*Node{nil, g.SumTo(g.Where(x[0], dy, zero), x[1]), g.SumTo(g.Where(x[0], zero, dy), x[2])}
}

// chosen is the work of a Where with a condition of type C.
type chosen[C Elem, T Float] struct {
	walk
	cond    []C
	y, a, b []T
	each    int
}

// Eval chooses.
func (o Where) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(out[0].DType, o, c, out, in, choose32, choose64)
}

func choose32(o Where, c *Ctx, out, in []Buf) error {
	return EvalElem(in[0].DType, o, c, out, in, choose[float32, float32], choose[float64, float32], choose[int32, float32])
}

func choose64(o Where, c *Ctx, out, in []Buf) error {
	return EvalElem(in[0].DType, o, c, out, in, choose[float32, float64], choose[float64, float64], choose[int32, float64])
}

func choose[C Elem, T Float](_ Where, c *Ctx, out, in []Buf) error {
	w := chosen[C, T]{y: Data[T](out[0]), cond: Data[C](in[0]), a: Data[T](in[1]), b: Data[T](in[2])}
	w.walk = walkOf(out[0].Shape, [3]Shape{in[0].Shape, in[1].Shape, in[2].Shape})
	n, each := w.split(len(w.y))
	w.each = each
	EachPart(c, n, w)
	return nil
}

func (w *chosen[C, T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.y), w.each)
	sc, sa, sb := w.step[0][w.n-1], w.step[1][w.n-1], w.step[2][w.n-1]
	for lo < hi {
		x, n := w.at(lo)
		n = min(n, hi-lo)
		y, cond, a, b := w.y[lo:lo+n], w.cond[x[0]:], w.a[x[1]:], w.b[x[2]:]
		if sc&sa&sb == 1 {
			chooseRow(y, cond[:n], a[:n], b[:n])
		} else {
			for j := range y {
				if cond[j*sc] != 0 {
					y[j] = a[j*sa]
				} else {
					y[j] = b[j*sb]
				}
			}
		}
		lo += n
	}
}

func chooseRow[C Elem, T Float](y []T, cond []C, a, b []T) {
	a, b = a[:len(cond)], b[:len(cond)]
	for j, c := range cond {
		v := b[j]
		if c != 0 {
			v = a[j]
		}
		y[j] = v
	}
}
