package data

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/google/go-cmp/cmp"
)

// manyRunes are n different characters as text, none of which is a surrogate.
func manyRunes(n int) []byte {
	var text []byte
	for r := rune(' '); n > 0; r++ {
		if utf8.ValidRune(r) {
			text, n = utf8.AppendRune(text, r), n-1
		}
	}
	return text
}

// bare is a file of bare ids.
func bare[T uint16 | uint32](t *testing.T, ids ...T) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteTokens(&b, NanoGPT, ids); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func upTo[T uint16 | uint32](n int, f func(i int) T) (ids []T) {
	for i := range n {
		ids = append(ids, f(i))
	}
	return ids
}

// TestWideText: a text with 70,000 different characters has ids above 65,535, in windows as in memory.
func TestWideText(t *testing.T) {
	const n = 70000
	all := manyRunes(n)
	d := text(t, string(all), TextOptions{Context: 8, Val: 0.1})
	if d.Vocab() != n || d.train.wide == nil || d.val.max() != n-1 {
		t.Fatalf("vocab %d, ids up to %d of %d bytes each, want %d of 4", d.Vocab(), d.val.max(), TokenWidth(d.Vocab()), n)
	}
	s := d.Eval()
	b := NewBatch(s.Fields(), s.Len())
	if got, err := s.Next(b); got != s.Len() || err != nil {
		t.Fatal(got, err)
	}
	first := int32(n - d.val.len())
	for i, id := range b[field.IDs].Int {
		if id != first+int32(i) || b[field.Y].Int[i] != id+1 {
			t.Fatalf("id %d is %d before %d, want %d", i, id, b[field.Y].Int[i], first+int32(i))
		}
	}
	targets := len(b[field.Y].Int)
	held := string([]rune(string(all))[int(first)+1 : int(first)+1+targets])
	if got, want := d.BytesPerToken(), float64(len(held))/float64(targets); got != want {
		t.Errorf("%g bytes a token, want %g", got, want)
	}
}

// TestTokenWidth: 65,536 ids are the last that 2 bytes hold.
func TestTokenWidth(t *testing.T) {
	for vocab, want := range map[int]int{1: 2, 50257: 2, 65536: 2, 65537: 4, 128256: 4} {
		if got := TokenWidth(vocab); got != want {
			t.Errorf("vocabulary of %d: %d bytes, want %d", vocab, got, want)
		}
	}
	d := text(t, string(manyRunes(65536)), TextOptions{Context: 8})
	if d.train.short == nil || d.val.max() != 65535 {
		t.Errorf("65,536 ids do not take 2 bytes each: %d of 4", len(d.train.wide))
	}
	wantErr(t, "3 bytes", WriteWidth(&bytes.Buffer{}, 3), "want 2 or 4")
	_, err := OpenTokens("x", 8)
	wantErr(t, "8 bytes", err, "ids of 8 bytes")
	_, err = Text("x", TextOptions{Context: 8, Width: 3})
	wantErr(t, "option", err, "width 3")
}

