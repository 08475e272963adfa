package jinja

import (
	"strconv"
	"strings"
)

// globals holds the functions of jinja2's sandbox, and those that transformers add.
var globals = map[string]builtin{
	"cycler":          {"**", makeCycler},
	"dict":            {"**", makeDict},
	"joiner":          {"sep?", makeJoiner},
	"namespace":       {"**", makeNamespace},
	"raise_exception": {"message", func(r *run, _ any, a []any) any { return r.fail("%s", r.str(a[0])) }},
	"range":           {"/start stop? step?", makeRange},
	"strftime_now":    {"format", strftime},
}

// tests holds the tests of jinja2, with their other names.
var tests map[string]builtin

func init() { // in init because the test named test reads the table
	tests = map[string]builtin{
		"boolean":     holds(isType[bool]),
		"callable":    holds(isCallable),
		"defined":     holds(func(x any) bool { return !isType[undefined](x) }),
		"divisibleby": {"num", divisible},
		"escaped":     holds(isType[markup]),
		"eq":          relate("=="), "equalto": relate("=="), "==": relate("=="),
		"even":   parity(true),
		"false":  holds(func(x any) bool { return x == false }),
		"filter": {"", func(_ *run, x any, _ []any) any { return named(filters, x) || refusedNames["filter"][nameOf(x)] }},
		"float":  holds(isType[float64]),
		"ge":     relate(">="), ">=": relate(">="),
		"gt": relate(">"), ">": relate(">"), "greaterthan": relate(">"),
		"in":       relate("in"),
		"integer":  holds(isType[int64]),
		"iterable": holds(func(x any) bool { return sized(x) || isType[*list](x) }),
		"le":       relate("<="), "<=": relate("<="),
		"lower": {"", func(r *run, x any, _ []any) any { return isCase(isLower)(r.str(x)) }},
		"lt":    relate("<"), "<": relate("<"), "lessthan": relate("<"),
		"mapping": holds(isType[*Map]),
		"ne":      relate("!="), "!=": relate("!="),
		"none":      holds(func(x any) bool { return x == nil }),
		"number":    holds(func(x any) bool { _, ok := toFloat(x); return ok }),
		"odd":       parity(false),
		"sameas":    {"other", same},
		"sequence":  holds(sized),
		"string":    holds(isType[string]),
		"test":      {"", func(_ *run, x any, _ []any) any { return named(tests, x) }},
		"true":      holds(func(x any) bool { return x == true }),
		"undefined": holds(isType[undefined]),
		"upper":     {"", func(r *run, x any, _ []any) any { return isCase(isUpper)(r.str(x)) }},
	}
}

func nameOf(x any) string {
	s, _ := x.(string)
	return s
}

func named(table map[string]builtin, x any) bool {
	_, ok := table[nameOf(x)]
	return ok
}

// relate makes a test that compares x with its argument.
func relate(op string) builtin {
	return builtin{"/other", func(r *run, x any, a []any) any { return r.relation(op, x, a[0]) }}
}

func parity(even bool) builtin {
	return builtin{"", func(r *run, x any, _ []any) any {
		rest := r.binary("%", x, func(*run) any { return int64(2) })
		return r.err == nil && r.equal(rest, map[bool]int64{true: 0, false: 1}[even])
	}}
}

func divisible(r *run, x any, a []any) any {
	rest := r.binary("%", x, func(*run) any { return a[0] })
	return r.err == nil && r.equal(rest, int64(0))
}

// holds makes a test without arguments.
func holds(f func(x any) bool) builtin {
	return builtin{"", func(_ *run, x any, _ []any) any { return f(x) }}
}

func isType[T any](x any) bool {
	_, ok := x.(T)
	return ok
}

func isCallable(x any) bool {
	if o, ok := x.(*object); ok {
		return o.call != nil || o.kind == "LoopContext"
	}
	return isType[*callable](x) || isType[undefined](x)
}

// same tells whether two values are one object in Python, which leaves that open for numbers and texts.
func same(r *run, x any, a []any) any {
	switch x.(type) {
	case nil, bool, *list, *Map, *namespace, *object:
		return x == a[0]
	}
	if typeName(x) != typeName(a[0]) {
		return false
	}
	return r.fail("test sameas of %s: want none, true, false, a list or a dict", typeName(x))
}

