package data

import (
	"io"

	"github.com/ceto-ml/ceto/data/field"
	"github.com/pkg/errors"
)

// Packed are examples of unequal length, several to a row. Examples are shuffled, and each is put in the first row that
// has room for it. An example that is longer than a row loses its end. The fields of a batch, where T is Tokens:
//
//	ids        (T)     int32, the examples' ids one behind the other; 0 in the padding behind the last
//	x          (T, F)  float32, their vectors, where the examples have some; 0 in the padding
//	y          (T)     int32, their targets; −1 in the padding
//	segments   (T)     int32, 0, 1, … for the row's examples, −1 for the padding
//	positions  (T)     int32, 0, 1, … within each example; 0 in the padding
//
// Segments keep the examples apart, see nn.Packing: what a model computes for one does not depend on the others in its
// row. So it does not matter which examples share a row, and they do so in all epochs. Each epoch has as many rows and
// gives every example once.
type Packed struct {
	Tokens    int // ids or vectors of a row, padding included
	Truncated int // number of examples that are cut
	q         *Sequences
}

// Pack puts q's examples, which have a target for each id or vector (PerID), into rows of the given number of them.
func Pack(q *Sequences, tokens int) *Packed {
	p := &Packed{Tokens: tokens, q: q}
	for _, n := range q.Lengths {
		if int(n) > tokens {
			p.Truncated++
		}
	}
	return p
}

// maxRow bounds the tokens of a row.
const maxRow = 1 << 24

// Err tells what is wrong with the settings, if anything is.
func (p *Packed) Err() error {
	if p.Tokens < 1 || p.Tokens > maxRow || !p.q.PerID || p.q.Target.Name != field.Y {
		return errors.Errorf("data: Pack: rows of %d tokens, targets %q, one for each id: %t; want 1 to %d, y and true", p.Tokens, p.q.Target.Name, p.q.PerID, maxRow)
	}
	return nil
}

// Train returns a source of rows without end. The seed decides which examples share a row and, with the epoch, the
// order of the rows.
func (p *Packed) Train(seed uint64) Source {
	s := &packed{p: p}
	s.pack(seed)
	return s
}

// Eval returns a source of one pass; the rows are filled in the order of the examples.
func (p *Packed) Eval() Source {
	s := &packed{p: p, pass: true}
	s.pack(0)
	return s
}

// packed is the source of a Packed.
type packed struct {
	cursor
	p     *Packed
	rows  [][]int32 // the examples of each row
	order []int32   // the rows as the epoch below takes them
	epoch int64
	pass  bool
}

// pack divides the examples into rows, in the order that the seed gives.
func (s *packed) pack(seed uint64) {
	order := make([]int32, len(s.p.q.Lengths))
	for i := range order {
		order[i] = int32(i)
	}
	if !s.pass {
		permute(order, seed, packOrder)
	}
	s.rows, s.epoch = nil, -1
	if s.p.Err() == nil {
		s.rows = firstFit(s.p.q.Lengths, order, s.p.Tokens)
	}
	s.seed, s.n, s.order = seed, len(s.rows), make([]int32, len(s.rows))
	for i := range s.order {
		s.order[i] = int32(i)
	}
}

// packOrder stands for an epoch in the order in which examples are packed; no epoch has this number.
const packOrder = 1<<64 - 2

// firstFit puts each of order, by its length, into the first row that has room: Johnson 1974, algorithm FF. A tree of
// the largest room among rows finds it in O(log n).
func firstFit(lengths, order []int32, tokens int) [][]int32 {
	leaves := 1
	for leaves < len(order) {
		leaves *= 2
	}
	room := make([]int32, 2*leaves) // room[i] is the largest of room[2i] and room[2i+1]; the rows are the leaves
	for i := range room {
		room[i] = int32(tokens)
	}
	var rows [][]int32
	for _, x := range order {
		n, at := min(max(lengths[x], 1), int32(tokens)), 1
		for at < leaves {
			if at *= 2; room[at] < n {
				at++
			}
		}
		row := at - leaves
		if row == len(rows) {
			rows = append(rows, nil)
		}
		rows[row] = append(rows[row], x)
		room[at] -= n
		for at /= 2; at > 0; at /= 2 {
			room[at] = max(room[2*at], room[2*at+1])
		}
	}
	return rows
}

