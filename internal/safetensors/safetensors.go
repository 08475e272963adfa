// Package safetensors reads and writes safetensors files: an 8-byte little-endian length, a JSON header of names,
// dtypes, shapes and offsets, then the values. Files are mapped into memory and values are not copied.
//
//	f, err := safetensors.Open("model.safetensors")
//	defer f.Close()
//	t, ok := f.Tensor("wte.weight")
//	w, err := safetensors.Values[float32](t)
package safetensors

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/pkg/errors"
)

// DType is the type of an element, as the header names it.
type DType string

// The dtypes that are read and written.
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I64  DType = "I64"
	I32  DType = "I32"
	U8   DType = "U8"
	Bool DType = "BOOL"
)

// order is the order of the dtypes in a file. It is the Python package's: widest first, so that all values are
// aligned. sizes are the bytes of an element.
var (
	order = []DType{I64, F64, F32, I32, BF16, F16, U8, Bool}
	sizes = map[DType]int{I64: 8, F64: 8, F32: 4, I32: 4, BF16: 2, F16: 2, U8: 1, Bool: 1}
)

// Size is the number of bytes of an element; 0 for an unknown dtype.
func (d DType) Size() int { return sizes[d] }

// Tensor is a named array of values, row-major and little-endian.
type Tensor struct {
	Name  string
	DType DType
	Shape []int
	Data  []byte
}

// Number is a Go type that has a dtype. A uint16 holds the bits of an F16 or a BF16.
type Number interface {
	float32 | float64 | int32 | int64 | uint8 | uint16 | bool
}

// dtypes returns the dtypes of a Go type. The first is the one that [Of] takes.
func dtypes[T Number]() []DType {
	var v T
	switch any(v).(type) {
	case float32:
		return []DType{F32}
	case float64:
		return []DType{F64}
	case int32:
		return []DType{I32}
	case int64:
		return []DType{I64}
	case uint8:
		return []DType{U8}
	case bool:
		return []DType{Bool}
	}
	return []DType{BF16, F16}
}

// Of returns a tensor with the values v. On a little-endian machine it shares v's memory. A uint16 becomes BF16: set
// DType afterwards if the bits are those of F16.
func Of[T Number](name string, shape []int, v []T) Tensor {
	t := Tensor{Name: name, DType: dtypes[T]()[0], Shape: shape}
	size := int(unsafe.Sizeof(*new(T)))
	if len(v) > 0 {
		t.Data = unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*size)
	}
	if !littleEndian {
		t.Data = swap(t.Data, size)
	}
	return t
}

// Values returns the values of t. They share t's memory, so do not write to them where t belongs to a mapped file. On
// a big-endian machine, or where they are not aligned, they are a copy. A T of another dtype is an error.
func Values[T Number](t Tensor) ([]T, error) {
	size := int(unsafe.Sizeof(*new(T)))
	if !slices.Contains(dtypes[T](), t.DType) {
		return nil, errors.Errorf("safetensors: Values: %q is %s, want one of %v", t.Name, t.DType, dtypes[T]())
	}
	if len(t.Data)%size != 0 {
		return nil, errors.Errorf("safetensors: Values: %q has %d bytes, no whole number of %s", t.Name, len(t.Data), t.DType)
	}
	if t.DType == Bool {
		for i, b := range t.Data { // a Go bool has no other byte
			if b > 1 {
				return nil, errors.Errorf("safetensors: Values: %q has byte %d at %d, want 0 or 1", t.Name, b, i)
			}
		}
	}
	if len(t.Data) == 0 {
		return []T{}, nil
	}
	b := t.Data
	if !littleEndian {
		b = swap(b, size)
	}
	if uintptr(unsafe.Pointer(&b[0]))%unsafe.Alignof(*new(T)) == 0 {
		return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(b)/size), nil
	}
	v := make([]T, len(b)/size)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(b)), b)
	return v, nil
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// swap returns a copy of b with the bytes of each element reversed.
func swap(b []byte, size int) []byte {
	b = slices.Clone(b)
	for e := range slices.Chunk(b, size) {
		slices.Reverse(e)
	}
	return b
}

// byteLen returns a tensor's number of bytes, or an error where the shape or the dtype is not possible.
func byteLen(d DType, shape []int) (int, error) {
	size, ok := sizes[d]
	if !ok {
		return 0, errors.Errorf("dtype %q, want one of %v", d, order)
	}
	n := uint64(size)
	for _, e := range shape {
		if e < 0 {
			return 0, errors.Errorf("shape %v has a negative extent", shape)
		}
		hi, lo := bits.Mul64(n, uint64(e))
		if hi != 0 || lo > math.MaxInt {
			return 0, errors.Errorf("shape %v of %s has too many bytes", shape, d)
		}
		n = lo
	}
	return int(n), nil
}
