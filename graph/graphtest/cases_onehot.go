package graphtest

import (
	"slices"

	"github.com/ceto-ml/ceto/graph"
)

// oneHot is the oracle of a graph.OneHot of n classes that ignores an id, if that is not −2.
func oneHot(n, ignore int) Oracle {
	return func(_ Case, y S, x [][]float64) []float64 {
		out := make([]float64, y.Size())
		for i, id := range x[0] {
			if int(id) != ignore {
				out[i*n+int(id)] = 1
			}
		}
		return out
	}
}

var oneHotCases = slices.Concat(oneHotOf("OneHot ids", 5, graph.OneHot{V: 5}, idsOf(S{3, 4}, 0, 4, 2, 1, 3)),
	oneHotOf("OneHot one class", 1, graph.OneHot{V: 1}, ids(S{3}, 1)),
	oneHotOf("OneHot ignored", 300, graph.OneHot{V: 300, HasIgnore: true, IgnoreIndex: -1}, idsOf(S{7}, 0, -1, 299)))

func oneHotOf(name string, n int, op graph.OneHot, in []Operand) []Case {
	ignore := -2
	if op.HasIgnore {
		ignore = int(op.IgnoreIndex)
	}
	build := func(d graph.DType) func(g *G, x []*N) *N {
		o := op
		o.DType = d
		return func(g *G, x []*N) *N { return g.Apply(o, x[0]) }
	}
	return []Case{
		{Name: name, In: in, NoGrad: "ids", Want: oneHot(n, ignore), Build: build(graph.Float32)},
		{Name: name + " float64", In: in, NoGrad: "ids", Want: oneHot(n, ignore), Build: build(graph.Float64)},
	}
}
