package data

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/google/go-cmp/cmp"
)

// llmc returns an llm.c file with the given header words.
func llmc(words []uint32, tokens ...uint16) string {
	h := make([]byte, llmcHeader)
	for i, w := range words {
		binary.LittleEndian.PutUint32(h[4*i:], w)
	}
	for _, t := range tokens {
		h = binary.LittleEndian.AppendUint16(h, t)
	}
	return string(h)
}

func TestTokenFormats(t *testing.T) {
	ids, wide := []uint16{1, 50256, 0, 65535}, []uint32{1, 70000, 0, 128255}
	bare := "\x01\x00\x00\x00\x70\x11\x01\x00\x00\x00\x00\x00\xff\xf4\x01\x00"
	for _, c := range []struct {
		name  string
		write func(w io.Writer, f Format) error
		f     Format
		want  string
		width int
		also  map[string]string // files beside it
		ids   tokens
	}{
		{"nanogpt", writer(ids), NanoGPT, "\x01\x00\x50\xc4\x00\x00\xff\xff", 0, nil, tokens{short: ids}},
		{"llmc", writer(ids), LLMC, llmc([]uint32{20240520, 1, 4}, ids...), 0, nil, tokens{short: ids}},
		{"llmc uint32", writer(wide), LLMC, llmc([]uint32{20240801, 7, 4}) + bare, 0, nil, tokens{wide: wide}},
		{"llmc says its width", writer(wide), LLMC, llmc([]uint32{20240801, 7, 4}) + bare, 2, nil, tokens{wide: wide}},
		{"bare uint32, by option", writer(wide), NanoGPT, bare, 4, nil, tokens{wide: wide}},
		{"bare uint32, by file", writer(wide), NanoGPT, bare, 0, map[string]string{WidthFile: `{"dtype": "uint32"}`}, tokens{wide: wide}},
		{"the option comes first", writer(ids), NanoGPT, "\x01\x00\x50\xc4\x00\x00\xff\xff", 2, map[string]string{WidthFile: `{"dtype": "uint32"}`}, tokens{short: ids}},
	} {
		var b bytes.Buffer
		if err := c.write(&b, c.f); err != nil || b.String() != c.want {
			t.Fatalf("%s: wrote %x, %v, want %x", c.name, b.Bytes(), err, c.want)
		}
		dir := write(t, c.also)
		p := filepath.Join(dir, "a.bin")
		if err := os.WriteFile(p, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := OpenTokens(p, c.width)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if d := cmp.Diff(c.ids, f.tokens(), cmp.AllowUnexported(tokens{})); d != "" || f.Format != c.f {
			t.Errorf("%s: read format %d: %s", c.name, f.Format, d)
		}
		for range 2 {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// writer is WriteTokens of ids.
func writer[T uint16 | uint32](ids []T) func(w io.Writer, f Format) error {
	return func(w io.Writer, f Format) error { return WriteTokens(w, f, ids) }
}

func TestTokenErrors(t *testing.T) {
	for _, c := range []struct{ name, content, err string }{
		{"empty", "", "0 bytes"},
		{"odd", "abc", "3 bytes are no whole number"},
		{"header", llmc([]uint32{20240520, 1, 0})[:512], "header of 512 bytes"},
		{"version", llmc([]uint32{20240520, 7, 1}, 1), "version 7"},
		{"short", llmc([]uint32{20240520, 1, 3}, 1, 2), "says 3 tokens but 4 bytes follow, 2 each"},
		{"long", llmc([]uint32{20240520, 1, 1}, 1, 2), "says 1 tokens but 4 bytes follow, 2 each"},
		{"negative", llmc([]uint32{20240520, 1, 1 << 31}), "says -2147483648"},
		{"version of uint32", llmc([]uint32{20240801, 1, 1}, 1, 1), "version 1, want 7 (uint32"},
		{"half of an id", llmc([]uint32{20240801, 7, 1}, 1), "says 1 tokens but 2 bytes follow"},
	} {
		f, err := OpenTokens(filepath.Join(write(t, map[string]string{"a.bin": c.content}), "a.bin"), 0)
		wantErr(t, c.name, err, c.err)
		if f != nil {
			t.Errorf("%s: a file beside an error", c.name)
		}
	}
	_, err := OpenTokens(t.TempDir(), 0)
	wantErr(t, "folder", err, "want a file")
	_, err = OpenTokens(filepath.Join(t.TempDir(), "no"), 0)
	wantErr(t, "missing", err, "no such file")
	wantErr(t, "format", WriteTokens[uint16](&bytes.Buffer{}, 9, nil), "format 9")
	wantErr(t, "ambiguous", WriteTokens(&bytes.Buffer{}, NanoGPT, []uint16{20240520 & 0xffff, 20240520 >> 16}), "llm.c's header")
	wantErr(t, "ambiguous uint32", WriteTokens(&bytes.Buffer{}, NanoGPT, []uint16{20240801 & 0xffff, 20240801 >> 16}), "llm.c's header")
	wantErr(t, "ambiguous id", WriteTokens(&bytes.Buffer{}, NanoGPT, []uint32{20240801}), "llm.c's header")
	wantErr(t, "full", WriteTokens(full{}, NanoGPT, []uint16{1}), "no room")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("no room") }

func TestTokenFiles(t *testing.T) {
	train, val := llmc([]uint32{20240520, 1, 5}, 0, 1, 2, 3, 4), "\x05\x00\x06\x00\x07\x00"
	dir := write(t, map[string]string{"train.bin": train, "val.bin": val, "one/train.bin": train,
		"parts/train_000000.bin": "\x00\x00\x01\x00", "parts/train_000001.bin": train, "parts/val.bin": val,
		"parts/corpus.json": `{"train": [{"name": "train_000000.bin"}, {"name": "train_000001.bin"}], "val": [{"name": "val.bin"}]}`})
	for _, c := range []struct {
		path       string
		o          TextOptions
		train, val []uint16
		vocab      int
		err        string
	}{
		{"", TextOptions{Context: 2}, []uint16{0, 1, 2, 3, 4}, []uint16{5, 6, 7}, 8, ""},
		{"", TextOptions{Context: 2, Tokenizer: token.Byte{}}, []uint16{0, 1, 2, 3, 4}, []uint16{5, 6, 7}, 256, ""},
		{"", TextOptions{Context: 2, Vocab: 50257}, []uint16{0, 1, 2, 3, 4}, []uint16{5, 6, 7}, 50257, ""},
		{"train.bin", TextOptions{Context: 1, Val: 0.4}, []uint16{0, 1, 2}, []uint16{3, 4}, 5, ""},
		{"parts", TextOptions{Context: 2}, []uint16{0, 1, 0, 1, 2, 3, 4}, []uint16{5, 6, 7}, 8, ""},
		{"", TextOptions{Context: 3}, nil, nil, 0, "3 tokens held out, want at least 4"},
		{"", TextOptions{Context: 5}, nil, nil, 0, "5 tokens to train on, want at least 6"},
		{"train.bin", TextOptions{Context: 1}, nil, nil, 0, "1 tokens held out"},
		{"one", TextOptions{Context: 1}, nil, nil, 0, "val.bin: no such file"},
		{"none.bin", TextOptions{Context: 1}, nil, nil, 0, "no such file"},
	} {
		name := fmt.Sprintf("%q %+v", c.path, c.o)
		d, err := Open(filepath.Join(dir, c.path), c.o)
		if c.err != "" {
			wantErr(t, name, err, c.err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff([][]uint16{c.train, c.val}, [][]uint16{d.train.short, d.val.short}); diff != "" || d.Vocab() != c.vocab {
			t.Errorf("%s: vocab %d, want %d: %s", name, d.Vocab(), c.vocab, diff)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTokenFilesTokenizer(t *testing.T) {
	dir := write(t, map[string]string{"train.bin": "\x00\x00\x01\x00\x02\x00", "val.bin": "\x00\x00\x01\x00"})
	c, err := token.NewChar([]byte("aé"))
	if err != nil {
		t.Fatal(err)
	}
	if err := token.Save(dir, c); err != nil {
		t.Fatal(err)
	}
	d, err := TokenFiles(dir, TextOptions{Context: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Vocab() != 2 || d.BytesPerToken() != 2 {
		t.Errorf("vocab %d, %g bytes per token, want 2 and 2", d.Vocab(), d.BytesPerToken())
	}
	_, err = d.Train(1).Next(NewBatch(d.Train(1).Fields(), 99)) // reaches id 2 but for a chance of 2⁻⁹⁹
	wantErr(t, "id", err, "token 2 at place 2, but the vocabulary has 2")
	if err := os.WriteFile(filepath.Join(dir, token.FileName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = TokenFiles(dir, TextOptions{Context: 1})
	wantErr(t, "broken tokenizer", err, token.FileName)
}

// TestShakespeareBin: the files that nanoGPT's prepare.py makes, byte for byte.
func TestShakespeareBin(t *testing.T) {
	dir := os.Getenv("CETO_DATA")
	if dir == "" {
		t.Skip("CETO_DATA is not set")
	}
	d, err := Text(filepath.Join(dir, "tinyshakespeare", "input.txt"), TextOptions{Context: 64})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		ids  []uint16
		sum  string
	}{
		{"train.bin", d.train.short, "6ec305602a99ac2802745a134e1f5e33e2231b4855525b00b9aebb730ac2626f"},
		{"val.bin", d.val.short, "d37d30cc0c8327c270d493299c3dca54135f6d5f1c9ef60cda78076e311204b1"},
	} {
		h := sha256.New()
		if err := WriteTokens(h, NanoGPT, c.ids); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)); !strings.EqualFold(got, c.sum) {
			t.Errorf("%s: sha256 %s, want %s", c.name, got, c.sum)
		}
	}
}
