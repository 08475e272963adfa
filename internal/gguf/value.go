package gguf

import (
	"encoding/binary"
	"math"
	"strings"
	"unsafe"

	"github.com/pkg/errors"
)

// kind is a type of the metadata's values. value reads one, array reads an array of n; where they fail, r keeps the
// error. append appends the value or array v to b and returns how many elements an array has, or scalar for a value.
// ok is false where v has another type.
type kind struct {
	value  func(r *reader) any
	array  func(r *reader, n uint64) any
	append func(b []byte, v any) (out []byte, n int, ok bool)
}

// kinds lists the types of values by their number in the file.
var kinds = [...]kind{
	0: kindOf[uint8](), 1: kindOf[int8](), 2: kindOf[uint16](), 3: kindOf[int16](), 4: kindOf[uint32](),
	5: kindOf[int32](), 6: kindOf[float32](), 7: kindBool, 8: kindString, arrayKind: {},
	10: kindOf[uint64](), 11: kindOf[int64](), 12: kindOf[float64](),
}

const (
	arrayKind = 9  // an array: the type of its elements, their number and the elements follow
	scalar    = -1 // in place of the number of elements where a value is no array
)

// read reads a value's type, then the value.
func (r *reader) read() any {
	if k := r.kind(); k == arrayKind {
		if e := r.kind(); r.err == nil && e != arrayKind {
			return kinds[e].array(r, r.u64())
		}
		r.fail("an array of arrays, want an array of numbers, bools or strings")
	} else if r.err == nil {
		return kinds[k].value(r)
	}
	return nil
}

// kind reads the number of a value's type.
func (r *reader) kind() uint32 {
	k := r.u32()
	if k >= uint32(len(kinds)) {
		r.fail("a value of type %d, want 0 to %d", k, len(kinds)-1)
		return 0
	}
	return k
}

// appendValue appends the type of a value, then the value.
func appendValue(b []byte, v any) ([]byte, error) {
	for k, kind := range kinds {
		if k == arrayKind {
			continue
		}
		body, n, ok := kind.append(nil, v)
		if !ok {
			continue
		}
		if n != scalar {
			b = binary.LittleEndian.AppendUint32(b, arrayKind)
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(k))
		if n != scalar {
			b = binary.LittleEndian.AppendUint64(b, uint64(n))
		}
		return append(b, body...), nil
	}
	return nil, errors.Errorf("a value of Go type %T, want a number of fixed size, a bool, a string or a slice of one of these", v)
}

// kindOf returns the kind of the numbers of a Go type.
func kindOf[T uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 | float32 | float64]() kind {
	size := uint64(unsafe.Sizeof(*new(T)))
	return kind{
		value: func(r *reader) any {
			var v T
			if b := r.take(size); b != nil {
				binary.Decode(b, binary.LittleEndian, &v)
			}
			return v
		},
		array: func(r *reader, n uint64) any {
			b := r.take(total(n, size))
			v := make([]T, len(b)/int(size))
			binary.Decode(b, binary.LittleEndian, v)
			return v
		},
		append: func(b []byte, v any) ([]byte, int, bool) {
			n := scalar
			switch x := v.(type) {
			case T:
			case []T:
				n = len(x)
			default:
				return b, 0, false
			}
			b, err := binary.Append(b, binary.LittleEndian, v)
			return b, n, err == nil
		},
	}
}

// total returns n·size, or more bytes than any file has where the product overflows.
func total(n, size uint64) uint64 {
	if n > math.MaxInt64/size {
		return math.MaxInt64
	}
	return n * size
}

// kindBool is the kind of bools, one byte each.
var kindBool = kind{
	value: func(r *reader) any {
		v := readBools(r, 1)
		return len(v) == 1 && v[0]
	},
	array: func(r *reader, n uint64) any { return readBools(r, n) },
	append: func(b []byte, v any) ([]byte, int, bool) {
		switch v := v.(type) {
		case bool:
			return appendBools(b, v), scalar, true
		case []bool:
			return appendBools(b, v...), len(v), true
		}
		return b, 0, false
	},
}

func readBools(r *reader, n uint64) []bool {
	b := r.take(n)
	v := make([]bool, len(b))
	for i, x := range b {
		if x > 1 {
			r.fail("a bool of byte %d, want 0 or 1", x)
		}
		v[i] = x == 1
	}
	return v
}

func appendBools(b []byte, v ...bool) []byte {
	for _, x := range v {
		if x {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return b
}

// kindString is the kind of strings, each with its length before it in 8 bytes.
var kindString = kind{
	value: func(r *reader) any { return string(r.bytes()) },
	array: func(r *reader, n uint64) any { return readStrings(r, n) },
	append: func(b []byte, v any) ([]byte, int, bool) {
		switch v := v.(type) {
		case string:
			return appendString(b, v), scalar, true
		case []string:
			for _, s := range v {
				b = appendString(b, s)
			}
			return b, len(v), true
		}
		return b, 0, false
	},
}

// readStrings reads an array of strings. They share one copy of their bytes. A copy for each string would take
// several times the bytes that many short ones have in the file.
func readStrings(r *reader, n uint64) []string {
	if n > uint64(r.left()/8) {
		r.fail("an array of %d strings in the %d bytes left, want at least 8 bytes a string: truncated?", n, r.left())
		return nil
	}
	start, size := r.at, 0
	for range n {
		size += len(r.bytes())
	}
	if r.err != nil {
		return nil
	}
	var all strings.Builder
	all.Grow(size)
	v := make([]string, n)
	r.at = start
	for i := range v {
		from := all.Len()
		all.Write(r.bytes())
		v[i] = all.String()[from:]
	}
	return v
}

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}
