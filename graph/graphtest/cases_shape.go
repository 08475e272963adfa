package graphtest

import "github.com/ceto-ml/ceto/graph"

func reshape(s ...int) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N { return g.Reshape(x[0], s...) }
}

func permute(p ...int) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N { return g.Permute(x[0], p...) }
}

func slice(axis, lo, hi int) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N { return g.Slice(x[0], axis, lo, hi) }
}

func pad(axis, before, after int) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N { return g.Pad(x[0], axis, before, after) }
}

func concat(axis int) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N { return g.Concat(axis, x...) }
}

func broadcast(s ...int) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N { return g.BroadcastTo(x[0], s...) }
}

func gather(axis int) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N { return g.Gather(x[0], axis, x[1]) }
}

var shapeCases = []Case{
	{Name: "Reshape", In: floats(S{3, 4}), Build: reshape(2, 6)},
	{Name: "Reshape/free", In: floats(S{3, 4}), Build: reshape(2, -1, 3)},
	{Name: "Reshape/scalar", In: floats(S{1, 1}), Build: reshape()},
	{Name: "Reshape/same", In: floats(S{3, 4}), Build: reshape(3, 4)},
	{Name: "Reshape/large", In: floats(S{170, 101}), Build: reshape(-1)},
	{Name: "Reshape/ids", In: ids(S{3, 4}, 9), Build: reshape(12)},
	{Name: "Permute", In: floats(S{3, 5}), Build: permute()},
	{Name: "Permute/same", In: floats(S{3, 5}), Build: permute(0, 1)},
	{Name: "Permute/scalar", In: floats(S{}), Build: permute()},
	{Name: "Permute/vector", In: floats(S{5}), Build: permute(0)},
	{Name: "Permute/transpose", In: floats(S{131, 257}), Build: permute()},
	{Name: "Permute/narrow", In: floats(S{9001, 3}), Build: permute()},
	{Name: "Permute/wide", In: floats(S{3, 9001}), Build: permute()},
	{Name: "Permute/heads", In: floats(S{2, 5, 3, 4}), Build: permute(0, 2, 1, 3)},
	{Name: "Permute/heads-large", In: floats(S{2, 37, 4, 64}), Build: permute(0, 2, 1, 3)},
	{Name: "Permute/heads-t", In: floats(S{2, 37, 4, 16}), Build: permute(0, 2, 3, 1)},
	{Name: "Permute/batch-t", In: floats(S{3, 40, 70}), Build: permute(0, 2, 1)},
	{Name: "Permute/rank5", In: floats(S{2, 3, 1, 4, 2}), Build: permute(4, 1, 3, 0, 2)},
	{Name: "Permute/ids", In: ids(S{3, 4}, 9), Build: permute()},
	{Name: "Slice", In: floats(S{3, 5}), Build: slice(1, 1, 4)},
	{Name: "Slice/first", In: floats(S{5, 3}), Build: slice(0, 0, 2)},
	{Name: "Slice/all", In: floats(S{5, 3}), Build: slice(0, 0, 5)},
	{Name: "Slice/middle", In: floats(S{2, 5, 3}), Build: slice(-2, 2, 5)},
	{Name: "Slice/parts", In: floats(S{180, 300}), Build: slice(1, 100, 300)},
	{Name: "Slice/long", In: floats(S{2, 50000}), Build: slice(1, 5, 49999)},
	{Name: "Slice/ids", In: ids(S{2, 5}, 9), Build: slice(1, 1, 3)},
	{Name: "Pad", In: floats(S{3, 5}), Build: pad(1, 2, 1)},
	{Name: "Pad/none", In: floats(S{3, 5}), Build: pad(1, 0, 0)},
	{Name: "Pad/first", In: floats(S{3, 5}), Build: pad(0, 1, 0)},
	{Name: "Pad/last", In: floats(S{2, 3, 2}), Build: pad(-2, 0, 3)},
	{Name: "Pad/parts", In: floats(S{180, 100}), Build: pad(1, 100, 3)},
	{Name: "Concat", In: floats(S{2, 3}, S{2, 1}, S{2, 4}), Build: concat(1)},
	{Name: "Concat/first", In: floats(S{2, 3}, S{1, 3}), Build: concat(0)},
	{Name: "Concat/one", In: floats(S{2, 3}), Build: concat(0)},
	{Name: "Concat/twice", In: floats(S{2, 3}), Build: func(g *G, x []*N) *N { return g.Concat(-1, x[0], x[0]) }},
	{Name: "Concat/parts", In: floats(S{130, 64}, S{130, 96}), Build: concat(1)},
	{Name: "Concat/ids", In: join(ids(S{2, 3}, 9), ids(S{2, 2}, 9)), Build: concat(1)},
	{Name: "BroadcastTo", In: floats(S{3, 1}), Build: broadcast(3, 4)},
	{Name: "BroadcastTo/row", In: floats(S{4}), Build: broadcast(2, 3, 4)},
	{Name: "BroadcastTo/scalar", In: floats(S{}), Build: broadcast(150, 130)},
	{Name: "BroadcastTo/same", In: floats(S{2, 3}), Build: broadcast(2, 3)},
	{Name: "BroadcastTo/middle", In: floats(S{2, 1, 3, 1}), Build: broadcast(2, 4, 3, 5)},
	{Name: "BroadcastTo/row-large", In: floats(S{300}), Build: broadcast(80, 300)},
	{Name: "Gather", In: join(floats(S{5, 3}), ids(S{4}, 5)), Build: gather(0)},
	{Name: "Gather/last", In: join(floats(S{2, 5}), ids(S{7}, 5)), Build: gather(1)},
	{Name: "Gather/middle", In: join(floats(S{2, 5, 3}), ids(S{4}, 5)), Build: gather(-2)},
	{Name: "Gather/repeat", In: join(floats(S{5, 3}), idsOf(S{6}, 2, 2, 2, 0)), Build: gather(0)},
	{Name: "Gather/parts", In: join(floats(S{50, 400}), ids(S{60}, 50)), Build: gather(0)},
	{Name: "Gather/columns", In: join(floats(S{200, 90}), ids(S{100}, 90)), Build: gather(1)},
	{Name: "CacheWrite", In: join(floats(S{2, 6, 3}, S{2, 2, 3}), idsOf(S{2}, 1, 4)), Build: func(g *G, x []*N) *N { return g.CacheWrite(x[0], x[1], x[2]) }},
	{Name: "Full", In: floats(S{2, 3}), Build: func(g *G, x []*N) *N { return g.Add(x[0], g.Full(graph.Of(x[0].DType(), 3), 0.5)) }},
}

func reduceOf(f func(g *G, x *N, axes ...int) *N, axes ...int) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N { return f(g, x[0], axes...) }
}

// reduceCases are the rows of one reduction.
func reduceCases(name string, distinct bool, f func(g *G, x *N, axes ...int) *N) []Case {
	row := func(suffix string, s S, axes ...int) Case {
		c := Case{Name: name + suffix, In: floats(s), Distinct: distinct, Build: reduceOf(f, axes...)}
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
	reduceCases("Sum", false, (*G).Sum),
	reduceCases("Mean", false, (*G).Mean),
	reduceCases("Max", true, (*G).Max),
	reduceCases("Min", true, (*G).Min),
	[]Case{
		{Name: "Max/equal", In: floatsOf(S{2, 3}, 1, 1, 0, 2, 2, 2), Build: reduceOf((*G).Max, 1), NoGrad: "kinks"},
		{Name: "Sum/large", In: within(1e4, 2e4, S{300}), Build: reduceOf((*G).Sum)},
	},
)
