package graphtest

import "github.com/ceto-ml/ceto/graph"

// heads are q (B, T, NH, HS), k and v (B, S, KVH, HS).
func heads(b, t, s, nh, kvh, hs int) []Operand {
	return floats(S{b, t, nh, hs}, S{b, s, kvh, hs}, S{b, s, kvh, hs})
}

// attention builds on q, k, v and those of lengths, segments and start that has names, in this order.
func attention(has string, o graph.AttentionOpts) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N {
		ids := x[3:]
		for _, c := range has {
			switch c {
			case 'l':
				o.Lengths = ids[0]
			case 'g':
				o.Segments = ids[0]
			case 's':
				o.Start = ids[0]
			}
			ids = ids[1:]
		}
		return g.Attention(x[0], x[1], x[2], o)
	}
}

type attnOpts = graph.AttentionOpts

var (
	causal  = attnOpts{Causal: true}
	dropped = attnOpts{Causal: true, Drop: 0.3, Stream: 77}
)

var attentionCases = []Case{
	{Name: "Attention", In: heads(2, 5, 5, 3, 3, 4), Build: attention("", attnOpts{})},
	{Name: "Attention/one", In: heads(1, 1, 1, 1, 1, 1), Build: attention("", causal)},
	{Name: "Attention/causal", In: heads(2, 7, 7, 2, 2, 8), Build: attention("", causal)},
	{Name: "Attention/causal-A", In: heads(1, 64, 64, 2, 2, 32), Build: attention("", causal)},
	{Name: "Attention/causal-B", In: heads(1, 129, 129, 1, 1, 64), Build: attention("", causal)},
	{Name: "Attention/odd", In: heads(2, 67, 67, 3, 3, 5), Build: attention("", causal)},
	{Name: "Attention/cross", In: heads(2, 3, 11, 2, 2, 4), Build: attention("", attnOpts{})},
	{Name: "Attention/cross-causal", In: heads(2, 11, 3, 2, 2, 4), Build: attention("", causal)},
	{Name: "Attention/wide", In: heads(1, 33, 601, 1, 1, 3), Build: attention("", attnOpts{})},
	{Name: "Attention/long", In: heads(1, 530, 530, 1, 1, 2), Build: attention("", causal)},
	{Name: "Attention/scale", In: heads(1, 5, 5, 2, 2, 4), Build: attention("", attnOpts{Scale: -0.7})},
	{Name: "Attention/large", In: within(-20, 20, S{1, 9, 2, 4}, S{1, 9, 2, 4}, S{1, 9, 2, 4}), NoGrad: "the weights are steps", Build: attention("", causal)},
	{Name: "Attention/tiny", In: join(within(-1e-3, 1e-3, S{1, 9, 2, 4}, S{1, 9, 2, 4}), floats(S{1, 9, 2, 4})), Build: attention("", causal)},
	{Name: "Attention/groups", In: heads(2, 6, 6, 6, 2, 4), Build: attention("", causal)},
	{Name: "Attention/one-group", In: heads(1, 50, 50, 4, 1, 8), Build: attention("", causal)},
	{Name: "Attention/window", In: heads(1, 9, 9, 2, 2, 4), Build: attention("", attnOpts{Causal: true, Window: 3})},
	{Name: "Attention/window-one", In: heads(1, 9, 9, 1, 1, 4), Build: attention("", attnOpts{Causal: true, Window: 1})},
	{Name: "Attention/window-both-sides", In: heads(1, 9, 12, 2, 2, 4), Build: attention("", attnOpts{Window: 3})},
	{Name: "Attention/window-beyond", In: heads(1, 12, 5, 2, 2, 4), Build: attention("", attnOpts{Causal: true, Window: 3})},
	{Name: "Attention/window-long", In: heads(1, 300, 300, 1, 1, 4), Build: attention("", attnOpts{Causal: true, Window: 70})},
	{Name: "Attention/lengths", In: join(heads(4, 5, 6, 2, 1, 4), idsOf(S{4}, 3, 6, 1, 0)), Build: attention("l", attnOpts{})},
	{Name: "Attention/lengths-out", In: join(heads(2, 5, 5, 1, 1, 4), idsOf(S{2}, 99, -3)), Build: attention("l", causal)},
	{Name: "Attention/segments", In: join(heads(2, 7, 7, 2, 2, 4), idsOf(S{2, 7}, 0, 0, 0, 1, 1, 2, 2, 5, 3, 5, 3, 5, 5, 3)), Build: attention("g", causal)},
	{Name: "Attention/segments-both", In: join(heads(1, 8, 8, 2, 2, 4), idsOf(S{1, 8}, 0, 0, 0, 1, 1, 2, 2, 2)), Build: attention("g", attnOpts{})},
	{Name: "Attention/segments-short", In: join(heads(1, 8, 5, 2, 2, 4), idsOf(S{1, 5}, 0, 0, 1, 1, 1)), Build: attention("g", attnOpts{})},
	{Name: "Attention/segments-long", In: join(heads(1, 140, 140, 1, 1, 4), ids(S{1, 140}, 3)), Build: attention("g", causal)},
	{Name: "Attention/segments-lengths", In: join(heads(2, 7, 7, 2, 2, 4), idsOf(S{2}, 5, 7), idsOf(S{2, 7}, 0, 0, 1, 1, 1, 2, 2)), Build: attention("lg", causal)},
	{Name: "Attention/start", In: join(heads(3, 2, 9, 2, 2, 4), idsOf(S{3}, 0, 5, 7)), Build: attention("s", causal)},
	{Name: "Attention/start-out", In: join(heads(3, 3, 4, 2, 2, 4), idsOf(S{3}, -2, 3, 9)), Build: attention("s", causal)},
	{Name: "Attention/start-window", In: join(heads(3, 4, 9, 2, 2, 4), idsOf(S{3}, 0, 3, 11)), Build: attention("s", attnOpts{Causal: true, Window: 3})},
	{Name: "Attention/start-segments", In: join(heads(2, 3, 6, 2, 2, 4), idsOf(S{2, 6}, 0, 0, 1, 1, 2, 2), idsOf(S{2}, 1, 4)), Build: attention("gs", causal)},
	{Name: "Attention/decode", In: join(heads(2, 1, 700, 4, 2, 16), idsOf(S{2}, 650, 3)), Build: attention("s", causal)},
	{Name: "Attention/decode-lengths", In: join(heads(2, 1, 33, 4, 2, 16), idsOf(S{2}, 20, 33), idsOf(S{2}, 32, 32)), Build: attention("ls", causal)},
	{Name: "Attention/drop", In: heads(2, 7, 7, 2, 2, 4), Build: attention("", dropped)},
	{Name: "Attention/drop-groups", In: heads(1, 70, 70, 4, 2, 4), Build: attention("", dropped)},
	{Name: "Attention/drop-cross", In: heads(1, 40, 530, 1, 1, 4), Build: attention("", attnOpts{Drop: 0.9, Stream: 5})},
	{Name: "Attention/drop-all-options", In: join(heads(2, 9, 11, 4, 2, 4), idsOf(S{2}, 9, 11), idsOf(S{2, 11}, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2), idsOf(S{2}, 2, 0)),
		Build: attention("lgs", attnOpts{Causal: true, Window: 4, Scale: 0.3, Drop: 0.5, Stream: 1})},
	{Name: "Attention/LSE", In: heads(2, 7, 7, 2, 2, 4), BuildAll: func(g *G, x []*N) []*N {
		return []*N{g.Attention(x[0], x[1], x[2], causal), g.Apply(graph.Attention{Causal: true, LSE: true}, x...)}
	}, NoGrad: "LSE has none"},
	{Name: "Attention/self", In: floats(S{1, 6, 2, 4}), Build: func(g *G, x []*N) *N { return g.Attention(x[0], x[0], x[0], causal) }},
	{Name: "AttentionMask", In: join(floats(S{2, 3, 1, 1}), idsOf(S{2}, 4, 2), idsOf(S{2}, 1, 2)), Build: func(g *G, x []*N) *N {
		return g.Exp(g.Apply(graph.AttentionMask{Of: graph.Attention{Causal: true, Window: 2, Lengths: true, Start: true}, S: 5}, x...))
	}},
}

