package graph

import (
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// AttentionGrad is the derivative of [Attention] for q, k, v: Operand 0, 1, 2. Its operands are q, k, v, y, lse, dy,
// and the ids of the Attention. With w the weights before dropout, computed again from lse, and m the dropout's
// factors:
//
//	dv[j] = Σᵢ m·w·dy[i],  ds = w·(m·(dy[i]·v[j]) − dy[i]·y[i]),  dq[i] = scale·Σⱼ ds·k[j],  dk[j] = scale·Σᵢ ds·q[i]
//
// dk and dv are summed over the query heads of a group in their order. Source: Dao et al., arXiv:2205.14135, appendix
// B.2.
type AttentionGrad struct {
	NoGrad
	Of      Attention
	Operand int
}

// Whole says that the three are computed together.
func (a AttentionGrad) Whole() (Op, int, int) {
	i := a.Operand
	a.Operand = 0
	return a, i, 3
}

// Strided allows floats, but lse, to be slices of packed matrices.
func (AttentionGrad) Strided() {}

// Infer gives the meta of the operand.
func (a AttentionGrad) Infer(in []Meta) (Meta, error) {
	if a.Operand < 0 || a.Operand > 2 || a.Of.LSE {
		return Meta{}, errors.Errorf("derivative for operand %d: want 0, 1 or 2", a.Operand)
	}
	if err := a.Of.check(in, 6); err != nil {
		return Meta{}, err
	}
	q := in[0].Shape
	if !in[3].Equal(in[0]) || !in[5].Equal(in[0]) || !in[4].Equal(Of(in[0].DType, q[0], q[2], q[1])) {
		return Meta{}, errors.New("want y and dy of q's meta, and lse (B, NH, T)")
	}
	return in[a.Operand], nil
}

// FLOPs counts five products of each pair that is seen, where the forward pass has two.
func (a AttentionGrad) FLOPs(in []Meta, out Meta) int64 { return a.Of.FLOPs(in, out) / 2 * 5 }

// The backward pass works on transposed tiles: rows of keys by columns of queries. What is one number a query is then
// the bias of a product, and what the products pack, the queries, is small. Rows of a tile touch, so that a loop
// takes it whole.
const (
	attnKeys    = 256 // keys of a tile
	attnQueries = 64  // queries of a tile
	attnSome    = 32  // the same where some do not see all keys; both are multiples of the width of a product's panels
)

// gradTile is the rows and columns of a tile of the backward pass.
func gradTile(t, s int) (rows, cols int) { return min(s, attnKeys), min(t, attnQueries) }

// gradScratch is the number of elements that each worker needs: two tiles, a third one with dropout, and two numbers
// a query.
func (a Attention) gradScratch(t, s int) int {
	rows, cols := gradTile(t, s)
	n := 2*rows*cols + 2*cols
	if a.Drop > 0 {
		n += rows*cols + rows
	}
	return Parts(n, 16) * 16
}

// Scratch is that of all workers.
func (a AttentionGrad) Scratch(in []Meta) int {
	return MaxWorkers * a.Of.gradScratch(in[0].Shape[1], in[1].Shape[1]) * in[0].DType.Size()
}

// Eval computes dq, dk and dv.
func (a AttentionGrad) Eval(c *Ctx, out, in []Buf) error {
	if err := wholeHeads(c, out, in[:4], in[5:6]); err != nil {
		return err
	}
	return EvalFloat(in[0].DType, a.Of, c, out, in, attendGrad[float32], attendGrad[float64])
}

// attendedGrad is the work of an AttentionGrad.
type attendedGrad[T Float] struct {
	attended[T]
	dy, dq, dk, dv heads[T] // a gradient that nothing reads has no memory
	scratch        []T
	size           int // of the scratch of one worker
}

// gradSpace is the scratch of one worker.
type gradSpace[T Float] struct {
	w, ds, drop []T // tiles: weights, their gradients, and the dropout's factors
	line        []T // a row of factors
	lse, d      []T // of each query: −lse and −Σ dy·y
}

func attendGrad[T Float](a Attention, c *Ctx, out, in []Buf) error {
	q, k := in[0].Shape, in[1].Shape
	w := attendedGrad[T]{attended: attended[T]{sight: a.sight(q[1], k[1], in[6:]), q: headsOf[T](in[0]), k: headsOf[T](in[1]),
		v: headsOf[T](in[2]), y: headsOf[T](in[3]), lse: Data[T](in[4]), batch: q[0], nh: q[2], hs: q[3], group: q[2] / k[2],
		scale: a.scale(q[3]), drop: a.Drop, key: c.Scalars.Key(a.Stream)}, dy: headsOf[T](in[5])}
	w.dq, w.dk, w.dv = headsOf[T](out[0]), headsOf[T](out[1]), headsOf[T](out[2])
	w.rows, w.cols = gradTile(q[1], k[1])
	w.size = a.gradScratch(q[1], k[1])
	w.scratch = ScratchOf[T](c, 0, MaxWorkers*w.size)
	EachPart(c, w.batch*k[2], w)
	return nil
}

// space cuts the scratch of one worker.
func (w *attendedGrad[T]) space(worker int) (s gradSpace[T]) {
	m := w.scratch[worker*w.size:][:w.size]
	tile := w.rows * w.cols
	s.w, s.ds, m = m[:tile], m[tile:2*tile], m[2*tile:]
	s.lse, s.d, m = m[:w.cols], m[w.cols:2*w.cols], m[2*w.cols:]
	if w.drop > 0 {
		s.drop, s.line = m[:tile], m[tile:tile+w.rows]
	}
	return s
}

// part computes the gradients of one head of keys and of the query heads that share it.
func (w *attendedGrad[T]) Part(n, worker int) {
	heads := w.nh / w.group
	b, kv := n/heads, n%heads
	w.clear(&w.dk, b, 0, w.s, kv)
	w.clear(&w.dv, b, 0, w.s, kv)
	s := w.space(worker)
	for h := kv * w.group; h < (kv+1)*w.group; h++ {
		for i := 0; i < w.t; i += w.cols {
			w.queryBlock(&s, b, h, i, min(w.cols, w.t-i), worker)
		}
	}
}

// queryBlock adds what n queries from i on contribute. It takes the keys that all of them see at once, and those
// beside them with fewer queries at a time.
func (w *attendedGrad[T]) queryBlock(s *gradSpace[T], b, h, i, n, worker int) {
	_, hi := w.keys(b, i+n-1)
	for c := range n {
		s.lse[c] = -w.lse[(b*w.nh+h)*w.t+i+c]
		s.d[c] = T(-vec.Dot(w.dy.row(b, i+c, h, w.hs), w.y.row(b, i+c, h, w.hs)))
	}
	w.clear(&w.dq, b, i, n, h)
	all, end := w.common(b, i, n, attnSome)
	if all >= end {
		all, end = hi, hi
	}
	w.tiles(s, b, h, all, end, i, 0, n, worker)
	for c := 0; c < n; c += attnSome {
		k := min(attnSome, n-c)
		lo, _ := w.keys(b, i+c)
		_, hi := w.keys(b, i+c+k-1)
		w.tiles(s, b, h, lo, min(all, hi), i, c, k, worker)
		w.tiles(s, b, h, end, hi, i, c, k, worker)
	}
}

// tiles adds what keys from j to end and queries c to c+n of the block from i on have to do with each other.
func (w *attendedGrad[T]) tiles(s *gradSpace[T], b, h, j, end, i, c, n, worker int) {
	for ; j < end; j += w.rows {
		w.tile(s, b, h, j, min(w.rows, end-j), i+c, n, s.lse[c:c+n], s.d[c:c+n], worker)
	}
}

// clear zeroes n rows of one head.
func (w *attendedGrad[T]) clear(x *heads[T], b, t, n, h int) {
	if x.data == nil {
		return
	}
	for i := range n {
		clear(x.row(b, t+i, h, w.hs))
	}
}

// tile adds what m keys from j on and n queries from i on have to do with each other.
func (w *attendedGrad[T]) tile(s *gradSpace[T], b, h, j, m, i, n int, lse, d []T, worker int) {
	kv := h / w.group
	p, ds := vec.Mat[T]{Data: s.w, Row: n, Col: 1}, vec.Mat[T]{Data: s.ds, Row: n, Col: 1}
	q, k, dy := w.q.mat(b, i, h), w.k.mat(b, j, kv), w.dy.mat(b, i, h)
	g := vec.Gemm[T]{M: m, N: n, K: w.hs, A: k, B: q.T(), C: p, Alpha: T(w.scale), Bias: lse}
	g.Serial(worker)
	g = vec.Gemm[T]{M: m, N: n, K: w.hs, A: w.v.mat(b, j, kv), B: dy.T(), C: ds}
	if w.drop == 0 {
		g.Bias = d
	}
	g.Serial(worker)
	w.weights(s, b, j, m, i, n)
	if w.drop > 0 {
		w.dropWeights(s, b, h, j, m, i, n, d)
		p.Data = s.drop
	}
	vec.Mul(s.ds[:m*n], s.ds[:m*n], s.w[:m*n])
	if w.dv.data != nil {
		g = vec.Gemm[T]{M: m, N: w.hs, K: n, A: p, B: dy, C: w.dv.mat(b, j, kv), Add: true}
		g.Serial(worker)
	}
	if w.dk.data != nil {
		g = vec.Gemm[T]{M: m, N: w.hs, K: n, A: ds, B: q, C: w.dk.mat(b, j, kv), Alpha: T(w.scale), Add: true}
		g.Serial(worker)
	}
	if w.dq.data != nil {
		g = vec.Gemm[T]{M: n, N: w.hs, K: m, A: ds.T(), B: k, C: w.dq.mat(b, i, h), Alpha: T(w.scale), Add: true}
		g.Serial(worker)
	}
}

// weights makes the weights of score − lse: 0 for a query that does not see the key.
func (w *attendedGrad[T]) weights(s *gradSpace[T], b, j, m, i, n int) {
	vec.Exp(s.w[:m*n], s.w[:m*n])
	for r := range m {
		lo, hi := w.queries(b, j+r)
		if lo <= i && hi >= i+n && w.segments == nil {
			continue
		}
		p := s.w[r*n : (r+1)*n]
		lo, hi = min(max(lo-i, 0), n), min(max(hi-i, 0), n)
		clear(p[:lo])
		clear(p[hi:])
		if w.segments == nil {
			continue
		}
		for c := lo; c < hi; c++ {
			if w.apart(b, i+c, j+r) {
				p[c] = 0
			}
		}
	}
}

// dropWeights fills s.drop with the weights after dropout, and passes the gradient of those on to the weights before
// it.
func (w *attendedGrad[T]) dropWeights(s *gradSpace[T], b, h, j, m, i, n int, d []T) {
	for c := range n {
		line := s.line[:m]
		vec.Fill(line, 1)
		vec.Dropout(line, line, w.key, w.index(b, i+c, h, j), w.drop)
		for r, f := range line {
			s.drop[r*n+c] = f
		}
	}
	for r := range m {
		p, ds, f := s.w[r*n:(r+1)*n], s.ds[r*n:(r+1)*n], s.drop[r*n:(r+1)*n]
		vec.Mul(ds, ds, f)
		vec.Add(ds, ds, d)
		vec.Mul(f, f, p)
	}
}
