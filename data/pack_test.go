package data_test

import (
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
)

// numbered are examples whose ids tell example and place: 100·i + j, with targets 1 more.
func numbered(lengths ...int32) *data.Sequences {
	return &data.Sequences{Lengths: lengths, Context: 1 << 20, PerID: true, Target: data.Field{Name: "y", Int: true},
		At: func(i int, _ uint64) (e data.Sequence, _ error) {
			for j := range lengths[i] {
				e.IDs = append(e.IDs, int32(100*i)+j)
				e.Y = append(e.Y, int32(100*i)+j+1)
			}
			return e, nil
		}}
}

// TestPackRows: a case worked out by hand, with examples of 5, 4, 3, 9, 2 and 1 tokens in rows of 8. The first row that
// has room takes each, and the long one is cut.
func TestPackRows(t *testing.T) {
	p := data.Pack(numbered(5, 4, 3, 9, 2, 1), 8)
	if p.Err() != nil || p.Truncated != 1 {
		t.Fatal(p.Err(), p.Truncated)
	}
	src := p.Eval()
	b := data.NewBatch(src.Fields(), 4)
	if n, err := src.Next(b); n != 3 || err != nil || src.Len() != 3 {
		t.Fatal(n, err, src.Len())
	}
	for name, want := range map[string][]int32{
		"ids":       {0, 1, 2, 3, 4, 200, 201, 202, 100, 101, 102, 103, 400, 401, 500, 0, 300, 301, 302, 303, 304, 305, 306, 307},
		"y":         {1, 2, 3, 4, 5, 201, 202, 203, 101, 102, 103, 104, 401, 402, 501, -1, 301, 302, 303, 304, 305, 306, 307, 308},
		"segments":  {0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 2, -1, 0, 0, 0, 0, 0, 0, 0, 0},
		"positions": {0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3, 0, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7},
	} {
		want = append(want, make([]int32, 8)...) // a row that is not there
		if !slices.Equal(b[name].Int, want) {
			t.Errorf("%s = %v, want %v", name, b[name].Int, want)
		}
	}
	if n, err := src.Next(b); n != 0 || err != io.EOF {
		t.Errorf("past the end: %d rows, %v", n, err)
	}
}

// TestPackEpoch: each epoch has every example once, whole and in as many rows, in another order; rows are full but for
// what first fit leaves.
func TestPackEpoch(t *testing.T) {
	var lengths []int32
	tokens := 0
	for i := range int32(300) {
		lengths = append(lengths, 1+i*i%60)
		tokens += int(lengths[i])
	}
	const width = 64
	p := data.Pack(numbered(lengths...), width)
	src := p.Train(7)
	n := src.Len()
	if n*width > tokens*11/10 {
		t.Errorf("%d rows of %d for %d tokens: more than a tenth is padding", n, width, tokens)
	}
	var first []int32
	for epoch := range 2 {
		b := data.NewBatch(src.Fields(), n)
		if got, err := src.Next(b); got != n || err != nil {
			t.Fatal(got, err)
		}
		seen := make([]int32, len(lengths))
		for i, id := range b["ids"].Int {
			if segment := b["segments"].Int[i]; segment < 0 {
				continue
			}
			if id%100 != b["positions"].Int[i] || b["y"].Int[i] != id+1 || i > 0 && id%100 > 0 && b["segments"].Int[i-1] != b["segments"].Int[i] {
				t.Fatalf("epoch %d, token %d: id %d at position %d of segment %d", epoch, i, id, b["positions"].Int[i], b["segments"].Int[i])
			}
			seen[id/100]++
		}
		if !slices.Equal(seen, lengths) {
			t.Errorf("epoch %d: tokens of the examples: %v, want %v", epoch, seen, lengths)
		}
		if epoch == 0 {
			first = b["ids"].Int
		} else if slices.Equal(first, b["ids"].Int) {
			t.Error("two epochs have one order")
		}
	}
}

// TestPackSeek: from any position, also that of another seed, the same rows follow.
func TestPackSeek(t *testing.T) {
	var lengths []int32
	for i := range int32(40) {
		lengths = append(lengths, 1+i*7%23)
	}
	p := data.Pack(numbered(lengths...), 30)
	a := p.Train(1)
	next := func(s data.Source) data.Batch {
		b := data.NewBatch(s.Fields(), 3)
		if _, err := s.Next(b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	for range 15 {
		var pos data.Position
		text, err := json.Marshal(a.Position())
		if err == nil {
			err = json.Unmarshal(text, &pos)
		}
		if err != nil {
			t.Fatal(err)
		}
		c := p.Train(1)
		if err := c.Seek(pos); err != nil {
			t.Fatal(err)
		}
		if want, got := next(a), next(c); !reflect.DeepEqual(got, want) {
			t.Fatalf("from row %d: %v, want %v", pos.Next, got, want)
		}
	}
	if reflect.DeepEqual(next(p.Train(1)), next(p.Train(2))) {
		t.Error("two seeds have one order")
	}
	seed := uint64(2)
	for p.Train(seed).Len() != a.Len() { // else the position's mark of the data tells them apart
		seed++
	}
	other := p.Train(seed)
	if err := other.Seek(data.Position{Seed: 1, Examples: a.Len(), Next: 3}); err != nil {
		t.Fatal(err)
	}
	same := p.Train(1)
	next(same)
	if !reflect.DeepEqual(next(other), next(same)) {
		t.Error("the rows of another seed's position are not those of its seed")
	}
}

// TestPackRefuses has settings and examples that cannot be.
func TestPackRefuses(t *testing.T) {
	liar := numbered(3)
	liar.At = func(int, uint64) (data.Sequence, error) {
		return data.Sequence{IDs: make([]int32, 4), Y: make([]int32, 4)}, nil
	}
	short := numbered(3)
	short.At = func(int, uint64) (data.Sequence, error) {
		return data.Sequence{IDs: make([]int32, 3), Y: make([]int32, 1)}, nil
	}
	whole := numbered(3)
	whole.PerID = false
	for want, p := range map[string]*data.Packed{
		"rows of 0 tokens":               data.Pack(numbered(3), 0),
		"one for each id: false":         data.Pack(whole, 8),
		"example 0 has 4 ids and 4":      data.Pack(liar, 8),
		"example 0 has 3 ids and 1 targ": data.Pack(short, 8),
		"EOF":                            data.Pack(numbered(), 8),
	} {
		src := p.Train(1)
		b := data.NewBatch([]data.Field{}, 1)
		for _, f := range src.Fields() {
			b[f.Name] = data.Array{Shape: []int{1, 8}, Int: make([]int32, 8)}
		}
		if _, err := src.Next(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
