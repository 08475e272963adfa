package finetune

import (
	"fmt"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/pkg/errors"
)

// Data are the records of a job: read, divided into subsets, and measured.
type Data struct {
	Counts Counts

	train, val, test *subset // test is nil without a test file
	files            []*record.Records
	augment          record.Augment
}

// Counts say what was read.
type Counts struct {
	Rows       int             // records that are used
	Duplicates int             // records left out, since an earlier one has the same text but for case and white space
	Leaks      int             // records left out of training, since the validation or test records have their text
	Train, Val int             // records of the subsets
	Test       int             // records of the test file
	Truncated  int             // examples longer than the context
	LeftOut    int             // records without an example: chats whose answers lie beyond the context, empty texts
	LostSpans  int             // spans that have no token of their own, mostly since they lie beyond the context
	Unusable   record.Unusable // records left out, since nothing can be learned from them
	Tokens     int             // tokens of an epoch of training
	Balance    record.Balance
	Warnings   []string
}

// reader is a task's part in reading records.
type reader interface {
	// columns refuses records that lack a column that the task reads. Where d names no column it may set it, by the
	// names of r's columns.
	columns(d *DataSettings, r *record.Records) error
	// usable returns an error where nothing can be learned from a record, as far as that can be told from it alone.
	usable(s *Setup, r *record.Records, row int) error
	// open learns what the task needs to know about all records, such as their classes.
	open(s *Setup, r *record.Records) error
	// strata returns the classes by which the records are drawn and divided, or nil.
	strata() *record.Classes
	// divided learns what the task needs to know about the subsets, and refuses subsets that it cannot learn from.
	divided(s *Setup, d *Data) error
	// restore reads from the settings of a run what open and divided learned for it.
	restore(s *Setup) error
	// identity returns the texts by which two records count as duplicates.
	identity(d *DataSettings, r *record.Records) record.Texts
	// question returns the text of each question where records are questions with answers, else nil. No question is in
	// both training and validation data.
	question(d *DataSettings, r *record.Records) record.Texts
	// leftOut says that n records have no example, and why.
	leftOut(n, context int) string
	// valShare is the share of the records to validate on, where the settings name none.
	valShare(records int) float64
}

// subset is some records of a file. It has examples once it is measured.
type subset struct {
	r    *record.Records
	rows []int
	held bool // for validation or test
	*examples
}

// open reads the records that the settings name, divides and measures them. It resolves the settings that depend on the
// records; with anyContext the context is one of them. The caller must call closeFiles, after an error too.
func (d *Data) open(s *Setup, anyContext bool) (err error) {
	if anyContext {
		s.Settings.Data.Context = s.task.longest(s)
	}
	a := s.Settings.Data.Augment
	if a.Replace > 0 && a.Synonyms != "" {
		if d.augment.Synonyms, err = record.ReadSynonyms(a.Synonyms); err != nil {
			return err
		}
	}
	d.augment.Swap, d.augment.Delete, d.augment.Replace = a.Swap, a.Delete, a.Replace
	main, err := d.file(s, s.Settings.Data.Path)
	if err != nil {
		return err
	}
	if err := s.task.open(s, main); err != nil {
		return err
	}
	if err := d.divide(s, main); err != nil {
		return err
	}
	if err := s.task.divided(s, d); err != nil {
		return err
	}
	return d.measureAll(s, anyContext)
}

// file opens a file of records, and drops those that nothing can be learned from.
func (d *Data) file(s *Setup, path string) (*record.Records, error) {
	r, err := record.Open(path, s.Settings.Data.records())
	if err != nil {
		return nil, err
	}
	d.files = append(d.files, r)
	if err := s.task.columns(&s.Settings.Data, r); err != nil {
		return nil, err
	}
	return r, s.filter(r, &d.Counts.Unusable)
}

// filter drops the records that nothing can be learned from.
func (s *Setup) filter(r *record.Records, u *record.Unusable) error {
	return r.Filter(u, s.Settings.Data.Strict, func(i int) error { return s.task.usable(s, r, i) })
}

// subsets returns the training and validation subsets, and the test subset where there is one.
func (d *Data) subsets() []*subset {
	all := []*subset{d.train, d.val}
	if d.test != nil {
		all = append(all, d.test)
	}
	return all
}

