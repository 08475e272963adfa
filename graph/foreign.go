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
		vals[i] = ValueOf(c)
	}
	v, err := f.Expr.Do(vals...)
	if err != nil {
		return errors.Wrapf(err, "graph: %v", f.Expr)
	}
	b, err := BufOfValue(v, out[0].Meta)
	if err != nil {
		return err
	}
	copy(out[0].Mem, b.Mem)
	return nil
}

// BufOfValue views a value of Gorgonia's as a Buf of meta m, without a copy where it is a contiguous tensor. A value of
// another dtype or number of elements is an error.
func BufOfValue(v gorgonia.Value, m Meta) (Buf, error) {
	t, ok := v.(tensor.Tensor)
	if !ok {
		if s, ok := v.(gorgonia.Scalar); ok {
			if b, ok := viewed(s.Data(), m); ok {
				return b, nil
			}
		}
		return Buf{}, errors.Errorf("graph: a value of type %T where %v is due", v, m)
	}
	d, ok := t.(*tensor.Dense)
	if ok && (d.RequiresIterator() || d.DataOrder().IsColMajor()) {
		d, ok = d.Materialize().(*tensor.Dense)
	}
	if !ok || d.Shape().TotalSize() != m.Size() || d.Dtype() != m.DType.Tensor() {
		return Buf{}, errors.Errorf("graph: a value %v %v where %v is due", v.Dtype(), v.Shape(), m)
	}
	return BufOfDense(d, m)
}

// BufOfDense views a contiguous dense tensor as a Buf of meta m, without a copy. A tensor of another dtype or number of
// elements is an error.
func BufOfDense(d *tensor.Dense, m Meta) (Buf, error) {
	b, ok := viewed(d.Data(), m)
	if !ok {
		return Buf{}, errors.Errorf("graph: a tensor %v %v where %v is due", d.Dtype(), d.Shape(), m)
	}
	return b, nil
}

// Floats returns the elements of a contiguous dense tensor, row-major, as a []float32 or a []float64. Where T is the
// tensor's own element type the result is its memory, else a rounded copy. A tensor of ids is an error.
func Floats[T Float](d *tensor.Dense) ([]T, error) {
	if v, ok := d.Data().([]T); ok {
		return v, nil
	}
	n := d.Shape().TotalSize()
	b, ok := bufOfAny(d.Data(), Shape{n})
	if !ok || !b.DType.IsFloat() || len(b.Mem) != b.Bytes() {
		return nil, errors.Errorf("graph: Floats: a tensor %v %v: want floats", d.Dtype(), d.Shape())
	}
	y := make([]T, n)
	BufOf(y, n).Convert(b)
	return y, nil
}

// viewed views a slice, or a single element, as a Buf of meta m, and reports whether it fits.
func viewed(v any, m Meta) (Buf, bool) {
	b, ok := bufOfAny(v, m.Shape)
	return b, ok && b.DType == m.DType && len(b.Mem) == m.Bytes()
}

// Dense returns b, which must be contiguous, as a tensor over the same memory. A scalar becomes a tensor of shape (1).
func Dense(b Buf) *tensor.Dense {
	opts := []tensor.ConsOpt{tensor.WithShape(b.Shape...), tensor.WithBacking(b.Elements())}
	if len(b.Shape) == 0 {
		opts[0] = tensor.WithShape(1)
	}
	return tensor.New(opts...)
}

// ValueOf returns b, which must be contiguous, as a value of Gorgonia. It is a tensor over the same memory, and for a
// scalar a copy.
func ValueOf(b Buf) gorgonia.Value {
	if len(b.Shape) > 0 {
		return Dense(b)
	}
	return dtypes[b.DType].scalar(b)
}
