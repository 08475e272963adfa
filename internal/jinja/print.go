package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// typeName returns the name of Python's type, for errors.
func typeName(v any) string {
	switch v := v.(type) {
	case *list:
		return v.kind
	case *object:
		return v.kind
	case markup:
		return "str"
	}
	s := fmt.Sprintf("%T", v)
	if python, ok := typeNames[s]; ok {
		return python
	}
	return strings.TrimPrefix(strings.TrimPrefix(s, "*"), "jinja.")
}

var typeNames = map[string]string{"<nil>": "None", "int64": "int", "float64": "float", "string": "str", "*jinja.Map": "dict"}

// describe returns a value for an error: the value itself if it is short, else its type.
func (r *run) describe(v any) string {
	s, isText := plain(v).(string)
	if _, isNum := toFloat(v); isNum || isText && len(s) <= 40 {
		return r.print(&python, plain(v))
	}
	return typeName(v)
}

// str is Python's str(v), which {{ v }} prints.
func (r *run) str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case markup:
		return string(v)
	case undefined:
		return ""
	}
	return r.print(&python, v)
}

// A style is the way in which values print.
type style struct {
	words  map[any]string // of nil, true and false
	quote  func(string) string
	json   bool   // else Python's repr
	lines  bool   // each item stands on a line of its own
	indent string // of one level of lines
	comma  string // between items
	colon  string // behind a key
	sort   bool   // the keys of dicts are in order
}

var (
	python    = style{words: map[any]string{nil: "None", true: "True", false: "False"}, quote: quotePython, comma: ", ", colon: ": "}
	jsonWords = map[any]string{nil: "null", true: "true", false: "false"}
)

func (r *run) print(s *style, v any) string {
	p := printer{run: r, style: s}
	p.value(v, "\n")
	return p.out.String()
}

type printer struct {
	*run
	*style
	out strings.Builder
}

// put writes s and counts the steps for it.
func (p *printer) put(s string) {
	if p.out.Len()+len(s) > maxOutput {
		p.fail("more than %d bytes of text", maxOutput)
	}
	if p.makes(len(s)) {
		p.out.WriteString(s)
	}
}

// value prints v. line is what stands before a new line of v: the newline and the indents around v.
func (p *printer) value(v any, line string) {
	if !p.enter() {
		return
	}
	defer func() { p.depth-- }()
	switch v := v.(type) {
	case nil, bool:
		p.put(p.words[v])
	case int64:
		p.put(strconv.FormatInt(v, 10))
	case float64:
		p.put(p.float(v))
	case string:
		p.put(p.quote(v))
	case markup:
		if s := p.quote(string(v)); p.json {
			p.put(s)
		} else {
			p.put("Markup(" + s + ")")
		}
	case *list:
		p.list(v, line)
	case *Map:
		p.dict(v, line)
	default:
		p.other(v, line)
	}
}

func (p *printer) float(f float64) string {
	s := formatFloat(f)
	if p.json {
		if word, ok := map[string]string{"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[s]; ok {
			return word
		}
	}
	return s
}

func (p *printer) list(v *list, line string) {
	open, close := "[", "]"
	switch {
	case v.fixed():
	case p.json || v.kind == "generator" || v.kind == "range" && v.text == "":
		p.fail("the text of a %s is not supported: want a list, as in x|list", v.kind)
		return
	case v.kind == "range":
		p.put(v.text)
		return
	default: // a view of a dict
		open, close = v.kind+"([", "])"
	}
	if v.kind == "tuple" && !p.json {
		open, close = "(", map[bool]string{true: ",)", false: ")"}[len(v.items) == 1]
	}
	p.items(open, len(v.items), close, line, func(i int, line string) { p.value(v.items[i], line) })
}

func (p *printer) dict(v *Map, line string) {
	pairs := p.pairs(v)
	if p.sort {
		pairs = p.sorted(pairs, false, true, int64(0))
	}
	p.items("{", len(pairs), "}", line, func(i int, line string) {
		pair := pairs[i].(*list)
		k := pair.items[0]
		if _, isText := plain(k).(string); p.json && !isText { // the keys of JSON are strings
			name := printer{run: p.run, style: p.style}
			name.value(k, "")
			k = name.out.String()
		}
		p.value(k, line)
		p.put(p.colon)
		p.value(pair.items[1], line)
	})
}

// other prints values that are no data. JSON has none of them.
func (p *printer) other(v any, line string) {
	switch v := v.(type) {
	case undefined:
		if !p.json {
			p.put("Undefined")
			return
		}
		p.fail("%s", v.why)
	case *namespace:
		if !p.json {
			p.put("<Namespace ")
			p.dict(&v.vars, line)
			p.put(">")
			return
		}
	case *callable:
		if v.macro != nil && !p.json {
			p.put("<Macro " + map[bool]string{true: "anonymous", false: quotePython(v.name)}[v.macro.anonymous] + ">")
			return
		}
	}
	p.fail("the text of %s is not supported", typeName(v))
}

func (p *printer) items(open string, n int, close, line string, item func(i int, line string)) {
	inner := line + p.indent
	if !p.lines {
		inner, line = "", ""
	} else if n == 0 {
		line = ""
	}
	p.put(open)
	for i := 0; i < n && p.err == nil; i++ {
		if i > 0 {
			p.put(p.comma)
		}
		p.put(inner)
		item(i, inner)
	}
	p.put(line + close)
}

// formatFloat is Python's repr of a float: the shortest text that reads back as the same float. It has an exponent
// below 1e-4 and from 1e16 on.
func formatFloat(f float64) string {
	if size := math.Abs(f); f != 0 && (size < 1e-4 || size >= 1e16) || f != f {
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(f, 'e', -1, 64), "+"))
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quotePython is Python's repr of a string.
func quotePython(s string) string {
	q := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	escapes := map[rune]string{q: `\` + string(q), '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`}
	return quoted(s, q, escapes, func(c rune) bool { return !unicode.IsPrint(c) }, func(c rune) string {
		format := `\U%08x`
		if c < 0x100 {
			format = `\x%02x`
		} else if c < 0x10000 {
			format = `\u%04x`
		}
		return fmt.Sprintf(format, c)
	})
}

var jsonEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\f': `\f`, '\b': `\b`}

// quoteJSON quotes a string for JSON. With ascii, each character beyond ASCII becomes its code in UTF-16.
func quoteJSON(ascii bool) func(string) string {
	hidden := func(c rune) bool { return c < ' ' || ascii && c > '~' }
	return func(s string) string {
		return quoted(s, '"', jsonEscapes, hidden, func(c rune) (code string) {
			for _, unit := range utf16.Encode([]rune{c}) {
				code += fmt.Sprintf(`\u%04x`, unit)
			}
			return code
		})
	}
}

// quoted puts s between quotes q. It replaces characters by escapes, and the hidden ones by what code makes of them.
func quoted(s string, q rune, escapes map[rune]string, hidden func(rune) bool, code func(rune) string) string {
	var b strings.Builder
	b.WriteRune(q)
	for _, c := range s {
		if e, ok := escapes[c]; ok {
			b.WriteString(e)
		} else if hidden(c) {
			b.WriteString(code(c))
		} else {
			b.WriteRune(c)
		}
	}
	b.WriteRune(q)
	return b.String()
}
