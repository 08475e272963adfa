package cuda

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
)

// The updates, the random op and the ops that read tables.
var (
	_ = lowered(lowerAdamW)
	_ = lowered(lowerSGD)
	_ = lowered(func(b *builder, op graph.EMA) error {
		n := b.in[0].Size()
		b.each("ceto_ema", n, b.out[0], b.in[0], b.in[1], float32(op.Decay), float32(1-op.Decay), n)
		return nil
	})
	_ = lowered(func(b *builder, op graph.Dropout) error {
		n, limit := b.in[0].Size(), uint32(math.Round(op.P*(1<<24)))
		b.each("ceto_dropout", n, b.out[0], b.in[0], scalar{kind: scalarKey, stream: op.Stream}, limit, float32(1/(1-op.P)), n)
		return nil
	})
	_ = lowered(func(b *builder, _ graph.Embedding) error {
		b.ids(0, 0, b.in[1].Shape[0])
		b.gather(b.in[1], b.in[0], 0)
		return nil
	})
	_ = lowered(func(b *builder, op graph.Gather) error {
		b.ids(1, 0, b.in[0].Shape[op.Axis])
		b.gather(b.in[0], b.in[1], op.Axis)
		return nil
	})
	_ = lowered(lowerEmbeddingGrad)
	_ = lowered(lowerGatherGrad)
)

func lowerAdamW(b *builder, op graph.AdamW) error {
	in, n := b.in, b.in[0].Size()
	var keep any
	l2 := op.Decay
	if op.Decoupled {
		keep, l2 = scalar{kind: scalarKeep, scale: op.LRScale, decay: op.Decay}, 0
	}
	step := scalar{kind: scalarStep, scale: op.LRScale, beta: op.Beta1, start: op.Start}
	root := scalar{kind: scalarRoot, beta: op.Beta2, start: op.Start}
	b.each("ceto_adamw", n, b.out[0], b.out[1], b.out[2], in[0], in[1], in[2], in[3], in[4], keep, step, root,
		float32(op.Beta1), float32(1-op.Beta1), float32(op.Beta2), float32(1-op.Beta2), float32(op.Eps), float32(l2), n)
	return nil
}

func lowerSGD(b *builder, op graph.SGD) error {
	in, n := b.in, b.in[0].Size()
	var m, mo any
	if op.Momentum != 0 {
		m, mo = in[2], b.out[1]
	}
	b.each("ceto_sgd", n, b.out[0], mo, in[0], in[1], m, in[len(in)-1], scalar{kind: scalarRate, scale: op.LRScale},
		scalar{kind: scalarFirst}, float32(op.Momentum), float32(op.Decay), op.Nesterov, n)
	return nil
}

// gather reads rows of a table.
func (b *builder) gather(table, ids value, axis int) {
	_, rows, inner := table.Shape.Around(axis)
	b.each("ceto_gather", b.out[0].Size(), b.out[0], table, ids, ids.Size(), rows, inner, b.out[0].Size())
}

func lowerEmbeddingGrad(b *builder, op graph.EmbeddingGrad) error {
	b.ids(0, 0, op.Vocab)
	if op.Acc {
		if err := b.copy(b.out[0], b.in[2]); err != nil {
			return err
		}
	} else {
		b.each("ceto_fill", b.out[0].Size(), b.out[0], 0, b.out[0].Size())
	}
	dy := b.in[1]
	b.scatter(b.out[0], dy, b.in[0], 1, op.Vocab, dy.Shape[len(dy.Shape)-1])
	return nil
}

func lowerGatherGrad(b *builder, op graph.GatherGrad) error {
	b.ids(1, 0, op.N)
	outer, _, inner := b.in[0].Shape.Around(op.Axis)
	b.each("ceto_fill", b.out[0].Size(), b.out[0], 0, b.out[0].Size())
	b.scatter(b.out[0], b.in[0], b.in[1], outer, op.N, inner)
	return nil
}

// fewIDs is the number of ids up to which each block looks for its own among all. More are sorted first.
const fewIDs = 2048

// maxGroups is the most groups of one launch: the y extent of a grid, and the z extent.
const maxGroups = 65535

// scatter adds rows of dy (outer, ids, inner) to y (outer, rows, inner), those of one id in their order.
func (b *builder) scatter(y, dy, ids value, outer, rows, inner int) {
	n := ids.Size()
	block := dim{32 * warps(inner), 1, 1}
	columns := min(maxGroups, (inner+block.x-1)/block.x)
	kernel, list := "ceto_scatter", []any{ids}
	if n > fewIDs {
		sorted, place := b.sorted(ids, rows)
		kernel, list = "ceto_scatter_sorted", []any{sorted, place}
	}
	for o := 0; o < outer; o += maxGroups {
		args := append(append([]any{y.at(o * rows * inner), dy.at(o * n * inner)}, list...), n, rows, inner)
		b.launch(kernel, dim{n, min(maxGroups, outer-o), columns}, block, args...)
	}
}

// sorted sorts ids, and returns the place of each too; equal ones keep their order.
func (b *builder) sorted(ids value, most int) (sorted, place value) {
	n := ids.Size()
	blocks := (n + 255) / 256
	counts := b.temp(graph.Of(graph.Int32, 256*blocks))
	var pairs [2][2]value
	for i := range pairs {
		pairs[i] = [2]value{b.temp(graph.Of(graph.Int32, n)), b.temp(graph.Of(graph.Int32, n))}
	}
	keys, from := ids, any(nil)
	for pass, shift := 0, 0; shift == 0 || most>>shift > 0; pass, shift = pass+1, shift+8 {
		to := pairs[pass%2]
		b.launch("ceto_sort_count", dim{blocks, 1, 1}, dim{256, 1, 1}, counts, keys, shift, n)
		b.launch("ceto_sort_scan", dim{1, 1, 1}, dim{256, 1, 1}, counts, 256*blocks)
		b.launch("ceto_sort_move", dim{blocks, 1, 1}, dim{256, 1, 1}, to[0], to[1], keys, from, counts, shift, n)
		keys, from = to[0], to[1]
		sorted, place = to[0], to[1]
	}
	return sorted, place
}
