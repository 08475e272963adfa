package cuda

import (
	"math"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
)

// TestSoftmaxFar: lines of nothing but −Inf or NaN, and mixed ones, give what the CPU gives, along both axes.
func TestSoftmaxFar(t *testing.T) {
	p := pairOf(t, false)
	inf, nan := math.Inf(1), math.NaN()
	for _, v := range [][]float64{{nan, nan}, {-inf, -inf}, {nan, -inf}, {-inf, nan}, {1, nan}, {-inf, 1}, {0, 3}} {
		for _, n := range []int{2, 67} { // a thread for a line, and a block
			line := make([]float64, n)
			for i := range line {
				line[i] = v[min(i, 1)]
			}
			for axis := range 2 {
				s := shape{1, n}
				if axis == 0 {
					s = shape{n, 1}
				}
				for _, op := range []graph.Op{graph.Softmax{Axis: axis}, graph.LogSoftmax{Axis: axis}} {
					c := graphtest.Case{In: []graphtest.Operand{{Shape: s, Values: line}}, NoGrad: "far",
						Build: func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Apply(op, x...) }}
					if err := c.Evaluate(p); err != nil {
						t.Errorf("%s of %v: %v", graph.Describe(op), v, err)
					}
				}
			}
		}
	}
}
