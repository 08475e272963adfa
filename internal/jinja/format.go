package jinja

import (
	"fmt"
	"strconv"
	"strings"
)

// globals are the functions of jinja2's sandbox, and those of transformers.
var globals = map[string]builtin{
	"dict":            {"**", makeDict},
	"namespace":       {"**", func(r *run, x any, a []any) any { m, _ := makeDict(r, x, a).(*Map); return &namespace{m} }},
	"raise_exception": {"message", func(r *run, _ any, a []any) any { return r.fail("%s", r.str(a[0])) }},
	"range":           {"start stop? step?", makeRange},
	"strftime_now":    {"format", func(r *run, _ any, a []any) any { return r.strftime(r.wantStr(a[0], "strftime_now()")) }},
}

// makeDict is dict(), dict(pairs or a dict) and dict(key=value, …).
func makeDict(r *run, _ any, a []any) any {
	m, given := newMap(), a[0].(args)
	if len(given.pos) > 1 {
		return r.fail("dict(): %d arguments, want one", len(given.pos))
	}
	for _, v := range given.pos {
		if from, ok := v.(*Map); ok {
			v = from.pairs()
		}
		for _, pair := range r.items(v) {
			kv := r.items(pair)
			if len(kv) != 2 {
				return r.fail("dict(): want pairs")
			}
			r.put(m, kv[0], kv[1])
		}
	}
	for i, k := range given.keys {
		m.put(k, given.values[i])
	}
	if r.err != nil {
		return nil
	}
	return m
}

func makeRange(r *run, _ any, a []any) any {
	start, ok1 := toInt(a[0])
	stop, ok2 := toInt(or(a[1], int64(0)))
	step, ok3 := toInt(or(a[2], int64(1)))
	if a[1] == (absent{}) {
		start, stop = 0, start
	}
	if !ok1 || !ok2 || !ok3 || step == 0 {
		return r.fail("range(): want whole numbers, and no step 0")
	}
	n := 0.0
	if (stop > start) == (step > 0) {
		n = (float64(stop) - float64(start)) / float64(step)
	}
	if n > maxRange {
		return r.fail("range(): %.0f items, want at most %d", n, maxRange)
	}
	r.spend(int(n))
	s := &sequence{name: "range", text: fmt.Sprintf("range(%d, %d)", start, stop)}
	if step != 1 {
		s.text = fmt.Sprintf("range(%d, %d, %d)", start, stop, step)
	}
	for i := 0; float64(i) < n; i++ {
		s.items = append(s.items, start+int64(i)*step)
	}
	return s
}

func format(r *run, x any, a []any) any {
	given := a[0].(args)
	if len(given.keys) > 0 {
		return r.fail("filter format: named arguments are not supported")
	}
	return r.printf(r.str(x), tuple(given.pos))
}

// printf is Python's format % values, for the directives s r d i f g e x and %, with flags, width and precision.
func (r *run) printf(format string, values any) any {
	list, ok := values.(tuple)
	if !ok {
		list = tuple{values}
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(format, "%")
		r.print(&b, before)
		if !found || r.err != nil {
			break
		}
		n := strings.IndexFunc(rest, func(c rune) bool { return !strings.ContainsRune("-+ #0123456789.", c) })
		if n < 0 {
			return r.fail("format %q: an incomplete directive", format)
		}
		spec, verb := rest[:n], rest[n]
		format = rest[n+1:]
		if verb == '%' {
			b.WriteByte('%')
			continue
		}
		if len(list) == 0 {
			return r.fail("format: too few values for %%%s%c", spec, verb)
		}
		b.WriteString(r.directive(spec, verb, plain(list[0])))
		list = list[1:]
	}
	switch values.(type) {
	case *Map, []any, undefined: // Python does not ask whether these were used
	default:
		if len(list) > 0 {
			return r.fail("format: %d values too many", len(list))
		}
	}
	return b.String()
}

// directive formats one value.
func (r *run) directive(spec string, verb byte, v any) string {
	for _, n := range strings.FieldsFunc(spec, func(c rune) bool { return c < '0' || c > '9' }) {
		if w, err := strconv.Atoi(n); err != nil || w > maxUnits || !r.spendText(w) {
			r.fail("format %%%s%c: want at most %d characters", spec, verb, maxUnits)
			return ""
		}
	}
	f, isNum := toFloat(v)
	i, isInt := toInt(v)
	switch {
	case verb == 's':
		return fmt.Sprintf("%"+spec+"s", r.str(v))
	case verb == 'r':
		return fmt.Sprintf("%"+spec+"s", r.repr(v))
	case (verb == 'd' || verb == 'i') && isNum:
		if !isInt {
			i = int64(f)
		}
		return fmt.Sprintf("%"+spec+"d", i)
	case (verb == 'x' || verb == 'X' || verb == 'o') && isInt:
		return fmt.Sprintf("%"+spec+string(verb), i)
	case strings.IndexByte("feEgG", verb) >= 0 && isNum:
		if (verb == 'g' || verb == 'G') && !strings.Contains(spec, ".") {
			spec += ".6"
		}
		return fmt.Sprintf("%"+spec+string(verb), f)
	}
	r.fail("format %%%s%c of %s is not supported", spec, verb, r.describe(v))
	return ""
}

// formatBraces is Python's str.format with the fields {}, {0} and {name}.
func formatBraces(r *run, x any, a []any) any {
	rest, given := x.(string), a[0].(args)
	var b strings.Builder
	for next := 0; r.err == nil; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			r.print(&b, rest)
			break
		}
		r.print(&b, rest[:i])
		if strings.HasPrefix(rest[i+1:], rest[i:i+1]) { // {{ is {
			b.WriteByte(rest[i])
			rest = rest[i+2:]
			continue
		}
		field, after, found := strings.Cut(rest[i+1:], "}")
		if rest[i] == '}' || !found {
			return r.fail("format(): a single brace")
		}
		if rest = after; field == "" {
			field = strconv.Itoa(next)
			next++
		}
		r.print(&b, r.field(given, field))
	}
	return b.String()
}

func (r *run) field(given args, name string) any {
	for i, k := range given.keys {
		if k == name {
			return given.values[i]
		}
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(given.pos) {
		return given.pos[i]
	}
	return r.fail("format(): the field {%s} is not supported or has no value", name)
}

// strftimes are the directives of strftime as layouts of package time.
var strftimes = map[byte]string{'Y': "2006", 'y': "06", 'm': "01", 'B': "January", 'b': "Jan", 'h': "Jan", 'd': "02", 'e': "_2",
	'A': "Monday", 'a': "Mon", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'j': "002",
	'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'D': "01/02/06", 'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06",
	'X': "15:04:05"}

// strftime prints the time of now: %B %d, %Y; a "-" drops leading zeros.
func (r *run) strftime(format string) any {
	now := r.now()
	var b strings.Builder
	for r.err == nil {
		before, rest, found := strings.Cut(format, "%")
		r.print(&b, before)
		if !found {
			break
		}
		rest, trim := strings.CutPrefix(rest, "-")
		if rest == "" {
			return r.fail("strftime_now(): an incomplete directive")
		}
		s := now.Format(strftimes[rest[0]])
		switch _, ok := strftimes[rest[0]]; {
		case rest[0] == '%':
			s = "%"
		case !ok:
			return r.fail("strftime_now(): the directive %%%c is not supported", rest[0])
		case trim:
			s = strings.TrimLeft(s[:len(s)-1], "0 ") + s[len(s)-1:]
		}
		r.print(&b, s)
		format = rest[1:]
	}
	return b.String()
}
