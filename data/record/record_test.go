package record

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// write puts files (name, content, …) in a folder and returns it.
func write(t testing.TB, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func pack(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

// all reads every column of every record: "a|b" a record.
func all(t testing.TB, r *Records) []string {
	t.Helper()
	var got []string
	for i := range r.Len() {
		var row []string
		for _, c := range r.Columns() {
			v, err := r.Text(i, c)
			if err != nil {
				t.Fatal(err)
			}
			row = append(row, v)
		}
		got = append(got, strings.Join(row, "|"))
	}
	return got
}

func TestOpen(t *testing.T) {
	long := strings.Repeat("long ", 30000) // past every buffer
	for _, c := range []struct {
		name, file, text string
		o                Options
		columns          string
		want             []string
	}{
		{"csv", "a.csv", "label,text\nham,hello\nspam,win\n", Options{}, "label,text", []string{"ham|hello", "spam|win"}},
		{"csv no last line end", "a.csv", "a,b\n1,2\n3,4", Options{}, "a,b", []string{"1|2", "3|4"}},
		{"csv CRLF, BOM, blank lines", "a.csv", "\ufeffa, b \r\n\r\n1,2\r\n\r\n3,4\r\n\r\n", Options{}, "a,b", []string{"1|2", "3|4"}},
		{"csv quotes", "a.csv", "a,b\n\"x, \"\"y\"\"\",\"\"\n,\"\"\"\"\n", Options{}, "a,b", []string{`x, "y"|`, `|"`}},
		{"csv line ends in quotes", "a.csv", "a,b\n\"1\r\n\n2\",\"3\n4\"\n5,6\n", Options{}, "a,b", []string{"1\n\n2|3\n4", "5|6"}},
		{"csv line ends of old Macs", "a.csv", "\ufeff\"a\",b\r\r1,\"2\r3\"\r4,5", Options{}, "a,b", []string{"1|2\n3", "4|5"}},
		{"csv line ends of all kinds", "a.csv", "a,b\r\n1,2\r3,4\n5,6\r\n\n\r7,8\r", Options{}, "a,b", []string{"1|2", "3|4", "5|6", "7|8"}},
		{"tsv line ends of old Macs", "a.tsv", "a\tb\r1\t2\r", Options{}, "a,b", []string{"1|2"}},
		{"text line ends of old Macs", "a.txt", "one\rtwo\r\nthree", Options{}, "text", []string{"one", "two", "three"}},
		{"csv quotes within fields", "a.csv", "a,b\n5\" pipe,3\" nail\n\"x\" y,z\"\"\n", Options{}, "a,b", []string{`5" pipe|3" nail`, `x y|z""`}},
		{"csv semicolons with quotes", "a.csv", "a;b\n5\" x;\"1;2\"\n", Options{Comma: ';'}, "a,b", []string{`5" x|1;2`}},
		{"csv empty value alone", "a.csv", "a\n\"\"\n\nx\n", Options{}, "a", []string{"", "x"}},
		{"csv long field", "a.csv", "a,b\n" + long + ",\"" + long + "\"\n1,2\n", Options{}, "a,b", []string{long + "|" + long, "1|2"}},
		{"csv semicolon, no header", "a.csv", "1;2,5\n3;4\n", Options{Comma: ';', Columns: []string{"a", "b"}}, "a,b", []string{"1|2,5", "3|4"}},
		{"csv of tabs with quotes", "a.tsv", "a\tb\n\"x\ty\"\tz\n", Options{Format: CSV, Comma: '\t'}, "a,b", []string{"x\ty|z"}},
		{"tsv stray quotes", "a.tsv", "a\tb\n\"x\ty\"\n\t\n", Options{}, "a,b", []string{`"x|y"`, "|"}},
		{"tsv by format", "cmn.txt", "Hi.\t嗨。\n", Options{Format: TSV, Columns: []string{"en", "zh"}}, "en,zh", []string{"Hi.|嗨。"}},
		{"text", "a.txt", "one\n\n two \r\n\"three", Options{}, "text", []string{"one", " two ", `"three`}},
		{"text, own name", "a.txt", "one\n", Options{Columns: []string{"line"}}, "line", []string{"one"}},
		{"jsonl", "a.jsonl", "{\"t\":\"a\\n\\u00e9\\\"\",\"n\":1.50}\n\n {\"n\":true , \"x\\u0041\":null}\n", Options{}, "t,n,xA", []string{"a\né\"|1.50|", "|true|"}},
		{"jsonl, key twice", "a.ndjson", `{"a":"1","a":"2"}`, Options{}, "a", []string{"2"}},
		{"jsonl in .json", "a.json", "{\"a\":\"1\"}\n{\"a\":\"2\"}\n", Options{}, "a", []string{"1", "2"}},
		{"json array", "a.json", "\ufeff [\n {\"a\": \"[},{\", \"b\": 2},{\"b\":-3e5,\n\"a\":\"\\\\\"}\n]\n", Options{}, "a,b", []string{"[},{|2", `\|-3e5`}},
		{"csv.gz", "a.CSV.gz", pack("a,b\n1,2\n"), Options{}, "a,b", []string{"1|2"}},
		{"gzip tells itself", "a.jsonl", pack(`{"a":1}`), Options{}, "a", []string{"1"}},
		{"array.gz", "a.json.gz", pack(`[{"a":1},{"a":2}]`), Options{}, "a", []string{"1", "2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Open(filepath.Join(write(t, c.file, c.text), c.file), c.o)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got := strings.Join(r.Columns(), ","); got != c.columns {
				t.Errorf("columns %q, want %q", got, c.columns)
			}
			if got := all(t, r); !slices.Equal(got, c.want) {
				t.Errorf("records %.200q, want %.200q", got, c.want)
			}
		})
	}
}

func TestFolder(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
		o     Options
		want  string // records, or after "!" a part of the error
	}{
		{"columns in another order", []string{"b.csv", "b,a\n2,1\n", "a.csv", "a,b\n3,4\n5,6\n", "README.md", "no", ".x.csv", "\""}, Options{}, "3|4 5|6 1|2"},
		{"empty files among others", []string{"a.csv", "", "b.csv", "a\n", "c.csv", "a\n1\n", "d.csv", "a\n", "e.csv.gz", pack("a\n2\n"), "f.csv", ""}, Options{}, "1 2"},
		{"keys of all", []string{"a.jsonl", `{"a":1}`, "b.json", `[{"b":2}]`}, Options{}, "1| |2"},
		{"several formats", []string{"a.csv", "a\n1\n", "b.txt", "x"}, Options{}, "!files of 2 formats"},
		{"several formats, one chosen", []string{"a.csv", "a\n1\n", "b.txt", "x"}, Options{Format: Lines}, "x"},
		{"format of no extension", []string{"a.txt", "a\tb\n1\t2\n"}, Options{Format: TSV}, "1|2"},
		{"other columns", []string{"a.csv", "a,b\n1,2\n", "b.csv", "a,c\n1,2\n"}, Options{}, `!b.csv:1: columns "a", "c", the first file has "a", "b"`},
		{"more columns", []string{"a.csv", "a,b\n1,2\n", "b.csv", "a,b,c\n1,2,3\n"}, Options{}, `!b.csv:1: columns "a", "b", "c", the`},
		{"no data", []string{"README.md", "x"}, Options{}, "!no files of data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Open(write(t, c.files...), c.o)
			wantErr, bad := strings.CutPrefix(c.want, "!")
			if bad {
				if err == nil || !strings.Contains(err.Error(), wantErr) {
					t.Fatalf("error %v, want %q", err, wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got := strings.Join(all(t, r), " "); got != c.want {
				t.Errorf("records %q, want %q", got, c.want)
			}
		})
	}
}

func TestRaw(t *testing.T) {
	for _, c := range []struct{ file, text, column, raw, err string }{
		{"a.jsonl", `{"messages": [{"role":"user"}] ,"n":1}`, "messages", `[{"role":"user"}]`, "an object or array, want text"},
		{"a.jsonl", `{"messages":{"a":{"b":","}}}`, "messages", `{"a":{"b":","}}`, "an object or array"},
		{"a.jsonl", `{"a":"x"}`, "a", `"x"`, ""},
		{"a.csv", "a,b\n\"[1,\"\"2\"\"]\",x\n", "a", `[1,"2"]`, ""},
		{"a.csv", "a,b\n1,2\n", "c", "", `no column "c"; there are "a", "b"`},
	} {
		r, err := Open(filepath.Join(write(t, c.file, c.text), c.file), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if raw, err := r.Raw(0, c.column); string(raw) != c.raw || (err != nil) != (c.raw == "") {
			t.Errorf("%s: raw %q, %v, want %q", c.text, raw, err, c.raw)
		}
		_, err = r.Text(0, c.column)
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: text: error %v, want %q", c.text, err, c.err)
		}
	}
	r, err := Open(filepath.Join(write(t, "a.jsonl", "{\"a\":1}\n{\"b\":2}\n"), "a.jsonl"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if raw, err := r.Raw(1, "a"); raw != nil || err != nil {
		t.Errorf("a missing key is %q, %v, want nil", raw, err)
	}
	for _, i := range []int{-1, 2} {
		if _, err := r.Text(i, "a"); err == nil {
			t.Errorf("record %d of 2 was read", i)
		}
	}
}

func TestConcurrent(t *testing.T) {
	var text strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&text, "{\"a\":\"%d\",\"pad\":\"%s\"}\n", i, strings.Repeat("x", i%700))
	}
	r, err := Open(filepath.Join(write(t, "a.jsonl", text.String()), "a.jsonl"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var group sync.WaitGroup
	for w := range 4 {
		group.Go(func() {
			for k := range r.Len() {
				i := (k*7 + w*500) % r.Len()
				if got, err := r.Text(i, "a"); err != nil || got != fmt.Sprint(i) {
					t.Errorf("record %d: %q, %v", i, got, err)
					return
				}
			}
		})
	}
	group.Wait()
	if got, want := r.Where(1999), "a.jsonl:2000"; !strings.HasSuffix(got, want) {
		t.Errorf("Where(1999) = %s, want …%s", got, want)
	}
}

// TestDrop: records keep their places in the files when others are dropped, and dropped again.
func TestDrop(t *testing.T) {
	r, err := Open(write(t, "a.csv", "a\n0\n1\n2\n", "b.csv", "a\n3\n4\n5\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, c := range []struct {
		drop        []int
		want, where string
	}{{nil, "0 1 2 3 4 5", "b.csv:4"}, {[]int{1, 5}, "0 2 3 4", "b.csv:3"}, {[]int{0, 2}, "2 4", "b.csv:3"}, {[]int{1}, "2", "a.csv:4"}} {
		r.Drop(c.drop)
		if got := strings.Join(all(t, r), " "); got != c.want || filepath.Base(r.Where(r.Len()-1)) != c.where {
			t.Errorf("without %v: %s, the last at %s; want %s at %s", c.drop, got, r.Where(r.Len()-1), c.want, c.where)
		}
	}
	if _, err := r.Text(1, "a"); err == nil {
		t.Error("record 1 of 1 was read")
	}
	var u Unusable
	if err := r.Filter(&u, false, func(int) error { return io.EOF }); err == nil || !strings.Contains(err.Error(), "none of 1 records can be used: ") || u.Count != 0 {
		t.Errorf("all dropped: %v, %+v", err, u)
	}
}
