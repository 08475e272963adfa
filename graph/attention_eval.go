package graph

import (
	"math"

	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// The forward pass of attention works on tiles: rows of queries by columns of keys, of one head. Along the keys the
// softmax is kept up tile by tile (Milakov and Gimelshein, arXiv:1805.02867, algorithm 3). Both products run over
// blocks of keys, each with the queries that see one of them, so a causal tile costs half. Many queries share a
// block, because a product packs its keys anew. Measured at (12, 64, 4, 32) and (4, 256, 6, 64): BenchmarkAttention.
const (
	attnRows  = 128            // queries of a tile, the most that one part has
	attnTile  = attnRows * 256 // elements of a tile
	attnBlock = 32             // keys of a block, a multiple of the width of the products' panels
	attnPad   = 16             // between rows of a tile, so that they fall into different sets of the cache
)

// heads is a value (B, T, NH, HS): its memory, and the elements from one row, position and head to the next.
type heads[T Float] struct {
	data    []T
	b, t, h int
}

func headsOf[T Float](b Buf) heads[T] {
	if b.Empty() {
		return heads[T]{}
	}
	return heads[T]{Data[T](b), axisStep(b, 0), axisStep(b, 1), axisStep(b, 2)}
}

// axisStep is the number of elements from one index of an axis of b to the next.
func axisStep(b Buf, axis int) int {
	n := b.Shape[axis+1:].Size()
	if b.Stride != 0 && n >= b.Row {
		return n / b.Row * b.Stride
	}
	return n
}

// mat is the matrix of one head, a row for each position from t on.
func (x *heads[T]) mat(b, t, h int) vec.Mat[T] {
	return vec.Mat[T]{Data: x.data[b*x.b+t*x.t+h*x.h:], Row: x.t, Col: 1}
}

// row is the n elements of one head at one position.
func (x *heads[T]) row(b, t, h, n int) []T {
	o := b*x.b + t*x.t + h*x.h
	return x.data[o : o+n : o+n]
}

// wholeHeads refuses rows of a strided Buf that cut heads apart, and more workers than scratch has room for.
func wholeHeads(c *Ctx, bufs ...[]Buf) error {
	for _, l := range bufs {
		for _, b := range l {
			if hs := b.Shape; b.Stride != 0 && len(hs) == 4 && b.Row%hs[3] != 0 {
				return errors.Errorf("a slice in rows of %d elements, which cut heads of %d apart", b.Row, hs[3])
			}
		}
	}
	if c.Workers() > MaxWorkers {
		return errors.Errorf("%d workers, at most %d", c.Workers(), MaxWorkers)
	}
	return nil
}

// attended is the work of an Attention.
type attended[T Float] struct {
	sight
	q, k, v, y       heads[T]
	lse              []T // nil where nothing reads it
	batch, nh, hs    int
	group            int // query heads that share a head of keys
	scale, drop      float64
	key              uint64
	rows, cols, wide int // of a tile; keys of a block
	ld               int // from one row of a tile to the next
	tiles            []T // one of each worker
}

// tileShape is rows, columns, keys of a block, and the distance of rows for t queries and s keys.
func tileShape(t, s int) (rows, cols, wide, ld int) {
	rows = min(t, attnRows)
	cols = min(s, attnTile/rows)
	if wide = attnBlock; rows < attnBlock/2 {
		wide = cols
	}
	return rows, cols, wide, Parts(cols, 16)*16 + attnPad
}

// Scratch is a tile for each worker.
func (a Attention) Scratch(in []Meta) int {
	rows, _, _, ld := tileShape(in[0].Shape[1], in[1].Shape[1])
	return MaxWorkers * rows * ld * in[0].DType.Size()
}

// Eval computes y and LSE.
func (a Attention) Eval(c *Ctx, out, in []Buf) error {
	if err := wholeHeads(c, out[:1], in[:3]); err != nil {
		return err
	}
	return EvalFloat(in[0].DType, a, c, out, in, attend[float32], attend[float64])
}

func attend[T Float](a Attention, c *Ctx, out, in []Buf) error {
	q, k := in[0].Shape, in[1].Shape
	w := attended[T]{sight: a.sight(q[1], k[1], in[3:]), q: headsOf[T](in[0]), k: headsOf[T](in[1]), v: headsOf[T](in[2]),
		batch: q[0], nh: q[2], hs: q[3], group: q[2] / k[2], scale: a.scale(q[3]), drop: a.Drop, key: c.Scalars.Key(a.Stream)}
	w.y, w.lse = headsOf[T](out[0]), Data[T](out[1])
	w.rows, w.cols, w.wide, w.ld = tileShape(q[1], k[1])
	w.tiles = ScratchOf[T](c, 0, MaxWorkers*w.rows*w.ld)
	EachPart(c, w.batch*w.nh*Parts(w.t, w.rows), w)
	return nil
}

// part computes the queries of a tile of one head, the last ones first: of a causal one they see the most.
func (w *attended[T]) Part(n, worker int) {
	heads := w.batch * w.nh
	i := (Parts(w.t, w.rows) - 1 - n/heads) * w.rows
	b, h := n%heads/w.nh, n%heads%w.nh
	m := min(w.rows, w.t-i)
	var top [attnRows]T       // largest score of each row so far
	var sum [attnRows]float64 // Σ exp(score − top) so far
	for r := range m {
		top[r] = negInf[T]()
		if w.y.data != nil {
			clear(w.y.row(b, i+r, h, w.hs))
		}
	}
	tile := w.tiles[worker*w.rows*w.ld:][:w.rows*w.ld]
	lo, _ := w.keys(b, i)
	_, hi := w.keys(b, i+m-1)
	for j := lo; j < hi; j += w.cols {
		n := min(w.cols, hi-j)
		w.blocks(tile, b, i, m, h, j, n, worker, false)
		for r := range m {
			w.softmax(tile[r*w.ld:r*w.ld+n], b, i+r, h, j, &top[r], &sum[r], j > lo)
		}
		if w.y.data != nil {
			w.blocks(tile, b, i, m, h, j, n, worker, true)
		}
	}
	for r := range m {
		w.finish(b, i+r, h, top[r], sum[r])
	}
}

// blocks goes over the blocks of n keys from j on. With each go those of the m queries from i on that see one of its
// keys. There is one block of all keys that every query sees, and there are narrow ones beside it. blocks fills the
// tile with the scores, or adds to y the values with the weights that the tile has by then.
func (w *attended[T]) blocks(tile []T, b, i, m, h, j, n, worker int, values bool) {
	all, end := w.common(b, i, m, w.wide)
	for c := 0; c < n; {
		k := min(w.wide, n-c)
		switch at := j + c; {
		case all <= at && at < end:
			k = min(end-at, n-c)
		case at < all && all < end:
			k = min(k, all-at)
		}
		lo, _ := w.queries(b, j+c)
		_, hi := w.queries(b, j+c+k-1)
		if lo, hi = max(lo, i), min(hi, i+m); lo < hi {
			p := vec.Mat[T]{Data: tile[(lo-i)*w.ld+c:], Row: w.ld, Col: 1}
			g := vec.Gemm[T]{M: hi - lo, N: k, K: w.hs, A: w.q.mat(b, lo, h), B: w.k.mat(b, j+c, h/w.group).T(), C: p, Alpha: T(w.scale)}
			if values {
				g = vec.Gemm[T]{M: hi - lo, N: w.hs, K: k, A: p, B: w.v.mat(b, j+c, h/w.group), C: w.y.mat(b, lo, h), Add: true}
			}
			g.Serial(worker)
		}
		c += k
	}
}

// softmax turns the scores p of query i and the keys from j on into exp(score − top). For keys that the query does
// not see it stores 0. It drops some of them, and scales what y has of earlier keys to the new top.
func (w *attended[T]) softmax(p []T, b, i, h, j int, top *T, sum *float64, scale bool) {
	lo, hi := w.keys(b, i)
	lo, hi = min(max(lo-j, 0), len(p)), min(max(hi-j, 0), len(p))
	clear(p[:lo])
	clear(p[hi:])
	p = p[lo:hi]
	if w.segments != nil {
		for n := range p {
			if w.apart(b, i, j+lo+n) {
				p[n] = negInf[T]()
			}
		}
	}
	old := *top
	*top = max(old, vec.Max(p))
	s := vec.ExpSumRow(p, p, *top)
	if scale && *top != old && old != negInf[T]() {
		f := math.Exp(float64(old - *top))
		*sum *= f
		w.scaleRow(b, i, h, T(f))
	}
	*sum += s
	if w.drop > 0 {
		vec.Dropout(p, p, w.key, w.index(b, i, h, j+lo), w.drop)
	}
}

// index counts the weights, as those of (B, NH, T, S).
func (w *attended[T]) index(b, i, h, j int) uint64 { return uint64(((b*w.nh+h)*w.t+i)*w.s + j) }

// finish divides a row by its sum, where there is any.
func (w *attended[T]) finish(b, i, h int, top T, sum float64) {
	lse := 0.0
	if top != negInf[T]() {
		w.scaleRow(b, i, h, T(1/sum))
		if w.lse != nil {
			lse = float64(top) + math.Log(sum)
		}
	}
	if w.lse != nil {
		w.lse[(b*w.nh+h)*w.t+i] = T(lse)
	}
}

// scaleRow multiplies a row of y by f.
func (w *attended[T]) scaleRow(b, i, h int, f T) {
	if w.y.data != nil {
		y := w.y.row(b, i, h, w.hs)
		vec.Scale(y, y, f)
	}
}

func negInf[T Float]() T { return T(math.Inf(-1)) }
