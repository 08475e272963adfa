package cuda

import (
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
)

// productRow is a row of a product of random operands of the shapes in.
func productRow(op graph.MatMul, in []shape) graphtest.Case {
	row := graphtest.Case{Name: graph.Describe(op), NoGrad: "the products of gradients have rows of their own",
		Build: func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Apply(op, x...) }}
	for _, s := range in {
		row.In = append(row.In, graphtest.Operand{Shape: s, Lo: -1, Hi: 1})
	}
	return row
}

// TestLargeProducts: products that take the large tiles, in all layouts, with all that goes with them, are the CPU's.
func TestLargeProducts(t *testing.T) {
	p := pairOf(t, false)
	const m, n, k = 509, 1021, 37
	type mm = graph.MatMul
	for _, c := range []struct {
		op graph.MatMul
		in []shape
	}{
		{mm{}, []shape{{m, k}, {k, n}}},
		{mm{TransA: true}, []shape{{k, m}, {k, n}}},
		{mm{TransB: true, Bias: true, Act: graph.ActGELU}, []shape{{m, k}, {n, k}, {n}}},
		{mm{TransA: true, TransB: true, Acc: true}, []shape{{k, m}, {n, k}, {m, n}}},
		{mm{TransB: true, Bias: true, Acc: true, Act: graph.ActTanh}, []shape{{m, 293}, {n, 293}, {n}, {m, n}}}, // two chunks
		{mm{TransA: true, Acc: true}, []shape{{2, k, m}, {1, k, m}, {2, m, m}}},
		{mm{Bias: true}, []shape{{m, 3}, {3, n}, {n}}},
	} {
		if err := productRow(c.op, c.in).Evaluate(p); err != nil {
			t.Errorf("%s%v: %v", graph.Describe(c.op), c.in, err)
		}
	}
}

// TestTilings: which kernel a product takes, and how k is cut, follows from its shape.
func TestTilings(t *testing.T) {
	for _, c := range []struct {
		p      product
		kernel string
		count  int
	}{
		{product{m: 65536, n: 768, k: 768, batches: 1}, "ceto_matmul_large", 1},
		{product{m: 768, n: 3072, k: 65536, batches: 1}, "ceto_matmul_large", 1},
		{product{m: 768, n: 768, k: 65536, batches: 1}, "ceto_matmul_large", 7},
		{product{m: 65536, n: 50257, k: 768, batches: 1}, "ceto_matmul_large", 1},
		{product{m: 128, n: 768, k: 768, batches: 1}, "ceto_matmul", 6},
		{product{m: 65536, n: 8, k: 768, batches: 1}, "ceto_matmul", 1},
		{product{m: 64, n: 64, k: 64, batches: 1000}, "ceto_matmul", 1},
		{product{m: 9, n: 17, k: 1000, batches: 1}, "ceto_matmul", 7},
	} {
		way := c.p.tiling()
		count, per := cut(c.p.k, way.count(c.p), way.deep, minChunk)
		if way.kernel != c.kernel || count != c.count || per%way.deep != 0 || count*per < c.p.k || (count-1)*per >= c.p.k {
			t.Errorf("%d×%d×%d: %s in %d chunks of %d, want %s in %d", c.p.m, c.p.n, c.p.k, way.kernel, count, per, c.kernel, c.count)
		}
	}
}

// TestThinProducts: products of few rows whose k is cut into chunks are the CPU's.
func TestThinProducts(t *testing.T) {
	p := pairOf(t, false)
	type mm = graph.MatMul
	for _, c := range []struct {
		op graph.MatMul
		in []shape
	}{
		{mm{Bias: true, Act: graph.ActSiLU}, []shape{{1, 1031}, {1031, 67}, {67}}},
		{mm{TransB: true, Bias: true, Act: graph.ActSiLU}, []shape{{1, 1031}, {67, 1031}, {67}}},
		{mm{TransA: true, Acc: true}, []shape{{1031, 7}, {1031, 67}, {7, 67}}},
		{mm{TransA: true, TransB: true, Acc: true}, []shape{{1031, 7}, {67, 1031}, {7, 67}}},
		{mm{TransB: true}, []shape{{2, 3}, {4099, 3}}}, // a warp has four columns
	} {
		if err := productRow(c.op, c.in).Evaluate(p); err != nil {
			t.Errorf("%s%v: %v", graph.Describe(c.op), c.in, err)
		}
	}
}
