package graph_test

import (
	"fmt"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/vec"
)

// gptOps are the ops of a GPT step beside products and attention. The sizes are nanoGPT's CPU setting (12·64 rows of
// 128, V 65) and (4·256 rows of 384).
func gptOps(rows, c, v int) []struct {
	name string
	op   graph.Op
	in   []graph.Meta
} {
	x, w := f32(rows, c), f32(c)
	return []struct {
		name string
		op   graph.Op
		in   []graph.Meta
	}{
		{"LayerNorm", graph.Norm{Eps: 1e-5, Weight: true}, []graph.Meta{x, w}},
		{"LayerNormGrad", graph.NormGrad{Weight: true}, []graph.Meta{x, w, f32(rows), f32(rows), x}},
		{"RMSNormGrad", graph.NormGrad{RMS: true, Weight: true}, []graph.Meta{x, w, f32(rows), x}},
		{"Embedding", graph.Embedding{}, []graph.Meta{i32(rows), f32(v, c)}},
		{"EmbeddingGrad", graph.EmbeddingGrad{Vocab: v, Acc: true}, []graph.Meta{i32(rows), x, f32(v, c)}},
		{"CrossEntropy", graph.CrossEntropy{}, []graph.Meta{f32(rows, v), i32(rows)}},
		{"CrossEntropyBoth", graph.CrossEntropyBoth{}, []graph.Meta{f32(rows, v), i32(rows), f32()}},
		{"LinearCrossEntropy", graph.LinearCrossEntropy{TransB: true}, []graph.Meta{x, f32(v, c), i32(rows), f32()}},
		{"Softmax", graph.Softmax{Axis: 1}, []graph.Meta{f32(rows, v)}},
		{"Softmax/columns", graph.Softmax{Axis: 0}, []graph.Meta{f32(v, rows)}},
		{"AdamW", graph.AdamW{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Decay: 0.1, Decoupled: true}, []graph.Meta{f32(c, 4*c), f32(c, 4*c), f32(c, 4*c), f32(c, 4*c), f32()}},
		{"Adam/l2", graph.AdamW{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Decay: 0.1}, []graph.Meta{f32(c, 4*c), f32(c, 4*c), f32(c, 4*c), f32(c, 4*c), f32()}},
		{"SGD", graph.SGD{Momentum: 0.9}, []graph.Meta{f32(c, 4*c), f32(c, 4*c), f32(c, 4*c), f32()}},
		{"SumSq", graph.SumSq{}, []graph.Meta{f32(c, 4*c)}},
	}
}

// BenchmarkGPT evaluates each op with all its parts.
func BenchmarkGPT(b *testing.B) {
	for _, size := range [][3]int{{768, 128, 65}, {1024, 384, 65}} {
		for _, o := range gptOps(size[0], size[1], size[2]) {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%dx%d/%d", o.name, size[0], size[1], threads), func(b *testing.B) {
					benchParts(b, o.op, o.in, threads)
				})
			}
		}
	}
}

func benchParts(b *testing.B, op graph.Op, m []graph.Meta, threads int) {
	var in []graph.Buf
	for k, meta := range m {
		x := graph.NewBuf(meta)
		for i := range x.Size() {
			if meta.DType == graph.Int32 {
				graph.Data[int32](x)[i] = int32(i * 7 % 65)
			} else {
				graph.Data[float32](x)[i] = float32((i*7+k)%65) / 65
			}
		}
		in = append(in, x)
	}
	_, _, n := graph.WholeOf(op)
	out := make([]graph.Buf, n)
	for i := range out {
		y, err := part(op, i).Infer(m)
		if err != nil {
			b.Fatal(err)
		}
		out[i] = graph.NewBuf(y)
	}
	scratch := 0
	if s, ok := op.(graph.Scratcher); ok {
		scratch = s.Scratch(m)
	}
	pool := vec.NewPool(threads)
	defer pool.Close()
	c := graph.NewCtx(pool, &graph.Scalars{Step: 1, LR: 1e-3}, graph.Alloc(scratch))
	b.ReportAllocs()
	for b.Loop() {
		if err := op.Eval(c, out, in); err != nil {
			b.Fatal(err)
		}
	}
}

// part is part i of an op.
func part(op graph.Op, i int) graph.Op {
	switch o := op.(type) {
	case graph.Norm:
		o.Of = i
		return o
	case graph.NormGrad:
		o.Of = i
		return o
	case graph.CrossEntropyBoth:
		o.Grad = i == 1
		return o
	case graph.LinearCrossEntropy:
		o.Grad = i == 1
		return o
	}
	return op
}
