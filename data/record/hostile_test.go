package record

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// broken are files that Open refuses, and a part of what it says.
func broken() []brokenFile {
	many := strings.Repeat("a,", maxColumns)
	var keys strings.Builder
	for i := range maxColumns + 1 {
		keys.WriteString(`{"` + strings.Repeat("k", i) + `":1}` + "\n")
	}
	return []brokenFile{
		{"too many fields", "sms.csv", "a,b\n\"1\n2\",3\n1,2,3\n", Options{}, "sms.csv:4: 3 fields, the header has 2"},
		{"too few fields", "a.tsv", "a\tb\n1\n", Options{}, "a.tsv:2: 1 fields, the header has 2"},
		{"fields, no header", "a.tsv", "1\t2\n1\t2\t3\n", Options{Columns: []string{"a", "b"}}, "a.tsv:2: 3 fields, Columns has 2"},
		{"names for text", "a.txt", "1\n", Options{Columns: []string{"a", "b"}}, "a.txt:1: 1 fields, Columns has 2"},
		{"names for JSON", "a.json", "[]", Options{Columns: []string{"a"}}, "Columns is for files without names"},
		{"too many columns", "a.csv", many + "\n", Options{}, "a.csv:1: 4097 columns, at most 4096"},
		{"too many keys", "a.jsonl", keys.String(), Options{}, "a.jsonl:4097: key"},
		{"quote not closed", "a.csv", "a,b\n1,2\n3,\"4\n5,6\n", Options{}, "a.csv:3: a quoted field is not closed"},
		{"quote not closed behind text", "a.csv", "a,b\n5\" disk,2\n3,\"\"\"4\n", Options{}, "a.csv:3: a quoted field is not closed"},
		{"ragged by a quote", "a.csv", "a,b\n\"he said \"x, y\"\",2\n", Options{}, "a.csv:2: 3 fields, the header has 2"},
		{"ragged in a file of CR", "a.csv", "a,b\r1,2\r\r3\r", Options{}, "a.csv:4: 1 fields, the header has 2"},
		{"NUL", "a.csv", "a,b\n1,2\n3,\x00\n", Options{}, "a.csv:3: a NUL byte"},
		{"NUL in the header", "a.csv", "a,b\x00\n1,2\n", Options{}, "a.csv:1: a NUL byte"},
		{"NUL in quotes", "a.csv", "a\n\"1\n\x00\"\n", Options{}, "a.csv:2: in a quoted field: a NUL byte"},
		{"Latin-1", "a.txt", "ok\ncaf\xe9\n", Options{}, "a.txt:2: broken UTF-8"},
		{"Latin-1 in an array", "a.json", "[{\"a\":1},\n{\"a\":\"\xe9\"}]", Options{}, "a.json:2: broken UTF-8"},
		{"UTF-16", "a.csv", "\xff\xfea", Options{}, "a.csv: utf-16le ends in the middle of a character"},
		{"UTF-16 big-endian", "a.txt", "\xfe\xff\xd8\x00\x00a", Options{}, "a.txt: bytes 2 to 5 are no character of text in utf-16be"},
		{"long line", "a.txt", "1\n" + strings.Repeat("x", 101), Options{MaxRecord: 100}, "a.txt:2: a record of more than 100 bytes"},
		{"long quoted field", "a.csv", "a\n\"" + strings.Repeat("x\n", 60), Options{MaxRecord: 100}, "a.csv:2: in a quoted field: a record of more than 100 bytes"},
		{"long object", "a.json", "[{\"a\":\"" + strings.Repeat("x", 100) + "\"}]", Options{MaxRecord: 100}, "a.json:1: a record of more than 100 bytes"},
		{"gzip cut", "a.csv.gz", pack("a\n1\n")[:20], Options{}, "a.csv.gz: the gzip file is cut short"},
		{"gzip bomb", "a.csv.gz", pack(strings.Repeat("a\n", 1000)), Options{MaxUnpacked: 1999}, "a.csv.gz: the gzip file unpacks to more than 1999 bytes"},
		{"gzip checksum", "a.txt.gz", strings.Replace(pack("abc"), pack("abc")[len(pack("abc"))-8:], "01234567", 1), Options{}, "a.txt.gz: the gzip file is damaged: gzip: invalid checksum"},
		{"gzip in gzip", "a.txt.gz", pack(pack("abc")), Options{}, "a.txt.gz: gzip within a compressed file"},
		{"empty", "a.csv", "", Options{}, "a.csv: no records"},
		{"header alone", "a.csv", "a,b\n", Options{}, "a.csv: no records"},
		{"extension", "a.dat", "a,b\n", Options{}, `extension ".dat" tells no format, give one: csv, tsv, json or text`},
		{"format", "a.csv", "a,b\n", Options{Format: "xls"}, `format "xls", want csv, tsv, json or text`},
		{"comma", "a.csv", "a,b\n", Options{Comma: '"'}, "want an ASCII comma"},
		{"limit", "a.csv", "a,b\n", Options{MaxRecord: -1}, "positive limits"},
	}
}

