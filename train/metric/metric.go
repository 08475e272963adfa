// Package metric measures predictions against targets, batch by batch.
//
//	acc := metric.Accuracy.New()
//	err := acc.Add([]float32{0.9, 0.2}, 1, []float32{1, 0})
//	fmt.Println(acc.Value()) // 1
//
// A [Metric] serves an evaluation of a model. [ClassMetric] and [PerLabel] measure classification, [RMSE] and its like
// regression; a [Confusion] counts labels. A [Text] measures what a model wrote. [Bootstrap95] and [PairedTest] say how
// far figures can be trusted. The values equal those of scikit-learn, SciPy, sacreBLEU and rouge_score to 1e-6; see
// testdata/golden.py. Where a measure is not defined it is NaN.
package metric

import (
	"math"

	"github.com/pkg/errors"
)

// Metric is a measure; it is a value without state.
type Metric interface {
	Name() string
	// New returns an accumulator that has seen nothing.
	New() Accumulator
}

// Accumulator takes in the batches of one evaluation. It is not safe for concurrent use.
type Accumulator interface {
	// Add takes pred (rows, cols), row-major, and the targets of its rows. It is an error if they do not fit.
	Add(pred []float32, cols int, target []float32) error
	// Value is the measure of all rows so far; NaN where there are none.
	Value() float64
	// Reset forgets all rows.
	Reset()
}

// These metrics are means over rows or numbers.
var (
	// Accuracy is the share of rows that are right, with one target for each row. With one column, pred is the
	// probability of class 1 and the target is 0 or 1. A row is right if both lie on the same side of 0.5, where 0.5
	// itself is class 1. With more columns, pred has a score for each class, of any scale, and the target is a class
	// id. A row is right if the target has the largest score; among equal scores the first counts. Rows with a target
	// below 0 do not count. A row with a NaN is wrong.
	Accuracy Metric = measure{"accuracy", accuracy}
	// MSE is the mean of (pred − target)² over all numbers, with sums in float64. Targets are as many as predictions.
	MSE Metric = measure{"mse", elements(func(d float64) float64 { return d * d })}
	// MAE is the mean of |pred − target| over all numbers, with sums in float64. Targets are as many as predictions.
	MAE Metric = measure{"mae", elements(math.Abs)}
)

// score adds a batch to a mean, row by row, so that no split into batches changes the sum. It adds nothing of a batch
// that does not fit.
type score func(m *mean, pred []float32, cols int, target []float32) error

// measure is a metric that is a mean of scores.
type measure struct {
	name  string
	score score
}

// Name implements Metric.
func (m measure) Name() string { return m.name }

// New implements Metric.
func (m measure) New() Accumulator { return &mean{measure: m} }

// mean is the accumulator of a measure.
type mean struct {
	measure
	sum, count float64
}

// Add implements Accumulator.
func (m *mean) Add(pred []float32, cols int, target []float32) error {
	if cols < 1 || len(pred)%cols != 0 {
		return errors.Errorf("metric: %s: %d predictions are no rows of %d columns", m.name, len(pred), cols)
	}
	return errors.Wrapf(m.score(m, pred, cols, target), "metric: %s", m.name)
}

// Value implements Accumulator.
func (m *mean) Value() float64 { return m.sum / m.count }

// Reset implements Accumulator.
func (m *mean) Reset() { m.sum, m.count = 0, 0 }

func accuracy(m *mean, pred []float32, cols int, target []float32) error {
	if rows := len(pred) / cols; rows != len(target) {
		return errors.Errorf("%d rows of %d columns but %d targets, want one for each row", rows, cols, len(target))
	}
	for i, t := range target {
		if t < 0 {
			continue
		}
		m.count++
		if predicts(pred[i*cols:(i+1)*cols], t) {
			m.sum++
		}
	}
	return nil
}

// predicts tells whether a row predicts the class t.
func predicts(row []float32, t float32) bool {
	best := 0
	for j, v := range row {
		if v != v {
			return false
		}
		if v > row[best] {
			best = j
		}
	}
	if len(row) == 1 {
		return (row[0] >= 0.5) == (t >= 0.5)
	}
	return float32(best) == t
}

// elements returns a score that adds f(pred − target) of each number.
func elements(f func(d float64) float64) score {
	return func(m *mean, pred []float32, _ int, target []float32) error {
		if len(pred) != len(target) {
			return errors.Errorf("%d predictions but %d targets, want as many", len(pred), len(target))
		}
		for i, p := range pred {
			m.sum += f(float64(p) - float64(target[i]))
		}
		m.count += float64(len(pred))
		return nil
	}
}
