package emu

import "math"

// A bound is the largest error that the manual allows for a result v of the operand x.
type bound func(v, x float64) float64

// bounds are those of PTX ISA 9.0, sections 9.7.3.8 (div) and 9.7.3.13 to 9.7.3.22. A ulp is the distance to the next
// float32.
var bounds = map[string]bound{
	"rcp":   ulps(1),
	"sqrt":  relative2(-23),
	"rsqrt": relative2(-22.9),
	"ex2":   ulps(2),
	"tanh":  relative2(-11),
	"div":   ulps(2),
	"sin":   circleBound,
	"cos":   circleBound,
	"lg2": func(v, x float64) float64 {
		if x > 0.5 && x < 2 {
			return 0x1p-22
		}
		return math.Abs(v) * 0x1p-22
	},
}

// circleBound is that of sin and cos. Outside of ±100π the manual promises nothing, so here too it is as within.
func circleBound(_, x float64) float64 {
	if math.Abs(x) <= 2*math.Pi {
		return math.Exp2(-20.5)
	}
	return math.Exp2(-14.7)
}

// halfBounds are those of PTX ISA 9.0, sections 9.7.4.9 and 9.7.4.10.
var halfBounds = map[string]bound{
	"ex2.f16":   relative2(-9.9),
	"tanh.f16":  absolute2(-10.987),
	"tanh.bf16": absolute2(-8),
}

// approxRows are operations whose result the manual only bounds.
func approxRows() map[string]opcode {
	return map[string]opcode{
		"ex2.f32":   {"approx ftz", approximate("ex2", math.Exp2)},
		"lg2.f32":   {"approx ftz", approximate("lg2", math.Log2)},
		"sin.f32":   {"approx ftz", approximate("sin", math.Sin)},
		"cos.f32":   {"approx ftz", approximate("cos", math.Cos)},
		"tanh.f32":  {"approx", approximate("tanh", math.Tanh)},
		"rsqrt.f32": {"approx ftz", approximate("rsqrt", func(a float64) float64 { return 1 / math.Sqrt(a) })},
		"rsqrt.f64": {"approx ftz", ops("f64 f64", func(d, a, _, _ *lanes) {
			for i := range d {
				d[i] = canonical64(1 / math.Sqrt(f64(a[i])))
			}
		})},
		"ex2.f16":   {"approx", approximateHalf("ex2.f16", half16, math.Exp2)},
		"tanh.f16":  {"approx", approximateHalf("tanh.f16", half16, math.Tanh)},
		"tanh.bf16": {"approx", approximateHalf("tanh.bf16", brain16, math.Tanh)},
	}
}

// relative2 is a relative error of 2ᵉ.
func relative2(e float64) bound {
	return func(v, _ float64) float64 { return math.Abs(v) * math.Exp2(e) }
}

// absolute2 is an error of 2ᵉ.
func absolute2(e float64) bound {
	return func(_, _ float64) float64 { return math.Exp2(e) }
}

// ulps is an error of n units in the last place of a float32.
func ulps(n float64) bound {
	return func(v, _ float64) float64 { return math.Ldexp(n, max(math.Ilogb(v), -126)-23) }
}

// off moves a result by the largest error in the direction of the device's options. Results that are exact by the
// manual, such as 0 and infinity, stay.
func off(v, x float64, most bound, direction int) float64 {
	if direction == 0 || v == 0 || math.IsInf(v, 0) || v != v {
		return v
	}
	return v + float64(direction)*most(v, x)
}

// inward is the rounding that keeps a result within its bound.
func inward(direction int) rounding {
	return map[int]rounding{-1: up, 0: nearest, 1: down}[direction]
}

// approximate decodes an operation that is computed in float64, and then moved by its error.
func approximate(name string, f func(a float64) float64) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) error {
		if !d.has("approx") {
			return d.errorf("%s: want .approx", d.s.op)
		}
		direction, most := d.m.d.o.Approx, bounds[name]
		get, put := d.operandOf(), d.rounded(inward(direction))
		return ops("f32 f32", func(d, a, _, _ *lanes) {
			for i := range d {
				x := get(a[i])
				d[i] = put(off(f(x), x, most, direction))
			}
		})(d, in)
	}
}

func approximateHalf(name string, to format, f func(a float64) float64) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) error {
		direction, most := d.m.d.o.Approx, halfBounds[name]
		return ops("b16 b16", func(d, a, _, _ *lanes) {
			for i := range d {
				x := to.wide(uint16(a[i]))
				d[i] = uint64(to.narrow(off(f(x), x, most, direction), inward(direction)))
			}
		})(d, in)
	}
}

// precise1 decodes rcp and sqrt: with a rounding, or with .approx.
func precise1(name string, exact, rough func(a float64) float64) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) error {
		if d.has("approx") {
			return approximate(name, rough)(d, in)
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
	get, put, direction, most := d.operandOf(), d.finish(), d.m.d.o.Approx, bounds["div"]
	rough, full := d.has("approx"), d.has("full")
	if rough || full {
		put = d.rounded(inward(direction))
	}
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
				d[i] = put(off(x/y, y, most, direction))
			default:
				d[i] = put(divOdd(x, y))
			}
		}
	})(d, in)
}
