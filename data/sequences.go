package data

import (
	"slices"
	"sort"

	"github.com/ceto-ml/ceto/data/field"
	"github.com/pkg/errors"
)

// Sequence is an example in time with its targets. It has IDs, or vectors X, or both of one length. Its targets are Y,
// ids for each step or for the example, or Values, numbers for the example.
type Sequence struct {
	IDs    []int32
	X      []float32 // (T, F), one vector behind the other
	Y      []int32
	Values []float32
}

// Sequences are examples of unequal length, which At makes when they are asked for: they need not fit in memory. For
// training each epoch gives every example once, in batches of examples of like length. Evaluation goes from the longest
// to the shortest. The fields of a batch:
//
//	ids   (T)     int32, padded behind with 0; where Features is set, only with WithIDs
//	x     (T, F)  float32, padded behind with 0; only where Features is set
//	last  ()      int32, the index of the last id or vector
//	y             by Target, unless that is zero: with PerID (T), padded with −1, else of Target's Shape
//
// T is the length of the batch's longest example, rounded up (by at most 1/8 or 7) to keep shapes few.
type Sequences struct {
	Lengths  []int32 // for each example, the number of ids or vectors that At gives, or a bound of it; at least 1
	Context  int     // T is at most this
	Tokens   int     // a batch has at most so many ids or vectors, with padding, or one example; 0 does not bound it
	Target   Field   // named y; Int and Shape say what At gives
	PerID    bool    // a target for each id or vector
	Features int     // F, numbers of a vector; 0 for examples of ids alone
	WithIDs  bool    // with Features: ids beside the vectors
	// At returns example i as epoch, counted from 0, sees it. What it returns is read before the next call.
	At func(i int, epoch uint64) (Sequence, error)
}

// hasIDs tells whether examples have ids.
func (q *Sequences) hasIDs() bool { return q.Features == 0 || q.WithIDs }

// length is the number of ids or vectors of an example, or an error where its parts do not fit each other.
func (q *Sequences) length(e Sequence) (int, error) {
	if q.Features == 0 && len(e.X) > 0 || !q.hasIDs() && len(e.IDs) > 0 {
		return 0, errors.Errorf("it has %d ids and %d numbers; want ids: %t, vectors of %d", len(e.IDs), len(e.X), q.hasIDs(), q.Features)
	}
	if q.Features == 0 {
		return len(e.IDs), nil
	}
	if len(e.X)%q.Features != 0 {
		return 0, errors.Errorf("it has %d numbers, no whole number of vectors of %d", len(e.X), q.Features)
	}
	n := len(e.X) / q.Features
	if q.WithIDs && len(e.IDs) != n {
		return 0, errors.Errorf("it has %d ids and %d vectors; want as many of both", len(e.IDs), n)
	}
	return n, nil
}

// unit names the steps of an example in an error.
func (q *Sequences) unit() string {
	if q.hasIDs() {
		return "ids"
	}
	return "vectors"
}

// inputs are the fields of examples of t steps in time.
func (q *Sequences) inputs(t int) (f []Field) {
	if q.hasIDs() {
		f = append(f, Field{Name: field.IDs, Int: true, Shape: []int{t}})
	}
	if q.Features > 0 {
		f = append(f, Field{Name: field.X, Shape: []int{t, q.Features}})
	}
	return f
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

// byLength is the order of an epoch for batches of up to size, and where each batch begins and the last ends. Examples
// are shuffled and sorted by length within pools. Then the batches are shuffled.
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

// pool is the number of examples among which lengths are sorted, for n examples in batches of up to size. It is 64
// batches, so that little is padded. An epoch of less than 50 batches takes a quarter of them, at least 2. Otherwise
// every epoch would put the same examples together.
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

// width rounds a length up to 1/8 of the power of two below it, at least to 8.
func (q *Sequences) width(n int) int {
	step := 8
	for step*16 <= n {
		step *= 2
	}
	return min((n+step-1)/step*step, max(1, q.Context))
}
