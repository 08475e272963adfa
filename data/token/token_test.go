package token

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

func char(t *testing.T, text string) *Char {
	t.Helper()
	c, err := NewChar([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEncode(t *testing.T) {
	corpus := char(t, "世b\na�b")
	for _, c := range []struct {
		name string
		t    Tokenizer
		text string
		ids  []int32
		err  string
	}{
		{"byte", Byte{}, "a\x00\xff", []int32{97, 0, 255}, ""},
		{"byte empty", Byte{}, "", []int32{}, ""},
		{"char sorted", corpus, "\nab世�", []int32{0, 1, 2, 3, 4}, ""},
		{"char unknown ascii", corpus, "abc", nil, `character 'c' at offset 2 is not among the 5`},
		{"char unknown", corpus, "世é", nil, `character 'é' at offset 3 is not among the 5`},
		{"char not UTF-8", corpus, "世\xff", nil, `byte 0xff at offset 3 is not UTF-8`},
	} {
		ids, err := c.t.Encode([]byte(c.text))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.err)
			}
			continue
		}
		if d := cmp.Diff(c.ids, ids); err != nil || d != "" {
			t.Errorf("%s: %v: %s", c.name, err, d)
		}
		if got := string(c.t.Decode(ids)); got != c.text {
			t.Errorf("%s: Decode = %q, want %q", c.name, got, c.text)
		}
	}
}

func TestDecodeOutside(t *testing.T) {
	for _, tok := range []Tokenizer{Byte{}, char(t, "ab")} {
		if got := string(tok.Decode([]int32{-1, int32(tok.Vocab())})); got != "��" {
			t.Errorf("%s: Decode of ids outside = %q", tok.Name(), got)
		}
	}
}

func TestNewCharErrors(t *testing.T) {
	_, err := NewChar([]byte("ab"), []byte("a\xc3"))
	var bad *UTF8Error
	if !errors.As(err, &bad) || bad.Offset != 1 || bad.Byte != 0xc3 {
		t.Errorf("NewChar: %v, want a UTF8Error of byte 0xc3 at offset 1", err)
	}
	if _, err := NewChar(nil); err == nil {
		t.Error("NewChar of no text: no error")
	}
}

func TestSaveLoad(t *testing.T) {
	for _, tok := range []Tokenizer{Byte{}, char(t, "<\"\\&\x00\n\u2028世�")} {
		dir := t.TempDir()
		if err := Save(dir, tok); err != nil {
			t.Fatal(err)
		}
		got, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tok, got, cmp.AllowUnexported(Char{})); d != "" {
			t.Errorf("%s: %s", tok.Name(), d)
		}
	}
	if _, err := Load(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of an empty folder: %v, want ErrNotExist", err)
	}
}

func TestReadErrors(t *testing.T) {
	for _, c := range []struct{ text, err string }{
		{``, "EOF"},
		{`{"kind":"bpe"}`, `kind "bpe"`},
		{`{"kind":"char"}`, "no characters"},
		{`{"kind":"char","chars":"ba"}`, "ascending"},
		{`{"kind":"char","chars":"aa"}`, "ascending"},
		{`{"kind":"byte","x":1}`, "unknown field"},
		{`{"kind":"byte"}{}`, "more data"},
	} {
		if _, err := Read(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("Read(%s): error %v, want %q", c.text, err, c.err)
		}
	}
}

func TestShakespeare(t *testing.T) {
	dir := os.Getenv("CETO_DATA")
	if dir == "" {
		t.Skip("CETO_DATA is not set")
	}
	text, err := os.ReadFile(filepath.Join(dir, "tinyshakespeare", "input.txt"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewChar(text)
	if err != nil {
		t.Fatal(err)
	}
	const vocab = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// Source: nanoGPT, data/shakespeare_char/prepare.py.
	if string(c.runes) != vocab {
		t.Errorf("vocabulary %q, want %q", string(c.runes), vocab)
	}
	ids, err := c.Encode(text)
	if err != nil || len(ids) != 1115394 {
		t.Errorf("%d ids, error %v, want 1115394", len(ids), err)
	}
	if !bytes.Equal(c.Decode(ids), text) {
		t.Error("Decode(Encode(text)) is not text")
	}
}

func FuzzTokenizer(f *testing.F) {
	for _, s := range []string{"", "a", "世界", "\xff\xfe", "a\xc3", "�", "\xed\xa0\x80", "\xf4\x90\x80\x80"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		toks := []Tokenizer{Byte{}}
		if c, err := NewChar(text); err == nil {
			toks = append(toks, c)
		}
		for _, tok := range toks {
			ids, err := tok.Encode(text)
			if err != nil {
				t.Fatalf("%s: %v", tok.Name(), err)
			}
			if got := tok.Decode(ids); !bytes.Equal(got, text) {
				t.Fatalf("%s: Decode(Encode(%q)) = %q", tok.Name(), text, got)
			}
		}
	})
}
