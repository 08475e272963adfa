package graphtest

import "github.com/ceto-ml/ceto/graph"

// apply applies an op to all operands.
func apply(op graph.Op) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N { return g.Apply(op, x...) }
}

type mm = graph.MatMul

// actCases are rows of a product with bias and activation.
func actCases() []Case {
	var rows []Case
	for a, name := range []string{"none", "relu", "tanh", "sigmoid", "gelu", "gelu-erf", "silu"} {
		act := graph.Activation(a)
		rows = append(rows,
			Case{Name: "MatMul/act-" + name, In: floats(S{3, 2}, S{2, 4}, S{4}), Build: apply(mm{Bias: true, Act: act})},
			Case{Name: "MatMul/act-acc-" + name, In: floats(S{2, 3, 2}, S{2, 4}, S{2, 3, 4}), Build: apply(mm{Acc: true, Act: act})},
			Case{Name: "MatMul/act-batch-" + name, In: within(-1, 1, S{2, 3, 2}, S{2, 2, 4}, S{4}), Build: apply(mm{Bias: true, Act: act})},
		)
	}
	return rows
}

var matmulCases = flat([]Case{
	{Name: "MatMul", In: floats(S{3, 5}, S{5, 4}), Build: apply(mm{})},
	{Name: "MatMul/equal", In: within(-1, 1, S{90, 90}, S{90, 90}), Build: apply(mm{})},
	{Name: "MatMul/a", In: floats(S{5, 3}, S{5, 4}), Build: apply(mm{TransA: true})},
	{Name: "MatMul/b", In: floats(S{3, 5}, S{4, 5}), Build: apply(mm{TransB: true})},
	{Name: "MatMul/ab", In: floats(S{5, 3}, S{4, 5}), Build: apply(mm{TransA: true, TransB: true})},
	{Name: "MatMul/ones", In: floats(S{1, 1}, S{1, 1}), Build: apply(mm{})},
	{Name: "MatMul/row", In: floats(S{1, 7}, S{7, 9}), Build: apply(mm{})},
	{Name: "MatMul/column", In: floats(S{7, 5}, S{5, 1}), Build: apply(mm{})},
	{Name: "MatMul/outer", In: floats(S{7, 1}, S{1, 5}), Build: apply(mm{})},
	{Name: "MatMul/vector", In: floats(S{5}, S{5, 4}), Build: apply(mm{})},
	{Name: "MatMul/vector-b", In: floats(S{5}, S{4, 5}, S{4}), Build: apply(mm{TransB: true, Bias: true})},
	{Name: "MatMul/square", In: floats(S{4, 4}), Build: func(g *G, x []*N) *N { return g.MatMul(x[0], x[0]) }},
	{Name: "MatMul/gram", In: floats(S{3, 4}), Build: func(g *G, x []*N) *N { return g.MatMulT(x[0], x[0]) }},
	{Name: "MatMul/flat", In: floats(S{2, 3, 5}, S{5, 4}), Build: apply(mm{})},
	{Name: "MatMul/flat-b", In: floats(S{2, 3, 5}, S{4, 5}), Build: apply(mm{TransB: true})},
	{Name: "MatMul/flat-rank4", In: floats(S{2, 1, 3, 5}, S{5, 4}), Build: apply(mm{})},
	{Name: "MatMul/flat-a", In: floats(S{2, 5, 3}, S{5, 4}), Build: apply(mm{TransA: true})},
	{Name: "MatMul/flat-ab", In: floats(S{2, 5, 3}, S{4, 5}), Build: apply(mm{TransA: true, TransB: true})},
	{Name: "MatMul/batch", In: floats(S{2, 3, 5}, S{2, 5, 4}), Build: apply(mm{})},
	{Name: "MatMul/batch-a", In: floats(S{2, 5, 3}, S{2, 5, 4}), Build: apply(mm{TransA: true})},
	{Name: "MatMul/batch-b", In: floats(S{2, 3, 5}, S{2, 4, 5}), Build: apply(mm{TransB: true})},
	{Name: "MatMul/batch-ab", In: floats(S{2, 5, 3}, S{2, 4, 5}), Build: apply(mm{TransA: true, TransB: true})},
	{Name: "MatMul/batch-one", In: floats(S{1, 3, 5}, S{1, 5, 4}), Build: apply(mm{})},
	{Name: "MatMul/batch-repeat-a", In: floats(S{1, 3, 5}, S{3, 5, 4}), Build: apply(mm{})},
	{Name: "MatMul/batch-repeat-b", In: floats(S{3, 3, 5}, S{1, 5, 4}), Build: apply(mm{})},
	{Name: "MatMul/batch-left", In: floats(S{3, 5}, S{3, 5, 4}), Build: apply(mm{})},
	{Name: "MatMul/batch-outer", In: floats(S{2, 1, 3, 5}, S{3, 5, 2}), Build: apply(mm{})},
	{Name: "MatMul/batch-outer-ab", In: floats(S{2, 1, 3, 2, 4}, S{3, 1, 5, 2}), Build: apply(mm{TransA: true, TransB: true})},
	{Name: "MatMul/batch-rank8", In: floats(S{2, 1, 2, 1, 2, 1, 2, 3}, S{1, 2, 1, 2, 1, 2, 3, 2}), Build: apply(mm{})},
	{Name: "MatMul/batch-bias", In: floats(S{2, 3, 5}, S{2, 5, 4}, S{4}), Build: apply(mm{Bias: true})},
	{Name: "MatMul/batch-acc", In: floats(S{2, 3, 5}, S{2, 5, 4}, S{2, 3, 4}), Build: apply(mm{Acc: true})},
	{Name: "MatMul/batch-many", In: within(-1, 1, S{40, 9, 5}, S{40, 7, 5}), Build: apply(mm{TransB: true})},
	{Name: "MatMul/batch-large", In: within(-1, 1, S{3, 70, 65}, S{3, 65, 80}), Build: apply(mm{})},
	{Name: "MatMul/acc", In: floats(S{3, 5}, S{5, 4}, S{3, 4}), Build: apply(mm{Acc: true})},
	{Name: "MatMul/acc-a", In: floats(S{5, 3}, S{5, 4}, S{3, 4}), Build: apply(mm{TransA: true, Acc: true})},
	{Name: "MatMul/acc-bias", In: floats(S{3, 5}, S{5, 4}, S{4}, S{3, 4}), Build: apply(mm{Acc: true, Bias: true})},
	{Name: "Linear", In: floats(S{2, 3, 5}, S{5, 4}, S{4}), Build: func(g *G, x []*N) *N { return g.Linear(x[0], x[1], x[2]) }},
	{Name: "Linear/large", In: within(-1, 1, S{96, 128}, S{128, 65}, S{65}), Build: apply(mm{Bias: true})},
	{Name: "MatMul/large", In: within(-1, 1, S{130, 100}, S{100, 131}), Build: apply(mm{})},
	{Name: "MatMul/deep", In: within(-1, 1, S{9, 1000}, S{1000, 17}), Build: apply(mm{})},
	{Name: "MatMul/deep-a", In: within(-1, 1, S{1000, 9}, S{1000, 17}), Build: apply(mm{TransA: true})},
	{Name: "MatMul/tiny", In: within(-1e-3, 1e-3, S{3, 5}, S{5, 4}), Build: apply(mm{})},
	{Name: "MatMul/great", In: within(1e4, 2e4, S{3, 5}, S{5, 4}), Build: apply(mm{})},
}, actCases())
