package graphtest

import (
	"bytes"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// gap is the number of elements between rows in strided.
const gap = 5

// strided repeats the evaluation with operands, then results, then both as rows apart, where the op takes such. Those
// are values (B, T, NH, HS) as plans slice them out of packed matrices. Results must agree, and gaps stay as they
// are.
func (c *call) strided() error {
	if _, ok := c.op.(graph.Strider); !ok {
		return nil
	}
	if _, ok := c.op.(graph.CacheWrite); ok {
		return nil // a cache is a state: never a slice
	}
	for _, which := range []struct{ in, out bool }{{in: true}, {out: true}, {true, true}} {
		w := *c
		in := append([]graph.Buf{}, c.in...)
		for i, x := range c.in {
			if which.in && len(x.Shape) == 4 {
				s := apart(x)
				spread(s.Buf, x)
				in[i] = s.Buf
			}
		}
		w.out = make([]guarded, len(c.out))
		for i, o := range c.out {
			switch {
			case o.all == nil:
			case which.out && len(o.Shape) == 4:
				w.out[i] = apart(o.Buf)
			default:
				w.out[i] = fresh(o.Meta)
			}
		}
		if err := w.runOn(in); err != nil {
			return errors.Wrapf(err, "rows apart, %+v", which)
		}
		for i, o := range c.out {
			if o.all == nil {
				continue
			}
			if err := same(w.out[i].Buf, o.Buf); err != nil {
				return errors.Wrapf(err, "rows apart, %+v: result %d", which, i)
			}
		}
	}
	return nil
}

// same compares a result, which may have rows apart, with one that has not. The values agree, though a product of
// matrices may take another kernel for other strides. The gaps are as apart left them.
func same(got, want graph.Buf) error {
	if got.Stride == 0 {
		got.Row, got.Stride = want.Size(), want.Size()
	}
	size := want.DType.Size()
	rows := graph.Buf{Meta: want.Meta, Mem: make([]byte, len(want.Mem))}
	for i := 0; i*got.Row*size < len(rows.Mem); i++ {
		copy(rows.Mem[i*got.Row*size:(i+1)*got.Row*size], got.Mem[i*got.Stride*size:])
	}
	g, w := Floats(rows), Floats(want)
	for i := range w {
		if !Close(g[i], w[i]) {
			return errors.Errorf("element %d is %v, and %v with rows side by side", i, g[i], w[i])
		}
	}
	if got.Stride > got.Row {
		s := apart(want)
		spread(s.Buf, rows)
		if !bytes.Equal(got.Mem, s.Mem) {
			return errors.New("a gap between rows was written")
		}
	}
	return nil
}

// apart returns memory for x's meta with gaps between rows, all of it poisoned alike.
func apart(x graph.Buf) guarded {
	row := x.Shape[2:].Size()
	rows := x.Size() / row
	g := around(((rows-1)*(row+gap) + row) * x.DType.Size())
	g.Meta, g.Row, g.Stride = x.Meta, row, row+gap
	g.poison()
	return g
}

// spread copies x, which is contiguous, into rows apart.
func spread(y, x graph.Buf) {
	size := x.DType.Size()
	for i := range x.Size() / y.Row {
		copy(y.Mem[i*y.Stride*size:(i*y.Stride+y.Row)*size], x.Mem[i*y.Row*size:])
	}
}
