package graph_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/vec"
)

// BenchmarkAttention has configurations A, B and C of the whole step, and decoding; T of 1 has no gradient.
func BenchmarkAttention(b *testing.B) {
	for _, c := range []struct {
		name string
		z    attnShape
	}{{"A", attnShape{12, 64, 64, 4, 4, 32}}, {"B", attnShape{4, 256, 256, 6, 6, 64}}, {"C", attnShape{1, 256, 256, 12, 12, 64}},
		{"long", attnShape{1, 1024, 1024, 12, 12, 64}},
		{"decode256", attnShape{1, 1, 256, 12, 12, 64}}, {"decode1024", attnShape{1, 1, 1024, 12, 12, 64}}} {
		for _, threads := range []int{1, 2} {
			for _, pass := range []string{"forward", "backward"}[:min(c.z.t, 2)] {
				b.Run(fmt.Sprintf("%s/%s/%d", c.name, pass, threads), func(b *testing.B) {
					pool := vec.NewPool(threads)
					defer pool.Close()
					r := newAttnRun(graph.Attention{Causal: true, Start: c.z.t == 1}, c.z, contiguous, pool)
					if c.z.t > 1 {
						project(r.in[:3])
						copy(r.gin, r.in[:3])
						project(r.gout)
					}
					if pass == "forward" {
						bench(b, threads, r.flops, r.forward)
					} else {
						bench(b, threads, r.gradFLOPs, r.backward)
					}
				})
			}
		}
	}
}

// project makes three values slices of one packed matrix (B, T, 3·C), as a model has them.
func project(x []graph.Buf) {
	c := x[0].Shape[2] * x[0].Shape[3]
	all := graph.NewBuf(graph.Of(graph.Float32, x[0].Shape[0]*x[0].Shape[1], 3*c))
	for i := range x {
		y := x[i]
		y.Row, y.Stride, y.Mem = c, 3*c, all.Mem[4*i*c:len(all.Mem)-4*(2-i)*c]
		for r := range all.Shape[0] {
			copy(graph.Data[float32](y)[r*3*c:][:c], graph.Data[float32](x[i])[r*c:])
		}
		x[i] = y
	}
}

// bench measures f in ns, in GFLOP/s and as a part of the peak that is measured beside it.
func bench(b *testing.B, threads int, flops int64, f func() error) {
	if err := f(); err != nil {
		b.Fatal(err)
	}
	peak := vec.Peak(threads, 10*time.Millisecond)
	b.ReportAllocs()
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	peak = max(peak, vec.Peak(threads, 10*time.Millisecond))
	rate := float64(flops) * float64(b.N) / float64(b.Elapsed().Nanoseconds())
	b.ReportMetric(rate, "GFLOP/s")
	b.ReportMetric(100*rate/peak, "%peak")
}
