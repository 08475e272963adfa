package vec

import (
	"testing"
	"time"
)

// TestPeak sees a rate that some machine could have: more than a scalar interpreter's, less than a whole rack's.
func TestPeak(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for threads := 1; threads <= 2; threads++ {
			if p := Peak(threads, time.Millisecond); !(p > 1e-4 && p < 1e4) {
				t.Errorf("Peak(%d) = %v GFLOP/s", threads, p)
			}
		}
	})
}
