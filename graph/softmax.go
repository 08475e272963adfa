package graph

import (
	"math"

	"github.com/ceto-ml/ceto/internal/vec"
)

// Softmax returns the softmax of x over an axis:
//
//	y = eˣ/Σeˣ
//
// x is a float with at least one axis; y has its shape and dtype. A negative axis counts from the end. Sums are in
// float64. Elements of −Inf give 0, and a line of nothing else gives zeros. An axis that x does not have is an error.
func (g *Graph) Softmax(x *Node, axis int) *Node {
	return g.Apply(Softmax{Axis: FrontAxis(x, axis)}, x)
}

// LogSoftmax returns the logarithm of the softmax of x over an axis:
//
//	y = x − ln Σeˣ
//
// Shapes, dtypes and the axis are those of [Graph.Softmax]. A line of nothing but −Inf gives NaN.
func (g *Graph) LogSoftmax(x *Node, axis int) *Node {
	return g.Apply(LogSoftmax{Axis: FrontAxis(x, axis)}, x)
}

// The softmax and its derivatives.
type (
	// Softmax is the op of [Graph.Softmax].
	Softmax struct{ Axis int }
	// LogSoftmax is the op of [Graph.LogSoftmax].
	LogSoftmax struct{ Axis int }
	// SoftmaxGrad computes dx = y·(dy − Σy·dy) over an axis from y and dy.
	SoftmaxGrad struct {
		NoGrad
		Axis int
	}
	// LogSoftmaxGrad computes dx = dy − eʸ·Σdy over an axis from y and dy.
	LogSoftmaxGrad struct {
		NoGrad
		Axis int
	}
)

// inferAxis is the Infer of ops along an axis of n operands of one meta.
func inferAxis(n, axis int, in []Meta) (Meta, error) {
	m, err := SameMeta(n, in)
	if err == nil {
		_, err = m.Shape.Axis(axis)
	}
	return m, err
}

// Infer returns the operand's meta.
func (s Softmax) Infer(in []Meta) (Meta, error) { return inferAxis(1, s.Axis, in) }

// Infer returns the operand's meta.
func (s LogSoftmax) Infer(in []Meta) (Meta, error) { return inferAxis(1, s.Axis, in) }

// Infer returns the operands' meta.
func (s SoftmaxGrad) Infer(in []Meta) (Meta, error) { return inferAxis(2, s.Axis, in) }

// Infer returns the operands' meta.
func (s LogSoftmaxGrad) Infer(in []Meta) (Meta, error) { return inferAxis(2, s.Axis, in) }

// Overwrites allows y over x.
func (Softmax) Overwrites(int, int) bool { return true }

// Overwrites allows y over x.
func (LogSoftmax) Overwrites(int, int) bool { return true }

// Overwrites allows dx over y or dy.
func (SoftmaxGrad) Overwrites(int, int) bool { return true }

// Overwrites allows dx over y.
func (LogSoftmaxGrad) Overwrites(_, operand int) bool { return operand == 0 }

// Scratch is for lines that are not contiguous.
func (s Softmax) Scratch(in []Meta) int { return axisScratch(s.Axis, in[0]) }

// Scratch is for lines that are not contiguous.
func (s LogSoftmax) Scratch(in []Meta) int { return axisScratch(s.Axis, in[0]) }

// Scratch is for lines that are not contiguous.
func (s SoftmaxGrad) Scratch(in []Meta) int { return axisScratch(s.Axis, in[0]) }

// Scratch is for lines that are not contiguous.
func (s LogSoftmaxGrad) Scratch(in []Meta) int { return axisScratch(s.Axis, in[0]) }

// VJP applies [SoftmaxGrad].
func (s Softmax) VJP(g *Graph, _ []*Node, y, dy *Node) []*Node {
	return []*Node{g.Apply(SoftmaxGrad{Axis: s.Axis}, y, dy)}
}

// VJP applies [LogSoftmaxGrad].
func (s LogSoftmax) VJP(g *Graph, _ []*Node, y, dy *Node) []*Node {
	return []*Node{g.Apply(LogSoftmaxGrad{Axis: s.Axis}, y, dy)}
}

