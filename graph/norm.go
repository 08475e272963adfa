package graph

import (
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// LayerNorm normalises the last axis of x, then scales it by w and shifts it by b:
//
//	y = (x − mean)/√(var + eps)·w + b
//
// x (…, C) is a float with at least one axis, and y has its meta. w and b (C) have its dtype; nil leaves them out.
// Mean and variance are sums in float64. A negative eps is an error. Source: Ba et al. 2016, arXiv:1607.06450,
// equation 4.
func (g *Graph) LayerNorm(x, w, b *Node, eps float64) *Node {
	return g.Apply(Norm{Eps: eps, Weight: w != nil, Bias: b != nil}, Present(x, w, b)...)
}

// RMSNorm divides the last axis of x by its root mean square, then scales it by w:
//
//	y = x/√(mean(x²) + eps)·w
//
// x (…, C) is a float with at least one axis, and y has its meta. w (C) has its dtype; nil leaves it out. The mean is
// a sum in float64. A negative eps is an error. Source: Zhang and Sennrich 2019, arXiv:1910.07467, equation 4.
func (g *Graph) RMSNorm(x, w *Node, eps float64) *Node {
	return g.Apply(Norm{Eps: eps, RMS: true, Weight: w != nil}, Present(x, w)...)
}

// Norm is the op of [Graph.LayerNorm] and [Graph.RMSNorm]: operands x, then w and b where Weight and Bias say so.
//
// The field Of says which member it is. Member 0 is the result. Members 1 and 2 are for the derivative: the factor
// 1/√(var + eps) of each row and its mean, both (…), without a gradient. An RMSNorm has no member 2.
type Norm struct {
	Eps          float64
	RMS          bool
	Weight, Bias bool
	Of           int
}

func (n Norm) operands() int { return 1 + btoi(n.Weight) + btoi(n.Bias) }

func (n Norm) parts() int { return 3 - btoi(n.RMS) }

// Whole implements [Member].
func (n Norm) Whole() (Op, int, int) {
	whole := n
	whole.Of = 0
	return whole, n.Of, n.parts()
}

// Infer wants w and b of the last axis.
func (n Norm) Infer(in []Meta) (Meta, error) {
	if err := Arity(n.operands(), in); err != nil {
		return Meta{}, err
	}
	if n.Of < 0 || n.Of >= n.parts() {
		return Meta{}, errors.Errorf("member %d of %d", n.Of, n.parts())
	}
	if err := n.check(in[0], in[1:]); err != nil || n.Of == 0 {
		return in[0], err
	}
	return rowMeta(in[0]), nil
}

// check wants x with an axis, and weights of it.
func (n Norm) check(x Meta, weights []Meta) error {
	switch {
	case !x.DType.IsFloat() || len(x.Shape) == 0:
		return errors.New("want a float with an axis")
	case !(n.Eps >= 0):
		return errors.Errorf("eps %g, want 0 or more", n.Eps)
	case n.RMS && n.Bias:
		return errors.New("an RMSNorm has no bias")
	}
	for _, w := range weights {
		if !w.Equal(Of(x.DType, x.Shape[len(x.Shape)-1])) {
			return errors.Errorf("weight or bias %v, want (%d)", w, x.Shape[len(x.Shape)-1])
		}
	}
	return nil
}

// Overwrites allows the result over x.
func (Norm) Overwrites(member, operand int) bool { return member == 0 && operand == 0 }

// Stops stops the operands of all members but the result.
func (n Norm) Stops(int) bool { return n.Of != 0 }

// VJP applies [NormGrad].
func (n Norm) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	in := append([]*Node{}, x[:1+btoi(n.Weight)]...)
	for i := 1; i < n.parts(); i++ {
		row := n
		row.Of = i
		in = append(in, g.Apply(row, x...))
	}
	op := NormGrad{RMS: n.RMS, Weight: n.Weight, Bias: n.Bias}
	dx := make([]*Node, len(x))
	for i := range dx {
		op.Of = i
		dx[i] = g.Apply(op, append(in, dy)...)
	}
	return dx
}

