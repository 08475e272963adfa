package graph

import (
	"math"

	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// CrossEntropyOpts are the settings of [Graph.CrossEntropy]; the zero value counts every row alike.
type CrossEntropyOpts struct {
	HasIgnore   bool
	IgnoreIndex int32   // rows with this target do not count, where HasIgnore
	Smoothing   float64 // label smoothing in [0, 1)
	Weights     *Node   // (V), nil for none: the weight of each class
}

func (o CrossEntropyOpts) op() CrossEntropy {
	return CrossEntropy{HasIgnore: o.HasIgnore, IgnoreIndex: o.IgnoreIndex, Smoothing: o.Smoothing, Weighted: o.Weights != nil}
}

// CrossEntropy returns the sum over rows of the cross-entropy, in nats, of logits with targets:
//
//	Σ −w[t]·(1−s)·ln p[t] − s/V·Σᵢ w[i]·ln p[i],  p = softmax(logits)
//
// logits (…, V) are floats, targets (…) ids, and the result is a scalar of the logits' dtype. Rows are summed in
// float64. s is opt.Smoothing; w are opt.Weights, and 1 without them. Divided by [Graph.CrossEntropyWeight] the sum
// is PyTorch's mean. A target outside 0 … V−1 that is not ignored is an error of the run. The gradient is that of the
// logits alone.
func (g *Graph) CrossEntropy(logits, targets *Node, opt CrossEntropyOpts) *Node {
	return g.Apply(opt.op(), Present(logits, targets, opt.Weights)...)
}

// CrossEntropyWeight returns the number of rows that count: those whose target is not ignored. With class weights it
// is the sum of their targets' weights. logits, targets and opt are those of [Graph.CrossEntropy], of which the
// logits give the dtype alone. The result is a scalar of the logits' dtype, summed in float64, and has no gradient.
func (g *Graph) CrossEntropyWeight(logits, targets *Node, opt CrossEntropyOpts) *Node {
	op := CrossEntropyWeight{DType: logits.DType(), HasIgnore: opt.HasIgnore, IgnoreIndex: opt.IgnoreIndex}
	return g.Apply(op, Present(targets, opt.Weights)...)
}

// CrossEntropy is the op of [Graph.CrossEntropy]: operands logits, targets, and class weights where Weighted.
type CrossEntropy struct {
	HasIgnore   bool
	IgnoreIndex int32
	Smoothing   float64
	Weighted    bool
}

// check wants arity 2 or more.
func (o CrossEntropy) check(in []Meta) error {
	logits, targets := in[0], in[1]
	n := len(logits.Shape)
	switch {
	case !logits.DType.IsFloat() || n < 1 || !targets.Equal(Meta{Int32, logits.Shape[:max(0, n-1)]}):
		return errors.New("want float logits (…, V) and ids (…)")
	case o.Weighted && !in[2].Equal(Of(logits.DType, logits.Shape[n-1])):
		return errors.Errorf("class weights %v, want (%d)", in[2], logits.Shape[n-1])
	case !(o.Smoothing >= 0 && o.Smoothing < 1):
		return errors.Errorf("smoothing %g, want it in [0, 1)", o.Smoothing)
	}
	return nil
}

// Infer gives a scalar.
func (o CrossEntropy) Infer(in []Meta) (Meta, error) {
	if err := Arity(2+btoi(o.Weighted), in); err != nil {
		return Meta{}, err
	}
	return Of(in[0].DType), o.check(in)
}

// Stops stops class weights.
func (CrossEntropy) Stops(i int) bool { return i > 0 }

// VJP applies [CrossEntropyGrad].
func (o CrossEntropy) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{g.Apply(CrossEntropyGrad{CrossEntropy: o}, append(append([]*Node{}, x...), dy)...), nil, nil}
}

// rowLosses is the work of a cross-entropy and its gradient; what is not asked for is nil.
type rowLosses[T Float] struct {
	CrossEntropy
	logits, weights []T
	targets         []int32
	d, rows         []T       // gradient, loss of each row
	sums            []float64 // loss of each part
	v, per          int
	scale           float64 // of the gradient
}

// lossBlock is the number of logits of one part.
const lossBlock = 1 << 15

// Scratch is a partial sum for each part.
func (o CrossEntropy) Scratch(in []Meta) int {
	v := in[0].Shape[len(in[0].Shape)-1]
	return 8 * Parts(in[0].Size()/v, max(1, lossBlock/v))
}

// Eval sums the rows' losses.
func (o CrossEntropy) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(in[0].DType, o, c, out, in, sumLosses[float32], sumLosses[float64])
}

func sumLosses[T Float](o CrossEntropy, c *Ctx, out, in []Buf) error {
	return crossEntropy(c, in, rowLosses[T]{CrossEntropy: o}, Data[T](out[0]))
}

