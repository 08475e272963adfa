package jinja

import (
	"strings"
	"unicode/utf8"
)

// formatMethod is str.format.
func formatMethod(r *run, x any, a []any) any {
	given := a[0].(args)
	named := new(Map)
	for i, k := range given.keys {
		named.Set(k, given.values[i])
	}
	f := fields{run: r, pos: given.pos, named: named}
	return f.format(x.(string), 2)
}

// formatMap is str.format_map.
func formatMap(r *run, x any, a []any) any {
	m, ok := a[0].(*Map)
	if !ok {
		return r.fail("format_map() of a %s: want a dict", typeName(a[0]))
	}
	f := fields{run: r, named: m}
	return f.format(x.(string), 2)
}

// fields writes the fields {…} of a text as Python's string.Formatter does.
type fields struct {
	*run
	pos    []any
	named  *Map
	next   int // the place of the next {}
	manual bool
}

func (f *fields) format(s string, depth int) string {
	var b strings.Builder
	if depth == 0 {
		f.fail("format(): fields within fields within fields")
	}
	for s != "" && f.err == nil {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		brace := s[i : i+1]
		s = s[i+1:]
		switch {
		case strings.HasPrefix(s, brace):
			b.WriteString(brace)
			s = s[1:]
		case brace == "}":
			f.fail("format(): a } that closes nothing: want }} for a brace")
		default:
			end := closing(s)
			if end < 0 {
				f.fail("format(): a { that nothing closes: want {{ for a brace")
				return ""
			}
			text := f.field(s[:end], depth)
			if f.makes(len(text)) && f.spendText(b.Len()+len(text)) {
				b.WriteString(text)
			}
			s = s[end+1:]
		}
	}
	return b.String()
}

// closing returns the place of the } that closes a field, -1 for none.
func closing(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth < 0 {
				return i
			}
		}
	}
	return -1
}

// field returns the text of a field, name!conversion:spec.
func (f *fields) field(s string, depth int) string {
	name, spec := s, ""
	bracket := false
	for i := range len(s) {
		if c := s[i]; c == '[' {
			bracket = true
		} else if c == ']' {
			bracket = false
		} else if !bracket && (c == ':' || c == '!') {
			name, spec = s[:i], s[i:]
			break
		}
	}
	if strings.ContainsAny(name, "{}") {
		f.fail("format(): a brace in the name of a field")
		return ""
	}
	convert := ""
	if strings.HasPrefix(spec, "!") {
		convert, spec = spec[1:min(2, len(spec))], spec[min(2, len(spec)):]
		if spec != "" && spec[0] != ':' {
			f.fail("format(): want a : behind the conversion !%s", convert)
			return ""
		}
	}
	spec = strings.TrimPrefix(spec, ":")
	v := f.value(name)
	switch {
	case convert == "r":
		v = f.print(&python, v)
	case convert == "s":
		v = f.str(v)
	case convert != "" || s != name && strings.HasPrefix(s[len(name):], "!") && convert == "":
		f.fail("format(): the conversion !%s is not supported", convert)
		return ""
	}
	if strings.ContainsAny(spec, "{}") {
		spec = f.format(spec, depth-1)
	}
	if f.err != nil {
		return ""
	}
	return f.run.format(v, spec)
}

// value returns what a field names: a place or a name, then .attributes and [items].
func (f *fields) value(name string) any {
	switch isPlace := name != "" && strings.Trim(name, "0123456789") == ""; {
	case name == "" && f.manual, isPlace && f.next > 0:
		return f.fail("format(): fields with and without a number")
	case name == "":
		f.next++
		return f.place(int64(f.next - 1))
	case isPlace:
		f.manual = true
	}
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	first, rest := name[:end], name[end:]
	var v any
	if i, ok, _ := parseInt(first, 10); ok && isDigit(first[0]) {
		v = f.place(i)
	} else if v, ok = f.get(f.named, first); !ok {
		return f.fail("format(): there is no value %q", first)
	}
	for rest != "" && f.err == nil {
		if rest[0] == '[' {
			end := strings.IndexByte(rest, ']')
			if end < 2 {
				return f.fail("format(): the field %q: want [item]", name)
			}
			key := any(rest[1:end])
			if i, ok, _ := parseInt(rest[1:end], 10); ok && strings.Trim(rest[1:end], "0123456789") == "" {
				key = i
			}
			v, rest = f.item(v, key), rest[end+1:]
			if rest != "" && rest[0] != '.' && rest[0] != '[' {
				return f.fail("format(): the field %q: want . or [ behind ]", name)
			}
			continue
		}
		end := strings.IndexAny(rest[1:], ".[") + 1
		if end == 0 {
			end = len(rest)
		}
		if end == 1 {
			return f.fail("format(): the field %q has an empty attribute", name)
		}
		v, rest = f.attr(v, rest[1:end]), rest[end:]
	}
	return v
}

func (f *fields) place(i int64) any {
	if i >= int64(len(f.pos)) {
		return f.fail("format(): there is no value at place %d", i)
	}
	return f.pos[i]
}

