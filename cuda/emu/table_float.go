package emu

import (
	"math"
)

const floatMods = "rn rz rm rp ftz sat"

// floatRows are the arithmetic of float32.
func floatRows() map[string]opcode {
	rows := map[string]opcode{
		"add.f32":      {floatMods, float2(addF32, sumMode)},
		"sub.f32":      {floatMods, float2(subF32, func(a, b float64, m rounding) float64 { return sumMode(a, -b, m) })},
		"mul.f32":      {floatMods, float2(mulF32, func(a, b float64, _ rounding) float64 { return a * b })},
		"fma.f32":      {floatMods, float3(fmaF32)},
		"mad.f32":      {floatMods, float3(fmaF32)},
		"neg.f32":      {"ftz", floatBits(func(a uint32) uint32 { return a ^ 1<<31 })},
		"abs.f32":      {"ftz", floatBits(func(a uint32) uint32 { return a &^ (1 << 31) })},
		"copysign.f32": {"", ops("f32 f32 f32", two(func(a, b uint32) uint32 { return b&^(1<<31) | a&(1<<31) }))},
		"min.f32":      {"ftz NaN xorsign abs", extreme(true)},
		"max.f32":      {"ftz NaN xorsign abs", extreme(false)},
		"div.f32":      {floatMods + " approx full", divide},
		"rcp.f32":      {floatMods + " approx", precise1("rcp", func(a float64) float64 { return divOdd(1, a) }, func(a float64) float64 { return 1 / a })},
		"sqrt.f32":     {floatMods + " approx", precise1("sqrt", sqrtOdd, math.Sqrt)},
		"testp.f32": {"finite infinite number notanumber normal subnormal", testp(func(v uint64) (exp, frac uint64) {
			return v >> 23 & 0xff, v & (1<<23 - 1)
		}, 0xff)},
		"testp.f64": {"finite infinite number notanumber normal subnormal", testp(func(v uint64) (exp, frac uint64) {
			return v >> 52 & 0x7ff, v & (1<<52 - 1)
		}, 0x7ff)},
	}
	return rows
}

// mode is the rounding that the opcode names; to nearest where it names none.
func (d *decoder) mode() rounding {
	for _, mod := range d.mods {
		if m, ok := roundings[mod]; ok {
			return m
		}
	}
	return nearest
}

// plain tells whether the opcode rounds to nearest and does nothing else.
func (d *decoder) plain() bool { return d.mode() == nearest && !d.has("ftz") && !d.has("sat") }

// finish makes a result in odd form what the opcode gives.
func (d *decoder) finish() func(v float64) uint64 { return d.rounded(d.mode()) }

// rounded makes a result in odd form what the opcode gives in another mode.
func (d *decoder) rounded(mode rounding) func(v float64) uint64 {
	ftz, sat := d.has("ftz"), d.has("sat")
	return func(v float64) uint64 {
		r := narrow32(v, mode)
		if sat {
			r = saturate(r)
		}
		b := canonical(r)
		if ftz {
			b = uint64(flush(uint32(b)))
		}
		return b
	}
}

// operandOf reads a float32, and flushes it where the opcode does.
func (d *decoder) operandOf() func(v uint64) float64 {
	if d.has("ftz") {
		return func(v uint64) float64 { return float64(f32(uint64(flush(uint32(v))))) }
	}
	return func(v uint64) float64 { return float64(f32(v)) }
}

// float2 decodes an operation on two float32: plain where it rounds to nearest, else by its result in odd form.
func float2(plain vop, f func(a, b float64, mode rounding) float64) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) error {
		if d.plain() {
			return ops("f32 f32 f32", plain)(d, in)
		}
		get, put, mode := d.operandOf(), d.finish(), d.mode()
		return ops("f32 f32 f32", func(d, a, b, _ *lanes) {
			for i := range d {
				d[i] = put(f(get(a[i]), get(b[i]), mode))
			}
		})(d, in)
	}
}

// sumMode is a + b in odd form. A sum that is 0 of terms that are not both +0 is −0 where it is rounded down.
func sumMode(a, b float64, mode rounding) float64 {
	v := sumOdd(a, b)
	if v == 0 && mode == down && (math.Signbit(a) || math.Signbit(b)) {
		return math.Copysign(0, -1)
	}
	return v
}

func float3(plain vop) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) error {
		if d.plain() {
			return ops("f32 f32 f32 f32", plain)(d, in)
		}
		get, put, mode := d.operandOf(), d.finish(), d.mode()
		return ops("f32 f32 f32 f32", func(d, a, b, c *lanes) {
			for i := range d {
				d[i] = put(sumMode(get(a[i])*get(b[i]), get(c[i]), mode))
			}
		})(d, in)
	}
}