// TestWideFiles: bare files of ids of 4 bytes say so, by a file beside them or an option. Parts and held-out tokens may
// have other widths. A wrong guess is an error.
func TestWideFiles(t *testing.T) {
	wide := bare(t, upTo(200, func(i int) uint32 { return uint32(60000 + 50*i) })...)
	short := bare(t, upTo(200, func(i int) uint16 { return uint16(60000 + i) })...)
	chars := bare(t, upTo(200, func(i int) uint16 { return uint16(20 + i%40) })...)
	wideChars := bare(t, upTo(200, func(i int) uint32 { return uint32(20 + i%40) })...)
	says4, says2 := map[string]string{WidthFile: `{"dtype": "uint32"}`}, map[string]string{WidthFile: `{"dtype": "uint16", "by": "me"}`}
	big, err := token.NewChar(manyRunes(70000))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		train, val string
		also       map[string]string
		o          TextOptions
		vocab      int
		first      []uint32 // of training
		err        string
	}{
		{wide, wide, says4, TextOptions{}, 69951, []uint32{60000, 60050}, ""},
		{wide, wide, nil, TextOptions{Width: 4, Vocab: 128256}, 128256, []uint32{60000, 60050}, ""},
		{wide, wide, says4, TextOptions{Tokenizer: big}, 70000, []uint32{60000, 60050}, ""},
		{wide, llmc([]uint32{20240520, 1, 20}, make([]uint16, 20)...), says4, TextOptions{}, 69951, []uint32{60000, 60050}, ""},
		{short, short, nil, TextOptions{}, 60200, []uint32{60000, 60001}, ""},
		{short, short, says2, TextOptions{Tokenizer: big}, 70000, []uint32{60000, 60001}, ""},
		{wideChars, wideChars, says4, TextOptions{}, 60, []uint32{20, 21}, ""},

		{wide, wide, nil, TextOptions{}, 0, nil, `look like uint32 read as uint16; say what they are in tokens.json`},
		{wideChars, wideChars, nil, TextOptions{}, 0, nil, "look like uint32 read as uint16"},
		{wide, wide, says4, TextOptions{Vocab: 65000}, 0, nil, "token 65000 at place 100 of ids read as uint32, but the vocabulary has 65000"},
		{short, short, nil, TextOptions{Tokenizer: big}, 0, nil, "the vocabulary has 70000 ids, more than uint16 holds"},
		{short, short, nil, TextOptions{Vocab: 128256}, 0, nil, `{"dtype": "uint32"} or {"dtype": "uint16"}`},
		{short, short, says4, TextOptions{Tokenizer: big}, 0, nil, "at place 0 of ids read as uint32, but the vocabulary has 70000"},
		{short, short, says4, TextOptions{}, 0, nil, "read as uint32, is too large to tell the vocabulary; want ids below 1048576"},
		{chars, chars, nil, TextOptions{Width: 4}, 0, nil, "read as uint32, is too large to tell the vocabulary"},
		{wide[:798], wide, says4, TextOptions{}, 0, nil, "798 bytes are no whole number of uint32 tokens"},
		{wide, wide, map[string]string{WidthFile: `{"dtype": "int64"}`}, TextOptions{}, 0, nil, `tokens.json: dtype "int64", want uint16 or uint32`},
		{wide, wide, map[string]string{WidthFile: `{`}, TextOptions{}, 0, nil, "tokens.json: unexpected end"},
	} {
		files := map[string]string{"train.bin": c.train, "val.bin": c.val}
		maps.Copy(files, c.also)
		c.o.Context = 4
		d, err := TokenFiles(write(t, files), c.o)
		name := fmt.Sprintf("case %d", i)
		if c.err != "" {
			wantErr(t, name, err, c.err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := d.train.widened()[:2]; !slices.Equal(got, c.first) || d.Vocab() != c.vocab {
			t.Errorf("%s: ids %v of %d, want %v of %d", name, got, d.Vocab(), c.first, c.vocab)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestWideParts: parts of two widths, which a list puts together, are joined in the larger.
func TestWideParts(t *testing.T) {
	var b bytes.Buffer
	if err := WriteTokens(&b, LLMC, []uint32{70000, 1, 2}); err != nil {
		t.Fatal(err)
	}
	dir := write(t, map[string]string{"train_000000.bin": bare(t, uint16(7), 8), "train_000001.bin": b.String(), "val.bin": bare(t, uint16(1), 2, 3),
		CorpusFile: `{"train": [{"name": "train_000000.bin"}, {"name": "train_000001.bin"}], "val": [{"name": "val.bin"}]}`})
	d, err := Open(dir, TextOptions{Context: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	want := tokens{wide: []uint32{7, 8, 70000, 1, 2}}
	if diff := cmp.Diff(want, d.train, cmp.AllowUnexported(tokens{})); diff != "" || d.Vocab() != 70001 {
		t.Errorf("vocab %d: %s", d.Vocab(), diff)
	}
}