// normed is the work of a Norm; what nothing reads is nil.
type normed[T Float] struct {
	y, rstd, mean []T
	x, w, b       []T
	eps           float64
	rms           bool
	c, per        int // per rows to a part
}

// A part is at least normBlock elements, and there are at most normBlocks: the derivative keeps sums of each.
const (
	normBlock  = 1 << 14
	normBlocks = 64
)

// normRows is the number of rows of a part.
func normRows(rows, c int) int { return max(1, normBlock/c, Parts(rows, normBlocks)) }

// Eval normalises row by row.
func (n Norm) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(in[0].DType, n, c, out, in, normEval[float32], normEval[float64])
}

func normEval[T Float](n Norm, c *Ctx, out, in []Buf) error {
	w := normed[T]{y: Data[T](out[0]), rstd: Data[T](out[1]), x: Data[T](in[0]), eps: n.Eps, rms: n.RMS, c: lastAxis(in[0])}
	if !n.RMS {
		w.mean = Data[T](out[2])
	}
	if n.Weight {
		w.w = Data[T](in[1])
	}
	if n.Bias {
		w.b = Data[T](in[n.operands()-1])
	}
	rows := len(w.x) / w.c
	w.per = normRows(rows, w.c)
	EachPart(c, Parts(rows, w.per), w)
	return nil
}

func (w *normed[T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.x)/w.c, w.per)
	for r := lo; r < hi; r++ {
		mean, rstd := w.row(r)
		if w.mean != nil {
			w.mean[r] = mean
		}
		if w.rstd != nil {
			w.rstd[r] = rstd
		}
	}
}

func (w *normed[T]) row(r int) (mean, rstd T) {
	x := w.x[r*w.c : (r+1)*w.c]
	switch {
	case w.y == nil && w.rms:
		return 0, vec.RMSOf(x, w.eps)
	case w.y == nil:
		return vec.MomentsOf(x, w.eps)
	case w.rms:
		return 0, vec.RMSNormRow(w.y[r*w.c:(r+1)*w.c], x, w.w, w.eps)
	}
	return vec.LayerNormRow(w.y[r*w.c:(r+1)*w.c], x, w.w, w.b, w.eps)
}

// NormGrad computes the gradient of one operand of a [Norm], which the field Of numbers; the gradients are members of
// one whole. Its operands are x, w (where Weight), the row's factor, its mean (where not RMS), and dy.
//
//	x̂ = (x − mean)·rstd;  dx = rstd·(w·dy − mean(w·dy) − x̂·mean(w·dy·x̂));  dw = Σ dy·x̂;  db = Σ dy
//
// Means over a row are sums in float64. dw and db are summed over blocks of rows, then over the blocks, in order.
type NormGrad struct {
	NoGrad
	RMS          bool
	Weight, Bias bool
	Of           int
}

func (n NormGrad) norm() Norm { return Norm{RMS: n.RMS, Weight: n.Weight, Bias: n.Bias} }

// Whole implements [Member].
func (n NormGrad) Whole() (Op, int, int) {
	whole := n
	whole.Of = 0
	return whole, n.Of, n.norm().operands()
}

// dy is the place of the last operand.
func (n NormGrad) dy() int { return btoi(n.Weight) + n.norm().parts() }

