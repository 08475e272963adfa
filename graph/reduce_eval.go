package graph

import "github.com/ceto-ml/ceto/internal/vec"

// reduced is the work of a Reduce. The axes of x without those of 1 are merged where neighbours both stay or both go,
// so that they alternate. Each list counts from the last axis on.
type reduced[T Float] struct {
	y, x       []T
	kind       reduction
	sums       []float64 // of the pieces, where all of x goes
	stay, gone axes
	each       int // elements of y, or of x where all of it goes, in one part
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

// rowBlock is the number of rows that are reduced at a time where columns stay, and columnBlock the number of
// columns. What one part reduces lies in the L1 cache, and a sum of many rows keeps its precision.
const (
	rowBlock    = 64
	columnBlock = 512
)

// Scratch holds the result of each piece where all goes, and of each block of rows where columns stay.
func (r Reduce) Scratch(in []Meta) int {
	x := in[0]
	if int(r.Axes) == 1<<len(x.Shape)-1 {
		return 8 * Parts(x.Size(), PartSize)
	}
	stay, gone, last := 1, 1, -1
	for i, d := range x.Shape {
		if r.gone(i) {
			gone *= d
		} else {
			stay *= d
		}
		if d > 1 {
			last = i
		}
	}
	if last < 0 || r.gone(last) || gone <= rowBlock {
		return 0
	}
	return stay * Parts(gone, rowBlock) * x.DType.Size()
}

// Eval reduces, in an order that the shapes alone decide.
func (r Reduce) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(out[0].DType, r, c, out, in, reduce[float32], reduce[float64])
}

func reduce[T Float](r Reduce, c *Ctx, out, in []Buf) error {
	w, shape := reduced[T]{y: Data[T](out[0]), x: Data[T](in[0]), kind: r.Kind}, in[0].Shape
	step, last := 1, -1
	for i := len(shape) - 1; i >= 0; i-- {
		d := shape[i]
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
	case w.stay.n == 0 && int(r.Axes) == 1<<len(shape)-1:
		w.total(c)
	case w.stay.n > 0 && w.stay.step[0] == 1:
		w.columns(c)
	default:
		w.each = max(1, PartSize/w.gone.size(0))
		EachPart(c, Parts(len(w.y), w.each), w)
	}
	return nil
}

// total reduces all of x, by pieces.
func (w *reduced[T]) total(c *Ctx) {
	n := Parts(len(w.x), PartSize)
	w.sums = ScratchOf[float64](c, 0, n)
	w.each = PartSize
	EachPart(c, n, *w)
	s := w.sums[0]
	for _, v := range w.sums[1:] {
		s = join(w.kind, s, v)
	}
	w.y[0] = T(s)
}

func (w *reduced[T]) Part(i, _ int) {
	switch {
	case w.sums != nil:
		lo, hi := Span(i, len(w.x), w.each)
		w.sums[i] = run(w.kind, w.x[lo:hi])
	default:
		lo, hi := Span(i, len(w.y), w.each)
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

// columns reduces the rows of x, (outer, rows, cols) in blocks of rows and columns, then the blocks of rows.
func (w *reduced[T]) columns(c *Ctx) {
	b := blocked[T]{axes: w.gone, stay: w.stay, x: w.x, y: w.y, kind: w.kind, cols: w.stay.ext[0], rows: w.gone.size(0)}
	outer, tiles := w.stay.size(1), Parts(b.cols, columnBlock)
	b.blocks = Parts(b.rows, rowBlock)
	if b.blocks > 1 {
		b.y = ScratchOf[T](c, 0, len(w.y)*b.blocks)
	}
	EachPart(c, outer*b.blocks*tiles, b)
	if b.blocks == 1 {
		return
	}
	second := blocked[T]{x: b.y, y: w.y, kind: w.kind, cols: b.cols, rows: b.blocks, blocks: 1}
	second.axes.push(b.blocks, b.cols, false)
	second.stay.push(b.cols, 1, false)
	second.stay.push(outer, b.blocks*b.cols, false)
	EachPart(c, outer*tiles, second)
}

// blocked reduces rows of x, whose places axes and stay tell, to y (outer, blocks, cols).
type blocked[T Float] struct {
	axes, stay         axes
	x, y               []T
	kind               reduction
	cols, rows, blocks int
}

func (w *blocked[T]) Part(i, _ int) {
	tiles := Parts(w.cols, columnBlock)
	c0, c1 := Span(i%tiles, w.cols, columnBlock)
	i /= tiles
	first, last := Span(i%w.blocks, w.rows, rowBlock)
	if w.blocks == 1 {
		last = w.rows
	}
	x := w.x[w.stay.offset(i/w.blocks, 1)+c0:]
	y := w.y[i*w.cols+c0 : i*w.cols+c1]
	copy(y, x[w.axes.offset(first, 0):])
	for r := first + 1; r < last; r++ {
		at := w.axes.offset(r, 0)
		joinRows(w.kind, y, x[at:at+len(y)])
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
	switch k {
	case reduceSum:
		vec.AddTo(y, x)
	case reduceMax:
		rows(kindMax, y, y, x)
	default:
		rows(kindMin, y, y, x)
	}
}