// brokenJSON are those of JSON.
func brokenJSON() []brokenFile {
	return []brokenFile{
		{"JSON syntax", "a.jsonl", "{\"a\":1}\n{\"a\":}\n", Options{}, "a.jsonl:2: broken JSON, want an object a line or an array of objects: invalid character '}'"},
		{"two lists", "a.json", `{"data":[{"a":1}],"rows":[{"a":1},{"a":}]}`, Options{}, "a.json:1: broken JSON"},
		{"broken in a list", "a.json", "{\"data\":[{\"a\":1},\n{\"a\":2},{\"a\":}]}", Options{}, "a.json:2 (record 3): broken JSON"},
		{"broken first in a list", "a.json", "{\"data\":\n[{\"a\":}]}", Options{}, "a.json:2: broken JSON"},
		{"no object in a list", "a.json", `{"data":[{"a":1},"b"]}`, Options{}, `a.json:1 (record 2): '"' in an array of records`},
		{"broken around a list", "a.json", `{"data":[{"a":1}],}`, Options{}, "a.json:1: broken JSON"},
		{"object goes on in the next", "a.jsonl", "{\"a\":1}\n{\"a\":2,\n{\"a\":3}\n", Options{}, "a.jsonl:2: the object is not closed: invalid character '{'"},
		{"line end in a text", "a.jsonl", "{\"a\":1}\n{\"a\":\"2}\n{\"a\":\"3\"}\n", Options{}, "a.jsonl:2: broken JSON: a line ends within a text"},
		{"one bracket more", "a.jsonl", "{\"a\":1}}\n", Options{}, "a.jsonl:1 (record 2): a JSON value that is not an object but begins with '}'"},
		{"NaN for a key", "a.jsonl", "{NaN:1}\n", Options{}, "a.jsonl:1: broken JSON"},
		{"NaN in a word", "a.jsonl", "{\"a\":1NaN}\n", Options{}, "a.jsonl:1: broken JSON"},
		{"-NaN", "a.jsonl", "{\"a\":-NaN}\n", Options{}, "a.jsonl:1: broken JSON"},
		{"an infinite exponent", "a.jsonl", "{\"a\":1e-Infinity}\n", Options{}, "a.jsonl:1: broken JSON"},
		{"no object", "a.jsonl", "{\"a\":1}\n[1]\n", Options{}, "a.jsonl:2: a JSON value that is not an object"},
		{"deep list", "a.json", `{"data":[{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "}]}", Options{}, "a.json:1: broken JSON"},
		{"deep", "a.jsonl", `{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "}", Options{}, "a.jsonl:1: broken JSON"},
		{"array of texts", "a.json", "[\n\"a\"]", Options{}, `a.json:2: '"' in an array of records, want an object`},
		{"array, no comma", "a.json", "[{\"a\":1}\n{\"a\":2}]", Options{}, "a.json:2: '{' between the objects of an array, want a comma"},
		{"array, comma at the end", "a.json", "[{\"a\":1},\n]", Options{}, "a.json:2: ']' in an array of records"},
		{"array not closed", "a.json", "[{\"a\":1},\n{\"a\":2}\n", Options{}, "the array is not closed"},
		{"object not closed", "a.json", "[{\"a\":1},\n{\"a\":[2]", Options{}, "a.json:2: the object is not closed"},
		{"wrong brackets", "a.json", "[{\"a\":[1}]]", Options{}, "a.json:1: broken JSON"},
		{"text after an array", "a.json", "[{\"a\":1}]\n x", Options{}, "a.json:2: 'x' after the end of the array"},
	}
}

type brokenFile struct {
	name, file, text string
	o                Options
	want             string
}

func TestBroken(t *testing.T) {
	for _, c := range append(broken(), brokenJSON()...) {
		t.Run(c.name, func(t *testing.T) {
			r, err := Open(filepath.Join(write(t, c.file, c.text), c.file), c.o)
			if err == nil {
				r.Close()
				t.Fatalf("opened with %d records, want the error %q", r.Len(), c.want)
			}
			if got := err.Error(); !strings.Contains(got, c.want) || !strings.HasPrefix(got, "record: ") || strings.Contains(got, "\n") {
				t.Errorf("error %q, want %q", got, c.want)
			}
		})
	}
	for _, path := range []string{"", filepath.Join(t.TempDir(), "none.csv"), os.DevNull} {
		if r, err := Open(path, Options{Format: CSV}); err == nil {
			r.Close()
			t.Errorf("%q was opened", path)
		}
	}
}

// TestHuge opens files of 1 GiB (holes, mostly) that are one line, one field or one object. They are refused at the
// limit, with no more memory than it allows.
func TestHuge(t *testing.T) {
	for _, c := range []struct{ file, text string }{{"a.txt", "x"}, {"a.csv", "a\n\"x"}, {"a.jsonl", `{"a":"`}, {"a.json", `[{"a":"`}} {
		path := filepath.Join(write(t, c.file, c.text), c.file)
		if err := os.Truncate(path, 1<<30); err != nil {
			t.Skip(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := Open(path, Options{})
		runtime.ReadMemStats(&after)
		if err == nil {
			r.Close()
			t.Fatalf("%s was opened", c.file)
		}
		if !strings.Contains(err.Error(), "more than 16777216 bytes") {
			t.Errorf("%s: error %v", c.file, err)
		}
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(maxRecord*9/4); got > most {
			t.Errorf("%s: %d bytes allocated, at most %d", c.file, got, most)
		}
	}
}

// TestChanged reads records of files that were cut or overwritten after they were opened.
func TestChanged(t *testing.T) {
	for _, c := range []struct{ file, text, then string }{
		{"a.csv", "a,b\n1,2\n3,4\n", "a,b\n1,2\n"},
		{"a.csv", "a,b\n1,2\n3,4\n", "a,b\n1,2\n3\n"},
		{"a.csv", "a,b\n1,2\n3,4\n", "a,b\n1,2\n\"\n"},
		{"a.jsonl", "{\"b\":1}\n{\"b\":2}\n", "{\"b\":1}\n{\"b\":\n"},
		{"a.json", `[{"b":1},{"b":2}]`, `[{"b":1},{"b":2`},
		{"a.json", `[{"b":1},{"b":2}]`, `[{"b":1},"b"   ]`},
	} {
		path := filepath.Join(write(t, c.file, c.text), c.file)
		r, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := os.WriteFile(path, []byte(c.then), 0o600); err != nil {
			t.Fatal(err)
		}
		if v, err := r.Text(1, "b"); err == nil {
			t.Errorf("%s: %q of a file that became %q", c.file, v, c.then)
		}
	}
}

// parse reads records from memory.
func parse(text []byte, format Format) (*Records, error) {
	o, err := Options{}.complete()
	f := &file{path: "fuzz", src: bytes.NewReader(text), size: int64(len(text)), format: format, comma: ',', max: o.MaxRecord}
	r := &Records{number: map[string]int{}, files: []*file{f}, first: []int{0}}
	if err == nil {
		err = f.index(r, o)
	}
	r.n = f.starts.n
	return r, err
}
