package nn

import (
	"math"

	"github.com/ceto-ml/ceto/internal/splitmix"
)

// Rand is a counter generator: a number depends on a key and on where it is used, not on what was drawn before.
type Rand struct{ key uint64 }

// NewRand returns the generator of a seed and a name.
func NewRand(seed uint64, name string) *Rand { return &Rand{splitmix.Mix(seed) ^ hash64(name)} }

// bits returns 64 bits for element i, draw k.
func (r *Rand) bits(i, k int) uint64 {
	return splitmix.Mix(splitmix.Mix(r.key+uint64(i)*splitmix.Gamma) + uint64(k)*splitmix.Gamma)
}

// Uniform returns the number in [0, 1) of element i, draw k: 53 bits.
func (r *Rand) Uniform(i, k int) float64 { return float64(float64(r.bits(i, k)>>11) / (1 << 53)) }

// Normal returns the number of N(0, 1) of element i, from draw k on, by Marsaglia's polar method.
func (r *Rand) Normal(i, k int) float64 {
	for ; ; k += 2 {
		u := float64(2*r.Uniform(i, k)) - 1
		v := float64(2*r.Uniform(i, k+1)) - 1
		s := float64(u*u) + float64(v*v)
		if s < 1 && s > 0 {
			return float64(u * math.Sqrt(float64(-2*ln(s))/s))
		}
	}
}

// truncated returns the number of N(0, 1) of element i that is at most 2 from 0.
func (r *Rand) truncated(i int) float64 {
	for k := 0; ; k += 1 << 16 {
		if z := r.Normal(i, k); z >= -2 && z <= 2 {
			return z
		}
	}
}

// ln is the natural logarithm of a positive normal number x = m·2ᵉ, with explicit roundings:
//
//	ln x = e·ln 2 + 2·artanh t, t = (m−1)/(m+1), √½ ≤ m < √2
func ln(x float64) float64 {
	b := math.Float64bits(x)
	e := int(b>>52) - 1023
	m := math.Float64frombits(b&(1<<52-1) | 1023<<52)
	if m >= math.Sqrt2 {
		m, e = m/2, e+1
	}
	t := (m - 1) / (m + 1)
	t2 := float64(t * t)
	sum := 0.0
	for n := 23; n >= 1; n -= 2 { // |t| < 0.1716: t²⁴ is below 2⁻⁶⁰
		sum = 1/float64(n) + float64(t2*sum)
	}
	return float64(float64(e)*math.Ln2) + float64(2*float64(t*sum))
}
