package graph

import "github.com/pkg/errors"

// Reshape returns x with other extents of the same product, in the same row-major order. One of them may be −1, which
// takes what is left. x has any dtype, which the result has. Another number of elements is an error.
func (g *Graph) Reshape(x *Node, shape ...int) *Node {
	s := Shape(shape).Clone()
	known, free := 1, -1
	for i, d := range s {
		if d == -1 && free < 0 {
			free = i
		} else {
			known *= d
		}
	}
	if free >= 0 && known > 0 && x != nil {
		s[free] = x.meta.Size() / known
	}
	if x != nil && s.Equal(x.meta.Shape) {
		return x
	}
	return g.Apply(Reshape{DimsOf(s...)}, x)
}

// Reshape is the op of [Graph.Reshape].
type Reshape struct{ Dims Dims }

// Infer wants as many elements.
func (r Reshape) Infer(in []Meta) (Meta, error) {
	if err := Arity(1, in); err != nil {
		return Meta{}, err
	}
	m := Meta{in[0].DType, r.Dims.Shape()}
	if err := m.check(); err != nil || r.Dims.N > MaxRank || m.Size() != in[0].Size() {
		return Meta{}, errors.Errorf("cannot become %v: %d elements are not %d", m.Shape, in[0].Size(), m.Size())
	}
	return m, nil
}

// VJP returns dx = dy in x's shape.
func (Reshape) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.Reshape(dy, x[0].meta.Shape...)}
}

// View says that no copy is needed.
func (Reshape) View() {}

// Overwrites allows the copy onto itself.
func (Reshape) Overwrites(int, int) bool { return true }

// Eval copies, where there is no plan to make a view.
func (Reshape) Eval(_ *Ctx, out, in []Buf) error {
	copy(out[0].Mem, in[0].Mem)
	return nil
}

// Slice returns the elements lo ≤ i < hi of an axis, whose extent becomes hi − lo. x has any dtype, which the result
// has. A negative axis counts from the end. A range that is empty or leaves the axis is an error.
func (g *Graph) Slice(x *Node, axis, lo, hi int) *Node {
	return g.Apply(Slice{FrontAxis(x, axis), lo, hi}, x)
}

// Slice is the op of [Graph.Slice].
type Slice struct{ Axis, Lo, Hi int }

// Infer wants a range within the axis.
func (s Slice) Infer(in []Meta) (Meta, error) {
	if err := Arity(1, in); err != nil {
		return Meta{}, err
	}
	a, err := in[0].Shape.Axis(s.Axis)
	if err != nil {
		return Meta{}, err
	}
	if s.Lo < 0 || s.Hi <= s.Lo || s.Hi > in[0].Shape[a] {
		return Meta{}, errors.Errorf("range %d to %d of axis %d, which has %d", s.Lo, s.Hi, a, in[0].Shape[a])
	}
	m := Meta{in[0].DType, in[0].Shape.Clone()}
	m.Shape[a] = s.Hi - s.Lo
	return m, nil
}

// VJP returns dy with zeros around it.
func (s Slice) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.Pad(dy, s.Axis, s.Lo, x[0].Dim(s.Axis)-s.Hi)}
}

// Eval copies.
func (s Slice) Eval(c *Ctx, out, in []Buf) error {
	outer, n, inner := in[0].Shape.Around(s.Axis)
	size := inner * out[0].DType.Size()
	k := s.Hi - s.Lo
	copyRows(c, copied{y: out[0].Mem, x: in[0].Mem[s.Lo*size:], rows: outer, size: k * size, yStep: k * size, xStep: n * size})
	return nil
}

// copied is the work of copying rows of size bytes, yStep and xStep bytes apart.
type copied struct {
	y, x               []byte
	rows, size         int
	yStep, xStep       int
	pieces, rowsOfPart int
}

// copyPart is the number of bytes that one part copies.
const copyPart = 1 << 16

// copyRows copies rows, several in one part, or a long one in pieces.
func copyRows(c *Ctx, w copied) {
	w.pieces = Parts(w.size, copyPart)
	w.rowsOfPart = max(1, copyPart/w.size)
	EachPart(c, Parts(w.rows, w.rowsOfPart)*w.pieces, w)
}