// Infer returns the meta of the operand whose gradient it is.
func (n NormGrad) Infer(in []Meta) (Meta, error) {
	if err := Arity(n.dy()+1, in); err != nil {
		return Meta{}, err
	}
	if k := n.norm().operands(); n.Of < 0 || n.Of >= k {
		return Meta{}, errors.Errorf("member %d of %d", n.Of, k)
	}
	first := 1 + btoi(n.Weight)
	if err := n.norm().check(in[0], in[1:first]); err != nil {
		return Meta{}, err
	}
	for _, m := range in[first:n.dy()] {
		if !m.Equal(rowMeta(in[0])) {
			return Meta{}, errors.Errorf("factor or mean of the rows %v, want %v", m, rowMeta(in[0]))
		}
	}
	if !in[n.dy()].Equal(in[0]) {
		return Meta{}, errors.Errorf("dy %v, want %v", in[n.dy()], in[0])
	}
	if n.Of > 0 {
		return Of(in[0].DType, in[0].Shape[len(in[0].Shape)-1]), nil
	}
	return in[0], nil
}

// Overwrites allows dx over x or dy.
func (n NormGrad) Overwrites(member, operand int) bool {
	return member == 0 && (operand == 0 || operand == n.dy())
}

// Scratch is the partial sums of dw and db of each block of rows.
func (n NormGrad) Scratch(in []Meta) int {
	c := in[0].Shape[len(in[0].Shape)-1]
	rows := in[0].Size() / c
	return 2 * Parts(rows, normRows(rows, c)) * c * in[0].DType.Size()
}

// Eval computes what is asked for in one pass over the rows.
func (n NormGrad) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(in[0].DType, n, c, out, in, normGradEval[float32], normGradEval[float64])
}

// normGraded is the work of a NormGrad: dw and db (blocks, C) are partial sums. What nothing reads is nil.
type normGraded[T Float] struct {
	dx, dw, db           []T
	x, w, rstd, mean, dy []T
	c, per               int
}

func normGradEval[T Float](n NormGrad, c *Ctx, out, in []Buf) error {
	first := 1 + btoi(n.Weight)
	w := normGraded[T]{dx: Data[T](out[0]), x: Data[T](in[0]), rstd: Data[T](in[first]), dy: Data[T](in[n.dy()]), c: lastAxis(in[0])}
	if !n.RMS {
		w.mean = Data[T](in[first+1])
	}
	rows := len(w.x) / w.c
	w.per = normRows(rows, w.c)
	blocks := Parts(rows, w.per)
	var dw, db []T
	if n.Weight {
		w.w, dw = Data[T](in[1]), Data[T](out[1])
	}
	if n.Bias {
		db = Data[T](out[len(out)-1])
	}
	if dw != nil {
		w.dw = ScratchOf[T](c, 0, blocks*w.c)
	}
	if db != nil {
		w.db = ScratchOf[T](c, blocks*w.c, blocks*w.c)
	}
	EachPart(c, blocks, w)
	sumBlocks(dw, w.dw)
	sumBlocks(db, w.db)
	return nil
}

// sumBlocks adds partial sums in order.
func sumBlocks[T Float](y, blocks []T) {
	copy(y, blocks)
	for at := len(y); at < len(blocks); at += len(y) {
		vec.AddTo(y, blocks[at:at+len(y)])
	}
}

// block is block i of partial sums, cleared; nil of nil.
func block[T Float](sums []T, i, c int) []T {
	if sums == nil {
		return nil
	}
	b := sums[i*c : (i+1)*c]
	clear(b)
	return b
}

func (w *normGraded[T]) Part(i, _ int) {
	dw, db := block(w.dw, i, w.c), block(w.db, i, w.c)
	lo, hi := Span(i, len(w.rstd), w.per)
	for r := lo; r < hi; r++ {
		x, dy := w.x[r*w.c:(r+1)*w.c], w.dy[r*w.c:(r+1)*w.c]
		var dx []T
		if w.dx != nil {
			dx = w.dx[r*w.c : (r+1)*w.c]
		}
		if w.mean == nil {
			vec.RMSNormGradRow(dx, dw, x, dy, w.w, w.rstd[r])
		} else {
			vec.LayerNormGradRow(dx, dw, db, x, dy, w.w, w.mean[r], w.rstd[r])
		}
	}
}
