package graph

import "github.com/pkg/errors"

// sight says which keys a query sees; see [AttentionOpts].
type sight struct {
	causal                   bool
	window                   int
	t, s                     int // queries and keys
	lengths, segments, start []int32
}

// sight reads the ids that follow the floats.
func (a Attention) sight(t, s int, ids []Buf) sight {
	v := sight{causal: a.Causal, window: a.Window, t: t, s: s}
	for _, w := range []struct {
		has bool
		ids *[]int32
	}{{a.Lengths, &v.lengths}, {a.Segments, &v.segments}, {a.Start, &v.start}} {
		if w.has {
			*w.ids = Data[int32](ids[0])
			ids = ids[1:]
		}
	}
	return v
}

// position is that of query i of row b.
func (v *sight) position(b, i int) int {
	if v.start != nil {
		i += int(v.start[b])
	}
	return i
}

// keys is the range of keys of row b that query i sees, but for segments. Both ends grow with i.
func (v *sight) keys(b, i int) (lo, hi int) {
	p := v.position(b, i)
	hi = v.s
	if v.lengths != nil {
		hi = min(hi, int(v.lengths[b]))
	}
	if v.window > 0 {
		lo = max(0, p-v.window+1)
		hi = min(hi, p+v.window)
	}
	if v.causal {
		hi = min(hi, p+1)
	}
	hi = max(hi, 0)
	return min(lo, hi), hi
}

// common is a range of keys of row b that each of m queries from i on sees, but for segments. It has as many
// multiples of wide as there are.
func (v *sight) common(b, i, m, wide int) (lo, hi int) {
	_, hi = v.keys(b, i)
	lo, _ = v.keys(b, i+m-1)
	return lo, lo + max(0, hi-lo)/wide*wide
}

// queries is the range of queries of row b that see key j, but for lengths and segments. Both ends grow with j.
func (v *sight) queries(b, j int) (lo, hi int) {
	i := j - v.position(b, 0) // the query that stands at the key
	hi = v.t
	if v.window > 0 {
		lo = max(0, i-v.window+1)
		hi = min(hi, i+v.window)
	}
	if v.causal {
		lo = max(lo, i)
	}
	hi = max(hi, 0)
	return min(lo, hi), hi
}

// apart reports whether query i and key j of row b are in different segments.
func (v *sight) apart(b, i, j int) bool {
	p := v.position(b, i)
	return p < 0 || p >= v.s || v.segments[b*v.s+p] != v.segments[b*v.s+j]
}

// AttentionMask is what [Graph.Attention] adds to the scores in its unfused form. It is (B, 1, T, S), with 0 where a
// query sees a key and −Inf elsewhere. Its operands are q, for the shape alone, and the ids of the Attention.
type AttentionMask struct {
	NoGrad
	Of Attention
	S  int
}

// Infer wants q and ids.
func (m AttentionMask) Infer(in []Meta) (Meta, error) {
	if len(in) == 0 || len(in[0].Shape) != 4 || m.S < 1 {
		return Meta{}, errors.Errorf("want q (B, T, NH, HS), ids, and a number of keys, not %d", m.S)
	}
	q := in[0].Shape
	k := Of(in[0].DType, q[0], m.S, q[2], q[3])
	if err := k.check(); err != nil {
		return Meta{}, err
	}
	if err := m.Of.check(append([]Meta{in[0], k, k}, in[1:]...), 3); err != nil {
		return Meta{}, err
	}
	return Of(in[0].DType, q[0], 1, q[1], m.S), nil
}

// Eval asks of each pair whether it is seen.
func (m AttentionMask) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(out[0].DType, m, c, out, in, fillMask[float32], fillMask[float64])
}

func fillMask[T Float](m AttentionMask, _ *Ctx, out, in []Buf) error {
	v, y := m.Of.sight(out[0].Shape[2], m.S, in[1:]), Data[T](out[0])
	for n := range y {
		b, i, j := n/(v.t*v.s), n/v.s%v.t, n%v.s
		if y[n] = 0; !v.sees(b, i, j) {
			y[n] = negInf[T]()
		}
	}
	return nil
}

// sees is the definition in [AttentionOpts], pair by pair.
func (v *sight) sees(b, i, j int) bool {
	p := v.position(b, i)
	return !(v.causal && j > p) &&
		!(v.window > 0 && (p-j >= v.window || j-p >= v.window)) &&
		!(v.lengths != nil && j >= int(v.lengths[b])) &&
		!(v.segments != nil && (p < 0 || p >= v.s || v.segments[b*v.s+j] != v.segments[b*v.s+p]))
}
