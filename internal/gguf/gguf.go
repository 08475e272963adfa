// Package gguf reads and writes GGUF files. Such a file is a header, then the tensors' data, most of it quantized in
// blocks of 32 or 256 values. The header has metadata (keys and typed values) and tensors (name, shape, type,
// offset). Files are mapped into memory: the data of tensors is not copied, the metadata is.
//
//	f, err := gguf.Open("model.gguf")
//	defer f.Close()
//	arch, ok := f.String("general.architecture")
//	t, ok := f.Tensor("token_embd.weight")
//	w := make([]float32, t.Len())
//	err = t.Decode(w, 0, t.Rows())
//
// Source of the format: github.com/ggml-org/ggml, docs/gguf.md.
package gguf

import (
	"math"
	"math/bits"

	"github.com/ceto-ml/ceto/internal/mapped"
	"github.com/pkg/errors"
)

// File is an open file.
type File struct {
	Version int
	Meta    []KV     // in the file's order
	Tensors []Tensor // in the file's order; nil after Close

	keys, names index
	mem         *mapped.File
}

// KV is a key of the metadata and its value. The value is a uint8, int8, uint16, int16, uint32, int32, uint64, int64,
// float32, float64, bool or string, or a slice of one of these.
type KV struct {
	Key   string
	Value any
}

// Tensor is a named array: blocks of values of a type, row-major and little-endian.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int // outermost first, the reverse of the file's order; empty for a scalar
	Data  []byte
}

// Open maps a file and checks it as [Parse] does. Close it after use. Read the data of tensors within [mapped.Guard].
func Open(path string) (*File, error) {
	mem, err := mapped.Open(path)
	if err != nil {
		return nil, errors.Wrap(err, "gguf: Open")
	}
	var f *File
	err = mapped.Guard(func() (err error) {
		f, err = parse(mem.Bytes)
		return errors.Wrap(err, path)
	})
	if err != nil {
		mem.Close()
		return nil, errors.Wrap(err, "gguf: Open")
	}
	f.mem = mem
	return f, nil
}

// Close unmaps the file. The data of tensors must not be used after it; the metadata stays.
func (f *File) Close() error {
	f.Tensors, f.names = nil, nil
	if f.mem == nil {
		return nil
	}
	return errors.Wrap(f.mem.Close(), "gguf: Close")
}

// Tensor returns the tensor with a name; false where there is none.
func (f *File) Tensor(name string) (Tensor, bool) {
	i, ok := f.names.find(name, func(i int) string { return f.Tensors[i].Name })
	if !ok {
		return Tensor{}, false
	}
	return f.Tensors[i], true
}

// Len is the number of values.
func (t Tensor) Len() int {
	n := 1
	for _, e := range t.Shape {
		n *= e
	}
	return n
}

// Rows is the number of rows: the product of all extents but the last.
func (t Tensor) Rows() int {
	n := 1
	for _, e := range t.Shape[:max(len(t.Shape), 1)-1] {
		n *= e
	}
	return n
}

// Cols is the number of values of a row: the last extent, or 1 for a scalar.
func (t Tensor) Cols() int {
	if len(t.Shape) == 0 {
		return 1
	}
	return t.Shape[len(t.Shape)-1]
}

// maxRank is the largest rank. The reference implementation reads no larger one.
const maxRank = 4

// byteLen returns a tensor's number of bytes, or an error where the type or the shape is not possible.
func byteLen(t Type, shape []int) (int, error) {
	l := t.layout()
	if l.bytes == 0 {
		return 0, errors.Errorf("type %s, want one of %s", t.number(), known())
	}
	if len(shape) > maxRank {
		return 0, errors.Errorf("%d extents, want at most %d", len(shape), maxRank)
	}
	n := uint64(1)
	for _, e := range shape {
		hi, lo := bits.Mul64(n, uint64(e))
		if e <= 0 || hi != 0 || lo > math.MaxInt/8 { // 8 bytes a value, the widest type
			return 0, errors.Errorf("shape %v, want extents from 1 on and a product that fits an int", shape)
		}
		n = lo
	}
	if cols := (Tensor{Shape: shape}).Cols(); cols%l.values != 0 {
		return 0, errors.Errorf("rows of %d values, want a multiple of %d, the block of %s", cols, l.values, t)
	}
	return int(n) / l.values * l.bytes, nil
}
