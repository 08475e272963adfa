package data

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/google/go-cmp/cmp"
)

// write makes files below a new folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func text(t *testing.T, s string, o TextOptions) *TextData {
	t.Helper()
	d, err := Text(filepath.Join(write(t, map[string]string{"a.txt": s}), "a.txt"), o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDocuments: each file a text, in the order of Texts, through a linked folder too.
func TestDocuments(t *testing.T) {
	dir := write(t, map[string]string{"b/2.txt": "two", "b/1.txt": "one", "a.txt": "zero"})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(dir, "b"), link); err != nil {
		t.Skipf("no links here: %v", err)
	}
	got, err := Documents([]string{filepath.Join(dir, "a.txt"), link}, TextOptions{})
	if want := [][]byte{[]byte("zero"), []byte("one"), []byte("two")}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	_, err = Documents([]string{filepath.Join(dir, "none")}, TextOptions{})
	wantErr(t, "nothing", err, "no such file")
}

func TestTextVal(t *testing.T) {
	d := text(t, "0123456789abcdefghij", TextOptions{Context: 3, Val: 0.6})
	// Held out is 89abcdefghij: 3 windows, and j is only a target.
	if a, b := d.Tokens(); a != 8 || b != 12 {
		t.Fatalf("%d and %d tokens, want 8 and 12", a, b)
	}
	s := d.Val().Eval()
	if s.Len() != 3 {
		t.Fatalf("%d windows, want 3", s.Len())
	}
	var got []string
	b := NewBatch(s.Fields(), 2)
	for {
		n, err := s.Next(b)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%d %s %s", n, d.Tokenizer().Decode(b["ids"].Int), d.Tokenizer().Decode(b["y"].Int)))
	}
	if d := cmp.Diff([]string{"2 89abcd 9abcde", "1 efg000 fgh000"}, got); d != "" {
		t.Error(d)
	}
}

func TestTextTrain(t *testing.T) {
	d := text(t, "0123456789", TextOptions{Context: 3, Val: 0.4, Kind: "byte"}) // train: 012345
	s := d.Train(1)
	if s.Len() != 1 || d.Vocab() != 256 {
		t.Errorf("Len %d, Vocab %d, want 1 and 256", s.Len(), d.Vocab())
	}
	seen := map[string]int{}
	b := NewBatch(s.Fields(), 300)
	if _, err := s.Next(b); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		x, y := d.tok.Decode(b["ids"].Int[3*i:3*i+3]), d.tok.Decode(b["y"].Int[3*i:3*i+3])
		seen[string(x)+" "+string(y)]++
	}
	for _, w := range []string{"012 123", "123 234", "234 345"} { // uniform: 100 each, deviation 8.2
		if seen[w] < 70 || seen[w] > 130 || len(seen) != 3 {
			t.Errorf("windows %v", seen)
		}
	}
}

func TestTextErrors(t *testing.T) {
	dir := write(t, map[string]string{"empty": "", "short": "0123456789", "bad": "abc\xffdef", "d/ok": "0123456789", "d/bad": "é\xe4"})
	abc, err := token.NewChar([]byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		o    TextOptions
		err  string
	}{
		{"missing", TextOptions{Context: 4}, "missing: no such file"},
		{"empty", TextOptions{Context: 4}, "empty: no text"},
		{"short", TextOptions{Context: 0}, "context 0"},
		{"short", TextOptions{Context: 4, Val: 1}, "val 1,"},
		{"short", TextOptions{Context: 4, Val: math.NaN()}, "val NaN"},
		{"short", TextOptions{Context: 4, Kind: "bpe"}, `tokenizer "bpe"`},
		{"short", TextOptions{Context: 9, Val: 0.4}, "6 tokens to train on, want at least 10 for a context of 9"},
		{"short", TextOptions{Context: 4, Val: 0.4}, "4 tokens held out, want at least 5 for a context of 4"},
		{"bad", TextOptions{Context: 1}, "bad: line 1, byte 3 of the text: broken UTF-8 (byte 0xff); it may be --encoding windows-1252"},
		{"bad", TextOptions{Context: 1, Encoding: "binary"}, "bad: token: char: byte 0xff at offset 3 is not UTF-8"},
		{"bad", TextOptions{Context: 1, Encoding: "utf-9"}, `encoding "utf-9" is not known`},
		{"d", TextOptions{Context: 1}, "bad: line 1, byte 2 of the text: broken UTF-8 (byte 0xe4)"},
		{"d", TextOptions{Context: 1, Ext: []string{".go"}}, "no files that fit"},
		{"short", TextOptions{Context: 1, Tokenizer: abc}, "character '0' at offset 0"},
	} {
		d, err := Text(filepath.Join(dir, c.path), c.o)
		wantErr(t, fmt.Sprintf("%s %+v", c.path, c.o), err, c.err)
		if d != nil {
			t.Errorf("%s: data beside an error", c.path)
		}
	}
}

