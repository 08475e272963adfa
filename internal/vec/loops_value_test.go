package vec

import (
	"math"
	"strings"
	"testing"
)

var (
	inf  = float32(math.Inf(1))
	nan  = float32(math.NaN())
	huge = float32(math.MaxFloat32)
	tiny = float32(math.SmallestNonzeroFloat32)
)

// TestEdges has the values at which a formula may overflow, cancel or lose its NaN, in every lane of a vector and in
// a tail.
func TestEdges(t *testing.T) {
	type fn = func(y, x []float32)
	for _, c := range []struct {
		name    string
		f       fn
		x, want []float32
	}{
		{"Exp", Exp[float32], []float32{-inf, -huge, -200, 0, 88.722831, 88.73, huge, inf, nan},
			[]float32{0, 0, 0, 1, float32(math.Exp(88.7228317)), inf, inf, inf, nan}},
		{"Tanh", Tanh[float32], []float32{-inf, -huge, -20, -tiny, 0, tiny, 1e-30, 20, inf, nan},
			[]float32{-1, -1, -1, -tiny, 0, tiny, 1e-30, 1, 1, nan}},
		{"Sigmoid", Sigmoid[float32], []float32{-inf, -huge, 0, huge, inf, nan}, []float32{0, 0, 0.5, 1, 1, nan}},
		{"GELU", GELU[float32], []float32{-inf, -huge, -1e5, -30, 0, 1e-30, 30, huge, inf, nan}, []float32{0, 0, 0, 0, 0, 5e-31, 30, huge, inf, nan}},
		{"GELUErf", GELUErf[float32], []float32{-inf, -huge, -1e5, -30, 0, 1e-30, 30, huge, inf, nan}, []float32{0, 0, 0, 0, 0, 5e-31, 30, huge, inf, nan}},
		{"SiLU", SiLU[float32], []float32{-inf, -huge, -1e5, 0, 1e-30, huge, inf, nan}, []float32{0, 0, 0, 0, 5e-31, huge, inf, nan}},
		{"ReLU", ReLU[float32], []float32{-inf, -tiny, 0, tiny, inf, nan}, []float32{0, 0, 0, tiny, inf, nan}},
		{"GELUGrad", ofOnes(GELUGrad[float32]), []float32{-inf, -huge, -30, 0, 30, huge, inf, nan}, []float32{0, 0, 0, 0.5, 1, 1, 1, nan}},
		{"GELUErfGrad", ofOnes(GELUErfGrad[float32]), []float32{-inf, -huge, -30, 0, 30, huge, inf, nan}, []float32{0, 0, 0, 0.5, 1, 1, 1, nan}},
		{"SiLUGrad", ofOnes(SiLUGrad[float32]), []float32{-inf, -huge, -200, 0, 200, huge, inf, nan}, []float32{0, 0, 0, 0.5, 1, 1, 1, nan}},
		{"ReLUGrad", ofOnes(ReLUGrad[float32]), []float32{-inf, -1, 0, tiny, inf, nan}, []float32{0, 0, 0, 1, 1, 0}},
		{"SoftmaxRow", SoftmaxRow[float32], []float32{-inf, 0, 0, -inf}, []float32{0, 0.5, 0.5, 0}},
		{"SoftmaxRow/none", SoftmaxRow[float32], []float32{-inf, -inf, -inf}, []float32{0, 0, 0}},
		{"SoftmaxRow/NaN", SoftmaxRow[float32], []float32{1, nan, -inf}, []float32{nan, nan, nan}},
	} {
		onPaths(t, func(t *testing.T) {
			for lane := range 17 {
				// The values of x end in each lane in turn; of a row function there is one row.
				x := c.x
				if !strings.HasPrefix(c.name, "Softmax") {
					x = append(make([]float32, lane), x...)
				}
				y := make([]float32, len(x))
				c.f(y, x)
				for i, w := range c.want {
					if g := y[len(y)-len(c.want)+i]; !near(float64(g), float64(w), 1e-34, 2e-7) && !(w != w && g != g) {
						t.Errorf("%s, %d lanes on: f(%v) = %v, want %v", c.name, lane, c.x[i], g, w)
					}
				}
			}
		})
	}
}

// TestRowEdges has the rows whose result is not a plain number.
func TestRowEdges(t *testing.T) {
	onPaths(t, func(t *testing.T) {
		for n := range 70 {
			x := make([]float32, n)
			Fill(x, -inf)
			if m, l := Max(x), LogSumExp(x); m != -inf || !math.IsInf(l, -1) {
				t.Errorf("n=%d of −Inf: Max, LogSumExp = %v, %v, want −Inf", n, m, l)
			}
			if s := ExpSumRow(x, x, -inf); s != 0 || n > 0 && x[n-1] != 0 {
				t.Errorf("n=%d of −Inf: ExpSumRow = %v, %v, want zeros", n, s, x)
			}
			for i := range x {
				Fill(x, -2)
				x[i] = 3
				if m := Max(x); m != 3 {
					t.Errorf("n=%d: Max with 3 at %d = %v", n, i, m)
				}
				x[i] = nan
				if m := Max(x); m == m {
					t.Errorf("n=%d: Max with NaN at %d = %v", n, i, m)
				}
				if s := Sum(x); s == s {
					t.Errorf("n=%d: Sum with NaN at %d = %v", n, i, s)
				}
			}
		}
		// 1 + 2⁻²⁰·2²⁰, which float32 sums would lose; and squares past the range of float32.
		x := make([]float32, 1<<12+1)
		Fill(x, 1.0/(1<<24))
		x[5] = 1
		if s, want := Sum(x), 1+1.0/(1<<12); s != want {
			t.Errorf("Sum = %v, want %v exactly", s, want)
		}
		Fill(x[:9], 1e25)
		if s, want := SumSq(x[:9]), 9*float64(float32(1e25))*float64(float32(1e25)); !near(s, want, 0, 1e-15) {
			t.Errorf("SumSq = %v, want %v", s, want)
		}
	})
}

