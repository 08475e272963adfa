package data

import (
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/data/field"
	"github.com/google/go-cmp/cmp"
)

// frames are examples of vectors of 2 numbers: number j of vector t of example i is 100·i + 10·t + j, its class is i.
func frames(withIDs bool, lengths ...int32) *Sequences {
	return &Sequences{Lengths: lengths, Context: 64, Features: 2, WithIDs: withIDs, Target: Field{Name: field.Y, Int: true},
		At: func(i int, _ uint64) (Sequence, error) {
			e := Sequence{Y: []int32{int32(i)}}
			for t := range int(lengths[i]) {
				e.X = append(e.X, float32(100*i+10*t), float32(100*i+10*t+1))
				if withIDs {
					e.IDs = append(e.IDs, int32(10*i+t+1))
				}
			}
			return e, nil
		}}
}

// TestVectors: batches of like lengths, padded with 0, with the index of the last vector, each example once.
func TestVectors(t *testing.T) {
	lengths := []int32{5, 1, 30, 9, 9, 2, 17, 3, 3, 12, 40}
	for _, withIDs := range []bool{false, true} {
		q := frames(withIDs, lengths...)
		for name, s := range map[string]Source{"train": q.Train(3), "eval": q.Eval()} {
			seen := make([]int, len(lengths))
			for done := 0; done < len(lengths); {
				n, fields := Shape(s, 3)
				b := NewBatch(fields, n)
				for i := range b[field.X].Float {
					b[field.X].Float[i] = 9 // of a batch before
				}
				if got, err := s.Next(b); got != n || err != nil {
					t.Fatalf("%s: %d of %d, %v", name, got, n, err)
				}
				x, width := b[field.X], b[field.X].Shape[1]
				if _, ok := b[field.IDs]; ok != withIDs || !slices.Equal(x.Shape, []int{n, width, 2}) {
					t.Fatalf("%s: ids %t, x of shape %v", name, ok, x.Shape)
				}
				for row, i := range b[field.Y].Int {
					seen[i]++
					e, _ := q.At(int(i), 0)
					if d := cmp.Diff(append(e.X, make([]float32, 2*width-len(e.X))...), x.Float[2*width*row:2*width*(row+1)]); d != "" {
						t.Errorf("%s: vectors of example %d: %s", name, i, d)
					}
					if last := b[field.Last].Int[row]; last != lengths[i]-1 {
						t.Errorf("%s: last vector of example %d is %d", name, i, last)
					}
					if withIDs && !slices.Equal(append(e.IDs, make([]int32, width-len(e.IDs))...), b[field.IDs].Int[width*row:width*(row+1)]) {
						t.Errorf("%s: ids of example %d: %v", name, i, b[field.IDs].Int)
					}
				}
				done += n
			}
			if slices.ContainsFunc(seen, func(n int) bool { return n != 1 }) {
				t.Errorf("%s: examples came %v times", name, seen)
			}
		}
	}
}

