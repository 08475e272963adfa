package emu

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// ptxFile reads a PTX text of testdata.
func ptxFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".ptx")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func randoms(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*(1+math.Abs(want))) {
		t.Errorf("%s: got %g, want %g", what, got, want)
	}
}

// unset is a slice whose memory holds nothing before the launch.
func unset(n int) (Unset, []float32) {
	s := make([]float32, n)
	return Unset{s}, s
}

func one1(n int) Dim { return Dim{n, 1, 1} }

func TestElementwise(t *testing.T) {
	src := ptxFile(t, "basic")
	for _, n := range []int{1, 31, 256, 1000} {
		x, y := randoms(n, 1), randoms(n, 2)
		want := make([]float32, n)
		for i := range want {
			want[i] = float32(math.FMA(float64(x[i]), 2.5, float64(y[i])))
		}
		Run(t, src, "saxpy", one1((n+255)/256), one1(256), y, x, float32(2.5), int32(n))
		for i := range want {
			near(t, "saxpy", float64(y[i]), float64(want[i]), 1e-7)
		}
		out, got := unset(n)
		Run(t, src, "gelu", one1((n+255)/256), one1(256), out, x, int32(n))
		for i, v := range x {
			a := float64(v)
			near(t, "gelu", float64(got[i]), a/2*(1+math.Tanh(0.79788456*(a+0.044715*a*a*a))), 1e-6)
		}
	}
}

func TestReductions(t *testing.T) {
	src := ptxFile(t, "basic")
	const rows, cols = 5, 333
	x := randoms(rows*cols, 3)
	out, got := unset(rows)
	Run(t, src, "row_sum", one1(rows), one1(128), out, x, int32(cols))
	soft, p := unset(rows * cols)
	Run(t, src, "softmax", one1(rows), one1(32), soft, x, int32(cols))
	w, b := randoms(cols, 4), randoms(cols, 5)
	norm, y := unset(rows * cols)
	Run(t, src, "layernorm", one1(rows), one1(128), norm, x, w, b, int32(cols), float32(1e-5))
	for r := range rows {
		row := x[r*cols : (r+1)*cols]
		var sum, square, exps float64
		for _, v := range row {
			sum += float64(v)
			exps += math.Exp(float64(v))
		}
		for _, v := range row {
			square += (float64(v) - sum/cols) * (float64(v) - sum/cols)
		}
		near(t, "sum", float64(got[r]), sum, 1e-5)
		for i, v := range row {
			near(t, "softmax", float64(p[r*cols+i]), math.Exp(float64(v))/exps, 1e-6)
			near(t, "layernorm", float64(y[r*cols+i]), (float64(v)-sum/cols)/math.Sqrt(square/cols+1e-5)*float64(w[i])+float64(b[i]), 1e-5)
		}
	}
}

func TestTiledGEMM(t *testing.T) {
	src := ptxFile(t, "gemm")
	const m, n, k = 33, 50, 41
	a, b := randoms(m*k, 6), randoms(k*n, 7)
	out, c := unset(m * n)
	Run(t, src, "gemm_tiled", Dim{(n + 15) / 16, (m + 15) / 16, 1}, Dim{16, 16, 1}, out, a, b, int32(m), int32(n), int32(k))
	for i := range m {
		for j := range n {
			var s float64
			for l := range k {
				s += float64(a[i*k+l]) * float64(b[l*n+j])
			}
			near(t, "gemm", float64(c[i*n+j]), s, 1e-5)
		}
	}
}
