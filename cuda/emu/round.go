package emu

import "math"

// A rounding is one of the four of IEEE 754.
type rounding uint8

const (
	nearest rounding = iota // ties to even
	toZero
	down
	up
)

var roundings = map[string]rounding{"rn": nearest, "rz": toZero, "rm": down, "rp": up}

// odd makes s round to odd: where the exact value is s + e, and e is not 0, the last bit of s becomes 1. A result
// in this form may be rounded to any format of at most 51 bits and comes out as if rounded once.
func odd(s, e float64) float64 {
	b := math.Float64bits(s)
	if e == 0 || e != e || b&1 != 0 || math.IsInf(s, 0) {
		return s
	}
	if (e > 0) == (s > 0) || s == 0 {
		return math.Float64frombits(b + 1)
	}
	return math.Float64frombits(b - 1)
}

// sumOdd is a + b, rounded to odd.
func sumOdd(a, b float64) float64 {
	s := a + b
	if math.IsInf(s, 0) || s != s {
		return s
	}
	t := s - a
	return odd(s, (a-(s-t))+(b-t))
}

// divOdd is a / b, rounded to odd, for operands of float32 or less.
func divOdd(a, b float64) float64 {
	q := a / b
	if q == 0 || math.IsInf(q, 0) || q != q || math.IsInf(b, 0) {
		return q
	}
	r := math.FMA(-q, b, a)
	if b < 0 {
		r = -r
	}
	return odd(q, r)
}

// sqrtOdd is √a, rounded to odd, for operands of float32 or less.
func sqrtOdd(a float64) float64 {
	s := math.Sqrt(a)
	if s == 0 || math.IsInf(s, 0) || s != s {
		return s
	}
	return odd(s, math.FMA(-s, s, a))
}

const nan32 = 0x7fffffff // the only NaN that arithmetic gives

// narrow32 rounds a value in odd form to float32.
func narrow32(v float64, mode rounding) float32 {
	if v != v {
		return math.Float32frombits(nan32)
	}
	r := float32(v)
	if mode == nearest || float64(r) == v {
		return r
	}
	return step32(r, v < float64(r), mode, v < 0)
}

// step32 moves a result that was rounded to nearest to what another mode gives: the exact value is below r or above
// it.
func step32(r float32, below bool, mode rounding, negative bool) float32 {
	if mode == toZero {
		mode = down
		if negative {
			mode = up
		}
	}
	switch {
	case mode == down && below:
		return math.Nextafter32(r, float32(math.Inf(-1)))
	case mode == up && !below:
		return math.Nextafter32(r, float32(math.Inf(1)))
	}
	return r
}

// A format is a float with fewer bits than float32.
type format struct {
	fraction int // bits
	lowest   int // exponent of the smallest normal number
	most     float64
	infinity uint64
	nan      uint64
}

var (
	half16  = format{10, -14, 65504, 0x7c00, 0x7fff}
	brain16 = format{7, -126, 0x1.fep127, 0x7f80, 0x7fff}
)

// narrow rounds a value in odd form to the bits of a format.
func (f format) narrow(v float64, mode rounding) uint16 {
	var sign uint16
	if math.Signbit(v) {
		sign = 0x8000
	}
	m := math.Abs(v)
	switch {
	case v != v:
		return uint16(f.nan)
	case math.IsInf(v, 0):
		return sign | uint16(f.infinity)
	case m == 0:
		return sign
	}
	e := max(math.Ilogb(m), f.lowest)
	scaled := math.Ldexp(m, f.fraction-e) // an integer is a number of the format
	n := math.Floor(scaled)
	rest := scaled - n
	negative := sign != 0
	switch {
	case rest == 0:
	case mode == nearest && (rest > 0.5 || rest == 0.5 && math.Mod(n, 2) == 1), mode == up && !negative, mode == down && negative:
		n++
	}
	if math.Ldexp(n, e-f.fraction) > f.most {
		if mode == nearest || mode == up && !negative || mode == down && negative {
			return sign | uint16(f.infinity)
		}
		return sign | uint16(f.infinity) - 1
	}
	// A normal number has a leading one in n, which counts as an exponent more.
	return sign | uint16(uint64(e-f.lowest)<<f.fraction+uint64(n))
}

// wide is the value of bits of a format.
func (f format) wide(b uint16) float64 {
	frac := uint64(b) & (1<<f.fraction - 1)
	exp := int(b&0x7fff) >> f.fraction
	var v float64
	switch {
	case uint64(b&0x7fff) == f.infinity:
		v = math.Inf(1)
	case uint64(b&0x7fff) > f.infinity:
		return math.NaN()
	case exp == 0:
		v = math.Ldexp(float64(frac), f.lowest-f.fraction)
	default:
		v = math.Ldexp(float64(frac|1<<f.fraction), f.lowest-f.fraction+exp-1)
	}
	if b&0x8000 != 0 {
		return -v
	}
	return v
}

// flush makes a subnormal float32 a zero of its sign.
func flush(b uint32) uint32 {
	if b&0x7f800000 == 0 {
		return b & 0x80000000
	}
	return b
}

// saturate brings a value into [0, 1]; NaN becomes 0.
func saturate(v float32) float32 {
	switch {
	case v >= 1:
		return 1
	case v > 0:
		return v
	}
	return 0
}

func canonical(v float32) uint64 {
	if v != v {
		return nan32
	}
	return uint64(math.Float32bits(v))
}

func f32(v uint64) float32 { return math.Float32frombits(uint32(v)) }
func f64(v uint64) float64 { return math.Float64frombits(v) }
