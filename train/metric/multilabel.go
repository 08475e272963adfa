package metric

import (
	"math"

	"github.com/pkg/errors"
)

// A multi-label task asks of each row and label whether the label applies: pred and target are (rows, labels), pred the
// probability that it does (or its logit, with FromLogits), target 1, 0, or below 0 where it is not known.

// PerLabel measures each label as a task of two classes and is the mean over labels, without those that are NaN (such
// as AUROC of a label that no row has): PerLabel(F1(1)) is the macro F1, PerLabel(PRAUC) the mean average precision.
// NaN scores as m defines.
func PerLabel(m ClassMetric) Metric { return labels{"labels_" + m.name, m, true} }

// AllLabels measures all labels as one task of two classes: AllLabels(F1(1)) is the micro F1, AllLabels(TopK(1)) the
// share of right answers.
func AllLabels(m ClassMetric) Metric { return labels{"all_" + m.name, m, false} }

type labels struct {
	name string
	m    ClassMetric
	each bool // one accumulator a label
}

// Name implements Metric.
func (l labels) Name() string { return l.name }

// New implements Metric.
func (l labels) New() Accumulator { return &labelMean{labels: l} }

type labelMean struct {
	labels
	tasks []*classes
	cols  int
}

// Reset implements Accumulator.
func (a *labelMean) Reset() { a.tasks, a.cols = nil, 0 }

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
	for len(a.tasks) < n {
		a.tasks = append(a.tasks, a.m.New().(*classes))
	}
	a.cols = cols
	for i := range pred {
		if err := a.tasks[i%n].Add(pred[i:i+1], 1, target[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// Value implements Accumulator.
func (a *labelMean) Value() float64 {
	var sum, count float64
	for _, task := range a.tasks {
		if v := task.Value(); !math.IsNaN(v) {
			sum += v
			count++
		}
	}
	return sum / count
}
