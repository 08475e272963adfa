package vec

import (
	"sync"
	"time"
)

// Peak returns what the given number of threads, at least 1, reach together in multiply-adds of float32 in registers
// on the current path. The unit is GFLOP/s: 10⁹ additions and multiplications a second. No product can be faster. It
// measures for about d.
func Peak(threads int, d time.Duration) float64 {
	round, flops := peakLoop()
	rates := make([]float64, threads)
	var wg sync.WaitGroup
	for t := range threads {
		wg.Go(func() {
			const n = 1 << 10
			start, rounds := time.Now(), 0
			for time.Since(start) < d {
				round(n)
				rounds += n
			}
			rates[t] = float64(rounds) * float64(flops) / float64(time.Since(start).Nanoseconds())
		})
	}
	wg.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum
}

// peakGo is the plain Go twin of the generated loops, as many multiply-adds at a time as the compiler keeps in
// registers.
func peakGo(n int) {
	a, b := float32(n&1), float32(1)
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for range n {
		s0 += a * b
		s1 += a * b
		s2 += a * b
		s3 += a * b
		s4 += a * b
		s5 += a * b
		s6 += a * b
		s7 += a * b
	}
	peakSink(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7)
}

const peakGoFlops = 8 * 2

// peakSink keeps the compiler from leaving out what is not used.
//
//go:noinline
func peakSink(float32) {}
