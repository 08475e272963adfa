package data

import (
	"io"
	"slices"
	"sort"

	"github.com/pkg/errors"
)

// Ragged is a Source whose batches have several shapes.
type Ragged interface {
	Source
	// Shape tells how many examples the next batch of up to size has, 0 at the end of a pass, and its fields. Next wants
	// a batch made for these.
	Shape(size int) (n int, fields []Field)
	// Largest is the shape of the largest batch of up to size.
	Largest(size int) (n int, fields []Field)
	// Batches is the number of batches of up to size of the first epochs.
	Batches(size, epochs int) int
}

// Shape is the shape of the next batch of any source: size examples of its fields, where it is not Ragged.
func Shape(s Source, size int) (n int, fields []Field) {
	if r, ok := s.(Ragged); ok {
		return r.Shape(size)
	}
	return size, s.Fields()
}

// Largest is the shape of the largest batch of any source.
func Largest(s Source, size int) (n int, fields []Field) {
	if r, ok := s.(Ragged); ok {
		return r.Largest(size)
	}
	return size, s.Fields()
}

// Batches is the number of batches of up to size of the first epochs of any source. An ordinary one joins epochs; a
// Ragged one ends each with a batch of what is left.
func Batches(s Source, size, epochs int) int {
	if r, ok := s.(Ragged); ok {
		return r.Batches(size, epochs)
	}
	return (epochs*s.Len() + size - 1) / size
}

// Sequence is an example of ids with its targets: Y ids, one for each of IDs or one for the example; or Values, numbers
// for the example.
type Sequence struct {
	IDs    []int32
	Y      []int32
	Values []float32
}

// Sequences are examples of unequal length, which At makes when they are asked for: they need not fit in memory. For
// training each epoch gives every example once, in batches of examples of like length; evaluation goes from the longest
// to the shortest. Fields: ids (T), padded behind with 0; last (), the index of the last id; and, unless Target is zero,
// y by Target: with PerID (T), padded with −1, else of Target's Shape. T is the length of the batch's longest example,
// rounded up (by at most 1/8 or 7) to keep shapes few.
type Sequences struct {
	Lengths []int32 // of each example, at least 1: ids that At gives, or a bound
	Context int     // T is at most this
	Tokens  int     // a batch has at most so many, padding included, or one example; 0 does not bound it
	Target  Field   // named y; Int and Shape say what At gives
	PerID   bool    // a target for each id
	// At returns example i as epoch, counted from 0, sees it. What it returns is read before the next call.
	At func(i int, epoch uint64) (Sequence, error)
}

// Train returns a source without end.
func (q *Sequences) Train(seed uint64) Source {
	return &sequences{cursor: cursor{seed: seed, n: len(q.Lengths)}, q: q}
}

// Eval returns a source of one pass from the longest example to the shortest; [Sequences.Order] tells which comes when.
func (q *Sequences) Eval() Source {
	return &sequences{cursor: cursor{n: len(q.Lengths)}, q: q, order: q.Order(), pass: true}
}

// Len is the number of examples.
func (q *Sequences) Len() int { return len(q.Lengths) }

// Order is the order of Eval.
func (q *Sequences) Order() []int32 {
	order := make([]int32, len(q.Lengths))
	for i := range order {
		order[i] = int32(i)
	}
	sort.SliceStable(order, func(a, b int) bool { return q.Lengths[order[a]] > q.Lengths[order[b]] })
	return order
}

// Pick returns the examples of the given numbers.
func (q *Sequences) Pick(examples []int32) *Sequences {
	p := *q
	p.Lengths = make([]int32, len(examples))
	for i, x := range examples {
		p.Lengths[i] = q.Lengths[x]
	}
	at := q.At
	p.At = func(i int, epoch uint64) (Sequence, error) { return at(int(examples[i]), epoch) }
	return &p
}

// byLength is the order of an epoch for batches of up to size, and where each batch begins and the last ends: examples
// are shuffled, sorted by length within pools, and the batches shuffled.
func (q *Sequences) byLength(size int, seed, epoch uint64) (order []int32, begins []int) {
	sorted := make([]int32, len(q.Lengths))
	permute(sorted, seed, epoch)
	var batches [][]int32
	for p := range slices.Chunk(sorted, pool(len(sorted), min(size, len(sorted)))) {
		sort.SliceStable(p, func(a, b int) bool { return q.Lengths[p[a]] < q.Lengths[p[b]] })
		for len(p) > 0 {
			n := q.batch(p, size)
			batches, p = append(batches, p[:n]), p[n:]
		}
	}
	shuffled := make([]int32, len(batches))
	permute(shuffled, seed^batchOrder, epoch)
	begins = []int{0}
	for _, b := range shuffled {
		order = append(order, batches[b]...)
		begins = append(begins, len(order))
	}
	return order, begins
}

// pool is the number of examples, of n in batches of up to size, among which lengths are sorted: 64 batches, so that
// little is padded. Of an epoch of less than 50 it is a quarter, at least 2 batches, or every epoch would put the same
// examples together.
func pool(n, size int) int {
	if batches := n / size; batches < 50 {
		return size * max(2, batches/4)
	}
	return size * 64
}

// batch is how many of the first of p, whose longest comes last, make a batch of up to size.
func (q *Sequences) batch(p []int32, size int) int {
	n := 1
	for n < min(size, len(p)) && (q.Tokens == 0 || (n+1)*q.width(int(q.Lengths[p[n]])) <= q.Tokens) {
		n++
	}
	return n
}

// batchOrder makes the stream of the batches' order from that of the examples'.
const batchOrder = 0x6a09e667f3bcc908

// sequences is the source of Sequences.
type sequences struct {
	cursor
	q     *Sequences
	order []int32 // of a pass, or of the epoch below for batches of size
	begin []int   // places in order where batches begin
	size  int
	epoch uint64
	of    uint64 // seed
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
	t := []int{s.q.width(int(n))}
	f := []Field{{Name: "ids", Int: true, Shape: t}, {Name: "last", Int: true}}
	if y := s.q.Target; y.Name != "" {
		if s.q.PerID {
			y.Shape = t
		}
		f = append(f, y)
	}
	return f
}

// width rounds a length up to 1/8 of the power of two below it, at least to 8.
func (q *Sequences) width(n int) int {
	step := 8
	for step*16 <= n {
		step *= 2
	}
	return min((n+step-1)/step*step, max(1, q.Context))
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
	if a, ok := b["ids"]; ok && len(a.Shape) == 2 {
		return s.fields(int32(a.Shape[1]))
	}
	return s.Fields()
}

// put writes an example at place i of a batch.
func (s *sequences) put(b Batch, i int, e Sequence) error {
	ids := b["ids"]
	t := ids.Shape[1]
	if len(e.IDs) < 1 || len(e.IDs) > t {
		return errors.Errorf("it has %d ids; want 1 to %d", len(e.IDs), t)
	}
	row := ids.Int[i*t : (i+1)*t]
	clear(row[copy(row, e.IDs):])
	b["last"].Int[i] = int32(len(e.IDs) - 1)
	f := s.q.Target
	if f.Name == "" {
		return nil
	}
	k, y := f.len(), b[f.Name]
	switch {
	case s.q.PerID:
		if len(e.Y) != len(e.IDs) {
			return errors.Errorf("it has %d targets for %d ids", len(e.Y), len(e.IDs))
		}
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