func sized(x any) bool {
	switch x := x.(type) {
	case *list:
		return x.fixed() || x.kind == "range"
	case string, markup, *Map, undefined:
		return true
	}
	return false
}

// makeDict is Python's dict(): of a dict or of pairs, and of named values.
func makeDict(r *run, _ any, a []any) any {
	m, given := new(Map), a[0].(args)
	if len(given.pos) > 1 {
		return r.fail("dict(): %d arguments, want at most 1", len(given.pos))
	}
	r.makes(300 + 100*len(given.keys))
	for _, v := range given.pos {
		if from, ok := v.(*Map); ok {
			r.items(from)
			v = newList(r.pairs(from))
		}
		for _, pair := range r.items(v) {
			two := r.items(pair)
			r.makes(100)
			if len(two) != 2 || !isKey(two[0]) {
				return r.fail("dict(): want pairs of a key and a value")
			}
			m.put(two[0], two[1])
		}
	}
	for i, k := range given.keys {
		m.Set(k, given.values[i])
	}
	return m
}

func makeNamespace(r *run, x any, a []any) any {
	ns := new(namespace)
	if m, ok := makeDict(r, x, a).(*Map); ok {
		ns.vars = *m
	}
	return ns
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
	n := max(0, (float64(stop)-float64(start))/float64(step))
	if n > maxRange {
		return r.fail("range(): %.0f items, want at most %d", n, maxRange)
	}
	if !r.spend(int(n)) || !r.makes(24*int(n)) {
		return nil
	}
	var numbers []any
	for i := 0; float64(i) < n; i++ {
		numbers = append(numbers, start+int64(i)*step)
	}
	text := "range(" + strconv.FormatInt(start, 10) + ", " + strconv.FormatInt(stop, 10)
	if step != 1 {
		text += ", " + strconv.FormatInt(step, 10)
	}
	return &list{kind: "range", items: numbers, text: text + ")"}
}

// layouts maps the directives of strftime to layouts of package time.
var layouts = map[byte]string{'Y': "2006", 'y': "06", 'm': "01", 'B': "January", 'b': "Jan", 'h': "Jan", 'd': "02", 'A': "Monday",
	'a': "Mon", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'F': "2006-01-02", 'D': "01/02/06", 'j': "002",
	'T': "15:04:05", 'R': "15:04", 'e': "_2", 'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05", 'r': "03:04:05 PM",
	'%': "%", 'n': "\n", 't': "\t"}

// strftime prints the time of now, by directives such as %B %d, %Y. A "-" drops leading zeros and blanks.
func strftime(r *run, _ any, a []any) any {
	now, rest := r.now(), r.wantStr(a[0], "strftime_now()")
	var b strings.Builder
	for r.err == nil {
		before, directive, found := strings.Cut(rest, "%")
		b.WriteString(before)
		if !found {
			break
		}
		if directive == "" { // a % at the end stands for itself
			b.WriteByte('%')
			break
		}
		given := directive
		directive, trim := strings.CutPrefix(directive, "-")
		letter := (directive + " ")[0]
		layout, known := layouts[letter]
		s := now.Format(layout)
		switch {
		case letter == 'f':
			s, known = now.Format(".000000")[1:], true
		case letter == 'k' || letter == 'l':
			s, known = pad2(map[byte]int{'k': now.Hour(), 'l': (now.Hour()+11)%12 + 1}[letter]), true
		case letter == 'u' || letter == 'w':
			s, known = strconv.Itoa(map[byte]int{'u': (int(now.Weekday())+6)%7 + 1, 'w': int(now.Weekday())}[letter]), true
		}
		if !known || trim && strings.IndexByte("mdHIMSjeykl", letter) < 0 {
			return r.fail("strftime_now(): the directive %%%.2s is not supported", given)
		}
		if trim {
			s = strings.TrimLeft(s[:len(s)-1], "0 ") + s[len(s)-1:]
		}
		b.WriteString(s)
		rest = directive[1:]
	}
	return b.String()
}

func pad2(n int) string {
	s := strconv.Itoa(n)
	return strings.Repeat(" ", max(0, 2-len(s))) + s
}
