package data

import (
	"math/bits"

	"github.com/ceto-ml/ceto/internal/splitmix"
)

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
		j := below(splitmix.At(seed, epoch, uint64(i)), i+1)
		p[i], p[j] = p[j], p[i]
	}
}