func floatBits(f func(a uint32) uint32) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) error {
		g := f
		if d.has("ftz") {
			g = func(a uint32) uint32 { return f(flush(a)) }
		}
		return ops("f32 f32", one(g))(d, in)
	}
}

func addF32(d, a, b, _ *lanes) {
	for i := range d {
		if v := f32(a[i]) + f32(b[i]); v == v {
			d[i] = uint64(math.Float32bits(v))
		} else {
			d[i] = nan32
		}
	}
}

func subF32(d, a, b, _ *lanes) {
	for i := range d {
		if v := f32(a[i]) - f32(b[i]); v == v {
			d[i] = uint64(math.Float32bits(v))
		} else {
			d[i] = nan32
		}
	}
}

func mulF32(d, a, b, _ *lanes) {
	for i := range d {
		if v := f32(a[i]) * f32(b[i]); v == v {
			d[i] = uint64(math.Float32bits(v))
		} else {
			d[i] = nan32
		}
	}
}

// fmaF32 is a·b + c. The product is exact in float64. The sum in float64 will do, unless it lies half-way between two
// float32 or among the subnormal ones.
func fmaF32(d, a, b, c *lanes) {
	for i := range d {
		s := float64(f32(a[i]))*float64(f32(b[i])) + float64(f32(c[i]))
		bits := math.Float64bits(s)
		if bits&0x1fffffff != 0x10000000 && bits>>52&0x7ff-897 < 0x7ff-897 {
			d[i] = uint64(math.Float32bits(float32(s)))
		} else if bits<<1 == 0 { // a sum of float64 is 0 where it is so exactly
			d[i] = bits >> 32
		} else {
			d[i] = canonical(narrow32(fma64(float64(f32(a[i])), float64(f32(b[i])), float64(f32(c[i]))), nearest))
		}
	}
}

// fma64 is a·b + c in odd form, for operands of float32 or less.
func fma64(a, b, c float64) float64 {
	return sumOdd(float64(a*b), c)
}

// extreme decodes min and max of float32.
func extreme(least bool) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) error {
		ftz, nan := d.has("ftz"), d.has("NaN")
		xor := d.has("xorsign")
		if xor != d.has("abs") {
			return d.errorf("%s: want .xorsign and .abs together", d.s.op)
		}
		f := func(a, b uint32) uint32 {
			if ftz {
				a, b = flush(a), flush(b)
			}
			x, y := math.Float32frombits(a), math.Float32frombits(b)
			switch {
			case x != x && y != y, nan && (x != x || y != y):
				return nan32
			case x != x:
				return b
			case y != y:
				return a
			case x == y: // −0 is less than +0
				if least {
					return a | b
				}
				return a & b
			case x < y == least:
				return a
			}
			return b
		}
		if xor { // of the absolute values, with the product's sign
			return ops("f32 f32 f32", two(func(a, b uint32) uint32 {
				const sign = 1 << 31
				r := f(a&^sign, b&^sign)
				if r == nan32 {
					return r
				}
				return r | (a^b)&sign
			}))(d, in)
		}
		return ops("f32 f32 f32", two(f))(d, in)
	}
}

// testp decodes a test of what kind of number a float is.
func testp(split func(v uint64) (exp, frac uint64), most uint64) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) (err error) {
		if err := d.want(2); err != nil {
			return err
		}
		tests := map[string]func(exp, frac uint64) bool{
			"finite":     func(exp, _ uint64) bool { return exp != most },
			"infinite":   func(exp, frac uint64) bool { return exp == most && frac == 0 },
			"number":     func(exp, frac uint64) bool { return exp != most || frac == 0 },
			"notanumber": func(exp, frac uint64) bool { return exp == most && frac != 0 },
			"normal":     func(exp, _ uint64) bool { return exp != most && exp != 0 },
			"subnormal":  func(exp, frac uint64) bool { return exp == 0 && frac != 0 },
		}
		var test func(exp, frac uint64) bool
		for _, mod := range d.mods {
			test = tests[mod]
		}
		if test == nil {
			return d.errorf("%s: want a kind of number", d.s.op)
		}
		if in.d, err = d.predicate(d.s.args[0]); err != nil {
			return err
		}
		if in.a, err = d.src(d.s.args[1], d.types[0]); err != nil {
			return err
		}
		in.do = func(w *warp, in *inst, on uint32) {
			var m uint32
			for i, v := range &w.r[in.a] {
				if test(split(v)) {
					m |= 1 << i
				}
			}
			w.p[in.d] = w.p[in.d]&^on | m&on
		}
		return nil
	}
}
