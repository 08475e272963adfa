// Package loss has the ops that compare values with targets: squared, absolute, Huber and binary cross-entropy losses.
//
//	l := loss.MSE(g, y, t) // y and t (B, 3): Σ (y − t)², a scalar
//
// A loss is a sum over all elements; divide it by their number for the mean. The sum is in float64 whatever the
// dtype. All losses take values y and targets t, floats of one dtype and shape, and return a scalar of that dtype.
// Operands that do not fit are an error of the graph, see [graph.Graph.Err]; then the result is nil. Each has a
// gradient for y and for t.
//
// The package also shows how ops live outside package graph: it uses what package graph exports, and nothing else.
package loss

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// MSE returns the sum of the squared errors:
//
//	Σ (y − t)²
//
// y and t have one shape and float dtype; the result is a scalar of that dtype, summed in float64. Divided by the
// number m of elements it is the mean squared error in the 1/m convention; see [HalfMSE] for the other.
func MSE(g *graph.Graph, y, t *graph.Node) *graph.Node {
	return g.Apply(Compare{Kind: SquaredError}, y, t)
}

// HalfMSE returns half the sum of the squared errors:
//
//	½·Σ (y − t)²
//
// Shapes and dtypes are those of [MSE]. Divided by the number m of elements it is the mean squared error in the 1/(2m)
// convention.
func HalfMSE(g *graph.Graph, y, t *graph.Node) *graph.Node {
	return g.Apply(Compare{Kind: HalfSquaredError}, y, t)
}

// L1 returns the sum of the absolute errors:
//
//	Σ |y − t|
//
// Shapes and dtypes are those of [MSE]. The derivative where y equals t is 0.
func L1(g *graph.Graph, y, t *graph.Node) *graph.Node {
	return g.Apply(Compare{Kind: AbsoluteError}, y, t)
}

// Huber returns a sum that is quadratic for small errors and linear for large ones. With d = y − t it adds up
//
//	½·d²            where |d| ≤ δ
//	δ·(|d| − ½·δ)   elsewhere
//
// Shapes and dtypes are those of [MSE]. A delta that is not above 0 is an error. Source: Huber, Annals of Mathematical
// Statistics 35, 1964.
func Huber(g *graph.Graph, y, t *graph.Node, delta float64) *graph.Node {
	return g.Apply(Compare{Kind: HuberError, Delta: delta}, y, t)
}

// BCEWithLogits returns the sum of the binary cross-entropies of logits z with targets t in [0, 1], in nats:
//
//	Σ ln(1 + e^z) − t·z
//
// Shapes and dtypes are those of [MSE]. It is computed in a form that is finite for every finite z. That the targets
// lie in [0, 1] is not checked.
func BCEWithLogits(g *graph.Graph, z, t *graph.Node) *graph.Node {
	return g.Apply(Compare{Kind: CrossEntropy}, z, t)
}

// Kind says which loss a [Compare] sums.
type Kind uint8

// The losses of [Compare], in the order in which plans print them.
const (
	SquaredError Kind = iota
	AbsoluteError
	HuberError
	CrossEntropy // binary, of logits
	HalfSquaredError
)

// Compare is the op of [MSE], [HalfMSE], [L1], [Huber] and [BCEWithLogits].
type Compare struct {
	Kind  Kind
	Delta float64 // δ of HuberError, else 0
}

// Infer gives a scalar.
func (o Compare) Infer(in []graph.Meta) (graph.Meta, error) {
	m, err := graph.SameMeta(2, in)
	if err == nil && (o.Kind > HalfSquaredError || o.Kind == HuberError && !(o.Delta > 0)) {
		err = errors.Errorf("kind %d, delta %g: want delta above 0", o.Kind, o.Delta)
	}
	return graph.Of(m.DType), err
}

// VJP returns the gradients of y and t. That of t is the one of y with the sign changed, but −z·dy for CrossEntropy.
func (o Compare) VJP(g *graph.Graph, x []*graph.Node, _, dy *graph.Node) []*graph.Node {
	d := g.Apply(CompareGrad{Compare: o}, x[0], x[1], dy)
	if o.Kind == CrossEntropy {
		return []*graph.Node{d, g.Neg(g.Mul(x[0], dy))}
	}
	return []*graph.Node{d, g.Neg(d)}
}

// Scratch holds a partial sum for each part.
func (o Compare) Scratch(in []graph.Meta) int { return 8 * graph.Parts(in[0].Size(), graph.PartSize) }

// compared is the work of a Compare.
type compared[T graph.Float] struct {
	o    Compare
	y, t []T
	sums []float64
}

