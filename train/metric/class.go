package metric

import (
	"fmt"
	"math"

	"github.com/pkg/errors"
)

// A ClassMetric is a measure of classification. Its accumulators take in pred (rows, cols), float32: with one column
// the probability of class 1 of two; with more a score or probability for each class. They take one target a row, a
// class id; a row whose target is below 0 is not counted. A batch is refused whole, with an error, if its shape does not
// fit, if the columns differ from those of the batches before, or if a target is no class. Sums are in float64, row by
// row: how the rows are split into batches changes nothing. Of no rows the value is NaN.
type ClassMetric struct {
	name   string
	proba  bool // whether pred must lie in [0, 1]
	logits bool
	new    func() classRows
}

// classRows takes in valid rows.
type classRows interface {
	row(p []float64, t int)
	Value() float64
}

// FromLogits returns the same measure for logits: each row goes through the softmax, of one column the sigmoid,
// in float64 before it is measured.
func (m ClassMetric) FromLogits() ClassMetric {
	m.logits = true
	return m
}

// Name implements Metric.
func (m ClassMetric) Name() string { return m.name }

// New implements Metric.
func (m ClassMetric) New() Accumulator { return &classes{m: m, classRows: m.new()} }

// classes is the accumulator of a ClassMetric: it checks and widens, the embedded classRows measure.
type classes struct {
	m    ClassMetric
	cols int // of the first batch, 0 before it
	classRows
}

// Reset implements Accumulator.
func (c *classes) Reset() { c.cols, c.classRows = 0, c.m.new() }

// Add implements Accumulator.
func (c *classes) Add(pred []float32, cols int, target []float32) error {
	if err := c.check(pred, cols, target); err != nil {
		return errors.Wrapf(err, "metric: %s", c.m.name)
	}
	if len(target) > 0 {
		c.cols = cols
	}
	p := make([]float64, cols)
	for i, t := range target {
		if t < 0 {
			continue
		}
		for j, v := range pred[i*cols : (i+1)*cols] {
			p[j] = float64(v)
		}
		if c.m.logits {
			softmax(p)
		}
		c.row(p, int(t))
	}
	return nil
}

// check tells why a batch does not fit.
func (c *classes) check(pred []float32, cols int, target []float32) error {
	switch {
	case cols < 1 || len(pred)%cols != 0:
		return errors.Errorf("%d predictions are no rows of %d columns", len(pred), cols)
	case len(pred)/cols != len(target):
		return errors.Errorf("%d rows of %d columns but %d targets, want one a row", len(pred)/cols, cols, len(target))
	case c.cols != 0 && c.cols != cols:
		return errors.Errorf("%d columns after batches of %d", cols, c.cols)
	}
	for i, t := range target {
		if t < 0 {
			continue
		}
		if n := max(2, cols); !(t < float32(n)) || t != float32(int(t)) {
			return errors.Errorf("row %d: target %g, want a class from 0 to %d, or below 0 to leave the row out", i, t, n-1)
		}
		if !c.m.proba || c.m.logits {
			continue
		}
		for _, v := range pred[i*cols : (i+1)*cols] {
			if v < 0 || v > 1 {
				return errors.Errorf("row %d: %g is no probability; for logits want FromLogits", i, v)
			}
		}
	}
	return nil
}

// softmax turns logits into probabilities in place; one logit into the probability of class 1.
func softmax(p []float64) {
	if len(p) == 1 {
		p[0] = 1 / (1 + math.Exp(-p[0]))
		return
	}
	top := math.Inf(-1)
	for _, v := range p {
		top = max(top, v)
	}
	var sum float64
	for i, v := range p {
		p[i] = math.Exp(v - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
}

// prob is a row's score of class c.
func prob(p []float64, c int) float64 {
	switch {
	case len(p) > 1:
		return p[c]
	case c == 0:
		return 1 - p[0]
	}
	return p[0]
}

// argmax is the class with the largest score, the first of equal ones (of one column, class 1 from 0.5 on); -1 of a row
// with a NaN.
func argmax(p []float64) int {
	best := 0
	for j, v := range p {
		if math.IsNaN(v) {
			return -1
		}
		if v > p[best] {
			best = j
		}
	}
	if len(p) == 1 && p[0] >= 0.5 {
		best = 1
	}
	return best
}

// TopK is the share of rows whose target is among the k classes with the largest scores; of equal scores the first
// class comes first, so that TopK(1) is Accuracy. It is 1 where k reaches the number of classes, but for a row with a
// NaN, which is wrong; and 0 for k < 1.
// Source: scikit-learn's top_k_accuracy_score, which lets the last of equal scores come first.
func TopK(k int) ClassMetric {
	return ClassMetric{name: fmt.Sprintf("top%d", k), new: func() classRows { return &topK{k: k} }}
}

type topK struct{ k, right, count int }

func (a *topK) row(p []float64, t int) {
	a.count++
	best := argmax(p)
	if best < 0 {
		return
	}
	before := 0 // classes that come before t
	if len(p) == 1 && best != t {
		before = 1
	}
	if len(p) > 1 {
		for j, v := range p {
			if v > p[t] || v == p[t] && j < t {
				before++
			}
		}
	}
	if before < a.k {
		a.right++
	}
}

func (a *topK) Value() float64 { return float64(a.right) / float64(a.count) }

// LogLoss is the mean of −ln p[target], nats a row, of probabilities clipped to [ε, 1−ε], ε = 2⁻⁵². A NaN makes it NaN.
// Source: scikit-learn's log_loss in float64, which does not normalise rows either.
var LogLoss = ClassMetric{name: "log_loss", proba: true, new: func() classRows { return &logLoss{} }}

type logLoss struct{ sum, count float64 }

func (a *logLoss) row(p []float64, t int) {
	const eps = 0x1p-52
	a.sum -= math.Log(min(max(prob(p, t), eps), 1-eps))
	a.count++
}

func (a *logLoss) Value() float64 { return a.sum / a.count }

// ECE is the expected calibration error over n bins of equal width ((i−1)/n, i/n], 0 in the first:
//
//	ECE = Σ_bins |right − Σ confidence| / rows
//
// The confidence of a row is the probability of the class it predicts. A NaN makes it NaN, as does n < 1.
// Source: Guo et al., arXiv:1706.04599, equation 3; 15 bins there.
func ECE(n int) ClassMetric {
	return ClassMetric{name: "ece", proba: true, new: func() classRows { return &ece{gap: make([]float64, max(0, n))} }}
}

// ece keeps right − Σ confidence of each bin.
type ece struct {
	gap   []float64
	count float64
	nan   bool
}

func (a *ece) row(p []float64, t int) {
	best := argmax(p)
	if best < 0 || len(a.gap) == 0 {
		a.nan = true
		return
	}
	conf, n := prob(p, best), len(a.gap)
	bin := &a.gap[min(max(int(math.Ceil(conf*float64(n)))-1, 0), n-1)]
	if best == t {
		*bin++
	}
	*bin -= conf
	a.count++
}

func (a *ece) Value() float64 {
	if a.nan {
		return math.NaN()
	}
	var sum float64
	for _, g := range a.gap {
		sum += math.Abs(g)
	}
	return sum / a.count
}
