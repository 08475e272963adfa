package lpft

import (
	"slices"
	"testing"
)

// TestClearlyLower: the mean has to fall, of fewer than 100 records by more than the standard error of the difference,
// record by record.
func TestClearlyLower(t *testing.T) {
	for _, w := range []struct {
		a, b []float64
		want bool
	}{
		{[]float64{1, 2, 3, 4}, []float64{0.9, 1.9, 2.9, 3.9}, true}, // by little, but everywhere: pairs count, not their spread
		{[]float64{1, 2, 3, 4}, []float64{1, 2, 3, 4}, false},
		{[]float64{1, 2, 3, 4}, []float64{1.1, 2.1, 3.1, 4.1}, false},
		{[]float64{1, 1, 1, 1}, []float64{0, 1, 1, 1}, false},  // mean 1/4, standard error 1/4
		{[]float64{1, 1, 1, 1}, []float64{0, 0, 1, 1}, true},   // mean 1/2, standard error 0.289
		{[]float64{1, 1, 1, 1}, []float64{-1, 2, 1, 1}, false}, // mean 1/4, standard error 0.629
		{[]float64{2}, []float64{1}, true},                     // one record has no standard error
		{slices.Repeat([]float64{1}, 100), append([]float64{0.5}, slices.Repeat([]float64{1}, 99)...), true},
		{slices.Repeat([]float64{1}, 99), append([]float64{0.5}, slices.Repeat([]float64{1}, 98)...), false},
	} {
		if got := clearlyLower(w.a, w.b); got != w.want {
			t.Errorf("%v to %v: %t, want %t", w.a, w.b, got, w.want)
		}
	}
}
