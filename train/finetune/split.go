package finetune

import (
	"slices"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/pkg/errors"
)

// divide makes the parts.
func (j *Job) divide(main *record.Records) (err error) {
	d := &j.Settings.Data
	rows := main.Rows()
	if !d.Duplicates {
		same, err := record.Near{Text: j.key(main, true), Similarity: 1}.Within(rows)
		if err != nil {
			return err
		}
		j.Counts.Duplicates = len(same)
		rows = record.Without(rows, same)
	}
	var classes *record.Classes
	if c, ok := j.task.(*classify); ok {
		classes = c.classes
	}
	if rows, err = j.draw(rows, classes); err != nil {
		return err
	}
	if j.val, rows, err = j.heldOut(main, rows, d.ValPath); err != nil {
		return err
	}
	if j.test, rows, err = j.heldOut(main, rows, d.TestPath); err != nil {
		return err
	}
	j.train = &part{r: main, rows: rows}
	if j.val == nil {
		if err := j.split(classes); err != nil {
			return err
		}
	}
	if len(j.train.rows) < 2 || len(j.val.rows) < 1 {
		return errors.Errorf("finetune: %d records to train on and %d to validate on, of %d; want at least 2 and 1", len(j.train.rows), len(j.val.rows), main.Len())
	}
	if classes != nil {
		return j.checkClasses(classes)
	}
	return nil
}

// heldOut opens a file of records that are not to be trained on, and returns rows without what is in it. Without a path
// there is no part.
func (j *Job) heldOut(main *record.Records, rows []int, path string) (*part, []int, error) {
	if path == "" {
		return nil, rows, nil
	}
	r, err := j.openFile(path)
	if err == nil {
		rows, err = j.withoutLeaks(main, rows, r)
	}
	if err == nil {
		err = j.task.columns(j, r)
	}
	return &part{r: r, rows: r.Rows()}, rows, err
}

// split takes the validation part out of the training part: a share of it, or a fold.
func (j *Job) split(classes *record.Classes) error {
	d, seed, rows := &j.Settings.Data, j.Settings.Train.Seed, j.train.rows
	_, writes := j.task.(writer)
	if d.Val == 0 && d.Folds == 0 {
		d.Val = 0.1
		if len(rows) <= 1000 {
			d.Val = 0.2
		}
		if writes { // each costs as much as training on it, nearly
			d.Val = min(d.Val, 200/float64(len(rows)))
		}
	}
	var fold record.Fold
	if d.Folds > 0 {
		all, err := record.Folds(rows, classes, seed, d.Folds)
		if err != nil {
			return err
		}
		fold = all[d.Fold-1]
	} else {
		parts, err := record.Split(rows, classes, seed, 1-d.Val, d.Val)
		if err != nil {
			return err
		}
		fold = record.Fold{Train: parts[0], Val: parts[1]}
	}
	j.val = &part{r: j.train.r, rows: fold.Val}
	if _, ok := j.task.(*chat); ok { // a question may have several answers
		leaks, err := record.Near{Text: j.key(j.train.r, false), Similarity: 1}.Leaks(fold.Val, fold.Train)
		if err != nil {
			return err
		}
		j.Counts.Leaks += len(leaks)
		fold.Train = record.Without(fold.Train, leaks)
	}
	j.train.rows = fold.Train
	return nil
}

// draw returns as many of the rows as the settings want.
func (j *Job) draw(rows []int, classes *record.Classes) ([]int, error) {
	n := j.Settings.Data.Rows
	if n == 0 || n >= len(rows) {
		return rows, nil
	}
	parts, err := record.Split(rows, classes, j.Settings.Train.Seed, float64(n), float64(len(rows)-n))
	if err != nil {
		return nil, err
	}
	return parts[0], nil
}

// withoutLeaks returns rows of a without those whose text or question, folded, is in b.
func (j *Job) withoutLeaks(a *record.Records, rows []int, b *record.Records) ([]int, error) {
	n, ofA, ofB := b.Len(), j.key(a, false), j.key(b, false)
	of := func(i int) (string, error) {
		if i < n {
			return ofB(i)
		}
		return ofA(i - n)
	}
	shifted := make([]int, len(rows))
	for i, r := range rows {
		shifted[i] = r + n
	}
	leaks, err := record.Near{Text: of, Similarity: 1}.Leaks(b.Rows(), shifted)
	if err != nil {
		return nil, err
	}
	j.Counts.Leaks += len(leaks)
	kept := record.Without(shifted, leaks)
	for i := range kept {
		kept[i] -= n
	}
	return kept, nil
}

// column refuses a column that is missing, and names those there are.
func column(r *record.Records, setting, name string) error {
	if name == "" {
		return errors.Errorf("finetune: no column is named as %s; there are %q", setting, r.Columns())
	}
	if !slices.Contains(r.Columns(), name) {
		return errors.Errorf("finetune: %s %q: no such column; there are %q", setting, name, r.Columns())
	}
	return nil
}
