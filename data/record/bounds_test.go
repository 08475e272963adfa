package record

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// withinBounds runs f, which reads size bytes, and tells where it takes more memory or time than it may. Memory is
// all that is allocated.
func withinBounds(t *testing.T, size int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(2*size+64<<20); got > most {
		t.Errorf("%d bytes allocated for %d, at most %d", got, size, most)
	}
	if took > 10*time.Second {
		t.Errorf("%v for %d bytes", took, size)
	}
}

// TestBounds opens files of 4 MiB that are made to be slow or large.
func TestBounds(t *testing.T) {
	const size = 4 << 20
	fill := func(head, part, tail string) string { return head + strings.Repeat(part, size/len(part)) + tail }
	for _, c := range []struct{ name, file, text string }{
		{"short records", "a.csv", fill("", "a\n", "")},
		{"short lines", "a.txt", fill("", "a\r", "")},
		{"empty lines", "a.csv", fill("a\n", "\r\n", "b\n")},
		{"quotes", "a.csv", fill("a\n", `""`, "\n")},
		{"quotes and commas", "a.csv", fill("a\n", `"",`, "\n")},
		{"lines in quotes", "a.csv", fill("a\n\"", "\n", "\"\n")},
		{"a field that is not closed", "a.csv", fill("a\n\"", "x,\n", "")},
		{"columns", "a.csv", fill("", ",", "\n")},
		{"long names", "a.csv", strings.Repeat(strings.Repeat("n", 1000)+",", maxColumns-1) + "\n"},
		{"columns of one name", "a.tsv", strings.Repeat(strings.Repeat("n", 1000)+"\t", maxColumns-1) + "\n"},
		{"empty objects", "a.jsonl", fill("", "{}", "")},
		{"keys", "a.jsonl", fill("{", `"a":1,`, `"a":2}`)},
		{"brackets", "a.jsonl", fill(`{"a":`, "[", "")},
		{"braces", "a.json", fill("", `{"a":`, "")},
		{"NaN", "a.json", fill(`[{"a":[`, "NaN,", `NaN]}]`)},
		{"NaN in a list", "a.json", fill(`{"data":[`, `{"a":NaN},`, `{"a":NaN}]}`)},
		{"a text", "a.json", fill(`{"data":[{"a":"`, `\n`, `"}]}`)},
		{"escaped keys", "a.json", fill("[", `{"\u0061":"`+strings.Repeat("x", 40)+`"},`, `{"b":2}]`)},
		{"white space", "a.json", fill("[", " ", `{"b":2}]`)},
		{"an object that is not closed", "a.jsonl", fill(`{"a":1,`, "\n{}", "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.file)
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			c.text = c.text[:1]
			withinBounds(t, size, func() {
				r, err := Open(path, Options{})
				if err != nil {
					if len(err.Error()) > 4000 {
						t.Errorf("an error of %d bytes", len(err.Error()))
					}
					return
				}
				defer r.Close()
				r.Where(r.Len() - 1)
			})
		})
	}
}

func TestOffsets(t *testing.T) {
	var o offsets
	place := func(k int) int64 { return int64(k)*3 + int64(k/7000)<<33 }
	for k := range 30000 {
		o.add(place(k))
	}
	for k := range 30000 {
		if got := o.at(k); got != place(k) {
			t.Fatalf("place %d is %d, want %d", k, got, place(k))
		}
	}
}

// FuzzTable reads all of a file of any format, in whatever way it can be read.
func FuzzTable(f *testing.F) {
	for i, s := range []string{"a,b\n1,\"2\"\n", "a\tb\r1\t2\r", "{\"a\":1}\n{\"a\":[NaN]}", "x\r\ny", `{"k":0,"data":[{"a":"1"},{"a":1.0}]}`, "a,a,\n1,2,3\n"} {
		f.Add(byte(i), []byte(s))
	}
	f.Fuzz(func(t *testing.T, format byte, text []byte) {
		withinBounds(t, len(text), func() {
			r, err := parse(text, []Format{CSV, TSV, JSON, Lines}[format%4])
			if err != nil {
				return
			}
			for i := range r.Len() {
				for _, c := range r.Columns() {
					if s, err := r.Text(i, c); err == nil && !utf8.ValidString(s) {
						t.Errorf("column %q of record %d is %q", c, i, s)
					}
					if _, err := r.Raw(i, c); err != nil && !strings.Contains(err.Error(), "two columns") {
						t.Errorf("column %q of record %d: %v", c, i, err)
					}
				}
				if r.Where(i) == "" {
					t.Errorf("record %d is nowhere", i)
				}
			}
			for _, c := range r.Columns() {
				if k, err := r.Classes(c); err == nil && len(k.Of) != r.Len() {
					t.Errorf("%d classes of %d records", len(k.Of), r.Len())
				}
			}
		})
	})
}
