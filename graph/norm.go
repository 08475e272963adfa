package graph

import (
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// LayerNorm normalises the last axis of x (…, C), then scales by w (C) and shifts by b (C), each nil for none.
//
//	y = (x − mean)/√(var + eps)·w + b
//
// Mean and variance are sums in float64. Source: Ba et al. 2016, arXiv:1607.06450, equation 4.
func (g *Graph) LayerNorm(x, w, b *Node, eps float64) *Node {
	op := Norm{Eps: eps, Weight: w != nil, Bias: b != nil}
	return g.Apply(op, present(x, w, b)...)
}

// RMSNorm divides the last axis of x (…, C) by its root mean square and scales by w (C), nil for none.
//
//	y = x/√(mean(x²) + eps)·w
//
// Source: Zhang and Sennrich 2019, arXiv:1910.07467, equation 4.
func (g *Graph) RMSNorm(x, w *Node, eps float64) *Node {
	return g.Apply(Norm{Eps: eps, RMS: true, Weight: w != nil}, present(x, w)...)
}

// present returns the first node and those of the others that are not nil.
func present(x *Node, rest ...*Node) []*Node {
	nodes := []*Node{x}
	for _, n := range rest {
		if n != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// Norm is the op of [Graph.LayerNorm] and [Graph.RMSNorm]: operands x, then w and b where Weight and Bias say so.
type Norm struct {
	Eps          float64
	RMS          bool
	Weight, Bias bool
}

func (n Norm) operands() int { return 1 + btoi(n.Weight) + btoi(n.Bias) }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Infer wants w and b of the last axis.
func (n Norm) Infer(in []Meta) (Meta, error) {
	if err := arity(n.operands(), in); err != nil {
		return Meta{}, err
	}
	return in[0], n.check(in)
}

func (n Norm) check(in []Meta) error {
	x := in[0]
	switch {
	case !x.DType.IsFloat() || len(x.Shape) == 0:
		return errors.New("want a float with an axis")
	case !(n.Eps >= 0):
		return errors.Errorf("eps %g, want 0 or more", n.Eps)
	case n.RMS && n.Bias:
		return errors.New("an RMSNorm has no bias")
	}
	for _, w := range in[1:n.operands()] {
		if !w.Equal(Of(x.DType, x.Shape[len(x.Shape)-1])) {
			return errors.Errorf("weight or bias %v, want (%d)", w, x.Shape[len(x.Shape)-1])
		}
	}
	return nil
}

// Overwrites allows the result over x.
func (Norm) Overwrites(_, operand int) bool { return operand == 0 }

// VJP: see [NormGrad].
func (n Norm) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	op := NormGrad{Eps: n.Eps, RMS: n.RMS, Weight: n.Weight, Bias: n.Bias}
	in := append(append([]*Node{}, x...), dy)
	dx := make([]*Node, len(x))
	for i := range dx {
		op.Of = i
		dx[i] = g.Apply(op, in...)
	}
	return dx
}

// normed is the work of a Norm.
type normed[T Float] struct {
	y, x, w, b   []T
	eps          float64
	rms          bool
	rows, c, per int // per rows to a part
}

// A part is at least normBlock elements, and there are at most normBlocks: the derivative keeps sums of each.
const (
	normBlock  = 1 << 14
	normBlocks = 64
)

// normRows is the number of rows of a part.
func normRows(rows, c int) int { return max(1, normBlock/c, parts(rows, normBlocks)) }

func normWork[T Float](n Norm, in []Buf) normed[T] {
	s := in[0].Shape
	w := normed[T]{x: Data[T](in[0]), eps: n.Eps, rms: n.RMS, c: s[len(s)-1]}
	w.rows = len(w.x) / w.c
	w.per = normRows(w.rows, w.c)
	if n.Weight {
		w.w = Data[T](in[1])
	}
	if n.Bias {
		w.b = Data[T](in[n.operands()-1])
	}
	return w
}

// Eval normalises row by row.
func (n Norm) Eval(c *Ctx, out, in []Buf) error {
	if out[0].DType == Float64 {
		normEval[float64](n, c, out[0], in)
	} else {
		normEval[float32](n, c, out[0], in)
	}
	return nil
}

func normEval[T Float](n Norm, c *Ctx, out Buf, in []Buf) {
	w := normWork[T](n, in)
	w.y = Data[T](out)
	eachPart(c, parts(w.rows, w.per), w)
}

func (w *normed[T]) part(i, _ int) {
	lo, hi := span(i, w.rows, w.per)
	for r := lo; r < hi; r++ {
		y, x := w.y[r*w.c:(r+1)*w.c], w.x[r*w.c:(r+1)*w.c]
		if w.rms {
			vec.RMSNormRow(y, x, w.w, w.eps)
		} else {
			vec.LayerNormRow(y, x, w.w, w.b, w.eps)
		}
	}
}

// NormGrad computes the gradient of operand Of of a [Norm] from x, w, b (where there are) and dy; the three are parts
// of one whole. Mean and deviation of each row are computed again.
type NormGrad struct {
	noGrad
	Eps          float64
	RMS          bool
	Weight, Bias bool
	Of           int
}

func (n NormGrad) norm() Norm { return Norm{n.Eps, n.RMS, n.Weight, n.Bias} }

// Part implements [Parter].
func (n NormGrad) Part() (Op, int, int) {
	whole := n
	whole.Of = 0
	return whole, n.Of, n.norm().operands()
}

// Infer returns the meta of the operand whose gradient it is.
func (n NormGrad) Infer(in []Meta) (Meta, error) {
	k := n.norm().operands()
	if err := arity(k+1, in); err != nil {
		return Meta{}, err
	}
	if err := n.norm().check(in); err != nil {
		return Meta{}, err
	}
	if !in[k].Equal(in[0]) || n.Of < 0 || n.Of >= k {
		return Meta{}, errors.New("want dy like x")
	}
	return in[n.Of], nil
}

// Overwrites allows dx over x or dy.
func (n NormGrad) Overwrites(part, operand int) bool {
	return part == 0 && (operand == 0 || operand == n.norm().operands())
}

// Scratch is the partial sums of dw and db of each block of rows.
func (n NormGrad) Scratch(in []Meta) int {
	c := in[0].Shape[len(in[0].Shape)-1]
	rows := in[0].Size() / c
	return 2 * parts(rows, normRows(rows, c)) * c * in[0].DType.Size()
}

// Eval computes what is asked for in one pass over the rows.
func (n NormGrad) Eval(c *Ctx, out, in []Buf) error {
	if in[0].DType == Float64 {
		normGradEval[float64](n, c, out, in)
	} else {
		normGradEval[float32](n, c, out, in)
	}
	return nil
}

// normGraded is the work of a NormGrad: dw and db (blocks, C) are partial sums. What nothing reads is nil.
type normGraded[T Float] struct {
	normed[T]
	dx, dy, dw, db []T
}

func normGradEval[T Float](n NormGrad, c *Ctx, out, in []Buf) {
	w := normGraded[T]{normed: normWork[T](n.norm(), in), dx: Data[T](out[0]), dy: Data[T](in[len(in)-1])}
	blocks := parts(w.rows, w.per)
	var dw, db []T
	if n.Weight {
		dw = Data[T](out[1])
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
	eachPart(c, blocks, w)
	sumBlocks(dw, w.dw)
	sumBlocks(db, w.db)
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

func (w *normGraded[T]) part(i, _ int) {
	dw, db := block(w.dw, i, w.c), block(w.db, i, w.c)
	lo, hi := span(i, w.rows, w.per)
	for r := lo; r < hi; r++ {
		x, dy := w.x[r*w.c:(r+1)*w.c], w.dy[r*w.c:(r+1)*w.c]
		var dx []T
		if w.dx != nil {
			dx = w.dx[r*w.c : (r+1)*w.c]
		}
		if w.rms {
			vec.RMSNormGradRow(dx, dw, x, dy, w.w, vec.RMSOf(x, w.eps))
		} else {
			mean, rstd := vec.MomentsOf(x, w.eps)
			vec.LayerNormGradRow(dx, dw, db, x, dy, w.w, mean, rstd)
		}
	}
}
