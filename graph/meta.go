package graph

import (
	"fmt"
	"strings"

	"github.com/pkg/errors"
)

// MaxRank is the largest number of axes.
const MaxRank = 8

// Shape has the extent of each axis; a scalar has none.
type Shape []int

// Size is the number of elements: the product of the extents.
func (s Shape) Size() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Equal reports whether s and t have the same extents.
func (s Shape) Equal(t Shape) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range s {
		if s[i] != t[i] {
			return false
		}
	}
	return true
}

// Axis returns axis i of s counted from the front; a negative one counts from the end.
func (s Shape) Axis(i int) (int, error) {
	if i < -len(s) || i >= len(s) {
		return 0, errors.Errorf("axis %d of shape %v", i, s)
	}
	if i < 0 {
		i += len(s)
	}
	return i, nil
}

// Clone returns a copy.
func (s Shape) Clone() Shape { return append(Shape{}, s...) }

func (s Shape) String() string { return strings.ReplaceAll(fmt.Sprint([]int(s)), ",", " ") }

// Dims is a list of at most [MaxRank] integers that can be compared, for attributes of ops.
type Dims struct {
	N int
	D [MaxRank]int
}

// DimsOf makes a Dims. Past [MaxRank] the rest is dropped; N still tells the true length, which Infer methods refuse.
func DimsOf(d ...int) Dims {
	r := Dims{N: len(d)}
	copy(r.D[:], d)
	return r
}

// Shape returns d as a shape.
func (d Dims) Shape() Shape { return append(Shape{}, d.D[:max(0, min(d.N, MaxRank))]...) }

func (d Dims) String() string { return d.Shape().String() }

// Meta is what is known of a value before it is computed.
type Meta struct {
	DType DType
	Shape Shape
}

// Of makes a Meta from a dtype and extents; without extents it is that of a scalar.
func Of(d DType, shape ...int) Meta { return Meta{d, append(Shape{}, shape...)} }

// Size is the number of elements.
func (m Meta) Size() int { return m.Shape.Size() }

// Bytes is the size of a contiguous value.
func (m Meta) Bytes() int { return m.Size() * m.DType.Size() }

// Equal reports whether dtype and shape are the same.
func (m Meta) Equal(o Meta) bool { return m.DType == o.DType && m.Shape.Equal(o.Shape) }

func (m Meta) String() string { return m.DType.String() + m.Shape.String() }

// maxElements bounds a value: offsets of elements of any dtype stay far from overflow.
const maxElements = 1 << 40

// check refuses a meta that no value can have.
func (m Meta) check() error {
	if len(m.Shape) > MaxRank {
		return errors.Errorf("rank %d, at most %d", len(m.Shape), MaxRank)
	}
	if !m.DType.known() {
		return errors.Errorf("%v: there is no such dtype", m.DType)
	}
	n := 1
	for _, d := range m.Shape {
		if d < 1 {
			return errors.Errorf("shape %v: every extent must be at least 1", m.Shape)
		}
		if n > maxElements/d {
			return errors.Errorf("shape %v: more than %d elements", m.Shape, maxElements)
		}
		n *= d
	}
	return nil
}