// A precise function has its largest error over a sweep held. That is the error of f relative to max(|want|, floor),
// in units of 2⁻²⁴ (half an ulp of 1 at most). Where want has a zero, floor keeps the relative error finite.
type precise struct {
	name  string
	f     func(y, x []float32)
	want  func(float64) float64
	floor float64
	bound float64
}

func precises() []precise {
	root := math.Sqrt(2 / math.Pi)
	sigma := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	return []precise{
		{"Exp", Exp[float32], math.Exp, 0, 2},
		{"ExpSumRow", func(y, x []float32) { ExpSumRow(y, x, 0) }, math.Exp, 0, 2},
		{"ExpSumRow/sum", meanExp(func(x []float32) float64 { return ExpSumRow(x, x, 0) }), belowExp, 0, 4},
		{"LogSumExp", meanExp(func(x []float32) float64 { return math.Exp(LogSumExp(x)) }), belowExp, 0, 4},
		{"Tanh", Tanh[float32], math.Tanh, 0, 3},
		{"Sigmoid", Sigmoid[float32], sigma, 0, 2.5},
		{"SiLU", SiLU[float32], func(x float64) float64 { return x * sigma(x) }, 0, 3},
		{"SiLUGrad", ofOnes(SiLUGrad[float32]), func(x float64) float64 { return sigma(x) * (1 + x*sigma(-x)) }, 0.1, 8},
		// The argument of exp is rounded: in the left tail that is up to 10 units of it.
		{"GELU", GELU[float32], func(x float64) float64 { return x * sigma(2*root*(x+0.044715*x*x*x)) }, 0, 25},
		{"GELUErf", GELUErf[float32], func(x float64) float64 { return x * cdf(x) }, 0, 17},
		{"GELUGrad", ofOnes(GELUGrad[float32]), func(x float64) float64 {
			s := sigma(2 * root * (x + 0.044715*x*x*x))
			return s * (1 + x*(1-s)*2*root*(1+3*0.044715*x*x))
		}, 0.1, 12},
		{"GELUErfGrad", ofOnes(GELUErfGrad[float32]), func(x float64) float64 { return cdf(x) + x*phi(x) }, 0.1, 20},
	}
}

// ofOnes is f at a dy of ones.
func ofOnes(f func(dx, x, dy []float32)) func(y, x []float32) {
	return func(y, x []float32) {
		Fill(y, 1)
		f(y, x, y)
	}
}

// meanExp makes y = exp(−|x|) of the sum of exp over a row of one 0 and often −|x|, in every part of the loop.
func meanExp(sum func(x []float32) float64) func(y, x []float32) {
	const n = 4*16 + 16 + 5 // a whole step under AVX-512, a vector and a tail
	return func(y, x []float32) {
		row := make([]float32, 1+n)
		for i, v := range x {
			Fill(row, -abs(v))
			row[0] = 0
			y[i] = float32((sum(row) - 1) / n)
		}
	}
}

func belowExp(x float64) float64 { return math.Exp(-math.Abs(x)) }

// TestPrecision has the functions over ±2e-9 … ±4.48, in pieces that have a whole step under AVX-512, a vector and a
// tail.
func TestPrecision(t *testing.T) {
	n := 20000
	if testing.Short() {
		n = 300
	}
	x, y := make([]float32, 0, 2*n), make([]float32, 2*n)
	for i := range n {
		u := float64(i) / float64(n)
		x = append(x, float32(math.Exp(-20+21.5*u)), -float32(math.Exp(-20+21.5*u)))
	}
	onPaths(t, func(t *testing.T) {
		for _, c := range precises() {
			for i := 0; i < len(x); i += 95 {
				j := min(i+95, len(x))
				c.f(y[i:j], x[i:j])
			}
			worst, at := 0.0, float32(0)
			for i, v := range x {
				w := c.want(float64(v))
				if e := math.Abs(float64(y[i])-w) / max(math.Abs(w), c.floor) * (1 << 24); e > worst || e != e {
					worst, at = e, v
				}
			}
			t.Logf("%s: %.2f·2⁻²⁴ at %v", c.name, worst, at)
			if !(worst <= c.bound) {
				t.Errorf("%s: relative error %.2f·2⁻²⁴ at %v, want at most %v", c.name, worst, at, c.bound)
			}
		}
	})
}

// TestAllocs sees that no loop allocates.
func TestAllocs(t *testing.T) {
	onPaths(t, func(t *testing.T) {
		for _, c := range loopCases() {
			in, out := inputs(c, 40), make2(c.outs, 40)
			scalars := float64(0)
			if c.f32(out, in) != nil {
				scalars = 1 // the slice of results
			}
			if n := testing.AllocsPerRun(2, func() { c.f32(out, in) }); n > scalars {
				t.Errorf("%s: %v allocations, want none", c.name, n-scalars)
			}
		}
	})
}