// formatFilter is the filter format, which is the operator %.
func formatFilter(r *run, x any, a []any) any {
	given := a[0].(args)
	if isType[markup](x) {
		return r.fail("filter format of a text marked as safe is not supported")
	}
	if len(given.keys) == 0 {
		return r.percent(r.str(x), newTuple(given.pos...))
	}
	if len(given.pos) > 0 {
		return r.fail("filter format: values with and without names")
	}
	m := new(Map)
	for i, k := range given.keys {
		m.Set(k, given.values[i])
	}
	return r.percent(r.str(x), m)
}

// percent is Python's s % v.
func (r *run) percent(s string, v any) any {
	p := percents{run: r, values: []any{v}}
	switch v := v.(type) {
	case *list:
		if v.kind == "tuple" {
			p.values = v.items
		}
		p.loose = v.kind == "list" || v.kind == "range"
	case *Map:
		p.named, p.loose = v, true
	case undefined:
		p.loose = true
	}
	var b strings.Builder
	for r.err == nil {
		before, rest, found := strings.Cut(s, "%")
		b.WriteString(before)
		if !found {
			break
		}
		var text string
		text, s = p.one(rest)
		if !r.makes(len(text)) || !r.spendText(b.Len()+len(text)) {
			return nil
		}
		b.WriteString(text)
	}
	if p.used < len(p.values) && !p.loose {
		return r.fail("%%: %d values for %d places", len(p.values), p.used)
	}
	return b.String()
}

// percents writes the places of a text for the operator %.
type percents struct {
	*run
	values []any
	used   int
	named  *Map
	loose  bool // not all values need a place
}

// one writes the place that s begins with, behind its %, and returns the rest of s.
func (p *percents) one(s string) (text, rest string) {
	f := spec{fill: " ", prec: -1, align: '>'}
	var v any
	isNamed := strings.HasPrefix(s, "(")
	if isNamed {
		key, behind, ok := strings.Cut(s[1:], ")")
		if !ok || p.named == nil || strings.Contains(key, "(") {
			p.fail("%%: the key of (%.40s: want a dict, and a name in parentheses", key)
			return "", ""
		}
		if v, ok = p.get(p.named, key); !ok {
			p.fail("%%: there is no value %q", key)
		}
		s = behind
	}
	left := false
	for ; s != "" && strings.IndexByte("-+ #0", s[0]) >= 0; s = s[1:] {
		switch s[0] {
		case '-':
			left = true
		case '+':
			f.sign = '+'
		case ' ':
			if f.sign == 0 {
				f.sign = ' '
			}
		case '#':
			f.alt = true
		case '0':
			f.zero = true
		}
	}
	if f.width, s = p.digits(s); strings.HasPrefix(s, ".") {
		f.prec, s = p.digits(s[1:])
	}
	s = strings.TrimLeft(s, "hlL")
	if s == "" {
		p.fail("%%: a place without its letter")
		return "", ""
	}
	f.kind, s = s[0], s[1:]
	if left {
		f.align = '<'
	}
	if f.kind == '%' {
		return "%", s
	}
	if !isNamed {
		if p.used == len(p.values) {
			p.fail("%%: too few values")
			return "", ""
		}
		v = p.values[p.used]
		p.used++
	}
	return p.convert(f, v, left), s
}

func (p *percents) convert(f spec, v any, left bool) string {
	number := strings.IndexByte("diuoxXeEfFgG", f.kind) >= 0
	if number && f.zero && !left {
		f.fill, f.align = "0", '='
	}
	switch f.kind {
	case 's', 'r':
		s := p.str(v)
		if f.kind == 'r' {
			s = p.print(&python, v)
		}
		if f.prec >= 0 {
			s = string([]rune(s)[:min(f.prec, utf8.RuneCountInString(s))])
		}
		return p.fit(f, "", s, '>')
	case 'c':
		i, ok := toInt(v)
		s, isText := v.(string)
		if ok && i >= 0 && i <= utf8.MaxRune {
			return p.fit(f, "", string(rune(i)), '>')
		} else if isText && utf8.RuneCountInString(s) == 1 {
			return p.fit(f, "", s, '>')
		}
	case 'd', 'i', 'u', 'o', 'x', 'X':
		i, ok := toInt(v)
		if x, isFloat := v.(float64); isFloat && strings.IndexByte("diu", f.kind) >= 0 {
			i, ok = p.truncated(x, nil).(int64)
		}
		if strings.IndexByte("diu", f.kind) >= 0 {
			f.kind, f.alt = 'd', false
		}
		if ok && f.prec < 0 {
			return p.formatInt(f, i, "%"+string(f.kind))
		}
	default:
		if x, ok := toFloat(v); ok && number {
			return p.formatFloat(f, x, "%"+string(f.kind))
		}
	}
	p.defined(v)
	p.fail("%%%c of %s is not supported", f.kind, p.describe(v))
	return ""
}
