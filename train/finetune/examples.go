package finetune

import (
	"fmt"
	"math"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/pkg/errors"
)

// measure reads all examples once: what cannot be one is an error now, not in the middle of a run.
func (j *Job) measure() error {
	c := &j.Counts
	c.Train, c.Val = len(j.train.rows), len(j.val.rows)
	c.Rows = c.Train + c.Val
	if j.test != nil {
		c.Test = len(j.test.rows)
	}
	mean := 0.0
	for _, p := range []*part{j.train, j.val, j.test} {
		if p == nil {
			continue
		}
		q, err := j.sequences(p, false)
		if err != nil {
			return err
		}
		if p == j.train {
			for _, n := range q.Lengths {
				c.Tokens += int(n)
			}
			mean = float64(c.Tokens) / float64(c.Train)
		}
	}
	j.Settings.resolveSize(c.Train, mean)
	if c.Truncated > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%d texts are longer than %d tokens; the rest of each is left out (--context takes more, --strict refuses them)", c.Truncated, j.Settings.Data.Context))
	}
	return nil
}

// sequences are the examples of a part, read anew whenever they are asked for; with learn as training sees them.
func (j *Job) sequences(p *part, learn bool) (*data.Sequences, error) {
	y, perID := j.task.target()
	q := &data.Sequences{Lengths: make([]int32, len(p.rows)), Context: j.Settings.Data.Context, Target: y, PerID: perID}
	j.Counts.Truncated = 0
	for i, row := range p.rows {
		e, err := j.task.example(j, p.r, row, false, 0)
		if err != nil {
			return nil, errors.Wrapf(err, "finetune: %s", p.r.Where(row))
		}
		q.Lengths[i] = int32(len(e.IDs))
	}
	augments := learn && j.augment.Swap+j.augment.Delete+j.augment.Replace > 0
	if augments { // a variant may have more ids
		for i, n := range q.Lengths {
			q.Lengths[i] = int32(min(float64(q.Context), math.Ceil(float64(n)*1.5+8)))
		}
	}
	q.At = func(i int, epoch uint64) (data.Sequence, error) {
		return j.task.example(j, p.r, p.rows[i], augments, epoch)
	}
	return q, nil
}

// ids encodes a text, cut to the context.
func (j *Job) ids(text string) ([]int32, error) {
	ids, err := gpt.PromptIDs(j.Tokenizer, text, token.AsText)
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
		text = j.augment.Text(text, j.Settings.Train.Seed^(uint64(row)<<20+epoch)*0x9e3779b97f4a7c15)
	}
	return text, err
}

// Width is the number of tokens that the longest example to train on is padded to.
func (j *Job) Width() int {
	q, err := j.sequences(j.train, true)
	if err != nil {
		return j.Settings.Data.Context
	}
	for _, f := range q.Train(0).Fields() {
		if f.Name == "ids" {
			return f.Shape[0]
		}
	}
	return j.Settings.Data.Context
}