var dropoutCases = []Case{
	{Name: "Dropout", In: floats(S{3, 5}), Build: func(g *G, x []*N) *N { return g.Dropout(x[0], 0.4, 9) }},
	{Name: "Dropout/scalar", In: floats(S{}), Build: func(g *G, x []*N) *N { return g.Dropout(x[0], 0.01, 4) }},
	{Name: "Dropout/none", In: floats(S{3}), Build: func(g *G, x []*N) *N { return g.Dropout(x[0], 0, 4) }},
	{Name: "Dropout/most", In: floats(S{700}), Build: func(g *G, x []*N) *N { return g.Dropout(x[0], 0.99, 1<<63) }},
	{Name: "Dropout/parts", In: floats(S{50000}), Build: func(g *G, x []*N) *N { return g.Dropout(x[0], 0.1, 2) }},
	{Name: "Dropout/streams", In: floats(S{99}), Build: func(g *G, x []*N) *N {
		return g.Mul(g.Dropout(x[0], 0.3, 1), g.Dropout(x[0], 0.3, 2))
	}},
}

func rotary(o graph.RotaryOpts) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N {
		if len(x) > 1 {
			return g.Rotary(x[0], x[1], o)
		}
		return g.Rotary(x[0], nil, o)
	}
}

var llama3 = graph.RotaryScaling{Factor: 8, Low: 1, High: 4, Context: 64}

