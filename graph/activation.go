package graph

import (
	"math"

	"github.com/ceto-ml/ceto/internal/vec"
)

// Tanh returns the hyperbolic tangent, elementwise:
//
//	y = (eˣ − e⁻ˣ)/(eˣ + e⁻ˣ)
//
// x is a float of any shape; y has the shape and dtype of x. A value of ids is an error.
func (g *Graph) Tanh(x *Node) *Node { return g.Apply(Tanh{}, x) }

// Sigmoid returns the logistic function, elementwise:
//
//	y = 1/(1 + e⁻ˣ)
//
// x is a float of any shape; y has the shape and dtype of x.
func (g *Graph) Sigmoid(x *Node) *Node { return g.Apply(Sigmoid{}, x) }

// ReLU returns max(x, 0), elementwise. x is a float of any shape; y has the shape and dtype of x. The derivative at 0
// is 0. NaN gives NaN.
func (g *Graph) ReLU(x *Node) *Node { return g.Apply(ReLU{}, x) }

// LeakyReLU returns x where x > 0 and slope·x elsewhere. x is a float of any shape; y has the shape and dtype of x.
// The derivative at 0 is the slope.
func (g *Graph) LeakyReLU(x *Node, slope float64) *Node { return g.Apply(LeakyReLU{Slope: slope}, x) }

// ELU returns x where x > 0 and α·(eˣ − 1) elsewhere. x is a float of any shape; y has the shape and dtype of x. The
// derivative at 0 is α. Source: Clevert et al. 2016, arXiv:1511.07289, equation 15.
func (g *Graph) ELU(x *Node, alpha float64) *Node { return g.Apply(ELU{Alpha: alpha}, x) }

// GELU returns the tanh approximation of x·Φ(x), elementwise, where Φ is the distribution function of N(0, 1):
//
//	y = ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
//
// x is a float of any shape; y has the shape and dtype of x. Source: Hendrycks and Gimpel, arXiv:1606.08415, section
// 2.
func (g *Graph) GELU(x *Node) *Node { return g.Apply(GELU{}, x) }

// GELUErf returns x·Φ(x) without approximation, elementwise:
//
//	y = ½·x·(1 + erf(x/√2))
//
// x is a float of any shape; y has the shape and dtype of x. Source: as [Graph.GELU].
func (g *Graph) GELUErf(x *Node) *Node { return g.Apply(GELUErf{}, x) }

// SiLU returns x·sigmoid(x), elementwise. x is a float of any shape; y has the shape and dtype of x. Source: Elfwing
// et al. 2017, arXiv:1702.03118.
func (g *Graph) SiLU(x *Node) *Node { return g.Apply(SiLU{}, x) }

// Softplus returns a smooth form of max(x, 0), elementwise:
//
//	y = ln(1 + eˣ)
//
// x is a float of any shape; y has the shape and dtype of x. It is computed in float64 and finite for every finite x.
func (g *Graph) Softplus(x *Node) *Node { return g.Apply(Softplus{}, x) }

// The activations and their derivatives.
type (
	// Tanh is the op of [Graph.Tanh].
	Tanh struct{ Unary }
	// Sigmoid is the op of [Graph.Sigmoid].
	Sigmoid struct{ Unary }
	// ReLU is the op of [Graph.ReLU].
	ReLU struct{ Unary }
	// GELU is the op of [Graph.GELU].
	GELU struct{ Unary }
	// GELUErf is the op of [Graph.GELUErf].
	GELUErf struct{ Unary }
	// SiLU is the op of [Graph.SiLU].
	SiLU struct{ Unary }
	// Softplus is the op of [Graph.Softplus].
	Softplus struct{ Unary }
	// LeakyReLU is the op of [Graph.LeakyReLU].
	LeakyReLU struct {
		Unary
		Slope float64
	}
	// ELU is the op of [Graph.ELU].
	ELU struct {
		Unary
		Alpha float64
	}
	// TanhGrad computes dy·(1 − y²) from y and dy.
	TanhGrad struct{ UnaryGrad }
	// SigmoidGrad computes dy·y·(1 − y) from y and dy.
	SigmoidGrad struct{ UnaryGrad }
	// ReLUGrad computes dy where x > 0, from x and dy.
	ReLUGrad struct{ UnaryGrad }
	// GELUGrad computes dy·gelu′(x) from x and dy.
	GELUGrad struct{ UnaryGrad }
	// GELUErfGrad computes dy·(Φ(x) + x·φ(x)) from x and dy.
	GELUErfGrad struct{ UnaryGrad }
	// SiLUGrad computes dy·s·(1 + x·(1 − s)), s = sigmoid x, from x and dy.
	SiLUGrad struct{ UnaryGrad }
	// LeakyReLUGrad computes dy or Slope·dy from x and dy.
	LeakyReLUGrad struct {
		UnaryGrad
		Slope float64
	}
	// ELUGrad computes dy or dy·α·eˣ from x and dy.
	ELUGrad struct {
		UnaryGrad
		Alpha float64
	}
)

// VJP applies [TanhGrad].
func (Tanh) VJP(g *Graph, _ []*Node, y, dy *Node) []*Node {
	return []*Node{g.Apply(TanhGrad{}, y, dy)}
}

// VJP applies [SigmoidGrad].
func (Sigmoid) VJP(g *Graph, _ []*Node, y, dy *Node) []*Node {
	return []*Node{g.Apply(SigmoidGrad{}, y, dy)}
}

// VJP applies [ReLUGrad].
func (ReLU) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.Apply(ReLUGrad{}, x[0], dy)}
}

// VJP applies [GELUGrad].
func (GELU) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.Apply(GELUGrad{}, x[0], dy)}
}

