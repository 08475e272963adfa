package record

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// Check says what to look for in records before a model learns from them.
//
//	f, err := record.Check{Text: "text", Label: "label"}.Find(r)
//	fmt.Println(f.Duplicates, "duplicates,", f.Leaks, "leaks")
type Check struct {
	Text  string // column of the texts
	Label string // column of the labels; "" where there are none
	// Texts gives the texts that are compared; nil stands for the column Text. For chats, a text is all up to the last
	// answer, and Text says in messages what that is.
	Texts func(r *Records) Texts
	// Answers gives each row's text with its answer. Duplicates that have different ones contradict each other. Nil
	// stands for different labels.
	Answers func(r *Records) Texts
	// Tokens counts the tokens of a text; nil does not count them.
	Tokens     func(text string) (int, error)
	Similarity float64  // that near duplicates and leaks have at least, as in [Near], from 0.5 to 1; 0 is 0.9
	Against    *Records // held-out records, with the same columns; nil stands for a part of a split
	Val        float64  // share of the rows that the split holds out, between 0 and 1; 0 is 0.2
	Seed       uint64   // draws the split
}

// Findings are what a [Check] finds. They can be kept as JSON, but for Places, Labels and Balance.
type Findings struct {
	Rows       int            `json:"rows"`
	Columns    []string       `json:"columns"`
	Text       string         `json:"text"`    // Check.Text
	Label      string         `json:"label"`   // Check.Label
	Classes    map[string]int `json:"classes"` // rows of each label
	Characters Lengths        `json:"characters"`
	Tokens     *Lengths       `json:"tokens,omitempty"`   // nil where they were not counted
	Unusable   int            `json:"unusable,omitempty"` // records that were left out; for programs to set
	Empty      int            `json:"empty"`              // rows without a text but for white space
	Duplicates int            `json:"duplicates"`         // rows whose folded text an earlier row has
	Near       int            `json:"near_duplicates"`    // other rows that are like an earlier one
	Conflicts  int            `json:"conflicts"`          // duplicates whose label, or answer, is not the earlier row's
	Leaks      int            `json:"leaks"`              // held-out rows that are like a row to train on
	HeldOut    int            `json:"held_out"`           // rows that leaks were looked for in
	Unseen     []string       `json:"unseen"`             // labels of held-out rows that the data lacks
	Small      []string       `json:"small"`              // labels that are missing in a part of the split, sorted
	Alike      string         `json:"alike,omitempty"`    // Classes.Alike

	Places  Places   `json:"-"`
	Labels  *Classes `json:"-"` // nil without labels
	Balance Balance  `json:"-"` // how many rows each label has, the largest first
}

// Places are the numbers of the rows that [Findings] count.
type Places struct {
	Empty      []int
	Duplicates []Pair
	Near       []Pair
	Conflicts  []Pair
	Leaks      []Pair // A is a row to train on; B is a held-out one, in Check.Against where that is set
}

// Lengths are quantiles of the lengths of texts, in characters or tokens, by nearest rank.
type Lengths struct {
	Min    int `json:"min"`
	Median int `json:"median"`
	P95    int `json:"p95"`
	Max    int `json:"max"`
}

// String is the quantiles in words.
func (l Lengths) String() string {
	return fmt.Sprintf("%d to %d (median %d, 95 %% up to %d)", l.Min, l.Max, l.Median, l.P95)
}

// lengthsOf sorts n, which is not empty.
func lengthsOf(n []int) Lengths {
	slices.Sort(n)
	at := func(percent int) int { return n[(len(n)*percent+99)/100-1] }
	return Lengths{Min: n[0], Median: at(50), P95: at(95), Max: n[len(n)-1]}
}

// Find looks through all records of r. It is an error if all texts are empty, a column is missing, in Against too, or a
// record cannot be read.
func (c Check) Find(r *Records) (*Findings, error) {
	k := &checking{Check: c, r: r, held: r, Findings: Findings{Rows: r.Len(), Columns: r.Columns(), Text: c.Text, Label: c.Label,
		Classes: map[string]int{}, Unseen: []string{}, Small: []string{}}}
	if err := k.complete(); err != nil {
		return nil, err
	}
	rows, err := k.measure()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.Errorf("record: %s: all %d texts of column %q are empty", r.path, r.Len(), c.Text)
	}
	if err := k.labels(); err != nil {
		return nil, err
	}
	different, err := k.duplicates(rows)
	if err != nil {
		return nil, err
	}
	if err := k.small(different); err != nil {
		return nil, err
	}
	if err := k.leak(rows); err != nil {
		return nil, err
	}
	return &k.Findings, nil
}

// checking is a check under way.
type checking struct {
	Check
	Findings
	r, held *Records // held is Against, or r where there is none
}

// complete fills in what was not given and refuses what cannot be.
func (k *checking) complete() error {
	c := &k.Check
	if c.Against != nil {
		k.held = c.Against
	}
	if c.Similarity == 0 {
		c.Similarity = 0.9
	}
	if c.Val == 0 {
		c.Val = 0.2
	}
	if !(c.Similarity >= 0.5 && c.Similarity <= 1) || !(c.Val > 0 && c.Val < 1) {
		return errors.Errorf("record: Check: similarity %g, val %g; want a similarity from 0.5 to 1, and a val between 0 and 1", c.Similarity, c.Val)
	}
	if c.Texts == nil {
		column := c.Text
		c.Texts = func(r *Records) Texts { return r.Column(column) }
	}
	return nil
}

// measure finds the lengths of the texts and returns the rows that have one.
func (k *checking) measure() (rows []int, err error) {
	var chars, tokens []int
	texts := k.Texts(k.r)
	for i := range k.r.Len() {
		text, err := texts(i)
		if err != nil {
			return nil, err
		}
		chars = append(chars, utf8.RuneCountInString(text))
		if FoldText(text) == "" {
			k.Places.Empty = append(k.Places.Empty, i)
		} else {
			rows = append(rows, i)
		}
		if k.Check.Tokens == nil {
			continue
		}
		n, err := k.Check.Tokens(text)
		if err != nil {
			return nil, errors.WithMessage(err, k.r.Where(i))
		}
		tokens = append(tokens, n)
	}
	k.Empty, k.Characters = len(k.Places.Empty), lengthsOf(chars)
	if tokens != nil {
		l := lengthsOf(tokens)
		k.Findings.Tokens = &l
	}
	return rows, nil
}
