package graph_test

import (
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/loss"
	"github.com/ceto-ml/ceto/internal/vec"
)

// BenchmarkOps times Eval on the shapes of a GPT step: B·T = 768 rows of C = 512 channels.
func BenchmarkOps(b *testing.B) {
	x, bias, row := graph.Of(graph.Float32, 768, 512), graph.Of(graph.Float32, 512), graph.Of(graph.Float32, 768, 1)
	heads := graph.Of(graph.Float32, 4, 192, 8, 64)
	for _, c := range []struct {
		name string
		op   graph.Op
		in   []graph.Meta
	}{
		{"Add", graph.Add{}, []graph.Meta{x, x}},
		{"Add/bias", graph.Add{}, []graph.Meta{x, bias}},
		{"Mul/column", graph.Mul{}, []graph.Meta{x, row}},
		{"Scale", graph.Affine{K: 0.5}, []graph.Meta{x}},
		{"Maximum", graph.Maximum{}, []graph.Meta{x, x}},
		{"Where", graph.Where{}, []graph.Meta{x, x, x}},
		{"GELU", graph.GELU{}, []graph.Meta{x}},
		{"Sum/columns", graph.Reduce{Axes: 1}, []graph.Meta{x}},
		{"Sum/rows", graph.Reduce{Axes: 2}, []graph.Meta{x}},
		{"Sum/all", graph.Reduce{Axes: 3}, []graph.Meta{x}},
		{"Max/columns", graph.Reduce{Kind: 1, Axes: 1}, []graph.Meta{x}},
		{"Max/rows", graph.Reduce{Kind: 1, Axes: 2}, []graph.Meta{x}},
		{"Permute/transpose", graph.Permute{Perm: graph.DimsOf(1, 0)}, []graph.Meta{x}},
		{"Permute/heads", graph.Permute{Perm: graph.DimsOf(0, 2, 1, 3)}, []graph.Meta{heads}},
		{"Slice", graph.Slice{Axis: 1, Lo: 100, Hi: 400}, []graph.Meta{x}},
		{"BroadcastTo", graph.BroadcastTo{Dims: graph.DimsOf(768, 512)}, []graph.Meta{bias}},
		{"MSE", loss.Compare{}, []graph.Meta{x, x}},
	} {
		b.Run(c.name, func(b *testing.B) { benchOp(b, c.op, c.in) })
	}
}

func benchOp(b *testing.B, op graph.Op, metas []graph.Meta) {
	out, err := op.Infer(metas)
	if err != nil {
		b.Fatal(err)
	}
	in := make([]graph.Buf, len(metas))
	for i, m := range metas {
		in[i] = graph.NewBuf(m)
		for j := range graph.Data[float32](in[i]) {
			graph.Data[float32](in[i])[j] = float32(j%17) - 8.5
		}
	}
	n := 0
	if s, ok := op.(graph.Scratcher); ok {
		n = s.Scratch(metas)
	}
	pool := vec.NewPool(2)
	defer pool.Close()
	c, y := graph.NewCtx(pool, &graph.Scalars{Step: 1}, graph.Alloc(n)), []graph.Buf{graph.NewBuf(out)}
	bytes := out.Bytes()
	for _, m := range metas {
		bytes += m.Bytes()
	}
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	for b.Loop() {
		if err := op.Eval(c, y, in); err != nil {
			b.Fatal(err)
		}
	}
}
