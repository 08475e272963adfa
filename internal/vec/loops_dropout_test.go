package vec

import (
	"fmt"
	"math"
	"testing"
)

// TestDropoutLimit sees that each lane compares its hash with p·2²⁴ exactly: kept at its own hash, dropped one above
// it.
func TestDropoutLimit(t *testing.T) {
	onPaths(t, func(t *testing.T) {
		x, y := make([]float32, 40), make([]float32, 40)
		Fill(x, 1)
		for i := range x {
			h := dropHash(9, uint64(i))
			if Dropout(y, x, 9, 0, h/(1<<24)); y[i] == 0 {
				t.Errorf("element %d dropped at its limit", i)
			}
			if Dropout(y, x, 9, 0, (h+1)/(1<<24)); y[i] != 0 {
				t.Errorf("element %d kept past its limit", i)
			}
		}
	})
}

// dropN is how many elements the tests of masks have.
func dropN() int {
	if testing.Short() {
		return 1 << 10
	}
	return 1 << 16
}

// mask is what Dropout makes of n ones.
func mask[T Float](n int, key, offset uint64, p float64) []T {
	x, y := make([]T, n), make([]T, n)
	Fill(x, 1)
	Dropout(y, x, key, offset, p)
	return y
}

// TestDropout holds that the masks are those of float64, which plain Go computes on every path. About 1 − p of the
// elements is kept. Parts of any size, on both sides of a border of 2³² elements, give the bits of the whole.
func TestDropout(t *testing.T) {
	const key, offset = 5, 1<<32 - 100
	n := dropN()
	onPaths(t, func(t *testing.T) {
		for _, p := range []float64{0, 0.1, 0.5, 0.9, 1} {
			y, want, kept := mask[float32](n, key, offset, p), mask[float64](n, key, offset, p), 0.0
			for i, v := range y {
				if v != float32(want[i]) {
					t.Fatalf("p=%v: element %d = %v, want %v", p, i, v, want[i])
				}
				if v != 0 {
					kept++
				}
			}
			if sigma := math.Sqrt(float64(n) * p * (1 - p)); math.Abs(kept-float64(n)*(1-p)) > 4*sigma {
				t.Errorf("p=%v: %v of %d kept, which is more than 4σ off", p, kept, n)
			}
			for _, cut := range []int{1, 13, 100, 101, 777} {
				z := append(mask[float32](cut, key, offset, p), mask[float32](n-cut, key, offset+uint64(cut), p)...)
				same(t, fmt.Sprintf("p=%v cut at %d", p, cut), z, y)
			}
		}
	})
}

// TestDropoutMasks sees that the masks of other keys, and of the next 2³² elements, are independent: they agree on
// about half.
func TestDropoutMasks(t *testing.T) {
	n := dropN()
	onPaths(t, func(t *testing.T) {
		a := mask[float32](n, 5, 0, 0.5)
		for _, c := range []struct{ key, offset uint64 }{{6, 0}, {5, 1 << 32}, {5, 1}} {
			equal := 0
			for i, v := range mask[float32](n, c.key, c.offset, 0.5) {
				if a[i] == v {
					equal++
				}
			}
			if math.Abs(float64(equal)-float64(n)/2) > 2*math.Sqrt(float64(n)) {
				t.Errorf("key %d, offset %d: agrees with key 5, offset 0 on %d of %d", c.key, c.offset, equal, n)
			}
		}
	})
}
