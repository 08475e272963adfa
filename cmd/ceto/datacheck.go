package main

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/pkg/errors"
)

// dataFacts is the JSON of ceto data check.
type dataFacts struct {
	Rows       int            `json:"rows"`
	Columns    []string       `json:"columns"`
	Text       string         `json:"text"`    // of chats "instruction, output" or whatever the columns are
	Label      string         `json:"label"`   // "" for none
	Classes    map[string]int `json:"classes"` // rows of each label
	Characters lengths        `json:"characters"`
	Tokens     *lengths       `json:"tokens,omitempty"`
	Empty      int            `json:"empty"`           // rows without a text but for white space
	Duplicates int            `json:"duplicates"`      // rows whose folded text an earlier row has
	Near       int            `json:"near_duplicates"` // other rows that are like an earlier one
	Conflicts  int            `json:"conflicts"`       // duplicates whose label, or answer, is not the earlier row's
	Leaks      int            `json:"leaks"`           // held-out rows that are like a row of the data
	HeldOut    int            `json:"held_out"`        // rows that leaks were looked for in
	Unseen     []string       `json:"unseen"`          // labels of held-out rows that the data lacks
	Small      []string       `json:"small"`           // labels that are missing in a part of the split
}

// lengths are quantiles, by nearest rank.
type lengths struct {
	Min    int `json:"min"`
	Median int `json:"median"`
	P95    int `json:"p95"`
	Max    int `json:"max"`
}

// lengthsOf sorts n, which is not empty.
func lengthsOf(n []int) lengths {
	slices.Sort(n)
	at := func(percent int) int { return n[(len(n)*percent+99)/100-1] }
	return lengths{Min: n[0], Median: at(50), P95: at(95), Max: n[len(n)-1]}
}

// dataCheck is what is found in data, and where.
type dataCheck struct {
	*checkFlags
	r, held *record.Records  // held: what --against names, else r
	chats   *finetune.Layout // where the rows are chats: their texts end before the last answer
	facts   dataFacts
	classes *record.Classes // nil without labels
	balance record.Balance

	empty                        []int
	same, near, conflicts, leaks []record.Pair // of leaks, A is a row of r and B one of held
}

// detect finds out whether the rows are chats: no column was named, none is called text, and a layout fits.
func (k *dataCheck) detect() {
	if l, err := finetune.DetectLayout(k.r.Columns()); err == nil && k.checkFlags.text == "" && !slices.Contains(k.r.Columns(), "text") {
		k.chats, k.checkFlags.text = &l, strings.Join(l.Columns(), ", ")
	}
}

// textsOf are the texts of the rows of r, which is k.r or k.held.
func (k *dataCheck) textsOf(r *record.Records) record.Texts {
	if k.chats != nil {
		return k.chats.Texts(r, false)
	}
	return r.Column(k.text)
}

// comparable refuses held-out data that lacks the columns.
func (k *dataCheck) comparable() error {
	if k.chats != nil {
		return usage(errors.WithMessage(k.chats.Check(k.held), "--against "+k.against))
	}
	for _, c := range []struct{ flag, name string }{{"text", k.text}, {"label", k.label}} {
		if c.name == "" {
			continue
		}
		if _, err := needColumn(k.held, c.flag, c.name); err != nil {
			return usage(errors.WithMessage(err, "--against "+k.against))
		}
	}
	return nil
}

func (k *dataCheck) check() error {
	k.facts = dataFacts{Rows: k.r.Len(), Columns: k.r.Columns(), Text: k.text, Label: k.label, Classes: map[string]int{}, Unseen: []string{}, Small: []string{}}
	rows, err := k.texts()
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return errors.Errorf("%s: all %d texts of column %q are empty", k.path, k.r.Len(), k.text)
	}
	if err := k.labels(); err != nil {
		return err
	}
	different, err := k.duplicates(rows)
	if err != nil {
		return err
	}
	if err := k.small(different); err != nil {
		return err
	}
	return k.leak(rows)
}

