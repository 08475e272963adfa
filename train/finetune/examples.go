package finetune

import (
	"math"
	"slices"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/internal/splitmix"
	"github.com/pkg/errors"
)

// maker is a task's part in making examples.
type maker interface {
	// field describes the field y of a batch. With perID y has a value for each id of the example.
	field() (y data.Field, perID bool)
	// make makes the examples of a record: one, several pieces of it, or none where nothing can be learned from it. It
	// changes neither the task nor s. Each example says what was lost in making it.
	make(s *Setup, e entry) ([]example, error)
}

// entry is a record that examples are made of.
type entry struct {
	*record.Records
	row  int
	held bool                     // for validation or test
	vary func(text string) string // returns a variant of the text, to train on; nil takes the text as it is
}

// text returns the record's text in a column, varied where the entry says so.
func (e entry) text(column string) (string, error) {
	text, err := e.Text(e.row, column)
	if err == nil && e.vary != nil {
		text = e.vary(text)
	}
	return text, err
}

// example is what a task makes of a record, and what was lost in making it.
type example struct {
	data.Sequence
	cut  bool // it was longer than the context
	lost int  // spans without a token of their own
}

// missed counts what was lost when examples were made.
type missed struct {
	cut     int // examples that were longer than the context
	records int // records without an example
	spans   int // spans without a token of their own

	unusable []int // records that cannot become an example
}

// examples describes the examples of a subset.
type examples struct {
	lengths []int32
	of      []int // the record of each example
	// pieces holds the examples of records that give several, by the example's number. Making one means making all, so
	// they are kept, at 12 bytes a token. Other examples are made anew whenever they are asked for.
	pieces map[int]data.Sequence
}

// measure makes the examples of a subset and notes their lengths. It leaves out records without an example. It counts
// those that cannot become one in u; with the setting strict the first of them is an error.
func (s *Setup) measure(p *subset, u *record.Unusable) (lost missed, err error) {
	m, kept := &examples{pieces: map[int]data.Sequence{}}, make([]int, 0, len(p.rows))
	for _, row := range p.rows {
		made, err := s.task.make(s, entry{Records: p.r, row: row, held: p.held})
		if err != nil && s.Settings.Data.Strict {
			return lost, errors.Errorf("finetune: %v", p.r.Reason(row, err))
		}
		if err != nil {
			u.Add(p.r, row, err)
			lost.unusable = append(lost.unusable, row)
			continue
		}
		if len(made) == 0 {
			lost.records++
			continue
		}
		kept = append(kept, row)
		for _, e := range made {
			if e.cut {
				lost.cut++
			}
			lost.spans += e.lost
			if len(made) > 1 {
				m.pieces[len(m.of)] = e.Sequence
			}
			m.lengths, m.of = append(m.lengths, int32(len(e.IDs))), append(m.of, row)
		}
	}
	p.rows, p.examples = kept, m
	return lost, nil
}

// sequences returns the examples of a subset, which it measures where needed. With vary they are as training sees them.
func (s *Setup) sequences(p *subset, vary func(row int, epoch uint64) func(string) string) (*data.Sequences, error) {
	if p.examples == nil {
		if _, err := s.measure(p, &record.Unusable{}); err != nil {
			return nil, err
		}
	}
	y, perID := s.task.field()
	q := &data.Sequences{Lengths: p.lengths, Context: s.Settings.Data.Context, Tokens: s.Settings.Train.Tokens, Target: y, PerID: perID}
	if vary != nil { // a variant may have more ids than the text
		q.Lengths = slices.Clone(q.Lengths)
		for i, n := range q.Lengths {
			q.Lengths[i] = int32(min(float64(q.Context), math.Ceil(float64(n)*1.5+8)))
		}
	}
	m, r, held := p.examples, p.r, p.held
	q.At = func(i int, epoch uint64) (data.Sequence, error) {
		if e, ok := m.pieces[i]; ok {
			return e, nil
		}
		e := entry{Records: r, row: m.of[i], held: held}
		if vary != nil {
			e.vary = vary(e.row, epoch)
		}
		made, err := s.task.make(s, e)
		if err != nil || len(made) == 0 {
			return data.Sequence{}, errors.Wrapf(err, "finetune: %s", r.Where(e.row))
		}
		return made[0].Sequence, nil
	}
	return q, nil
}

// vary returns a function that gives the variant of a record's text for an epoch, or nil where texts are not varied.
func (d *Data) vary(seed uint64) func(row int, epoch uint64) func(string) string {
	if d.augment.Swap+d.augment.Delete+d.augment.Replace <= 0 {
		return nil
	}
	return func(row int, epoch uint64) func(string) string {
		return func(text string) string {
			return d.augment.Text(text, seed^(uint64(row)<<20+epoch)*splitmix.Gamma)
		}
	}
}

// LargestBatch returns the number of rows of the largest micro-batch, and the tokens of each row. A row holds one
// example, or several packed ones.
func (j *Job) LargestBatch() (n, width int) {
	t := j.Settings.Train
	n, width = t.Batch, j.Settings.Data.Context
	q, err := j.sequences(j.train, j.vary(t.Seed))
	if err != nil {
		return n, width
	}
	n, fields := data.Largest(j.task.batches(j.Setup, q).Train(t.Seed), n)
	for _, f := range fields {
		if f.Name == field.IDs {
			width = f.Shape[0]
		}
	}
	return n, width
}
