package record

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// classesOf makes classes of counts: "c0" n0 records, "c1" n1, … mixed.
func classesOf(counts []int, r *rand.Rand) *Classes {
	c := &Classes{Count: counts}
	for k, n := range counts {
		c.Names = append(c.Names, fmt.Sprintf("c%d", k))
		for range n {
			c.Of = append(c.Of, int32(k))
		}
	}
	r.Shuffle(len(c.Of), func(i, j int) { c.Of[i], c.Of[j] = c.Of[j], c.Of[i] })
	return c
}

func count(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

func TestSplitSizes(t *testing.T) {
	for _, c := range []struct {
		n      int
		shares []float64
		want   string // sizes, or a part of the error
	}{
		{10, []float64{0.8, 0.1, 0.1}, "[8 1 1]"},
		{5574, []float64{0.8, 0.1, 0.1}, "[4459 558 557]"}, // 4459.2, 557.4, 557.4: the earlier of the equal remainders
		{7, []float64{1, 1, 1}, "[3 2 2]"},
		{5574, []float64{4074, 500, 1000}, "[4074 500 1000]"},
		{3, []float64{0.7, 0, 0.3}, "[2 0 1]"},
		{100, []float64{0.29, 0.71}, "[29 71]"},
		{0, []float64{1, 2}, "[0 0]"},
		{1 << 20, []float64{1e308, 1e-308}, "[1048576 0]"},
		{3, []float64{1, -1, 3}, "a share of -1"},
		{3, []float64{1, math.NaN()}, "a share of NaN"},
		{3, []float64{math.Inf(1)}, "a share of +Inf"},
		{3, []float64{1e308, 1e308}, "add up to +Inf"},
		{3, []float64{0, 0}, "2 shares add up to 0"},
		{3, nil, "0 shares add up to 0"},
	} {
		parts, err := Split(count(c.n), nil, 1, c.shares...)
		var sizes []int
		for _, p := range parts {
			sizes = append(sizes, len(p))
		}
		got := fmt.Sprint(sizes)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("Split(%d, %v) = %s, want %s", c.n, c.shares, got, c.want)
		}
	}
	if _, err := Split([]int{3}, classesOf([]int{3}, rand.New(rand.NewPCG(1, 1))), 1, 1); err == nil {
		t.Error("row 3 of 3 was split")
	}
}

// TestSplitProperties: parts of random data are disjoint and complete, and as large as they should be. Each class is
// divided as the whole, and the seed alone decides.
func TestSplitProperties(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		counts := make([]int, 1+r.IntN(6))
		n := 0
		for k := range counts {
			counts[k] = r.IntN(1 << r.IntN(10))
			n += counts[k]
		}
		c, shares, sum := classesOf(counts, r), make([]float64, 1+r.IntN(5)), 0.0
		for p := range shares {
			shares[p] = r.Float64()
			sum += shares[p]
		}
		parts, err := Split(count(n), c, seed, shares...)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if got := slices.Sorted(slices.Values(slices.Concat(parts...))); !slices.Equal(got, count(n)) {
			t.Fatalf("seed %d: the parts of %d rows together have %d, or others", seed, n, len(got))
		}
		for p, rows := range parts {
			if want := float64(n) * shares[p] / sum; math.Abs(float64(len(rows))-want) >= 1 {
				t.Errorf("seed %d: part %d has %d of %d rows, want about %.1f", seed, p, len(rows), n, want)
			}
			if !slices.IsSorted(rows) {
				t.Errorf("seed %d: part %d is not ascending", seed, p)
			}
			b := make([]int, len(counts))
			for _, i := range rows {
				b[c.Of[i]]++
			}
			for k, got := range b {
				if want := float64(counts[k]) * shares[p] / sum; math.Abs(float64(got)-want) >= 1 {
					t.Errorf("seed %d: part %d has %d of class %d, want about %.1f", seed, p, got, k, want)
				}
			}
		}
		again, _ := Split(count(n), c, seed, shares...)
		other, _ := Split(count(n), c, seed+1, shares...)
		if fmt.Sprint(again) != fmt.Sprint(parts) {
			t.Errorf("seed %d: two splits differ", seed)
		}
		if n > 40 && len(parts[0]) > 10 && len(parts[0]) < n-10 && fmt.Sprint(other) == fmt.Sprint(parts) {
			t.Errorf("seeds %d and %d give the same split", seed, seed+1)
		}
	}
}

