package parquet

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

type row struct {
	ID    int64     `parquet:"id"`
	Text  string    `parquet:"text,zstd"`
	Label *string   `parquet:"label,optional,dict"`
	Score float64   `parquet:"score"`
	Tags  []string  `parquet:"tags,list"`
	At    time.Time `parquet:"at,timestamp"`
	Raw   []byte    `parquet:"raw"`
}

// file is a Parquet file with n rows.
func file[T any](rows ...T) *bytes.Reader {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b)
	if _, err := w.Write(rows); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return bytes.NewReader(b.Bytes())
}

func some(n int) (rows []row) {
	label := "a\"b"
	for i := range n {
		r := row{ID: int64(i), Text: fmt.Sprintf("text é\n%d", i), Score: 0.5, At: time.UnixMilli(1500), Raw: []byte{0xff, 0}}
		if i%2 == 0 {
			r.Label, r.Tags = &label, []string{"x", "y"}
		}
		rows = append(rows, r)
	}
	return rows
}

// TestJSONLines reads rows of several types, more than are in memory at a time.
func TestJSONLines(t *testing.T) {
	f := file(some(200)...)
	var b bytes.Buffer
	if err := JSONLines(&b, f, f.Size()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 200 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, want := range []string{
		`{"id":0,"text":"text é\n0","label":"a\"b","score":0.5,"tags":["x","y"],"at":"1970-01-01T00:00:01.5","raw":"/wA="}`,
		`{"id":1,"text":"text é\n1","label":null,"score":0.5,"tags":[],"at":"1970-01-01T00:00:01.5","raw":"/wA="}`,
	} {
		if lines[i] != want {
			t.Errorf("row %d: %s\nwant %s", i, lines[i], want)
		}
	}
}

// TestTexts chooses a column of texts.
func TestTexts(t *testing.T) {
	type two struct {
		A string `parquet:"a"`
		B string `parquet:"b"`
		N int64  `parquet:"n"`
	}
	type none struct {
		N int64 `parquet:"n"`
	}
	for name, c := range map[string]struct {
		f      *bytes.Reader
		column string
		want   string // texts, or a part of the error
	}{
		"by name":    {file(two{"x", "y", 1}, two{"", "z", 2}), "b", "[y z]"},
		"none named": {file(two{"x", "y", 1}), "", "choose one with --text"},
		"no such":    {file(two{"x", "y", 1}), "c", `no column "c"; columns of texts are a, b`},
		"a number":   {file(two{"x", "y", 1}), "n", `column "n" has no texts`},
		"no texts":   {file(none{3}), "", "no column of texts"},
		"broken":     {bytes.NewReader([]byte("PAR1 and no more PAR1")), "", "cannot be read"},
	} {
		var texts []string
		err := Texts(c.f, c.f.Size(), c.column, func(b []byte) error { texts = append(texts, string(b)); return nil })
		if got := fmt.Sprint(texts); err == nil && got != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %s", name, texts, err, c.want)
		}
	}
}

// TestBroken flips bytes of a file: the rows are read, or there is an error.
func TestBroken(t *testing.T) {
	f := file(some(20)...)
	whole := make([]byte, f.Size())
	if _, err := f.ReadAt(whole, 0); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0x15
		_ = JSONLines(&bytes.Buffer{}, bytes.NewReader(b), int64(len(b)))
	}
	for i := 0; i < len(whole); i += 7 {
		if err := JSONLines(&bytes.Buffer{}, bytes.NewReader(whole[:i]), int64(i)); err == nil {
			t.Errorf("the first %d bytes are read", i)
		}
	}
}