// crossEntropy fills w's results and sum, where that is not nil.
func crossEntropy[T Float](c *Ctx, in []Buf, w rowLosses[T], sum []T) error {
	s := in[0].Shape
	w.logits, w.targets, w.v = Data[T](in[0]), Data[int32](in[1]), s[len(s)-1]
	if w.Weighted {
		w.weights = Data[T](in[2])
	}
	if err := w.check(); err != nil {
		return err
	}
	if sum == nil {
		w.each(c)
	} else {
		sum[0] = T(w.total(c))
	}
	return nil
}

// check wants a class in each row that counts.
func (w *rowLosses[T]) check() error {
	for i, t := range w.targets {
		if (t < 0 || int(t) >= w.v) && !w.ignores(t) {
			return errors.Errorf("target %d at position %d: there are classes 0 to %d", t, i, w.v-1)
		}
	}
	return nil
}

// each fills the results of all rows.
func (w *rowLosses[T]) each(c *Ctx) {
	w.per = max(1, lossBlock/w.v)
	EachPart(c, Parts(len(w.targets), w.per), *w)
}

// total is each, and the sum of the losses.
func (w *rowLosses[T]) total(c *Ctx) (sum float64) {
	w.sums = ScratchOf[float64](c, 0, Parts(len(w.targets), max(1, lossBlock/w.v)))
	w.each(c)
	for _, v := range w.sums {
		sum += v
	}
	return sum
}

func (o CrossEntropy) ignores(target int32) bool { return o.HasIgnore && target == o.IgnoreIndex }

func (w *rowLosses[T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.targets), w.per)
	sum := 0.0
	for r := lo; r < hi; r++ {
		loss := w.row(r)
		sum += loss
		if w.rows != nil {
			w.rows[r] = T(loss)
		}
	}
	if w.sums != nil {
		w.sums[i] = sum
	}
}

func (w *rowLosses[T]) row(r int) float64 {
	x, t := w.logits[r*w.v:(r+1)*w.v], w.targets[r]
	var d []T
	if w.d != nil {
		d = w.d[r*w.v : (r+1)*w.v]
	}
	switch {
	case w.ignores(t):
		clear(d)
		return 0
	case w.weights == nil:
		return unweighted(d, x, int(t), w.scale, w.Smoothing)
	case w.Smoothing == 0:
		k := float64(w.weights[t])
		return k * unweighted(d, x, int(t), w.scale*k, 0)
	}
	return w.smoothed(d, x, int(t))
}

// unweighted is the loss of a row without class weights, the same bits with and without the gradient d.
func unweighted[T Float](d, x []T, t int, scale, smoothing float64) float64 {
	n, hit := float64(len(x)), 1-smoothing
	loss := -hit * float64(x[t])
	if smoothing != 0 {
		loss -= smoothing / n * vec.Sum(x)
	}
	if d == nil {
		return loss + vec.LogSumExp(x)
	}
	m := vec.Max(x)
	s := vec.ExpSumRow(d, x, m)
	vec.Scale(d, d, T(scale/s))
	if smoothing != 0 {
		vec.AddScalar(d, d, T(-scale*smoothing/n))
	}
	d[t] -= T(scale * hit)
	return loss + (float64(m) + math.Log(s))
}

// smoothed is the loss of a row with class weights and label smoothing.
func (w *rowLosses[T]) smoothed(d, x []T, t int) float64 {
	lse, s := vec.LogSumExp(x), w.Smoothing/float64(len(x))
	hit := (1 - w.Smoothing) * float64(w.weights[t])
	loss, all := -hit*(float64(x[t])-lse), hit
	for i, k := range w.weights {
		loss -= s * float64(k) * (float64(x[i]) - lse)
		all += s * float64(k)
	}
	if d == nil {
		return loss
	}
	vec.SoftmaxRow(d, x)
	for i, p := range d {
		d[i] = T(w.scale * (all*float64(p) - s*float64(w.weights[i])))
	}
	d[t] -= T(w.scale * hit)
	return loss
}

// CrossEntropyRows returns each row's term of the sum of [Graph.CrossEntropy], in nats: logits (…, V) and targets (…)
// give (…), of the logits' dtype. An ignored row gives 0. It has no gradient.
func (g *Graph) CrossEntropyRows(logits, targets *Node, opt CrossEntropyOpts) *Node {
	return g.Apply(CrossEntropyRows{CrossEntropy: opt.op()}, Present(logits, targets, opt.Weights)...)
}

// CrossEntropyRows is the op of [Graph.CrossEntropyRows].
type CrossEntropyRows struct {
	NoGrad
	CrossEntropy
}

// Infer returns the targets' shape.
func (o CrossEntropyRows) Infer(in []Meta) (Meta, error) {
	m, err := o.CrossEntropy.Infer(in)
	if err != nil {
		return Meta{}, err
	}
	return Meta{m.DType, in[1].Shape}, nil
}

// Stops stops every operand.
func (o CrossEntropyRows) Stops(int) bool { return true }

// VJP returns no gradients.
func (o CrossEntropyRows) VJP(*Graph, []*Node, *Node, *Node) []*Node { return nil }

