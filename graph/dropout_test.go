package graph_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/vec"
)

// dropOnes drops n ones in float32.
func dropOnes(t *testing.T, n int, d graph.Dropout, s graph.Scalars) []float32 {
	t.Helper()
	pool := vec.NewPool(1)
	defer pool.Close()
	x := graph.NewBuf(graph.Of(graph.Float32, n))
	vec.Fill(graph.Data[float32](x), 1)
	if err := d.Eval(graph.NewCtx(pool, &s, nil), []graph.Buf{x}, []graph.Buf{x}); err != nil {
		t.Fatal(err)
	}
	return graph.Data[float32](x)
}

// TestDropoutRate counts what is dropped: within 5 standard deviations of p, and the mean stays 1.
func TestDropoutRate(t *testing.T) {
	const n = 100000
	for _, p := range []float64{0.01, 0.1, 0.5, 0.9} {
		zeros := 0
		for _, v := range dropOnes(t, n, graph.Dropout{P: p, Stream: 1}, graph.Scalars{Seed: 1}) {
			switch {
			case v == 0:
				zeros++
			case v != float32(1/(1-p)):
				t.Fatalf("p %g: an element is %v, want 0 or %v", p, v, float32(1/(1-p)))
			}
		}
		if got, sd := float64(zeros)/n, math.Sqrt(p*(1-p)/n); math.Abs(got-p) > 5*sd {
			t.Errorf("p %g: %g are dropped, want within %g", p, got, 5*sd)
		}
	}
}

// TestDropoutKeys sees that seed, micro-batch and stream each give other elements, independent of the first's, and that
// the step does not.
func TestDropoutKeys(t *testing.T) {
	const n = 20000
	base := dropOnes(t, n, graph.Dropout{P: 0.5, Stream: 1}, graph.Scalars{Seed: 1, Micro: 1})
	for _, c := range []struct {
		stream uint64
		s      graph.Scalars
		same   bool
	}{
		{1, graph.Scalars{Seed: 1, Micro: 1, Step: 9, LR: 1}, true},
		{2, graph.Scalars{Seed: 1, Micro: 1}, false},
		{1, graph.Scalars{Seed: 2, Micro: 1}, false},
		{1, graph.Scalars{Seed: 1, Micro: 2}, false},
		{0, graph.Scalars{Seed: 1, Micro: 2}, false},
		{2, graph.Scalars{Seed: 1, Micro: 0}, false},
	} {
		equal := 0
		for i, v := range dropOnes(t, n, graph.Dropout{P: 0.5, Stream: c.stream}, c.s) {
			if v == base[i] {
				equal++
			}
		}
		if c.same && equal != n || !c.same && math.Abs(float64(equal)-n/2) > 5*math.Sqrt(n)/2 {
			t.Errorf("stream %d, %+v: %d of %d elements as before", c.stream, c.s, equal, n)
		}
	}
}

// TestKey pins the keys, and draws dropout's numbers by the formulas in the comments, as a kernel of another device
// would.
func TestKey(t *testing.T) {
	s := graph.Scalars{Step: 5, Micro: 3, LR: 0.1, Seed: 42}
	if a, b := s.Key(7), (&graph.Scalars{}).Key(0); a != 0x7bdfa5b4a5f0f15 || b != 0x238275bc38fcbe91 {
		t.Errorf("keys %#x and %#x, want 0x7bdfa5b4a5f0f15 and 0x238275bc38fcbe91", a, b)
	}
	next := func(z uint64) uint64 {
		z += 0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	mix := func(h uint32) uint32 {
		h = (h ^ h>>16) * 0x7feb352d
		h = (h ^ h>>15) * 0x846ca68b
		return h ^ h>>16
	}
	const p = 0.3
	for i, v := range dropOnes(t, 1000, graph.Dropout{P: p, Stream: 7}, s) {
		k := next(s.Key(7) + next(uint64(i)>>32+1))
		h := mix(mix(uint32(i)^uint32(k)) ^ uint32(k>>32))
		if kept := h>>8 >= uint32(math.Round(p*(1<<24))); kept != (v != 0) {
			t.Fatalf("element %d is %g, the formula says kept: %v", i, v, kept)
		}
	}
}

// TestPositions has the values of ids.
func TestPositions(t *testing.T) {
	g := graph.New()
	start := g.Input("start", graph.Of(graph.Int32, 2))
	in := map[string]graph.Buf{"start": graph.BufOf([]int32{7, -1}, 2)}
	for _, c := range []struct {
		y    *graph.Node
		want string
	}{
		{g.Iota(4), "[4] [0 1 2 3]"},
		{g.Iota(2, 3), "[2 3] [0 1 2 0 1 2]"},
		{g.Positions(start, 3), "[2 3] [7 8 9 -1 0 1]"},
	} {
		if got := fmt.Sprint(c.y.Shape(), eval(t, g, c.y, in)); got != c.want {
			t.Errorf("%v = %s, want %s", c.y, got, c.want)
		}
	}
}
