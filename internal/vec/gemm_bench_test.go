package vec

import (
	"fmt"
	"testing"
	"time"
)

// form names which operand has contiguous columns.
type form struct {
	name           string
	transA, transB bool
}

var forms = []form{{"AB", false, false}, {"AtB", true, false}, {"ABt", false, true}}

// bench measures one product in GFLOP/s and as a part of the peak that is measured beside it.
func bench(b *testing.B, f form, m, k, n, threads int) {
	b.Run(fmt.Sprintf("%s/%dx%dx%d/%d", f.name, m, k, n, threads), func(b *testing.B) {
		pool := NewPool(threads)
		defer pool.Close()
		fill := func(n int) []float32 {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(i%17) - 8
			}
			return x
		}
		g := Gemm[float32]{M: m, N: n, K: k, A: Mat[float32]{fill(m * k), k, 1}, B: Mat[float32]{fill(k * n), n, 1}, C: Mat[float32]{make([]float32, m*n), n, 1}}
		if f.transA {
			g.A.Row, g.A.Col = 1, m
		}
		if f.transB {
			g.B.Row, g.B.Col = 1, k
		}
		g.Run(pool)
		peak := Peak(threads, 20*time.Millisecond)
		for b.Loop() {
			g.Run(pool)
		}
		peak = max(peak, Peak(threads, 20*time.Millisecond))
		rate := 2 * float64(m) * float64(n) * float64(k) * float64(b.N) / float64(b.Elapsed().Nanoseconds())
		b.ReportMetric(rate, "GFLOP/s")
		b.ReportMetric(100*rate/peak, "%peak")
	})
}

// BenchmarkGemm is the product of the bar: 1024×768 by 768×3072.
func BenchmarkGemm(b *testing.B) {
	for _, threads := range []int{1, 2} {
		for _, f := range forms {
			bench(b, f, 1024, 768, 3072, threads)
		}
	}
}

// BenchmarkGemmGPT has the products of a GPT step.
func BenchmarkGemmGPT(b *testing.B) {
	for _, s := range [][3]int{{768, 128, 384}, {768, 128, 512}, {768, 512, 128}, {768, 128, 65}, {1024, 384, 1152}, {1024, 384, 1536}, {256, 768, 2304}, {256, 768, 3072}, {256, 768, 50257}} {
		m, k, n := s[0], s[1], s[2]
		bench(b, forms[0], m, k, n, 2)
		bench(b, forms[1], k, m, n, 2) // gradient of the weights
		bench(b, forms[2], m, n, k, 2) // gradient of the input
	}
}

// BenchmarkGemmSmall has products without a pool, and rows times a matrix.
func BenchmarkGemmSmall(b *testing.B) {
	for _, s := range [][3]int{{64, 32, 64}, {64, 64, 32}, {256, 64, 64}, {64, 64, 256}, {6, 32, 16}, {4, 2, 8}} {
		for _, f := range forms {
			bench(b, f, s[0], s[1], s[2], 1)
		}
	}
	for _, threads := range []int{1, 2} {
		for _, s := range [][3]int{{1, 384, 1536}, {1, 768, 3072}, {1, 768, 50257}} {
			bench(b, forms[0], s[0], s[1], s[2], threads)
			bench(b, forms[2], s[0], s[1], s[2], threads)
		}
	}
}
