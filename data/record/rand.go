package record

import (
	"math/bits"

	"github.com/ceto-ml/ceto/internal/splitmix"
)

// shuffle puts p in an order that depends on seed and stream alone. Source: Knuth, TAOCP vol. 2, algorithm P; the bias
// is below len(p)/2⁶⁴.
func shuffle[T any](p []T, seed, stream uint64) {
	for i := len(p) - 1; i > 0; i-- {
		j, _ := bits.Mul64(splitmix.At(seed, stream, uint64(i)), uint64(i+1))
		p[i], p[j] = p[j], p[i]
	}
}
