package finetune

import (
	"github.com/ceto-ml/ceto/data/record"
	"github.com/pkg/errors"
)

// divide makes the subsets. The training subset is from main; validation and test subsets may have files of their own.
func (d *Data) divide(s *Setup, main *record.Records) (err error) {
	set := &s.Settings.Data
	rows := main.Rows()
	if !set.Duplicates {
		same, err := record.Near{Text: s.task.identity(set, main), Similarity: 1}.Within(rows)
		if err != nil {
			return err
		}
		d.Counts.Duplicates = len(same)
		rows = record.Without(rows, same)
	}
	if rows, err = s.draw(rows); err != nil {
		return err
	}
	if d.val, rows, err = d.heldOut(s, main, rows, set.ValPath); err != nil {
		return err
	}
	if d.test, rows, err = d.heldOut(s, main, rows, set.TestPath); err != nil {
		return err
	}
	d.train = &subset{r: main, rows: rows}
	if d.val == nil {
		if err := d.split(s); err != nil {
			return err
		}
	}
	if len(d.train.rows) < 2 || len(d.val.rows) < 1 {
		return errors.Errorf("finetune: %d records to train on and %d to validate on, of %d; want at least 2 and 1", len(d.train.rows), len(d.val.rows), main.Len())
	}
	return nil
}

// question returns the texts that must not be in both training data and files of held-out data.
func (s *Setup) question(r *record.Records) record.Texts {
	if q := s.task.question(&s.Settings.Data, r); q != nil {
		return q
	}
	return s.task.identity(&s.Settings.Data, r)
}

// heldOut opens a file of validation or test records. It returns the file's subset, and rows of main without those that
// the file has too. Without a path there is no subset.
func (d *Data) heldOut(s *Setup, main *record.Records, rows []int, path string) (*subset, []int, error) {
	if path == "" {
		return nil, rows, nil
	}
	r, err := d.file(s, path)
	if err == nil {
		rows, err = d.withoutLeaks(s, main, rows, r)
	}
	if err != nil {
		return nil, nil, err
	}
	return &subset{r: r, rows: r.Rows(), held: true}, rows, nil
}

// split moves some records from the training subset to the validation subset: a share of them, or a fold.
func (d *Data) split(s *Setup) error {
	set, seed, rows, strata := &s.Settings.Data, s.Settings.Train.Seed, d.train.rows, s.task.strata()
	if set.Val == 0 && set.Folds == 0 {
		set.Val = s.task.valShare(len(rows))
	}
	var fold record.Fold
	if set.Folds > 0 {
		all, err := record.Folds(rows, strata, seed, set.Folds)
		if err != nil {
			return err
		}
		fold = all[set.Fold-1]
	} else {
		parts, err := record.Split(rows, strata, seed, 1-set.Val, set.Val)
		if err != nil {
			return err
		}
		fold = record.Fold{Train: parts[0], Val: parts[1]}
	}
	d.val = &subset{r: d.train.r, rows: fold.Val, held: true}
	if q := s.task.question(set, d.train.r); q != nil { // a question may have several answers
		leaks, err := record.Near{Text: q, Similarity: 1}.Leaks(fold.Val, fold.Train)
		if err != nil {
			return err
		}
		d.Counts.Leaks += len(leaks)
		fold.Train = record.Without(fold.Train, leaks)
	}
	d.train.rows = fold.Train
	return nil
}

// draw returns as many rows as the settings ask for.
func (s *Setup) draw(rows []int) ([]int, error) {
	n := s.Settings.Data.Rows
	if n == 0 || n >= len(rows) {
		return rows, nil
	}
	parts, err := record.Split(rows, s.task.strata(), s.Settings.Train.Seed, float64(n), float64(len(rows)-n))
	if err != nil {
		return nil, err
	}
	return parts[0], nil
}

// withoutLeaks returns the rows of a whose text or question is not in b, whatever its case and white space.
func (d *Data) withoutLeaks(s *Setup, a *record.Records, rows []int, b *record.Records) ([]int, error) {
	n, textA, textB := b.Len(), s.question(a), s.question(b)
	text := func(i int) (string, error) { // b's records, then a's
		if i < n {
			return textB(i)
		}
		return textA(i - n)
	}
	shifted := make([]int, len(rows))
	for i, r := range rows {
		shifted[i] = r + n
	}
	leaks, err := record.Near{Text: text, Similarity: 1}.Leaks(b.Rows(), shifted)
	if err != nil {
		return nil, err
	}
	d.Counts.Leaks += len(leaks)
	kept := record.Without(shifted, leaks)
	for i := range kept {
		kept[i] -= n
	}
	return kept, nil
}
