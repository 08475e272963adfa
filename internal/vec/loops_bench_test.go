package vec

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkLoops gives ns/element of each float32 loop on each path over a row of 1024, which stays in the first
// cache. At a length of 4 Mi, which does not, it gives GB/s of the bytes that the loop must read and write.
func BenchmarkLoops(b *testing.B) {
	was := Current()
	defer func() { path = was }()
	for _, c := range loopCases() {
		for _, p := range Paths() {
			path = p
			for _, n := range []struct {
				name string
				n    int
			}{{"row", 1 << 10}, {"memory", 1 << 22}} {
				b.Run(c.name+"/"+p.String()+"/"+n.name, func(b *testing.B) { benchLoop(b, c, n.n) })
			}
		}
	}
}

func benchLoop(b *testing.B, c loopCase, n int) {
	rng := rand.New(rand.NewPCG(1, 1))
	in, out := make2(c.ins, n), make2(c.outs, n)
	for _, x := range append(in, out...) {
		fillRange(rng, x, max(c.lo, -5), min(c.hi, 5))
	}
	bytes := 4 * (len(in) + len(out))
	if c.add {
		bytes += 4 * len(out)
	}
	for b.Loop() {
		c.f32(out, in)
	}
	ns := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(n)
	b.ReportMetric(ns, "ns/element")
	b.ReportMetric(float64(bytes)/ns, "GB/s")
}