func (w *copied) Part(i, _ int) {
	lo, hi := Span(i%w.pieces, w.size, copyPart)
	first, last := Span(i/w.pieces, w.rows, w.rowsOfPart)
	for r := first; r < last; r++ {
		copy(w.y[r*w.yStep+lo:r*w.yStep+hi], w.x[r*w.xStep+lo:])
	}
}

// Pad returns x with zeros before and after it along an axis, whose extent grows by as many. x has any dtype, which
// the result has. A negative axis counts from the end. A negative number of zeros is an error.
func (g *Graph) Pad(x *Node, axis, before, after int) *Node {
	return g.Apply(Pad{FrontAxis(x, axis), before, after}, x)
}

// Pad is the op of [Graph.Pad].
type Pad struct{ Axis, Before, After int }

// Infer adds to the axis.
func (p Pad) Infer(in []Meta) (Meta, error) {
	if err := Arity(1, in); err != nil {
		return Meta{}, err
	}
	a, err := in[0].Shape.Axis(p.Axis)
	if err != nil {
		return Meta{}, err
	}
	if p.Before < 0 || p.After < 0 || p.Before > maxElements || p.After > maxElements {
		return Meta{}, errors.Errorf("%d before and %d after: want 0 or more", p.Before, p.After)
	}
	m := Meta{in[0].DType, in[0].Shape.Clone()}
	m.Shape[a] += p.Before + p.After
	return m, nil
}

// VJP returns dy without the padding.
func (p Pad) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.Slice(dy, p.Axis, p.Before, p.Before+x[0].Dim(p.Axis))}
}

// Eval clears and copies.
func (p Pad) Eval(c *Ctx, out, in []Buf) error {
	outer, k, inner := in[0].Shape.Around(p.Axis)
	size := inner * out[0].DType.Size()
	n := (p.Before + k + p.After) * size
	for o := range outer {
		y := out[0].Mem[o*n : (o+1)*n]
		clear(y[:p.Before*size])
		clear(y[(p.Before+k)*size:])
	}
	copyRows(c, copied{y: out[0].Mem[p.Before*size:], x: in[0].Mem, rows: outer, size: k * size, yStep: n, xStep: k * size})
	return nil
}

// Concat returns its operands, at most 16, one behind the other along an axis. They have one dtype, which the result
// has, and equal extents but along the axis. A negative axis counts from the end.
func (g *Graph) Concat(axis int, x ...*Node) *Node {
	if len(x) == 1 {
		return x[0]
	}
	if len(x) > 0 {
		axis = FrontAxis(x[0], axis)
	}
	return g.Apply(Concat{axis}, x...)
}

// Concat is the op of [Graph.Concat].
type Concat struct{ Axis int }

// Infer wants equal extents but along the axis.
func (o Concat) Infer(in []Meta) (Meta, error) {
	if len(in) == 0 {
		return Meta{}, errors.New("want at least one operand")
	}
	m := Meta{in[0].DType, in[0].Shape.Clone()}
	a, err := m.Shape.Axis(o.Axis)
	if err != nil {
		return Meta{}, err
	}
	for _, x := range in[1:] {
		ok := x.DType == m.DType && len(x.Shape) == len(m.Shape)
		for i := range m.Shape {
			ok = ok && (i == a || x.Shape[i] == m.Shape[i])
		}
		if !ok {
			return Meta{}, errors.Errorf("want one dtype and equal extents but along axis %d", a)
		}
		m.Shape[a] += x.Shape[a]
	}
	return m, nil
}

// VJP slices dy.
func (o Concat) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	dx := make([]*Node, len(x))
	at := 0
	for i, n := range x {
		k := n.Dim(o.Axis)
		if n.DType().IsFloat() {
			dx[i] = g.Slice(dy, o.Axis, at, at+k)
		}
		at += k
	}
	return dx
}

// Eval copies.
func (o Concat) Eval(c *Ctx, out, in []Buf) error {
	outer, n, inner := out[0].Shape.Around(o.Axis)
	size := inner * out[0].DType.Size()
	at := 0
	for _, x := range in {
		_, k, _ := x.Shape.Around(o.Axis)
		copyRows(c, copied{y: out[0].Mem[at*size:], x: x.Mem, rows: outer, size: k * size, yStep: n * size, xStep: k * size})
		at += k
	}
	return nil
}
