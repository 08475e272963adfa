package graph

import (
	"math"

	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// GlobalNorm returns the Euclidean norm of all elements of all x together, a scalar of their dtype:
//
//	√ Σ x²
//
// The x are floats of one dtype, of any shapes and at least one of them. The sum over each x is in float64 and in a
// fixed order. It has no gradient.
func (g *Graph) GlobalNorm(x ...*Node) *Node {
	sums := make([]*Node, len(x))
	for i, n := range x {
		sums[i] = g.Apply(SumSq{}, n)
	}
	if len(sums) == 0 {
		return g.Fail(errors.New("graph: GlobalNorm: want at least one operand"))
	}
	for len(sums) > 1 {
		var next []*Node
		for at := 0; at < len(sums); at += maxOperands {
			next = append(next, g.Apply(Total{}, sums[at:min(len(sums), at+maxOperands)]...))
		}
		sums = next
	}
	return g.Sqrt(sums[0])
}

// SumSq is Σ x², a scalar, without a gradient.
type SumSq struct{ NoGrad }

// Infer gives a scalar.
func (SumSq) Infer(in []Meta) (Meta, error) {
	m, err := SameMeta(1, in)
	return Of(m.DType), err
}

// Scratch holds a partial sum for each part.
func (SumSq) Scratch(in []Meta) int { return 8 * Parts(in[0].Size(), PartSize) }

// squares is the work of a SumSq.
type squares[T Float] struct {
	x    []T
	sums []float64
}

// Eval sums.
func (o SumSq) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(in[0].DType, o, c, out, in, sumSq[float32], sumSq[float64])
}

func sumSq[T Float](_ SumSq, c *Ctx, out, in []Buf) error {
	n := Parts(in[0].Size(), PartSize)
	sums, sum := ScratchOf[float64](c, 0, n), 0.0
	EachPart(c, n, squares[T]{Data[T](in[0]), sums})
	for _, v := range sums {
		sum += v
	}
	out[0].Set(0, sum)
	return nil
}

func (w *squares[T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.x), PartSize)
	w.sums[i] = vec.SumSq(w.x[lo:hi])
}

// Total is the sum of scalars, without a gradient.
type Total struct{ NoGrad }

// Infer wants scalars.
func (Total) Infer(in []Meta) (Meta, error) {
	if len(in) == 0 || len(in[0].Shape) != 0 {
		return Meta{}, errors.New("want scalars")
	}
	return SameMeta(len(in), in)
}

// Eval adds in order.
func (Total) Eval(_ *Ctx, out, in []Buf) error {
	sum := 0.0
	for _, b := range in {
		sum += b.At(0)
	}
	out[0].Set(0, sum)
	return nil
}

// ClipScale returns the factor that turns a summed gradient into a clipped mean:
//
//	min(1, limit/(norm/weight + 1e-6))/weight
//
// norm is the summed gradient's norm and weight the number that it is divided by, both scalars of one float dtype,
// which the result has. A limit of 0 clips nothing, and the factor is 1/weight; a negative one is an error. Where the
// weight is 0 nothing was summed, and the result is 0. It has no gradient. Source: Pascanu et al. 2013,
// arXiv:1211.5063, section 3.2; 1e-6 as in PyTorch.
func (g *Graph) ClipScale(norm, weight *Node, limit float64) *Node {
	return g.Apply(ClipScale{Limit: limit}, norm, weight)
}

// ClipScale is the op of [Graph.ClipScale].
type ClipScale struct {
	NoGrad
	Limit float64
}

// Infer wants scalars.
func (o ClipScale) Infer(in []Meta) (Meta, error) {
	m, err := SameMeta(2, in)
	if err == nil && (len(m.Shape) != 0 || !(o.Limit >= 0)) {
		err = errors.Errorf("want scalars and a limit of 0 or more, not %g", o.Limit)
	}
	return m, err
}

// Eval computes the factor.
func (o ClipScale) Eval(_ *Ctx, out, in []Buf) error {
	norm, weight := in[0].At(0), in[1].At(0)
	if weight == 0 {
		out[0].Set(0, 0)
		return nil
	}
	f := 1.0
	if o.Limit > 0 {
		f = math.Min(1, o.Limit/(norm/weight+1e-6))
	}
	out[0].Set(0, f/weight)
	return nil
}
