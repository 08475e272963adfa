package graph

// Unary is embedded in an elementwise op of one operand x, a float of any shape; the result has the meta of x. It gives
// the methods Infer and Overwrites, so that the op itself needs VJP and Eval only.
type Unary struct{}

// Infer returns the operand's meta.
func (Unary) Infer(in []Meta) (Meta, error) { return SameMeta(1, in) }

// Overwrites allows the result over the operand.
func (Unary) Overwrites(int, int) bool { return true }

// UnaryGrad is embedded in the derivative of a [Unary] op. That is an elementwise op on x (or y) and dy, floats of
// one meta, which the result has too. It gives Infer, VJP, Stops and Overwrites, so that the op itself needs Eval
// only.
type UnaryGrad struct{ NoGrad }

// Infer returns the operands' meta.
func (UnaryGrad) Infer(in []Meta) (Meta, error) { return SameMeta(2, in) }

// Overwrites allows the result over either operand.
func (UnaryGrad) Overwrites(int, int) bool { return true }

// mapped is the work of an elementwise op of one or two operands.
type mapped[T Float] struct {
	y, a, b []T
	f1      func(y, a []T)
	f2      func(y, a, b []T)
}

func (m *mapped[T]) Part(i, _ int) {
	lo, hi := Span(i, len(m.y), PartSize)
	if m.f1 != nil {
		m.f1(m.y[lo:hi], m.a[lo:hi])
		return
	}
	m.f2(m.y[lo:hi], m.a[lo:hi], m.b[lo:hi])
}

// Map1 is the Eval of an elementwise op of one operand: y = f(a), in parts of [PartSize] elements. f32 and f64 are
// the two instances of one generic loop over elements that lie side by side; y may be a. It returns nil, or an error
// where the result is no float.
//
//	func (Cube) Eval(c *Ctx, out, in []Buf) error { return Map1(c, out, in, cube[float32], cube[float64]) }
func Map1(c *Ctx, out, in []Buf, f32 func(y, a []float32), f64 func(y, a []float64)) error {
	return evalBy(out[0].DType, c, out, in, mapped[float32]{f1: f32}, runMap[float32], mapped[float64]{f1: f64}, runMap[float64])
}

// Map2 is [Map1] for two operands of one shape: y = f(a, b); y may be a or b.
func Map2(c *Ctx, out, in []Buf, f32 func(y, a, b []float32), f64 func(y, a, b []float64)) error {
	return evalBy(out[0].DType, c, out, in, mapped[float32]{f2: f32}, runMap[float32], mapped[float64]{f2: f64}, runMap[float64])
}

func runMap[T Float](m mapped[T], c *Ctx, out, in []Buf) error {
	m.y, m.a = Data[T](out[0]), Data[T](in[0])
	if m.f2 != nil {
		m.b = Data[T](in[1])
	}
	EachPart(c, Parts(len(m.y), PartSize), m)
	return nil
}

// withConst is the work of an elementwise function with two constants.
type withConst[T Float] struct {
	y, x []T
	k, c float64
	f    func(y, x []T, k, c float64)
}

func evalConst(c *Ctx, out, in []Buf, k, b float64, f32 func(y, x []float32, k, c float64), f64 func(y, x []float64, k, c float64)) error {
	return evalBy(out[0].DType, c, out, in, withConst[float32]{k: k, c: b, f: f32}, runConst[float32],
		withConst[float64]{k: k, c: b, f: f64}, runConst[float64])
}

func runConst[T Float](w withConst[T], c *Ctx, out, in []Buf) error {
	w.y, w.x = Data[T](out[0]), Data[T](in[0])
	EachPart(c, Parts(len(w.y), PartSize), w)
	return nil
}

func (w *withConst[T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.y), PartSize)
	w.f(w.y[lo:hi], w.x[lo:hi], w.k, w.c)
}

// sloped is the work of a derivative with a constant.
type sloped[T Float] struct {
	dx, x, dy []T
	k         float64
	f         func(dx, x, dy []T, k float64)
}

func evalSlope(c *Ctx, out, in []Buf, k float64, f32 func(dx, x, dy []float32, k float64), f64 func(dx, x, dy []float64, k float64)) error {
	return evalBy(out[0].DType, c, out, in, sloped[float32]{k: k, f: f32}, runSlope[float32], sloped[float64]{k: k, f: f64}, runSlope[float64])
}

func runSlope[T Float](w sloped[T], c *Ctx, out, in []Buf) error {
	w.dx, w.x, w.dy = Data[T](out[0]), Data[T](in[0]), Data[T](in[1])
	EachPart(c, Parts(len(w.dx), PartSize), w)
	return nil
}

func (w *sloped[T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.dx), PartSize)
	w.f(w.dx[lo:hi], w.x[lo:hi], w.dy[lo:hi], w.k)
}
