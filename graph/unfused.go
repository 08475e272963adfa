package graph

import "github.com/pkg/errors"

// attentionUnfused is [Graph.Attention] as a formula of other ops: the oracle of its tests.
func (g *Graph) attentionUnfused(q, k, v *Node, o AttentionOpts) *Node {
	a, x := o.attention(q, k, v)
	return a.Unfused(g, x)[0]
}

// Unfused implements [Unfuser]. It stores the scores (B, NH, T, S).
func (a Attention) Unfused(g *Graph, x []*Node) []*Node {
	q, k, v := x[0], x[1], x[2]
	b, t, nh, hs := q.Dim(0), q.Dim(1), q.Dim(2), q.Dim(3)
	s, kvh := k.Dim(1), k.Dim(2)
	// The query heads of a group are rows of one product: (B, KVH, G·T, HS).
	rows := g.Reshape(g.Permute(q, 0, 2, 1, 3), b, kvh, nh/max(kvh, 1)*t, hs)
	scores := g.Scale(g.MatMulT(rows, g.Permute(k, 0, 2, 1, 3)), a.scale(hs)) // (B, KVH, G·T, S)
	mask := g.Apply(AttentionMask{Of: a, S: s}, append([]*Node{q}, x[3:]...)...)
	seen := g.Add(g.Reshape(scores, b, nh, t, s), mask)
	w := g.Softmax(seen, -1)
	w = g.Reshape(g.Dropout(w, a.Drop, a.Stream), b, kvh, nh/max(kvh, 1)*t, s)
	y := g.MatMul(w, g.Permute(v, 0, 2, 1, 3)) // (B, KVH, G·T, HS)
	return []*Node{g.Permute(g.Reshape(y, b, nh, t, hs), 0, 2, 1, 3), g.logSumExp(seen)}
}

// logSumExp is ln Σ exp(x) over the last axis, which goes; 0 for a line of −Inf.
func (g *Graph) logSumExp(x *Node) *Node {
	const low = -1e30 // a maximum of −Inf would give −Inf − (−Inf)
	most := g.Maximum(g.MaxKeep(x, -1), g.Full(Of(x.DType()), low))
	sum := g.SumKeep(g.Exp(g.Sub(x, most)), -1)
	y := g.Where(sum, g.Add(g.Log(sum), most), g.Full(Of(x.DType()), 0))
	return g.Reshape(y, dropLast(x.Shape())...)
}

// dropLast is s without its last axis.
func dropLast(s Shape) Shape { return s[:max(0, len(s)-1)] }

// Unfused implements [Unfuser] by the derivative of the formula of [Attention].
func (a AttentionGrad) Unfused(g *Graph, x []*Node) []*Node {
	y := a.Of.Unfused(g, append([]*Node{x[0], x[1], x[2]}, x[6:]...))[0]
	return g.Grad(g.Sum(g.Mul(y, x[5])), x[0], x[1], x[2])
}

// Unfused implements [Unfuser].
func (n Norm) Unfused(g *Graph, x []*Node) []*Node {
	y, row := x[0], dropLast(x[0].Shape())
	var mean *Node
	if !n.RMS {
		mean = g.MeanKeep(y, -1)
		y = g.Sub(y, mean)
	}
	rstd := g.Div(g.Full(Of(y.DType()), 1), g.Sqrt(g.AddScalar(g.MeanKeep(g.Mul(y, y), -1), n.Eps)))
	y = g.Mul(y, rstd)
	if n.Weight {
		y = g.Mul(y, x[1])
	}
	if n.Bias {
		y = g.Add(y, x[n.operands()-1])
	}
	parts := []*Node{y, g.Reshape(rstd, row...)}
	if !n.RMS {
		parts = append(parts, g.Reshape(mean, row...))
	}
	return parts
}

// Unfused implements [Unfuser] by the formulas of [NormGrad].
func (n NormGrad) Unfused(g *Graph, x []*Node) []*Node {
	first, dy := 1+btoi(n.Weight), x[n.dy()]
	keep := append(dropLast(x[0].Shape()).Clone(), 1)
	hat, rstd := x[0], g.Reshape(x[first], keep...)
	if !n.RMS {
		hat = g.Sub(hat, g.Reshape(x[first+1], keep...))
	}
	hat = g.Mul(hat, rstd)
	wdy := dy
	if n.Weight {
		wdy = g.Mul(dy, x[1])
	}
	dx := g.Sub(wdy, g.Mul(hat, g.MeanKeep(g.Mul(wdy, hat), -1)))
	if !n.RMS {
		dx = g.Sub(dx, g.MeanKeep(wdy, -1))
	}
	parts := []*Node{g.Mul(rstd, dx)}
	if n.Weight {
		parts = append(parts, g.sumRows(g.Mul(dy, hat)))
	}
	if n.Bias {
		parts = append(parts, g.sumRows(dy))
	}
	return parts
}

