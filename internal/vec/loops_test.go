package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// An op is a loop over outs and ins of one length; it returns its scalars.
type op[T Float] func(out, in [][]T) []float64

// A loopCase is one loop, at every length of lengths, in float32 on every path and in float64.
type loopCase struct {
	name      string
	outs, ins int
	lo, hi    float64 // range of the inputs
	add       bool    // the loop adds to its outputs
	f32       op[float32]
	f64, want op[float64]
}

func unary(name string, lo, hi float64, f32 func(y, x []float32), f64 func(y, x []float64), want func(x float64) float64) loopCase {
	return loopCase{name, 1, 1, lo, hi, false,
		func(o, i [][]float32) []float64 { f32(o[0], i[0]); return nil },
		func(o, i [][]float64) []float64 { f64(o[0], i[0]); return nil },
		func(o, i [][]float64) []float64 {
			for j, x := range i[0] {
				o[0][j] = want(x)
			}
			return nil
		}}
}

func binary(name string, lo, hi float64, f32 func(y, a, b []float32), f64 func(y, a, b []float64), want func(a, b float64) float64) loopCase {
	return loopCase{name, 1, 2, lo, hi, false,
		func(o, i [][]float32) []float64 { f32(o[0], i[0], i[1]); return nil },
		func(o, i [][]float64) []float64 { f64(o[0], i[0], i[1]); return nil },
		func(o, i [][]float64) []float64 {
			for j, x := range i[0] {
				o[0][j] = want(x, i[1][j])
			}
			return nil
		}}
}

func row(name string, outs, ins int, lo, hi float64, f32 op[float32], f64, want op[float64]) loopCase {
	return loopCase{name, outs, ins, lo, hi, false, f32, f64, want}
}

func adds(c loopCase) loopCase { c.add = true; return c }

func lengths() []int {
	if testing.Short() {
		return []int{0, 1, 7, 8, 9, 15, 16, 17, 31, 33, 64, 70}
	}
	var ns []int
	for n := range 71 {
		ns = append(ns, n)
	}
	return append(ns, 127, 128, 129, 1000, 4099)
}

// onPaths runs f under every path.
func onPaths(t *testing.T, f func(t *testing.T)) {
	was := Current()
	defer func() { path = was }()
	for _, p := range Paths() {
		if err := Use(p); err != nil {
			t.Fatal(err)
		}
		t.Run(p.String(), f)
	}
}

func TestLoops(t *testing.T) {
	onPaths(t, func(t *testing.T) {
		for _, c := range loopCases() {
			for _, n := range lengths() {
				checkLoop(t, c, n, c.f32, 1e-6, 1e-5)
			}
		}
	})
	for _, c := range loopCases() {
		for _, n := range []int{0, 1, 2, 17, 100} {
			checkLoop(t, c, n, c.f64, 1e-12, 1e-11)
		}
	}
}

// checkLoop compares one loop at length n with what is wanted, |got − want| ≤ atol + rtol·|want|. It also holds that
// the loop writes the whole of its outputs and nothing else.
func checkLoop[T Float](t *testing.T, c loopCase, n int, f op[T], atol, rtol float64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	in, out := make([]fenced[T], c.ins), make([]fenced[T], c.outs)
	in64, out64 := make([][]float64, c.ins), make([][]float64, c.outs)
	for i := range in {
		in[i] = newFenced[T](n)
		fillRange(rng, in[i].x, c.lo, c.hi)
		in64[i] = widen(in[i].x)
	}
	for i := range out {
		out[i] = newFenced[T](n)
		if c.add {
			fillRange(rng, out[i].x, c.lo, c.hi)
		}
		out64[i] = widen(out[i].x)
	}
	got, want := f(slices(out), slices(in)), c.want(out64, in64)
	what := fmt.Sprintf("%s[%T] n=%d", c.name, *new(T), n)
	for i, w := range want {
		if !near(got[i], w, atol, rtol) {
			t.Errorf("%s: result %d = %v, want %v", what, i, got[i], w)
		}
	}
	for i, o := range out {
		for j, w := range out64[i] {
			if g := float64(o.x[j]); !near(g, w, atol, rtol) {
				t.Errorf("%s: out %d[%d] = %v, want %v; in %v", what, i, j, g, w, column(in64, j))
				break
			}
		}
		if !o.whole() {
			t.Errorf("%s: out %d: written past an end", what, i)
		}
	}
	for i, v := range in {
		if !v.whole() {
			t.Errorf("%s: in %d: written past an end", what, i)
		}
		for j, x := range in64[i] {
			if float64(v.x[j]) != x {
				t.Errorf("%s: in %d[%d] was changed", what, i, j)
			}
		}
	}
}

