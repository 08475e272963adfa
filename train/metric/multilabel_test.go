package metric

import (
	"math"
	"strings"
	"testing"
)

func TestMultiLabelGolden(t *testing.T) {
	var file struct {
		MultiLabel struct {
			Cols           int
			Logits, Target []float32
			Want           wants
		}
	}
	golden(t, "class.json", &file)
	c, tested := file.MultiLabel, 0
	for _, m := range []ClassMetric{F1(1), Precision(1), Recall(1), AUROC, PRAUC, TopK(1), LogLoss} {
		for _, l := range []Metric{PerLabel(m.FromLogits()), AllLabels(m.FromLogits())} {
			if want, ok := c.Want[l.Name()]; ok {
				check(t, "multi-label", l, c.Logits, c.Cols, c.Target, want)
				tested++
			}
		}
	}
	if tested != len(c.Want) {
		t.Errorf("%d values tested, want %d", tested, len(c.Want))
	}
}

func TestMultiLabelEdges(t *testing.T) {
	f1 := PerLabel(F1(1))
	check(t, "unknown targets", f1, []float32{0.9, 0.9, 0.9, 0.1}, 2, []float32{1, -1, 0, 1}, ptr((2.0/3+0)/2))
	check(t, "nothing", f1, nil, 2, nil, nil)
	check(t, "nothing known", AllLabels(LogLoss), []float32{0.5, 0.5}, 2, []float32{-1, -1}, nil)
	for _, c := range []struct {
		m            Metric
		pred, target []float32
		cols         int
		err          string
	}{
		{f1, make([]float32, 4), make([]float32, 2), 2, "metric: labels_f1_1: 4 predictions but 2 targets"},
		{f1, make([]float32, 4), make([]float32, 4), 3, "no rows of 3"},
		{f1, make([]float32, 2), []float32{1, 2}, 2, "metric: labels_f1_1: each label counted as a row: row 1: target 2"},
		{AllLabels(LogLoss), []float32{0, 3}, []float32{1, 0}, 2, "3 is no probability"},
	} {
		a := c.m.New()
		if err := a.Add(c.pred, c.cols, c.target); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("error %v, want %q", err, c.err)
		}
		if !math.IsNaN(a.Value()) {
			t.Errorf("%s: a refused batch counts", c.m.Name())
		}
	}
	a := f1.New()
	if err := a.Add([]float32{1, 0}, 2, []float32{1, 0}); err != nil {
		t.Error(err)
	}
	if err := a.Add([]float32{1, 0, 1}, 3, []float32{1, 0, 1}); err == nil {
		t.Error("3 labels after 2 are taken")
	}
}

func TestAreas(t *testing.T) {
	scores, positive := []float64{0.1, 0.4, 0.35, 0.8}, []bool{false, false, true, true}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"ROC", ROCArea(scores, positive), 0.75},
		{"precision", AveragePrecision(scores, positive), 5.0 / 6}, // (1 + 2/3) / 2
		{"fewer scores", ROCArea(scores[:2], positive), math.NaN()},
		{"fewer scores", AveragePrecision(scores[:3], positive), math.NaN()},
		{"more scores", ROCArea(scores, positive[:3]), math.NaN()},
		{"nothing", ROCArea(nil, nil), math.NaN()},
	} {
		if !near(c.got, ptr(c.want)) {
			t.Errorf("%s: %g, want %g", c.name, c.got, c.want)
		}
	}
	a := AUROC.New()
	for _, cols := range []int{3, 1} { // a batch without rows fixes no number of columns
		if err := a.Add(nil, cols, nil); err != nil {
			t.Errorf("no rows of %d columns: %v", cols, err)
		}
	}
}