// sumRows sums x (…, C) over all axes but the last: (C).
func (g *Graph) sumRows(x *Node) *Node {
	c := x.Dim(-1)
	return g.Sum(g.Reshape(x, x.Meta().Size()/max(c, 1), c), 0)
}

// aims is what the softmax should be, (…, V): the targets with label smoothing, times class weights. A row that does
// not count is zeros.
func (o CrossEntropy) aims(g *Graph, x []*Node) *Node {
	v := x[0].Dim(-1)
	q := g.Apply(OneHot{DType: x[0].DType(), V: v, HasIgnore: o.HasIgnore, IgnoreIndex: o.IgnoreIndex}, x[1])
	if o.Smoothing != 0 {
		counts := g.SumKeep(q, -1) // 1, or 0 in a row that does not count
		q = g.Add(g.Scale(q, 1-o.Smoothing), g.Scale(counts, o.Smoothing/float64(v)))
	}
	if o.Weighted {
		q = g.Mul(q, x[2])
	}
	return q
}

// terms is −q·ln p, (…, V); 0 where q is, also where ln p is −Inf.
func (o CrossEntropy) terms(g *Graph, x []*Node) *Node {
	q := o.aims(g, x)
	return g.Where(q, g.Neg(g.Mul(q, g.LogSoftmax(x[0], -1))), g.Full(Of(x[0].DType()), 0))
}

// Unfused implements [Unfuser].
func (o CrossEntropy) Unfused(g *Graph, x []*Node) []*Node { return []*Node{g.Sum(o.terms(g, x))} }

// Unfused implements [Unfuser].
func (o CrossEntropyRows) Unfused(g *Graph, x []*Node) []*Node {
	return []*Node{g.Sum(o.terms(g, x), -1)}
}

// Unfused implements [Unfuser]: dy·(p·Σq − q).
func (o CrossEntropyGrad) Unfused(g *Graph, x []*Node) []*Node {
	q := o.aims(g, x)
	d := g.Sub(g.Mul(g.Softmax(x[0], -1), g.SumKeep(q, -1)), q)
	return []*Node{g.Mul(d, x[len(x)-1])}
}

// Unfused implements [Unfuser].
func (o CrossEntropyBoth) Unfused(g *Graph, x []*Node) []*Node {
	loss := o.CrossEntropy.Unfused(g, x[:len(x)-1])
	return append(loss, CrossEntropyGrad{CrossEntropy: o.CrossEntropy}.Unfused(g, x)...)
}

// Unfused implements [Unfuser].
func (o LinearCrossEntropy) Unfused(g *Graph, x []*Node) []*Node {
	logits := g.Apply(MatMul{TransB: o.TransB}, x[0], x[1])
	both := CrossEntropyBoth{CrossEntropy: o.CrossEntropy}.Unfused(g, append([]*Node{logits}, x[2:]...))
	return []*Node{both[0], g.Apply(MatMul{TransB: !o.TransB}, both[1], x[1])}
}

// Unfused implements [Unfuser]: the product, then what is added to it and the activation.
func (o MatMul) Unfused(g *Graph, x []*Node) []*Node {
	plain := MatMul{TransA: o.TransA, TransB: o.TransB}
	if o == plain {
		return nil
	}
	y := g.Apply(plain, x[0], x[1])
	for _, more := range x[2:] {
		y = g.Add(y, more)
	}
	if o.Act != NoActivation {
		y = g.Apply(o.Act.op(), y)
	}
	return []*Node{y}
}

// OneHot is 1 at each id and 0 elsewhere: ids (…) → floats (…, V). A row of the ignored id is zeros, where HasIgnore;
// another id outside 0 … V−1 is an error of the run. It stands for the targets in the formula of [CrossEntropy].
type OneHot struct {
	NoGrad
	DType       DType
	V           int
	HasIgnore   bool
	IgnoreIndex int32
}

// Infer appends an axis.
func (o OneHot) Infer(in []Meta) (Meta, error) {
	if err := Arity(1, in); err != nil {
		return Meta{}, err
	}
	if in[0].DType != Int32 || !o.DType.IsFloat() || o.V < 1 {
		return Meta{}, errors.Errorf("want ids, and floats of at least one class, not %d", o.V)
	}
	return Meta{o.DType, append(in[0].Shape.Clone(), o.V)}, nil
}

// Eval clears and sets.
func (o OneHot) Eval(_ *Ctx, out, in []Buf) error {
	clear(out[0].Mem)
	for i, t := range Data[int32](in[0]) {
		switch {
		case o.HasIgnore && t == o.IgnoreIndex:
		case t < 0 || int(t) >= o.V:
			return errors.Errorf("target %d at position %d: there are classes 0 to %d", t, i, o.V-1)
		default:
			out[0].Set(i*o.V+int(t), 1)
		}
	}
	return nil
}
