package nn

import (
	"math"
	"testing"
)

// TestLn compares with the library's logarithm; ln itself must not use it, as its bits differ among machines.
func TestLn(t *testing.T) {
	r := NewRand(1, "ln")
	for i := range 100000 {
		x := r.Uniform(i, 0)*math.Pow(2, float64(i%80-70)) + 1e-300
		got, want := ln(x), math.Log(x)
		if math.Abs(got-want) > 4e-16*math.Max(math.Abs(want), 0.1) {
			t.Fatalf("ln(%v) = %v, want %v", x, got, want)
		}
	}
	if ln(1) != 0 {
		t.Errorf("ln(1) = %g", ln(1))
	}
}

// TestNormal counts how many numbers lie below quantiles of N(0, 1), and correlates neighbours in element and draw.
func TestNormal(t *testing.T) {
	const n = 100000
	r := NewRand(7, "normal")
	below, products := map[float64]int{}, [2]float64{}
	quantiles := []float64{-2, -1, -0.3, 0, 0.5, 1.5, 2.5}
	for i := range n {
		z := r.Normal(i, 0)
		for _, q := range quantiles {
			if z < q {
				below[q]++
			}
		}
		products[0] += z * r.Normal(i+1, 0)
		products[1] += z * r.Normal(i, 1<<16)
	}
	for _, q := range quantiles {
		p := math.Erfc(-q/math.Sqrt2) / 2
		if d := float64(below[q])/n - p; math.Abs(d) > 4*math.Sqrt(p*(1-p)/n) {
			t.Errorf("%d of %d below %g, want a share of %g", below[q], n, q, p)
		}
	}
	for i, c := range products {
		if math.Abs(c/n) > 4/math.Sqrt(n) {
			t.Errorf("correlation %d: %g", i, c/n)
		}
	}
}