func TestTextFolder(t *testing.T) {
	dir := write(t, map[string]string{"b.txt": "BBBB", "a/z.txt": "aé", "a.txt": "AA", "c.md": "CC", "skip/d.txt": "DD"})
	if err := os.Symlink(dir, dir+".link"); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir + ".link")
	keep := func(p string) bool { return !strings.HasPrefix(p, "skip/") }
	for _, c := range []struct {
		path string
		o    TextOptions
		text string
	}{
		{dir, TextOptions{}, "AAaéBBBBCCDD"},
		{dir + ".link", TextOptions{}, "AAaéBBBBCCDD"},
		{dir, TextOptions{Ext: []string{".txt"}, Keep: keep}, "AAaéBBBB"},
		{dir, TextOptions{MaxBytes: 7}, "AAaéBB"},
		{dir, TextOptions{MaxBytes: 4}, "AAa"}, // é is two bytes
		{dir, TextOptions{MaxBytes: 100}, "AAaéBBBBCCDD"},
	} {
		c.o.Context, c.o.Val = 1, -1
		d, err := Text(c.path, c.o)
		if err != nil {
			t.Errorf("%s %+v: %v", c.path, c.o, err)
			continue
		}
		if got := string(d.tok.Decode(d.train.appendTo(nil))); got != c.text {
			t.Errorf("%s %+v: text %q, want %q", c.path, c.o, got, c.text)
		}
	}
	d, err := Texts([]string{filepath.Join(dir, "c.md"), filepath.Join(dir, "a")}, TextOptions{Context: 1, Val: -1})
	if err != nil || d.train.len() != 4 {
		t.Errorf("Texts: %v, want 4 tokens", err)
	}
}

func TestBytesPerToken(t *testing.T) {
	for _, c := range []struct {
		name, text string
		o          TextOptions
		want       float64
	}{
		{"byte", "aaaaaéééé", TextOptions{Context: 2, Kind: "byte", Val: 0.5}, 1},
		{"char", "aaaaaaéé世a", TextOptions{Context: 2, Val: 0.5}, 8.0 / 4},     // held out: a, targets éé世a
		{"windows", "aaaaaaaaéa世", TextOptions{Context: 3, Val: 0.5}, 4.0 / 3}, // held out: aaaéa世, targets aaé
		{"none", "aaaa", TextOptions{Context: 2, Val: -1}, 0},
	} {
		if got := text(t, c.text, c.o).BytesPerToken(); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
}

// TestGoSource: the default run's text, part of the Go standard library.
func TestGoSource(t *testing.T) {
	src := filepath.Join(runtime.GOROOT(), "src")
	if _, err := os.Stat(src); err != nil {
		t.Skip("no GOROOT/src: ", err)
	}
	var kept []string
	o := TextOptions{Context: 128, Kind: "byte", Ext: []string{".go"}, MaxBytes: 1 << 20, Keep: func(p string) bool {
		ok := !strings.HasSuffix(p, "_test.go") && !strings.Contains(p, "testdata/")
		if ok {
			kept = append(kept, p)
		}
		return ok
	}}
	d, err := Text(src, o)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := d.Tokens(); a+b != 1<<20 || len(kept) < 1000 {
		t.Errorf("%d + %d tokens of %d files, want 2²⁰ of 1000 or more", a, b, len(kept))
	}
}

func TestShakespeare(t *testing.T) {
	dir := os.Getenv("CETO_DATA")
	if dir == "" {
		t.Skip("CETO_DATA is not set")
	}
	d, err := Text(filepath.Join(dir, "tinyshakespeare", "input.txt"), TextOptions{Context: 64})
	if err != nil {
		t.Fatal(err)
	}
	a, b := d.Tokens()
	if d.Vocab() != 65 || a != 1003854 || b != 111540 { // nanoGPT, data/shakespeare_char/prepare.py
		t.Errorf("vocab %d, %d and %d tokens, want 65, 1003854 and 111540", d.Vocab(), a, b)
	}
	if n := d.Eval().Len(); n != 1742 || d.BytesPerToken() != 1 {
		t.Errorf("%d windows, %g bytes per token, want 1742 and 1", n, d.BytesPerToken())
	}
}