// Eval sums.
func (o Compare) Eval(c *graph.Ctx, out, in []graph.Buf) error {
	return graph.EvalFloat(in[0].DType, o, c, out, in, compareSum[float32], compareSum[float64])
}

func compareSum[T graph.Float](o Compare, c *graph.Ctx, out, in []graph.Buf) error {
	n := graph.Parts(in[0].Size(), graph.PartSize)
	w := compared[T]{o: o, y: graph.Data[T](in[0]), t: graph.Data[T](in[1]), sums: graph.ScratchOf[float64](c, 0, n)}
	graph.EachPart(c, n, w)
	sum := 0.0
	for _, v := range w.sums {
		sum += v
	}
	out[0].Set(0, sum)
	return nil
}

// Part sums a part.
func (w *compared[T]) Part(i, _ int) {
	lo, hi := graph.Span(i, len(w.y), graph.PartSize)
	y, t, s := w.y[lo:hi], w.t[lo:hi], 0.0
	switch w.o.Kind {
	case SquaredError, HalfSquaredError:
		for k, v := range y {
			d := float64(v) - float64(t[k])
			s += d * d
		}
		if w.o.Kind == HalfSquaredError {
			s /= 2
		}
	default:
		for k, v := range y {
			s += w.o.loss(float64(v), float64(t[k]))
		}
	}
	w.sums[i] = s
}

// loss is the loss of one element, but for the squares.
func (o Compare) loss(y, t float64) float64 {
	d := math.Abs(y - t)
	switch {
	case o.Kind == AbsoluteError:
		return d
	case o.Kind == CrossEntropy:
		return math.Max(y, 0) + math.Log1p(math.Exp(-math.Abs(y))) - t*y
	case d <= o.Delta:
		return d * d / 2
	}
	return o.Delta * (d - o.Delta/2)
}

// slope is the derivative of one element's loss by y.
func (o Compare) slope(y, t float64) float64 {
	d := y - t
	switch {
	case o.Kind == SquaredError:
		return 2 * d
	case o.Kind == HalfSquaredError:
		return d
	case o.Kind == CrossEntropy:
		return 1/(1+math.Exp(-y)) - t
	case o.Kind == HuberError && math.Abs(d) <= o.Delta:
		return d
	case o.Kind == HuberError:
		return math.Copysign(o.Delta, d)
	case d == 0:
		return 0
	case d != d:
		return d
	}
	return math.Copysign(1, d)
}

// CompareGrad computes the gradient of y from y, t and dy, a scalar.
type CompareGrad struct {
	graph.NoGrad
	Compare
}

// Infer returns y's meta.
func (o CompareGrad) Infer(in []graph.Meta) (graph.Meta, error) {
	if err := graph.Arity(3, in); err != nil {
		return graph.Meta{}, err
	}
	if !in[0].Equal(in[1]) || !in[0].DType.IsFloat() || !in[2].Equal(graph.Of(in[0].DType)) {
		return graph.Meta{}, errors.New("want y, t of one meta and dy a scalar")
	}
	return in[0], nil
}

// Stops stops every operand.
func (o CompareGrad) Stops(int) bool { return true }

// VJP returns no gradients.
func (o CompareGrad) VJP(*graph.Graph, []*graph.Node, *graph.Node, *graph.Node) []*graph.Node {
	return nil
}

// Scratch needs none.
func (o CompareGrad) Scratch([]graph.Meta) int { return 0 }

// Overwrites allows the gradient over y or t.
func (o CompareGrad) Overwrites(_, operand int) bool { return operand < 2 }

// sloping is the work of a CompareGrad.
type sloping[T graph.Float] struct {
	o       Compare
	d, y, t []T
	scale   float64
}

// Eval computes dy·∂loss/∂y.
func (o CompareGrad) Eval(c *graph.Ctx, out, in []graph.Buf) error {
	return graph.EvalFloat(in[0].DType, o.Compare, c, out, in, compareGrad[float32], compareGrad[float64])
}

func compareGrad[T graph.Float](o Compare, c *graph.Ctx, out, in []graph.Buf) error {
	w := sloping[T]{o, graph.Data[T](out[0]), graph.Data[T](in[0]), graph.Data[T](in[1]), in[2].At(0)}
	graph.EachPart(c, graph.Parts(len(w.d), graph.PartSize), w)
	return nil
}

func (w *sloping[T]) Part(i, _ int) {
	lo, hi := graph.Span(i, len(w.y), graph.PartSize)
	for k := lo; k < hi; k++ {
		w.d[k] = T(w.scale * w.o.slope(float64(w.y[k]), float64(w.t[k])))
	}
}
