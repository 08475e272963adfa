package graph

import "github.com/pkg/errors"

// partSize is the number of elements of one part of an elementwise op: 64 KiB of float32, a share of the L2 cache.
const partSize = 16384

// parts is the number of parts of size each that cover n elements.
func parts(n, size int) int { return (n + size - 1) / size }

// span is part i of n elements in parts of the given size.
func span(i, n, size int) (lo, hi int) { return i * size, min(n, (i+1)*size) }

// sameMeta is the Infer of ops on n float operands of one meta whose result has it too.
func sameMeta(n int, in []Meta) (Meta, error) {
	if err := arity(n, in); err != nil {
		return Meta{}, err
	}
	for _, m := range in {
		if !m.Equal(in[0]) || !m.DType.IsFloat() {
			return Meta{}, errors.New("want floats of one dtype and shape")
		}
	}
	return in[0], nil
}

// arity refuses a wrong number of operands.
func arity(n int, in []Meta) error {
	if len(in) != n {
		return errors.Errorf("%d operands, want %d", len(in), n)
	}
	return nil
}

// mapped is the work of an elementwise op of one or two operands.
type mapped[T Float] struct {
	y, a, b []T
	f1      func(y, a []T)
	f2      func(y, a, b []T)
}

func (m *mapped[T]) part(i, _ int) {
	lo, hi := span(i, len(m.y), partSize)
	if m.f1 != nil {
		m.f1(m.y[lo:hi], m.a[lo:hi])
		return
	}
	m.f2(m.y[lo:hi], m.a[lo:hi], m.b[lo:hi])
}

// map1 evaluates y = f(a) elementwise.
func map1(c *Ctx, out, in []Buf, f32 func(y, a []float32), f64 func(y, a []float64)) error {
	return evalBy(out[0].DType, c, out, in, mapped[float32]{f1: f32}, runMap[float32], mapped[float64]{f1: f64}, runMap[float64])
}

// map2 evaluates y = f(a, b) elementwise on operands of one shape.
func map2(c *Ctx, out, in []Buf, f32 func(y, a, b []float32), f64 func(y, a, b []float64)) error {
	return evalBy(out[0].DType, c, out, in, mapped[float32]{f2: f32}, runMap[float32], mapped[float64]{f2: f64}, runMap[float64])
}

func runMap[T Float](m mapped[T], c *Ctx, out, in []Buf) error {
	m.y, m.a = Data[T](out[0]), Data[T](in[0])
	if m.f2 != nil {
		m.b = Data[T](in[1])
	}
	eachPart(c, parts(len(m.y), partSize), m)
	return nil
}
