package data

import "math/bits"

// draw returns number i of a seed's stream: a function of its arguments alone, so that a position is all there is to
// save. Source of the mixing: Steele, Lea and Flood 2014, SplitMix64, figure 14.
func draw(seed, stream, i uint64) uint64 {
	const gamma = 0x9e3779b97f4a7c15
	return mix(mix(mix(seed+gamma)+stream*gamma) + i*gamma)
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below maps 64 random bits to [0, n). The bias is below n/2⁶⁴.
func below(r uint64, n int) int {
	hi, _ := bits.Mul64(r, uint64(n))
	return int(hi)
}

// permute fills p with the order of an epoch: a permutation of 0 … len(p)−1 that depends on seed and epoch alone.
// Source: Knuth, TAOCP vol. 2, algorithm P.
func permute(p []int32, seed, epoch uint64) {
	for i := range p {
		p[i] = int32(i)
	}
	for i := len(p) - 1; i > 0; i-- {
		j := below(draw(seed, epoch, uint64(i)), i+1)
		p[i], p[j] = p[j], p[i]
	}
}
