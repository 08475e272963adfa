// Package parquet reads the rows of Parquet files as JSON, and a column of texts.
//
//	err := parquet.Texts(f, size, "text", func(text []byte) error { … })
package parquet

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pkg/errors"
)

// Magic begins and ends a Parquet file.
const Magic = "PAR1"

// Is tells whether these are the first bytes of a Parquet file.
func Is(head []byte) bool { return bytes.HasPrefix(head, []byte(Magic)) }

// rowsAtOnce is the number of rows that are in memory at a time.
const rowsAtOnce = 64

// JSONLines writes each row as an object on a line, its keys in the order of the columns. Dates and times are text by
// ISO 8601; bytes that are no text are base64; NaN and infinities are null.
func JSONLines(w io.Writer, src io.ReaderAt, size int64) error {
	return guard(func() error {
		f, err := open(src, size)
		if err != nil {
			return err
		}
		var line []byte
		return rows(f, f.Schema(), func(row any) error {
			line = append(appendValue(line[:0], f.Schema(), row), '\n')
			_, err := w.Write(line)
			return err
		})
	})
}

// Texts calls use with the texts of a column, row by row. Missing texts are passed over. Without a name it takes the
// only column of texts; if there is not just one, the error names them.
func Texts(src io.ReaderAt, size int64, column string, use func(text []byte) error) error {
	return guard(func() error {
		f, err := open(src, size)
		if err != nil {
			return err
		}
		var only parquet.Node
		if column, only, err = choose(f.Schema(), column); err != nil {
			return err
		}
		part := parquet.NewSchema("texts", parquet.Group{column: only})
		return rows(f, part, func(row any) error {
			m, _ := row.(map[string]any)
			text, ok := m[column].(string)
			if !ok || text == "" {
				return nil
			}
			return use([]byte(text))
		})
	})
}

// choose returns the column of texts with the given name, or the only one.
func choose(s *parquet.Schema, column string) (string, parquet.Node, error) {
	var names []string
	var found parquet.Node
	for _, c := range s.Fields() {
		if !isText(c) || column != "" && c.Name() != column {
			if c.Name() == column {
				return "", nil, errors.Errorf("column %q has no texts but %s", column, c.Type())
			}
			continue
		}
		names, found = append(names, c.Name()), c
	}
	switch {
	case len(names) == 1:
		return names[0], found, nil
	case column != "":
		return "", nil, errors.Errorf("no column %q; columns of texts are %s (--text)", column, textColumns(s))
	case len(names) == 0:
		return "", nil, errors.New("no column of texts")
	}
	return "", nil, errors.Errorf("columns of texts are %s; choose one with --text", textColumns(s))
}

func textColumns(s *parquet.Schema) string {
	var names []string
	for _, c := range s.Fields() {
		if isText(c) {
			names = append(names, c.Name())
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// isText tells whether a column is of texts.
func isText(n parquet.Node) bool {
	if !n.Leaf() || n.Repeated() || n.Type().Kind() != parquet.ByteArray {
		return false
	}
	if c := n.Type().ConvertedType(); c != nil && *c == deprecated.UTF8 {
		return true
	}
	_, ok := logical(n).(*format.StringType)
	return ok
}

// logical is what a column's values mean, nil where nothing says it.
func logical(n parquet.Node) format.LogicalTypeValue {
	if l := n.Type().LogicalType(); l != nil {
		return l.Value
	}
	return nil
}

func open(src io.ReaderAt, size int64) (*parquet.File, error) {
	f, err := parquet.OpenFile(src, size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	return f, errors.Wrap(err, "a Parquet file that cannot be read")
}

// rows calls use with each row, as maps, lists and scalars, of the columns of a schema.
func rows(f *parquet.File, s *parquet.Schema, use func(row any) error) error {
	r := parquet.NewGenericReader[any](f, s)
	defer r.Close()
	batch := make([]any, rowsAtOnce)
	for {
		clear(batch)
		n, err := r.Read(batch)
		for _, row := range batch[:n] {
			if err := use(row); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return errors.Wrap(err, "a Parquet file that cannot be read")
		}
	}
}

// guard turns a panic of the reader, which a broken file may bring about, into an error.
func guard(read func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Errorf("a Parquet file that cannot be read: %v", r)
		}
	}()
	return read()
}

// appendValue appends a value of a column as JSON.
func appendValue(b []byte, n parquet.Node, v any) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	if list, ok := v.([]any); ok {
		b = append(b, '[')
		for i, e := range list {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, element(n), e)
		}
		return append(b, ']')
	}
	m, ok := v.(map[string]any)
	if !ok || n == nil || n.Leaf() {
		return appendScalar(b, n, v)
	}
	b = append(b, '{')
	first := true
	for _, c := range n.Fields() {
		e, ok := m[c.Name()]
		if !ok {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendText(b, c.Name())
		b = appendValue(append(b, ':'), c, e)
	}
	return append(b, '}')
}

// element is the node of a list's elements: n itself where it is repeated without being called a list.
func element(n parquet.Node) parquet.Node {
	if n == nil || n.Leaf() || len(n.Fields()) != 1 {
		return n
	}
	if _, ok := logical(n).(*format.ListType); !ok {
		return n
	}
	list := n.Fields()[0]
	if list.Leaf() || len(list.Fields()) != 1 {
		return list
	}
	return list.Fields()[0]
}

// appendScalar appends a number, a text, a time, or what has no columns of its own.
func appendScalar(b []byte, n parquet.Node, v any) []byte {
	if n != nil && n.Leaf() {
		if t, ok := timeOf(n, v); ok {
			return appendText(b, t)
		}
	}
	switch x := v.(type) {
	case string:
		if !utf8.ValidString(x) {
			x = base64.StdEncoding.EncodeToString([]byte(x))
		}
		return appendText(b, x)
	case float32:
		return appendFloat(b, float64(x))
	case float64:
		return appendFloat(b, x)
	}
	return appendJSON(b, v)
}

func appendFloat(b []byte, x float64) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(b, "null"...)
	}
	return appendJSON(b, x)
}

func appendText(b []byte, s string) []byte { return appendJSON(b, s) }

// appendJSON appends what encoding/json makes of v, or null where it makes nothing.
func appendJSON(b []byte, v any) []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return append(b, "null"...)
	}
	return append(b, bytes.TrimSuffix(text.Bytes(), []byte("\n"))...)
}

// timeOf returns a date or a time as text.
func timeOf(n parquet.Node, v any) (string, bool) {
	switch l := logical(n).(type) {
	case *format.DateType:
		if x, ok := v.(int32); ok {
			return time.Unix(int64(x)*86400, 0).UTC().Format(time.DateOnly), true
		}
	case *format.TimestampType:
		x, ok := v.(int64)
		if !ok {
			return "", false
		}
		at := time.UnixMilli(x)
		switch l.Unit.Value.(type) {
		case *format.MicroSeconds:
			at = time.UnixMicro(x)
		case *format.NanoSeconds:
			at = time.Unix(0, x)
		}
		return at.UTC().Format("2006-01-02T15:04:05.999999999"), true
	}
	return "", false
}
