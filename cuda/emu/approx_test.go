package emu

import (
	"math"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/half"
)

// An approxCase is an operation with the largest error of its result v, for operands from lo to hi.
type approxCase struct {
	op     string
	f      func(x float64) float64
	lo, hi float64
	most   func(v float64) float64
}

// approxBounds are copied by hand from PTX ISA 9.0, sections 9.7.3 and 9.7.4.
func approxBounds() []approxCase {
	ulp := func(n float64) func(v float64) float64 {
		return func(v float64) float64 {
			return n * math.Max(math.Pow(2, math.Floor(math.Log2(math.Abs(v)))-23), 0x1p-149)
		}
	}
	times := func(e float64) func(v float64) float64 { return func(v float64) float64 { return math.Abs(v) * e } }
	plus := func(e float64) func(v float64) float64 { return func(float64) float64 { return e } }
	third := func(x float64) float64 { return x / 3 }
	turn := func(x float64) float64 { return 1 / x }
	return []approxCase{
		{"rcp.approx.f32", turn, -9, 9, ulp(1)},
		{"rcp.approx.f32", turn, 0x1p125, 0x1p127, ulp(1)},
		{"ex2.approx.f32", math.Exp2, -9, 9, ulp(2)},
		{"ex2.approx.f32", math.Exp2, -140, -120, ulp(2)},
		{"div.full.f32 $0, $1, 0f40400000", third, -9, 9, ulp(2)},
		{"div.approx.f32 $0, $1, 0f40400000", third, -9, 9, ulp(2)},
		{"sqrt.approx.f32", math.Sqrt, 0.01, 9, times(0x1p-23)},
		{"rsqrt.approx.f32", func(x float64) float64 { return 1 / math.Sqrt(x) }, 0.01, 9, times(math.Pow(2, -22.9))},
		{"tanh.approx.f32", math.Tanh, -3, 3, times(0x1p-11)},
		{"sin.approx.f32", math.Sin, -6, 6, plus(math.Pow(2, -20.5))},
		{"sin.approx.f32", math.Sin, 7, 300, plus(math.Pow(2, -14.7))},
		{"cos.approx.f32", math.Cos, -6, 6, plus(math.Pow(2, -20.5))},
		{"cos.approx.f32", math.Cos, 7, 300, plus(math.Pow(2, -14.7))},
		{"lg2.approx.f32", math.Log2, 0.6, 1.9, plus(0x1p-22)},
		{"lg2.approx.f32", math.Log2, 2, 90, times(0x1p-22)},
		{"ex2.approx.f16", math.Exp2, -3, 3, times(math.Pow(2, -9.9))},
		{"tanh.approx.f16", math.Tanh, -2, 2, plus(math.Pow(2, -10.987))},
		{"tanh.approx.bf16", math.Tanh, -2, 2, plus(0x1p-8)},
		{"sqrt.rn.f32", math.Sqrt, 0.01, 9, plus(0)},
		{"div.rn.f32 $0, $1, 0f40400000", third, -9, 9, plus(0)},
	}
}

// TestApprox checks that the option moves approximate operations by the error that the manual allows, and no others.
func TestApprox(t *testing.T) {
	for _, c := range approxBounds() {
		for direction := -1; direction <= 1; direction++ {
			c.test(t, direction)
		}
	}
}

// test runs the operation on 512 numbers. Its error is at most the bound, and at least what rounding leaves of it.
func (c approxCase) test(t *testing.T, direction int) {
	bits := func(v float32) uint64 { return uint64(math.Float32bits(v)) }
	value := func(b uint64) float64 { return float64(math.Float32frombits(uint32(b))) }
	fraction, sig := 23, "b32 b32"
	switch {
	case strings.HasSuffix(c.op, ".f16"):
		bits = func(v float32) uint64 { return uint64(half.ToF16(v)) }
		value = func(b uint64) float64 { return float64(half.F16(uint16(b))) }
		fraction, sig = 10, "b16 b16"
	case strings.HasSuffix(c.op, ".bf16"):
		bits = func(v float32) uint64 { return uint64(half.ToBF16(v)) }
		value = func(b uint64) float64 { return float64(half.BF16(uint16(b))) }
		fraction, sig = 7, "b16 b16"
	}
	x, y := make([]uint64, 512), make([]uint64, 512)
	for i := range x {
		x[i] = bits(float32(c.lo + (c.hi-c.lo)*(float64(i)+0.3)/512))
	}
	l := Launch{Grid: one1(4), Block: one1(128)}
	if _, err := Try(Options{Approx: direction}, opProgram(c.op, sig), l, "k", Unset{y}, x); err != nil {
		t.Fatal(err)
	}
	for i := range x {
		v, got := c.f(value(x[i])), value(y[i])
		most := c.most(v) * math.Abs(float64(direction))
		step := math.Max(math.Ldexp(1, math.Ilogb(math.Abs(v)+most)-fraction), 0x1p-149)
		moved := (got - v) * float64(direction)
		if math.Abs(got-v) > math.Max(most, step/2) || most > 0 && moved < most-step {
			t.Errorf("%s of %g, direction %d: got %g, want %g moved by at most %g", c.op, value(x[i]), direction, got, v, most)
			return
		}
	}
}
