package graph

import (
	"math"

	"github.com/pkg/errors"
)

// MSE returns Σ (y − t)², a scalar; y and t have one shape. Divided by their size m it is the mean: the
// 1/m convention; see [Graph.HalfMSE] for the other. All losses here sum in float64.
func (g *Graph) MSE(y, t *Node) *Node { return g.Apply(Compare{Kind: CompareMSE}, y, t) }

// HalfMSE returns ½·Σ (y − t)²: divided by the size m of y, the 1/(2m) convention of the mean squared error.
func (g *Graph) HalfMSE(y, t *Node) *Node { return g.Apply(Compare{Kind: CompareHalf}, y, t) }

// L1 returns Σ |y − t|; its derivative at 0 is 0.
func (g *Graph) L1(y, t *Node) *Node { return g.Apply(Compare{Kind: CompareL1}, y, t) }

// Huber returns Σ of ½·d² where |d| = |y − t| ≤ δ and δ·(|d| − ½·δ) elsewhere. Source: Huber 1964.
func (g *Graph) Huber(y, t *Node, delta float64) *Node {
	return g.Apply(Compare{Kind: CompareHuber, Delta: delta}, y, t)
}

// BCEWithLogits returns Σ ln(1 + e^z) − t·z, the binary cross-entropy in nats of logits z with targets t in [0, 1].
func (g *Graph) BCEWithLogits(z, t *Node) *Node { return g.Apply(Compare{Kind: CompareBCE}, z, t) }

// CompareKind says which loss a [Compare] sums.
type CompareKind uint8

// The losses of [Compare].
const (
	CompareMSE CompareKind = iota
	CompareL1
	CompareHuber
	CompareBCE
	CompareHalf
)

// Compare is the op of [Graph.MSE], [Graph.HalfMSE], [Graph.L1], [Graph.Huber] and [Graph.BCEWithLogits].
type Compare struct {
	Kind  CompareKind
	Delta float64
}

// Infer gives a scalar.
func (o Compare) Infer(in []Meta) (Meta, error) {
	m, err := SameMeta(2, in)
	if err == nil && (o.Kind > CompareHalf || o.Kind == CompareHuber && !(o.Delta > 0)) {
		err = errors.Errorf("kind %d, delta %g: want delta above 0", o.Kind, o.Delta)
	}
	return Of(m.DType), err
}

// VJP: the gradient of t is that of y with the sign changed, but for the binary cross-entropy −z·dy.
func (o Compare) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	d := g.Apply(CompareGrad{Compare: o}, x[0], x[1], dy)
	if o.Kind == CompareBCE {
		return []*Node{d, g.Neg(g.Mul(x[0], dy))}
	}
	return []*Node{d, g.Neg(d)}
}

// Scratch holds a partial sum for each part.
func (o Compare) Scratch(in []Meta) int { return 8 * Parts(in[0].Size(), PartSize) }

// compared is the work of a Compare.
type compared[T Float] struct {
	o    Compare
	y, t []T
	sums []float64
}

// Eval sums.
func (o Compare) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(in[0].DType, o, c, out, in, compareSum[float32], compareSum[float64])
}

func compareSum[T Float](o Compare, c *Ctx, out, in []Buf) error {
	n := Parts(in[0].Size(), PartSize)
	w := compared[T]{o: o, y: Data[T](in[0]), t: Data[T](in[1]), sums: Data[float64](Buf{Mem: c.Scratch})[:n]}
	EachPart(c, n, w)
	sum := 0.0
	for _, v := range w.sums {
		sum += v
	}
	out[0].Set(0, sum)
	return nil
}

func (w *compared[T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.y), PartSize)
	y, t, s := w.y[lo:hi], w.t[lo:hi], 0.0
	switch w.o.Kind {
	case CompareMSE, CompareHalf:
		for k, v := range y {
			d := float64(v) - float64(t[k])
			s += d * d
		}
		if w.o.Kind == CompareHalf {
			s /= 2
		}
	default:
		for k, v := range y {
			s += w.o.loss(float64(v), float64(t[k]))
		}
	}
	w.sums[i] = s
}

// loss is that of one element, but for the squares.
func (o Compare) loss(y, t float64) float64 {
	d := math.Abs(y - t)
	switch {
	case o.Kind == CompareL1:
		return d
	case o.Kind == CompareBCE:
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
	case o.Kind == CompareMSE:
		return 2 * d
	case o.Kind == CompareHalf:
		return d
	case o.Kind == CompareBCE:
		return 1/(1+math.Exp(-y)) - t
	case o.Kind == CompareHuber && math.Abs(d) <= o.Delta:
		return d
	case o.Kind == CompareHuber:
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
	NoGrad
	Compare
}

// Infer returns y's meta.
func (o CompareGrad) Infer(in []Meta) (Meta, error) {
	if err := Arity(3, in); err != nil {
		return Meta{}, err
	}
	if !in[0].Equal(in[1]) || !in[0].DType.IsFloat() || !in[2].Equal(Of(in[0].DType)) {
		return Meta{}, errors.New("want y, t of one meta and dy a scalar")
	}
	return in[0], nil
}

// Stops stops every operand.
func (o CompareGrad) Stops(int) bool { return true }

// VJP has none.
func (o CompareGrad) VJP(*Graph, []*Node, *Node, *Node) []*Node { return nil }

// Scratch needs none.
func (o CompareGrad) Scratch([]Meta) int { return 0 }

// Overwrites allows the gradient over y or t.
func (o CompareGrad) Overwrites(_, operand int) bool { return operand < 2 }

// sloping is the work of a CompareGrad.
type sloping[T Float] struct {
	o       Compare
	d, y, t []T
	scale   float64
}

// Eval computes dy·∂loss/∂y.
func (o CompareGrad) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(in[0].DType, o.Compare, c, out, in, compareGrad[float32], compareGrad[float64])
}

func compareGrad[T Float](o Compare, c *Ctx, out, in []Buf) error {
	w := sloping[T]{o, Data[T](out[0]), Data[T](in[0]), Data[T](in[1]), in[2].At(0)}
	EachPart(c, Parts(len(w.d), PartSize), w)
	return nil
}

func (w *sloping[T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.y), PartSize)
	for k := lo; k < hi; k++ {
		w.d[k] = T(w.scale * w.o.slope(float64(w.y[k]), float64(w.t[k])))
	}
}
