package record

import "math/bits"

// draw returns number i of a stream of a seed: a function of its arguments alone, the same on every machine. Source of
// the mixing: Steele, Lea and Flood 2014, SplitMix64, figure 14.
func draw(seed, stream, i uint64) uint64 { return mix(mix(mix(seed+gamma)+stream*gamma) + i*gamma) }

const gamma = 0x9e3779b97f4a7c15 // 2⁶⁴ over the golden ratio, odd

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// shuffle puts p in an order that depends on seed and stream alone. Source: Knuth, TAOCP vol. 2, algorithm P; the bias
// is below len(p)/2⁶⁴.
func shuffle[T any](p []T, seed, stream uint64) {
	for i := len(p) - 1; i > 0; i-- {
		j, _ := bits.Mul64(draw(seed, stream, uint64(i)), uint64(i+1))
		p[i], p[j] = p[j], p[i]
	}
}
