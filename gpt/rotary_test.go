package gpt

import (
	"testing"

	"github.com/ceto-ml/ceto/graph"
)

// TestFitScaling fits settings to the factors of a GGUF file; they must slow every pair down by its factor. Between the
// two ends lie many pairs, one, or none.
func TestFitScaling(t *testing.T) {
	for _, c := range []struct {
		base  float64
		pairs int
		s     graph.RotaryScaling
	}{
		{500000, 64, graph.RotaryScaling{Factor: 8, Low: 1, High: 4, Context: 8192}},
		{500000, 32, graph.RotaryScaling{Factor: 32, Low: 1, High: 4, Context: 8192}},
		{100, 4, graph.RotaryScaling{Factor: 8, Low: 1, High: 4, Context: 32}},
		{10000, 4, graph.RotaryScaling{Factor: 4, Low: 1, High: 1.5, Context: 64}},
		{10000, 4, graph.RotaryScaling{Factor: 4, Low: 0.5, High: 4, Context: 100}},
		{10000, 8, graph.RotaryScaling{Factor: 2, Low: 1000, High: 4000, Context: 8}}, // all slow
	} {
		factors := make([]float32, c.pairs)
		for i := range factors {
			factors[i] = float32(slowdown(c.s, speedOf(c.base, c.pairs, i)))
		}
		if _, err := fitScaling(factors, c.base); err != nil {
			t.Errorf("%+v: factors %v: %v", c, factors, err)
		}
	}
	for _, bad := range [][]float32{{1, 2, 1, 8}, {1, 1, 0, 0}, {8, 4, 2, 1}, {1, 5, 2, 8}} {
		if s, err := fitScaling(bad, 10000); err == nil {
			t.Errorf("factors %v: fitted as %+v", bad, s)
		}
	}
}
