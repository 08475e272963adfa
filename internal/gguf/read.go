package gguf

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// magic begins every file.
const magic = "GGUF"

// alignmentKey is the key of the alignment of the tensors' data, in bytes; defaultAlignment holds where it is missing.
const (
	alignmentKey     = "general.alignment"
	defaultAlignment = 32
	maxAlignment     = 1 << 16
)

// The fewest bytes that a file needs for a key with its value and for a tensor without its data. A count that needs
// more bytes than are left is refused before anything is allocated for it.
const (
	minKV     = 8 + 1 + 4 + 1
	minTensor = 8 + 1 + 4 + 4 + 8
)

// Parse reads a file of version 2 or 3 in memory. The tensors share the memory of b. Parse is strict. A key or name
// twice, an unknown type, an array of arrays and an empty tensor are errors. So is data that is cut off, or that does
// not begin where the tensor before it ends. Parse allocates at most 2.6 bytes for each byte of the header; about 2
// are usual.
func Parse(b []byte) (*File, error) {
	f, err := parse(b)
	if err != nil {
		return nil, errors.Wrap(err, "gguf: Parse")
	}
	return f, nil
}

func parse(b []byte) (*File, error) {
	f, r := &File{}, &reader{b: b}
	if string(r.take(4)) != magic {
		return nil, errors.Errorf("begins with %q, want %q", b[:min(len(b), 4)], magic)
	}
	version := r.u32()
	switch {
	case version != 0 && version&0xffff == 0:
		return nil, errors.New("a big-endian file, want a little-endian one")
	case r.err == nil && version != 2 && version != 3:
		return nil, errors.Errorf("version %d, want 2 or 3", version)
	}
	f.Version = int(version)
	tensors, kvs := r.u64(), r.u64()
	if r.err != nil {
		return nil, r.err
	}
	if err := f.readMeta(r, kvs); err != nil {
		return nil, err
	}
	align, err := alignment(f.Value(alignmentKey))
	if err != nil {
		return nil, err
	}
	if err := f.readTensors(r, tensors, align); err != nil || len(f.Tensors) == 0 {
		return f, err
	}
	r.take(uint64(pad(r.at, align)))
	return f, f.place(r, align)
}

// alignment returns the alignment that the value of its key sets, in bytes.
func alignment(v any) (int, error) {
	if v == nil {
		return defaultAlignment, nil
	}
	a, ok := v.(uint32)
	if !ok || a < 8 || a > maxAlignment || a&(a-1) != 0 {
		return 0, errors.Errorf("%s of %T %v, want a uint32, a power of two from 8 to %d", alignmentKey, v, v, maxAlignment)
	}
	return int(a), nil
}

// pad returns the number of bytes from n to the next multiple of align.
func pad(n, align int) int { return -n & (align - 1) }

func (f *File) readMeta(r *reader, n uint64) error {
	if n > uint64(r.left()/minKV) {
		return errors.Errorf("%d keys in the %d bytes left, want at least %d bytes a key: truncated?", n, r.left(), minKV)
	}
	f.Meta = make([]KV, n)
	for i := range f.Meta {
		kv := &f.Meta[i]
		kv.Key = string(r.bytes())
		kv.Value = r.read()
		if r.err != nil {
			return errors.Wrapf(r.err, "key %d of %d, %q", i, n, clip(kv.Key))
		}
	}
	var err error
	f.keys, err = newIndex(len(f.Meta), func(i int) string { return f.Meta[i].Key })
	return errors.Wrap(err, "metadata")
}

