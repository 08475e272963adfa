package graph

import (
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// Gather returns the elements of x at some indices of an axis. x is a float with that axis, and ids (N) are Int32.
// The result has the dtype and shape of x, but for the axis, whose extent becomes N. A negative axis counts from the
// end. An index out of range is an error of the run. The gradient adds up what came from one index, in the order of
// the ids.
func (g *Graph) Gather(x *Node, axis int, ids *Node) *Node {
	return g.Apply(Gather{FrontAxis(x, axis)}, x, ids)
}

// Gather is the op of [Graph.Gather].
type Gather struct{ Axis int }

// Infer replaces the axis.
func (o Gather) Infer(in []Meta) (Meta, error) {
	if err := Arity(2, in); err != nil {
		return Meta{}, err
	}
	a, err := in[0].Shape.Axis(o.Axis)
	if err != nil {
		return Meta{}, err
	}
	if in[1].DType != Int32 || len(in[1].Shape) != 1 || !in[0].DType.IsFloat() {
		return Meta{}, errors.New("want a float and ids (N)")
	}
	m := Meta{in[0].DType, in[0].Shape.Clone()}
	m.Shape[a] = in[1].Shape[0]
	return m, nil
}

// VJP applies [GatherGrad].
func (o Gather) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.Apply(GatherGrad{Axis: o.Axis, N: x[0].Dim(o.Axis)}, dy, x[1]), nil}
}

// gathered is the work of a Gather: of each of outer groups of n rows of size bytes, those at ids.
type gathered struct {
	y, x    []byte
	ids     []int32
	n, size int
	rows    int // of the result
	each    int // rows in one part
}

// Eval copies.
func (o Gather) Eval(c *Ctx, out, in []Buf) error {
	outer, n, inner := in[0].Shape.Around(o.Axis)
	w := gathered{y: out[0].Mem, x: in[0].Mem, ids: Data[int32](in[1]), n: n, size: inner * out[0].DType.Size()}
	if err := checkIDs(w.ids, n); err != nil {
		return err
	}
	w.rows, w.each = outer*len(w.ids), max(1, copyPart/w.size)
	EachPart(c, Parts(w.rows, w.each), w)
	return nil
}

func (w *gathered) Part(i, _ int) {
	lo, hi := Span(i, w.rows, w.each)
	for r := lo; r < hi; r++ {
		from := r/len(w.ids)*w.n + int(w.ids[r%len(w.ids)])
		copy(w.y[r*w.size:(r+1)*w.size], w.x[from*w.size:])
	}
}

// GatherGrad adds dy at indices ids (N) of an axis of extent N onto zeros.
type GatherGrad struct {
	NoGrad
	Axis, N int
}

// Infer replaces the axis.
func (o GatherGrad) Infer(in []Meta) (Meta, error) {
	if err := Arity(2, in); err != nil {
		return Meta{}, err
	}
	a, err := in[0].Shape.Axis(o.Axis)
	if err != nil {
		return Meta{}, err
	}
	if !in[1].Equal(Of(Int32, in[0].Shape[a])) || !in[0].DType.IsFloat() {
		return Meta{}, errors.New("want dy and as many ids as its axis has")
	}
	m := Meta{in[0].DType, in[0].Shape.Clone()}
	m.Shape[a] = o.N
	return m, nil
}

// scattered is the work of a GatherGrad: rows of inner elements, a part has some columns of one group of n rows.
type scattered[T Float] struct {
	y, dy     []T
	ids       []int32
	n, inner  int
	each, per int // columns in one part, parts in a group
}

// Eval adds in the order of the ids.
func (o GatherGrad) Eval(c *Ctx, out, in []Buf) error {
	if err := checkIDs(Data[int32](in[1]), o.N); err != nil {
		return err
	}
	return EvalFloat(out[0].DType, o, c, out, in, gatherGrad[float32], gatherGrad[float64])
}

// gatherBlock is the number of columns that one part adds to.
const gatherBlock = 64

func gatherGrad[T Float](o GatherGrad, c *Ctx, out, in []Buf) error {
	outer, n, inner := out[0].Shape.Around(o.Axis)
	w := scattered[T]{y: Data[T](out[0]), dy: Data[T](in[0]), ids: Data[int32](in[1]), n: n, inner: inner}
	w.each = min(inner, gatherBlock)
	w.per = Parts(inner, w.each)
	EachPart(c, outer*w.per, w)
	return nil
}

func (w *scattered[T]) Part(i, _ int) {
	lo, hi := Span(i%w.per, w.inner, w.each)
	y := w.y[i/w.per*w.n*w.inner:]
	dy := w.dy[i/w.per*len(w.ids)*w.inner:]
	for k := range w.n {
		clear(y[k*w.inner+lo : k*w.inner+hi])
	}
	for k, id := range w.ids {
		vec.AddTo(y[int(id)*w.inner+lo:int(id)*w.inner+hi], dy[k*w.inner+lo:k*w.inner+hi])
	}
}
