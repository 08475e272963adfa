package metric

import (
	"fmt"
	"math"

	"github.com/pkg/errors"
)

// An Average says which classes a precision, recall or F1 is about: one, by its id (0, 1, …), or all, as below. Means
// over classes leave out a class that no target and no prediction names, as scikit-learn does.
type Average int

// The averages over all classes.
const (
	Micro    Average = -1 - iota // from the counts of all classes together
	Macro                        // plain mean over classes
	Weighted                     // mean over classes, weighted by their targets
)

func (a Average) String() string {
	switch a {
	case Micro:
		return "micro"
	case Macro:
		return "macro"
	case Weighted:
		return "weighted"
	}
	return fmt.Sprint(int(a))
}

// Precision is the share of predictions of a class that are right; see [Confusion.Precision].
func Precision(avg Average) ClassMetric {
	return ofConfusion("precision_"+avg.String(), func(c *Confusion) float64 { return c.Precision(avg) })
}

// Recall is the share of a class's rows that are found; see [Confusion.Recall].
func Recall(avg Average) ClassMetric {
	return ofConfusion("recall_"+avg.String(), func(c *Confusion) float64 { return c.Recall(avg) })
}

// F1 is the harmonic mean of precision and recall; F1(1) is the one of class 1. See [Confusion.F1].
func F1(avg Average) ClassMetric {
	return ofConfusion("f1_"+avg.String(), func(c *Confusion) float64 { return c.F1(avg) })
}

// MCC is Matthews' correlation of targets and predictions; see [Confusion.MCC].
var MCC = ofConfusion("mcc", (*Confusion).MCC)

func ofConfusion(name string, value func(*Confusion) float64) ClassMetric {
	return ClassMetric{name: name, new: func() classRows { return &confusing{value: value} }}
}

// confusing is the accumulator of a measure of a confusion matrix. A row with a NaN predicts no class.
type confusing struct {
	Confusion
	value func(*Confusion) float64
}

func (a *confusing) row(p []float64, t int) {
	a.Classes = max(2, len(p))
	a.count(t, argmax(p))
}

func (a *confusing) Value() float64 { return a.value(&a.Confusion) }

// A Confusion counts rows by target and predicted class. Its memory grows with the pairs of them that occur, not with
// the square of the number of classes. Use [NewConfusion]; it is not safe for concurrent use.
type Confusion struct {
	Classes int
	Names   []string // of the classes, for printing; a missing one prints as its id
	cells   map[[2]int]int
}

// NewConfusion returns the confusion of target and pred, equally many class ids from 0 to classes−1. A row whose
// target is below 0 does not count. A prediction below 0 names no class: it misses its target, and no class has it as a
// false prediction. Other ids are an error, and so are slices of different length.
func NewConfusion(classes int, target, pred []int) (*Confusion, error) {
	c := &Confusion{Classes: classes}
	if len(target) != len(pred) {
		return nil, errors.Errorf("metric: NewConfusion: %d predictions but %d targets", len(pred), len(target))
	}
	for i, t := range target {
		if err := c.Add(t, pred[i]); err != nil {
			return nil, errors.Wrapf(err, "row %d", i)
		}
	}
	return c, nil
}

// Add counts one row, by the rules of [NewConfusion].
func (c *Confusion) Add(target, pred int) error {
	if target >= c.Classes || pred >= c.Classes {
		return errors.Errorf("metric: Confusion: target %d, prediction %d, want classes below %d", target, pred, c.Classes)
	}
	if target >= 0 {
		c.count(target, pred)
	}
	return nil
}

func (c *Confusion) count(target, pred int) {
	if c.cells == nil {
		c.cells = map[[2]int]int{}
	}
	c.cells[[2]int{target, max(pred, -1)}]++
}

// Count returns the number of rows of a target class that were predicted as pred; a pred of −1 stands for no class.
func (c *Confusion) Count(target, pred int) int { return c.cells[[2]int{target, pred}] }

