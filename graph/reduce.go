package graph

import "github.com/pkg/errors"

// Sum returns the sum of x over some axes, which are dropped: x (B, T, C) summed over axis 1 is (B, C). Without axes
// it is the sum of all, a scalar. x is a float, and the result has its dtype. A negative axis counts from the end;
// one that x does not have is an error. Rows sum in float64; sums over leading axes sum blocks of 64 rows in x's
// dtype.
func (g *Graph) Sum(x *Node, axes ...int) *Node { return g.reduce(reduceSum, x, axes) }

// Mean returns the mean of x over some axes, which are dropped. Shapes, dtypes and the sum are those of [Graph.Sum].
func (g *Graph) Mean(x *Node, axes ...int) *Node {
	y := g.Sum(x, axes...)
	if y == nil {
		return nil
	}
	return g.Scale(y, float64(y.meta.Size())/float64(x.meta.Size()))
}

// Max returns the largest element of x over some axes, which are dropped. Shapes and dtypes are those of [Graph.Sum].
// Equal elements share the gradient; NaN wins.
func (g *Graph) Max(x *Node, axes ...int) *Node { return g.reduce(reduceMax, x, axes) }

// Min returns the smallest element of x over some axes, which are dropped. All else is as in [Graph.Max].
func (g *Graph) Min(x *Node, axes ...int) *Node { return g.reduce(reduceMin, x, axes) }

// SumKeep is [Graph.Sum] with the axes kept, as extents of 1: (B, T, C) over axis 1 gives (B, 1, C). So the result
// broadcasts against x.
func (g *Graph) SumKeep(x *Node, axes ...int) *Node { return g.keep(x, g.Sum(x, axes...), axes) }

// MeanKeep is [Graph.Mean] with the axes kept, as extents of 1: (B, T, C) over axis 1 gives (B, 1, C). So the result
// broadcasts against x.
func (g *Graph) MeanKeep(x *Node, axes ...int) *Node { return g.keep(x, g.Mean(x, axes...), axes) }

// MaxKeep is [Graph.Max] with the axes kept, as extents of 1: (B, T, C) over axis 1 gives (B, 1, C). So the result
// broadcasts against x.
func (g *Graph) MaxKeep(x *Node, axes ...int) *Node { return g.keep(x, g.Max(x, axes...), axes) }

// MinKeep is [Graph.Min] with the axes kept, as extents of 1: (B, T, C) over axis 1 gives (B, 1, C). So the result
// broadcasts against x.
func (g *Graph) MinKeep(x *Node, axes ...int) *Node { return g.keep(x, g.Min(x, axes...), axes) }

// keep reshapes y, x reduced over the axes.
func (g *Graph) keep(x, y *Node, axes []int) *Node {
	if y == nil {
		return nil
	}
	mask, _ := axisMask(x.meta.Shape, axes)
	return Reduce{Axes: mask}.keep(g, x, y)
}

type reduction uint8

const (
	reduceSum reduction = iota
	reduceMax
	reduceMin
)

func (g *Graph) reduce(kind reduction, x *Node, axes []int) *Node {
	mask, err := axisMask(x.Shape(), axes)
	if err != nil && x != nil {
		return g.Fail(errors.Wrapf(err, "graph: Reduce[%v]", x.meta))
	}
	if mask == 0 && x != nil {
		return x
	}
	return g.Apply(Reduce{kind, mask}, x)
}

// axisMask has bit i for axis i; no axes are all of them.
func axisMask(s Shape, axes []int) (mask uint8, err error) {
	if len(axes) == 0 {
		return uint8(1<<len(s) - 1), nil
	}
	for _, a := range axes {
		i, err := s.Axis(a)
		if err != nil {
			return 0, err
		}
		mask |= 1 << i
	}
	return mask, nil
}

// Reduce is the op of [Graph.Sum], [Graph.Max] and [Graph.Min]; bit i of Axes says that axis i goes.
type Reduce struct {
	Kind reduction
	Axes uint8
}

func (r Reduce) gone(i int) bool { return r.Axes>>i&1 == 1 }

// Infer drops the axes.
func (r Reduce) Infer(in []Meta) (Meta, error) {
	if err := Arity(1, in); err != nil {
		return Meta{}, err
	}
	if !in[0].DType.IsFloat() || int(r.Axes)>>len(in[0].Shape) != 0 || r.Kind > reduceMin {
		return Meta{}, errors.Errorf("kind %d over axes %08b: want a float and axes that it has", r.Kind, r.Axes)
	}
	m := Meta{DType: in[0].DType}
	for i, d := range in[0].Shape {
		if !r.gone(i) {
			m.Shape = append(m.Shape, d)
		}
	}
	return m, nil
}

// keep returns y with the dropped axes as extents of 1.
func (r Reduce) keep(g *Graph, x, y *Node) *Node {
	s := x.meta.Shape.Clone()
	for i := range s {
		if r.gone(i) {
			s[i] = 1
		}
	}
	return g.Reshape(y, s...)
}

// VJP repeats dy along the axes; of a maximum or minimum it goes to the elements that equal it, in equal shares.
func (r Reduce) VJP(g *Graph, x []*Node, y, dy *Node) []*Node {
	d := r.keep(g, x[0], dy)
	if r.Kind == reduceSum {
		return []*Node{g.BroadcastTo(d, x[0].meta.Shape...)}
	}
	hit := g.Apply(Same{}, x[0], r.keep(g, x[0], y))
	return []*Node{g.Mul(hit, g.Div(d, r.keep(g, x[0], g.Apply(Reduce{reduceSum, r.Axes}, hit))))}
}

// Same is 1 where a equals b and 0 elsewhere, with broadcasting. It has no gradient.
type Same struct {
	Binary
	NoGrad
}

// Eval compares.
func (Same) Eval(c *Ctx, out, in []Buf) error {
	return kindSame.eval(c, out, in)
}

// BroadcastTo returns x repeated to a shape, by the rule of [Graph.Add]. x is a float, and the result has its dtype.
// A shape that x does not broadcast to is an error.
func (g *Graph) BroadcastTo(x *Node, shape ...int) *Node {
	if x != nil && x.meta.Shape.Equal(shape) {
		return x
	}
	return g.Apply(BroadcastTo{DimsOf(shape...)}, x)
}

// BroadcastTo is the op of [Graph.BroadcastTo].
type BroadcastTo struct{ Dims Dims }

// Infer broadcasts.
func (b BroadcastTo) Infer(in []Meta) (Meta, error) {
	if err := Arity(1, in); err != nil {
		return Meta{}, err
	}
	m := Meta{in[0].DType, b.Dims.Shape()}
	if err := m.check(); err != nil {
		return Meta{}, err
	}
	s, err := Broadcast(in[0].Shape, m.Shape)
	if err != nil || !s.Equal(m.Shape) || !m.DType.IsFloat() || b.Dims.N > MaxRank {
		return Meta{}, errors.Errorf("%v does not broadcast to %v: want a float whose axes, matched from the last, are equal or 1", in[0], m.Shape)
	}
	return m, nil
}

// VJP sums.
func (BroadcastTo) VJP(g *Graph, x []*Node, _, dy *Node) []*Node { return []*Node{g.SumTo(dy, x[0])} }

// Eval repeats.
func (BroadcastTo) Eval(c *Ctx, out, in []Buf) error {
	return kindLeft.eval(c, out, in)
}