// Fields implements Source.
func (s *packed) Fields() []Field {
	f := s.p.q.inputs(s.p.Tokens)
	for _, name := range []string{field.Positions, field.Segments, field.Y} {
		f = append(f, Field{Name: name, Int: true, Shape: []int{s.p.Tokens}})
	}
	return f
}

// Seek implements Source. The rows are those of the position's seed.
func (s *packed) Seek(p Position) error {
	if p.Seed != s.seed && !s.pass {
		s.pack(p.Seed)
	}
	return s.cursor.Seek(p)
}

// Next implements Source.
func (s *packed) Next(b Batch) (int, error) {
	if err := s.p.Err(); err != nil {
		return 0, err
	}
	size, err := b.size(s.Fields())
	if err != nil {
		return 0, err
	}
	if s.n == 0 || s.pass && s.next >= int64(s.n) {
		return 0, io.EOF
	}
	n := size
	if s.pass {
		n = min(size, s.n-int(s.next))
	}
	for i := range n {
		if err := s.fill(b, i, s.next+int64(i)); err != nil {
			return 0, err
		}
	}
	b.pad(s.Fields(), n)
	s.next += int64(n)
	return n, nil
}

// fill writes the row in place next since the start at place i of a batch.
func (s *packed) fill(b Batch, i int, next int64) error {
	epoch := next / int64(s.n)
	if epoch != s.epoch && !s.pass {
		permute(s.order, s.seed, uint64(epoch))
	}
	s.epoch = epoch
	part := func(name string) []int32 { return b[name].Int[i*s.p.Tokens : (i+1)*s.p.Tokens] }
	r := row{y: part(field.Y), segments: part(field.Segments), positions: part(field.Positions), features: s.p.q.Features}
	if s.p.q.hasIDs() {
		r.ids = part(field.IDs)
	}
	if k := s.p.Tokens * r.features; k > 0 {
		r.x = b[field.X].Float[i*k : (i+1)*k]
	}
	at := 0
	for segment, x := range s.rows[s.order[next%int64(s.n)]] {
		e, err := s.p.q.At(int(x), uint64(epoch))
		n := 0
		if err == nil {
			n, err = s.p.q.length(e)
		}
		if err != nil {
			return errors.Wrapf(err, "data: example %d", x)
		}
		if bound := max(int(s.p.q.Lengths[x]), 1); n > bound || len(e.Y) != n {
			return errors.Errorf("data: example %d has %d %s and %d targets; want as many of both, at most %d", x, n, s.p.q.unit(), len(e.Y), bound)
		}
		at = r.put(at, segment, e)
	}
	r.pad(at)
	return nil
}

// row are the arrays of one row of a batch.
type row struct {
	ids, y, segments, positions []int32
	x                           []float32
	features                    int
}

// put writes an example at place at, cut where the row ends, and returns the place behind it.
func (r row) put(at, segment int, e Sequence) int {
	if r.ids != nil {
		copy(r.ids[at:], e.IDs)
	}
	if r.x != nil {
		copy(r.x[at*r.features:], e.X)
	}
	n := copy(r.y[at:], e.Y)
	for j := range n {
		r.segments[at+j], r.positions[at+j] = int32(segment), int32(j)
	}
	return at + n
}

// pad fills the places from at on.
func (r row) pad(at int) {
	if r.ids != nil {
		clear(r.ids[at:])
	}
	if r.x != nil {
		clear(r.x[at*r.features:])
	}
	for ; at < len(r.y); at++ {
		r.y[at], r.segments[at], r.positions[at] = -1, -1, 0
	}
}