func near(got, want, atol, rtol float64) bool {
	return got == want || math.Abs(got-want) <= atol+rtol*math.Abs(want)
}

// fenced is a slice of poison amid a margin of poison.
type fenced[T Float] struct{ x, all []T }

const (
	margin = 37
	poison = -1.2345e30
)

func newFenced[T Float](n int) fenced[T] {
	all := make([]T, n+2*margin)
	for i := range all {
		all[i] = poison
	}
	return fenced[T]{all[margin : margin+n : margin+n], all}
}

func (g fenced[T]) whole() bool {
	p := T(poison)
	for i := range margin {
		if g.all[i] != p || g.all[len(g.all)-1-i] != p {
			return false
		}
	}
	return true
}

func slices[T Float](g []fenced[T]) [][]T {
	x := make([][]T, len(g))
	for i := range g {
		x[i] = g[i].x
	}
	return x
}

func widen[T Float](x []T) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func column(x [][]float64, j int) (c []float64) {
	for _, r := range x {
		c = append(c, r[j])
	}
	return c
}

// fillRange fills x from lo to hi, one in eight of them near 0 where 0 is inside.
func fillRange[T Float](rng *rand.Rand, x []T, lo, hi float64) {
	for i := range x {
		x[i] = T(lo + (hi-lo)*rng.Float64())
		if lo < 0 && hi > 0 && rng.IntN(8) == 0 {
			x[i] *= 1e-6
		}
	}
}

// TestSplit sees that an elementwise loop gives the same bits however its elements are split over calls.
func TestSplit(t *testing.T) {
	onPaths(t, func(t *testing.T) {
		for _, c := range mapCases() {
			const n = 83
			in, whole := inputs(c, n), make2(1, n)
			if c.add {
				copy(whole[0], in[0])
			}
			start := append([]float32(nil), whole[0]...)
			c.f32(whole, in)
			for cut := 0; cut <= n; cut += 1 + cut/3 {
				parts := [][]float32{append([]float32(nil), start...)}
				c.f32(upTo(parts, cut), upTo(in, cut))
				c.f32(from(parts, cut), from(in, cut))
				same(t, fmt.Sprintf("%s cut at %d", c.name, cut), parts[0], whole[0])
			}
		}
	})
}

// TestInPlace sees that the output may be the first operand, and the second one where there is a gradient.
func TestInPlace(t *testing.T) {
	onPaths(t, func(t *testing.T) {
		for _, c := range loopCases() {
			const n = 83
			if c.outs != 1 || c.add {
				continue
			}
			in, want := inputs(c, n), make2(1, n)
			c.f32(want, in)
			for i := range min(2, c.ins) {
				y, args := append([]float32(nil), in[i]...), append([][]float32(nil), in...)
				args[i] = y
				c.f32([][]float32{y}, args)
				same(t, fmt.Sprintf("%s in place of operand %d", c.name, i), y, want[0])
			}
		}
	})
}

// inputs are inputs of a case, the same in every call.
func inputs(c loopCase, n int) [][]float32 {
	rng, in := rand.New(rand.NewPCG(7, 7)), make2(c.ins, n)
	for _, x := range in {
		fillRange(rng, x, c.lo, c.hi)
	}
	return in
}

func make2(k, n int) [][]float32 {
	x := make([][]float32, k)
	for i := range x {
		x[i] = make([]float32, n)
	}
	return x
}

func upTo(x [][]float32, n int) (y [][]float32) {
	for _, v := range x {
		y = append(y, v[:n])
	}
	return y
}

func from(x [][]float32, n int) (y [][]float32) {
	for _, v := range x {
		y = append(y, v[n:])
	}
	return y
}

func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Errorf("%s: [%d] = %v, want %v", what, i, got[i], want[i])
			return
		}
	}
}
