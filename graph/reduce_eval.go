package graph

import "github.com/ceto-ml/ceto/internal/vec"

// reduced is the work of a Reduce. x's axes without those of 1 are merged where neighbours both stay or both go, so that
// they alternate; each list counts from the last axis on.
type reduced[T Float] struct {
	y, x       []T
	kind       reduction
	sums       []float64 // of the pieces, where all of x goes
	block      []T       // of rows, their sum; for each column
	stay, gone axes
	columns    bool // the last axis stays
	each       int  // elements of y, or of x where all of it goes, in one part
}

// axes are extents and steps in x.
type axes struct {
	n         int
	ext, step [MaxRank]int
}

// push adds an axis in front, or merges it with the last one pushed.
func (a *axes) push(d, step int, merge bool) {
	if merge {
		a.ext[a.n-1] *= d
		return
	}
	a.ext[a.n], a.step[a.n] = d, step
	a.n++
}

// size is the number of elements of all axes but the first skip.
func (a *axes) size(skip int) int {
	n := 1
	for i := skip; i < a.n; i++ {
		n *= a.ext[i]
	}
	return n
}

// offset is where element k of all axes but the first skip begins.
func (a *axes) offset(k, skip int) (o int) {
	for i := skip; i < a.n; i++ {
		o += k % a.ext[i] * a.step[i]
		k /= a.ext[i]
	}
	return o
}

// columnBlock is the number of columns that one part reduces, and rowBlock of rows that sum before they are added up.
const (
	columnBlock = 64
	rowBlock    = 64
)

// Scratch holds the result of each piece where all goes, and a block of rows' sum for each column where columns stay.
func (r Reduce) Scratch(in []Meta) int {
	x := in[0]
	if int(r.Axes) == 1<<len(x.Shape)-1 {
		return 8 * parts(x.Size(), partSize)
	}
	n, last := x.DType.Size(), -1
	for i, d := range x.Shape {
		if !r.gone(i) {
			n *= d
		}
		if d > 1 {
			last = i
		}
	}
	if r.Kind != reduceSum || last < 0 || r.gone(last) {
		return 0
	}
	return n
}

// Eval reduces, in an order that the shapes alone decide.
func (r Reduce) Eval(c *Ctx, out, in []Buf) error {
	if out[0].DType == Float64 {
		reduce[float64](r, c, out[0], in[0])
	} else {
		reduce[float32](r, c, out[0], in[0])
	}
	return nil
}

func reduce[T Float](r Reduce, c *Ctx, out, in Buf) {
	w := reduced[T]{y: Data[T](out), x: Data[T](in), kind: r.Kind}
	step, last := 1, -1
	for i := len(in.Shape) - 1; i >= 0; i-- {
		d := in.Shape[i]
		if d == 1 {
			continue
		}
		if r.gone(i) {
			w.gone.push(d, step, last == 1)
			last = 1
		} else {
			w.stay.push(d, step, last == 0)
			last = 0
		}
		step *= d
	}
	switch {
	case w.gone.n == 0:
		copy(w.y, w.x)
		return
	case w.stay.n == 0 && int(r.Axes) == 1<<len(in.Shape)-1:
		w.total(c)
		return
	}
	w.columns = w.stay.n > 0 && w.stay.step[0] == 1
	if w.columns {
		if w.kind == reduceSum {
			w.block = ScratchOf[T](c, 0, len(w.y))
		}
		w.each = min(columnBlock, w.stay.ext[0])
		eachPart(c, w.stay.size(1)*parts(w.stay.ext[0], w.each), w)
		return
	}
	w.each = max(1, partSize/w.gone.size(0))
	eachPart(c, parts(len(w.y), w.each), w)
}

// total reduces all of x, by pieces.
func (w *reduced[T]) total(c *Ctx) {
	n := parts(len(w.x), partSize)
	w.sums = ScratchOf[float64](c, 0, n)
	w.each = partSize
	eachPart(c, n, *w)
	s := w.sums[0]
	for _, v := range w.sums[1:] {
		s = join(w.kind, s, v)
	}
	w.y[0] = T(s)
}

func (w *reduced[T]) part(i, _ int) {
	switch {
	case w.sums != nil:
		lo, hi := span(i, len(w.x), w.each)
		w.sums[i] = run(w.kind, w.x[lo:hi])
	case w.columns:
		w.columnsPart(i)
	default:
		lo, hi := span(i, len(w.y), w.each)
		for k := lo; k < hi; k++ {
			w.y[k] = T(w.row(w.stay.offset(k, 0)))
		}
	}
}

// row reduces the elements that go, from x's element o on; they lie in runs.
func (w *reduced[T]) row(o int) float64 {
	n := w.gone.ext[0]
	s := run(w.kind, w.x[o:o+n])
	for k := 1; k < w.gone.size(1); k++ {
		at := o + w.gone.offset(k, 1)
		s = join(w.kind, s, run(w.kind, w.x[at:at+n]))
	}
	return s
}

// columnsPart reduces a block of neighbouring columns.
func (w *reduced[T]) columnsPart(i int) {
	blocks := parts(w.stay.ext[0], w.each)
	lo, hi := span(i%blocks, w.stay.ext[0], w.each)
	outer := i / blocks
	x := w.x[w.stay.offset(outer, 1)+lo:]
	y := w.y[outer*w.stay.ext[0]+lo : outer*w.stay.ext[0]+hi]
	count := w.gone.size(0)
	if w.kind != reduceSum {
		copy(y, x)
		for k := 1; k < count; k++ {
			joinRows(w.kind, y, x[w.gone.offset(k, 0):])
		}
		return
	}
	b := w.block[outer*w.stay.ext[0]+lo : outer*w.stay.ext[0]+hi]
	clear(y)
	for r := 0; r < count; r += rowBlock {
		clear(b)
		for k := r; k < min(count, r+rowBlock); k++ {
			at := w.gone.offset(k, 0)
			vec.AddTo(b, x[at:at+len(b)])
		}
		vec.AddTo(y, b)
	}
}

// run reduces elements side by side.
func run[T Float](k reduction, x []T) float64 {
	if k == reduceSum {
		return vec.Sum(x)
	}
	best := x[0]
	for _, v := range x[1:] {
		if k == reduceMax && v > best || k == reduceMin && v < best || v != v {
			best = v
		}
	}
	return float64(best)
}

// join reduces two results; NaN wins.
func join(k reduction, a, b float64) float64 {
	switch {
	case k == reduceSum:
		return a + b
	case a != a:
		return a
	case k == reduceMax:
		return max(a, b)
	}
	return min(a, b)
}

// joinRows reduces x into y.
func joinRows[T Float](k reduction, y, x []T) {
	kind := kindMin
	if k == reduceMax {
		kind = kindMax
	}
	for i, v := range y {
		y[i] = one(kind, v, x[i])
	}
}
