package metric

import (
	"math"
	"sort"

	"github.com/pkg/errors"
)

// The metrics of regression below take pred (rows, cols) and as many targets. Each column is measured by itself, and
// the value is the mean over columns, as scikit-learn's "uniform_average". A NaN anywhere makes it NaN. Sums are in
// float64, row by row.
var (
	// RMSE is √(Σ(target − pred)² / rows).
	RMSE Metric = columns{"rmse", func() column { return &rmse{} }}
	// R2 is 1 − Σ(target − pred)² / Σ(target − mean)². Where all targets are equal it is 1 if all are hit exactly, else
	// 0. It is NaN for fewer than two rows. Source: scikit-learn's r2_score.
	R2 Metric = columns{"r2", func() column { return &r2{} }}
	// Pearson is the correlation of pred and target. It is NaN if either is constant, and for fewer than two rows.
	Pearson Metric = columns{"pearson", func() column { return &pearson{} }}
	// Spearman is the correlation of the ranks of pred and target; equal values share the mean of their ranks. It is
	// NaN where Pearson is. It keeps all numbers, 16 bytes for each pair.
	Spearman Metric = columns{"spearman", func() column { return &spearman{} }}
)

// column measures the numbers of one column.
type column interface {
	add(pred, target float64)
	value() float64
}

// columns is a metric that is the mean over columns.
type columns struct {
	name string
	new  func() column
}

// Name implements Metric.
func (m columns) Name() string { return m.name }

// New implements Metric.
func (m columns) New() Accumulator { return &columnMean{columns: m} }

type columnMean struct {
	columns
	each []column
}

// Add implements Accumulator.
func (a *columnMean) Add(pred []float32, cols int, target []float32) error {
	switch {
	case cols < 1 || len(pred)%cols != 0:
		return errors.Errorf("metric: %s: %d predictions are no rows of %d columns", a.name, len(pred), cols)
	case len(pred) != len(target):
		return errors.Errorf("metric: %s: %d predictions but %d targets, want as many", a.name, len(pred), len(target))
	case a.each != nil && len(a.each) != cols:
		return errors.Errorf("metric: %s: %d columns after batches of %d", a.name, cols, len(a.each))
	case len(pred) == 0:
		return nil
	}
	if a.each == nil {
		for range cols {
			a.each = append(a.each, a.new())
		}
	}
	for i, p := range pred {
		a.each[i%cols].add(float64(p), float64(target[i]))
	}
	return nil
}

// Value implements Accumulator.
func (a *columnMean) Value() float64 {
	var sum float64
	for _, c := range a.each {
		sum += c.value()
	}
	return sum / float64(len(a.each))
}

// Reset implements Accumulator.
func (a *columnMean) Reset() { a.each = nil }

type rmse struct{ sum, n float64 }

func (c *rmse) add(pred, target float64) {
	c.sum += (target - pred) * (target - pred)
	c.n++
}

func (c *rmse) value() float64 { return math.Sqrt(c.sum / c.n) }

// pearson keeps means and co-moments about them, so that large means cost no precision.
// Source: Welford 1962, doi:10.1080/00401706.1962.10490022.
type pearson struct{ n, mx, my, xx, yy, xy float64 }

func (c *pearson) add(x, y float64) {
	c.n++
	dx, dy := x-c.mx, y-c.my
	c.mx += dx / c.n
	c.my += dy / c.n
	c.xx += dx * (x - c.mx)
	c.yy += dy * (y - c.my)
	c.xy += dx * (y - c.my)
}

func (c *pearson) value() float64 {
	r := c.xy / (math.Sqrt(c.xx) * math.Sqrt(c.yy)) // NaN, 0/0, where a side is constant
	return max(-1, min(1, r))
}

type r2 struct {
	target pearson
	err    float64
}

func (c *r2) add(pred, target float64) {
	c.target.add(0, target)
	c.err += (target - pred) * (target - pred)
}

func (c *r2) value() float64 {
	switch {
	case c.target.n < 2:
		return math.NaN()
	case c.target.yy == 0 && c.err == 0:
		return 1
	case c.target.yy == 0:
		return 0
	}
	return 1 - c.err/c.target.yy
}

type spearman struct{ pred, target []float64 }

func (c *spearman) add(pred, target float64) {
	c.pred = append(c.pred, pred)
	c.target = append(c.target, target)
}

func (c *spearman) value() float64 {
	var r pearson
	x, y := ranks(c.pred), ranks(c.target)
	for i := range x {
		r.add(x[i], y[i])
	}
	return r.value()
}

// ranks gives each number its place from 1, and equal ones the mean of their places. If there is a NaN, a rank is NaN.
func ranks(x []float64) []float64 {
	order, rank := make([]int, len(x)), make([]float64, len(x))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool { return x[order[i]] < x[order[j]] })
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && x[order[j]] == x[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			rank[k] = float64(i+j+1) / 2
		}
		i = j
	}
	if hasNaN(x) {
		rank[0] = math.NaN()
	}
	return rank
}
