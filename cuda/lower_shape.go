package cuda

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
)

// elementwise lowers an elementwise op of two operands that broadcast.
func elementwise[O graph.Op](kernel string) struct{} {
	return lowered(func(b *builder, _ O) error {
		y, n := b.out[0], b.out[0].Size()
		if x := b.in; x[0].Shape.Equal(y.Shape) && x[1].Shape.Equal(y.Shape) {
			b.each("ceto_"+kernel, n, y, x[0], x[1], n)
			return nil
		}
		w := broadcast(y.Shape, b.in[0].Shape, b.in[1].Shape)
		b.each("ceto_"+kernel+"_broadcast", n, y, b.in[0], b.in[1], w.table(), n)
		return nil
	})
}

// The elementwise ops of several operands, and those that move elements.
var (
	_ = elementwise[graph.Add]("add")
	_ = elementwise[graph.Sub]("sub")
	_ = elementwise[graph.Mul]("mul")
	_ = elementwise[graph.Div]("div")
	_ = elementwise[graph.Maximum]("maximum")
	_ = elementwise[graph.Minimum]("minimum")
	_ = elementwise[graph.Heaviside]("heaviside")
	_ = elementwise[graph.Same]("same")
	_ = lowered(lowerWhere)
	_ = lowered(func(b *builder, _ graph.BroadcastTo) error {
		return b.copyWalk(broadcast(b.out[0].Shape, b.in[0].Shape))
	})
	_ = lowered(func(b *builder, op graph.Permute) error { return b.copyWalk(permuted(b.in[0].Shape, op.Perm.Shape())) })
	_ = lowered(func(b *builder, _ graph.Reshape) error { return b.copy(b.out[0], b.in[0]) })
	_ = lowered(func(b *builder, _ plan.Copy) error { return b.copy(b.out[0], b.in[0]) })
	_ = lowered(lowerSlice)
	_ = lowered(lowerPad)
	_ = lowered(lowerConcat)
	_ = lowered(lowerFull)
	_ = lowered(func(b *builder, op graph.Iota) error {
		n := b.out[0].Size()
		b.each("ceto_count", n, b.out[0], nil, b.out[0].Shape[op.Dims.N-1], n)
		return nil
	})
	_ = lowered(func(b *builder, op graph.Positions) error {
		n := b.out[0].Size()
		b.each("ceto_count", n, b.out[0], b.in[0], op.T, n)
		return nil
	})
	_ = lowered(lowerCacheWrite)
	_ = lowered(lowerOneHot)
	_ = lowered(lowerAttentionMask)
)

// copy copies a contiguous value, unless the two are one.
func (b *builder) copy(y, x value) error {
	if n := x.Size(); !y.same(x) {
		b.each("ceto_copy", n, y, x, n)
	}
	return nil
}

// copyWalk copies the operand in the order of a walk.
func (b *builder) copyWalk(w *walk) error {
	n := b.out[0].Size()
	b.each("ceto_copy_walk", n, b.out[0], b.in[0], w.table(), n)
	return nil
}

func lowerWhere(b *builder, _ graph.Where) error {
	y, x := b.out[0], b.in
	mask := uint32(math.MaxUint32)
	if x[0].DType.IsFloat() {
		mask = math.MaxInt32 // −0 is 0
	}
	w := broadcast(y.Shape, x[0].Shape, x[1].Shape, x[2].Shape)
	b.each("ceto_where", y.Size(), y, x[0], x[1], x[2], w.table(), mask, y.Size())
	return nil
}

func lowerSlice(b *builder, op graph.Slice) error {
	_, n, inner := b.in[0].Shape.Around(op.Axis)
	row := (op.Hi - op.Lo) * inner
	b.each("ceto_copy_rows", b.out[0].Size(), b.out[0], b.in[0].at(op.Lo*inner), row, row, n*inner, b.out[0].Size())
	return nil
}

func lowerPad(b *builder, op graph.Pad) error {
	_, k, inner := b.in[0].Shape.Around(op.Axis)
	b.each("ceto_pad", b.out[0].Size(), b.out[0], b.in[0], op.Before*inner, k*inner, (op.Before+k+op.After)*inner, b.out[0].Size())
	return nil
}

func lowerConcat(b *builder, op graph.Concat) error {
	_, n, inner := b.out[0].Shape.Around(op.Axis)
	at := 0
	for _, x := range b.in {
		_, k, _ := x.Shape.Around(op.Axis)
		b.each("ceto_copy_rows", x.Size(), b.out[0].at(at*inner), x, k*inner, n*inner, k*inner, x.Size())
		at += k
	}
	return nil
}

func lowerFull(b *builder, op graph.Full) error {
	bits := math.Float32bits(float32(op.Value))
	if op.DType == graph.Int32 {
		bits = uint32(int32(op.Value))
	}
	b.each("ceto_fill", b.out[0].Size(), b.out[0], bits, b.out[0].Size())
	return nil
}

func lowerCacheWrite(b *builder, _ graph.CacheWrite) error {
	cache, x := b.in[0], b.in[1]
	s, t, row := cache.Shape[1], x.Shape[1], cache.Shape[2:].Size()
	b.ids(2, 0, s-t+1)
	step := row
	if x.stride != 0 {
		if step = x.stride; x.row != row {
			return unsupported(graph.CacheWrite{}, "rows of other parts than positions")
		}
	}
	if err := b.copy(b.out[0], cache); err != nil {
		return err
	}
	b.each("ceto_cache_write", x.Size(), b.out[0], x, b.in[2], s, t, row, step, x.Size())
	return nil
}

func lowerOneHot(b *builder, op graph.OneHot) error {
	ignored := uint32(math.MaxUint32)
	if op.HasIgnore {
		ignored = uint32(op.IgnoreIndex)
		b.idsOr(0, 0, op.V, int(op.IgnoreIndex))
	} else {
		b.ids(0, 0, op.V)
	}
	b.each("ceto_one_hot", b.out[0].Size(), b.out[0], b.in[0], op.V, ignored, b.out[0].Size())
	return nil
}

func lowerAttentionMask(b *builder, op graph.AttentionMask) error {
	args, ids := []any{b.out[0]}, b.in[1:]
	for _, has := range []bool{op.Of.Lengths, op.Of.Segments, op.Of.Start} {
		if has {
			args, ids = append(args, ids[0]), ids[1:]
		} else {
			args = append(args, nil)
		}
	}
	n := b.out[0].Size()
	b.each("ceto_attention_mask", n, append(args, op.Of.Causal, op.Of.Window, b.out[0].Shape[2], op.S, n)...)
	return nil
}
