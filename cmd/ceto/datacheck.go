package main

import (
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/pkg/errors"
)

// dataCheck is a check of a user's data, and what it found.
type dataCheck struct {
	*checkFlags
	r, held *record.Records  // held: what --against names, else r
	chats   *finetune.Layout // set where the rows are chats, whose texts end before the last answer
	found   *record.Findings
	left    record.Unusable // records that have no text or no chat
}

// detect finds out whether the rows are chats: no column was named, none is called text, and a layout fits.
func (k *dataCheck) detect() {
	if l, err := finetune.DetectLayout(k.r.Columns()); err == nil && k.Text == "" && !slices.Contains(k.r.Columns(), "text") {
		k.chats, k.Text = &l, strings.Join(l.Columns(), ", ")
	}
}

// textsOf returns the texts of all rows of r. The records r are k.r or k.held.
func (k *dataCheck) textsOf(r *record.Records) record.Texts {
	if k.chats != nil {
		return k.chats.Texts(r, false)
	}
	return r.Column(k.Text)
}

// comparable refuses held-out data that lacks the columns.
func (k *dataCheck) comparable() error {
	if k.chats != nil {
		return usage(errors.WithMessage(k.chats.Check(k.held), "--against "+k.Against))
	}
	for _, c := range []struct{ flag, name string }{{"text", k.Text}, {"label", k.Label}} {
		if c.name == "" {
			continue
		}
		if _, err := needColumn(k.held, c.flag, c.name); err != nil {
			return usage(errors.WithMessage(err, "--against "+k.Against))
		}
	}
	return nil
}

// filter drops the records that have no text or no chat.
func (k *dataCheck) filter() error {
	files := []*record.Records{k.r}
	if k.held != k.r {
		files = append(files, k.held)
	}
	for _, r := range files {
		texts := k.textsOf(r)
		if err := r.Filter(&k.left, k.strict, func(i int) error { _, err := texts(i); return err }); err != nil {
			return err
		}
	}
	return nil
}

// find looks for what the flags ask for.
func (k *dataCheck) find() (err error) {
	c := record.Check{Text: k.Text, Label: k.Label, Texts: k.textsOf, Similarity: k.Similarity, Val: k.Val, Seed: k.Seed}
	if k.Against != "" {
		c.Against = k.held
	}
	if k.chats != nil {
		c.Answers = func(r *record.Records) record.Texts { return k.chats.Texts(r, true) }
	}
	if k.tokenizer != "" {
		tok, err := openTokenizer(k.tokenizer)
		if err != nil {
			return err
		}
		c.Tokens = func(text string) (int, error) {
			ids, err := generate.PromptIDs(tok, text, token.AsText)
			return len(ids), err
		}
	}
	if k.found, err = c.Find(k.r); err == nil {
		k.found.Unusable = k.left.Count
	}
	return err
}
