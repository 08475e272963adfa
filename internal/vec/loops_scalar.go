package vec

import (
	"math"
	"unsafe"
)

// The functions of one element in plain Go. In float64 they are those of package math. In float32 they are the
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

// q(r) ≈ (exp(r) − 1 − r)/r² on |r| ≤ ln2/2: the minimax polynomial for the relative error of exp(r) − 1, which is
// 1.3e-8.
const (
	expQ0 = 0.500000006
	expQ1 = 0.16666543
	expQ2 = 0.041666282
	expQ3 = 0.00836658395
	expQ4 = 0.0013946451
)

// ½·exp(a²/2)·erfc(a/√2)/t, t = 1/(1 + erfcP·a), for 0 ≤ a ≤ 13.3: the minimax polynomial in t, relative error 2.3e-8.
const (
	erfcP  = 0.27
	erfcT0 = 0.10771922308519419
	erfcT1 = 0.10756573913416739
	erfcT2 = 0.10165726427550695
	erfcT3 = 0.0726156153399917
	erfcT4 = 0.10656498216421093
	erfcT5 = -0.06747143190325197
	erfcT6 = 0.16833077825389484
	erfcT7 = -0.1258089961650371
	erfcT8 = 0.02882683732209287
)

const (
	geluK     = 2 * 0.797884560802865355879892119868763737 // 2·√(2/π)
	geluCubic = 0.044715
	geluEdge  = 16 // beyond ±16 GELU is x or 0 in float32, and to 1e-136 in float64
	siluEdge  = 104
	tanhEdge  = 10 // beyond ±10 tanh is ±1 in float32
)

// single says whether T is float32.
func single[T Float]() bool { return unsafe.Sizeof(T(0)) == 4 }

// reduce gives n, offset by round, and r of x = n·ln2 + r.
func reduce(x, round float32) (t, r float32) {
	t = float32(x*log2e) + round
	n := t - round
	return t, float32(x-n*ln2hi) - n*ln2lo
}

// pow2 is 2ⁿ from n offset by round127, and 2ⁿ⁻¹ from n offset by round126.
func pow2(t float32) float32 { return math.Float32frombits(math.Float32bits(t) << 23) }

func exp32(x float32) float32 {
	if !(x <= expHi) { // NaN too
		return x * x * float32(math.MaxFloat32)
	}
	if x < expLo {
		return 0
	}
	t, r := reduce(x, round126)
	y := (((((expQ4*r+expQ3)*r+expQ2)*r+expQ1)*r+expQ0)*r+1)*r + 1
	y *= pow2(t) // half the result, so that it exists where n = 128
	return y + y
}

func exp[T Float](x T) T {
	if single[T]() {
		return T(exp32(float32(x)))
	}
	return T(math.Exp(float64(x)))
}

func tanh[T Float](x T) T {
	if !single[T]() {
		return T(math.Tanh(float64(x)))
	}
	// tanh(a) = e/(e + 2), e = exp(2a) − 1 = 2ⁿ·(exp(r) − 1) + (2ⁿ − 1), which is precise near 0 too.
	a := min(float32(math.Abs(float64(x))), tanhEdge)
	t, r := reduce(2*a, round127)
	p := pow2(t)
	e := ((((expQ4*r+expQ3)*r+expQ2)*r+expQ1)*r+expQ0)*(r*r) + r
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
	e := exp32(float32(a) * float32(a) * -0.5)
	p := (((((((erfcT8*t+erfcT7)*t+erfcT6)*t+erfcT5)*t+erfcT4)*t+erfcT3)*t+erfcT2)*t+erfcT1)*t + erfcT0
	return T(p * t * e), T(e * rsqrt2pi)
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
