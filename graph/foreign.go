package graph

import (
	"fmt"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Foreign is an op of Gorgonia's or of the user's own (gorgonia.Op and, for derivatives, gorgonia.SDOp), brought in by
// [Graph.Wrap]. Each evaluation copies the operands to fresh tensors, calls its Do and copies the result out.
type Foreign struct {
	Expr gorgonia.Op
	Meta *Meta
}

func (f Foreign) String() string { return fmt.Sprint(f.Expr) }

// Infer returns the meta that Gorgonia inferred.
func (f Foreign) Infer([]Meta) (Meta, error) { return *f.Meta, nil }

// VJP is never called: Gorgonia asks the foreign op itself.
func (f Foreign) VJP(*Graph, []*Node, *Node, *Node) []*Node { return nil }

// Stops asks the foreign op which operands have gradients.
func (f Foreign) Stops(i int) bool {
	s, ok := f.Expr.(gorgonia.SDOp)
	if !ok {
		return true
	}
	d := s.DiffWRT(max(i+1, f.Expr.Arity()))
	return i >= len(d) || !d[i]
}

// Eval runs the foreign op's Do.
func (f Foreign) Eval(_ *Ctx, out, in []Buf) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Errorf("graph: %v: Do panics: %v", f.Expr, r)
		}
	}()
	vals := make([]gorgonia.Value, len(in))
	for i, b := range in {
		c := NewBuf(b.Meta)
		copy(c.Mem, b.Mem)
		if vals[i], err = valueOfBuf(c); err != nil {
			return err
		}
	}
	v, err := f.Expr.Do(vals...)
	if err != nil {
		return errors.Wrapf(err, "graph: %v", f.Expr)
	}
	b, err := bufOfValue(v, out[0].Meta)
	if err != nil {
		return err
	}
	copy(out[0].Mem, b.Mem)
	return nil
}

// bufOfValue views a value of Gorgonia's, which must have meta m, without a copy where it is a contiguous tensor.
func bufOfValue(v gorgonia.Value, m Meta) (Buf, error) {
	switch v := v.(type) {
	case *gorgonia.F32:
		return BufOf([]float32{float32(*v)}), nil
	case *gorgonia.F64:
		return BufOf([]float64{float64(*v)}), nil
	case *gorgonia.I32:
		return BufOf([]int32{int32(*v)}), nil
	case tensor.Tensor:
		d, ok := v.(*tensor.Dense)
		if ok && (d.RequiresIterator() || d.DataOrder().IsColMajor()) {
			d, ok = d.Materialize().(*tensor.Dense)
		}
		if !ok || d.Shape().TotalSize() != m.Size() || d.Dtype() != m.DType.Tensor() {
			return Buf{}, errors.Errorf("graph: a value %v %v where %v is due", v.Dtype(), v.Shape(), m)
		}
		return BufOfDense(d, m)
	}
	return Buf{}, errors.Errorf("graph: a value of type %T where %v is due", v, m)
}

// BufOfDense views a contiguous dense tensor as a Buf of meta m, without a copy.
func BufOfDense(d *tensor.Dense, m Meta) (Buf, error) {
	var b Buf
	switch data := d.Data().(type) {
	case []float32:
		b = BufOf(data, m.Shape...)
	case float32:
		b = BufOf([]float32{data}, m.Shape...)
	case []float64:
		b = BufOf(data, m.Shape...)
	case float64:
		b = BufOf([]float64{data}, m.Shape...)
	case []int32:
		b = BufOf(data, m.Shape...)
	case int32:
		b = BufOf([]int32{data}, m.Shape...)
	}
	if b.DType != m.DType || len(b.Mem) != m.Bytes() {
		return Buf{}, errors.Errorf("graph: a tensor %v %v where %v is due", d.Dtype(), d.Shape(), m)
	}
	return b, nil
}

// Dense returns b as a tensor over the same memory.
func Dense(b Buf) *tensor.Dense {
	opts := []tensor.ConsOpt{tensor.WithShape(b.Shape...), tensor.WithBacking(backing(b))}
	if len(b.Shape) == 0 {
		opts[0] = tensor.WithShape(1)
	}
	return tensor.New(opts...)
}

func backing(b Buf) any {
	switch b.DType {
	case Float32:
		return Data[float32](b)
	case Float64:
		return Data[float64](b)
	}
	return Data[int32](b)
}

// valueOfBuf returns b as a value of Gorgonia's over the same memory.
func valueOfBuf(b Buf) (gorgonia.Value, error) {
	if len(b.Shape) > 0 {
		return Dense(b), nil
	}
	switch b.DType {
	case Float32:
		return gorgonia.NewF32(Data[float32](b)[0]), nil
	case Float64:
		return gorgonia.NewF64(Data[float64](b)[0]), nil
	}
	return gorgonia.NewI32(Data[int32](b)[0]), nil
}