// measureAll makes all examples once. So a record that cannot be an example is an error now, and not in the middle of a
// run. With anyContext the task may choose a shorter context, in which some examples are cut.
func (d *Data) measureAll(s *Setup, anyContext bool) error {
	c := &d.Counts
	if err := d.measureSubsets(s); err != nil {
		return err
	}
	if anyContext {
		if n := s.task.shorter(d.train.lengths, s.Settings.Data.Context); n < s.Settings.Data.Context {
			s.Settings.Data.Context = n
			if err := d.measureSubsets(s); err != nil {
				return err
			}
		}
	}
	c.Train, c.Val = len(d.train.rows), len(d.val.rows)
	c.Rows = c.Train + c.Val
	if d.test != nil {
		c.Test = len(d.test.rows)
	}
	context := s.Settings.Data.Context
	if c.Train < 2 || c.Val < 1 {
		why := ""
		if c.LeftOut > 0 {
			why = s.task.leftOut(c.LeftOut, context) + "; "
		}
		return errors.Errorf("finetune: %s%d records are left to train on and %d to validate on, want at least 2 and 1", why, c.Train, c.Val)
	}
	n := extent{examples: c.Train}
	for _, l := range d.train.lengths {
		c.Tokens += int(l)
		n.longest = max(n.longest, int(l))
	}
	n.tokens = c.Tokens
	s.task.sizes(&s.Settings, n)
	if c.Truncated > 0 {
		d.warn("%d texts are longer than %d tokens; the rest of each is left out (--context takes more, --strict refuses them)", c.Truncated, context)
	}
	if c.LeftOut > 0 {
		d.warn("%s", s.task.leftOut(c.LeftOut, context))
	}
	if c.Unusable.Count > 0 {
		d.warn("%d records are left out, since nothing can be learned from them (--strict refuses them): %v", c.Unusable.Count, c.Unusable)
	}
	if c.LostSpans > 0 {
		d.warn("%d spans have no token of their own, most beyond the %d tokens of the context: they are not learned", c.LostSpans, context)
	}
	return nil
}

// measureSubsets measures all subsets.
func (d *Data) measureSubsets(s *Setup) error {
	c := &d.Counts
	c.Truncated, c.LostSpans = 0, 0
	for _, p := range d.subsets() {
		lost, err := s.measure(p, &c.Unusable)
		if err != nil {
			return err
		}
		c.Truncated, c.LeftOut, c.LostSpans = c.Truncated+lost.cut, c.LeftOut+lost.records, c.LostSpans+lost.spans
	}
	return nil
}

// digests tell the records of each subset, in their order, and the tokenizer from others.
func (j *Job) digests() (map[string]string, error) {
	all := map[string]string{"tokenizer": data.TokenizerDigest(j.Tokenizer)}
	names := []string{"records to train on", "records to validate on", "records to test"}
	for i, p := range j.subsets() {
		digest, err := p.r.Digest(p.rows)
		if err != nil {
			return nil, err
		}
		all[names[i]] = digest
	}
	return all, nil
}

func (d *Data) warn(format string, a ...any) {
	d.Counts.Warnings = append(d.Counts.Warnings, fmt.Sprintf(format, a...))
}

// closeFiles closes the files of records and returns the first error.
func (d *Data) closeFiles() (first error) {
	for _, r := range d.files {
		if err := r.Close(); err != nil && first == nil {
			first = err
		}
	}
	d.files = nil
	return first
}

// textColumns checks the columns of texts and labels. Where d names none, it takes those called text and label.
func textColumns(d *DataSettings, r *record.Records) error {
	if d.Text == "" && r.Has("text") {
		d.Text = "text"
	}
	if len(d.Label) == 0 && r.Has("label") {
		d.Label = []string{"label"}
	}
	if err := column(r, "text", d.Text); err != nil {
		return err
	}
	if len(d.Label) == 0 {
		return column(r, "label", "")
	}
	for _, l := range d.Label {
		if err := column(r, "label", l); err != nil {
			return err
		}
	}
	return nil
}

// oneLabel refuses several columns of labels. The task wants one column of what; hint ends the error's text.
func oneLabel(d *DataSettings, task, what, hint string) error {
	if len(d.Label) > 1 {
		return errors.Errorf("finetune: %s wants one column of %s, not %q%s", task, what, d.Label, hint)
	}
	return nil
}

// column refuses a column that is missing, and lists the columns that exist.
func column(r *record.Records, setting, name string) error {
	if name == "" {
		return errors.Errorf("finetune: want the name of the column of %ss; there are %q", setting, r.Columns())
	}
	if !r.Has(name) {
		return errors.Errorf("finetune: %s %q: no such column; there are %q", setting, name, r.Columns())
	}
	return r.Unique(name)
}
