package graphtest

import (
	"math"
	"strings"

	"github.com/ceto-ml/ceto/graph"
)

// shaped is a row of an op that moves elements: the result's at i is operand k's at j.
func shaped(name string, in []Operand, build func(g *G, x []*N) *N, from func(i []int) (k int, j []int)) Case {
	c := Case{Name: name, In: in, Build: build}
	c.Want = moved(func(_ Case, _ [][]float64, i []int) (int, []int) { return from(i) })
	return c
}

// reshaped keeps the order of elements.
func reshaped(name string, in []Operand, s ...int) Case {
	return Case{
		Name: name, In: in, Build: func(g *G, x []*N) *N { return g.Reshape(x[0], s...) },
		Want: func(_ Case, _ S, x [][]float64) []float64 { return x[0] },
	}
}

// permuted: axis a of the result is axis p[a] of x; reversed without p.
func permuted(name string, in []Operand, p ...int) Case {
	q := append([]int{}, p...)
	for a := len(in[0].Shape) - 1; len(p) == 0 && a >= 0; a-- {
		q = append(q, a)
	}
	return shaped(name, in, func(g *G, x []*N) *N { return g.Permute(x[0], p...) }, func(i []int) (int, []int) {
		j := make([]int, len(i))
		for a := range i {
			j[q[a]] = i[a]
		}
		return 0, j
	})
}

// along returns i with index k on an axis.
func along(i []int, axis, k int) []int {
	j := append([]int{}, i...)
	j[(axis+len(j))%len(j)] = k
	return j
}

func at(i []int, axis int) int { return i[(axis+len(i))%len(i)] }

func sliced(name string, in []Operand, axis, lo, hi int) Case {
	return shaped(name, in, func(g *G, x []*N) *N { return g.Slice(x[0], axis, lo, hi) },
		func(i []int) (int, []int) { return 0, along(i, axis, at(i, axis)+lo) })
}

func padded(name string, in []Operand, axis, before, after int) Case {
	n := at(in[0].Shape, axis)
	return shaped(name, in, func(g *G, x []*N) *N { return g.Pad(x[0], axis, before, after) }, func(i []int) (int, []int) {
		k := at(i, axis) - before
		if k < 0 || k >= n {
			return -1, nil
		}
		return 0, along(i, axis, k)
	})
}

func concatenated(name string, in []Operand, axis int) Case {
	return shaped(name, in, func(g *G, x []*N) *N { return g.Concat(axis, x...) }, func(i []int) (int, []int) {
		k, operand := at(i, axis), 0
		for ; k >= at(in[operand].Shape, axis); operand++ {
			k -= at(in[operand].Shape, axis)
		}
		return operand, along(i, axis, k)
	})
}

func repeated(name string, x S, s ...int) Case {
	return Case{
		Name: name, In: floats(x), Build: func(g *G, x []*N) *N { return g.BroadcastTo(x[0], s...) },
		Want: unaryOf(func(v float64) float64 { return v }),
	}
}

func gatheredRow(name string, in []Operand, axis int) Case {
	c := Case{Name: name, In: in, Build: func(g *G, x []*N) *N { return g.Gather(x[0], axis, x[1]) }}
	c.Want = moved(func(_ Case, x [][]float64, i []int) (int, []int) { return 0, along(i, axis, int(x[1][at(i, axis)])) })
	return c
}

func plus(a, b float64) float64 { return a + b }

