package record

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
		{"column twice", "a.csv", "a,b, a\n1,2,3\n", Options{}, `a.csv:1: two columns are called "a"`},
		{"too many columns", "a.csv", many + "\n", Options{}, "a.csv:1: 4097 columns, at most 4096"},
		{"too many keys", "a.jsonl", keys.String(), Options{}, "a.jsonl:4097: key"},
		{"quote not closed", "a.csv", "a,b\n1,2\n3,\"4\n5,6\n", Options{}, "a.csv:3: a quoted field is not closed"},
		{"quote in a field", "a.csv", "a,b\n5\" disk,2\n3,4\n", Options{}, `a.csv:2: a quote (") in a field that`},
		{"text after a quote", "a.csv", "a,b\n\"x\" y,2\n", Options{}, `a.csv:2: text after the closing quote`},
		{"NUL", "a.csv", "a,b\n1,2\n3,\x00\n", Options{}, "a.csv:3: a NUL byte"},
		{"NUL in quotes", "a.csv", "a\n\"1\n\x00\"\n", Options{}, "a.csv:2: in a quoted field: a NUL byte"},
		{"Latin-1", "a.txt", "ok\ncaf\xe9\n", Options{}, "a.txt:2: broken UTF-8"},
		{"Latin-1 in an array", "a.json", "[{\"a\":1},\n{\"a\":\"\xe9\"}]", Options{}, "a.json:2: broken UTF-8"},
		{"UTF-16", "a.csv", "\xff\xfea", Options{}, "a.csv: utf-16le ends in the middle of a character"},
		{"UTF-16 big-endian", "a.txt", "\xfe\xff\xd8\x00\x00a", Options{}, "a.txt: bytes 2 to 5 are no character of text in utf-16be"},
		{"JSON syntax", "a.jsonl", "{\"a\":1}\n{\"a\":}\n", Options{}, "a.jsonl:2: broken JSON, want an object a line or an array of objects: invalid character '}'"},
		{"JSON on many lines", "a.json", "{\n\"data\": []\n}\n", Options{}, "a.json:1: broken JSON, want an object a line"},
		{"two objects on a line", "a.jsonl", `{"a":1} {"a":2}`, Options{}, "a.jsonl:1: broken JSON"},
		{"no object", "a.jsonl", "{\"a\":1}\n[1]\n", Options{}, "a.jsonl:2: a JSON value that is not an object"},
		{"deep", "a.jsonl", `{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "}", Options{}, "a.jsonl:1: broken JSON"},
		{"array of texts", "a.json", "[\n\"a\"]", Options{}, `a.json:2: '"' in an array of records, want an object`},
		{"array, no comma", "a.json", "[{\"a\":1}\n{\"a\":2}]", Options{}, "a.json:2: '{' between the objects of an array, want a comma"},
		{"array, comma at the end", "a.json", "[{\"a\":1},\n]", Options{}, "a.json:2: ']' in an array of records"},
		{"array not closed", "a.json", "[{\"a\":1},\n{\"a\":2}\n", Options{}, "the array is not closed"},
		{"object not closed", "a.json", "[{\"a\":1},\n{\"a\":[2]", Options{}, "a.json:2: the object is not closed"},
		{"wrong brackets", "a.json", "[{\"a\":[1}]]", Options{}, "a.json:1: broken JSON"},
		{"text after an array", "a.json", "[{\"a\":1}]\n x", Options{}, "a.json:2: 'x' after the end of the array"},
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

type brokenFile struct {
	name, file, text string
	o                Options
	want             string
}

func TestBroken(t *testing.T) {
	for _, c := range broken() {
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
	r.n = len(f.starts)
	return r, err
}

// FuzzCSV compares with encoding/csv.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"", "a,b\n1,2", "a\r\n\"x\r\n\"\"y\"\r\n\r", "a,b\n\"\",\"", "a\n\"b\"c", "a\n\"\r\n\r\n\"\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parse(text, CSV)
		want, wantErr := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if clean(text) != nil || bytes.HasPrefix(text, []byte("\ufeff")) {
			return // our own rules
		}
		if len(want) > 0 {
			for i, c := range want[0] {
				want[0][i] = strings.TrimSpace(c)
			}
			if h := slices.Compact(slices.Sorted(slices.Values(want[0]))); len(h) < len(want[0]) || len(h) > maxColumns {
				return
			}
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, encoding/csv's %v", text, err, wantErr)
		}
		if err != nil {
			return
		}
		if r.Len() != max(0, len(want)-1) {
			t.Fatalf("%q: %d records, want %d", text, r.Len(), len(want)-1)
		}
		for i, got := range all(t, r) {
			if w := strings.Join(want[i+1], "|"); got != w {
				t.Errorf("%q: record %d is %q, want %q", text, i, got, w)
			}
		}
	})
}

// FuzzJSON compares with encoding/json.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{"", "{}", `{"a":"b\n","c":[1,{"d":"}"}]}`, "[ {\"a\":1} , {\"a\":null}]\n", `[]`, "{\"\\u0061\":1,\"a\":2}\n \n{\"b\":{}}", `[{"a":"\\"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parse(text, JSON)
		if clean(text) != nil || bytes.HasPrefix(text, []byte("\ufeff")) {
			return
		}
		want, wantErr := objects(text)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, encoding/json's %v", text, err, wantErr)
		}
		if err != nil {
			return
		}
		if r.Len() != len(want) {
			t.Fatalf("%q: %d records, want %d", text, r.Len(), len(want))
		}
		for i, object := range want {
			for key, value := range object {
				if raw, err := r.Raw(i, key); err != nil || string(raw) != string(value) {
					t.Errorf("%q: key %q of record %d is %q, %v, want %q", text, key, i, raw, err, value)
				}
				var s string
				if json.Unmarshal(value, &s) == nil {
					if got, err := r.Text(i, key); err != nil || got != s {
						t.Errorf("%q: key %q of record %d is %q, %v, want %q", text, key, i, got, err, s)
					}
				}
			}
		}
	})
}

// objects reads an array or lines of objects.
func objects(text []byte) (all []map[string]json.RawMessage, err error) {
	lines := bytes.Split(text, []byte("\n"))
	if b := bytes.TrimLeft(text, " \t\r\n"); len(b) > 0 && b[0] == '[' {
		var raw []json.RawMessage
		if err := json.Unmarshal(text, &raw); err != nil {
			return nil, err
		}
		lines = nil
		for _, v := range raw {
			lines = append(lines, v)
		}
	}
	for _, l := range lines {
		var object map[string]json.RawMessage
		if l = bytes.Trim(l, " \t\r"); len(l) == 0 {
			continue
		}
		if err := json.Unmarshal(l, &object); err != nil {
			return nil, err
		}
		if object == nil { // null
			return nil, &json.SyntaxError{}
		}
		all = append(all, object)
	}
	return all, nil
}
