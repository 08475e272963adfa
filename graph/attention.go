package graph

import (
	"math"

	"github.com/pkg/errors"
)

// MaxWorkers is the largest number of workers for which an op's scratch has room.
const MaxWorkers = 16

// AttentionOpts are the attributes and the optional operands of [Graph.Attention]; the zero value sees all keys.
//
// Query i of row b stands at position p = Start[b] + i and sees key j where all of these hold:
//
//	Causal    j ≤ p
//	Window    p − j < Window, and j − p < Window
//	Lengths   j < Lengths[b]
//	Segments  Segments[b, j] = Segments[b, p]; a p outside 0 … S−1 has no segment and sees nothing
type AttentionOpts struct {
	Causal bool
	Window int     // in keys, the query's own among them; 0 for none
	Scale  float64 // of the scores; 0 means 1/√HS

	Lengths  *Node // ids (B): keys that hold something
	Segments *Node // ids (B, S): the document that each position of a packed row belongs to
	Start    *Node // ids (B): position of the first query, where S is the capacity of a cache; nil means 0

	Drop   float64 // probability with which a weight is dropped after the softmax
	Stream uint64  // of the random numbers of Drop; see [Graph.Dropout]
}

// Attention returns softmax(scale·q·kᵀ)·v for each head, over the keys that a query sees:
//
//	y[b, i, h] = Σⱼ w[j]·v[b, j, h/G],  w = dropout(softmaxⱼ(scale·q[b, i, h]·k[b, j, h/G])),  G = NH/KVH
//
// q (B, T, NH, HS), k and v (B, S, KVH, HS) are floats of one dtype, with NH a multiple of KVH. The ids in o are
// Int32, and y has the meta of q. A query that sees no key gives zeros. Each softmax sums in float64. No (T, S)
// matrix is stored. Shapes that do not fit are an error. Source: Vaswani et al., arXiv:1706.03762, section 3.2.1.
func (g *Graph) Attention(q, k, v *Node, o AttentionOpts) *Node {
	a, x := o.attention(q, k, v)
	return g.Apply(a, x...)
}

// attention is the op and the operands of o.
func (o AttentionOpts) attention(q, k, v *Node) (Attention, []*Node) {
	a := Attention{Causal: o.Causal, Window: o.Window, Scale: o.Scale, Drop: o.Drop,
		Lengths: o.Lengths != nil, Segments: o.Segments != nil, Start: o.Start != nil}
	if o.Drop != 0 {
		a.Stream = o.Stream
	}
	return a, append([]*Node{q, k}, Present(v, o.Lengths, o.Segments, o.Start)...)
}

// Attention is the op of [Graph.Attention]. Lengths, Segments and Start say which ids follow q, k, v, in this order.
//
// Part 0 is y. Part 1 (LSE) is ln Σⱼ exp(score) of each query, (B, NH, T), and 0 where a query sees no key. From it
// [AttentionGrad] computes the weights again.
type Attention struct {
	Causal                   bool
	Window                   int
	Scale                    float64
	Lengths, Segments, Start bool
	Drop                     float64
	Stream                   uint64
	LSE                      bool
}

// Whole says that y and LSE are computed together.
func (a Attention) Whole() (Op, int, int) {
	i := btoi(a.LSE)
	a.LSE = false
	return a, i, 2
}

// Stops says that nothing differentiates LSE.
func (a Attention) Stops(int) bool { return a.LSE }

// Strided allows q, k, v and y to be slices of packed matrices.
func (Attention) Strided() {}

// Infer wants the shapes of [Graph.Attention].
func (a Attention) Infer(in []Meta) (Meta, error) {
	if err := a.check(in, 3); err != nil {
		return Meta{}, err
	}
	if q := in[0].Shape; a.LSE {
		return Of(in[0].DType, q[0], q[2], q[1]), nil
	}
	return in[0], nil
}

