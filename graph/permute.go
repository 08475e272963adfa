package graph

import "github.com/pkg/errors"

// Permute returns x with its axes in another order: axis i of the result is axis perm[i] of x. Without perm the order
// is reversed. x has any dtype, which the result has. A perm that does not name each axis once is an error.
func (g *Graph) Permute(x *Node, perm ...int) *Node {
	if len(perm) == 0 {
		for i := len(x.Shape()) - 1; i >= 0; i-- {
			perm = append(perm, i)
		}
	}
	return g.Apply(Permute{DimsOf(perm...)}, x)
}

// Permute is the op of [Graph.Permute].
type Permute struct{ Perm Dims }

// Infer wants each axis once.
func (p Permute) Infer(in []Meta) (Meta, error) {
	if err := Arity(1, in); err != nil {
		return Meta{}, err
	}
	s := in[0].Shape
	var seen [MaxRank]bool
	out := make(Shape, len(s))
	if p.Perm.N != len(s) {
		return Meta{}, errors.Errorf("%d axes in the permutation of %d", p.Perm.N, len(s))
	}
	for i := range s {
		a := p.Perm.D[i]
		if a < 0 || a >= len(s) || seen[a] {
			return Meta{}, errors.Errorf("%v is no permutation of %d axes", p.Perm, len(s))
		}
		seen[a] = true
		out[i] = s[a]
	}
	return Meta{in[0].DType, out}, nil
}

// VJP permutes back.
func (p Permute) VJP(g *Graph, _ []*Node, _, dy *Node) []*Node {
	back := make([]int, p.Perm.N)
	for i := range back {
		back[p.Perm.D[i]] = i
	}
	return []*Node{g.Permute(dy, back...)}
}

// Eval copies.
func (p Permute) Eval(c *Ctx, out, in []Buf) error {
	return EvalElem(out[0].DType, p, c, out, in, permute[float32], permute[float64], permute[int32])
}

// permuted is the work of a Permute. It has the extents of the result and the steps along each axis in x and in the
// result. Axes that lie side by side in both are one.
type permuted[T Elem] struct {
	y, x     []T
	n        int
	ext      [MaxRank]int
	xs, ys   [MaxRank]int
	tile     int // the axis along which x is contiguous
	blocks   int // of the tile axis
	rowsEach int // rows of the last axis in one part, where x is contiguous along it
}

// The tiles of a transposition, in elements: rows of x whose stride is a power of two share few sets of the L1 cache.
const (
	tileSide = 32 // along the axis that is contiguous in x
	tileRows = 16 // along the axis that is contiguous in the result
)

func permute[T Elem](p Permute, c *Ctx, out, in []Buf) error {
	w := permuted[T]{y: Data[T](out[0]), x: Data[T](in[0])}
	w.axes(p, out[0].Shape, in[0].Shape)
	inner := w.ext[w.n-1]
	if w.xs[w.n-1] == 1 {
		w.tile = w.n - 1
		w.rowsEach = max(1, PartSize/inner)
		EachPart(c, Parts(len(w.y)/inner, w.rowsEach), w)
		return nil
	}
	for i := range w.n {
		if w.xs[i] == 1 {
			w.tile = i
		}
	}
	w.blocks = Parts(w.ext[w.tile], tileSide)
	EachPart(c, len(w.y)/inner/w.ext[w.tile]*w.blocks, w)
	return nil
}

// axes finds extents and steps.
func (w *permuted[T]) axes(p Permute, y, x Shape) {
	var step [MaxRank]int
	for i, s := len(x)-1, 1; i >= 0; i-- {
		step[i] = s
		s *= x[i]
	}
	for i, d := range y {
		s := step[p.Perm.D[i]]
		switch {
		case d == 1:
		case w.n > 0 && w.xs[w.n-1] == s*d:
			w.ext[w.n-1] *= d
			w.xs[w.n-1] = s
		default:
			w.ext[w.n], w.xs[w.n] = d, s
			w.n++
		}
	}
	if w.n == 0 {
		w.n, w.ext[0], w.xs[0] = 1, 1, 1
	}
	for i, s := w.n-1, 1; i >= 0; i-- {
		w.ys[i] = s
		s *= w.ext[i]
	}
}

func (w *permuted[T]) Part(i, _ int) {
	if w.tile == w.n-1 {
		w.copyRows(i)
	} else {
		w.transpose(i)
	}
}

// copyRows copies some rows of the last axis, which are contiguous in x too.
func (w *permuted[T]) copyRows(i int) {
	inner := w.ext[w.n-1]
	lo, hi := Span(i, len(w.y)/inner, w.rowsEach)
	for r := lo; r < hi; r++ {
		o := 0
		for k, q := w.n-2, r; k >= 0; k-- {
			o += q % w.ext[k] * w.xs[k]
			q /= w.ext[k]
		}
		copy(w.y[r*inner:(r+1)*inner], w.x[o:o+inner])
	}
}

// transpose fills the last axis and a block of the tile axis, at one place of the other axes.
func (w *permuted[T]) transpose(i int) {
	lo, hi := Span(i%w.blocks, w.ext[w.tile], tileSide)
	ox, oy := 0, 0
	for k, q := w.n-2, i/w.blocks; k >= 0; k-- {
		if k != w.tile {
			j := q % w.ext[k]
			q /= w.ext[k]
			ox, oy = ox+j*w.xs[k], oy+j*w.ys[k]
		}
	}
	inner, xs, ys := w.ext[w.n-1], w.xs[w.n-1], w.ys[w.tile]
	for j0 := 0; j0 < inner; j0 += tileRows {
		j1 := min(inner, j0+tileRows)
		for t := lo; t < hi; t++ {
			y := w.y[oy+t*ys+j0 : oy+t*ys+j1]
			x := w.x[ox+t+j0*xs:]
			for j := range y {
				y[j] = x[j*xs]
			}
		}
	}
}
