package record

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// csvRows reads all rows of a text with the scanner, the header among them.
func csvRows(text string) (rows [][]string, err error) {
	f := &file{src: strings.NewReader(text), size: int64(len(text)), format: CSV, comma: ',', max: maxRecord}
	s := newScanner(16)
	s.reset(f, 0)
	for {
		if err := s.next(); err == io.EOF {
			return rows, nil
		} else if err != nil {
			return nil, err
		}
		var row []string
		for i := range s.fields {
			v, err := f.field(s.rec, i)
			if err != nil {
				return nil, err
			}
			row = append(row, string(v))
		}
		rows = append(rows, row)
	}
}

// plainCSV is the meaning of CSV, a character at a time. It returns nil for a text that ends within quotes.
func plainCSV(text string) [][]string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	var rows [][]string
	var row []string
	field, open, begun, closing := "", false, false, false // begun: the field has a character, or had quotes
	for i := 0; i <= len(text); i++ {
		end := i == len(text)
		switch {
		case open && end:
			return nil
		case open && closing && text[i] == '"':
			field, closing = field+`"`, false
		case open && text[i] == '"' && i+1 < len(text) && text[i+1] == '"':
			closing = true
		case open && text[i] == '"':
			open = false
		case open:
			field += text[i : i+1]
		case end || text[i] == '\n':
			if begun || len(row) > 0 {
				rows = append(rows, append(row, field))
			}
			row, field, begun = nil, "", false
		case text[i] == ',':
			row, field, begun = append(row, field), "", false
		case text[i] == '"' && !begun:
			open, begun = true, true
		default:
			field, begun = field+text[i:i+1], true
		}
	}
	return rows
}

// TestPythonCSV reads what Python's csv was given by testdata/golden.py.
func TestPythonCSV(t *testing.T) {
	var golden []struct {
		Text string
		Rows [][]string
	}
	b, err := os.ReadFile(filepath.Join("testdata", "csv.json"))
	if err == nil {
		err = json.Unmarshal(b, &golden)
	}
	if err != nil || len(golden) < 600 {
		t.Fatal(len(golden), err)
	}
	for _, c := range golden {
		if got := plainCSV(c.Text); !slices.EqualFunc(got, c.Rows, slices.Equal) {
			t.Errorf("plainCSV: %q: %q, want %q", c.Text, got, c.Rows)
		}
		got, err := csvRows(c.Text)
		if (err != nil) != (c.Rows == nil && strings.Contains(c.Text, `"`)) || !slices.EqualFunc(got, c.Rows, slices.Equal) {
			t.Errorf("%q: %q, %v; want %q", c.Text, got, err, c.Rows)
		}
	}
}

// TestColumns has columns without a name, and columns of one name.
func TestColumns(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		o                Options
		columns, column  string
		want             string // of the column, or after "!" a part of the error
	}{
		{"no names", "a.csv", "v1,v2,,,\r\nham,x,,,\r\nspam,y,1,2,3\r\n", Options{}, "v1,v2", "v2", "x|y"},
		{"an index in front", "a.csv", ",text,label\n0,x,ham\n", Options{}, "text,label", "text", "x"},
		{"blanks for a name", "a.csv", " ,text,\"\"\n0,x,1\n", Options{}, "text", "text", "x"},
		{"tabs", "a.tsv", "\ttext\t\n1\tx\t2\n", Options{}, "text", "text", "x"},
		{"one name, not used", "a.csv", "text,note,note,label\nx,1,2,ham\n", Options{}, "text,note,label", "label", "ham"},
		{"one name, used", "a.csv", "text,note, note,label\nx,1,2,ham\n", Options{}, "text,note,label", "note", `!two columns are called "note"`},
		{"one name, given", "a.csv", "x,1,2\n", Options{Columns: []string{"a", "b", "b"}}, "a,b", "b", `!two columns are called "b"`},
		{"no name is not \"\"", "a.csv", "text,\nx,1\n", Options{}, "text", "", `!no column ""`},
		{"all without", "a.csv", ",,\n1,2,3\n", Options{}, "", "a", `!no column "a"`},
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
			var texts []string
			for i := range r.Len() {
				var text string
				if text, err = r.Text(i, c.column); err != nil {
					break
				}
				texts = append(texts, text)
			}
			if want, bad := strings.CutPrefix(c.want, "!"); bad {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q", err, want)
				}
			} else if got := strings.Join(texts, "|"); err != nil || got != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// FuzzCSV compares with plainCSV.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"", "a,b\n1,2", "a\r\n\"x\r\n\"\"y\"\r\n\r", "a,b\n\"\",\"", "a\n\"b\"c\"d\"", "a\n\"\r\n\r\n\"\r\n", "a,,a\r1,\"2\"\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parse(text, CSV)
		got, rowsErr := csvRows(string(text))
		if clean(text) != nil || strings.HasPrefix(string(text), "\ufeff") {
			return // our own rules
		}
		want := plainCSV(string(text))
		if (rowsErr == nil) != (want != nil || len(strings.Trim(string(text), "\r\n")) == 0) || !slices.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("%q: %q, %v; want %q", text, got, rowsErr, want)
		}
		ragged := slices.ContainsFunc(want, func(row []string) bool { return len(row) != len(want[0]) })
		if len(want) > 0 && len(want[0]) <= maxColumns && (err == nil) == ragged {
			t.Fatalf("%q: error %v, ragged %v", text, err, ragged)
		}
		if err == nil && r.Len() != max(0, len(want)-1) {
			t.Fatalf("%q: %d records, want %d", text, r.Len(), len(want)-1)
		}
	})
}
