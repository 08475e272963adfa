package graph

import (
	"math"

	"github.com/ceto-ml/ceto/internal/vec"
)

// Neg returns −x, elementwise. x is a float of any shape; y has the shape and dtype of x.
func (g *Graph) Neg(x *Node) *Node { return g.Scale(x, -1) }

// Scale returns k·x, elementwise. x is a float of any shape; y has the shape and dtype of x. The factor k is rounded
// to that dtype.
func (g *Graph) Scale(x *Node, k float64) *Node { return g.Apply(Affine{K: k}, x) }

// AddScalar returns x + c, elementwise. x is a float of any shape; y has the shape and dtype of x. The constant c is
// rounded to that dtype.
func (g *Graph) AddScalar(x *Node, c float64) *Node { return g.Apply(Affine{K: 1, C: c}, x) }

// Exp returns eˣ, elementwise. x is a float of any shape; y has the shape and dtype of x.
func (g *Graph) Exp(x *Node) *Node { return g.Apply(Exp{}, x) }

// Log returns the natural logarithm of x, elementwise. x is a float of any shape; y has the shape and dtype of x. It
// is −Inf at 0 and NaN below 0.
func (g *Graph) Log(x *Node) *Node { return g.Apply(Log{}, x) }

// Sqrt returns √x, elementwise. x is a float of any shape; y has the shape and dtype of x. It is NaN below 0.
func (g *Graph) Sqrt(x *Node) *Node { return g.Apply(Sqrt{}, x) }

// Pow returns xᵖ for a constant p, elementwise. x is a float of any shape; y has the shape and dtype of x. It is NaN
// where x is negative and p is not whole. With p = 1 it is x itself.
func (g *Graph) Pow(x *Node, p float64) *Node {
	if p == 1 && x != nil {
		return x
	}
	return g.Apply(Pow{p}, x)
}

// Abs returns |x|, elementwise. x is a float of any shape; y has the shape and dtype of x. The derivative at 0 is 0.
func (g *Graph) Abs(x *Node) *Node { return g.Apply(Abs{}, x) }

// Affine is the op of [Graph.Scale] and [Graph.AddScalar]: K·x + C.
type Affine struct {
	Unary
	K, C float64
}

// VJP returns dx = K·dy.
func (a Affine) VJP(g *Graph, _ []*Node, _, dy *Node) []*Node { return []*Node{g.Scale(dy, a.K)} }

// Eval computes K·x + C.
func (a Affine) Eval(c *Ctx, out, in []Buf) error {
	return evalConst(c, out, in, a.K, a.C, affine[float32], affine[float64])
}

func affine[T Float](y, x []T, k, c float64) {
	switch {
	case c == 0:
		vec.Scale(y, x, T(k))
	case k == 1:
		vec.AddScalar(y, x, T(c))
	default:
		for i, v := range x {
			y[i] = T(k)*v + T(c)
		}
	}
}

// The ops of one operand.
type (
	// Exp is the op of [Graph.Exp].
	Exp struct{ Unary }
	// Log is the op of [Graph.Log].
	Log struct{ Unary }
	// Sqrt is the op of [Graph.Sqrt].
	Sqrt struct{ Unary }
	// Abs is the op of [Graph.Abs].
	Abs struct{ Unary }
)

// Pow is the op of [Graph.Pow].
type Pow struct{ P float64 }

// Infer returns the operand's meta.
func (Pow) Infer(in []Meta) (Meta, error) { return SameMeta(1, in) }

// Overwrites allows the result over the operand.
func (Pow) Overwrites(int, int) bool { return true }

// VJP returns dx = dy·y.
func (Exp) VJP(g *Graph, _ []*Node, y, dy *Node) []*Node { return []*Node{g.Mul(dy, y)} }

// VJP returns dx = dy/x.
func (Log) VJP(g *Graph, x []*Node, _, dy *Node) []*Node { return []*Node{g.Div(dy, x[0])} }

// VJP returns dx = ½·dy/y.
func (Sqrt) VJP(g *Graph, _ []*Node, y, dy *Node) []*Node {
	return []*Node{g.Scale(g.Div(dy, y), 0.5)}
}

// VJP returns dx = dy·p·xᵖ⁻¹, 0 for p = 0 also where x is.
func (p Pow) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	if p.P == 0 {
		return []*Node{g.Full(x[0].meta, 0)}
	}
	return []*Node{g.Scale(g.Mul(dy, g.Pow(x[0], p.P-1)), p.P)}
}

// VJP returns dx = dy·sign x.
func (Abs) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.Apply(AbsGrad{}, x[0], dy)}
}

// AbsGrad computes dy·sign x.
type AbsGrad struct{ UnaryGrad }

// Eval computes eˣ.
func (Exp) Eval(c *Ctx, out, in []Buf) error {
	return Map1(c, out, in, vec.Exp[float32], vec.Exp[float64])
}

// Eval computes ln x.
func (Log) Eval(c *Ctx, out, in []Buf) error {
	return Map1(c, out, in, vec.Log[float32], vec.Log[float64])
}

// Eval computes √x.
func (Sqrt) Eval(c *Ctx, out, in []Buf) error { return Map1(c, out, in, sqrt[float32], sqrt[float64]) }

// Eval computes |x|.
func (Abs) Eval(c *Ctx, out, in []Buf) error { return Map1(c, out, in, abs[float32], abs[float64]) }

// Eval computes dy·sign x.
func (AbsGrad) Eval(c *Ctx, out, in []Buf) error {
	return Map2(c, out, in, absGrad[float32], absGrad[float64])
}

// Eval computes xᵖ.
func (p Pow) Eval(c *Ctx, out, in []Buf) error {
	return evalConst(c, out, in, p.P, 0, pow[float32], pow[float64])
}

func sqrt[T Float](y, x []T) {
	for i, v := range x {
		y[i] = T(math.Sqrt(float64(v)))
	}
}

func abs[T Float](y, x []T) {
	for i, v := range x {
		y[i] = T(math.Abs(float64(v)))
	}
}

func absGrad[T Float](dx, x, dy []T) {
	for i, v := range x {
		switch {
		case v > 0:
			dx[i] = dy[i]
		case v < 0:
			dx[i] = -dy[i]
		default:
			dx[i] = 0 * v
		}
	}
}

func pow[T Float](y, x []T, p, _ float64) {
	switch p {
	case 2:
		vec.Mul(y, x, x)
	case 0.5:
		sqrt(y, x)
	case -1:
		for i, v := range x {
			y[i] = 1 / v
		}
	default:
		for i, v := range x {
			y[i] = T(math.Pow(float64(v), p))
		}
	}
}