// A ClassCount counts rows of one class: those predicted right, those that have it as target, those predicted as it.
type ClassCount struct{ Right, Target, Pred int }

// Precision is Right / Pred, and 0 where Pred is 0.
func (n ClassCount) Precision() float64 { return ratio(n.Right, n.Pred) }

// Recall is Right / Target, and 0 where Target is 0.
func (n ClassCount) Recall() float64 { return ratio(n.Right, n.Target) }

// F1 is 2·Right / (Target + Pred), and 0 where both are 0.
func (n ClassCount) F1() float64 { return ratio(2*n.Right, n.Target+n.Pred) }

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Counts returns the counts of each class.
func (c *Confusion) Counts() []ClassCount {
	n := make([]ClassCount, c.Classes)
	for cell, rows := range c.cells {
		t, p := cell[0], cell[1]
		n[t].Target += rows
		if p >= 0 {
			n[p].Pred += rows
		}
		if t == p {
			n[t].Right += rows
		}
	}
	return n
}

// Rows is the number of rows counted.
func (c *Confusion) Rows() int {
	rows := 0
	for _, n := range c.cells {
		rows += n
	}
	return rows
}

// Accuracy is the share of rows that are right, NaN where there are none.
func (c *Confusion) Accuracy() float64 {
	return float64(total(c.Counts()).Right) / float64(c.Rows())
}

// Precision is the share of predictions of a class that are right, 0 where there are none. It is NaN without rows and
// where there is no such class.
func (c *Confusion) Precision(avg Average) float64 { return c.average(avg, ClassCount.Precision) }

// Recall is the share of a class's rows that are found, 0 where there are none. It is NaN without rows and where there
// is no such class.
func (c *Confusion) Recall(avg Average) float64 { return c.average(avg, ClassCount.Recall) }

// F1 is the harmonic mean of precision and recall, 0 where there are neither targets nor predictions. The macro F1 is
// the mean of the F1 of the classes. F1 is NaN without rows and where there is no such class. Source: scikit-learn's
// f1_score with zero_division 0.
func (c *Confusion) F1(avg Average) float64 { return c.average(avg, ClassCount.F1) }

func (c *Confusion) average(avg Average, of func(ClassCount) float64) float64 {
	n := c.Counts()
	if len(c.cells) == 0 || int(avg) >= len(n) || avg < Weighted {
		return math.NaN()
	}
	switch avg {
	case Micro:
		return of(total(n))
	case Macro, Weighted:
		var sum, weights float64
		for _, k := range n {
			w := float64(k.Target)
			if avg == Macro {
				w = float64(min(1, k.Target+k.Pred)) // 0 for an absent class
			}
			sum += w * of(k)
			weights += w
		}
		return sum / weights
	}
	return of(n[avg])
}

func total(n []ClassCount) (sum ClassCount) {
	for _, k := range n {
		sum.Right += k.Right
		sum.Target += k.Target
		sum.Pred += k.Pred
	}
	return sum
}

// MCC is Matthews' correlation coefficient, for any number of classes, from −1 to 1. It is 0 where all targets or all
// predictions are one class, and NaN without rows. With s rows, c of them right, and t and p the rows of each class by
// target and by prediction:
//
//	MCC = (c·s − Σ t·p) / √((s² − Σp²)(s² − Σt²))
//
// Source: Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006, as scikit-learn's matthews_corrcoef.
func (c *Confusion) MCC() float64 {
	counts := c.Counts()
	sum := total(counts)
	s := float64(sum.Target)
	none := s - float64(sum.Pred) // one more class of predictions
	cov, pp, tt := float64(sum.Right)*s, s*s-none*none, s*s
	for _, k := range counts {
		t, p := float64(k.Target), float64(k.Pred)
		cov, pp, tt = cov-t*p, pp-p*p, tt-t*t
	}
	if s > 0 && pp*tt == 0 {
		return 0
	}
	return cov / math.Sqrt(pp*tt)
}
