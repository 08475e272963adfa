package record

import (
	"math"
	"slices"
	"sort"
)

// pool is the number of batches among whose records lengths are sorted: enough that little is padded, few enough that
// each epoch puts other records together.
const pool = 64

// BucketByLength divides the records 0 … len(lengths)−1 into batches of records of like length, each record in one
// batch; at most one batch is smaller than the others. Records are shuffled, sorted by length within pools of 64 batches,
// and the batches shuffled, all by seed and epoch alone. A batch below 1 gives none.
func BucketByLength(lengths []int, batch int, seed, epoch uint64) [][]int {
	if batch < 1 {
		return nil
	}
	stream := draw(seed, epoch, math.MaxUint64)
	order := make([]int, len(lengths))
	for i := range order {
		order[i] = i
	}
	shuffle(order, stream, 0)
	var batches [][]int
	size := max(batch, min(len(order), batch*pool))
	for p := range slices.Chunk(order, size) {
		sort.SliceStable(p, func(a, b int) bool { return lengths[p[a]] < lengths[p[b]] })
		for b := range slices.Chunk(p, batch) {
			batches = append(batches, b)
		}
	}
	shuffle(batches, stream, 1)
	return batches
}