var shapeCases = []Case{
	reshaped("Reshape", floats(S{3, 4}), 2, 6),
	reshaped("Reshape/free", floats(S{3, 4}), 2, -1, 3),
	reshaped("Reshape/scalar", floats(S{1, 1})),
	reshaped("Reshape/same", floats(S{3, 4}), 3, 4),
	reshaped("Reshape/large", floats(S{170, 101}), -1),
	reshaped("Reshape/ids", ids(S{3, 4}, 9), 12),
	permuted("Permute", floats(S{3, 5})),
	permuted("Permute/same", floats(S{3, 5}), 0, 1),
	permuted("Permute/scalar", floats(S{})),
	permuted("Permute/vector", floats(S{5}), 0),
	permuted("Permute/transpose", floats(S{131, 257})),
	permuted("Permute/narrow", floats(S{9001, 3})),
	permuted("Permute/wide", floats(S{3, 9001})),
	permuted("Permute/heads", floats(S{2, 5, 3, 4}), 0, 2, 1, 3),
	permuted("Permute/heads-large", floats(S{2, 37, 4, 64}), 0, 2, 1, 3),
	permuted("Permute/heads-t", floats(S{2, 37, 4, 16}), 0, 2, 3, 1),
	permuted("Permute/batch-t", floats(S{3, 40, 70}), 0, 2, 1),
	permuted("Permute/rank5", floats(S{2, 3, 1, 4, 2}), 4, 1, 3, 0, 2),
	permuted("Permute/ids", ids(S{3, 4}, 9)),
	sliced("Slice", floats(S{3, 5}), 1, 1, 4),
	sliced("Slice/first", floats(S{5, 3}), 0, 0, 2),
	sliced("Slice/all", floats(S{5, 3}), 0, 0, 5),
	sliced("Slice/middle", floats(S{2, 5, 3}), -2, 2, 5),
	sliced("Slice/parts", floats(S{180, 300}), 1, 100, 300),
	sliced("Slice/long", floats(S{2, 50000}), 1, 5, 49999),
	sliced("Slice/ids", ids(S{2, 5}, 9), 1, 1, 3),
	padded("Pad", floats(S{3, 5}), 1, 2, 1),
	padded("Pad/none", floats(S{3, 5}), 1, 0, 0),
	padded("Pad/first", floats(S{3, 5}), 0, 1, 0),
	padded("Pad/last", floats(S{2, 3, 2}), -2, 0, 3),
	padded("Pad/parts", floats(S{180, 100}), 1, 100, 3),
	concatenated("Concat", floats(S{2, 3}, S{2, 1}, S{2, 4}), 1),
	concatenated("Concat/first", floats(S{2, 3}, S{1, 3}), 0),
	concatenated("Concat/one", floats(S{2, 3}), 0),
	{Name: "Concat/twice", In: floats(S{2, 3}), Build: func(g *G, x []*N) *N { return g.Concat(-1, x[0], x[0]) }},
	concatenated("Concat/parts", floats(S{130, 64}, S{130, 96}), 1),
	concatenated("Concat/ids", join(ids(S{2, 3}, 9), ids(S{2, 2}, 9)), 1),
	repeated("BroadcastTo", S{3, 1}, 3, 4),
	repeated("BroadcastTo/row", S{4}, 2, 3, 4),
	repeated("BroadcastTo/scalar", S{}, 150, 130),
	repeated("BroadcastTo/same", S{2, 3}, 2, 3),
	repeated("BroadcastTo/middle", S{2, 1, 3, 1}, 2, 4, 3, 5),
	repeated("BroadcastTo/row-large", S{300}, 80, 300),
	gatheredRow("Gather", join(floats(S{5, 3}), ids(S{4}, 5)), 0),
	gatheredRow("Gather/last", join(floats(S{2, 5}), ids(S{7}, 5)), 1),
	gatheredRow("Gather/middle", join(floats(S{2, 5, 3}), ids(S{4}, 5)), -2),
	gatheredRow("Gather/repeat", join(floats(S{5, 3}), idsOf(S{6}, 2, 2, 2, 0)), 0),
	gatheredRow("Gather/parts", join(floats(S{50, 400}), ids(S{60}, 50)), 0),
	gatheredRow("Gather/columns", join(floats(S{200, 90}), ids(S{100}, 90)), 1),
	{Name: "CacheWrite", In: join(floats(S{2, 6, 3}, S{2, 2, 3}), idsOf(S{2}, 1, 4)), Build: func(g *G, x []*N) *N { return g.CacheWrite(x[0], x[1], x[2]) }},
	{Name: "Full", In: floats(S{2, 3}), Build: func(g *G, x []*N) *N { return g.Add(x[0], g.Full(graph.Of(x[0].DType(), 3), 0.5)) }},
}

func reduceOf(f func(g *G, x *N, axes ...int) *N, axes ...int) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N { return f(g, x[0], axes...) }
}

// reduceCases are the rows of one reduction.
func reduceCases(name string, distinct bool, f func(g *G, x *N, axes ...int) *N, join func(a, b float64) float64) []Case {
	row := func(suffix string, s S, axes ...int) Case {
		c := Case{Name: name + suffix, In: floats(s), Distinct: distinct, Build: reduceOf(f, axes...)}
		c.Want = reduced(join, strings.HasPrefix(name, "Mean"), axes...)
		if distinct && s.Size() > 300 {
			c.NoGrad = "the grid is finer than a difference"
		}
		return c
	}
	return []Case{
		row("", S{3, 5}), row("/last", S{3, 5}, -1), row("/first", S{3, 5}, 0), row("/middle", S{2, 5, 3}, 1),
		row("/outer", S{2, 5, 3}, 0, 2), row("/inner", S{2, 5, 3}, 1, 2), row("/scalar", S{}), row("/one", S{1, 3, 1}, 0, 2),
		row("/ones", S{1, 1, 1}), row("/columns", S{300, 150}, 0), row("/narrow", S{9000, 2}, 0), row("/rows", S{90, 700}, 1),
		row("/long", S{70001}), row("/long-rows", S{2, 20001}, 1), row("/middle-large", S{7, 61, 130}, 1),
		row("/alternate", S{3, 4, 5, 6}, 0, 2), row("/alternate2", S{3, 4, 5, 6}, 1, 3), row("/twice", S{3, 4}, 1, -1),
	}
}

var reductionCases = flat(
	reduceCases("Sum", false, (*G).Sum, plus),
	reduceCases("Mean", false, (*G).Mean, plus),
	reduceCases("Max", true, (*G).Max, math.Max),
	reduceCases("Min", true, (*G).Min, math.Min),
	[]Case{
		{Name: "SumKeep", In: floats(S{2, 5, 3}), Want: reduced(plus, false, 1), Build: reduceOf((*G).SumKeep, 1)},
		{Name: "MeanKeep", In: floats(S{2, 5, 3}), Want: reduced(plus, true, 0, 2), Build: reduceOf((*G).MeanKeep, 0, -1)},
		{Name: "MaxKeep", In: floats(S{2, 5, 3}), Distinct: true, Want: reduced(math.Max, false), Build: reduceOf((*G).MaxKeep)},
		{Name: "MinKeep", In: floats(S{2, 5}), Distinct: true, Build: func(g *G, x []*N) *N { return g.Sub(x[0], g.MinKeep(x[0], 1)) }},
		{Name: "Max/equal", In: floatsOf(S{2, 3}, 1, 1, 0, 2, 2, 2), Build: reduceOf((*G).Max, 1), NoGrad: "kinks"},
		{Name: "Sum/large", In: within(1e4, 2e4, S{300}), Build: reduceOf((*G).Sum)},
	},
)