// Eval computes line by line.
func (s Softmax) Eval(c *Ctx, out, in []Buf) error {
	return evalAxis(c, s.Axis, out, in, axisFuncs[float32]{softmaxRow[float32], softmaxCols[float32]}, axisFuncs[float64]{softmaxRow[float64], softmaxCols[float64]})
}

// Eval computes line by line.
func (s LogSoftmax) Eval(c *Ctx, out, in []Buf) error {
	return evalAxis(c, s.Axis, out, in, axisFuncs[float32]{logSoftmaxRow[float32], logSoftmaxCols[float32]}, axisFuncs[float64]{logSoftmaxRow[float64], logSoftmaxCols[float64]})
}

// Eval computes line by line.
func (s SoftmaxGrad) Eval(c *Ctx, out, in []Buf) error {
	return evalAxis(c, s.Axis, out, in, axisFuncs[float32]{vec.SoftmaxGradRow[float32], softmaxGradCols[float32]}, axisFuncs[float64]{vec.SoftmaxGradRow[float64], softmaxGradCols[float64]})
}

// Eval computes line by line.
func (s LogSoftmaxGrad) Eval(c *Ctx, out, in []Buf) error {
	return evalAxis(c, s.Axis, out, in, axisFuncs[float32]{logSoftmaxGradRow[float32], logSoftmaxGradCols[float32]}, axisFuncs[float64]{logSoftmaxGradRow[float64], logSoftmaxGradCols[float64]})
}

// axisFuncs are the loops of an op along an axis: over one contiguous line, and over neighbouring columns.
type axisFuncs[T Float] struct {
	row  func(y, a, b []T)
	cols func(w columns[T])
}

func evalAxis(c *Ctx, axis int, out, in []Buf, f32 axisFuncs[float32], f64 axisFuncs[float64]) error {
	return evalBy(out[0].DType, c, out, in, alongAxis[float32]{axis: axis, f: f32}, runAxis[float32], alongAxis[float64]{axis: axis, f: f64}, runAxis[float64])
}

func runAxis[T Float](w alongAxis[T], c *Ctx, out, in []Buf) error {
	outer, n, inner := out[0].Shape.Around(w.axis)
	w.y, w.a, w.n, w.inner = Data[T](out[0]), Data[T](in[0]), n, inner
	if len(in) > 1 {
		w.b = Data[T](in[1])
	}
	if inner == 1 {
		w.lines, w.per = outer, max(1, PartSize/n)
		EachPart(c, Parts(outer, w.per), w)
		return nil
	}
	lines, first := outer*inner, outer*inner*8/out[0].DType.Size()
	w.sums = ScratchOf[float64](c, 0, lines)
	w.line, w.temp = ScratchOf[T](c, first, lines), ScratchOf[T](c, first+lines, lines)
	EachPart(c, outer*Parts(inner, axisColumns), w)
	return nil
}

// axisColumns is the number of neighbouring columns that one part works on.
const axisColumns = 128

// axisScratch is a float64 and two elements for each line that is not contiguous.
func axisScratch(axis int, m Meta) int {
	outer, _, inner := m.Shape.Around(axis)
	if inner == 1 {
		return 0
	}
	return outer * inner * (8 + 2*m.DType.Size())
}

// alongAxis is the work of an op along an axis with inner elements behind it.
type alongAxis[T Float] struct {
	axis       int
	y, a, b    []T
	n, inner   int
	lines, per int // contiguous lines, and those of a part
	f          axisFuncs[T]
	sums       []float64 // of each other line
	line, temp []T
}

