package jinja

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/pkg/errors"
)

// FromJSON reads one JSON value for [Template.Render], as Python's json.loads does: objects keep the order of their
// keys ([*Map]), 1 is a whole number and 1.0 is not.
func FromJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readJSON(d, 0)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return v, nil
		} else if err == nil {
			err = errors.New("more than one value")
		}
	}
	return nil, errors.Wrap(err, "jinja: JSON")
}

func readJSON(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxNesting {
		return nil, errors.Errorf("nested deeper than %d", maxNesting)
	}
	switch t := t.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			return i, nil
		}
		if !strings.ContainsAny(t.String(), ".eE") {
			return nil, errors.Errorf("number %s: want one of 64 bits", t)
		}
		return t.Float64()
	case json.Delim:
		m, items := newMap(), []any{}
		for d.More() {
			var key any
			if t == '{' {
				if key, err = d.Token(); err != nil {
					return nil, err
				}
			}
			v, err := readJSON(d, depth+1)
			if err != nil {
				return nil, err
			}
			if t == '{' {
				m.put(key, v)
			} else {
				items = append(items, v)
			}
		}
		if _, err = d.Token(); t == '{' {
			return m, err
		}
		return items, err
	}
	return t, nil
}

// A jsonStyle is the settings of Python's json.dumps.
type jsonStyle struct {
	indent          string // of one level
	lines           bool   // each item on a line of its own
	ascii, sortKeys bool
	comma, colon    string
}

// toJSON is the filter tojson of transformers: json.dumps, with no escapes for HTML.
func toJSON(r *run, x any, a []any) any {
	s := jsonStyle{comma: ", ", colon: ": ", ascii: r.truth(or(a[0], false)), sortKeys: r.truth(or(a[3], false))}
	switch indent := or(a[1], nil).(type) {
	case nil:
	case string:
		s.indent, s.lines = indent, true
	default:
		s.indent, s.lines = strings.Repeat(" ", r.count(indent)), true
	}
	if s.lines {
		s.comma = ","
	}
	if sep := or(a[2], nil); sep != nil {
		pair := r.items(sep)
		if len(pair) != 2 {
			return r.fail("filter tojson: separators: want two")
		}
		s.comma, s.colon = r.str(pair[0]), r.str(pair[1])
	}
	var b strings.Builder
	r.printJSON(&b, s, x, "\n")
	return b.String()
}

// printJSON prints v; line is what goes before a new line of v: the newline and the indents around it.
func (r *run) printJSON(b *strings.Builder, s jsonStyle, v any, line string) {
	if !r.enter() || !r.spendText(len(line)+len(s.comma)+len(s.colon)) {
		return
	}
	defer func() { r.depth-- }()
	inner := line + s.indent
	item := func(i int) {
		if i > 0 {
			b.WriteString(s.comma)
		}
		if s.lines {
			b.WriteString(inner)
		}
	}
	closing := func(n int, bracket string) {
		if s.lines && n > 0 {
			b.WriteString(line)
		}
		b.WriteString(bracket)
	}
	switch v := plain(v).(type) {
	case nil, bool, int64, float64, string:
		r.spendText(len(inner))
		b.WriteString(r.scalar(v, s.ascii))
	case []any, tuple:
		items := r.items(v)
		b.WriteString("[")
		for i, v := range items {
			if r.err != nil {
				return
			}
			item(i)
			r.printJSON(b, s, v, inner)
		}
		closing(len(items), "]")
	case *Map:
		order := r.keyOrder(v, s.sortKeys)
		b.WriteString("{")
		for n, i := range order {
			if r.err != nil {
				return
			}
			item(n)
			key, isText := v.keys[i].(string)
			if !isText {
				key = r.scalar(v.keys[i], s.ascii)
			}
			b.WriteString(r.scalar(key, s.ascii) + s.colon)
			r.printJSON(b, s, v.values[i], inner)
		}
		closing(len(order), "}")
	default:
		r.fail("filter tojson: %s is no JSON value", typeName(v))
	}
}

// keyOrder returns the places of the keys of m in the order in which they print.
func (r *run) keyOrder(m *Map, sorted bool) []int {
	order := make([]int, len(m.keys))
	for i := range order {
		order[i] = i
	}
	if sorted {
		sort.SliceStable(order, func(i, j int) bool { return r.order("<", m.keys[order[i]], m.keys[order[j]]) < 0 })
	}
	return order
}

// scalar is the JSON of a value without parts.
func (r *run) scalar(v any, ascii bool) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case float64:
		if math.IsNaN(v) {
			return "NaN"
		} else if math.IsInf(v, 0) {
			return strings.Replace(formatFloat(v), "inf", "Infinity", 1)
		}
	case string:
		if !r.spendText(len(v)) {
			return ""
		}
		return jsonString(v, ascii)
	}
	return r.repr(v)
}

var jsonEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\f': `\f`, '\b': `\b`}

func jsonString(s string, ascii bool) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		e, ok := jsonEscapes[c]
		switch {
		case ok:
			b.WriteString(e)
		case c >= 0x10000 && ascii:
			hi, lo := utf16.EncodeRune(c)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		case c < ' ' || c > '~' && ascii:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
