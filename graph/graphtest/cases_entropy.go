package graphtest

import "github.com/ceto-ml/ceto/graph"

type xent = graph.CrossEntropyOpts

// entropy builds the sum of losses.
func entropy(opt xent) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N { return g.CrossEntropy(x[0], x[1], weighted(opt, x)) }
}

// weighted takes operand 2 for class weights, where there is one.
func weighted(opt xent, x []*N) xent {
	if len(x) > 2 {
		opt.Weights = x[2]
	}
	return opt
}

// entropyRows are rows of the cross-entropy of logits (…, V): the sum, its gradient in one pass with it, the weight and
// the loss of each row.
func entropyRows(name string, in []Operand, opt xent) []Case {
	op := graph.CrossEntropy{HasIgnore: opt.HasIgnore, IgnoreIndex: opt.IgnoreIndex, Smoothing: opt.Smoothing, Weighted: len(in) > 2}
	return []Case{
		{Name: "CrossEntropy" + name, In: in, Build: entropy(opt)},
		{Name: "CrossEntropyWeight" + name, In: in, Build: func(g *G, x []*N) *N { return g.CrossEntropyWeight(x[0], x[1], weighted(opt, x)) }},
		{Name: "CrossEntropyRows" + name, In: in, NoGrad: "it has none", Build: func(g *G, x []*N) *N { return g.CrossEntropyRows(x[0], x[1], weighted(opt, x)) }},
		{Name: "CrossEntropyBoth" + name, In: join(in, within(0.3, 3, S{})), NoGrad: "it is one", BuildAll: func(g *G, x []*N) []*N {
			return []*N{g.Apply(graph.CrossEntropyBoth{CrossEntropy: op}, x...), g.Apply(graph.CrossEntropyBoth{CrossEntropy: op, Grad: true}, x...)}
		}},
	}
}

var (
	tenRows    = join(floats(S{10, 7}), ids(S{10}, 7))
	classes    = fixed(0.25, 2, S{7})
	withIgnore = xent{HasIgnore: true, IgnoreIndex: 3}
)

var entropyCases = flat(
	entropyRows("", tenRows, xent{}),
	entropyRows("/shape", join(floats(S{2, 3, 5}), ids(S{2, 3}, 5)), xent{}),
	entropyRows("/one-row", join(floats(S{5}), ids(S{}, 5)), xent{}),
	entropyRows("/one-class", join(floats(S{4, 1}), ids(S{4}, 1)), xent{}),
	entropyRows("/parts", join(floats(S{600, 65}), ids(S{600}, 65)), xent{}),
	entropyRows("/vocab", join(floats(S{2, 40001}), ids(S{2}, 40001)), xent{}),
	entropyRows("/sure", join(within(-40, 40, S{10, 7}), ids(S{10}, 7)), xent{}),
	entropyRows("/far", join(within(9990, 10000, S{10, 7}), ids(S{10}, 7)), xent{}),
	entropyRows("/ignore", tenRows, withIgnore),
	entropyRows("/ignore-outside", join(floats(S{4, 7}), idsOf(S{4}, -100, 2, 6, -100)), xent{HasIgnore: true, IgnoreIndex: -100}),
	entropyRows("/ignore-all", join(floats(S{3, 7}), idsOf(S{3}, 3)), withIgnore),
	entropyRows("/smooth", tenRows, xent{Smoothing: 0.1}),
	entropyRows("/smooth-ignore", tenRows, xent{HasIgnore: true, IgnoreIndex: 3, Smoothing: 0.2}),
	entropyRows("/weights", join(tenRows, classes), xent{}),
	entropyRows("/weights-ignore", join(tenRows, classes), withIgnore),
	entropyRows("/weights-smooth", join(tenRows, classes), xent{HasIgnore: true, IgnoreIndex: 3, Smoothing: 0.3}),
	[]Case{
		{Name: "CrossEntropy/masked", In: join(floatsOf(S{2, 3}, 1, -inf, 2, 0, 0, -inf), idsOf(S{2}, 0)), NoGrad: "infinite", Build: entropy(xent{})},
		{Name: "CrossEntropy/masked-weights", In: join(floatsOf(S{2, 3}, 1, -inf, 2, 0, 0, -inf), idsOf(S{2}, 0), fixed(0.5, 2, S{3})), NoGrad: "infinite", Build: entropy(xent{})},
		{Name: "CrossEntropy/impossible", In: join(floatsOf(S{2, 3}, 1, -inf, 2, 0, 0, -inf), idsOf(S{2}, 1, 2)), NoGrad: "infinite", Build: entropy(xent{})},
		{Name: "CrossEntropy/mean", In: join(tenRows, classes), Build: func(g *G, x []*N) *N {
			opt := weighted(withIgnore, x)
			return g.Div(g.CrossEntropy(x[0], x[1], opt), g.CrossEntropyWeight(x[0], x[1], opt))
		}},
		{Name: "CrossEntropy/scaled", In: tenRows, Build: func(g *G, x []*N) *N {
			l := g.CrossEntropy(x[0], x[1], xent{Smoothing: 0.1})
			return g.Mul(l, l)
		}},
	},
)

func embed(g *G, x []*N) *N { return g.Embedding(x[0], x[1]) }

var embeddingCases = []Case{
	{Name: "Embedding", In: join(ids(S{6}, 5), floats(S{5, 3})), Build: embed},
	{Name: "Embedding/batch", In: join(ids(S{2, 4}, 5), floats(S{5, 3})), Build: embed},
	{Name: "Embedding/scalar", In: join(ids(S{}, 5), floats(S{5, 3})), Build: embed},
	{Name: "Embedding/ones", In: join(ids(S{1}, 1), floats(S{1, 1})), Build: embed},
	{Name: "Embedding/repeat", In: join(idsOf(S{6}, 4, 4, 0, 4), floats(S{5, 3})), Build: embed},
	{Name: "Embedding/parts", In: join(ids(S{9, 33}, 65), floats(S{65, 130})), Build: embed},
	{Name: "Embedding/wide", In: join(ids(S{3}, 2), floats(S{2, 20001})), Build: embed},
	{Name: "Embedding/tied", In: join(ids(S{6}, 5), floats(S{5, 3})), Build: func(g *G, x []*N) *N { return g.MatMulT(embed(g, x), x[1]) }},
	{Name: "EmbeddingGrad", In: join(idsOf(S{4}, 4, 1, 4, 4), floats(S{4, 3})), NoGrad: "it is one", Build: apply(graph.EmbeddingGrad{Vocab: 5})},
	{Name: "EmbeddingGrad/acc", In: join(idsOf(S{4}, 4, 1, 4, 4), floats(S{4, 3}, S{5, 3})), NoGrad: "it is one", Build: apply(graph.EmbeddingGrad{Vocab: 5, Acc: true})},
	{Name: "EmbeddingGrad/acc-parts", In: join(ids(S{99}, 65), floats(S{99, 300}, S{65, 300})), NoGrad: "it is one", Build: apply(graph.EmbeddingGrad{Vocab: 65, Acc: true})},
}
