package data

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// npyFile is an array of NumPy.
func npyFile(descr, shape, body string) string {
	h := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape)
	h += strings.Repeat(" ", 117-len(h)) + "\n"
	return npyMagic + "\x01\x00\x76\x00" + h + body
}

// ids are n ids of 2 bytes that are no text.
func bareIDs(n int) string { return strings.Repeat("\x01\x00", n) }

// TestCorpora reads folders of token files: what a list names and nothing else, or what the names tell.
func TestCorpora(t *testing.T) {
	header := func(n int) string { return llmc([]uint32{20240520, 1, uint32(n)}, make([]uint16, n)...) }
	list := func(train, val string) string { return fmt.Sprintf(`{"train": [%s], "val": [%s]}`, train, val) }
	for _, c := range []struct {
		name       string
		files      map[string]string
		train, val int
		err        string
	}{
		{"nanoGPT", map[string]string{"train.bin": bareIDs(9), "val.bin": bareIDs(4)}, 9, 4, ""},
		{"llm.c", map[string]string{"fineweb_train_000001.bin": header(5), "fineweb_train_000002.bin": header(7), "fineweb_val_000000.bin": header(3)}, 12, 3, ""},
		{"NumPy", map[string]string{"edufineweb_train_000001.npy": npyFile("<u2", "(5,)", bareIDs(5)), "edufineweb_val_000000.npy": npyFile("<u2", "(3,)", bareIDs(3))}, 5, 3, ""},
		{"NumPy of int32", map[string]string{"train.npy": npyFile("<i4", "(3,)", "\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00"), "val.npy": npyFile("<u4", "(2,)", "\x01\x00\x00\x00\x02\x00\x00\x00")}, 3, 2, ""},
		{"parts", map[string]string{"train_000000.bin": bareIDs(5), "train_000001.bin": bareIDs(5), "train_000002.bin": bareIDs(2), "val.bin": bareIDs(3)}, 12, 3, ""},
		{"parts of any sizes", map[string]string{"x_train_1.bin": bareIDs(5), "x_train_2.bin": bareIDs(9), "val.bin": bareIDs(3)}, 14, 3, ""},
		{"several held out", map[string]string{"train.bin": bareIDs(5), "val_8.bin": bareIDs(3), "val_9.bin": bareIDs(4)}, 5, 7, ""},
		{"listed", map[string]string{"train_000000.bin": bareIDs(5), "train_000001.bin": bareIDs(5), "val.bin": bareIDs(3),
			CorpusFile: list(`{"name": "train_000000.bin", "tokens": 5}`, `{"name": "val.bin", "tokens": 3}`)}, 5, 3, ""},

		{"stale, a gap", map[string]string{"train_000000.bin": bareIDs(5), "train_000002.bin": bareIDs(5), "val.bin": bareIDs(3)}, 0, 0, "train_000002.bin follows train_000000.bin"},
		{"stale, another format", map[string]string{"train_000000.bin": bareIDs(5), "train_000001.bin": header(5), "val.bin": bareIDs(3)}, 0, 0, "another format or width of ids"},
		{"stale, a short one between", map[string]string{"train_000000.bin": bareIDs(5), "train_000001.bin": bareIDs(4), "train_000002.bin": bareIDs(5), "val.bin": bareIDs(3)}, 0, 0, "train_000001.bin in "},
		{"stale, a longer one", map[string]string{"train_000000.bin": bareIDs(5), "train_000001.bin": bareIDs(6), "val.bin": bareIDs(3)}, 0, 0, "another size than train_000000.bin"},
		{"whole and parts", map[string]string{"train.bin": bareIDs(5), "train_000000.bin": bareIDs(5), "val.bin": bareIDs(3)}, 0, 0, "files of two corpora in one folder"},
		{"two names", map[string]string{"a_train_000000.bin": bareIDs(5), "b_train_000001.bin": bareIDs(5), "val.bin": bareIDs(3)}, 0, 0, "files of two corpora"},
		{"two held out", map[string]string{"train.bin": bareIDs(5), "val.bin": bareIDs(3), "val_000000.bin": bareIDs(3)}, 0, 0, "files of two corpora"},
		{"listed, one is missing", map[string]string{"train_000000.bin": bareIDs(5), "val.bin": bareIDs(3), CorpusFile: list(`{"name": "train_000001.bin"}`, `{"name": "val.bin"}`)}, 0, 0, "train_000001.bin: no such file"},
		{"listed, another number", map[string]string{"train.bin": bareIDs(5), "val.bin": bareIDs(3), CorpusFile: list(`{"name": "train.bin", "tokens": 6}`, `{"name": "val.bin"}`)}, 0, 0, "has 5 ids, but corpus.json says 6"},
		{"a list of nothing", map[string]string{"train.bin": bareIDs(5), "val.bin": bareIDs(3), CorpusFile: "{}"}, 0, 0, "corpus.json: want the names of files"},
		{"a list of another folder", map[string]string{"train.bin": bareIDs(5), CorpusFile: list(`{"name": "../train.bin"}`, `{"name": "val.bin"}`)}, 0, 0, "want a name in the folder"},
		{"a broken list", map[string]string{"train.bin": bareIDs(5), "val.bin": bareIDs(3), CorpusFile: "{"}, 0, 0, "corpus.json: unexpected end"},
		{"text for ids", map[string]string{"train.bin": strings.Repeat("this is a line of text\n", 9), "val.bin": bareIDs(3)}, 0, 0, "text, want token ids"},
		{"gzip for ids", map[string]string{"train.bin": "\x1f\x8b\x08\x00xxxxxx", "val.bin": bareIDs(3)}, 0, 0, "a gzip file, want token ids; unpack it first: gunzip "},
		{"ZIP for ids", map[string]string{"train.bin": "PK\x03\x04xxxxxx", "val.bin": bareIDs(3)}, 0, 0, "a ZIP archive"},
		{"NumPy of floats", map[string]string{"train.npy": npyFile("<f4", "(1,)", "xxxx"), "val.npy": npyFile("<f4", "(1,)", "xxxx")}, 0, 0, "a NumPy array of '<f4'; want ids"},
		{"NumPy of two axes", map[string]string{"train.npy": npyFile("<u2", "(2, 2)", bareIDs(4)), "val.npy": npyFile("<u2", "(1,)", bareIDs(1))}, 0, 0, "a NumPy array of shape (2, 2); want one axis"},
		{"NumPy cut", map[string]string{"train.npy": npyFile("<u2", "(5,)", bareIDs(4)), "val.npy": npyFile("<u2", "(1,)", bareIDs(1))}, 0, 0, "5 ids but 8 bytes"},
		{"NumPy, header cut", map[string]string{"train.npy": npyMagic + "\x01\x00\xff\xff{}  ", "val.npy": npyFile("<u2", "(1,)", bareIDs(1))}, 0, 0, "cut short"},
	} {
		d, err := Open(write(t, c.files), TextOptions{Context: 1})
		if c.err != "" {
			wantErr(t, c.name, err, c.err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if train, val := d.Tokens(); train != c.train || val != c.val {
			t.Errorf("%s: %d and %d tokens, want %d and %d", c.name, train, val, c.train, c.val)
		}
		d.Close()
	}
}

// TestWriteCorpus: what is written is read.
func TestWriteCorpus(t *testing.T) {
	dir := write(t, map[string]string{"a": bareIDs(7), "b": bareIDs(2)})
	var b bytes.Buffer
	if err := WriteCorpus(&b, Corpus{Train: []CorpusPart{{"a", 7}}, Val: []CorpusPart{{"b", 2}}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, CorpusFile), b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir, TextOptions{Context: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if train, val := d.Tokens(); train != 7 || val != 2 {
		t.Errorf("%d and %d tokens, want 7 and 2", train, val)
	}
	wantErr(t, "full", WriteCorpus(full{}, Corpus{}), "no room")
}
