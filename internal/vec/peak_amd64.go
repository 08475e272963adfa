package vec

// peakLoop is the loop of [Peak] on the current path. The floating-point operations of one round are a product of
// four numbers. They are vectors, lanes, 2 for a multiply-add, and the 4 times that the loop is written out.
func peakLoop() (round func(n int), flops int) {
	switch path {
	case AVX2:
		return peakAVX2F32, 12 * 8 * 2 * 4
	case AVX512:
		return peakAVX512F32, 28 * 16 * 2 * 4
	}
	return peakGo, peakGoFlops
}
