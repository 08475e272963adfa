package finetune

import (
	"fmt"
	"math"
	"slices"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/internal/splitmix"
	"github.com/pkg/errors"
)

// measure reads all examples once: what cannot be one is an error now, not in the middle of a run.
func (j *Job) measure() error {
	c := &j.Counts
	if err := j.measureParts(); err != nil {
		return err
	}
	if longest := j.Settings.Data.Context; j.choose {
		if j.chooseContext(); j.Settings.Data.Context < longest {
			if err := j.measureParts(); err != nil { // some are cut now
				return err
			}
		}
	}
	c.Train, c.Val = len(j.train.rows), len(j.val.rows)
	c.Rows = c.Train + c.Val
	if j.test != nil {
		c.Test = len(j.test.rows)
	}
	if c.Train < 2 || c.Val < 1 {
		return errors.Errorf("finetune: %s; %d are left to train on and %d to validate on, want at least 2 and 1", j.leftOut(), c.Train, c.Val)
	}
	for _, n := range j.train.lengths {
		c.Tokens += int(n)
	}
	j.resolveSize()
	if c.Truncated > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%d texts are longer than %d tokens; the rest of each is left out (--context takes more, --strict refuses them)", c.Truncated, j.Settings.Data.Context))
	}
	if c.LeftOut > 0 {
		c.Warnings = append(c.Warnings, j.leftOut())
	}
	if c.LostSpans > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%d spans have no token of their own, most behind the %d tokens of the context: they are not learned", c.LostSpans, j.Settings.Data.Context))
	}
	return nil
}

// leftOut says which records nothing can be learned from.
func (j *Job) leftOut() string {
	if _, ok := j.task.(*chat); ok {
		return fmt.Sprintf("%d chats are left out: their answers lie behind the %d tokens of the context", j.Counts.LeftOut, j.Settings.Data.Context)
	}
	return fmt.Sprintf("%d empty texts are left out", j.Counts.LeftOut)
}

// measureParts measures all parts.
func (j *Job) measureParts() error {
	j.Counts.Truncated, j.Counts.LeftOut, j.Counts.LostSpans = 0, 0, 0
	for _, p := range []*part{j.train, j.val, j.test} {
		if p == nil {
			continue
		}
		p.lengths = nil
		if err := j.measurePart(p); err != nil {
			return err
		}
	}
	return nil
}

// measurePart finds the lengths of a part's examples, and leaves out chats without an answer to learn from.
func (j *Job) measurePart(p *part) error {
	if t, ok := j.task.(*lm); ok {
		return t.measurePart(j, p)
	}
	_, writes := j.task.(writer)
	kept, lengths := make([]int, 0, len(p.rows)), make([]int32, 0, len(p.rows))
	for _, row := range p.rows {
		cut := j.Counts.Truncated
		e, err := j.task.example(j, p.r, row, false, 0)
		if err != nil {
			return errors.Wrapf(err, "finetune: %s", p.r.Where(row))
		}
		if writes && !learns(e) {
			j.Counts.Truncated = cut
			j.Counts.LeftOut++
			continue
		}
		kept, lengths = append(kept, row), append(lengths, int32(len(e.IDs)))
	}
	p.rows, p.lengths = kept, lengths
	return nil
}

// sequences are the examples of a part, read anew whenever they are asked for; with learn as training sees them.
func (j *Job) sequences(p *part, learn bool) (*data.Sequences, error) {
	if p.lengths == nil {
		if err := j.measurePart(p); err != nil {
			return nil, err
		}
	}
	y, perID := j.task.target()
	q := &data.Sequences{Lengths: p.lengths, Context: j.Settings.Data.Context, Tokens: j.Settings.Train.Tokens, Target: y, PerID: perID}
	augments := learn && j.augment.Swap+j.augment.Delete+j.augment.Replace > 0
	if augments { // a variant may have more ids
		q.Lengths = slices.Clone(q.Lengths)
		for i, n := range q.Lengths {
			q.Lengths[i] = int32(min(float64(q.Context), math.Ceil(float64(n)*1.5+8)))
		}
	}
	if p.pieces != nil {
		q.At = func(i int, _ uint64) (data.Sequence, error) { return p.pieces[i], nil }
		return q, nil
	}
	q.At = func(i int, epoch uint64) (data.Sequence, error) {
		counts := j.Counts // counted when it was measured
		defer func() { j.Counts = counts }()
		return j.task.example(j, p.r, p.rows[i], augments, epoch)
	}
	return q, nil
}

// ids encodes a text, cut to the context.
func (j *Job) ids(text string) ([]int32, error) {
	ids, err := generate.PromptIDs(j.Tokenizer, text, token.AsText)
	if err != nil {
		return nil, err
	}
	if n := j.Settings.Data.Context; len(ids) > n {
		if j.Settings.Data.Strict {
			return nil, errors.Errorf("a text of %d tokens, the context holds %d", len(ids), n)
		}
		j.Counts.Truncated++
		ids = ids[:n]
	}
	return ids, nil
}

// textOf is the text of a record, or in training a variant of it.
func (j *Job) textOf(r *record.Records, row int, learn bool, epoch uint64) (string, error) {
	text, err := r.Text(row, j.text())
	if err == nil && learn {
		text = j.augment.Text(text, j.Settings.Train.Seed^(uint64(row)<<20+epoch)*splitmix.Gamma)
	}
	return text, err
}

// LargestBatch is how many examples, or rows of several, the largest micro-batch has, and how many tokens each.
func (j *Job) LargestBatch() (n, width int) {
	n, width = j.Settings.Train.Batch, j.Settings.Data.Context
	if j.packs() {
		return n, width
	}
	q, err := j.sequences(j.train, true)
	if err != nil {
		return n, width
	}
	n, fields := data.Largest(q.Train(j.Settings.Train.Seed), n)
	for _, f := range fields {
		if f.Name == "ids" {
			width = f.Shape[0]
		}
	}
	return n, width
}
