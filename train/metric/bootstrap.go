package metric

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/pkg/errors"
)

// Resamples is how often Bootstrap95 and PairedTest draw rows anew; the smallest p-value is 1/(Resamples+1).
const Resamples = 1000

// Bootstrap95 returns the 95 % percentile interval of a statistic of n rows. Its ends are the 2.5th and the 97.5th
// percentile of the statistic on Resamples draws of n rows with replacement. The statistic is given row indices, which
// it must not keep. The same seed gives the same draws on every machine. Draws where the statistic is NaN, such as
// AUROC where only one class was drawn, are left out. Both ends are NaN if all draws are left out, and for n < 1.
// Source: Efron and Tibshirani 1993, chapter 13.
func Bootstrap95(n int, seed uint64, statistic func(rows []int) float64) (lo, hi float64) {
	var values []float64
	resample(n, seed, func(rows []int) {
		if v := statistic(rows); !math.IsNaN(v) {
			values = append(values, v)
		}
	})
	slices.Sort(values)
	return percentile(values, 2.5), percentile(values, 97.5)
}

// PairedTest tests whether two models differ in a statistic of the same n rows. It returns the two-sided p-value of the
// difference d = a − b by the paired bootstrap. Both models are measured on the same draws. Subtracting d centres the
// draws' differences d* on 0, the null hypothesis:
//
//	p = (1 + #{draws: |d* − d| ≥ |d|}) / (1 + draws)
//
// Draws, and what is left out, are as for Bootstrap95. p is 1 if the models never differ. It is NaN if d is NaN, if no
// draw is left, and for n < 1.
// Sources: Efron and Tibshirani 1993, chapter 16; Koehn 2004, aclanthology.org/W04-3250.
func PairedTest(n int, seed uint64, a, b func(rows []int) float64) float64 {
	if n < 1 {
		return math.NaN()
	}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	d := a(all) - b(all)
	draws, extreme := 0.0, 0.0
	resample(n, seed, func(rows []int) {
		v := a(rows) - b(rows)
		if math.IsNaN(v) {
			return
		}
		draws++
		if math.Abs(v-d) >= math.Abs(d)-1e-12*(1+math.Abs(d)) { // equal but for rounding counts as equal
			extreme++
		}
	})
	if math.IsNaN(d) || draws == 0 {
		return math.NaN()
	}
	return (1 + extreme) / (1 + draws)
}

// resample calls f with each draw of n rows out of n; it makes no draw for n < 1.
func resample(n int, seed uint64, f func(rows []int)) {
	if n < 1 {
		return
	}
	random, rows := rand.NewPCG(seed, 0), make([]int, n)
	for range Resamples {
		for i := range rows {
			row, _ := bits.Mul64(random.Uint64(), uint64(n)) // ⌊u·n⌋ for u in [0, 1)
			rows[i] = int(row)
		}
		f(rows)
	}
}

// percentile interpolates between the two nearest of sorted values, as NumPy's default does; NaN where there are none.
func percentile(sorted []float64, percent float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := percent / 100 * float64(len(sorted)-1)
	i := int(at)
	lo, hi := sorted[i], sorted[min(i+1, len(sorted)-1)]
	if lo == hi {
		return lo // Inf − Inf below would be NaN
	}
	return lo + (at-float64(i))*(hi-lo)
}

// Rows keeps the predictions and targets of an evaluation, for intervals and tests. It is given to an evaluation beside
// the metrics, and its own measure is the number of rows that it keeps. Unlike other metrics it is its own accumulator,
// so it serves one evaluation at a time.
//
//	rows := &metric.Rows{}
//	scores, err := run.Evaluate(d, metric.F1(1), rows)
//	lo, hi := metric.Bootstrap95(rows.Len(), seed, rows.Of(metric.F1(1)))
type Rows struct {
	Pred   []float32 // (rows, Cols)
	Cols   int
	Target []float32 // (rows) or (rows, Cols)
}

// Name implements Metric.
func (r *Rows) Name() string { return "rows" }

// New implements Metric: it forgets all rows and returns r.
func (r *Rows) New() Accumulator { r.Reset(); return r }

// Reset implements Accumulator.
func (r *Rows) Reset() { *r = Rows{} }

// Value implements Accumulator: it is the number of rows.
func (r *Rows) Value() float64 { return float64(r.Len()) }

// Len is the number of rows.
func (r *Rows) Len() int { return len(r.Pred) / max(1, r.Cols) }

// Add implements Accumulator. It keeps copies of pred (rows, cols) and of target, one for each row or each number. It
// is an error where they do not fit each other or the batches before.
func (r *Rows) Add(pred []float32, cols int, target []float32) error {
	switch {
	case cols < 1 || len(pred)%cols != 0:
		return errors.Errorf("metric: Rows: %d predictions are no rows of %d columns", len(pred), cols)
	case r.Cols != 0 && r.Cols != cols:
		return errors.Errorf("metric: Rows: %d columns after batches of %d", cols, r.Cols)
	case len(pred) == 0 && len(target) == 0:
		return nil
	case len(target) != len(pred) && len(target) != len(pred)/cols:
		return errors.Errorf("metric: Rows: %d rows of %d columns but %d targets", len(pred)/cols, cols, len(target))
	case len(r.Pred) > 0 && (len(r.Target) == len(r.Pred)) != (len(target) == len(pred)):
		return errors.Errorf("metric: Rows: %d targets for %d rows, unlike the batches before", len(target), len(pred)/cols)
	}
	r.Cols, r.Pred, r.Target = cols, append(r.Pred, pred...), append(r.Target, target...)
	return nil
}

// Of returns a function that measures any rows by index, for [Bootstrap95] and [PairedTest]. The measure is NaN if m
// refuses the rows. The function is not safe for concurrent use.
func (r *Rows) Of(m Metric) func(rows []int) float64 {
	acc, wide := m.New(), 1 // each row has wide targets
	var pred, target []float32
	if len(r.Target) == len(r.Pred) {
		wide = r.Cols
	}
	return func(rows []int) float64 {
		acc.Reset()
		pred, target = pred[:0], target[:0]
		for _, i := range rows {
			pred = append(pred, r.Pred[i*r.Cols:(i+1)*r.Cols]...)
			target = append(target, r.Target[i*wide:(i+1)*wide]...)
		}
		if err := acc.Add(pred, max(1, r.Cols), target); err != nil {
			return math.NaN()
		}
		return acc.Value()
	}
}
