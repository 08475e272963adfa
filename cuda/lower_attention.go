package cuda

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
)

var (
	_ = lowered(lowerAttention)
	_ = lowered(lowerAttentionGrad)
)

// attnTile is the number of queries, or keys, of a block, and attnLanes that of the keys, or queries, of a tile.
const (
	attnTile  = 16
	attnLanes = 32
)

// attnShape is struct shape of kernels/attention.cu. Steps are those of q, k, v, y, dy and of two results.
func attnShape(op graph.Attention, q, k value, of ...value) []int32 {
	t := []int32{int32(q.Shape[0]), int32(q.Shape[1]), int32(k.Shape[1]), int32(q.Shape[2]), int32(q.Shape[2] / k.Shape[2]), int32(q.Shape[3]),
		int32(btoi(op.Causal)), int32(op.Window)}
	for _, v := range append([]value{q, k}, of...) {
		for axis := range 3 {
			s := 0
			if len(v.Shape) == 4 {
				s = v.step(axis)
			}
			t = append(t, int32(s))
		}
	}
	for len(t) < 8+3*7 {
		t = append(t, 0)
	}
	return t
}

// attnWidth is the head size for which a kernel was compiled.
func attnWidth(hs int) (width string, ok bool) {
	for _, w := range []struct {
		hs   int
		name string
	}{{32, "32"}, {64, "64"}, {128, "128"}, {256, "256"}} {
		if hs <= w.hs {
			return w.name, true
		}
	}
	return "", false
}

// attnArgs are the arguments that the kernels share: lengths, segments, start, shape, key, limit, keep, scale.
func attnArgs(op graph.Attention, ids []value, shape []int32, hs int) []any {
	args := make([]any, 3, 8)
	for i, has := range []bool{op.Lengths, op.Segments, op.Start} {
		if has {
			args[i], ids = ids[0], ids[1:]
		}
	}
	scale := op.Scale
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(hs))
	}
	args = append(args, shape)
	if op.Drop > 0 {
		args = append(args, scalar{kind: scalarKey, stream: op.Stream}, uint32(math.Round(op.Drop*(1<<24))), float32(1/(1-op.Drop)))
	} else {
		args = append(args, nil, 0, float32(1))
	}
	return append(args, float32(scale))
}

// attnCheck refuses heads that no kernel takes, and slices that cut them apart.
func attnCheck(op graph.Op, hs int, values ...value) (width string, err error) {
	width, ok := attnWidth(hs)
	if !ok {
		return "", unsupported(op, "heads of more than 256 elements")
	}
	for _, v := range values {
		if len(v.Shape) == 4 && !v.whole() {
			return "", unsupported(op, "a slice that cuts heads apart")
		}
	}
	return width, nil
}

func lowerAttention(b *builder, op graph.Attention) error {
	q, k, v, y := b.in[0], b.in[1], b.in[2], b.out[0]
	hs := q.Shape[3]
	width, err := attnCheck(op, hs, q, k, v, y)
	if err != nil {
		return err
	}
	if y.empty() {
		y.Shape = nil
	}
	if q.Shape[1] <= fewQueries && op.Drop == 0 {
		b.few(op, width, y)
		return nil
	}
	blocks := (q.Shape[1] + attnTile - 1) / attnTile * q.Shape[0] * q.Shape[2]
	args := append([]any{y, b.out[1], q, k, v}, attnArgs(op, b.in[3:], attnShape(op, q, k, v, y), hs)...)
	b.launchShared("ceto_attention_"+width, dim{blocks, 1, 1}, dim{128, 1, 1}, 4*(attnTile+2*attnLanes)*(hs+1), args...)
	return nil
}

// A head has kernels of its own for at most fewQueries queries. Their blocks have fewWarps warps. A query's keys are
// cut into chunks of at least fewKeys.
const (
	fewQueries = 4
	fewWarps   = 4
	fewKeys    = 64
)

// few launches an attention of few queries, such as a decoding step. A block has one query. Where there are few blocks
// and many keys, each query's keys are cut into chunks, whose results a second kernel joins.
func (b *builder) few(op graph.Attention, width string, y value) {
	q, k, v := b.in[0], b.in[1], b.in[2]
	rows, hs := q.Shape[:3].Size(), q.Shape[3]
	count, per := cut(k.Shape[1], rows, 1, fewKeys)
	var part any
	if count > 1 {
		part = b.temp(graph.Of(graph.Float32, rows*count, hs+2))
	}
	shape := attnShape(op, q, k, v, y)
	args := attnArgs(op, b.in[3:], shape, hs) // lengths, segments, start, shape, …, scale
	ids, scale := args[:4], args[len(args)-1]
	b.launchShared("ceto_attention_few_"+width, dim{rows * count, 1, 1}, dim{32 * fewWarps, 1, 1}, 4*fewWarps*(hs+2),
		append(append([]any{y, b.out[1], part, q, k, v}, ids...), count, per, scale)...)
	if count > 1 {
		b.launch("ceto_attention_join", dim{parts(rows, 8), 1, 1}, dim{256, 1, 1}, y, b.out[1], part, shape, count, rows)
	}
}

func lowerAttentionGrad(b *builder, op graph.AttentionGrad) error {
	q, k, v, y, lse, dy := b.in[0], b.in[1], b.in[2], b.in[3], b.in[4], b.in[5]
	dq, dk, dv := b.out[0], b.out[1], b.out[2]
	hs := q.Shape[3]
	width, err := attnCheck(op, hs, q, k, v, y, dy, dq, dk, dv)
	if err != nil {
		return err
	}
	rows := q.Size() / hs
	delta := b.temp(graph.Of(graph.Float32, rows))
	b.launch("ceto_attention_delta", dim{(rows + 7) / 8, 1, 1}, dim{256, 1, 1}, delta, y, dy, attnShape(op.Of, q, k, v, y, dy))
	shared := 4 * 2 * (attnTile + attnLanes) * (hs + 1)
	operands := []any{q, k, v, lse, dy, delta}
	if !dq.empty() {
		args := append(append([]any{dq}, operands...), attnArgs(op.Of, b.in[6:], attnShape(op.Of, q, k, v, y, dy, dq), hs)...)
		blocks := (q.Shape[1] + attnTile - 1) / attnTile * q.Shape[0] * q.Shape[2]
		b.launchShared("ceto_attention_dq_"+width, dim{blocks, 1, 1}, dim{128, 1, 1}, shared, args...)
	}
	if !dk.empty() || !dv.empty() {
		args := append(append([]any{dk, dv}, operands...), attnArgs(op.Of, b.in[6:], attnShape(op.Of, q, k, v, y, dy, dk, dv), hs)...)
		blocks := (k.Shape[1] + attnTile - 1) / attnTile * k.Shape[0] * k.Shape[2]
		b.launchShared("ceto_attention_dkv_"+width, dim{blocks, 1, 1}, dim{128, 1, 1}, shared, args...)
	}
	return nil
}
