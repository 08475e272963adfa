package finetune

import (
	"fmt"
	"testing"
)

// TestFolds: each record is in one fold's validation part.
func TestFolds(t *testing.T) {
	seen := map[int]int{}
	for fold := 1; fold <= 3; fold++ {
		s := settings(t, "classify", 60)
		s.Data.Folds, s.Data.Fold = 3, fold
		j := open(t, s)
		for _, row := range j.val.rows {
			seen[row]++
		}
		if len(j.val.rows) != 20 || len(j.train.rows) != 40 {
			t.Errorf("fold %d has %d and %d records", fold, len(j.train.rows), len(j.val.rows))
		}
	}
	if len(seen) != 60 {
		t.Errorf("%d records are in some fold's validation part, want 60", len(seen))
	}
}

// TestAugment: training sees another variant of a text each epoch, validation sees the text itself.
func TestAugment(t *testing.T) {
	s := settings(t, "classify", 60)
	s.Data.Augment.Swap = 0.3
	j := open(t, s)
	at := func(p *subset, learn bool, epoch uint64) string {
		vary := j.vary(s.Train.Seed)
		if !learn {
			vary = nil
		}
		q, err := j.sequences(p, vary)
		if err != nil {
			t.Fatal(err)
		}
		e, err := q.At(0, epoch)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(e.IDs)
	}
	variants := map[string]bool{}
	for epoch := range uint64(20) {
		variants[at(j.train, true, epoch)] = true
		if at(j.val, false, epoch) != at(j.val, false, 0) || at(j.train, true, epoch) != at(j.train, true, epoch) {
			t.Fatal("a text that is not trained on changes, or a variant is not the same twice")
		}
	}
	if len(variants) < 5 {
		t.Errorf("%d variants of a text in 20 epochs", len(variants))
	}
}
