package graph

import (
	"fmt"
	"unsafe"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// DType is the type of the elements of a value.
//
// All that depends on the dtype stands in this file. A dtype has a constant, an element type in [Elem] and [Float], a
// row in the table below, and a case in [EvalFloat] and [EvalElem]. Everything else asks the table or goes through
// those two.
type DType uint8

// The dtypes. Ids (tokens, classes, positions) are Int32.
const (
	Float32 DType = iota
	Float64
	Int32
)

// Elem are the element types of values.
type Elem interface{ float32 | float64 | int32 }

// Float are the element types that carry gradients.
type Float interface{ float32 | float64 }

// dtypes has a row for each dtype.
var dtypes = [...]dtype{
	Float32: rowOf[float32](Float32, "float32", tensor.Float32, true, func(v float32) gorgonia.Value { return gorgonia.NewF32(v) }),
	Float64: rowOf[float64](Float64, "float64", tensor.Float64, true, func(v float64) gorgonia.Value { return gorgonia.NewF64(v) }),
	Int32:   rowOf[int32](Int32, "int32", tensor.Int32, false, func(v int32) gorgonia.Value { return gorgonia.NewI32(v) }),
}

// EvalFloat evaluates an op o whose floats have dtype d: it calls f32 or f64, the two instances of one generic body.
//
//	func (o Scale) Eval(c *Ctx, out, in []Buf) error {
//		return EvalFloat(in[0].DType, o, c, out, in, scale[float32], scale[float64])
//	}
//
// It returns what the body returns, and an error for a dtype that is no float. It allocates nothing where the two
// instances are written out as above; an instance that a generic function makes is allocated at each call.
func EvalFloat[O any](d DType, o O, c *Ctx, out, in []Buf, f32, f64 func(o O, c *Ctx, out, in []Buf) error) error {
	return evalBy(d, c, out, in, o, f32, o, f64)
}

// evalBy is [EvalFloat] for attributes that have the element type in their own type: a goes with f32, and b with f64.
func evalBy[A, B any](d DType, c *Ctx, out, in []Buf, a A, f32 func(a A, c *Ctx, out, in []Buf) error,
	b B, f64 func(b B, c *Ctx, out, in []Buf) error) error {
	switch d {
	case Float32:
		return f32(a, c, out, in)
	case Float64:
		return f64(b, c, out, in)
	}
	return errors.Errorf("graph: dtype %v: want a float", d)
}

// EvalElem is [EvalFloat] for an op that takes ids as well as floats: a third instance serves int32.
func EvalElem[O any](d DType, o O, c *Ctx, out, in []Buf, f32, f64, i32 func(o O, c *Ctx, out, in []Buf) error) error {
	if d == Int32 {
		return i32(o, c, out, in)
	}
	return EvalFloat(d, o, c, out, in, f32, f64)
}

// dtype is what the package knows of one dtype: its names, and the functions that move its elements.
type dtype struct {
	name   string
	tensor tensor.Dtype
	size   int // bytes of one element
	float  bool
	zero   any // the zero of the element type

	at     func(b Buf, i int) float64
	set    func(b Buf, i int, v float64)
	fill   func(b Buf, v float64)
	read   func(y []float64, b Buf, from int)
	write  func(b Buf, from int, x []float64)
	slice  func(b Buf) any
	scalar func(b Buf) gorgonia.Value
	wrap   func(v any, shape Shape) (Buf, bool)
}

func rowOf[T Elem](d DType, name string, t tensor.Dtype, float bool, scalar func(v T) gorgonia.Value) dtype {
	return dtype{
		name: name, tensor: t, size: int(t.Size()), float: float, zero: T(0),
		at:     func(b Buf, i int) float64 { return float64(Data[T](b)[i]) },
		set:    func(b Buf, i int, v float64) { Data[T](b)[i] = T(v) },
		fill:   func(b Buf, v float64) { fill(Data[T](b), T(v)) },
		read:   func(y []float64, b Buf, from int) { convert(y, Data[T](b)[from:from+len(y)]) },
		write:  func(b Buf, from int, x []float64) { convert(Data[T](b)[from:from+len(x)], x) },
		slice:  func(b Buf) any { return Data[T](b) },
		scalar: func(b Buf) gorgonia.Value { return scalar(Data[T](b)[0]) },
		wrap: func(v any, shape Shape) (Buf, bool) {
			if x, ok := v.(T); ok {
				return wrap(d, []T{x}, shape), true
			}
			x, ok := v.([]T)
			return wrap(d, x, shape), ok
		},
	}
}

func fill[T Elem](y []T, v T) {
	for i := range y {
		y[i] = v
	}
}

func convert[T, U Elem](y []T, x []U) {
	for i, v := range x {
		y[i] = T(v)
	}
}

// wrap views a slice as a Buf of dtype d, which must be T's.
func wrap[T Elem](d DType, data []T, shape Shape) Buf {
	b := Buf{Meta: Of(d, shape...)}
	if len(data) > 0 {
		b.Mem = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(data[0])))
	}
	return b
}

