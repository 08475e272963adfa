package data

import (
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wantErr reports an error that does not hold want.
func wantErr(t *testing.T, name string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: error %v, want one with %q", name, err, want)
	}
}

// take returns copies of n batches of a source.
func take(t *testing.T, s Source, size, n int) []Batch {
	t.Helper()
	var all []Batch
	for range n {
		b := NewBatch(s.Fields(), size)
		if got, err := s.Next(b); err != nil || got != size {
			t.Fatalf("Next = %d, %v, want %d", got, err, size)
		}
		all = append(all, b)
	}
	return all
}

// count returns a table whose example i has x = (i, −i) and y = i.
func count(n int) *Table {
	var x [][]float32
	var y []int
	for i := range n {
		x, y = append(x, []float32{float32(i), -float32(i)}), append(y, i)
	}
	return Rows(x, y)
}

func TestRowsEval(t *testing.T) {
	x := [][]float32{{1, 2}, {3, 4}, {5, 6}}
	for _, c := range []struct {
		name  string
		t     *Table
		field Field
		first Array // y of a batch of 2
		last  Array // y of the short batch behind it
	}{
		{"numbers", Rows(x, []float32{7, 8, 9}), Field{"y", false, []int{}}, Array{Shape: []int{2}, Float: []float32{7, 8}}, Array{Shape: []int{2}, Float: []float32{9, 0}}},
		{"ids", Rows(x, []int32{7, 8, 9}), Field{"y", true, []int{}}, Array{Shape: []int{2}, Int: []int32{7, 8}}, Array{Shape: []int{2}, Int: []int32{9, 0}}},
		{"ints", Rows(x, []int{7, 8, 9}), Field{"y", true, []int{}}, Array{Shape: []int{2}, Int: []int32{7, 8}}, Array{Shape: []int{2}, Int: []int32{9, 0}}},
		{"vectors", Rows(x, [][]float32{{7}, {8}, {9}}), Field{"y", false, []int{1}}, Array{Shape: []int{2, 1}, Float: []float32{7, 8}}, Array{Shape: []int{2, 1}, Float: []float32{9, 0}}},
	} {
		s := c.t.Eval()
		if d := cmp.Diff([]Field{{"x", false, []int{2}}, c.field}, s.Fields()); d != "" {
			t.Errorf("%s: fields: %s", c.name, d)
		}
		b := NewBatch(s.Fields(), 2)
		if n, err := s.Next(b); n != 2 || err != nil {
			t.Fatalf("%s: Next = %d, %v, want 2", c.name, n, err)
		}
		if d := cmp.Diff(Batch{"x": {Shape: []int{2, 2}, Float: []float32{1, 2, 3, 4}}, "y": c.first}, b); d != "" {
			t.Errorf("%s: first batch: %s", c.name, d)
		}
		if n, err := s.Next(b); n != 1 || err != nil {
			t.Fatalf("%s: Next = %d, %v, want 1", c.name, n, err)
		}
		if d := cmp.Diff(Batch{"x": {Shape: []int{2, 2}, Float: []float32{5, 6, 0, 0}}, "y": c.last}, b); d != "" {
			t.Errorf("%s: last batch: %s", c.name, d)
		}
		if n, err := s.Next(b); n != 0 || err != io.EOF {
			t.Errorf("%s: Next past the end = %d, %v, want io.EOF", c.name, n, err)
		}
	}
}

func TestTableErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		t    *Table
		err  string
	}{
		{"targets", Rows([][]float32{{1}}, []float32{1, 2}), "1 rows but 2 targets"},
		{"no rows", Rows(nil, []float32{}), "no rows"},
		{"ragged", Rows([][]float32{{1, 2}, {3}}, []float32{1, 2}), "1 numbers in row 1 but 2 in row 0"},
		{"ragged y", Rows([][]float32{{1}, {3}}, [][]float32{{1}, {}}), "y has 0 numbers in row 1"},
		{"wide id", Rows([][]float32{{1}}, []int{math.MaxInt32 + 1}), "2147483648 of row 0"},
		{"unequal", Examples(Batch{"a": {Shape: []int{1}, Int: []int32{1}}, "b": {Shape: []int{2}, Int: []int32{1, 2}}}), "examples in one batch"},
		{"scalar", Examples(Batch{"a": {Int: []int32{1}}}), "no axis"},
		{"wrong shape", Examples(Batch{"a": {Shape: []int{3}, Int: []int32{1}}}), "1 values"},
		{"empty", Examples(Batch{}), "0 examples"},
		{"split", func() *Table { a, _ := count(3).Split(0.01, 1); return a }(), "share 0.01 of 3 examples is 0"},
	} {
		wantErr(t, c.name, c.t.Err(), c.err)
		for _, s := range []Source{c.t.Train(1), c.t.Eval()} {
			_, err := s.Next(NewBatch([]Field{{Name: "x"}}, 1))
			wantErr(t, c.name+": Next", err, c.err)
		}
	}
}

