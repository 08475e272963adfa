package graph

import (
	"math"

	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// AdamW returns the next values of a parameter p and of its moments m and v, from the gradient dp. The four have one
// meta. scale is a scalar of their dtype that multiplies the gradient. With g = scale·dp, to which decay·p is added
// without Decoupled:
//
//	m = β₁·m + (1−β₁)·g;  v = β₂·v + (1−β₂)·g²
//	p = p − lr·decay·p (if Decoupled) − lr·(m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε)
//
// t is the step count less Start. Step count and learning rate come from the run's [Scalars]; a t under 1 is an error
// of the run. It has no gradient. Sources: Kingma and Ba 2015, arXiv:1412.6980, algorithm 1; Loshchilov and Hutter
// 2019, arXiv:1711.05101, algorithm 2.
func (g *Graph) AdamW(op AdamW, p, dp, m, v, scale *Node) (p1, m1, v1 *Node) {
	var out [3]*Node
	for i := range out {
		op.Of = i
		out[i] = g.Apply(op, p, dp, m, v, scale)
	}
	return out[0], out[1], out[2]
}

// AdamW is the op of [Graph.AdamW]. The field Of says which member it is: 0 the parameter, 1 and 2 the moments.
type AdamW struct {
	NoGrad
	Beta1, Beta2, Eps float64
	Decay             float64 // per step, times the learning rate where Decoupled
	LRScale           float64 // times the learning rate; 0 means 1
	Decoupled         bool    // AdamW; else Adam with the decay in the gradient (L2)
	Start             int64   // the step count before the parameter's first update: t is counted from there
	Of                int
}

// Whole implements [Member].
func (o AdamW) Whole() (Op, int, int) {
	whole := o
	whole.Of = 0
	return whole, o.Of, 3
}

// Infer returns the parameter's meta.
func (o AdamW) Infer(in []Meta) (Meta, error) {
	if !(o.Beta1 >= 0 && o.Beta1 < 1 && o.Beta2 >= 0 && o.Beta2 < 1 && o.Eps >= 0) {
		return Meta{}, errors.Errorf("betas %g and %g, eps %g: want 0 ≤ beta < 1 and eps ≥ 0", o.Beta1, o.Beta2, o.Eps)
	}
	return inferUpdate(5, o.Of, 3, in)
}

// inferUpdate wants a member that there is, n−1 operands of one meta, and a scalar.
func inferUpdate(n, member, of int, in []Meta) (Meta, error) {
	if member < 0 || member >= of {
		return Meta{}, errors.Errorf("member %d of %d", member, of)
	}
	if err := Arity(n, in); err != nil {
		return Meta{}, err
	}
	if !in[n-1].Equal(Of(in[0].DType)) {
		return Meta{}, errors.Errorf("scale %v, want a scalar of the parameter's dtype", in[n-1])
	}
	return SameMeta(n-1, in[:n-1])
}

// Overwrites allows each result over the value it replaces.
func (o AdamW) Overwrites(member, operand int) bool { return operand == [...]int{0, 2, 3}[member] }

// Scratch is for results that nothing reads.
func (o AdamW) Scratch(in []Meta) int { return 3 * min(in[0].Size(), PartSize) * in[0].DType.Size() }

// Eval updates.
func (o AdamW) Eval(c *Ctx, out, in []Buf) error {
	if c.Scalars.Step-o.Start < 1 {
		return errors.Errorf("step count %d, want %d at the first update", c.Scalars.Step, o.Start+1)
	}
	return EvalFloat(in[0].DType, o, c, out, in, adamw[float32], adamw[float64])
}

// adamStep is the work of an AdamW.
type adamStep[T Float] struct {
	po, mo, vo, p, dp, m, v []T
	args                    vec.AdamWArgs
	l2                      T
}

func adamw[T Float](o AdamW, c *Ctx, out, in []Buf) error {
	t := float64(c.Scalars.Step - o.Start)
	w := adamStep[T]{p: Data[T](in[0]), dp: Data[T](in[1]), m: Data[T](in[2]), v: Data[T](in[3])}
	w.po, w.mo, w.vo = Data[T](out[0]), Data[T](out[1]), Data[T](out[2])
	w.args = vec.AdamWArgs{LR: rate(c, o.LRScale), Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps, Decay: o.Decay,
		Corr1: 1 - math.Pow(o.Beta1, t), Corr2: 1 - math.Pow(o.Beta2, t), GradScale: in[4].At(0)}
	if !o.Decoupled {
		w.args.Decay, w.l2 = 0, T(o.Decay)
	}
	n := Parts(len(w.p), PartSize)
	if w.po != nil && w.mo != nil && w.vo != nil {
		EachPart(c, n, w)
		return nil
	}
	// A result that nothing reads goes to scratch, which has room for one part at a time.
	room := min(len(w.p), PartSize)
	for i := range n {
		lo, hi := Span(i, len(w.p), PartSize)
		w.update(lo, hi, pieceOr(c, w.po, 0, room, lo, hi), pieceOr(c, w.mo, 1, room, lo, hi), pieceOr(c, w.vo, 2, room, lo, hi))
	}
	return nil
}

// rate is the learning rate of this step.
func rate(c *Ctx, scale float64) float64 {
	if scale == 0 {
		return c.Scalars.LR
	}
	return c.Scalars.LR * scale
}

// pieceOr is y[lo:hi], or place i of scratch where y is nil.
func pieceOr[T Float](c *Ctx, y []T, i, room, lo, hi int) []T {
	if y == nil {
		return ScratchOf[T](c, i*room, hi-lo)
	}
	return y[lo:hi]
}

func (w *adamStep[T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.p), PartSize)
	w.update(lo, hi, w.po[lo:hi], w.mo[lo:hi], w.vo[lo:hi])
}

