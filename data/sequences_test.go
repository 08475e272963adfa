package data

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// lengthsOf returns examples of the given lengths: the ids of example i are all i + 1, its class is i.
func lengthsOf(lengths []int32, context int) *Sequences {
	return &Sequences{Lengths: lengths, Context: context, Target: Field{Name: "y", Int: true}, At: func(i int, epoch uint64) (Sequence, error) {
		return Sequence{IDs: slices.Repeat([]int32{int32(i) + 1}, int(lengths[i])), Y: []int32{int32(i)}}, nil
	}}
}

// TestSequencesEpoch: each example once an epoch, batches full but for one, little padding, another order each epoch.
func TestSequencesEpoch(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		lengths, size := make([]int32, 1+r.IntN(2000)), 1+r.IntN(20)
		for i := range lengths {
			lengths[i] = 1 + int32(min(r.ExpFloat64()*40, 500))
		}
		src := lengthsOf(lengths, 512).Train(seed).(*sequences)
		var orders, wide [2]string
		for epoch := range orders {
			seen, real, padded, small, widths := make([]int, len(lengths)), 0, 0, 0, map[int]bool{}
			for step := range Batches(src, size, 1) {
				n, fields := Shape(src, size)
				if n < size {
					small++
				}
				if n < 1 || n > size || small > 1 {
					t.Fatalf("seed %d: batch %d has %d examples, want %d but for one", seed, step, n, size)
				}
				b := NewBatch(fields, n)
				if got, err := src.Next(b); got != n || err != nil {
					t.Fatalf("seed %d: batch %d: %d, %v", seed, step, got, err)
				}
				w := b["ids"].Shape[1]
				widths[w] = true
				wide[epoch] += fmt.Sprint(w, " ")
				for row, i := range b["y"].Int {
					seen[i]++
					real, padded = real+int(lengths[i]), padded+w
					ids := b["ids"].Int[row*w : (row+1)*w]
					if last := b["last"].Int[row]; last != lengths[i]-1 || ids[last] != i+1 || int(last)+1 < w && ids[last+1] != 0 {
						t.Fatalf("seed %d: row %d of batch %d is %v with last %d, want %d times %d", seed, row, step, ids, last, lengths[i], i+1)
					}
				}
				orders[epoch] += fmt.Sprint(b["y"].Int)
			}
			if i := slices.IndexFunc(seen, func(n int) bool { return n != 1 }); i >= 0 {
				t.Fatalf("seed %d: example %d came %d times in epoch %d", seed, i, seen[i], epoch)
			}
			if len(lengths) > 1000 && float64(padded) > 1.3*float64(real) {
				t.Errorf("seed %d: %d examples by %d: %d tokens are padded to %d", seed, len(lengths), size, real, padded)
			}
			if len(widths) > 28 {
				t.Errorf("seed %d: %d widths up to 512", seed, len(widths))
			}
		}
		if len(lengths) > 30 && orders[0] == orders[1] || len(lengths) > 30*size && wide[0][:len(wide[0])/2] == wide[1][:len(wide[0])/2] {
			t.Errorf("seed %d: both epochs have one order", seed)
		}
	}
}

// TestSequencesRegroup: few pairs of examples that share a batch of a small set share one in the next epoch too. Not
// too much is padded for it.
func TestSequencesRegroup(t *testing.T) {
	for n, most := range map[int]float64{80: 3, 400: 1.5, 780: 1.4} {
		const size = 16
		r := rand.New(rand.NewPCG(uint64(n), 1))
		q := lengthsOf(make([]int32, n), 512)
		for i := range q.Lengths {
			q.Lengths[i] = 1 + int32(min(r.ExpFloat64()*40, 500))
		}
		var in [2][]int // batch of an example
		real, padded := 0, 0
		for epoch := range in {
			in[epoch] = make([]int, n)
			order, begins := q.byLength(size, 1, uint64(epoch))
			for b := range len(begins) - 1 {
				batch, longest := order[begins[b]:begins[b+1]], 0
				for _, i := range batch {
					in[epoch][i], longest, real = b, max(longest, int(q.Lengths[i])), real+int(q.Lengths[i])
				}
				padded += longest * len(batch)
			}
		}
		pairs, again := 0, 0
		for i := range n {
			for k := range i {
				if in[0][i] == in[0][k] {
					pairs++
					if in[1][i] == in[1][k] {
						again++
					}
				}
			}
		}
		if again*10 > pairs*3 || float64(padded) > most*float64(real) {
			t.Errorf("%d examples: %d of %d pairs again, %d tokens padded to %d", n, again, pairs, real, padded)
		}
	}
}

