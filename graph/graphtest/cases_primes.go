package graphtest

import "github.com/ceto-ml/ceto/graph"

// primeRows are rows whose extents are primes. No tile, warp or vector of any device divides them, and each is larger
// than a tile in at least one axis. A kernel that reads or writes past an edge shows here.
func primeRows() []Case {
	rows := []Case{
		{Name: "Add/primes", In: floats(S{61, 67}, S{61, 67}), Build: opAdd},
		{Name: "Add/primes-bias", In: floats(S{7, 11, 67}, S{67}), Build: opAdd},
		{Name: "Mul/primes-column", In: floats(S{61, 67}, S{61, 1}), Build: opMul},
		{Name: "Where/primes", In: floats(S{1021}, S{1021}, S{1021}), Build: func(g *G, x []*N) *N { return g.Where(x[0], x[1], x[2]) }},
		{Name: "Sum/primes-first", In: floats(S{1031, 37}), Build: reduceOf((*G).Sum, 0)},
		{Name: "Sum/primes-middle", In: floats(S{5, 263, 17}), Build: reduceOf((*G).Sum, 1)},
		{Name: "Mean/primes-last", In: floats(S{37, 1031}), Build: reduceOf((*G).Mean, -1)},
		{Name: "Permute/primes", In: floats(S{2, 37, 3, 53}), Build: func(g *G, x []*N) *N { return g.Permute(x[0], 0, 2, 1, 3) }},
		{Name: "Slice/primes", In: floats(S{37, 257}), Build: func(g *G, x []*N) *N { return g.Slice(x[0], 1, 3, 254) }},
		{Name: "Concat/primes", In: floats(S{37, 61}, S{37, 131}), Build: func(g *G, x []*N) *N { return g.Concat(1, x...) }},
		{Name: "Gather/primes", In: join(floats(S{101, 67}), ids(S{131}, 101)), Build: func(g *G, x []*N) *N { return g.Gather(x[0], 0, x[1]) }},
		{Name: "Embedding/primes", In: join(floats(S{101, 67}), ids(S{7, 31}, 101)), Build: func(g *G, x []*N) *N { return g.Embedding(x[1], x[0]) }},
		{Name: "Embedding/primes-one", In: join(floats(S{3, 131}), ids(S{127}, 3)), Build: func(g *G, x []*N) *N { return g.Embedding(x[1], x[0]) }},
		{Name: "Dropout/primes", In: floats(S{61, 67}), Build: func(g *G, x []*N) *N { return g.Dropout(x[0], 0.3, 5) }},
		{Name: "Softmax/primes", In: floats(S{61, 1031}), Build: func(g *G, x []*N) *N { return g.Softmax(x[0], -1) }},
		{Name: "LogSoftmax/primes", In: floats(S{131, 37}), Build: func(g *G, x []*N) *N { return g.LogSoftmax(x[0], 0) }},
		{Name: "GlobalNorm/primes", In: floats(S{61, 67}, S{4099}, S{}), NoGrad: noGrad, Build: func(g *G, x []*N) *N { return g.GlobalNorm(x...) }},
		adamRows("/primes", S{61, 67}, adamW),
		sgdRows("/primes", S{61, 67}, sgdMomentum),
		{Name: "EMA/primes", In: floats(S{4099}, S{4099}), NoGrad: noGrad, Build: func(g *G, x []*N) *N { return g.EMA(x[0], x[1], 0.9) }},
	}
	return flat(rows, primeProducts(), primeAttention(), normRows(S{67, 131}, "/primes", -2, 2), normRows(S{5, 1031}, "/primes-wide", -2, 2),
		entropyRows("/primes", join(floats(S{61, 263}), ids(S{61}, 263)), xent{HasIgnore: true, IgnoreIndex: 3}),
		entropyRows("/primes-vocab", join(floats(S{3, 4099}), ids(S{3}, 4099)), xent{Smoothing: 0.1}))
}

var sgdMomentum = graph.SGD{LRScale: 100, Momentum: 0.9, Nesterov: true, Decay: 0.1}

// primeProducts are products with one edge tile on every side, in each layout.
func primeProducts() []Case {
	const m, n, k = 67, 131, 71
	var rows []Case
	for _, c := range []struct {
		name string
		op   mm
		a, b S
	}{
		{"", mm{}, S{m, k}, S{k, n}}, {"-a", mm{TransA: true}, S{k, m}, S{k, n}}, {"-b", mm{TransB: true}, S{m, k}, S{n, k}},
		{"-ab", mm{TransA: true, TransB: true}, S{k, m}, S{n, k}}, {"-deep", mm{TransA: true}, S{1031, 37}, S{1031, 41}},
		{"-row", mm{TransB: true}, S{1, 263}, S{131, 263}}, {"-batch", mm{}, S{3, 37, 71}, S{3, 71, 41}},
		{"-wide", mm{}, S{3, 5}, S{5, 1031}}, {"-tall", mm{}, S{1031, 5}, S{5, 3}},
	} {
		rows = append(rows, Case{Name: "MatMul/primes" + c.name, In: within(-1, 1, c.a, c.b), Build: apply(c.op)})
	}
	bias := mm{Bias: true, Act: graph.ActGELU}
	return append(rows,
		Case{Name: "MatMul/primes-gelu", In: within(-1, 1, S{m, k}, S{k, n}, S{n}), Build: apply(bias)},
		Case{Name: "MatMul/primes-acc", In: within(-1, 1, S{m, k}, S{k, n}, S{m, n}), Build: apply(mm{Acc: true})})
}

// primeAttention are attentions whose lengths and head sizes no tile divides.
func primeAttention() []Case {
	ids7 := idsOf(S{2, 67}, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2)
	return []Case{
		{Name: "Attention/primes", In: heads(2, 67, 67, 3, 3, 17), Build: attention("", causal)},
		{Name: "Attention/primes-groups", In: heads(1, 131, 131, 6, 2, 7), Build: attention("", causal)},
		{Name: "Attention/primes-window", In: heads(1, 131, 131, 1, 1, 37), Build: attention("", attnOpts{Causal: true, Window: 53})},
		{Name: "Attention/primes-cross", In: heads(2, 37, 101, 2, 1, 67), Build: attention("", attnOpts{})},
		{Name: "Attention/primes-dropped", In: heads(1, 67, 67, 2, 2, 13), Build: attention("", dropped)},
		{Name: "Attention/primes-segments", In: join(heads(2, 67, 67, 1, 1, 11), ids7), Build: attention("g", causal)},
		{Name: "Attention/primes-decode", In: join(heads(3, 1, 131, 2, 2, 67), idsOf(S{3}, 7, 130, 64)), Build: attention("s", causal)},
		{Name: "Rotary/primes", In: floats(S{2, 67, 3, 22}), Build: func(g *G, x []*N) *N { return g.Rotary(x[0], nil, graph.RotaryOpts{Dim: 14}) }},
	}
}