// readTensors reads the tensors without their data. Their data must have the same order, with no bytes between but
// the padding: the reference implementation takes no other file either.
func (f *File) readTensors(r *reader, n uint64, align int) error {
	if least := minTensor + align; n > uint64(r.left()/least)+1 { // the last one may have 1 byte of data
		return errors.Errorf("%d tensors in the %d bytes left, want at least %d bytes a tensor: truncated?", n, r.left(), least)
	}
	f.Tensors = make([]Tensor, n)
	next := uint64(0) // offset
	for i := range f.Tensors {
		t := &f.Tensors[i]
		t.Name = string(r.bytes())
		t.Shape = r.shape()
		t.Type = Type(r.u32())
		if offset := r.u64(); offset != next {
			r.fail("offset %d, want %d, where the tensor before it ends", offset, next)
		}
		size, err := byteLen(t.Type, t.Shape)
		if r.err == nil {
			r.err = err
		}
		if r.err == nil && uint64(size)+next > uint64(len(r.b)) {
			r.fail("%d bytes from offset %d in a file of %d: truncated?", size, next, len(r.b))
		}
		if r.err != nil {
			return errors.Wrapf(r.err, "tensor %d of %d, %q", i, n, clip(t.Name))
		}
		next += uint64(size + pad(size, align))
	}
	var err error
	f.names, err = newIndex(len(f.Tensors), func(i int) string { return f.Tensors[i].Name })
	return errors.Wrap(err, "tensors")
}

// place gives the tensors their data, which begins where r is. The padding of the last one may be missing.
func (f *File) place(r *reader, align int) error {
	for i := range f.Tensors {
		t := &f.Tensors[i]
		size, err := byteLen(t.Type, t.Shape)
		if err != nil {
			return err
		}
		t.Data = r.take(uint64(size))
		if r.err != nil {
			return errors.Wrapf(r.err, "data of tensor %d of %d, %q", i, len(f.Tensors), clip(t.Name))
		}
		t.Data = t.Data[:size:size]
		r.take(uint64(pad(size, align)))
	}
	return nil
}

// index lists the numbers of named things in the order of their names.
type index []int32

// newIndex makes the index of n things. An empty name is an error, and so is a name used twice.
func newIndex(n int, name func(int) string) (index, error) {
	if n > math.MaxInt32 {
		return nil, errors.Errorf("%d names, want at most %d", n, math.MaxInt32)
	}
	x := make(index, n)
	for i := range x {
		x[i] = int32(i)
	}
	slices.SortFunc(x, func(a, b int32) int { return strings.Compare(name(int(a)), name(int(b))) })
	if n > 0 && name(int(x[0])) == "" {
		return nil, errors.New("an empty name")
	}
	for i := 1; i < n; i++ {
		if s := name(int(x[i])); s == name(int(x[i-1])) {
			return nil, errors.Errorf("%q twice", clip(s))
		}
	}
	return x, nil
}

// find returns the number of the thing with a name; false where there is none.
func (x index) find(s string, name func(int) string) (int, bool) {
	at, ok := slices.BinarySearchFunc(x, s, func(i int32, s string) int { return strings.Compare(name(int(i)), s) })
	if !ok {
		return 0, false
	}
	return int(x[at]), true
}

// clip shortens a name for an error.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

// reader takes values from the front of b[at:]. After its first error it returns zeros.
type reader struct {
	b   []byte
	at  int
	err error
}

func (r *reader) left() int { return len(r.b) - r.at }

// fail keeps the error if it is the first.
func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = errors.Errorf(format, args...)
	}
}

// take returns the next n bytes, nil where fewer are left.
func (r *reader) take(n uint64) []byte {
	if n > uint64(r.left()) {
		r.fail("%d bytes wanted at byte %d, %d left: truncated?", n, r.at, r.left())
	}
	if r.err != nil {
		return nil
	}
	r.at += int(n)
	return r.b[r.at-int(n) : r.at]
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// bytes reads a number, then returns as many bytes.
func (r *reader) bytes() []byte { return r.take(r.u64()) }

// shape reads a number of extents and the extents, innermost first.
func (r *reader) shape() []int {
	rank := r.u32()
	if rank > maxRank {
		r.fail("%d extents, want at most %d", rank, maxRank)
	}
	if r.err != nil || rank == 0 {
		return nil
	}
	shape := make([]int, rank)
	for i := range shape {
		e := r.u64()
		if e > math.MaxInt {
			r.fail("an extent of %d, want at most %d", e, math.MaxInt)
		}
		shape[int(rank)-1-i] = int(e)
	}
	return shape
}
