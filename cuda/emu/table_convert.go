package emu

import (
	"math"
	"math/big"
	"slices"
)

// convertRows are the conversions of numbers.
func convertRows() map[string]opcode {
	return map[string]opcode{
		"cvt": {"rn rz rm rp rna rni rzi rmi rpi ftz sat relu satfinite", convert},
	}
}

var integral = map[string]rounding{"rni": nearest, "rzi": toZero, "rmi": down, "rpi": up}

func isFloat(t string) bool {
	return t == "f16" || t == "bf16" || t == "f32" || t == "f64" || t == "tf32"
}

// convert decodes cvt.
func convert(d *decoder, in *inst) error {
	if len(d.types) != 2 {
		return d.errorf("%s: want two types", d.s.op)
	}
	to, from := d.types[0], d.types[1]
	switch {
	case to == "f16x2" || to == "bf16x2":
		return convertPair(d, in, to)
	case !isFloat(from) && !isFloat(to):
		return ops(to+" "+from, d.intToInt(to, from))(d, in)
	case !isFloat(from):
		return ops(to+" "+from, d.intToFloat(to, from))(d, in)
	case !isFloat(to):
		return ops(to+" "+from, d.floatToInt(to, from))(d, in)
	case to == "tf32":
		return ops("b32 f32", toTF32(d))(d, in)
	}
	return ops(to+" "+from, d.floatToFloat(to, from))(d, in)
}

// extend brings a value of a type to 64 bits.
func extend(t string) func(v uint64) uint64 {
	n := 8 * sizes[t]
	if t[0] == 's' {
		return func(v uint64) uint64 { return uint64(int64(v<<(64-n)) >> (64 - n)) }
	}
	return func(v uint64) uint64 { return v & (^uint64(0) >> (64 - n)) }
}

// limits are the least and the largest value of an integer type.
func limits(t string) (lo, hi *big.Int) {
	n := uint(8 * sizes[t])
	if t[0] == 's' {
		hi = new(big.Int).Lsh(big.NewInt(1), n-1)
		return new(big.Int).Neg(hi), hi.Sub(hi, big.NewInt(1))
	}
	hi = new(big.Int).Lsh(big.NewInt(1), n)
	return new(big.Int), hi.Sub(hi, big.NewInt(1))
}

// registerMask keeps what a register of the destination holds. A conversion to 8 bits fills a register of 16 bits or
// more, with the sign where the type has one.
func (d *decoder) registerMask(to string) uint64 {
	n := sizes[to]
	if len(d.s.args) > 0 {
		n = max(n, sizes[d.typeOf(d.s.args[0].name)])
	}
	return ^uint64(0) >> (64 - 8*n)
}

func (d *decoder) intToInt(to, from string) vop {
	get, put, mask := extend(from), extend(to), d.registerMask(to)
	if !d.has("sat") {
		switch {
		case from == "s32" && to == "s64":
			return func(d, a, _, _ *lanes) {
				for i := range d {
					d[i] = uint64(int64(int32(a[i])))
				}
			}
		case from[1:] == "32" && sizes[to] >= 4 && from[0] == 'u', to[1:] == "32" && sizes[from] >= 4:
			return func(d, a, _, _ *lanes) {
				for i := range d {
					d[i] = uint64(uint32(a[i]))
				}
			}
		}
		return func(d, a, _, _ *lanes) {
			for i := range d {
				d[i] = put(get(a[i])) & mask
			}
		}
	}
	lo, hi := limits(to)
	return func(d, a, _, _ *lanes) {
		for i := range d {
			v := new(big.Int).SetUint64(get(a[i]))
			if from[0] == 's' {
				v.SetInt64(int64(get(a[i])))
			}
			d[i] = clamped(v, lo, hi) & mask
		}
	}
}

func clamped(v, lo, hi *big.Int) uint64 {
	switch {
	case v.Cmp(lo) < 0:
		v = lo
	case v.Cmp(hi) > 0:
		v = hi
	}
	if v.Sign() < 0 {
		return uint64(v.Int64())
	}
	return v.Uint64()
}

// intToFloat rounds an integer.
func (d *decoder) intToFloat(to, from string) vop {
	get, mode := extend(from), d.mode()
	sat := d.has("sat")
	return func(d, a, _, _ *lanes) {
		for i := range d {
			v := get(a[i])
			f := oddInt(v, from[0] == 's')
			switch {
			case to == "f32":
				r := narrow32(f, mode)
				if sat {
					r = saturate(r)
				}
				d[i] = uint64(math.Float32bits(r))
			case to == "f64":
				d[i] = math.Float64bits(int64To64(v, from[0] == 's', mode))
			default:
				d[i] = uint64(formats[to].narrow(f, mode))
			}
		}
	}
}

var formats = map[string]format{"f16": half16, "bf16": brain16}

