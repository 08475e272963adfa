package cuda

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
)

var (
	_ = lowered(lowerNorm)
	_ = lowered(lowerNormGrad)
	_ = lowered(lowerRotaryTable)
	_ = lowered(lowerRotary)
)

// lastAxis is the extent of the last axis, and the number of rows.
func lastAxis(v value) (n, rows int) {
	n = v.Shape[len(v.Shape)-1]
	return n, v.Size() / n
}

func lowerNorm(b *builder, op graph.Norm) error {
	n, rows := lastAxis(b.in[0])
	var mean, w, bias any
	if !op.RMS {
		mean = b.out[2]
	}
	if op.Weight {
		w = b.in[1]
	}
	if op.Bias {
		bias = b.in[len(b.in)-1]
	}
	b.rows("ceto_norm", rows, warps(n), b.out[0], b.out[1], mean, b.in[0], w, bias, math.Float64bits(op.Eps), op.RMS, n)
	return nil
}

// The rows of a chunk of the sums of dw and db, and the most chunks.
const (
	normRows   = 64
	normChunks = 256
)

func lowerNormGrad(b *builder, op graph.NormGrad) error {
	x, dy := b.in[0], b.in[len(b.in)-1]
	n, rows := lastAxis(x)
	var w, mean, dw, db any
	first := 1
	if op.Weight {
		w, dw, first = b.in[1], b.out[1], 2
	}
	rstd := b.in[first]
	if !op.RMS {
		mean = b.in[first+1]
	}
	if op.Bias {
		db = b.out[len(b.out)-1]
	}
	if wanted(dw) || wanted(db) { // before dx, which may lie over x or dy
		per := max(normRows, (rows+normChunks-1)/normChunks)
		count := (rows + per - 1) / per
		part := b.partials(2 * count * n)
		b.launch("ceto_norm_weights", dim{(n + 31) / 32, count, 1}, dim{256, 1, 1}, part, x, rstd, mean, dy, rows, per, n)
		b.each("ceto_norm_join", n, dw, db, part, count, n)
	}
	if !b.out[0].empty() {
		b.rows("ceto_norm_grad", rows, warps(n), b.out[0], x, w, rstd, mean, dy, n)
	}
	return nil
}

// wanted tells whether an argument is a result that something reads.
func wanted(a any) bool {
	v, ok := a.(value)
	return ok && !v.empty()
}

func lowerRotaryTable(b *builder, op graph.RotaryTable) error {
	half, n := op.Dim/2, b.in[0].Size()*op.Dim/2
	var speeds []int32
	for i := range half {
		bits := math.Float64bits(op.Speed(i))
		speeds = append(speeds, int32(uint32(bits)), int32(uint32(bits>>32)))
	}
	b.each("ceto_rotary_table", n, b.out[0], b.in[0], speeds, half, n)
	return nil
}

// step is the number of elements from one index of an axis to the next.
func (v value) step(axis int) int {
	n := v.Shape[axis+1:].Size()
	if v.stride != 0 && n >= v.row {
		return n / v.row * v.stride
	}
	return n
}

// whole reports whether the rows of a value do not cut its last axis apart.
func (v value) whole() bool { return v.stride == 0 || v.row%v.Shape[len(v.Shape)-1] == 0 }

func lowerRotary(b *builder, op graph.Rotary) error {
	x, table, y := b.in[0], b.in[1], b.out[0]
	if !x.whole() || !y.whole() {
		return unsupported(op, "a slice that cuts heads apart")
	}
	t, nh, hs := x.Shape[1], x.Shape[2], x.Shape[3]
	n := x.Size() / hs * (hs - op.Dim/2)
	sign := float32(1)
	if op.Inverse {
		sign = -1
	}
	b.each("ceto_rotary", n, y, x, table, t, nh, hs, op.Dim, len(table.Shape) == 3, op.Interleaved, sign,
		x.step(0), x.step(1), x.step(2), y.step(0), y.step(1), y.step(2), n)
	return nil
}