// update fills the results of elements lo to hi.
func (w *adamStep[T]) update(lo, hi int, po, mo, vo []T) {
	p, m, v, dp, a := w.p[lo:hi], w.m[lo:hi], w.v[lo:hi], w.dp[lo:hi], w.args
	if w.l2 == 0 {
		vec.AdamW(po, mo, vo, p, m, v, dp, a)
		return
	}
	b1, c1, b2, c2 := T(a.Beta1), T(1-a.Beta1), T(a.Beta2), T(1-a.Beta2)
	step, rcorr := T(a.LR/a.Corr1), T(1/math.Sqrt(a.Corr2))
	for i, old := range p {
		g := T(a.GradScale)*dp[i] + w.l2*old
		mi, vi := b1*m[i]+c1*g, b2*v[i]+c2*g*g
		mo[i], vo[i] = mi, vi
		po[i] = old - step*mi/(T(math.Sqrt(float64(vi)))*rcorr+T(a.Eps))
	}
}

// SGD returns the next values of a parameter p and, with momentum, of m, from the gradient dp; without momentum m is
// nil. They have one meta. scale is a scalar of their dtype that multiplies the gradient. The form is PyTorch's:
//
//	g = scale·dp + decay·p;  m = momentum·m + g (m = g at the first step)
//	p = p − lr·g without momentum, p − lr·m with it, p − lr·(g + momentum·m) with Nesterov
//
// Step count and learning rate come from the run's [Scalars]. It has no gradient. Source: Sutskever et al. 2013,
// ICML, equations 1 to 4.
func (g *Graph) SGD(op SGD, p, dp, m, scale *Node) (p1, m1 *Node) {
	if op.Momentum == 0 {
		return g.Apply(op, p, dp, scale), nil
	}
	p1 = g.Apply(op, p, dp, m, scale)
	op.Of = 1
	return p1, g.Apply(op, p, dp, m, scale)
}

// SGD is the op of [Graph.SGD]: operands p, dp, m where Momentum is not 0, and scale. The field Of says which member it
// is: 0 the parameter, 1 the momentum.
type SGD struct {
	NoGrad
	Momentum float64
	Decay    float64 // L2, added to the gradient
	LRScale  float64 // times the learning rate; 0 means 1
	Nesterov bool
	Of       int
}

func (o SGD) parts() int { return 1 + btoi(o.Momentum != 0) }

// Whole implements [Member].
func (o SGD) Whole() (Op, int, int) {
	whole := o
	whole.Of = 0
	return whole, o.Of, o.parts()
}

// Infer returns the parameter's meta.
func (o SGD) Infer(in []Meta) (Meta, error) {
	if !(o.Momentum >= 0) || o.Nesterov && o.Momentum == 0 {
		return Meta{}, errors.Errorf("momentum %g, want 0 or more, and more with Nesterov", o.Momentum)
	}
	return inferUpdate(2+o.parts(), o.Of, o.parts(), in)
}

// Overwrites allows each result over the value it replaces.
func (o SGD) Overwrites(member, operand int) bool { return operand == 2*member }