// VJP applies [GELUErfGrad].
func (GELUErf) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.Apply(GELUErfGrad{}, x[0], dy)}
}

// VJP applies [SiLUGrad].
func (SiLU) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.Apply(SiLUGrad{}, x[0], dy)}
}

// VJP returns dx = dy·sigmoid x.
func (Softplus) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.Mul(dy, g.Sigmoid(x[0]))}
}

// VJP applies [LeakyReLUGrad].
func (l LeakyReLU) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.Apply(LeakyReLUGrad{Slope: l.Slope}, x[0], dy)}
}

// VJP applies [ELUGrad].
func (e ELU) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.Apply(ELUGrad{Alpha: e.Alpha}, x[0], dy)}
}

// Eval computes tanh.
func (Tanh) Eval(c *Ctx, out, in []Buf) error {
	return Map1(c, out, in, vec.Tanh[float32], vec.Tanh[float64])
}

// Eval computes the sigmoid.
func (Sigmoid) Eval(c *Ctx, out, in []Buf) error {
	return Map1(c, out, in, vec.Sigmoid[float32], vec.Sigmoid[float64])
}

// Eval computes max(x, 0).
func (ReLU) Eval(c *Ctx, out, in []Buf) error {
	return Map1(c, out, in, vec.ReLU[float32], vec.ReLU[float64])
}

// Eval computes gelu.
func (GELU) Eval(c *Ctx, out, in []Buf) error {
	return Map1(c, out, in, vec.GELU[float32], vec.GELU[float64])
}

// Eval computes x·Φ(x).
func (GELUErf) Eval(c *Ctx, out, in []Buf) error {
	return Map1(c, out, in, vec.GELUErf[float32], vec.GELUErf[float64])
}

// Eval computes x·sigmoid x.
func (SiLU) Eval(c *Ctx, out, in []Buf) error {
	return Map1(c, out, in, vec.SiLU[float32], vec.SiLU[float64])
}

// Eval computes ln(1 + eˣ).
func (Softplus) Eval(c *Ctx, out, in []Buf) error {
	return Map1(c, out, in, softplus[float32], softplus[float64])
}

// Eval computes the derivative.
func (TanhGrad) Eval(c *Ctx, out, in []Buf) error {
	return Map2(c, out, in, tanhGrad[float32], tanhGrad[float64])
}

// Eval computes the derivative.
func (SigmoidGrad) Eval(c *Ctx, out, in []Buf) error {
	return Map2(c, out, in, sigmoidGrad[float32], sigmoidGrad[float64])
}

// Eval computes the derivative.
func (ReLUGrad) Eval(c *Ctx, out, in []Buf) error {
	return Map2(c, out, in, vec.ReLUGrad[float32], vec.ReLUGrad[float64])
}

// Eval computes the derivative.
func (GELUGrad) Eval(c *Ctx, out, in []Buf) error {
	return Map2(c, out, in, vec.GELUGrad[float32], vec.GELUGrad[float64])
}

// Eval computes the derivative.
func (GELUErfGrad) Eval(c *Ctx, out, in []Buf) error {
	return Map2(c, out, in, vec.GELUErfGrad[float32], vec.GELUErfGrad[float64])
}

// Eval computes the derivative.
func (SiLUGrad) Eval(c *Ctx, out, in []Buf) error {
	return Map2(c, out, in, vec.SiLUGrad[float32], vec.SiLUGrad[float64])
}

// Eval computes x or Slope·x.
func (l LeakyReLU) Eval(c *Ctx, out, in []Buf) error {
	return evalConst(c, out, in, l.Slope, 0, leaky[float32], leaky[float64])
}

// Eval computes x or α·(eˣ − 1).
func (e ELU) Eval(c *Ctx, out, in []Buf) error {
	return evalConst(c, out, in, e.Alpha, 0, elu[float32], elu[float64])
}

// Eval computes the derivative.
func (l LeakyReLUGrad) Eval(c *Ctx, out, in []Buf) error {
	return evalSlope(c, out, in, l.Slope, leakyGrad[float32], leakyGrad[float64])
}

// Eval computes the derivative.
func (e ELUGrad) Eval(c *Ctx, out, in []Buf) error {
	return evalSlope(c, out, in, e.Alpha, eluGrad[float32], eluGrad[float64])
}

func softplus[T Float](y, x []T) {
	for i, v := range x {
		y[i] = T(math.Max(float64(v), 0) + math.Log1p(math.Exp(-math.Abs(float64(v)))))
	}
}

func tanhGrad[T Float](dx, y, dy []T) {
	for i, v := range y {
		dx[i] = dy[i] * (1 - v*v)
	}
}

func sigmoidGrad[T Float](dx, y, dy []T) {
	for i, v := range y {
		dx[i] = dy[i] * v * (1 - v)
	}
}

func leaky[T Float](y, x []T, slope, _ float64) {
	for i, v := range x {
		if v > 0 {
			y[i] = v
		} else {
			y[i] = T(slope) * v
		}
	}
}

func leakyGrad[T Float](dx, x, dy []T, slope float64) {
	for i, v := range x {
		if v > 0 {
			dx[i] = dy[i]
		} else {
			dx[i] = T(slope) * dy[i]
		}
	}
}

func elu[T Float](y, x []T, alpha, _ float64) {
	for i, v := range x {
		if v > 0 {
			y[i] = v
		} else {
			y[i] = T(alpha * math.Expm1(float64(v)))
		}
	}
}

func eluGrad[T Float](dx, x, dy []T, alpha float64) {
	for i, v := range x {
		if v > 0 {
			dx[i] = dy[i]
		} else {
			dx[i] = dy[i] * T(alpha*math.Exp(float64(v)))
		}
	}
}
