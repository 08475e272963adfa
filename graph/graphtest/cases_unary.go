package graphtest

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
)

// of1 applies an op to one operand.
func of1(op graph.Op) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N { return g.Apply(op, x[0]) }
}

// mapCases are rows of an elementwise function: an odd shape, a scalar, past one part, and its range.
func mapCases(name string, lo, hi float64, away []float64, op graph.Op, want func(float64) float64) []Case {
	row := func(suffix string, s S) Case {
		return Case{Name: name + suffix, In: floats(s), Lo: lo, Hi: hi, Away: away, Build: of1(op), Want: unaryOf(want)}
	}
	return []Case{row("", S{3, 5}), row("/scalar", S{}), row("/one", S{1, 1}), row("/parts", S{129, 130})}
}

var kink = []float64{0}

var unaryCases = flat(
	mapCases("Neg", 0, 0, nil, graph.Affine{K: -1}, func(x float64) float64 { return -x }),
	mapCases("Scale", 0, 0, nil, graph.Affine{K: 0.3}, func(x float64) float64 { return 0.3 * x }),
	mapCases("AddScalar", 0, 0, nil, graph.Affine{K: 1, C: 0.7}, func(x float64) float64 { return x + 0.7 }),
	mapCases("Affine", 0, 0, nil, graph.Affine{K: -1.5, C: 0.7}, func(x float64) float64 { return 0.7 - 1.5*x }),
	mapCases("Exp", 0, 0, nil, graph.Exp{}, math.Exp),
	mapCases("Log", 0.2, 5, nil, graph.Log{}, math.Log),
	mapCases("Sqrt", 0.2, 5, nil, graph.Sqrt{}, math.Sqrt),
	mapCases("Pow/2", 0, 0, nil, graph.Pow{P: 2}, func(x float64) float64 { return x * x }),
	mapCases("Pow/3", 0, 0, nil, graph.Pow{P: 3}, func(x float64) float64 { return x * x * x }),
	mapCases("Pow/half", 0.2, 5, nil, graph.Pow{P: 0.5}, math.Sqrt),
	mapCases("Pow/minus", 0.5, 2, nil, graph.Pow{P: -1.5}, func(x float64) float64 { return 1 / (x * math.Sqrt(x)) }),
	mapCases("Abs", 0, 0, kink, graph.Abs{}, math.Abs),
	[]Case{
		{Name: "Pow/zero", In: floats(S{7}), Build: func(g *G, x []*N) *N { return g.Pow(x[0], 0) }},
		{Name: "Pow/one", In: floats(S{7}), Build: func(g *G, x []*N) *N { return g.Pow(x[0], 1) }},
		{Name: "Neg/builder", In: floats(S{7}), Build: func(g *G, x []*N) *N { return g.Neg(x[0]) }},
		{Name: "AddScalar/builder", In: floats(S{7}), Build: func(g *G, x []*N) *N { return g.AddScalar(g.Scale(x[0], 2), 1) }},
		{Name: "Exp/small", In: within(-20, -5, S{9}), Build: of1(graph.Exp{})},
		{Name: "Log/tiny", In: within(1e-3, 2e-3, S{9}), Build: of1(graph.Log{})},
		{Name: "Log/large", In: within(1e6, 2e6, S{9}), Build: of1(graph.Log{})},
		{Name: "Sqrt/large", In: within(1e6, 2e6, S{9}), Build: of1(graph.Sqrt{})},
		{Name: "Abs/zero", In: floatsOf(S{3}, 0, 1, -1), NoGrad: "a kink", Build: of1(graph.Abs{})},
	},
)

var activationCases = flat(
	mapCases("Tanh", 0, 0, nil, graph.Tanh{}, math.Tanh),
	mapCases("Sigmoid", 0, 0, nil, graph.Sigmoid{}, sigmoid),
	mapCases("ReLU", 0, 0, kink, graph.ReLU{}, func(x float64) float64 { return math.Max(x, 0) }),
	mapCases("LeakyReLU", 0, 0, kink, graph.LeakyReLU{Slope: 0.1}, func(x float64) float64 { return math.Max(x, 0.1*x) }),
	mapCases("ELU", 0, 0, kink, graph.ELU{Alpha: 0.8}, func(x float64) float64 { return math.Max(x, 0) + 0.8*(math.Exp(math.Min(x, 0))-1) }),
	mapCases("GELU", 0, 0, nil, graph.GELU{}, func(x float64) float64 { return x * sigmoid(2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)) }),
	mapCases("GELUErf", 0, 0, nil, graph.GELUErf{}, func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }),
	mapCases("SiLU", 0, 0, nil, graph.SiLU{}, func(x float64) float64 { return x * sigmoid(x) }),
	mapCases("Softplus", 0, 0, nil, graph.Softplus{}, func(x float64) float64 { return math.Log(1 + math.Exp(x)) }),
	tails("Tanh", graph.Tanh{}), tails("Sigmoid", graph.Sigmoid{}), tails("GELU", graph.GELU{}),
	tails("GELUErf", graph.GELUErf{}), tails("SiLU", graph.SiLU{}), tails("Softplus", graph.Softplus{}),
	[]Case{{Name: "ELU/tails", In: floats(S{64}), Lo: -20, Hi: 20, Away: kink, Build: of1(graph.ELU{Alpha: 1})}},
)

// tails is a row far from 0 on both sides, and one close to it.
func tails(name string, op graph.Op) []Case {
	return []Case{
		{Name: name + "/tails", In: floats(S{64}), Lo: -20, Hi: 20, Build: of1(op)},
		{Name: name + "/near", In: floats(S{64}), Lo: -1e-3, Hi: 1e-3, Build: of1(op)},
	}
}

// flat concatenates rows.
func flat(rows ...[]Case) []Case {
	var all []Case
	for _, r := range rows {
		all = append(all, r...)
	}
	return all
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
