package finetune

import (
	"fmt"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/pkg/errors"
)

// chat is the task of answering: loss on what the assistant says.
type chat struct {
	causal
	template *generate.ChatTemplate
	plain    bool // the model has no template of its own
}

func (*chat) columns(j *Job, r *record.Records) error {
	l := &j.Settings.Data.Layout
	if *l == (Layout{}) {
		var err error
		if *l, err = DetectLayout(r.Columns()); err != nil {
			return err
		}
	}
	return l.Check(r)
}

func (c *chat) open(j *Job, _ *record.Records) error {
	if err := c.restore(j); err != nil {
		return err
	}
	if c.plain {
		j.Counts.Warnings = append(j.Counts.Warnings, fmt.Sprintf("%s has no chat template; it learns the plain one, ### Instruction: … ### Response: …", j.Source.Path))
	}
	return nil
}

func (c *chat) restore(j *Job) (err error) {
	if c.plain = j.Source.Chat == ""; c.plain {
		c.template, err = generate.PlainTemplate(j.Tokenizer)
	} else {
		c.template, err = j.Source.Template(j.Tokenizer)
	}
	return err
}

func (c *chat) example(j *Job, r *record.Records, row int, _ bool, _ uint64) (e data.Sequence, err error) {
	messages, err := j.Settings.Data.Layout.Chat(r, row)
	if err != nil {
		return e, err
	}
	ids, answer, err := c.template.Encode(j.Tokenizer, messages)
	if err != nil {
		return e, err
	}
	e.IDs, e.Y = gpt.Targets(ids, answer)
	if n := j.Settings.Data.Context; len(e.IDs) > n {
		if j.Settings.Data.Strict {
			return e, errors.Errorf("a chat of %d tokens, the context holds %d", len(e.IDs), n)
		}
		j.Counts.Truncated++
		e.IDs, e.Y = e.IDs[:n], e.Y[:n]
	}
	return e, nil
}

// learns tells whether an example has something to learn from.
func learns(e data.Sequence) bool {
	for _, y := range e.Y {
		if y >= 0 {
			return true
		}
	}
	return false
}

// key is what tells that two records say the same: their text; of chat what comes before the last answer, and with
// whole that too.
func (j *Job) key(r *record.Records, whole bool) record.Texts {
	if _, ok := j.task.(*chat); !ok {
		return r.Column(j.text())
	}
	return j.Settings.Data.Layout.Texts(r, whole)
}
