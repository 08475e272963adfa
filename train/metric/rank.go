package metric

import (
	"math"
	"sort"
)

// AUROC is the area under the ROC curve. It is the chance that a row of a class scores higher than a row of another
// one, where ties count half. With P rows of the class and N others:
//
//	AUROC = (Σ ranks of the rows of the class − P(P+1)/2) / (P·N)
//
// With one or two columns it is the area of class 1, whose scores are the last column. With more it is the mean over
// the classes, each against the rest. A class that no row has, or that all rows have, is left out. AUROC is NaN if no
// class is left, and if a score is NaN. It keeps all scores, 8 bytes each.
//
// Source: scikit-learn's roc_auc_score (multi_class "ovr", average "macro"), which is NaN if any class is absent.
var AUROC = ClassMetric{name: "auroc", new: func() classRows { return &ranking{area: rocArea} }}

// PRAUC is the area under the precision-recall curve as average precision, without interpolation:
//
//	AP = Σ_thresholds (recall_i − recall_{i−1})·precision_i
//
// Columns and classes are as for AUROC. A class without targets is left out. PRAUC is NaN if no class is left, where
// scikit-learn's average_precision_score is 0.
var PRAUC = ClassMetric{name: "pr_auc", new: func() classRows { return &ranking{area: averagePrecision} }}

// ROCArea is [AUROC] for the scores of two classes; positive tells the rows of class 1. It is NaN if the lengths
// differ.
func ROCArea(scores []float64, positive []bool) float64 { return area(rocArea, scores, positive) }

// AveragePrecision is [PRAUC] for the scores of two classes; positive tells the rows of class 1. It is NaN if the
// lengths differ.
func AveragePrecision(scores []float64, positive []bool) float64 {
	return area(averagePrecision, scores, positive)
}

// ranking keeps all rows for a measure that needs them in the order of their scores.
type ranking struct {
	area   func([]scored) float64
	scores [][]float64 // by class; class 1 alone where there are two
	target []int
}

func (a *ranking) row(p []float64, t int) {
	first := 0
	if len(p) <= 2 {
		first = len(p) - 1
	}
	if a.scores == nil {
		a.scores = make([][]float64, len(p)-first)
	}
	for j, v := range p[first:] {
		a.scores[j] = append(a.scores[j], v)
	}
	a.target = append(a.target, t)
}

func (a *ranking) Value() float64 {
	var sum, count float64
	positive := make([]bool, len(a.target))
	for j, scores := range a.scores {
		if hasNaN(scores) {
			return math.NaN()
		}
		class := j
		if len(a.scores) == 1 {
			class = 1
		}
		for i, t := range a.target {
			positive[i] = t == class
		}
		if v := area(a.area, scores, positive); !math.IsNaN(v) { // the class occurs
			sum += v
			count++
		}
	}
	return sum / count
}

// scored is the score of a row, and whether the row has the class.
type scored struct {
	score    float64
	positive bool
}

// area sorts the rows by falling score and measures them.
func area(of func([]scored) float64, scores []float64, positive []bool) float64 {
	if len(scores) != len(positive) || hasNaN(scores) {
		return math.NaN()
	}
	rows := make([]scored, len(scores))
	for i, s := range scores {
		rows[i] = scored{s, positive[i]}
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i].score > rows[j].score })
	return of(rows)
}

func hasNaN(x []float64) bool {
	for _, v := range x {
		if math.IsNaN(v) {
			return true
		}
	}
	return false
}

// thresholds calls f for each threshold with the number of rows from it up, and how many of them are positive.
func thresholds(rows []scored, f func(n, positive float64)) {
	positive := 0.0
	for i, r := range rows {
		if r.positive {
			positive++
		}
		if i+1 == len(rows) || rows[i+1].score != r.score {
			f(float64(i+1), positive)
		}
	}
}

// rocArea sums trapezia of width ΔFP. It is NaN where there are no positive or no negative rows.
func rocArea(rows []scored) float64 {
	var sum, tp, fp float64
	thresholds(rows, func(n, positive float64) {
		sum += (n - positive - fp) * (positive + tp) / 2
		tp, fp = positive, n-positive
	})
	if tp*fp == 0 {
		return math.NaN()
	}
	return sum / (tp * fp)
}

func averagePrecision(rows []scored) float64 {
	var sum, tp float64
	thresholds(rows, func(n, positive float64) {
		sum += (positive - tp) * positive / n
		tp = positive
	})
	return sum / tp
}
