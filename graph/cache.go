package graph

import "github.com/pkg/errors"

// CacheWrite returns a cache with x written at some positions: those from start[b] to start[b]+T−1 of row b. cache is
// (B, S, …), x is (B, T, …) with T ≤ S, both of one dtype, and start (B) are ids. The result has the meta of the
// cache. Positions below 0 or past S−1 are an error of the run. It has no gradient.
func (g *Graph) CacheWrite(cache, x, start *Node) *Node {
	return g.Apply(CacheWrite{}, cache, x, start)
}

// CacheWrite is the op of [Graph.CacheWrite].
type CacheWrite struct{ NoGrad }

// Infer wants equal trailing axes.
func (CacheWrite) Infer(in []Meta) (Meta, error) {
	if err := Arity(3, in); err != nil {
		return Meta{}, err
	}
	c, x, start := in[0], in[1], in[2]
	ok := len(c.Shape) >= 2 && len(c.Shape) == len(x.Shape) && c.DType == x.DType && c.Shape[0] == x.Shape[0] && x.Shape[1] <= c.Shape[1] &&
		c.Shape[2:].Equal(x.Shape[2:]) && start.Equal(Of(Int32, c.Shape[0]))
	if !ok {
		return Meta{}, errors.New("want (B, S, …), (B, T, …) with T ≤ S, and ids (B)")
	}
	return c, nil
}

// Overwrites allows the cache to be written in place.
func (CacheWrite) Overwrites(_, operand int) bool { return operand == 0 }

// Strided allows x to be a slice of the packed projection; a cache and its result, which are states, are whole.
func (CacheWrite) Strided() {}

// Eval copies rows.
func (CacheWrite) Eval(_ *Ctx, out, in []Buf) error {
	y, x, start := out[0], in[1], Data[int32](in[2])
	if len(y.Mem) > 0 && len(in[0].Mem) > 0 && &y.Mem[0] != &in[0].Mem[0] {
		copy(y.Mem, in[0].Mem)
	}
	t, s := x.Shape[1], y.Shape[1]
	row := y.Shape[2:].Size() * y.DType.Size()
	stride := row
	if x.Stride != 0 {
		stride = x.Stride * x.DType.Size()
	}
	for b := range y.Shape[0] {
		at := int(start[b])
		if at < 0 || at+t > s {
			return errors.Errorf("row %d: positions %d to %d of a cache of %d", b, at, at+t-1, s)
		}
		for i := range t {
			copy(y.Mem[(b*s+at+i)*row:(b*s+at+i+1)*row], x.Mem[(b*t+i)*stride:])
		}
	}
	return nil
}
