package metric

import (
	"math"
	"strings"
	"testing"
)

func TestMetrics(t *testing.T) {
	nan := float32(math.NaN())
	type batch struct {
		pred   []float32
		cols   int
		target []float32
	}
	for _, c := range []struct {
		name    string
		m       Metric
		batches []batch
		want    float64
	}{
		{"binary", Accuracy, []batch{{[]float32{0.9, 0.4, 0.5, 0.1}, 1, []float32{1, 0, 1, 1}}}, 0.75},
		{"binary below", Accuracy, []batch{{[]float32{0.5, 0.49999997}, 1, []float32{0, 0}}}, 0.5},
		{"binary NaN", Accuracy, []batch{{[]float32{nan, nan}, 1, []float32{0, 1}}}, 0},
		{"classes", Accuracy, []batch{{[]float32{-3, -1, -2, 5, 5, 4}, 3, []float32{1, 0}}}, 1},
		{"classes tie", Accuracy, []batch{{[]float32{5, 5}, 2, []float32{1}}}, 0},
		{"classes NaN", Accuracy, []batch{{[]float32{nan, 1, 1, nan}, 2, []float32{0, 0}}}, 0},
		{"ignored", Accuracy, []batch{{[]float32{1, 2, 1, 2}, 2, []float32{-1, 1}}}, 1},
		{"unequal batches", Accuracy, []batch{{[]float32{1}, 1, []float32{1}}, {[]float32{1, 1, 1}, 1, []float32{0, 0, 0}}}, 0.25},
		{"mse", MSE, []batch{{[]float32{1, 2, 3, 4}, 2, []float32{1, 0, 3, 2}}, {[]float32{1}, 1, []float32{5}}}, 24.0 / 5},
		{"mae", MAE, []batch{{[]float32{1, 2, 3, 4}, 2, []float32{1, 0, 3, 6}}, {[]float32{1}, 1, []float32{5}}}, 8.0 / 5},
		{"mae float64", MAE, []batch{{[]float32{1 << 24, 1 << 24, 0, 0}, 1, []float32{0, 0, 1, 1}}}, (1<<25 + 2) / 4.0},
	} {
		a := c.m.New()
		for range 2 { // the second round after Reset
			for _, b := range c.batches {
				if err := a.Add(b.pred, b.cols, b.target); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			}
			if got := a.Value(); got != c.want {
				t.Errorf("%s: %g, want %g", c.name, got, c.want)
			}
			a.Reset()
		}
		if got := a.Value(); !math.IsNaN(got) {
			t.Errorf("%s: %g of no rows, want NaN", c.name, got)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		m            Metric
		pred, target int
		cols         int
		err          string
	}{
		{Accuracy, 4, 4, 2, "metric: accuracy: 2 rows of 2 columns but 4 targets"},
		{Accuracy, 4, 2, 3, "metric: accuracy: 4 predictions are no rows of 3"},
		{MSE, 4, 4, 0, "metric: mse: 4 predictions are no rows of 0"},
		{MSE, 4, 2, 2, "metric: mse: 4 predictions but 2 targets"},
		{MAE, 1, 2, 1, "metric: mae: 1 predictions but 2 targets"},
	} {
		a := c.m.New()
		err := a.Add(make([]float32, c.pred), c.cols, make([]float32, c.target))
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("error %v, want %q", err, c.err)
		}
		if !math.IsNaN(a.Value()) {
			t.Errorf("%s: a refused batch counts", c.m.Name())
		}
	}
}
