package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/token"
)

// manyRunes are n different characters, none of which is a surrogate, in ascending order.
func manyRunes(n int) (runes []rune) {
	for r := rune(0x4e00); len(runes) < n; r++ {
		if utf8.ValidRune(r) {
			runes = append(runes, r)
		}
	}
	return runes
}

// TestCorpusWidth: ids take 4 bytes where the tokenizer has more than 65,536, and a file beside files without a header
// says so. A corpus of a smaller tokenizer in the same folder has 2 bytes again and no such file.
func TestCorpusWidth(t *testing.T) {
	dir := t.TempDir()
	runes := manyRunes(70000)
	in := filepath.Join(dir, "text.txt")
	if err := os.WriteFile(in, []byte(strings.Repeat(string(runes[69000:]), 2)), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		format string
		vocab  int
		head   []uint32 // first words of train.bin
		says   string   // in tokens.json; "" if it is not there
	}{
		{"nanogpt", 70000, []uint32{69000, 69001}, "{\"dtype\": \"uint32\"}\n"},
		{"llm.c", 70000, []uint32{20240801, 7, 1600, 0}, ""},
		{"nanogpt", 70000, []uint32{69000, 69001}, "{\"dtype\": \"uint32\"}\n"},
		{"nanogpt", 1000, []uint32{0 | 1<<16, 2 | 3<<16}, ""},
		{"llm.c", 1000, []uint32{20240520, 1, 1600, 0}, ""},
	} {
		own, err := token.NewChar([]byte(string(runes[70000-c.vocab:])))
		if err != nil {
			t.Fatal(err)
		}
		if err := token.Save(dir, own); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, "out")
		cmd := corpusCmd(&global{Threads: 1})
		cmd.SetOut(&strings.Builder{})
		cmd.SetArgs([]string{in, "--tokenizer", filepath.Join(dir, token.FileName), "--out", out, "--format", c.format, "--val", "0.2"})
		if err := cmd.Execute(); err != nil {
			t.Fatalf("%s of %d: %v", c.format, c.vocab, err)
		}
		b, err := os.ReadFile(filepath.Join(out, "train.bin"))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.head {
			if got := binary.LittleEndian.Uint32(b[4*i:]); got != want {
				t.Errorf("%s of %d: word %d is %d, want %d", c.format, c.vocab, i, got, want)
			}
		}
		says, _ := os.ReadFile(filepath.Join(out, data.WidthFile))
		if string(says) != c.says {
			t.Errorf("%s of %d: %s has %q, want %q", c.format, c.vocab, data.WidthFile, says, c.says)
		}
		d, err := data.Open(out, data.TextOptions{Context: 16})
		if err != nil {
			t.Fatalf("%s of %d: %v", c.format, c.vocab, err)
		}
		if train, val := d.Tokens(); train != 1600 || val != 400 || d.Vocab() != c.vocab {
			t.Errorf("%s of %d: %d and %d tokens of %d", c.format, c.vocab, train, val, d.Vocab())
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}
