package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// typeName is the name of Python's type.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string, markup:
		return "str"
	case []any:
		return "list"
	case tuple:
		return "tuple"
	case *Map:
		return "dict"
	case undefined:
		return "undefined"
	case *sequence:
		return v.name
	case *namespace:
		return "namespace"
	case *callable:
		return "function"
	case *loopState:
		return "loop"
	}
	return fmt.Sprintf("%T", v)
}

// str is Python's str(v): what {{ v }} prints.
func (r *run) str(v any) string {
	if s, ok := plain(v).(string); ok {
		return s
	}
	var b strings.Builder
	r.print(&b, v)
	return b.String()
}

// repr is Python's repr(v): as str, but a string stands in quotes.
func (r *run) repr(v any) string {
	var b strings.Builder
	r.printRepr(&b, plain(v))
	return b.String()
}

// describe is a short repr for an error.
func (r *run) describe(v any) string {
	switch v := plain(v).(type) {
	case nil, bool, int64, float64:
		return r.repr(v)
	case string:
		if len(v) <= 40 {
			return strconv.Quote(v)
		}
	}
	return typeName(v)
}

func (r *run) print(b *strings.Builder, v any) {
	switch v := plain(v).(type) {
	case string:
		if r.spendText(len(v)) {
			b.WriteString(v)
		}
	case undefined:
	default:
		r.printRepr(b, v)
	}
}

func (r *run) printRepr(b *strings.Builder, v any) {
	if !r.enter() {
		return
	}
	defer func() { r.depth-- }()
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(formatFloat(v))
	case string:
		if r.spendText(len(v)) {
			b.WriteString(quote(v))
		}
	case markup:
		b.WriteString("Markup(" + quote(string(v)) + ")")
	case []any:
		r.printList(b, "[", v, "]")
	case tuple:
		if len(v) == 1 {
			r.printList(b, "(", v, ",)")
			return
		}
		r.printList(b, "(", v, ")")
	case *Map:
		for i, k := range v.keys {
			b.WriteString([]string{", ", "{"}[boolInt(i == 0)])
			r.printRepr(b, k)
			b.WriteString(": ")
			r.printRepr(b, v.values[i])
		}
		b.WriteString([]string{"}", "{}"}[boolInt(len(v.keys) == 0)])
	case undefined:
		b.WriteString("Undefined")
	case *sequence:
		switch {
		case v.text != "":
			b.WriteString(v.text)
		case v.name == "generator":
			r.fail("the text of a generator: want a list, as in x|list")
		default:
			r.printList(b, v.name+"([", v.items, "])")
		}
	default:
		r.fail("the text of a %s", typeName(v))
	}
}

func (r *run) printList(b *strings.Builder, open string, items []any, close string) {
	b.WriteString(open)
	for i, v := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		r.printRepr(b, v)
	}
	b.WriteString(close)
}

// formatFloat is Python's repr of a float: the shortest text that reads back, with an exponent below 1e-4 and from
// 1e16 on.
func formatFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 0):
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(f, 'f', -1, 64), "+"))
	case f != 0 && (math.Abs(f) < 1e-4 || math.Abs(f) >= 1e16):
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quote is Python's repr of a string.
func quote(s string) string {
	q := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	var b strings.Builder
	b.WriteRune(q)
	for _, c := range s {
		switch {
		case c == q || c == '\\':
			b.WriteRune('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(c):
			b.WriteRune(c)
		case c < 0x100:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			fmt.Fprintf(&b, `\U%08x`, c)
		}
	}
	b.WriteRune(q)
	return b.String()
}
