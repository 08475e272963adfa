package metric

import (
	"math"

	"github.com/pkg/errors"
)

// A multi-label task asks for each row and label whether the label applies. pred and target are (rows, labels). pred is
// the probability that the label applies, or its logit with FromLogits. A target is 1 or 0, or below 0 where the answer
// is not known.

// PerLabel measures each label as a task of two classes, and is the mean over labels. PerLabel(F1(1)) is the macro F1
// and PerLabel(PRAUC) the mean average precision. Labels whose measure is NaN, such as AUROC where no row has the
// label, are left out. The measure m decides what a NaN in pred does.
// PerLabel takes pred (rows, labels) and as many targets.
func PerLabel(m ClassMetric) Metric { return labels{"labels_" + m.name, m, true} }

// AllLabels measures all labels together as one task of two classes. AllLabels(F1(1)) is the micro F1 and
// AllLabels(TopK(1)) the share of right answers. It takes pred (rows, labels) and as many targets.
func AllLabels(m ClassMetric) Metric { return labels{"all_" + m.name, m, false} }

type labels struct {
	name string
	m    ClassMetric
	each bool // one accumulator for each label
}

// Name implements Metric.
func (l labels) Name() string { return l.name }

// New implements Metric.
func (l labels) New() Accumulator { return &labelMean{labels: l} }

type labelMean struct {
	labels
	perLabel []*classes
	cols     int
}

// Reset implements Accumulator.
func (a *labelMean) Reset() { a.perLabel, a.cols = nil, 0 }

// Add implements Accumulator.
func (a *labelMean) Add(pred []float32, cols int, target []float32) error {
	switch {
	case cols < 1 || len(pred)%cols != 0:
		return errors.Errorf("metric: %s: %d predictions are no rows of %d columns", a.name, len(pred), cols)
	case len(pred) != len(target):
		return errors.Errorf("metric: %s: %d predictions but %d targets, want as many", a.name, len(pred), len(target))
	case a.cols != 0 && a.cols != cols:
		return errors.Errorf("metric: %s: %d columns after batches of %d", a.name, cols, a.cols)
	case len(pred) == 0:
		return nil
	}
	if err := a.m.New().(*classes).check(pred, 1, target); err != nil {
		return errors.Wrapf(err, "metric: %s: each label counted as a row", a.name)
	}
	n := 1
	if a.each {
		n = cols
	}
	for len(a.perLabel) < n {
		a.perLabel = append(a.perLabel, a.m.New().(*classes))
	}
	a.cols = cols
	for i := range pred {
		if err := a.perLabel[i%n].Add(pred[i:i+1], 1, target[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// Value implements Accumulator.
func (a *labelMean) Value() float64 {
	var sum, count float64
	for _, c := range a.perLabel {
		if v := c.Value(); !math.IsNaN(v) {
			sum += v
			count++
		}
	}
	return sum / count
}