// TestSplitFixed holds splits to digests, which are the same on every machine and in every version.
func TestSplitFixed(t *testing.T) {
	of := make([]int32, 1000)
	for i := range of {
		of[i] = int32(i * i % 7 % 3) // three classes
	}
	c := &Classes{Names: []string{"a", "b", "c"}, Of: of}
	for _, w := range []struct {
		c    *Classes
		seed uint64
		want uint64
	}{{nil, 1, splitPlain1}, {c, 1, splitClasses1}, {c, 2, splitClasses2}} {
		parts, err := Split(count(1000), w.c, w.seed, 0.8, 0.1, 0.1)
		h := fnv.New64a()
		fmt.Fprint(h, parts)
		if err != nil || h.Sum64() != w.want {
			t.Errorf("seed %d: digest %#x, %v, want %#x", w.seed, h.Sum64(), err, w.want)
		}
	}
}

// Digests (FNV-1a of fmt.Sprint) by this package's own code, to hold it still.
const (
	splitPlain1   = 0x23c0f9b496d2d75
	splitClasses1 = 0x8a52c0e98824dbf3
	splitClasses2 = 0xcb81c4334dffab09
	buckets12     = 0xe6f8d838eff5f1a5
)

func TestWidest(t *testing.T) {
	for _, c := range []struct {
		room []int
		n    int
		want string
	}{{[]int{1, 0, 5}, 4, "[2 0 2 2]"}, {[]int{3, 2, 9}, 2, "[2 0]"}, {[]int{0, 1}, 1, "[1]"}, {[]int{1}, 0, "[]"}} {
		if got := fmt.Sprint(widest(c.room, c.n, 1)); got != c.want {
			t.Errorf("widest(%v, %d) = %s, want %s", c.room, c.n, got, c.want)
		}
	}
}

func TestFolds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, w := range []struct {
		counts []int
		k      int
	}{{[]int{10}, 2}, {[]int{7, 5, 1}, 3}, {[]int{100, 13}, 5}, {[]int{4, 4}, 8}, {[]int{483, 75}, 10}} {
		c := classesOf(w.counts, r)
		n := len(c.Of)
		folds, err := Folds(count(n), c, 5, w.k)
		if err != nil || len(folds) != w.k {
			t.Fatalf("%v: %d folds, %v", w.counts, len(folds), err)
		}
		var all []int
		for i, f := range folds {
			all = append(all, f.Val...)
			if both := slices.Sorted(slices.Values(slices.Concat(f.Train, f.Val))); !slices.Equal(both, count(n)) || !slices.IsSorted(f.Train) {
				t.Errorf("%v: fold %d: train and val are not all rows", w.counts, i)
			}
			if len(f.Val) < n/w.k || len(f.Val) > (n+w.k-1)/w.k {
				t.Errorf("%v: fold %d has %d of %d rows", w.counts, i, len(f.Val), n)
			}
			b, _ := c.Balance(f.Val)
			for _, class := range b {
				var total int
				fmt.Sscanf(class.Name, "c%d", &total)
				if total = w.counts[total]; class.Count < total/w.k || class.Count > (total+w.k-1)/w.k {
					t.Errorf("%v: fold %d has %d of the %d of %s", w.counts, i, class.Count, total, class.Name)
				}
			}
		}
		if !slices.Equal(slices.Sorted(slices.Values(all)), count(n)) {
			t.Errorf("%v: the folds are not the rows", w.counts)
		}
	}
	for _, k := range []int{-1, 1, 4} {
		if _, err := Folds(count(3), nil, 1, k); err == nil {
			t.Errorf("%d folds of 3 rows", k)
		}
	}
}