// oddInt is an integer in odd form.
func oddInt(v uint64, signed bool) float64 {
	negative := signed && int64(v) < 0
	if negative {
		v = -v
	}
	if v >= 1<<53 { // the last bits are joined in one
		rest := v & 0x7ff
		v &^= 0x7ff
		if rest != 0 {
			v |= 1 << 11
		}
	}
	if f := float64(v); !negative {
		return f
	} else {
		return -f
	}
}

// int64To64 rounds an integer to float64.
func int64To64(v uint64, signed bool, mode rounding) float64 {
	f, exact := float64(v), new(big.Float).SetUint64(v)
	if signed {
		f, exact = float64(int64(v)), new(big.Float).SetInt64(int64(v))
	}
	if mode == nearest {
		return f
	}
	side := exact.Cmp(new(big.Float).SetFloat64(f))
	if mode == toZero {
		mode = down
		if exact.Sign() < 0 {
			mode = up
		}
	}
	switch {
	case mode == down && side < 0:
		return math.Nextafter(f, math.Inf(-1))
	case mode == up && side > 0:
		return math.Nextafter(f, math.Inf(1))
	}
	return f
}

// read returns the value of a float of some type.
func (d *decoder) read(t string) func(v uint64) float64 {
	switch t {
	case "f32":
		return d.operandOf()
	case "f64":
		return f64
	}
	return func(v uint64) float64 { return formats[t].wide(uint16(v)) }
}

func roundIntegral(v float64, mode rounding) float64 {
	switch mode {
	case nearest:
		return math.RoundToEven(v)
	case down:
		return math.Floor(v)
	case up:
		return math.Ceil(v)
	}
	return math.Trunc(v)
}

// integralMode is the rounding to an integer that the opcode names.
func (d *decoder) integralMode() (rounding, bool) {
	for _, mod := range d.mods {
		if m, ok := integral[mod]; ok {
			return m, true
		}
	}
	return toZero, false
}

// floatToInt rounds to an integer. What is too large becomes the type's limit, and NaN 0.
func (d *decoder) floatToInt(to, from string) vop {
	get, mask := d.read(from), d.registerMask(to)
	mode, _ := d.integralMode()
	lo, hi := limits(to)
	least, _ := new(big.Float).SetInt(lo).Float64()
	most, _ := new(big.Float).SetInt(new(big.Int).Add(hi, big.NewInt(1))).Float64()
	low, high := clamped(lo, lo, hi), clamped(hi, lo, hi)
	return func(d, a, _, _ *lanes) {
		for i := range d {
			v := roundIntegral(get(a[i]), mode)
			var n uint64
			switch {
			case v != v:
			case v < least:
				n = low
			case v >= most:
				n = high
			case v < 0:
				n = uint64(int64(v))
			default:
				n = uint64(v)
			}
			d[i] = n & mask
		}
	}
}

// floatToFloat rounds to another float, or to an integer as a float.
func (d *decoder) floatToFloat(to, from string) vop {
	get, mode, put := d.read(from), d.mode(), d.finish()
	whole, isWhole := d.integralMode()
	sat, relu := d.has("sat"), d.has("relu")
	return func(d, a, _, _ *lanes) {
		for i := range d {
			v := get(a[i])
			if isWhole {
				v = roundIntegral(v, whole)
			}
			if relu && !(v > 0) && v == v {
				v = 0
			}
			switch to {
			case "f32":
				d[i] = put(v)
			case "f64":
				if sat {
					v = min(max(v, 0), 1)
					if v != v {
						v = 0
					}
				}
				d[i] = canonical64(v)
			default:
				if sat {
					v = float64(saturate64(v))
				}
				d[i] = uint64(formats[to].narrow(v, mode))
			}
		}
	}
}

func saturate64(v float64) float64 {
	if v > 0 {
		return min(v, 1)
	}
	return 0
}

// convertPair decodes the conversion of two float32 to one register: the first goes to its upper half.
func convertPair(d *decoder, in *inst, to string) error {
	if d.types[1] != "f32" || !slices.Contains([]int{3}, len(d.s.args)) {
		return d.errorf("%s: want two operands of type f32", d.s.op)
	}
	f, mode, relu := formats[to[:len(to)-2]], d.mode(), d.has("relu")
	one := func(v uint64) uint64 {
		x := float64(f32(v))
		if relu && !(x > 0) && x == x {
			x = 0
		}
		return uint64(f.narrow(x, mode))
	}
	return ops("b32 f32 f32", func(d, a, b, _ *lanes) {
		for i := range d {
			d[i] = one(a[i])<<16 | one(b[i])
		}
	})(d, in)
}

// toTF32 rounds to the 10 bits of fraction that matrix operations read.
func toTF32(d *decoder) vop {
	away := d.has("rna")
	return func(d, a, _, _ *lanes) {
		for i := range d {
			b := uint32(a[i])
			switch {
			case b&0x7fffffff > 0x7f800000:
				b = nan32
			case b&0x7f800000 == 0x7f800000:
			case away:
				b = (b + 0x1000) &^ 0x1fff
			default:
				b = (b + 0xfff + b>>13&1) &^ 0x1fff
			}
			d[i] = uint64(b)
		}
	}
}