var rotaryCases = []Case{
	{Name: "Rotary", In: floats(S{2, 5, 3, 8}), Build: rotary(graph.RotaryOpts{})},
	{Name: "Rotary/one", In: floats(S{1, 1, 1, 2}), Build: rotary(graph.RotaryOpts{Base: 10})},
	{Name: "Rotary/part", In: floats(S{2, 5, 3, 10}), Build: rotary(graph.RotaryOpts{Dim: 6})},
	{Name: "Rotary/interleaved", In: floats(S{2, 5, 3, 8}), Build: rotary(graph.RotaryOpts{Interleaved: true})},
	{Name: "Rotary/interleaved-part", In: floats(S{2, 5, 3, 7}), Build: rotary(graph.RotaryOpts{Interleaved: true, Dim: 4})},
	{Name: "Rotary/positions", In: join(floats(S{2, 3, 2, 4}), idsOf(S{3}, 7, 0, 500)), Build: rotary(graph.RotaryOpts{})},
	{Name: "Rotary/rows", In: join(floats(S{2, 3, 2, 4}), idsOf(S{2, 3}, 7, 8, 9, 0, 1, 1<<20)), Build: rotary(graph.RotaryOpts{})},
	{Name: "Rotary/linear", In: floats(S{1, 9, 2, 4}), Build: rotary(graph.RotaryOpts{Scaling: graph.RotaryScaling{Factor: 4}})},
	{Name: "Rotary/llama3", In: floats(S{1, 40, 2, 8}), Build: rotary(graph.RotaryOpts{Base: 500, Scaling: llama3})},
	{Name: "Rotary/parts", In: floats(S{2, 45, 4, 64}), Build: rotary(graph.RotaryOpts{})},
	{Name: "Rotary/wide", In: floats(S{1, 2, 70, 64}), Build: rotary(graph.RotaryOpts{})},
	{Name: "RotaryTable", In: join(floats(S{1}), ids(S{3, 7}, 100)), Build: func(g *G, x []*N) *N {
		return g.Apply(graph.RotaryTable{DType: x[0].DType(), Base: 100, Dim: 6, Scaling: llama3}, x[1])
	}},
}

var positionCases = []Case{
	{Name: "Iota", In: floats(S{1}), Build: func(g *G, x []*N) *N { return g.Iota(7) }},
	{Name: "Iota/rows", In: floats(S{1}), Build: func(g *G, x []*N) *N { return g.Iota(2, 3, 1) }},
	{Name: "Iota/rows-wide", In: floats(S{1}), Build: func(g *G, x []*N) *N { return g.Iota(3, 5) }},
	{Name: "Positions", In: idsOf(S{3}, 5, 0, -2), Build: func(g *G, x []*N) *N { return g.Positions(x[0], 4) }},
	{Name: "Positions/one", In: idsOf(S{1}, 9), Build: func(g *G, x []*N) *N { return g.Positions(x[0], 1) }},
}