// TestVectorsAsIDs: order, batches, widths and positions are those of ids of the same lengths.
func TestVectorsAsIDs(t *testing.T) {
	lengths := []int32{5, 1, 30, 9, 9, 2, 17, 3, 3, 12, 40}
	ids, x := lengthsOf(lengths, 64), frames(false, lengths...)
	ids.Tokens, x.Tokens = 64, 64
	for at := range 5 {
		a, b := ids.Train(7), x.Train(9)
		for range at {
			n, fields := Shape(a, 4)
			if _, err := a.Next(NewBatch(fields, n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Seek(a.Position()); err != nil {
			t.Fatal(err)
		}
		n, fa := Shape(a, 4)
		m, fb := Shape(b, 4)
		ba, bb := NewBatch(fa, n), NewBatch(fb, m)
		a.Next(ba)
		if _, err := b.Next(bb); err != nil {
			t.Fatal(err)
		}
		if n != m || ba[field.IDs].Shape[1] != bb[field.X].Shape[1] || !slices.Equal(ba[field.Y].Int, bb[field.Y].Int) || a.Position() != b.Position() {
			t.Errorf("batch %d: ids of %v %v, vectors of %v %v", at, ba[field.IDs].Shape, ba[field.Y].Int, bb[field.X].Shape, bb[field.Y].Int)
		}
	}
	n, fields := Largest(x.Train(1), 4)
	if m, of := Largest(ids.Train(1), 4); n != m || fields[0].Shape[0] != of[0].Shape[0] {
		t.Errorf("the largest batch is %d by %v, of ids %d by %v", n, fields[0].Shape, m, of[0].Shape)
	}
}

// TestVectorsErrors: an example whose parts do not fit is refused.
func TestVectorsErrors(t *testing.T) {
	for _, c := range []struct {
		features int
		withIDs  bool
		perID    bool
		e        Sequence
		want     string
	}{
		{2, false, false, Sequence{X: []float32{1, 2, 3}, Y: []int32{0}}, "3 numbers, no whole number of vectors of 2"},
		{2, false, false, Sequence{Y: []int32{0}}, "0 vectors; want 1 to 8"},
		{2, false, false, Sequence{X: make([]float32, 18), Y: []int32{0}}, "9 vectors; want 1 to 8"},
		{2, false, false, Sequence{IDs: []int32{1}, X: []float32{1, 2}, Y: []int32{0}}, "1 ids and 2 numbers; want ids: false"},
		{0, false, false, Sequence{IDs: []int32{1}, X: []float32{1, 2}, Y: []int32{0}}, "want ids: true, vectors of 0"},
		{2, true, false, Sequence{IDs: []int32{1}, X: []float32{1, 2, 3, 4}, Y: []int32{0}}, "1 ids and 2 vectors"},
		{2, false, true, Sequence{X: []float32{1, 2, 3, 4}, Y: []int32{0}}, "1 targets for 2 vectors"},
	} {
		q := &Sequences{Lengths: []int32{3}, Context: 64, Features: c.features, WithIDs: c.withIDs, PerID: c.perID,
			Target: Field{Name: field.Y, Int: true}, At: func(int, uint64) (Sequence, error) { return c.e, nil }}
		s := q.Train(1)
		n, fields := Shape(s, 4)
		_, err := s.Next(NewBatch(fields, n))
		wantErr(t, fmt.Sprintf("%+v", c), err, c.want)
	}
	s := frames(false, 3).Train(1)
	_, err := s.Next(NewBatch([]Field{{Name: field.IDs, Int: true, Shape: []int{8}}}, 1))
	wantErr(t, "a batch of ids", err, `no array "x"`)
}

// TestPackVectors: rows of several examples of vectors, cut and padded as ids are.
func TestPackVectors(t *testing.T) {
	q := frames(true, 2, 1, 4)
	q.PerID = true
	at := q.At
	q.At = func(i int, epoch uint64) (Sequence, error) {
		e, err := at(i, epoch)
		e.Y = e.IDs
		return e, err
	}
	p := Pack(q, 3)
	s := p.Eval()
	b := NewBatch(s.Fields(), 2)
	if n, err := s.Next(b); n != 2 || err != nil || p.Truncated != 1 {
		t.Fatal(n, err, p.Truncated)
	}
	want := Batch{
		field.IDs:       {Shape: []int{2, 3}, Int: []int32{1, 2, 11, 21, 22, 23}},
		field.X:         {Shape: []int{2, 3, 2}, Float: []float32{0, 1, 10, 11, 100, 101, 200, 201, 210, 211, 220, 221}},
		field.Y:         {Shape: []int{2, 3}, Int: []int32{1, 2, 11, 21, 22, 23}},
		field.Segments:  {Shape: []int{2, 3}, Int: []int32{0, 0, 1, 0, 0, 0}},
		field.Positions: {Shape: []int{2, 3}, Int: []int32{0, 1, 0, 0, 1, 2}},
	}
	if d := cmp.Diff(want, b); d != "" {
		t.Error(d)
	}
	if _, err := s.Next(b); err != io.EOF {
		t.Errorf("past the end: %v", err)
	}
	s = Pack(q.Pick([]int32{1}), 3).Eval()
	b = NewBatch(s.Fields(), 1)
	b[field.X].Float[5] = 9 // of a batch before
	if _, err := s.Next(b); err != nil {
		t.Fatal(err)
	}
	if got := b[field.X].Float; !slices.Equal(got, []float32{100, 101, 0, 0, 0, 0}) {
		t.Errorf("a padded row has vectors %v", got)
	}
}