// check refuses attributes and operands that do not fit; the ids follow n floats.
func (a Attention) check(in []Meta, n int) error {
	if err := a.checkAttributes(); err != nil {
		return err
	}
	if err := Arity(n+btoi(a.Lengths)+btoi(a.Segments)+btoi(a.Start), in); err != nil {
		return err
	}
	q, k, v := in[0], in[1], in[2]
	if len(q.Shape) != 4 || len(k.Shape) != 4 || !q.DType.IsFloat() || k.DType != q.DType || !v.Equal(k) {
		return errors.New("want floats q (B, T, NH, HS), k and v (B, S, KVH, HS) of one dtype")
	}
	if k.Shape[0] != q.Shape[0] || k.Shape[3] != q.Shape[3] || q.Shape[2]%k.Shape[2] != 0 {
		return errors.Errorf("q %v and k %v: want one B, one HS, and NH a multiple of KVH", q.Shape, k.Shape)
	}
	ids := in[n:]
	for _, w := range []struct {
		has  bool
		name string
		meta Meta
	}{
		{a.Lengths, "lengths", Of(Int32, q.Shape[0])},
		{a.Segments, "segments", Of(Int32, q.Shape[0], k.Shape[1])},
		{a.Start, "start", Of(Int32, q.Shape[0])},
	} {
		if !w.has {
			continue
		}
		if !ids[0].Equal(w.meta) {
			return errors.Errorf("%s %v, want %v", w.name, ids[0], w.meta)
		}
		ids = ids[1:]
	}
	return nil
}

func (a Attention) checkAttributes() error {
	if a.Window < 0 || a.Window > maxElements {
		return errors.Errorf("window %d: want 0 (none) or a number of keys", a.Window)
	}
	if math.IsNaN(a.Scale) || math.IsInf(a.Scale, 0) {
		return errors.Errorf("scale %g: want a finite number", a.Scale)
	}
	return checkDrop(a.Drop)
}

// scale is the factor of the scores for heads of size hs.
func (a Attention) scale(hs int) float64 {
	if a.Scale == 0 {
		return 1 / math.Sqrt(float64(hs))
	}
	return a.Scale
}

// VJP gives dq, dk, dv by [AttentionGrad].
func (a Attention) VJP(g *Graph, x []*Node, y, dy *Node) []*Node {
	lse := a
	lse.LSE = true
	in := append([]*Node{x[0], x[1], x[2], y, g.Apply(lse, x...), dy}, x[3:]...)
	dx := make([]*Node, len(x))
	for i := range 3 {
		dx[i] = g.Apply(AttentionGrad{Of: a, Operand: i}, in...)
	}
	return dx
}

// FLOPs counts both products of each pair of a query and a key that it sees, 4·HS a pair and head. Where ids decide
// what is seen they are taken to hide nothing, and with Start all keys count.
func (a Attention) FLOPs(in []Meta, _ Meta) int64 {
	q := in[0].Shape
	return 4 * int64(q[0]*q[2]*q[3]) * a.pairs(q[1], in[1].Shape[1])
}

// pairs counts, for t queries and s keys, the pairs that shape and attributes alone let see each other.
func (a Attention) pairs(t, s int) int64 {
	n := int64(t) * int64(s)
	if a.Start {
		return n
	}
	switch {
	case a.Causal:
		n = ramp(t, 1, s)
	case a.Window > 0:
		n = ramp(t, a.Window, s)
	}
	if a.Window > 0 {
		n -= ramp(t, 1-a.Window, s)
	}
	return n
}

// ramp is Σ over 0 ≤ i < t of i + c, each at least 0 and at most s.
func ramp(t, c, s int) int64 {
	low := min(t, max(0, -c))             // terms of 0
	high := max(low, min(t, max(0, s-c))) // the first term of s
	n, a := int64(high-low), int64(low+c)
	return n*a + n*(n-1)/2 + int64(t-high)*int64(s)
}
