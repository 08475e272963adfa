package vec

import (
	"math"

	"github.com/ceto-ml/ceto/internal/splitmix"
)

// AdamWArgs are the scalars of one AdamW update.
type AdamWArgs struct {
	LR           float64 // learning rate
	Beta1, Beta2 float64 // decay of the first and second moment, per step
	Eps          float64 // added to the root of the second moment
	Decay        float64 // weight decay, per step in units of LR
	Corr1, Corr2 float64 // 1 − β₁ᵗ and 1 − β₂ᵗ at step t = 1, 2, …; 1 for no bias correction
	GradScale    float64 // factor of the gradient: the clip and the division by the batch's weight
}

// AdamW is one update of decoupled weight decay, elementwise. With g′ = GradScale·g,
//
//	mo = β₁·m + (1 − β₁)·g′
//	vo = β₂·v + (1 − β₂)·g′²
//	po = p − LR·Decay·p − LR·(mo/Corr1)/(√(vo/Corr2) + Eps)
//
// po, mo, vo may be p, m, v. Source: Loshchilov and Hutter, arXiv:1711.05101, algorithm 2, with LR in the decay as
// PyTorch has it.
func AdamW[T Float](po, mo, vo, p, m, v, g []T, a AdamWArgs) {
	n := len(p)
	po, mo, vo, m, v, g = po[:n], mo[:n], vo[:n], m[:n], v[:n], g[:n]
	keep, rcorr, step := 1-a.LR*a.Decay, 1/math.Sqrt(a.Corr2), a.LR/a.Corr1
	if f := loops[T]().adamW; f != nil {
		f(ptr(po), ptr(mo), ptr(vo), ptr(p), ptr(m), ptr(v), ptr(g), n,
			float32(a.GradScale), float32(keep), float32(a.Beta1), float32(1-a.Beta1),
			float32(a.Beta2), float32(1-a.Beta2), float32(rcorr), float32(a.Eps), float32(step))
		return
	}
	b1, c1, b2, c2 := T(a.Beta1), T(1-a.Beta1), T(a.Beta2), T(1-a.Beta2)
	for i, w := range p {
		g := T(a.GradScale) * g[i]
		mi := b1*m[i] + c1*g
		vi := b2*v[i] + c2*g*g
		mo[i], vo[i] = mi, vi
		po[i] = T(keep)*w - T(step)*mi/(T(math.Sqrt(float64(vi)))*T(rcorr)+T(a.Eps))
	}
}

// Dropout is y = x/(1 − p) for an element that is kept and 0 for one that is not; y may be x.
//
// Element i is kept with probability 1 − p, rounded to a multiple of 2⁻²⁴, by a hash of key and offset+i alone. So it
// is the same on every machine, in both dtypes, and however the elements are split over calls. The gradient is the
// same call on dy.
func Dropout[T Float](y, x []T, key, offset uint64, p float64) {
	y = y[:len(x)]
	limit := uint32(math.Round(p * (1 << 24)))
	scale := T(1 / (1 - p))
	if limit >= 1<<24 {
		Fill(y, 0)
		return
	}
	for len(x) > 0 {
		// The elements that share the upper half of their counter.
		n := min(uint64(len(x)), 1<<32-offset&(1<<32-1))
		k := splitmix.Next(key + splitmix.Next(offset>>32+1))
		dropout(y[:n], x[:n], uint32(offset), uint32(k), uint32(k>>32), limit, scale)
		y, x, offset = y[n:], x[n:], offset+n
	}
}

func dropout[T Float](y, x []T, first, k0, k1, limit uint32, scale T) {
	if f := loops[T]().dropout; f != nil {
		f(ptr(y), ptr(x), len(x), first, k0, k1, limit-1, float32(scale))
		return
	}
	for i, v := range x {
		h := mix32(mix32(first+uint32(i)^k0) ^ k1)
		if h>>8 >= limit {
			y[i] = v * scale
		} else {
			y[i] = 0
		}
	}
}

// mix32 is the 32-bit permutation that the search of github.com/skeeto/hash-prospector calls lowbias32.
func mix32(h uint32) uint32 {
	h = (h ^ h>>16) * mixA
	h = (h ^ h>>15) * mixB
	return h ^ h>>16
}

const (
	mixA = 0x7feb352d
	mixB = 0x846ca68b
)
