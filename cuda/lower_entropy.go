package cuda

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
)

var (
	_ = lowered(func(b *builder, op graph.CrossEntropy) error {
		return b.entropy(op, value{slot: -1}, b.out[0], value{slot: -1}, nil)
	})
	_ = lowered(func(b *builder, op graph.CrossEntropyRows) error {
		return b.entropy(op.CrossEntropy, b.out[0], value{slot: -1}, value{slot: -1}, nil)
	})
	_ = lowered(func(b *builder, op graph.CrossEntropyGrad) error {
		return b.entropy(op.CrossEntropy, value{slot: -1}, value{slot: -1}, b.out[0], b.in[len(b.in)-1])
	})
	_ = lowered(func(b *builder, op graph.CrossEntropyBoth) error {
		return b.entropy(op.CrossEntropy, value{slot: -1}, b.out[0], b.out[1], b.in[len(b.in)-1])
	})
	_ = lowered(lowerWeight)
	_ = lowered(lowerLinearCrossEntropy)
)

// targets checks operand i.
func (b *builder) targets(i int, op graph.CrossEntropy, v int) {
	if op.HasIgnore {
		b.idsOr(i, 0, v, int(op.IgnoreIndex))
	} else {
		b.ids(i, 0, v)
	}
}

// entropy launches a cross-entropy of logits, operand 0: the losses of rows, their sum and the gradient, where they are
// wanted. scale is dy.
func (b *builder) entropy(op graph.CrossEntropy, rows, sum, d value, scale any) error {
	v, n := lastAxis(b.in[0])
	b.targets(1, op, v)
	if op.Weighted {
		b.weights = b.in[2]
	}
	var sums any
	if !sum.empty() {
		sums = b.partials(n)
	}
	b.entropyRows(op, rows, sums, d, b.in[0], b.in[1], scale)
	if !sum.empty() {
		b.rows("ceto_join_sum", 1, 8, sum, sums, n)
	}
	return nil
}

// entropyRows launches the kernel of rows of logits.
func (b *builder) entropyRows(op graph.CrossEntropy, rows value, sums any, d, logits, targets value, scale any) {
	v, n := lastAxis(logits)
	var w any
	if op.Weighted {
		w = b.weights
	}
	b.rows("ceto_cross_entropy", n, warps(v), rows, sums, d, logits, targets, w, scale, float32(op.Smoothing), op.HasIgnore,
		ignored(op.HasIgnore, op.IgnoreIndex), v)
}

// ignored is the id that does not count, as a kernel takes it.
func ignored(has bool, id int32) uint32 {
	if !has {
		return math.MaxUint32
	}
	return uint32(id)
}

func lowerWeight(b *builder, op graph.CrossEntropyWeight) error {
	var w any
	if len(b.in) > 1 {
		w = b.in[1]
		b.targets(0, graph.CrossEntropy{HasIgnore: op.HasIgnore, IgnoreIndex: op.IgnoreIndex}, b.in[1].Size())
	}
	b.total("ceto_target_weight", b.in[0].Size(), b.in[0], w, op.HasIgnore, ignored(op.HasIgnore, op.IgnoreIndex))
	return nil
}

// lossRows is the number of rows whose logits are there at a time.
const lossRows = 512

// lowerLinearCrossEntropy goes over the rows of x in chunks: logits, losses with the gradient over them, dx.
func lowerLinearCrossEntropy(b *builder, op graph.LinearCrossEntropy) error {
	x, w, targets := b.in[0], b.in[1], b.in[2]
	k, n := lastAxis(x)
	_, v := transposed(op.TransB, w.Shape[0], w.Shape[1])
	b.targets(2, op.CrossEntropy, v)
	if op.Weighted {
		b.weights = b.in[3]
	}
	at := min(n, lossRows)
	if op.Rows > 0 {
		at = min(n, op.Rows)
	}
	logits, sums := b.temp(graph.Of(graph.Float32, at, v)), b.partials(n)
	br, bc := v, 1
	if op.TransB {
		br, bc = 1, k
	}
	for r := 0; r < n; r += at {
		m := min(at, n-r)
		part := logits
		part.Shape = graph.Shape{m, v}
		b.product(product{m: m, n: v, k: k, ar: k, ac: 1, br: br, bc: bc, batches: 1, batch: &walk{}, c: part, a: x.at(r * k), b: w})
		d := value{slot: -1}
		if !b.out[1].empty() {
			d = part
		}
		ids := targets.at(r)
		b.entropyRows(op.CrossEntropy, value{slot: -1}, sums.at(2*r), d, part, ids, b.in[len(b.in)-1])
		if !b.out[1].empty() {
			dx := b.out[1]
			dx.DType = graph.Float32
			b.product(product{m: m, n: k, k: v, ar: v, ac: 1, br: bc, bc: br, batches: 1, batch: &walk{}, c: dx.at(r * k), a: part, b: w})
		}
	}
	if !b.out[0].empty() {
		b.rows("ceto_join_sum", 1, 8, b.out[0], sums, n)
	}
	return nil
}