func TestNextErrors(t *testing.T) {
	s := count(3).Train(1)
	for _, c := range []struct {
		name string
		b    Batch
		err  string
	}{
		{"no x", Batch{}, `no array "x"`},
		{"size", NewBatch(s.Fields(), 0), "0 examples"},
		{"type", NewBatch([]Field{{"x", false, []int{2}}, {"y", false, nil}}, 2), `array "y" has shape [2]`},
		{"shape", NewBatch([]Field{{"x", false, []int{3}}, {"y", true, nil}}, 2), `array "x" has shape [2 3]`},
	} {
		_, err := s.Next(c.b)
		wantErr(t, c.name, err, c.err)
	}
}

func TestEpochs(t *testing.T) {
	const n = 7
	s := count(n).Train(3)
	var ids []int32
	for _, b := range take(t, s, 2, n) { // two epochs, in batches that span them
		ids = append(ids, b["y"].Int...)
		for i, id := range b["y"].Int {
			if b["x"].Float[2*i] != float32(id) || b["x"].Float[2*i+1] != -float32(id) {
				t.Fatalf("x %v beside y %v", b["x"].Float, b["y"].Int)
			}
		}
	}
	for e := range 2 {
		var seen [n]int
		for _, id := range ids[e*n : (e+1)*n] {
			seen[id]++
		}
		if seen != [n]int{1, 1, 1, 1, 1, 1, 1} {
			t.Errorf("epoch %d gives %v", e, ids[e*n:(e+1)*n])
		}
	}
	// The order is a promise: resumed runs of a later version must see the same one.
	if d := cmp.Diff([]int32{0, 1, 5, 2, 4, 6, 3, 1, 2, 4, 5, 0, 6, 3}, ids); d != "" {
		t.Errorf("order of seed 3: %s", d)
	}
	if d := cmp.Diff(ids[:2], take(t, count(n).Train(4), 2, 1)[0]["y"].Int); d == "" {
		t.Error("seeds 3 and 4 give one order")
	}
}

// TestUniform: each of the 6 orders of 3 examples comes about as often, χ² with 5 degrees of freedom.
func TestUniform(t *testing.T) {
	const epochs = 6000
	var seen [27]float64
	p := make([]int32, 3)
	for e := range uint64(epochs) {
		permute(p, 1, e)
		seen[9*p[0]+3*p[1]+p[2]]++
	}
	chi := 0.0
	for _, i := range []int{5, 7, 11, 15, 19, 21} { // 012 021 102 120 201 210
		chi += (seen[i] - epochs/6) * (seen[i] - epochs/6) / (epochs / 6)
	}
	if chi > 20.5 { // 0.1 %
		t.Errorf("orders come %v times, χ² = %g", seen, chi)
	}
}

func TestSplit(t *testing.T) {
	train, held := count(10).Split(0.3, 5)
	if train.Len() != 7 || held.Len() != 3 {
		t.Fatalf("%d and %d examples, want 7 and 3", train.Len(), held.Len())
	}
	var seen [10]int
	for _, id := range append(train.all["y"].Int, held.all["y"].Int...) {
		seen[id]++
	}
	if seen != [10]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1} {
		t.Errorf("split gives examples %v times", seen)
	}
}

// TestSeek: from any position, kept as JSON, a source goes on as the one that was never stopped.
func TestSeek(t *testing.T) {
	text := text(t, strings.Repeat("to be or not to be ", 20), TextOptions{Context: 4})
	for _, c := range []struct {
		name    string
		src     func(seed uint64) Source
		batches int
	}{
		{"table train", func(seed uint64) Source { return count(7).Train(seed) }, 9},
		{"table eval", func(uint64) Source { return count(12).Eval() }, 4},
		{"text train", text.Train, 9},
		{"text val", func(uint64) Source { return text.Eval() }, 3},
	} {
		want := take(t, c.src(9), 3, c.batches)
		for at := range c.batches {
			s := c.src(9)
			take(t, s, 3, at)
			kept, err := json.Marshal(s.Position())
			if err != nil {
				t.Fatal(err)
			}
			var p Position
			if err := json.Unmarshal(kept, &p); err != nil {
				t.Fatal(err)
			}
			other := c.src(1)
			if at > 0 {
				take(t, other, 3, 1) // a source that is somewhere else
			}
			if err := other.Seek(p); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if d := cmp.Diff(want[at:], take(t, other, 3, c.batches-at)); d != "" {
				t.Errorf("%s: from batch %d on: %s", c.name, at, d)
			}
		}
		s := c.src(9)
		wantErr(t, c.name, s.Seek(Position{Examples: s.Len() + 1}), "not the same data")
		wantErr(t, c.name, s.Seek(Position{Examples: s.Len(), Next: -1}), "example -1")
	}
}

func TestNextAllocs(t *testing.T) {
	txt := text(t, strings.Repeat("to be or not to be ", 20), TextOptions{Context: 4})
	for _, s := range []Source{count(7).Train(1), txt.Train(1)} {
		b := NewBatch(s.Fields(), 3)
		if n := testing.AllocsPerRun(50, func() { s.Next(b) }); n > 0 {
			t.Errorf("%T: Next allocates %g times", s, n)
		}
	}
}