// BufOf views a slice, row-major, as a Buf of the given shape, without a copy. Without a shape it is a scalar.
func BufOf[T Elem](data []T, shape ...int) Buf {
	for d := range dtypes {
		if _, ok := dtypes[d].zero.(T); ok {
			return wrap(DType(d), data, shape)
		}
	}
	return Buf{} // no T comes here: each has a row
}

// bufOfAny is [BufOf] for a slice, or a single element, whose type is not known at compile time.
func bufOfAny(v any, shape Shape) (Buf, bool) {
	for d := range dtypes {
		if b, ok := dtypes[d].wrap(v, shape); ok {
			return b, true
		}
	}
	return Buf{}, false
}

// known reports whether d is one of the dtypes.
func (d DType) known() bool { return int(d) < len(dtypes) }

// Size is the number of bytes of one element, 0 for a dtype that there is not.
func (d DType) Size() int {
	if !d.known() {
		return 0
	}
	return dtypes[d].size
}

// IsFloat reports whether values of d carry gradients.
func (d DType) IsFloat() bool { return d.known() && dtypes[d].float }

// String is the name of the dtype: "float32", "float64" or "int32".
func (d DType) String() string {
	if !d.known() {
		return fmt.Sprintf("dtype(%d)", uint8(d))
	}
	return dtypes[d].name
}

// Tensor returns the dtype's name in gorgonia.org/tensor.
func (d DType) Tensor() tensor.Dtype {
	if !d.known() {
		return tensor.Dtype{}
	}
	return dtypes[d].tensor
}

// DTypeOf is the inverse of [DType.Tensor]. A dtype of gorgonia.org/tensor that is not one of ours is an error.
func DTypeOf(t tensor.Dtype) (DType, error) {
	for d := range dtypes {
		if dtypes[d].tensor == t {
			return DType(d), nil
		}
	}
	return 0, errors.Errorf("graph: dtype %v: want float32, float64 or int32", t)
}

// At returns element i of b as a float64, which holds every element of every dtype exactly. b must be contiguous.
func (b Buf) At(i int) float64 { return dtypes[b.DType].at(b, i) }

// Set stores v as element i of b, rounded to b's dtype. b must be contiguous.
func (b Buf) Set(i int, v float64) { dtypes[b.DType].set(b, i, v) }

// Fill stores v as every element of b, rounded to b's dtype. b must be contiguous.
func (b Buf) Fill(v float64) { dtypes[b.DType].fill(b, v) }

// Elements returns b's memory as a []float32, []float64 or []int32, whichever b's dtype asks for, without a copy.
func (b Buf) Elements() any { return dtypes[b.DType].slice(b) }

// Convert stores the elements of x in b, rounded to b's dtype. Both must be contiguous, and have as many elements.
func (b Buf) Convert(x Buf) {
	if b.DType == x.DType {
		copy(b.Mem, x.Mem)
		return
	}
	var piece [512]float64
	for at, n := 0, x.Size(); at < n; at += len(piece) {
		p := piece[:min(len(piece), n-at)]
		dtypes[x.DType].read(p, x, at)
		dtypes[b.DType].write(b, at, p)
	}
}
