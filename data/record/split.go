package record

import (
	"math"
	"math/bits"
	"slices"
	"sort"

	"github.com/ceto-ml/ceto/internal/splitmix"
	"github.com/pkg/errors"
)

// Split divides rows into as many parts as there are shares, drawn by seed; each part is in ascending order. Shares are
// weights: 0.8, 0.1, 0.1 or 8, 1, 1, or the very counts, when they add up to len(rows). The parts have exactly the
// counts that largest remainders give; between equal remainders the earlier part is larger.
//
// With classes, which may be nil, each class is divided like the whole. Its count in a part is the whole number below
// or above its quota. Where those of all classes and parts cannot be met together, it is one more. [Classes.Absent]
// tells which classes were too small for that.
//
// The result depends on rows, classes, shares and seed alone, on no machine. Shares that are negative or add up to 0
// are an error, and so is a number that is no record's.
func Split(rows []int, c *Classes, seed uint64, shares ...float64) ([][]int, error) {
	w, err := weigh(shares)
	if err != nil {
		return nil, err
	}
	groups, err := c.group(rows, seed)
	if err != nil {
		return nil, err
	}
	room := w.sizes(len(rows)) // places that are left in each part
	parts := make([][]int, len(room))
	for p := range parts {
		parts[p] = make([]int, 0, room[p])
	}
	give := func(k, p, n int) {
		parts[p] = append(parts[p], groups[k][:n]...)
		groups[k] = groups[k][n:]
		room[p] -= n
	}
	for k, g := range groups {
		n := len(g)
		for p := range parts {
			below, _ := w.quota(n, p)
			give(k, p, below)
		}
	}
	// Each class has less than one row a part left: they go where most places are, to different parts (Gale 1957).
	order := make([]int, len(groups))
	for k := range order {
		order[k] = k
	}
	shuffle(order, seed, math.MaxUint64)
	for _, k := range order {
		chance := splitmix.At(seed, math.MaxUint64-1, uint64(k))
		for _, p := range widest(room, len(groups[k]), chance) {
			give(k, p, 1)
		}
	}
	for _, p := range parts {
		slices.Sort(p)
	}
	return parts, nil
}

// widest chooses n places: in different parts as far as there are, those with most room first, by chance among equals.
func widest(room []int, n int, chance uint64) []int {
	if n == 0 {
		return nil
	}
	order := largest(len(room), func(a, b int) bool {
		if room[a] != room[b] {
			return room[a] > room[b]
		}
		return splitmix.At(chance, 0, uint64(a)) < splitmix.At(chance, 0, uint64(b))
	})
	var places []int
	for round := 1; len(places) < n; round++ {
		for _, p := range order {
			if room[p] >= round && len(places) < n {
				places = append(places, p)
			}
		}
	}
	return places
}

// Fold is a division for cross-validation.
type Fold struct{ Train, Val []int }

// Folds divides rows into k folds, as [Split] does: each row is in one fold's Val and in the Train of all others.
func Folds(rows []int, c *Classes, seed uint64, k int) ([]Fold, error) {
	if k < 2 || k > len(rows) {
		return nil, errors.Errorf("record: %d folds of %d rows, want from 2 to as many as rows", k, len(rows))
	}
	shares := make([]float64, k)
	for i := range shares {
		shares[i] = 1
	}
	parts, err := Split(rows, c, seed, shares...)
	if err != nil {
		return nil, err
	}
	folds := make([]Fold, k)
	for i := range folds {
		folds[i].Val = parts[i]
		for j, p := range parts {
			if j != i {
				folds[i].Train = append(folds[i].Train, p...)
			}
		}
		slices.Sort(folds[i].Train)
	}
	return folds, nil
}

// weights are shares in whole numbers, 2⁵⁰ in all but for rounding: from here on no float is rounded.
type weights struct {
	of  []uint64
	sum uint64
}

func weigh(shares []float64) (w weights, err error) {
	sum := 0.0
	for _, s := range shares {
		if !(s >= 0) || math.IsInf(s, 0) {
			return w, errors.Errorf("record: a share of %g, want 0 or more", s)
		}
		sum += s
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		return w, errors.Errorf("record: %d shares add up to %g, want more than 0", len(shares), sum)
	}
	for _, s := range shares {
		v := uint64(math.Round(s / sum * (1 << 50)))
		w.of, w.sum = append(w.of, v), w.sum+v
	}
	return w, nil
}

// quota returns the whole number below n·w/Σw, and the remainder in units of 1/Σw.
func (w weights) quota(n, p int) (below int, rest uint64) {
	hi, lo := bits.Mul64(uint64(n), w.of[p])
	q, rest := bits.Div64(hi, lo, w.sum) // hi < sum, as w ≤ sum and n < 2⁶⁴
	return int(q), rest
}

// sizes divides n by largest remainder.
func (w weights) sizes(n int) []int {
	sizes, rest, left := make([]int, len(w.of)), make([]uint64, len(w.of)), n
	for p := range sizes {
		sizes[p], rest[p] = w.quota(n, p)
		left -= sizes[p]
	}
	for _, p := range largest(len(sizes), func(a, b int) bool { return rest[a] > rest[b] })[:left] {
		sizes[p]++
	}
	return sizes
}

// largest returns 0 … n−1 in the order of more, equal ones ascending.
func largest(n int, more func(a, b int) bool) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return more(order[a], order[b]) })
	return order
}

// group returns the rows of each class, shuffled; nil classes are one.
func (c *Classes) group(rows []int, seed uint64) ([][]int, error) {
	if c == nil {
		all := slices.Clone(rows)
		shuffle(all, seed, 0)
		return [][]int{all}, nil
	}
	groups := make([][]int, len(c.Names))
	for _, i := range rows {
		if i < 0 || i >= len(c.Of) {
			return nil, errors.Errorf("record: row %d, want from 0 to %d", i, len(c.Of)-1)
		}
		groups[c.Of[i]] = append(groups[c.Of[i]], i)
	}
	for k, g := range groups {
		shuffle(g, seed, uint64(k))
	}
	return groups, nil
}
