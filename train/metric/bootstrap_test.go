package metric

import (
	"math"
	"testing"
)

func TestBootstrapGolden(t *testing.T) {
	var file struct {
		Percentiles []struct {
			Values []float64
			Lo, Hi *float64
		}
		Tests []struct {
			N, Plus, Minus int
			P              float64
		}
		Mean struct {
			Values      []float64
			Lo, Hi, Sem float64
		}
	}
	golden(t, "bootstrap.json", &file)
	for i, c := range file.Percentiles {
		values := sorted(c.Values)
		if lo, hi := percentile(values, 2.5), percentile(values, 97.5); !near(lo, c.Lo) || !near(hi, c.Hi) {
			t.Errorf("percentiles %d: %g %g, want %g %g", i, lo, hi, *c.Lo, *c.Hi)
		}
	}
	for _, c := range file.Tests {
		// Model a is right in the first Plus rows that b has wrong, and wrong in the Minus after them.
		a := func(rows []int) float64 { return share(rows, func(i int) bool { return i < c.Plus }) }
		b := func(rows []int) float64 {
			return share(rows, func(i int) bool { return i >= c.Plus && i < c.Plus+c.Minus })
		}
		for seed := range uint64(5) {
			// Four standard deviations of a share of 1000 draws, and one draw for the 1 that is added.
			within := 4*math.Sqrt(c.P*(1-c.P)/Resamples) + 1.0/Resamples
			if p := PairedTest(c.N, seed, a, b); math.Abs(p-c.P) > within {
				t.Errorf("%d rows, +%d −%d, seed %d: p = %g, want %g ± %g", c.N, c.Plus, c.Minus, seed, p, c.P, within)
			}
		}
	}
	m := file.Mean
	mean := func(rows []int) float64 {
		sum := 0.0
		for _, i := range rows {
			sum += m.Values[i]
		}
		return sum / float64(len(rows))
	}
	for seed := range uint64(5) {
		// A 2.5th percentile of 1000 draws has a standard deviation of 0.084 of the mean's standard error.
		lo, hi := Bootstrap95(len(m.Values), seed, mean)
		if within := 4 * 0.084 * m.Sem; math.Abs(lo-m.Lo) > within || math.Abs(hi-m.Hi) > within {
			t.Errorf("seed %d: %g to %g, want %g to %g ± %g", seed, lo, hi, m.Lo, m.Hi, within)
		}
	}
}

func share(rows []int, is func(i int) bool) float64 {
	n := 0.0
	for _, i := range rows {
		if is(i) {
			n++
		}
	}
	return n / float64(len(rows))
}

func sorted(x []float64) []float64 {
	r := ranks(x) // the values differ
	s := make([]float64, len(x))
	for i, v := range x {
		s[int(r[i])-1] = v
	}
	return s
}

// TestDraws: a seed gives the same draws as ever, so that published figures can be computed again.
func TestDraws(t *testing.T) {
	var first []int
	draws := 0
	resample(10, 6, func(rows []int) {
		if draws == 0 {
			first = append(first, rows...)
		}
		draws++
	})
	want := []int{2, 0, 8, 2, 8, 7, 1, 8, 4, 2}
	for i, v := range want {
		if first[i] != v {
			t.Errorf("first draw %v, want %v", first, want)
			break
		}
	}
	if draws != Resamples {
		t.Errorf("%d draws, want %d", draws, Resamples)
	}
	first3, last3 := 0, 0
	resample(3, 1, func(rows []int) {
		for _, i := range rows {
			if i == 0 {
				first3++
			} else if i == 2 {
				last3++
			}
		}
	})
	if sd := math.Sqrt(3 * Resamples * 2 / 9.0); math.Abs(float64(first3)-Resamples) > 4*sd || math.Abs(float64(last3)-Resamples) > 4*sd {
		t.Errorf("row 0 drawn %d times, row 2 %d times, want about %d", first3, last3, Resamples)
	}
}

func TestBootstrapEdges(t *testing.T) {
	nan := func([]int) float64 { return math.NaN() }
	one := func([]int) float64 { return 1 }
	half := func(rows []int) float64 { // NaN for half the draws
		if rows[0] == 0 {
			return math.NaN()
		}
		return 3
	}
	for _, c := range []struct {
		name      string
		n         int
		statistic func([]int) float64
		lo        float64
	}{
		{"no rows", 0, one, math.NaN()}, {"rows below 0", -1, one, math.NaN()}, {"NaN", 5, nan, math.NaN()}, {"constant", 5, one, 1},
		{"one row", 1, one, 1}, {"some NaN", 2, half, 3},
		{"infinite", 3, func([]int) float64 { return math.Inf(1) }, math.Inf(1)},
	} {
		lo, hi := Bootstrap95(c.n, 1, c.statistic)
		if !same(lo, c.lo) || !same(hi, c.lo) {
			t.Errorf("%s: %g to %g, want %g", c.name, lo, hi, c.lo)
		}
	}
	for _, c := range []struct {
		name string
		n    int
		a, b func([]int) float64
		want float64
	}{
		{"no rows", 0, one, one, math.NaN()}, {"equal", 5, one, one, 1}, {"NaN", 5, one, nan, math.NaN()},
		{"always apart", 5, one, func([]int) float64 { return 0 }, 1.0 / (Resamples + 1)},
	} {
		if p := PairedTest(c.n, 1, c.a, c.b); !same(p, c.want) {
			t.Errorf("%s: p = %g, want %g", c.name, p, c.want)
		}
	}
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

func TestRows(t *testing.T) {
	pred, target := []float32{3, 1, 0, 2, 5, 4, 1, 2}, []float32{0, 1, 1, 1}
	all := []int{0, 1, 2, 3}
	rows := &Rows{}
	check(t, "rows", rows, pred, 2, target, ptr(4))
	for _, c := range []struct {
		m    Metric
		pick []int
		want float64
	}{{Accuracy, all, 0.75}, {F1(1), all, 0.8}, {Accuracy, []int{2, 2, 2, 0}, 0.25}, {LogLoss, all, math.NaN()}, {Accuracy, nil, math.NaN()}} {
		if got := rows.Of(c.m)(c.pick); !same(got, c.want) {
			t.Errorf("%s of rows %v = %g, want %g", c.m.Name(), c.pick, got, c.want)
		}
	}
	wide := &Rows{}
	check(t, "wide", wide, pred, 2, pred, ptr(4))
	if got := wide.Of(R2)([]int{0, 1, 3}); got != 1 {
		t.Errorf("R2 = %g, want 1", got)
	}
	for _, c := range []struct{ pred, cols, target int }{{3, 2, 2}, {2, 0, 2}, {4, 1, 4}, {4, 2, 2}, {4, 2, 3}} {
		if err := wide.Add(make([]float32, c.pred), c.cols, make([]float32, c.target)); err == nil || wide.Len() != 4 {
			t.Errorf("%v: %v, %d rows", c, err, wide.Len())
		}
	}
	if lo, hi := Bootstrap95(rows.Len(), 1, rows.Of(Accuracy)); !(lo >= 0 && lo < 0.75 && hi == 1) {
		t.Errorf("accuracy from %g to %g", lo, hi)
	}
}

// ptr returns v as a golden file has it, nil for NaN.
func ptr(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}
