package data

import (
	"io"
	"math"
	"slices"
	"sort"

	"github.com/ceto-ml/ceto/data/field"
	"github.com/pkg/errors"
)

// Table is a set of examples in memory, for training and evaluation alike. It is read only and may be shared.
type Table struct {
	all    Batch
	fields []Field
	n      int
	err    error
}

// Rows returns the examples of x (n rows, in numbers each) and their targets y, one for each row. Targets that are
// numbers or class ids give the field y the shape (); slices of numbers give it the shape (out). Rows of different
// lengths are an error, and so are numbers of rows and targets that differ. [Table.Err] and every source's Next return
// it.
func Rows[Y float32 | int32 | int | []float32](x [][]float32, y []Y) *Table {
	if len(x) != len(y) {
		return &Table{err: errors.Errorf("data: Rows: %d rows but %d targets", len(x), len(y))}
	}
	xs, err := matrix(field.X, x)
	if err != nil {
		return &Table{err: err}
	}
	ys := Array{Shape: []int{len(y)}}
	switch y := any(y).(type) {
	case []float32:
		ys.Float = slices.Clone(y)
	case []int32:
		ys.Int = slices.Clone(y)
	case []int:
		ys.Int, err = narrow(y)
	case [][]float32:
		ys, err = matrix(field.Y, y)
	}
	if err != nil {
		return &Table{err: err}
	}
	return Examples(Batch{field.X: xs, field.Y: ys})
}

// matrix joins rows to one array (n, in).
func matrix(name string, rows [][]float32) (Array, error) {
	if len(rows) == 0 {
		return Array{}, errors.Errorf("data: Rows: %s has no rows", name)
	}
	a := Array{Shape: []int{len(rows), len(rows[0])}, Float: make([]float32, 0, len(rows)*len(rows[0]))}
	for i, r := range rows {
		if len(r) != len(rows[0]) {
			return Array{}, errors.Errorf("data: Rows: %s has %d numbers in row %d but %d in row 0", name, len(r), i, len(rows[0]))
		}
		a.Float = append(a.Float, r...)
	}
	return a, nil
}

func narrow(ids []int) ([]int32, error) {
	out := make([]int32, len(ids))
	for i, v := range ids {
		if v < math.MinInt32 || v > math.MaxInt32 {
			return nil, errors.Errorf("data: Rows: target %d of row %d is not an int32", v, i)
		}
		out[i] = int32(v)
	}
	return out, nil
}

// Examples returns the table of the arrays of all, whose first extents are the number of examples. It keeps the arrays.
func Examples(all Batch) *Table {
	t := &Table{all: all}
	for name, a := range all {
		if len(a.Shape) == 0 {
			return &Table{err: errors.Errorf("data: Examples: array %q has no axis of examples", name)}
		}
		t.fields = append(t.fields, Field{Name: name, Int: a.Float == nil, Shape: a.Shape[1:]})
	}
	sort.Slice(t.fields, func(i, j int) bool { return t.fields[i].Name < t.fields[j].Name })
	if t.n, t.err = all.size(t.fields); t.err == nil && t.n > math.MaxInt32 {
		t.err = errors.Errorf("data: Examples: %d examples, want at most %d", t.n, math.MaxInt32)
	}
	return t
}

// Err tells what is wrong with the table, if anything is.
func (t *Table) Err() error { return t.err }

// Len is the number of examples.
func (t *Table) Len() int { return t.n }

// Train returns a source without end. Each epoch gives every example once, in an order that depends on seed and epoch
// alone. A batch may span two epochs.
func (t *Table) Train(seed uint64) Source {
	return &shuffled{cursor{seed: seed, n: t.n}, t, nil, 0, 0}
}

// Eval returns a source of one pass in order.
func (t *Table) Eval() Source { return &ordered{cursor{n: t.n}, t} }

// Split returns two tables. The second has share val of the examples, drawn by seed, and the first has the others. Each
// has at least one example.
func (t *Table) Split(val float64, seed uint64) (train, held *Table) {
	if t.err != nil {
		return t, t
	}
	n := int(math.Round(val * float64(t.n)))
	if n < 1 || n >= t.n {
		bad := &Table{err: errors.Errorf("data: Split: share %g of %d examples is %d, want from 1 to %d", val, t.n, n, t.n-1)}
		return bad, bad
	}
	order := make([]int32, t.n)
	permute(order, seed, math.MaxUint64) // no epoch has this number
	return t.pick(order[n:]), t.pick(order[:n])
}

func (t *Table) pick(order []int32) *Table {
	p := &Table{all: NewBatch(t.fields, len(order)), fields: t.fields, n: len(order)}
	for to, from := range order {
		t.copy(p.all, to, int(from))
	}
	return p
}

// copy puts example from of the table at place to of a batch.
func (t *Table) copy(b Batch, to, from int) {
	for _, f := range t.fields {
		k, dst, src := f.len(), b[f.Name], t.all[f.Name]
		if f.Int {
			copy(dst.Int[to*k:(to+1)*k], src.Int[from*k:(from+1)*k])
		} else {
			copy(dst.Float[to*k:(to+1)*k], src.Float[from*k:(from+1)*k])
		}
	}
}

// size checks a batch.
func (t *Table) size(b Batch) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	return b.size(t.fields)
}

// shuffled is the source of [Table.Train].
type shuffled struct {
	cursor
	t     *Table
	order []int32 // what seed and epoch below give; nil before the first example
	of    uint64  // the seed that order is for
	epoch int64
}

// Fields implements Source.
func (s *shuffled) Fields() []Field { return s.t.fields }

// Next implements Source.
func (s *shuffled) Next(b Batch) (int, error) {
	size, err := s.t.size(b)
	if err != nil {
		return 0, err
	}
	for i := range size {
		s.t.copy(b, i, int(s.at(s.next)))
		s.next++
	}
	return size, nil
}

// at returns the example in place i since the start.
func (s *shuffled) at(i int64) int32 {
	epoch := i / int64(s.n)
	if s.order == nil || s.epoch != epoch || s.of != s.seed {
		if s.order == nil {
			s.order = make([]int32, s.n)
		}
		permute(s.order, s.seed, uint64(epoch))
		s.epoch, s.of = epoch, s.seed
	}
	return s.order[i%int64(s.n)]
}

// ordered is the source of [Table.Eval].
type ordered struct {
	cursor
	t *Table
}

// Fields implements Source.
func (s *ordered) Fields() []Field { return s.t.fields }

// Next implements Source.
func (s *ordered) Next(b Batch) (int, error) {
	size, err := s.t.size(b)
	if err != nil {
		return 0, err
	}
	if s.next >= int64(s.n) {
		return 0, io.EOF
	}
	n := min(size, s.n-int(s.next))
	for i := range n {
		s.t.copy(b, i, int(s.next)+i)
	}
	b.pad(s.t.fields, n)
	s.next += int64(n)
	return n, nil
}

// pad puts 0 in the examples from n on.
func (b Batch) pad(fields []Field, n int) {
	for _, f := range fields {
		if f.Int {
			clear(b[f.Name].Int[n*f.len():])
		} else {
			clear(b[f.Name].Float[n*f.len():])
		}
	}
}
