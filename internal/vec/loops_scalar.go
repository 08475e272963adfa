package vec

import (
	"math"
	"unsafe"
)

// The functions of one element in plain Go. In float64 they are those of package math; in float32 they are the
// polynomials of the assembly, so a path differs from another in rounding alone.

// The constants of exp in float32. x = n·ln2 + r with |r| ≤ ln2/2, and exp(x) = 2ⁿ·(1 + r + r²·q(r)).
const (
	expLo  = -87.3365 // below it n would pass −126, where the result is 0
	expHi  = 89       // above it the result is +Inf
	expTop = 87       // a bound under which neither exp(x) nor 1/(1 + exp(x)) leaves the normal numbers
	log2e  = 1 / math.Ln2
	ln2hi  = 0.693359375 // 9 bits, so n·ln2hi is exact
	ln2lo  = math.Ln2 - ln2hi
	// Added to a float32, 1.5·2²³ leaves the nearest integer in the low bits; the bias of the exponent is added along.
	round127 = 3<<22 + 127
	round126 = 3<<22 + 126
)

// expQ is q(r) ≈ (exp(r) − 1 − r)/r² on |r| ≤ ln2/2, the minimax polynomial for the relative error 1.3e-8 of exp(r) − 1.
var expQ = [...]float32{0.500000006, 0.16666543, 0.041666282, 0.00836658395, 0.0013946451}

// erfcT is the minimax polynomial for ½·exp(a²/2)·erfc(a/√2)/t, t = 1/(1 + erfcP·a), 0 ≤ a ≤ 13.3, relative error 2.3e-8.
var erfcT = [...]float32{0.10771922308519419, 0.10756573913416739, 0.10165726427550695, 0.0726156153399917,
	0.10656498216421093, -0.06747143190325197, 0.16833077825389484, -0.1258089961650371, 0.02882683732209287}

const erfcP = 0.27

const (
	geluK     = 2 * 0.797884560802865355879892119868763737 // 2·√(2/π)
	geluCubic = 0.044715
	geluEdge  = 16 // beyond ±16 GELU is x or 0 in float32 and in float64
	siluEdge  = 104
	tanhEdge  = 10 // beyond ±10 tanh is ±1 in float32
)

// single says whether T is float32.
func single[T Float]() bool { return unsafe.Sizeof(T(0)) == 4 }

func horner(c []float32, x float32) float32 {
	y := c[len(c)-1]
	for i := len(c) - 2; i >= 0; i-- {
		y = y*x + c[i]
	}
	return y
}

// reduce gives n, offset by round, and r of x = n·ln2 + r, and exp(r) − 1.
func reduce(x, round float32) (t, e float32) {
	t = float32(x*log2e) + round
	n := t - round
	r := float32(x-n*ln2hi) - n*ln2lo
	return t, float32(horner(expQ[:], r)*(r*r)) + r
}

// pow2 is 2ⁿ from n offset by round127, and 2ⁿ⁻¹ from n offset by round126.
func pow2(t float32) float32 { return math.Float32frombits(math.Float32bits(t) << 23) }

// exp32 is exp(x) where x is at most hi.
func exp32(x, hi float32) float32 {
	t, e := reduce(max(min(x, hi), expLo), round126)
	y := (1 + e) * pow2(t) // half the result, so that it exists where n = 128
	return y + y
}

func exp[T Float](x T) T {
	if single[T]() {
		return T(exp32(float32(x), expHi))
	}
	return T(math.Exp(float64(x)))
}

func tanh[T Float](x T) T {
	if !single[T]() {
		return T(math.Tanh(float64(x)))
	}
	// tanh(a) = e/(e + 2), e = exp(2a) − 1 = 2ⁿ·(exp(r) − 1) + (2ⁿ − 1), which is precise near 0 too.
	a := min(float32(math.Abs(float64(x))), tanhEdge)
	t, e := reduce(2*a, round127)
	p := pow2(t)
	e = p*e + (p - 1)
	return T(math.Copysign(float64(e/(e+2)), float64(x)))
}

func sigmoid[T Float](x T) T { return 1 / (1 + exp(-x)) }

// clamp is x within ±edge; NaN stays.
func clamp[T Float](x, edge T) T { return min(max(x, -edge), edge) }

// gelu is x·σ(2u), 2u = 2√(2/π)·(x + 0.044715·x³): the tanh form without its cancellation in the left tail.
func gelu[T Float](x T) T {
	x = max(x, -geluEdge)
	return x / (1 + exp(x*(-geluK-geluK*geluCubic*x*x)))
}

func geluGrad[T Float](x, dy T) T {
	x = clamp(x, geluEdge)
	s, c := sigmoids(x * (geluK + geluK*geluCubic*x*x))
	return dy * s * (1 + x*c*(geluK+3*geluK*geluCubic*x*x))
}

// sigmoids is σ(x) and 1 − σ(x), both precise.
func sigmoids[T Float](x T) (s, c T) {
	e := exp(min(-x, expTop))
	s = 1 / (1 + e)
	return s, e * s
}

func silu[T Float](x T) T {
	if single[T]() {
		x = max(x, -siluEdge)
	}
	return x / (1 + exp(-x))
}

func siluGrad[T Float](x, dy T) T {
	x = clamp(x, expTop)
	s, c := sigmoids(x)
	return dy * s * (1 + x*c)
}

// tail is Φ(−a) and φ(a) of the normal distribution, a ≥ 0.
func tail[T Float](a T) (h, phi T) {
	if !single[T]() {
		a := float64(a)
		return T(math.Erfc(a/math.Sqrt2) / 2), T(math.Exp(-a*a/2) * rsqrt2pi)
	}
	t := 1 / (1 + erfcP*float32(a))
	e := exp32(float32(a)*float32(a)*-0.5, expHi)
	return T(horner(erfcT[:], t) * t * e), T(e * rsqrt2pi)
}

const rsqrt2pi = 0.398942280401432677939946059934381868 // 1/√(2π)

func geluErf[T Float](x T) T {
	if !single[T]() {
		return T(float64(x) / 2 * math.Erfc(-float64(x)/math.Sqrt2))
	}
	a := min(abs(x), geluEdge)
	h, _ := tail(a)
	return max(x, 0) - a*h
}

func geluErfGrad[T Float](x, dy T) T {
	a := abs(x)
	if single[T]() {
		a = min(a, geluEdge)
	}
	h, phi := tail(a)
	d := h - a*phi // the derivative at −a
	if x >= 0 {
		d = 1 - d
	}
	return dy * d
}

func abs[T Float](x T) T { return T(math.Abs(float64(x))) }

func relu[T Float](x T) T { return max(x, 0) }

func reluGrad[T Float](x, dy T) T {
	if x > 0 {
		return dy
	}
	return 0
}