func (w *alongAxis[T]) Part(i, _ int) {
	if w.inner > 1 {
		across := Parts(w.inner, axisColumns)
		lo, hi := Span(i%across, w.inner, axisColumns)
		first, line := i/across*w.n*w.inner, i/across*w.inner
		w.f.cols(columns[T]{w, first + lo, hi - lo, w.sums[line+lo : line+hi], w.line[line+lo : line+hi], w.temp[line+lo : line+hi]})
		return
	}
	lo, hi := Span(i, w.lines, w.per)
	for l := lo; l < hi; l++ {
		var b []T
		if w.b != nil {
			b = w.b[l*w.n : (l+1)*w.n]
		}
		w.f.row(w.y[l*w.n:(l+1)*w.n], w.a[l*w.n:(l+1)*w.n], b)
	}
}

// columns is some neighbouring lines, one element of each in a row.
type columns[T Float] struct {
	*alongAxis[T]
	first, width int
	sums         []float64
	line, temp   []T
}

// row is element i of each line of x.
func (w columns[T]) row(x []T, i int) []T {
	at := w.first + i*w.inner
	return x[at : at+w.width]
}

// maxima finds the largest of each line of a, 0 for a line of −Inf, and clears sums.
func (w columns[T]) maxima() {
	copy(w.line, w.row(w.a, 0))
	for i := 1; i < w.n; i++ {
		for j, v := range w.row(w.a, i) {
			w.line[j] = max(w.line[j], v)
		}
	}
	for j, v := range w.line {
		if v == T(math.Inf(-1)) {
			w.line[j] = 0
		}
	}
	clear(w.sums)
}

// add adds to each line's sum.
func (w columns[T]) add(row []T) {
	for j, v := range row {
		w.sums[j] += float64(v)
	}
}

func softmaxRow[T Float](y, x, _ []T) { vec.SoftmaxRow(y, x) }

func softmaxCols[T Float](w columns[T]) {
	w.maxima()
	for i := range w.n {
		y := w.row(w.y, i)
		vec.Sub(y, w.row(w.a, i), w.line)
		vec.Exp(y, y)
		w.add(y)
	}
	for j, s := range w.sums {
		if s == 0 {
			s = 1
		}
		w.line[j] = T(1 / s)
	}
	for i := range w.n {
		y := w.row(w.y, i)
		vec.Mul(y, y, w.line)
	}
}

func logSoftmaxRow[T Float](y, x, _ []T) {
	m := vec.Max(x)
	rest := T(vec.LogSumExp(x) - float64(m))
	vec.AddScalar(y, x, -m) // apart from rest, so that a large x loses no digits of y
	vec.AddScalar(y, y, -rest)
}

func logSoftmaxCols[T Float](w columns[T]) {
	w.maxima()
	for i := range w.n {
		vec.Sub(w.temp, w.row(w.a, i), w.line)
		vec.Exp(w.temp, w.temp)
		w.add(w.temp)
	}
	for j, s := range w.sums {
		w.temp[j] = T(math.Log(s))
	}
	for i := range w.n {
		y := w.row(w.y, i)
		vec.Sub(y, w.row(w.a, i), w.line)
		vec.Sub(y, y, w.temp)
	}
}

func softmaxGradCols[T Float](w columns[T]) {
	clear(w.sums)
	for i := range w.n {
		dy := w.row(w.b, i)
		for j, v := range w.row(w.a, i) {
			w.sums[j] += float64(v) * float64(dy[j])
		}
	}
	for i := range w.n {
		dx, y, dy := w.row(w.y, i), w.row(w.a, i), w.row(w.b, i)
		for j, s := range w.sums {
			dx[j] = y[j] * (dy[j] - T(s))
		}
	}
}

func logSoftmaxGradRow[T Float](dx, y, dy []T) {
	s := T(vec.Sum(dy))
	vec.Exp(dx, y)
	vec.Scale(dx, dx, -s)
	vec.AddTo(dx, dy)
}

func logSoftmaxGradCols[T Float](w columns[T]) {
	clear(w.sums)
	for i := range w.n {
		w.add(w.row(w.b, i))
	}
	for i := range w.n {
		dx, dy := w.row(w.y, i), w.row(w.b, i)
		vec.Exp(dx, w.row(w.a, i))
		for j, s := range w.sums {
			dx[j] = dy[j] - dx[j]*T(s)
		}
	}
}
