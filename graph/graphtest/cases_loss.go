package graphtest

import (
	"math"

	"github.com/ceto-ml/ceto/graph/loss"
)

// lossRows are the rows of a loss of y and t, which lie in the given ranges.
func lossRows(name string, y, t [2]float64, f func(g *G, y, t *N) *N, want func(y, t float64) float64) []Case {
	row := func(suffix string, s S) Case {
		return Case{
			Name: name + suffix, In: join(within(y[0], y[1], s), within(t[0], t[1], s)),
			Build: func(g *G, x []*N) *N { return f(g, x[0], x[1]) }, Want: summed(want),
		}
	}
	return []Case{row("", S{3, 5}), row("/scalar", S{}), row("/one", S{1}), row("/parts", S{130, 259})}
}

func huber(delta float64) func(g *G, y, t *N) *N {
	return func(g *G, y, t *N) *N { return loss.Huber(g, y, t, delta) }
}

var lossCases = flat(
	lossRows("MSE", [2]float64{-2, 2}, [2]float64{-2, 2}, loss.MSE, squared),
	lossRows("HalfMSE", [2]float64{-2, 2}, [2]float64{-2, 2}, loss.HalfMSE, func(y, t float64) float64 { return squared(y, t) / 2 }),
	lossRows("L1", [2]float64{1, 2}, [2]float64{-1, 0.9}, loss.L1, func(y, t float64) float64 { return math.Abs(y - t) }),
	lossRows("L1/below", [2]float64{-1, 0.9}, [2]float64{1, 2}, loss.L1, func(y, t float64) float64 { return math.Abs(y - t) }),
	lossRows("Huber/inside", [2]float64{-1, 1}, [2]float64{-1, 1}, huber(2.5), func(y, t float64) float64 { return squared(y, t) / 2 }),
	lossRows("Huber/outside", [2]float64{1, 2}, [2]float64{-1, 0}, huber(0.9), func(y, t float64) float64 { return 0.9*math.Abs(y-t) - 0.405 }),
	lossRows("Huber/below", [2]float64{-1, 0}, [2]float64{1, 2}, huber(0.9), func(y, t float64) float64 { return 0.9*math.Abs(y-t) - 0.405 }),
	lossRows("BCEWithLogits", [2]float64{-3, 3}, [2]float64{0.05, 0.95}, loss.BCEWithLogits, crossed),
	lossRows("BCEWithLogits/tails", [2]float64{-60, 60}, [2]float64{0.05, 0.95}, loss.BCEWithLogits, crossed),
	[]Case{
		{Name: "MSE/large", In: within(-1e4, 1e4, S{9}, S{9}), Build: func(g *G, x []*N) *N { return loss.MSE(g, x[0], x[1]) }},
		{Name: "L1/equal", In: floatsOf(S{3}, 1, 2, 3), NoGrad: "a kink", Build: func(g *G, x []*N) *N { return loss.L1(g, x[0], x[0]) }},
		{Name: "BCEWithLogits/hard", In: join(within(-3, 3, S{8}), floatsOf(S{8}, 0, 1)), Build: func(g *G, x []*N) *N { return loss.BCEWithLogits(g, x[0], x[1]) }},
		{Name: "MLP", In: floats(S{4, 2}, S{2, 8}, S{8}, S{8, 1}, S{1}, S{4, 1}), Build: func(g *G, x []*N) *N {
			h := g.Tanh(g.Add(g.MatMul(x[0], x[1]), x[2]))
			return loss.HalfMSE(g, g.Add(g.MatMul(h, x[3]), x[4]), x[5])
		}},
		{Name: "MSE/mean", In: floats(S{4, 3}, S{4, 3}), Build: func(g *G, x []*N) *N { return g.Scale(loss.MSE(g, x[0], x[1]), 1.0/12) }},
	},
)

func squared(y, t float64) float64 { return (y - t) * (y - t) }

// crossed is −t·ln σ(z) − (1 − t)·ln(1 − σ(z)).
func crossed(z, t float64) float64 { return t*math.Log1p(math.Exp(-z)) + (1-t)*math.Log1p(math.Exp(z)) }