// texts measures the texts and returns the rows that have one.
func (k *dataCheck) texts() (rows []int, err error) {
	var tok token.Tokenizer
	if k.tokenizer != "" {
		if tok, err = openTokenizer(k.tokenizer); err != nil {
			return nil, err
		}
	}
	var chars, tokens []int
	texts := k.textsOf(k.r)
	for i := range k.r.Len() {
		text, err := texts(i)
		if err != nil {
			return nil, err
		}
		chars = append(chars, utf8.RuneCountInString(text))
		if record.FoldText(text) == "" {
			k.empty = append(k.empty, i)
		} else {
			rows = append(rows, i)
		}
		if tok == nil {
			continue
		}
		ids, err := generate.PromptIDs(tok, text, token.AsText)
		if err != nil {
			return nil, errors.WithMessage(err, k.r.Where(i))
		}
		tokens = append(tokens, len(ids))
	}
	k.facts.Empty, k.facts.Characters = len(k.empty), lengthsOf(chars)
	if tok != nil {
		l := lengthsOf(tokens)
		k.facts.Tokens = &l
	}
	return rows, nil
}

// labels counts the classes, and finds those that only held-out data has.
func (k *dataCheck) labels() (err error) {
	if k.label == "" {
		return nil
	}
	if k.classes, err = k.r.Classes(k.label); err != nil {
		return err
	}
	if k.balance, err = k.classes.Balance(k.r.Rows()); err != nil {
		return err
	}
	for _, c := range k.balance {
		k.facts.Classes[c.Name] = c.Count
	}
	held, err := k.held.Classes(k.label)
	if err != nil {
		return err
	}
	for _, name := range held.Names {
		if k.facts.Classes[name] == 0 {
			k.facts.Unseen = append(k.facts.Unseen, name)
		}
	}
	return nil
}

// duplicates finds rows that repeat or resemble earlier ones and returns the rows whose text no earlier one has.
func (k *dataCheck) duplicates(rows []int) (different []int, err error) {
	texts := k.textsOf(k.r)
	if k.same, err = (record.Near{Text: texts, Similarity: 1}).Within(rows); err != nil {
		return nil, err
	}
	different = record.Without(rows, k.same)
	if k.similarity < 1 {
		if k.near, err = (record.Near{Text: texts, Similarity: k.similarity}).Within(different); err != nil {
			return nil, err
		}
	}
	for _, p := range k.same {
		differ := k.classes != nil && k.classes.Of[p.A] != k.classes.Of[p.B]
		if k.chats != nil {
			if differ, err = k.answersDiffer(p); err != nil {
				return nil, err
			}
		}
		if differ {
			k.conflicts = append(k.conflicts, p)
		}
	}
	k.facts.Duplicates, k.facts.Near, k.facts.Conflicts = len(k.same), len(k.near), len(k.conflicts)
	return different, nil
}

// answersDiffer tells whether two chats that are alike up to the last answer have another one, but for case and white space.
func (k *dataCheck) answersDiffer(p record.Pair) (bool, error) {
	whole := k.chats.Texts(k.r, true)
	a, err := whole(p.A)
	if err != nil {
		return false, err
	}
	b, err := whole(p.B)
	return record.FoldText(a) != record.FoldText(b), err
}

// split divides rows as training would.
func (k *dataCheck) split(rows []int) ([][]int, error) {
	return record.Split(rows, k.classes, k.seed, 1-k.val, k.val)
}

// small finds the labels that a part of the split of rows lacks.
func (k *dataCheck) small(rows []int) error {
	if k.classes == nil {
		return nil
	}
	parts, err := k.split(rows)
	if err != nil {
		return err
	}
	for _, part := range parts {
		b, err := k.classes.Balance(part)
		if err != nil {
			return err
		}
		for _, c := range b {
			if c.Count == 0 && !slices.Contains(k.facts.Small, c.Name) {
				k.facts.Small = append(k.facts.Small, c.Name)
			}
		}
	}
	slices.Sort(k.facts.Small)
	return nil
}

// leak looks for the texts of rows among those held out; without --against, those are a part of the rows.
func (k *dataCheck) leak(rows []int) error {
	n, texts := k.r.Len(), k.textsOf(k.r)
	train, held := rows, k.held.Rows()
	if k.against == "" {
		parts, err := k.split(rows)
		if err != nil {
			return err
		}
		train, held = parts[0], parts[1]
	} else {
		for i := range held {
			held[i] += n
		}
		own, other := texts, k.textsOf(k.held)
		texts = func(i int) (string, error) {
			if i < n {
				return own(i)
			}
			return other(i - n)
		}
	}
	pairs, err := record.Near{Text: texts, Similarity: k.similarity}.Leaks(train, held)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if k.against != "" {
			p.B -= n
		}
		k.leaks = append(k.leaks, p)
	}
	k.facts.Leaks, k.facts.HeldOut = len(pairs), len(held)
	return nil
}
