package cuda

import (
	"math"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
)

// attentionRow is a row of an attention of q (B, T, NH, HS) with k and v (B, S, KVH, HS), and of its LSE.
func attentionRow(op graph.Attention, q, k shape, ids ...graphtest.Operand) graphtest.Case {
	in := append([]graphtest.Operand{{Shape: q}, {Shape: k}, {Shape: k}}, ids...)
	lse := op
	lse.LSE = true
	return graphtest.Case{Name: graph.Describe(op), In: in, NoGrad: "LSE has none",
		BuildAll: func(g *graph.Graph, x []*graph.Node) []*graph.Node {
			return []*graph.Node{g.Apply(op, x...), g.Apply(lse, x...)}
		}}
}

// TestFewQueries: attention of few queries, with their keys in one chunk and in several, is the CPU's.
func TestFewQueries(t *testing.T) {
	p := pairOf(t, false)
	ids := func(s shape, v ...float64) graphtest.Operand {
		return graphtest.Operand{Shape: s, Vocab: 1000, Values: v}
	}
	for _, c := range []graphtest.Case{
		attentionRow(graph.Attention{}, shape{1, 1, 1, 17}, shape{1, 1031, 1, 17}),
		attentionRow(graph.Attention{Causal: true, Start: true}, shape{3, 1, 6, 64}, shape{3, 701, 2, 64}, ids(shape{3}, 700, 3, 301)),
		attentionRow(graph.Attention{Causal: true, Start: true, Window: 97}, shape{2, 4, 2, 80}, shape{2, 263, 1, 80}, ids(shape{2}, 200, -2)),
		attentionRow(graph.Attention{Lengths: true, Start: true, Causal: true}, shape{3, 2, 1, 256}, shape{3, 131, 1, 256}, ids(shape{3}, 0, 131, 67), ids(shape{3}, 129, 129, 129)),
		attentionRow(graph.Attention{Segments: true}, shape{1, 3, 2, 5}, shape{1, 7, 2, 5}, ids(shape{1, 7}, 0, 0, 1, 2, 1, 0, 0)),
		attentionRow(graph.Attention{Scale: -0.7}, shape{40, 4, 3, 3}, shape{40, 5, 1, 3}),
	} {
		if err := c.Evaluate(p); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

// TestAttentionNaN: a query that is not a number gives no number, however few keys it sees.
func TestAttentionNaN(t *testing.T) {
	p := pairOf(t, false)
	for _, queries := range []int{1, 5} {
		c := attentionRow(graph.Attention{Causal: true}, shape{1, queries, 1, 3}, shape{1, queries, 1, 3})
		c.In[0].Values = make([]float64, 3*queries)
		c.In[0].Values[1] = math.NaN()
		if err := c.Evaluate(p); err != nil {
			t.Errorf("%d queries: %v", queries, err)
		}
	}
}
