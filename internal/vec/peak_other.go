//go:build !amd64

package vec

// peakLoop is the loop of [Peak], and the floating-point operations of one round.
func peakLoop() (round func(n int), flops int) { return peakGo, peakGoFlops }
