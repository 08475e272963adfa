package cuda

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/loss"
)

// The reductions.
var (
	_ = lowered(lowerReduce)
	_ = lowered(func(b *builder, _ graph.SumSq) error {
		b.total("ceto_sum_squares", b.in[0].Size(), b.in[0])
		return nil
	})
	_ = lowered(func(b *builder, op loss.Compare) error {
		b.total("ceto_compare", b.in[0].Size(), b.in[0], b.in[1], uint32(op.Kind), float32(op.Delta))
		return nil
	})
	_ = lowered(func(b *builder, op loss.CompareGrad) error {
		n := b.in[0].Size()
		b.each("ceto_compare_grad", n, b.out[0], b.in[0], b.in[1], b.in[2], uint32(op.Kind), float32(op.Delta), n)
		return nil
	})
	_ = lowered(lowerTotal)
	_ = lowered(func(b *builder, op graph.ClipScale) error {
		b.launch("ceto_clip_scale", dim{1, 1, 1}, dim{32, 1, 1}, b.out[0], b.in[0], b.in[1], float32(op.Limit))
		return nil
	})
)

// chunk is the number of elements that a block reduces, and maxChunks the most chunks of one result.
const (
	chunk     = 8192
	maxChunks = 1024
)

// chunks says into how many chunks n elements are cut, and how many elements each has.
func chunks(n, least int) (count, per int) {
	per = max(least, (n+maxChunks-1)/maxChunks)
	return (n + per - 1) / per, per
}

// partials is memory for float64 partial results.
func (b *builder) partials(n int) value { return b.temp(graph.Of(graph.Int32, 2*n)) }

// total launches a kernel that has a partial sum of each chunk of n elements, then the one that adds them up.
func (b *builder) total(kernel string, n int, args ...any) {
	count, per := chunks(n, chunk)
	part := b.partials(count)
	b.rows(kernel, count, 8, append(append([]any{part}, args...), per, n)...)
	b.rows("ceto_join_sum", 1, 8, b.out[0], part, count)
}

func lowerTotal(b *builder, _ graph.Total) error {
	args := []any{b.out[0]}
	for i := range 16 {
		if i < len(b.in) {
			args = append(args, b.in[i])
		} else {
			args = append(args, nil)
		}
	}
	if len(b.in) > 16 {
		return unsupported(graph.Total{}, "more than 16 operands")
	}
	b.launch("ceto_total", dim{1, 1, 1}, dim{32, 1, 1}, args...)
	return nil
}

func lowerReduce(b *builder, op graph.Reduce) error {
	name := [...]string{"sum", "max", "min"}[op.Kind]
	stay, gone := reduced(b.in[0].Shape, op.Axes)
	n, length := b.out[0].Size(), gone.size()
	y, x := b.out[0], b.in[0]
	columns := len(stay.ext) > 0 && stay.step[0][0] == 1 || length <= 32
	least := chunk
	if columns {
		least = 256
	}
	count, per := chunks(length, least)
	var part any
	if count > 1 {
		part, y = b.partials(n*count), value{slot: -1}
	}
	if columns {
		b.each("ceto_reduce_columns_"+name, n*count, y, part, x, stay.table(), gone.table(), count, per, length, n)
	} else {
		b.rows("ceto_reduce_"+name, n*count, warps(per), y, part, x, stay.table(), gone.table(), count, per, length)
	}
	if count > 1 {
		b.rows("ceto_join_"+name, n, warps(count), b.out[0], part, count)
	}
	return nil
}

// warps is how many warps of a block reduce n elements: 1 to 8.
func warps(n int) int { return min(8, max(1, (n+31)/32)) }
