package emu

import (
	"math"
)

// The largest errors of approximate operations, from the manual (PTX ISA 9.0, section 9.7.3). They are relative,
// but for those of sin, cos and lg2 near 1.
const (
	rcpError   = 0x1p-23
	sqrtError  = 0x1p-23
	rsqrtError = 0x1.12e0be826d695p-23 // 2⁻²²·⁹
	ex2Error   = 0x1p-22
	lg2Error   = 0x1p-22
	sinError   = 0x1p-20 * 0.7071067811865476 // 2⁻²⁰·⁵, absolute
	tanhError  = 0x1p-11
	divError   = 0x1p-22 // 2 units in the last place
)

// approxRows are operations whose result the manual only bounds.
func approxRows() map[string]opcode {
	return map[string]opcode{
		"ex2.f32": {"approx ftz", approximate(math.Exp2, relativeBy(ex2Error))},
		"lg2.f32": {"approx ftz", approximate(math.Log2, func(v, x float64) float64 {
			if x > 0.5 && x < 2 {
				return lg2Error
			}
			return math.Abs(v) * lg2Error
		})},
		"sin.f32":   {"approx ftz", approximate(math.Sin, absoluteBy(sinError))},
		"cos.f32":   {"approx ftz", approximate(math.Cos, absoluteBy(sinError))},
		"tanh.f32":  {"approx", approximate(math.Tanh, relativeBy(tanhError))},
		"rsqrt.f32": {"approx ftz", approximate(func(a float64) float64 { return 1 / math.Sqrt(a) }, relativeBy(rsqrtError))},
		"rsqrt.f64": {"approx ftz", ops("f64 f64", func(d, a, _, _ *lanes) {
			for i := range d {
				d[i] = canonical64(1 / math.Sqrt(f64(a[i])))
			}
		})},
		"ex2.f16":   {"approx", approximateHalf(half16, math.Exp2, 0x1p-9)},
		"tanh.f16":  {"approx", approximateHalf(half16, math.Tanh, 0x1p-10)},
		"tanh.bf16": {"approx", approximateHalf(brain16, math.Tanh, 0x1p-8)},
	}
}

func relativeBy(e float64) func(v, x float64) float64 {
	return func(v, _ float64) float64 { return math.Abs(v) * e }
}

func absoluteBy(e float64) func(v, x float64) float64 {
	return func(_, _ float64) float64 { return e }
}

// off moves a result by the largest error in the direction of the device's options. Results that are exact by the
// manual, such as 0 and infinity, stay.
func off(v, e float64, direction int) float64 {
	if direction == 0 || v == 0 || math.IsInf(v, 0) {
		return v
	}
	return v + float64(direction)*e
}

// approximate decodes an operation that is computed in float64, and then moved by its error.
func approximate(f func(a float64) float64, bound func(v, x float64) float64) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) error {
		if !d.has("approx") {
			return d.errorf("%s: want .approx", d.s.op)
		}
		get, put, direction := d.operandOf(), d.finish(), d.m.d.o.Approx
		return ops("f32 f32", func(d, a, _, _ *lanes) {
			for i := range d {
				x := get(a[i])
				v := f(x)
				d[i] = put(off(v, bound(v, x), direction))
			}
		})(d, in)
	}
}

func approximateHalf(to format, f func(a float64) float64, e float64) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) error {
		direction := d.m.d.o.Approx
		return ops("b16 b16", func(d, a, _, _ *lanes) {
			for i := range d {
				v := f(to.wide(uint16(a[i])))
				d[i] = uint64(to.narrow(off(v, math.Abs(v)*e, direction), nearest))
			}
		})(d, in)
	}
}

// precise1 decodes rcp and sqrt: with a rounding, or with .approx.
func precise1(name string, exact, rough func(a float64) float64) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) error {
		if d.has("approx") {
			e := map[string]float64{"rcp": rcpError, "sqrt": sqrtError}[name]
			return approximate(rough, relativeBy(e))(d, in)
		}
		get, put := d.operandOf(), d.finish()
		return ops("f32 f32", func(d, a, _, _ *lanes) {
			for i := range d {
				d[i] = put(exact(get(a[i])))
			}
		})(d, in)
	}
}

// divide decodes div.f32.
func divide(d *decoder, in *inst) error {
	get, put, direction := d.operandOf(), d.finish(), d.m.d.o.Approx
	rough, full := d.has("approx"), d.has("full")
	return ops("f32 f32 f32", func(d, a, b, _ *lanes) {
		for i := range d {
			x, y := get(a[i]), get(b[i])
			switch {
			case rough && math.Abs(y) > 0x1p126 && !math.IsInf(y, 0): // the reciprocal would be subnormal
				if math.IsInf(x, 0) || x != x {
					d[i] = nan32
				} else {
					d[i] = put(math.Copysign(0, x) * math.Copysign(1, y))
				}
			case rough || full:
				v := x / y
				d[i] = put(off(v, math.Abs(v)*divError, direction))
			default:
				d[i] = put(divOdd(x, y))
			}
		}
	})(d, in)
}