// Eval updates.
func (o SGD) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(in[0].DType, o, c, out, in, sgd[float32], sgd[float64])
}

// Scratch is for a momentum that nothing reads.
func (o SGD) Scratch(in []Meta) int { return min(in[0].Size(), PartSize) * in[0].DType.Size() }

// sgdStep is the work of an SGD; m is nil without momentum, po and mo where nothing reads them.
type sgdStep[T Float] struct {
	po, mo, p, dp, m           []T
	lr, momentum, decay, scale float64
	nesterov, first            bool
}

func sgd[T Float](o SGD, c *Ctx, out, in []Buf) error {
	w := sgdStep[T]{po: Data[T](out[0]), p: Data[T](in[0]), dp: Data[T](in[1]), lr: rate(c, o.LRScale), momentum: o.Momentum,
		decay: o.Decay, scale: in[len(in)-1].At(0), nesterov: o.Nesterov, first: c.Scalars.Step <= 1}
	if o.Momentum != 0 {
		w.m, w.mo = Data[T](in[2]), Data[T](out[1])
	}
	n := Parts(len(w.p), PartSize)
	if w.m == nil || w.mo != nil {
		EachPart(c, n, w)
		return nil
	}
	room := min(len(w.p), PartSize)
	for i := range n {
		lo, hi := Span(i, len(w.p), PartSize)
		w.update(lo, hi, pieceOr(c, w.mo, 0, room, lo, hi))
	}
	return nil
}

func (w *sgdStep[T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.p), PartSize)
	if w.m == nil {
		w.update(lo, hi, nil)
		return
	}
	w.update(lo, hi, w.mo[lo:hi])
}

// update fills the results of elements lo to hi: first the momentum mo, which the parameter's is made of.
func (w *sgdStep[T]) update(lo, hi int, mo []T) {
	p, dp := w.p[lo:hi], w.dp[lo:hi]
	if mo != nil {
		if w.first {
			vec.Scale(mo, dp, T(w.scale))
		} else {
			vec.Scale(mo, w.m[lo:hi], T(w.momentum))
			vec.Axpy(mo, dp, T(w.scale))
		}
		if w.decay != 0 {
			vec.Axpy(mo, p, T(w.decay))
		}
	}
	if w.po == nil {
		return
	}
	po := w.po[lo:hi]
	if mo == nil || w.nesterov { // the gradient itself takes part
		vec.Scale(po, p, T(1-w.lr*w.decay))
		vec.Axpy(po, dp, T(-w.lr*w.scale))
	} else {
		copy(po, p)
	}
	switch {
	case w.nesterov:
		vec.Axpy(po, mo, T(-w.lr*w.momentum))
	case mo != nil:
		vec.Axpy(po, mo, T(-w.lr))
	}
}

// EMA returns the next value of an exponential moving average:
//
//	d·avg + (1−d)·x
//
// avg and x are floats of one meta, which the result has; 0 ≤ d ≤ 1. It has no gradient.
func (g *Graph) EMA(avg, x *Node, d float64) *Node { return g.Apply(EMA{Decay: d}, avg, x) }

// EMA is the op of [Graph.EMA].
type EMA struct {
	NoGrad
	Decay float64
}

// Infer returns the operands' meta.
func (o EMA) Infer(in []Meta) (Meta, error) {
	if !(o.Decay >= 0 && o.Decay <= 1) {
		return Meta{}, errors.Errorf("decay %g, want it in [0, 1]", o.Decay)
	}
	return SameMeta(2, in)
}

// Overwrites allows the result over the average.
func (EMA) Overwrites(_, operand int) bool { return operand == 0 }

// Eval averages.
func (o EMA) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(out[0].DType, o, c, out, in, ema[float32], ema[float64])
}

// emaStep is the work of an EMA.
type emaStep[T Float] struct {
	y, avg, x []T
	d         float64
}

func ema[T Float](o EMA, c *Ctx, out, in []Buf) error {
	w := emaStep[T]{Data[T](out[0]), Data[T](in[0]), Data[T](in[1]), o.Decay}
	EachPart(c, Parts(len(w.y), PartSize), w)
	return nil
}

func (w *emaStep[T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.y), PartSize)
	vec.Scale(w.y[lo:hi], w.avg[lo:hi], T(w.d))
	vec.Axpy(w.y[lo:hi], w.x[lo:hi], T(1-w.d))
}