// Eval computes row by row.
func (o CrossEntropyRows) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(in[0].DType, o.CrossEntropy, c, out, in, lossOfRows[float32], lossOfRows[float64])
}

func lossOfRows[T Float](o CrossEntropy, c *Ctx, out, in []Buf) error {
	return crossEntropy(c, in, rowLosses[T]{CrossEntropy: o, rows: Data[T](out[0])}, nil)
}

// CrossEntropyGrad computes the gradient of the logits from the operands of a [CrossEntropy] and dy, a scalar.
type CrossEntropyGrad struct {
	NoGrad
	CrossEntropy
}

// Infer returns the logits' meta.
func (o CrossEntropyGrad) Infer(in []Meta) (Meta, error) {
	n := 2 + btoi(o.Weighted)
	if err := Arity(n+1, in); err != nil {
		return Meta{}, err
	}
	if !in[n].Equal(Of(in[0].DType)) {
		return Meta{}, errors.Errorf("dy %v, want a scalar of the logits' dtype", in[n])
	}
	return in[0], o.check(in)
}

// Stops stops every operand.
func (o CrossEntropyGrad) Stops(int) bool { return true }

// VJP returns no gradients.
func (o CrossEntropyGrad) VJP(*Graph, []*Node, *Node, *Node) []*Node { return nil }

// Overwrites allows the gradient over the logits.
func (CrossEntropyGrad) Overwrites(_, operand int) bool { return operand == 0 }

// Scratch needs none.
func (CrossEntropyGrad) Scratch([]Meta) int { return 0 }

// Eval computes dy·(p − q).
func (o CrossEntropyGrad) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(in[0].DType, o.CrossEntropy, c, out, in, lossGrad[float32], lossGrad[float64])
}

func lossGrad[T Float](o CrossEntropy, c *Ctx, out, in []Buf) error {
	return crossEntropy(c, in, rowLosses[T]{CrossEntropy: o, d: Data[T](out[0]), scale: in[len(in)-1].At(0)}, nil)
}

// CrossEntropyBoth computes a [CrossEntropy], member 0, and its [CrossEntropyGrad], member 1, in one pass over the
// logits. Its operands are those of the gradient. A plan puts it in place of the two steps.
type CrossEntropyBoth struct {
	NoGrad
	CrossEntropy
	Grad bool
}

// Whole implements [Member].
func (o CrossEntropyBoth) Whole() (Op, int, int) {
	whole := o
	whole.Grad = false
	return whole, btoi(o.Grad), 2
}

// Infer returns the meta of the member.
func (o CrossEntropyBoth) Infer(in []Meta) (Meta, error) {
	m, err := CrossEntropyGrad{CrossEntropy: o.CrossEntropy}.Infer(in)
	if err != nil || o.Grad {
		return m, err
	}
	return Of(m.DType), nil
}

// Stops stops every operand.
func (o CrossEntropyBoth) Stops(int) bool { return true }

// VJP returns no gradients.
func (o CrossEntropyBoth) VJP(*Graph, []*Node, *Node, *Node) []*Node { return nil }

// Overwrites allows the gradient over the logits.
func (CrossEntropyBoth) Overwrites(member, operand int) bool { return member == 1 && operand == 0 }

// Eval computes both.
func (o CrossEntropyBoth) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(in[0].DType, o.CrossEntropy, c, out, in, lossAndGrad[float32], lossAndGrad[float64])
}

// lossAndGrad fills the sum of losses and the gradient; either may be empty.
func lossAndGrad[T Float](o CrossEntropy, c *Ctx, out, in []Buf) error {
	w := rowLosses[T]{CrossEntropy: o, d: Data[T](out[1]), scale: in[len(in)-1].At(0)}
	return crossEntropy(c, in, w, Data[T](out[0]))
}

// CrossEntropyWeight is the op of [Graph.CrossEntropyWeight]: operands targets, and class weights (V) where there are
// any.
type CrossEntropyWeight struct {
	NoGrad
	DType       DType
	HasIgnore   bool
	IgnoreIndex int32
}

// Infer gives a scalar.
func (o CrossEntropyWeight) Infer(in []Meta) (Meta, error) {
	if len(in) < 1 || len(in) > 2 || in[0].DType != Int32 || !o.DType.IsFloat() ||
		len(in) == 2 && (in[1].DType != o.DType || len(in[1].Shape) != 1) {
		return Meta{}, errors.New("want ids, and class weights (V) where there are any")
	}
	return Of(o.DType), nil
}

// Eval counts.
func (o CrossEntropyWeight) Eval(_ *Ctx, out, in []Buf) error {
	sum := 0.0
	for i, t := range Data[int32](in[0]) {
		switch {
		case o.HasIgnore && t == o.IgnoreIndex:
		case len(in) == 1:
			sum++
		case t < 0 || int(t) >= in[1].Size():
			return errors.Errorf("target %d at position %d: there are classes 0 to %d", t, i, in[1].Size()-1)
		default:
			sum += in[1].At(int(t))
		}
	}
	out[0].Set(0, sum)
	return nil
}
