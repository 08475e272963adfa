package graphtest

import "github.com/ceto-ml/ceto/graph"

const noGrad = "an update has none"

// adamRows are rows of an update with two moments on parameters of shape s.
func adamRows(name string, s S, op graph.AdamW) Case {
	in := join(floats(s, s, s), within(0, 2, s), within(0.2, 1, S{}))
	return Case{Name: "AdamW" + name, In: in, NoGrad: noGrad, BuildAll: func(g *G, x []*N) []*N {
		p, m, v := g.AdamW(op, x[0], x[1], x[2], x[3], x[4])
		return []*N{p, m, v}
	}}
}

// sgdRows are rows of gradient descent.
func sgdRows(name string, s S, op graph.SGD) Case {
	return Case{Name: "SGD" + name, In: join(floats(s, s, s), within(0.2, 1, S{})), NoGrad: noGrad, BuildAll: func(g *G, x []*N) []*N {
		p, m := g.SGD(op, x[0], x[1], x[2], x[3])
		if m == nil {
			return []*N{p}
		}
		return []*N{p, m}
	}}
}

var (
	adamW  = graph.AdamW{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Decay: 0.1, LRScale: 100, Decoupled: true}
	adamL2 = graph.AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Decay: 0.1, LRScale: 100}
	adam   = graph.AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-3}
)

var updateCases = []Case{
	adamRows("", S{3, 5}, adamW), adamRows("/scalar", S{}, adamW), adamRows("/one", S{1}, adamW), adamRows("/parts", S{170, 101}, adamW),
	adamRows("/l2", S{3, 5}, adamL2), adamRows("/l2-parts", S{170, 101}, adamL2), adamRows("/adam", S{3, 5}, adam),
	adamRows("/no-beta", S{7}, graph.AdamW{Eps: 0.1, LRScale: 100, Decoupled: true}),
	{Name: "AdamW/zero", In: join(floats(S{5}), floatsOf(S{5}, 0), floatsOf(S{5}, 0), floatsOf(S{5}, 0), floatsOf(S{}, 1)), NoGrad: noGrad, Build: apply(adamW)},
	{Name: "AdamW/unread", In: join(floats(S{40000}, S{40000}, S{40000}), within(0, 2, S{40000}), floatsOf(S{}, 1)), NoGrad: noGrad, BuildAll: func(g *G, x []*N) []*N {
		_, m, _ := g.AdamW(adamW, x[0], x[1], x[2], x[3], x[4])
		return []*N{m}
	}},
	sgdRows("", S{3, 5}, graph.SGD{LRScale: 100}), sgdRows("/scalar", S{}, graph.SGD{}), sgdRows("/decay", S{3, 5}, graph.SGD{LRScale: 100, Decay: 0.3}),
	sgdRows("/momentum", S{3, 5}, graph.SGD{LRScale: 100, Momentum: 0.9}), sgdRows("/nesterov", S{170, 101}, graph.SGD{LRScale: 100, Momentum: 0.9, Nesterov: true, Decay: 0.1}),
	{Name: "SGD/unread", In: floats(S{40000}, S{40000}, S{40000}, S{}), NoGrad: noGrad, BuildAll: func(g *G, x []*N) []*N {
		p, _ := g.SGD(graph.SGD{Momentum: 0.9, LRScale: 100}, x[0], x[1], x[2], x[3])
		return []*N{p}
	}},
	{Name: "EMA", In: floats(S{3, 5}, S{3, 5}), NoGrad: noGrad, Build: func(g *G, x []*N) *N { return g.EMA(x[0], x[1], 0.99) }},
	{Name: "EMA/parts", In: floats(S{40000}, S{40000}), NoGrad: noGrad, Build: func(g *G, x []*N) *N { return g.EMA(x[0], x[1], 0.5) }},
	{Name: "EMA/keep", In: floats(S{5}, S{5}), NoGrad: noGrad, Build: func(g *G, x []*N) *N { return g.EMA(x[0], x[1], 1) }},
	{Name: "GlobalNorm", In: floats(S{3, 5}, S{}, S{170, 101}), NoGrad: noGrad, Build: func(g *G, x []*N) *N { return g.GlobalNorm(x...) }},
	{Name: "GlobalNorm/one", In: floats(S{3, 5}), NoGrad: noGrad, Build: func(g *G, x []*N) *N { return g.GlobalNorm(x[0]) }},
	{Name: "GlobalNorm/many", In: join(floats(S{9}, S{2, 2}), floats(make([]S, 300)...)), NoGrad: noGrad, Build: func(g *G, x []*N) *N { return g.GlobalNorm(x...) }},
	{Name: "GlobalNorm/large", In: within(-1e9, 1e9, S{100}), NoGrad: noGrad, Build: func(g *G, x []*N) *N { return g.GlobalNorm(x[0]) }},
	{Name: "ClipScale/over", In: join(floatsOf(S{}, 12), floatsOf(S{}, 3)), NoGrad: noGrad, Build: func(g *G, x []*N) *N { return g.ClipScale(x[0], x[1], 1) }},
	{Name: "ClipScale/under", In: join(floatsOf(S{}, 2), floatsOf(S{}, 3)), NoGrad: noGrad, Build: func(g *G, x []*N) *N { return g.ClipScale(x[0], x[1], 1) }},
	{Name: "ClipScale/none", In: join(floatsOf(S{}, 12), floatsOf(S{}, 3)), NoGrad: noGrad, Build: func(g *G, x []*N) *N { return g.ClipScale(x[0], x[1], 0) }},
	{Name: "ClipScale/empty", In: join(floatsOf(S{}, 0), floatsOf(S{}, 0)), NoGrad: noGrad, Build: func(g *G, x []*N) *N { return g.ClipScale(x[0], x[1], 1) }},
}
