package data

import (
	"io"
	"sort"

	"github.com/ceto-ml/ceto/data/field"
	"github.com/pkg/errors"
)

// sequences is the source of Sequences.
type sequences struct {
	cursor
	q     *Sequences
	order []int32 // the examples in the order of a pass, or of the epoch below for batches of size
	begin []int   // places in order where batches begin
	size  int
	epoch uint64
	of    uint64 // the seed that order is for
	pass  bool
	asked int // by the last Shape: batches may be smaller
}

// Fields implements Source.
func (s *sequences) Fields() []Field {
	longest := int32(1)
	for _, n := range s.q.Lengths {
		longest = max(longest, n)
	}
	return s.fields(longest)
}

// fields are the fields of examples of up to n ids.
func (s *sequences) fields(n int32) []Field {
	t := s.q.width(int(n))
	f := append(s.q.inputs(t), Field{Name: field.Last, Int: true})
	if y := s.q.Target; y.Name != "" {
		if s.q.PerID {
			y.Shape = []int{t}
		}
		f = append(f, y)
	}
	return f
}

// next returns the examples of the next batch.
func (s *sequences) next(size int) []int32 {
	if s.pass {
		rest := s.order[min(int(s.cursor.next), s.n):]
		n := min(size, len(rest))
		if n > 0 && s.q.Tokens > 0 { // the longest comes first
			n = max(1, min(n, s.q.Tokens/s.q.width(int(s.q.Lengths[rest[0]]))))
		}
		return rest[:n]
	}
	epoch, at := uint64(s.cursor.next/int64(s.n)), int(s.cursor.next%int64(s.n))
	if s.order == nil || s.size != size || s.epoch != epoch || s.of != s.seed {
		s.order, s.begin = s.q.byLength(size, s.seed, epoch)
		s.size, s.epoch, s.of = size, epoch, s.seed
	}
	i := sort.SearchInts(s.begin, at+1) // the batch that at lies in ends there
	return s.order[at:s.begin[i]]
}

// Shape implements Ragged.
func (s *sequences) Shape(size int) (int, []Field) {
	if s.n == 0 || size < 1 {
		return 0, s.fields(1)
	}
	s.asked = size
	examples, longest := s.next(size), int32(1)
	for _, i := range examples {
		longest = max(longest, s.q.Lengths[i])
	}
	return len(examples), s.fields(longest)
}

// Largest implements Ragged.
func (s *sequences) Largest(size int) (int, []Field) {
	longest := s.Fields()
	if s.q.Tokens == 0 || s.n == 0 {
		return size, longest
	}
	most, of := 0, int32(1) // examples of one width
	for _, n := range s.q.Lengths {
		w := s.q.width(int(n))
		if k := max(1, min(size, s.q.Tokens/w)); k*w > most {
			most, of = k*w, n
		}
	}
	return max(1, min(size, s.q.Tokens/s.q.width(int(of)))), s.fields(of)
}

// Batches implements Ragged.
func (s *sequences) Batches(size, epochs int) (n int) {
	for e := range epochs {
		_, begins := s.q.byLength(size, s.seed, uint64(e))
		n += len(begins) - 1
	}
	return n
}

// Next implements Source.
func (s *sequences) Next(b Batch) (int, error) {
	size, err := b.size(s.batchFields(b))
	if err != nil {
		return 0, err
	}
	if s.n == 0 || s.pass && s.cursor.next >= int64(s.n) {
		return 0, io.EOF
	}
	examples, epoch := s.next(max(size, s.asked)), uint64(s.cursor.next/int64(s.n))
	if len(examples) > size {
		return 0, errors.Errorf("data: Next: a batch of %d examples where Shape gave %d", size, len(examples))
	}
	if s.pass {
		epoch = 0
	}
	for i, x := range examples {
		e, err := s.q.At(int(x), epoch)
		if err == nil {
			err = s.put(b, i, e)
		}
		if err != nil {
			return 0, errors.Wrapf(err, "data: example %d", x)
		}
	}
	b.pad(s.batchFields(b), len(examples))
	s.cursor.next += int64(len(examples))
	return len(examples), nil
}

// batchFields are the fields with the width that a batch has.
func (s *sequences) batchFields(b Batch) []Field {
	if t := s.steps(b); t > 0 {
		return s.fields(int32(t))
	}
	return s.Fields()
}

// steps is T of a batch, or 0 where it has no array that tells.
func (s *sequences) steps(b Batch) int {
	name, rank := field.IDs, 2
	if !s.q.hasIDs() {
		name, rank = field.X, 3
	}
	if a, ok := b[name]; ok && len(a.Shape) == rank {
		return a.Shape[1]
	}
	return 0
}

// put writes an example at place i of a batch.
func (s *sequences) put(b Batch, i int, e Sequence) error {
	n, err := s.q.length(e)
	if err != nil {
		return err
	}
	t := s.steps(b)
	if n < 1 || n > t {
		return errors.Errorf("it has %d %s; want 1 to %d", n, s.q.unit(), t)
	}
	if s.q.hasIDs() {
		row := b[field.IDs].Int[i*t : (i+1)*t]
		clear(row[copy(row, e.IDs):])
	}
	if k := t * s.q.Features; k > 0 {
		row := b[field.X].Float[i*k : (i+1)*k]
		clear(row[copy(row, e.X):])
	}
	b[field.Last].Int[i] = int32(n - 1)
	return s.putTargets(b, i, n, e)
}

// putTargets writes the targets of an example of n steps.
func (s *sequences) putTargets(b Batch, i, n int, e Sequence) error {
	f := s.q.Target
	if f.Name == "" {
		return nil
	}
	k, y := f.len(), b[f.Name]
	switch {
	case s.q.PerID:
		if len(e.Y) != n {
			return errors.Errorf("it has %d targets for %d %s", len(e.Y), n, s.q.unit())
		}
		t := s.steps(b)
		row := y.Int[i*t : (i+1)*t]
		for j := copy(row, e.Y); j < t; j++ {
			row[j] = -1
		}
	case f.Int && len(e.Y) == k:
		copy(y.Int[i*k:], e.Y)
	case !f.Int && len(e.Values) == k:
		copy(y.Float[i*k:], e.Values)
	default:
		return errors.Errorf("it has %d and %d targets, want %d", len(e.Y), len(e.Values), k)
	}
	return nil
}
