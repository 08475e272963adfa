package graph

import "github.com/pkg/errors"

// Add returns a + b, elementwise with NumPy's broadcasting: (B, T, C) + (C) is (B, T, C). Axes are matched from the
// last one on. An axis of extent 1, or one that is missing, repeats.
//
// a and b are floats of one dtype, which the result has. Another dtype, or shapes that do not broadcast, are an
// error.
func (g *Graph) Add(a, b *Node) *Node { return g.Apply(Add{}, a, b) }

// Sub returns a − b, elementwise. a and b are floats of one dtype, which the result has; they broadcast as in
// [Graph.Add].
func (g *Graph) Sub(a, b *Node) *Node { return g.Apply(Sub{}, a, b) }

// Mul returns a·b, elementwise. a and b are floats of one dtype, which the result has; they broadcast as in
// [Graph.Add].
func (g *Graph) Mul(a, b *Node) *Node { return g.Apply(Mul{}, a, b) }

// Div returns a/b, elementwise. a and b are floats of one dtype, which the result has; they broadcast as in
// [Graph.Add]. Division by 0 gives an infinity or NaN, as in Go.
func (g *Graph) Div(a, b *Node) *Node { return g.Apply(Div{}, a, b) }

// Maximum returns the larger of a and b, elementwise. a and b are floats of one dtype, which the result has; they
// broadcast as in [Graph.Add]. Where they are equal each gets half the gradient. NaN in either gives NaN.
func (g *Graph) Maximum(a, b *Node) *Node { return g.Apply(Maximum{}, a, b) }

// Minimum returns the smaller of a and b, elementwise. a and b are floats of one dtype, which the result has; they
// broadcast as in [Graph.Add]. Equal elements and NaN are as in [Graph.Maximum].
func (g *Graph) Minimum(a, b *Node) *Node { return g.Apply(Minimum{}, a, b) }

// Broadcast returns the shape of an elementwise result of operands of shapes a and b, by the rule of [Graph.Add].
// Shapes that do not broadcast are an error that names the axes.
func Broadcast(a, b Shape) (Shape, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := a.Clone()
	for i := range b {
		j := len(a) - len(b) + i
		switch {
		case a[j] == b[i] || b[i] == 1:
		case a[j] == 1:
			out[j] = b[i]
		default:
			return nil, errors.Errorf("shapes %v and %v do not broadcast: axes of %d and %d", a, b, a[j], b[i])
		}
	}
	return out, nil
}

// Binary is embedded in an elementwise op of two operands: floats of one dtype that broadcast as in [Graph.Add]. It
// gives the methods Infer and Overwrites, so that the op itself needs VJP and Eval only.
type Binary struct{}

// Infer broadcasts.
func (Binary) Infer(in []Meta) (Meta, error) {
	if err := Arity(2, in); err != nil {
		return Meta{}, err
	}
	if in[0].DType != in[1].DType || !in[0].DType.IsFloat() {
		return Meta{}, errors.New("want floats of one dtype")
	}
	s, err := Broadcast(in[0].Shape, in[1].Shape)
	return Meta{in[0].DType, s}, err
}

// Overwrites allows either operand; the plan checks that its size is the result's.
func (Binary) Overwrites(int, int) bool { return true }

// The ops of two operands.
type (
	// Add is the op of [Graph.Add].
	Add struct{ Binary }
	// Sub is the op of [Graph.Sub].
	Sub struct{ Binary }
	// Mul is the op of [Graph.Mul].
	Mul struct{ Binary }
	// Div is the op of [Graph.Div].
	Div struct{ Binary }
	// Maximum is the op of [Graph.Maximum].
	Maximum struct{ Binary }
	// Minimum is the op of [Graph.Minimum].
	Minimum struct{ Binary }
)

// VJP returns da = dy, db = dy, summed over what was broadcast.
func (Add) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.SumTo(dy, x[0]), g.SumTo(dy, x[1])}
}

// VJP returns da = dy, db = −dy.
func (Sub) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.SumTo(dy, x[0]), g.Neg(g.SumTo(dy, x[1]))}
}

// VJP returns da = dy·b, db = dy·a.
func (Mul) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.SumTo(g.Mul(dy, x[1]), x[0]), g.SumTo(g.Mul(dy, x[0]), x[1])}
}

// VJP returns da = dy/b, db = −dy·y/b.
func (Div) VJP(g *Graph, x []*Node, y, dy *Node) []*Node {
	da := g.Div(dy, x[1])
	return []*Node{g.SumTo(da, x[0]), g.Neg(g.SumTo(g.Mul(da, y), x[1]))}
}

// VJP gives dy to the larger operand.
func (Maximum) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.SumTo(g.Mul(dy, g.Apply(Heaviside{}, x[0], x[1])), x[0]), g.SumTo(g.Mul(dy, g.Apply(Heaviside{}, x[1], x[0])), x[1])}
}

// VJP gives dy to the smaller operand.
func (Minimum) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.SumTo(g.Mul(dy, g.Apply(Heaviside{}, x[1], x[0])), x[0]), g.SumTo(g.Mul(dy, g.Apply(Heaviside{}, x[0], x[1])), x[1])}
}

// Heaviside is the step function of a − b, with broadcasting: 1 where a > b, ½ where they are equal and 0 where a < b.
// It has no gradient.
type Heaviside struct {
	Binary
	NoGrad
}

// SumTo returns dy summed over the axes along which x was broadcast to dy's shape; the result has the shape of x. The
// VJP of a broadcasting op makes the gradient of x with it. Where no axis was broadcast the result is dy itself. Both
// are floats of one dtype; the sum is that of [Graph.Sum].
func (g *Graph) SumTo(dy, x *Node) *Node {
	if dy == nil || x == nil || dy.meta.Shape.Equal(x.meta.Shape) {
		return dy
	}
	off := len(dy.meta.Shape) - len(x.meta.Shape)
	var axes []int
	for i := range dy.meta.Shape {
		if i < off || x.meta.Shape[i-off] != dy.meta.Shape[i] {
			axes = append(axes, i)
		}
	}
	return g.Reshape(g.Sum(dy, axes...), x.meta.Shape...)
}

// binaryKind says which function of two numbers an op computes.
type binaryKind uint8

const (
	kindAdd binaryKind = iota
	kindSub
	kindMul
	kindDiv
	kindMax
	kindMin
	kindHeaviside
	kindSame
	kindLeft
)

// Eval adds.
func (Add) Eval(c *Ctx, out, in []Buf) error { return kindAdd.eval(c, out, in) }

// Eval subtracts.
func (Sub) Eval(c *Ctx, out, in []Buf) error { return kindSub.eval(c, out, in) }

// Eval multiplies.
func (Mul) Eval(c *Ctx, out, in []Buf) error { return kindMul.eval(c, out, in) }

// Eval divides.
func (Div) Eval(c *Ctx, out, in []Buf) error { return kindDiv.eval(c, out, in) }

// Eval takes the larger; NaN wins.
func (Maximum) Eval(c *Ctx, out, in []Buf) error {
	return kindMax.eval(c, out, in)
}

// Eval takes the smaller; NaN wins.
func (Minimum) Eval(c *Ctx, out, in []Buf) error {
	return kindMin.eval(c, out, in)
}

// Eval compares.
func (Heaviside) Eval(c *Ctx, out, in []Buf) error {
	return kindHeaviside.eval(c, out, in)
}
