package graphtest

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
)

// axisCases are rows of an op along an axis.
func axisCases(name string, f func(g *G, x *N, axis int) *N) []Case {
	row := func(suffix string, s S, axis int) Case {
		return Case{Name: name + suffix, In: floats(s), Build: func(g *G, x []*N) *N { return f(g, x[0], axis) }}
	}
	wide := row("/wide", S{4, 9}, 1)
	wide.Lo, wide.Hi = -30, 30
	far := row("/far", S{4, 9}, -1)
	far.Lo, far.Hi = 9990, 10000
	farCols := row("/far-first", S{9, 4}, 0)
	farCols.Lo, farCols.Hi = 9990, 10000
	return []Case{
		row("", S{3, 5}, -1), row("/one", S{3, 1}, -1), row("/first", S{5, 3}, 0), row("/middle", S{2, 5, 3}, 1), row("/middle-one", S{2, 1, 3}, 1),
		row("/middle-last", S{2, 3, 5}, 2), row("/vector", S{7}, 0), row("/long", S{2, 20001}, -1), row("/rows", S{700, 65}, -1),
		row("/columns", S{9, 300}, 0), row("/middle-large", S{3, 11, 260}, -2), row("/narrow", S{9001, 2}, 0), wide, far, farCols,
	}
}

var inf = math.Inf(1)

var softmaxCases = flat(
	axisCases("Softmax", (*G).Softmax),
	axisCases("LogSoftmax", (*G).LogSoftmax),
	[]Case{
		{Name: "Softmax/masked", In: floatsOf(S{3, 3}, 1, -inf, 2, -inf, -inf, -inf, 0, 0, -inf), NoGrad: "infinite", Build: func(g *G, x []*N) *N { return g.Softmax(x[0], -1) }},
		{Name: "Softmax/masked-first", In: floatsOf(S{3, 3}, 1, -inf, 2, -inf, -inf, -inf, 0, -inf, 1), NoGrad: "infinite", Build: func(g *G, x []*N) *N { return g.Softmax(x[0], 0) }},
		{Name: "LogSoftmax/masked", In: floatsOf(S{2, 3}, 1, -inf, 2, 0, 0, -inf), NoGrad: "infinite", Build: func(g *G, x []*N) *N { return g.LogSoftmax(x[0], 1) }},
		{Name: "LogSoftmax/masked-first", In: floatsOf(S{3, 2}, 1, -inf, 2, 0, 0, -inf), NoGrad: "infinite", Build: func(g *G, x []*N) *N { return g.LogSoftmax(x[0], 0) }},
		{Name: "Softmax/nan", In: floatsOf(S{2, 3}, 1, math.NaN(), 2, 0, 0, 1), NoGrad: "not a number", Build: func(g *G, x []*N) *N { return g.Softmax(x[0], 1) }},
	},
)

// normCases are rows of a norm with and without weight and bias.
func normRows(s S, name string, lo, hi float64) []Case {
	c := S{s[len(s)-1]}
	w := within(0.5, 1.5, c)
	b := within(-1, 1, c)
	x := within(lo, hi, s)
	return []Case{
		{Name: "LayerNorm" + name, In: join(x, w, b), Build: func(g *G, x []*N) *N { return g.LayerNorm(x[0], x[1], x[2], 1e-5) }},
		{Name: "LayerNorm/weight" + name, In: join(x, w), Build: func(g *G, x []*N) *N { return g.LayerNorm(x[0], x[1], nil, 1e-5) }},
		{Name: "LayerNorm/bias" + name, In: join(x, b), Build: func(g *G, x []*N) *N { return g.LayerNorm(x[0], nil, x[1], 1e-5) }},
		{Name: "LayerNorm/plain" + name, In: x, Build: func(g *G, x []*N) *N { return g.LayerNorm(x[0], nil, nil, 1e-5) }},
		{Name: "RMSNorm" + name, In: join(x, w), Build: func(g *G, x []*N) *N { return g.RMSNorm(x[0], x[1], 1e-6) }},
		{Name: "RMSNorm/plain" + name, In: x, Build: func(g *G, x []*N) *N { return g.RMSNorm(x[0], nil, 1e-6) }},
	}
}

var normCases = flat(
	normRows(S{3, 5}, "", -2, 2),
	normRows(S{7}, "/vector", -2, 2),
	normRows(S{2, 3, 4, 6}, "/rank4", -2, 2),
	normRows(S{300, 65}, "/parts", -2, 2),
	normRows(S{2, 20001}, "/long", -2, 2),
	normRows(S{4, 9}, "/far", 99, 101),
	normRows(S{4, 9}, "/small", -0.01, 0.01),
	[]Case{
		{Name: "LayerNorm/one", In: floats(S{4, 1}, S{1}, S{1}), Build: func(g *G, x []*N) *N { return g.LayerNorm(x[0], x[1], x[2], 1e-5) }},
		{Name: "RMSNorm/one", In: join(within(0.5, 2, S{4, 1}), floats(S{1})), Build: func(g *G, x []*N) *N { return g.RMSNorm(x[0], x[1], 1e-5) }},
		{Name: "LayerNorm/constant", In: floatsOf(S{2, 4}, 3), NoGrad: "its derivative is 1/√eps long", Build: func(g *G, x []*N) *N { return g.LayerNorm(x[0], nil, nil, 1e-5) }},
		{Name: "RMSNorm/zero", In: floatsOf(S{2, 4}, 0), NoGrad: "its derivative is 1/√eps long", Build: func(g *G, x []*N) *N { return g.RMSNorm(x[0], nil, 1e-5) }},
		{Name: "NormGrad/bias-alone", In: floats(S{3, 5}, S{5}, S{3}, S{3}, S{3, 5}), NoGrad: "it is one", BuildAll: func(g *G, x []*N) []*N {
			return []*N{g.Apply(graph.NormGrad{Weight: true, Bias: true, Of: 2}, x...), g.Apply(graph.NormGrad{Weight: true, Bias: true, Of: 1}, x...)}
		}},
		{Name: "Norm/rows", In: floats(S{3, 5}), NoGrad: "for the derivative", BuildAll: func(g *G, x []*N) []*N {
			n := graph.Norm{Eps: 1e-5}
			var parts []*N
			for n.Of = range 3 {
				parts = append(parts, g.Apply(n, x...))
			}
			return append(parts, g.Apply(graph.Norm{Eps: 1e-5, RMS: true, Of: 1}, x...))
		}},
	},
)
