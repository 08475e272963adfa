// Package data gives batches: rows of numbers, texts, token files. It knows nothing of graphs.
//
//	xor := data.Rows([][]float32{{0, 0}, {0, 1}, {1, 0}, {1, 1}}, []float32{0, 1, 1, 0})
//	src := xor.Train(1)                    // shuffled, without end
//	b := data.NewBatch(src.Fields(), 2)    // arrays x (2, 2) and y (2)
//	n, err := src.Next(b)
package data

import (
	"slices"

	"github.com/pkg/errors"
)

// Array is a named array of a batch, row-major; exactly one of Float and Int is set. The first extent of Shape is the
// number of examples.
type Array struct {
	Shape []int
	Float []float32
	Int   []int32
}

// Batch is a set of named arrays.
type Batch map[string]Array

// Field tells one array of a source's batches: its name, whether it holds ids (int32) or numbers (float32), and the
// shape of one example.
type Field struct {
	Name  string
	Int   bool
	Shape []int
}

// Source is a source of batches whose position can be saved. It is not safe for concurrent use.
type Source interface {
	// Fields tells the arrays of a batch.
	Fields() []Field
	// Len is the number of examples of one epoch.
	Len() int
	// Next fills b, made by NewBatch(Fields(), size), with the next size examples and returns how many it filled. A
	// source for training has no end and fills all. A source of one pass fills what is left, pads the rest with 0 and
	// returns io.EOF from then on.
	Next(b Batch) (n int, err error)
	// Position is where the source stands: Seek to it, and the same batches follow.
	Position() Position
	// Seek goes to a position of a source of the same data. It is an error if the number of examples differs.
	Seek(Position) error
}

// Position is where a source stands. It can be kept as JSON.
type Position struct {
	Seed     uint64 `json:"seed"`     // decides the order; 0 in a source without one
	Examples int    `json:"examples"` // number of one epoch: tells whether the position belongs to this data
	Next     int64  `json:"next"`     // examples given since the start
}

// NewBatch returns a batch of zeros for size examples.
func NewBatch(fields []Field, size int) Batch {
	b := Batch{}
	for _, f := range fields {
		a := Array{Shape: append([]int{size}, f.Shape...)}
		if f.Int {
			a.Int = make([]int32, size*f.len())
		} else {
			a.Float = make([]float32, size*f.len())
		}
		b[f.Name] = a
	}
	return b
}

// len is the number of elements of one example.
func (f Field) len() int { return product(f.Shape) }

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// size returns for how many examples b has room, or an error where b does not have the fields' arrays.
func (b Batch) size(fields []Field) (int, error) {
	size := -1
	for _, f := range fields {
		a, ok := b[f.Name]
		if !ok {
			return 0, errors.Errorf("data: Next: the batch has no array %q", f.Name)
		}
		n := len(a.Float)
		if f.Int {
			n = len(a.Int)
		}
		if len(a.Shape) == 0 || !slices.Equal(a.Shape[1:], f.Shape) || n != product(a.Shape) || f.Int != (a.Float == nil) {
			return 0, errors.Errorf("data: Next: array %q has shape %v and %d values, want (size, %v), ids %t", f.Name, a.Shape, n, f.Shape, f.Int)
		}
		if size >= 0 && a.Shape[0] != size {
			return 0, errors.Errorf("data: Next: arrays of %d and %d examples in one batch", size, a.Shape[0])
		}
		size = a.Shape[0]
	}
	if size < 1 {
		return 0, errors.Errorf("data: Next: a batch of %d examples, want at least 1", max(size, 0))
	}
	return size, nil
}

// cursor is the position of a source and what all sources do with it.
type cursor struct {
	seed uint64
	n    int // examples of one epoch
	next int64
}

// Len implements Source.
func (c *cursor) Len() int { return c.n }

// Position implements Source.
func (c *cursor) Position() Position { return Position{Seed: c.seed, Examples: c.n, Next: c.next} }

// maxNext bounds positions, so that counting on from one does not overflow.
const maxNext = 1 << 60

// Seek implements Source.
func (c *cursor) Seek(p Position) error {
	if p.Next < 0 || p.Next > maxNext {
		return errors.Errorf("data: Seek: example %d, want 0 to %d", p.Next, int64(maxNext))
	}
	if p.Examples != c.n {
		return errors.Errorf("data: Seek: example %d of a source with %d examples an epoch, but this one has %d: not the same data", p.Next, p.Examples, c.n)
	}
	c.seed, c.next = p.Seed, p.Next
	return nil
}
