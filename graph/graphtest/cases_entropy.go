package graphtest

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
)

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

// entropyRows are rows of the cross-entropy of logits (…, V). They have the sum, its gradient in one pass with it,
// the weight, and the loss of each row.
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

// linearEntropy is the row of a LinearCrossEntropy: operands x (rows, K), w, targets, and class weights; its gradient
// first where op.Grad.
func linearEntropy(name string, op graph.LinearCrossEntropy, in ...[]Operand) Case {
	other := op
	other.Grad = !op.Grad
	return Case{Name: "LinearCrossEntropy" + name, In: join(append(in, within(0.3, 3, S{}))...), NoGrad: "it is one",
		BuildAll: func(g *G, x []*N) []*N { return []*N{g.Apply(op, x...), g.Apply(other, x...)} },
		Want:     func(c Case, _ S, x [][]float64) []float64 { return linearEntropyOracle(op, c, x) }}
}

// linearEntropyOracle computes −Σᵢ q[i]·ln p[i], q what the targets, their smoothing and the weights ask of each class,
// and dy·(p·Σq − q)·wᵀ.
func linearEntropyOracle(op graph.LinearCrossEntropy, c Case, x [][]float64) []float64 {
	rows, k := c.In[0].Shape[0], c.In[0].Shape[1]
	n := c.In[1].Shape.Size() / k
	w := func(i, j int) float64 { // of input i, class j
		if op.TransB {
			return x[1][j*k+i]
		}
		return x[1][i*n+j]
	}
	sum, grad := 0.0, make([]float64, rows*k)
	for r := range rows {
		target := int(x[2][r])
		if op.HasIgnore && target == int(op.IgnoreIndex) {
			continue
		}
		p, all, asked := make([]float64, n), 0.0, 0.0
		for j := range n {
			for i := range k {
				p[j] += x[0][r*k+i] * w(i, j)
			}
			p[j] = math.Exp(p[j])
			all += p[j]
		}
		q := make([]float64, n)
		for j := range n {
			if q[j] = op.Smoothing / float64(n); j == target {
				q[j] += 1 - op.Smoothing
			}
			if op.Weighted {
				weight := j
				if op.Smoothing == 0 {
					weight = target
				}
				q[j] *= x[3][weight]
			}
			p[j] /= all
			asked += q[j]
			sum -= q[j] * math.Log(p[j])
		}
		for i := range k {
			for j := range n {
				grad[r*k+i] += x[len(x)-1][0] * (p[j]*asked - q[j]) * w(i, j)
			}
		}
	}
	if op.Grad {
		return grad
	}
	return []float64{sum}
}

type linearXent = graph.LinearCrossEntropy

var linearEntropyCases = []Case{
	linearEntropy("", linearXent{}, floats(S{10, 5}, S{5, 7}), ids(S{10}, 7)),
	linearEntropy("/grad", linearXent{Grad: true}, floats(S{10, 5}, S{5, 7}), ids(S{10}, 7)),
	linearEntropy("/transposed", linearXent{Grad: true, TransB: true}, floats(S{10, 5}, S{7, 5}), ids(S{10}, 7)),
	linearEntropy("/one-row", linearXent{Grad: true, TransB: true}, floats(S{1, 5}, S{7, 5}), ids(S{1}, 7)),
	linearEntropy("/turns", linearXent{TransB: true}, floats(S{300, 6}, S{9, 6}), ids(S{300}, 9)),
	linearEntropy("/turns-grad", linearXent{Grad: true, TransB: true}, floats(S{300, 6}, S{9, 6}), ids(S{300}, 9)),
	linearEntropy("/parts", linearXent{Grad: true}, floats(S{140, 3}, S{3, 700}), ids(S{140}, 700)),
	linearEntropy("/ignore", linearXent{CrossEntropy: graph.CrossEntropy{HasIgnore: true, IgnoreIndex: 3}, TransB: true}, floats(S{300, 6}, S{9, 6}), ids(S{300}, 9)),
	linearEntropy("/ignore-grad", linearXent{CrossEntropy: graph.CrossEntropy{HasIgnore: true, IgnoreIndex: -1}, Grad: true, TransB: true}, floats(S{7, 6}, S{9, 6}), idsOf(S{7}, -1, 4, -1, -1, 0, 8, -1)),
	linearEntropy("/ignore-all", linearXent{CrossEntropy: graph.CrossEntropy{HasIgnore: true, IgnoreIndex: -1}, Grad: true}, floats(S{4, 6}, S{6, 9}), idsOf(S{4}, -1)),
	linearEntropy("/smooth", linearXent{CrossEntropy: graph.CrossEntropy{Smoothing: 0.2}, Grad: true}, floats(S{10, 5}, S{5, 7}), ids(S{10}, 7)),
	linearEntropy("/weights", linearXent{CrossEntropy: graph.CrossEntropy{Weighted: true}, Grad: true}, floats(S{10, 5}, S{5, 7}), ids(S{10}, 7), classes),
	linearEntropy("/weights-smooth", linearXent{CrossEntropy: graph.CrossEntropy{Weighted: true, Smoothing: 0.3}}, floats(S{10, 5}, S{5, 7}), ids(S{10}, 7), classes),
}

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