// TestSequencesTokens: no batch has more tokens than allowed, unless it is one example. Batches of training are as
// large as they can be, but where lengths jump.
func TestSequencesTokens(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	lengths := make([]int32, 500)
	for i := range lengths {
		lengths[i] = 1 + int32(min(r.ExpFloat64()*40, 500))
	}
	q := lengthsOf(lengths, 512)
	q.Tokens = 256
	for name, s := range map[string]Source{"train": q.Train(3), "eval": q.Eval()} {
		seen, batches := 0, 0
		most, largest := Largest(s, 16)
		most *= largest[0].Shape[0]
		for seen < 500 {
			n, fields := Shape(s, 16)
			b := NewBatch(fields, n)
			if m, err := s.Next(b); m != n || err != nil {
				t.Fatalf("%s: %d of %d, %v", name, m, n, err)
			}
			w := b["ids"].Shape[1]
			if n > 16 || n > 1 && n*w > 256 || n*w > most {
				t.Errorf("%s: a batch of %d by %d, the largest has %d tokens", name, n, w, most)
			}
			seen, batches = seen+n, batches+1
		}
		if want := Batches(q.Train(3), 16, 1); seen != 500 || name == "train" && batches != want || batches > 150 {
			t.Errorf("%s: %d examples in %d batches, want 500 in %d", name, seen, batches, want)
		}
	}
}

// TestSequencesSeek goes on from every batch of two epochs.
func TestSequencesSeek(t *testing.T) {
	q := lengthsOf([]int32{5, 1, 30, 9, 9, 2, 17, 3, 3, 12, 40}, 64)
	read := func(s Source, batches int) (got []string) {
		for range batches {
			n, fields := Shape(s, 3)
			b := NewBatch(fields, n)
			if _, err := s.Next(b); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(b))
		}
		return got
	}
	want := read(q.Train(7), 8)
	for i := range want {
		s, other := q.Train(7), q.Train(9)
		read(s, i)
		read(other, 1)
		if err := other.Seek(s.Position()); err != nil {
			t.Fatal(err)
		}
		if got := read(other, 8-i); !slices.Equal(got, want[i:]) {
			t.Fatalf("after %d batches %v follow, want %v", i, got, want[i:])
		}
	}
	if s := read(q.Train(8), 8); slices.Equal(s, want) {
		t.Error("another seed gives the same batches")
	}
}

// TestSequencesEval: one pass from the longest example to the shortest, then io.EOF.
func TestSequencesEval(t *testing.T) {
	q := lengthsOf([]int32{5, 1, 30, 9, 9}, 64).Pick([]int32{0, 1, 2, 4})
	s, got := q.Eval(), ""
	for {
		n, fields := Shape(s, 3)
		b := NewBatch(fields, 3)
		m, err := s.Next(b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || m != n {
			t.Fatalf("%d of %d, %v", m, n, err)
		}
		got += fmt.Sprint(b["y"].Int[:n], b["ids"].Shape, " ")
	}
	if want := "[2 4 0] [3 32] [1] [3 8] "; got != want || fmt.Sprint(q.Order()) != "[2 3 0 1]" {
		t.Errorf("got %q in order %v, want %q", got, q.Order(), want)
	}
}

// TestSequencesTargets puts targets of each sort into a batch, and refuses those that do not fit.
func TestSequencesTargets(t *testing.T) {
	for _, w := range []struct {
		q    Sequences
		e    Sequence
		want string // of y, or of the error
	}{
		{Sequences{Target: Field{Name: "y", Int: true}, PerID: true}, Sequence{IDs: []int32{7, 8}, Y: []int32{-1, 4}}, "[-1 4 -1 -1 -1 -1 -1 -1] []"},
		{Sequences{Target: Field{Name: "y", Shape: []int{2}}}, Sequence{IDs: []int32{7}, Values: []float32{0, 1}}, "[] [0 1]"},
		{Sequences{}, Sequence{IDs: []int32{7}}, "[] []"},
		{Sequences{Target: Field{Name: "y", Int: true}, PerID: true}, Sequence{IDs: []int32{7, 8}, Y: []int32{4}}, "1 targets for 2 ids"},
		{Sequences{Target: Field{Name: "y", Int: true}}, Sequence{IDs: []int32{7}, Values: []float32{1}}, "want 1"},
		{Sequences{Target: Field{Name: "y", Int: true}}, Sequence{Y: []int32{1}}, "0 ids; want 1 to 8"},
		{Sequences{Target: Field{Name: "y", Int: true}}, Sequence{IDs: make([]int32, 9), Y: []int32{1}}, "9 ids; want 1 to 8"},
	} {
		q := w.q
		q.Lengths, q.Context, q.At = []int32{3}, 64, func(int, uint64) (Sequence, error) { return w.e, nil }
		s := q.Train(1)
		n, fields := Shape(s, 4)
		b := NewBatch(fields, n)
		_, err := s.Next(b)
		got := fmt.Sprint(b["y"].Int, b["y"].Float)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, w.want) || err == nil != strings.HasPrefix(w.want, "[") {
			t.Errorf("%+v: %s, want %s", w.e, got, w.want)
		}
	}
}
