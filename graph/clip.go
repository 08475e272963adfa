package graph

import (
	"math"

	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// GlobalNorm returns √Σ x² over all elements of all x, floats of one dtype: a scalar. The sum over each x is in float64
// and in a fixed order. It has no gradient.
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
type SumSq struct{ noGrad }

// Infer gives a scalar.
func (SumSq) Infer(in []Meta) (Meta, error) {
	m, err := sameMeta(1, in)
	return Of(m.DType), err
}

// Scratch holds a partial sum for each part.
func (SumSq) Scratch(in []Meta) int { return 8 * parts(in[0].Size(), partSize) }

// squares is the work of a SumSq.
type squares[T Float] struct {
	x    []T
	sums []float64
}

// Eval sums.
func (SumSq) Eval(c *Ctx, out, in []Buf) error {
	if in[0].DType == Float64 {
		setScalar(out[0], sumSq[float64](c, in[0]))
	} else {
		setScalar(out[0], sumSq[float32](c, in[0]))
	}
	return nil
}

func sumSq[T Float](c *Ctx, x Buf) (sum float64) {
	n := parts(x.Size(), partSize)
	sums := ScratchOf[float64](c, 0, n)
	eachPart(c, n, squares[T]{Data[T](x), sums})
	for _, v := range sums {
		sum += v
	}
	return sum
}

func (w *squares[T]) part(i, _ int) {
	lo, hi := span(i, len(w.x), partSize)
	w.sums[i] = vec.SumSq(w.x[lo:hi])
}

// Total is the sum of scalars, without a gradient.
type Total struct{ noGrad }

// Infer wants scalars.
func (Total) Infer(in []Meta) (Meta, error) {
	if len(in) == 0 || len(in[0].Shape) != 0 {
		return Meta{}, errors.New("want scalars")
	}
	return sameMeta(len(in), in)
}

// Eval adds in order.
func (Total) Eval(_ *Ctx, out, in []Buf) error {
	sum := 0.0
	for _, b := range in {
		sum += scalar(b)
	}
	setScalar(out[0], sum)
	return nil
}

// setScalar stores v in a float scalar.
func setScalar(b Buf, v float64) {
	if b.DType == Float64 {
		Data[float64](b)[0] = v
	} else {
		Data[float32](b)[0] = float32(v)
	}
}

// scalar reads a float scalar.
func scalar(b Buf) float64 {
	if b.DType == Float64 {
		return Data[float64](b)[0]
	}
	return float64(Data[float32](b)[0])
}

// ClipScale returns what to multiply a summed gradient by: 1/weight, and where the mean gradient's norm is above limit
// (if that is not 0) limit over it.
//
//	min(1, limit/(norm/weight + 1e-6))/weight
//
// Norm and weight are scalars. Where the weight is 0 nothing was summed, and the result is 0. Source: Pascanu et al. 2013, arXiv:1211.5063, section 3.2; 1e-6 as in PyTorch.
func (g *Graph) ClipScale(norm, weight *Node, limit float64) *Node {
	return g.Apply(ClipScale{Limit: limit}, norm, weight)
}

// ClipScale is the op of [Graph.ClipScale].
type ClipScale struct {
	noGrad
	Limit float64
}

// Infer wants scalars.
func (o ClipScale) Infer(in []Meta) (Meta, error) {
	m, err := sameMeta(2, in)
	if err == nil && (len(m.Shape) != 0 || !(o.Limit >= 0)) {
		err = errors.Errorf("want scalars and a limit of 0 or more, not %g", o.Limit)
	}
	return m, err
}

// Eval computes the factor.
func (o ClipScale) Eval(_ *Ctx, out, in []Buf) error {
	norm, weight := scalar(in[0]), scalar(in[1])
	if weight == 0 {
		setScalar(out[0], 0)
		return nil
	}
	f := 1.0
	if o.Limit > 0 {
		f = math.Min(1, o.Limit/(norm/weight+1e-6))
	}
	setScalar(out[0], f/weight)
	return nil
}
