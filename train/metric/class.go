package metric

import (
	"fmt"
	"math"

	"github.com/pkg/errors"
)

// A ClassMetric is a measure of classification. Its accumulators take in pred (rows, cols), float32. With one column it
// is the probability of class 1 of two classes; with more it is a score or probability for each class. They take one
// target for each row, a class id; a row whose target is below 0 does not count.
//
// A batch is refused whole, with an error, where its shape does not fit or its columns are not as many as before. It is
// refused, too, where a target is no class. Sums are in float64, row by row, so that the split into batches changes
// nothing. Without rows the value is NaN.
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

// FromLogits returns the same measure for logits. Each row first goes through the softmax in float64, or through the
// sigmoid where there is one column.
func (m ClassMetric) FromLogits() ClassMetric {
	m.logits = true
	return m
}

// Name implements Metric.
func (m ClassMetric) Name() string { return m.name }

// New implements Metric.
func (m ClassMetric) New() Accumulator { return &classes{m: m, classRows: m.new()} }

// classes is the accumulator of a ClassMetric. It checks batches and makes them float64; classRows measures them.
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
		return errors.Errorf("%d rows of %d columns but %d targets, want one for each row", len(pred)/cols, cols, len(target))
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

// softmax turns logits into probabilities in place. A single logit becomes the probability of class 1.
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

// argmax is the class with the largest score, the first one among equals. Where there is one column it is class 1 from
// 0.5 on. For a row with a NaN it is −1.
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

// TopK is the share of rows whose target is among the k classes with the largest scores. Among equal scores the first
// class comes first, so that TopK(1) is Accuracy. A row with a NaN is wrong. Apart from such rows TopK is 1 where k
// reaches the number of classes. It is 0 for k < 1. Source: scikit-learn's top_k_accuracy_score, which lets the last of
// equal scores come first.
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

// LogLoss is the mean of −ln p[target], in nats per row. Probabilities are clipped to [ε, 1−ε], ε = 2⁻⁵². A NaN makes
// it NaN. Source: scikit-learn's log_loss in float64, which does not normalise rows either.
var LogLoss = ClassMetric{name: "log_loss", proba: true, new: func() classRows { return &logLoss{} }}

type logLoss struct{ sum, count float64 }

func (a *logLoss) row(p []float64, t int) {
	const eps = 0x1p-52
	a.sum -= math.Log(min(max(prob(p, t), eps), 1-eps))
	a.count++
}

func (a *logLoss) Value() float64 { return a.sum / a.count }

// ECE is the expected calibration error over n bins of equal width, where bin i is ((i−1)/n, i/n]:
//
//	ECE = Σ_bins |right − Σ confidence| / rows
//
// The confidence of a row is the probability of the class that it predicts; a confidence of 0 is in the first bin. A
// NaN makes ECE NaN, and so does n < 1. Source: Guo et al., arXiv:1706.04599, equation 3; 15 bins there.
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
