package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The methods of str and dict, which do what Python's do.
var (
	strMethods = map[string]builtin{
		"capitalize": onText(capitalize),
		"endswith":   affix(strings.HasSuffix),
		"find":       {"sub", find},
		"format":     {"**", format},
		"join":       {"iterable", func(r *run, x any, a []any) any { return r.join(r.items(a[0]), x.(string), r.joined) }},
		"lower":      onText(strings.ToLower),
		"lstrip":     {"chars?", strip(strings.TrimLeftFunc)},
		"replace":    {"old new", replace},
		"rstrip":     {"chars?", strip(strings.TrimRightFunc)},
		"split":      {"sep? maxsplit?", split},
		"startswith": affix(strings.HasPrefix),
		"strip":      {"chars?", strip(strings.TrimFunc)},
		"title":      onText(func(s string) string { return titleCase(s, func(c rune) bool { return !unicode.IsLetter(c) }) }),
		"upper":      onText(strings.ToUpper),
	}
	mapMethods = map[string]builtin{
		"get": {"key default?", func(r *run, x any, a []any) any {
			if v, ok := r.get(x.(*Map), a[0]); ok {
				return v
			}
			return or(a[1], nil)
		}},
		"items":  {"", func(_ *run, x any, _ []any) any { return &list{"dict_items", x.(*Map).pairs()} }},
		"keys":   {"", func(_ *run, x any, _ []any) any { return &list{"dict_keys", x.(*Map).keys} }},
		"values": {"", func(_ *run, x any, _ []any) any { return &list{"dict_values", x.(*Map).values} }},
	}
)

// globals holds the functions of jinja2's sandbox, and those that transformers add.
var globals = map[string]builtin{
	"dict":            {"key=value", makeDict},
	"namespace":       {"key=value", makeNamespace},
	"raise_exception": {"message", func(r *run, _ any, a []any) any { return r.fail("%s", r.str(a[0])) }},
	"range":           {"start stop? step?", makeRange},
	"strftime_now":    {"format", strftime},
}

// tests holds the tests of jinja2, with their other names.
var tests = map[string]builtin{
	"boolean": holds(isType[bool]),
	"defined": holds(func(x any) bool { return !isType[undefined](x) }),
	"eq":      relate("=="), "equalto": relate("=="), "==": relate("=="),
	"even":  parity(true),
	"false": holds(func(x any) bool { return x == false }),
	"float": holds(isType[float64]),
	"ge":    relate(">="), ">=": relate(">="),
	"gt": relate(">"), ">": relate(">"),
	"in":       relate("in"),
	"integer":  holds(isType[int64]),
	"iterable": holds(func(x any) bool { return sized(x) || isType[*list](x) }),
	"le":       relate("<="), "<=": relate("<="),
	"lt": relate("<"), "<": relate("<"),
	"mapping": holds(isType[*Map]),
	"ne":      relate("!="), "!=": relate("!="),
	"none":      holds(func(x any) bool { return x == nil }),
	"number":    holds(func(x any) bool { _, ok := toFloat(x); return ok }),
	"odd":       parity(false),
	"sequence":  holds(sized),
	"string":    holds(isType[string]),
	"true":      holds(func(x any) bool { return x == true }),
	"undefined": holds(isType[undefined]),
}

// relate makes a test that compares x with its argument.
func relate(op string) builtin {
	return builtin{"other", func(r *run, x any, a []any) any { return r.relation(op, x, a[0]) }}
}

func parity(even bool) builtin {
	return builtin{"", func(r *run, x any, _ []any) any {
		i, ok := toInt(x)
		if !ok {
			return r.fail("test even or odd of %s: want a whole number", r.describe(x))
		}
		return (i%2 == 0) == even
	}}
}

// holds makes a test without arguments.
func holds(f func(x any) bool) builtin {
	return builtin{"", func(_ *run, x any, _ []any) any { return f(x) }}
}

func isType[T any](x any) bool {
	_, ok := x.(T)
	return ok
}

func sized(x any) bool {
	switch x := x.(type) {
	case *list:
		return x.fixed() || x.kind == "range"
	case string, *Map, undefined:
		return true
	}
	return false
}

// wantStr returns v, which must be a string. what names it in the error.
func (r *run) wantStr(v any, what string) string {
	s, ok := v.(string)
	if !ok {
		r.fail("%s: %s, want a string", what, r.describe(v))
	}
	return s
}

func (r *run) joined(v any) string { return r.wantStr(v, "join()") }

// capitalize is Python's method: the first character in upper case, the others in lower case.
func capitalize(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return strings.ToTitle(s[:n]) + strings.ToLower(s[n:])
}

// titleWords is jinja2's filter title. Unlike Python's method it breaks only at white space and at - ( { [ <.
func titleWords(s string) string {
	return titleCase(s, func(c rune) bool { return isSpace(c) || strings.ContainsRune("-({[<", c) })
}

// titleCase puts the first character and each behind a break in upper case, the others in lower case.
func titleCase(s string, isBreak func(rune) bool) string {
	first := true
	return strings.Map(func(c rune) rune {
		up := first
		if first = isBreak(c); up {
			return unicode.ToTitle(c)
		}
		return unicode.ToLower(c)
	}, s)
}

// strip makes a method that trims the characters of its argument, or white space without an argument.
func strip(trim func(string, func(rune) bool) string) func(r *run, x any, a []any) any {
	return func(r *run, x any, a []any) any {
		chars := or(a[0], nil)
		if chars == nil {
			return trim(r.str(x), isSpace)
		}
		set := map[rune]bool{}
		for _, c := range r.wantStr(chars, "strip") {
			set[c] = true
		}
		return trim(r.str(x), func(c rune) bool { return set[c] })
	}
}

// affix makes the method startswith or endswith.
func affix(has func(s, affix string) bool) builtin {
	return builtin{"affix", func(r *run, x any, a []any) any {
		return has(x.(string), r.wantStr(a[0], "startswith or endswith"))
	}}
}

func find(r *run, x any, a []any) any {
	s := x.(string)
	i := strings.Index(s, r.wantStr(a[0], "find()"))
	return int64(utf8.RuneCountInString(s[:max(i, 0)]) + min(i, 0))
}

// format is str.format for the field {} alone.
func format(r *run, x any, a []any) any {
	parts, given := strings.Split(x.(string), "{}"), a[0].(args)
	if len(parts) > len(given.pos)+1 || len(given.keys) > 0 || strings.ContainsAny(strings.Join(parts, ""), "{}") {
		return r.fail("format(): want a value for each {}; other fields are not supported")
	}
	texts := []any{parts[0]}
	for i, s := range parts[1:] {
		texts = append(texts, given.pos[i], s)
	}
	return r.join(texts, "", r.str)
}

func replace(r *run, x any, a []any) any {
	s, old, new := r.str(x), r.str(a[0]), r.str(a[1])
	if !r.spendText(len(s) + strings.Count(s, old)*max(0, len(new)-len(old))) {
		return nil
	}
	return strings.ReplaceAll(s, old, new)
}

// split is Python's method: it splits at sep, or at runs of white space, at most maxsplit times.
func split(r *run, x any, a []any) any {
	s, parts := x.(string), []any{}
	most, ok := toInt(or(a[1], int64(-1)))
	if !ok {
		return r.fail("split(): maxsplit %s, want a whole number", r.describe(a[1]))
	}
	sep := or(a[0], nil)
	if sep == nil {
		s = strings.TrimLeftFunc(s, isSpace)
	} else if r.wantStr(sep, "split()") == "" {
		return r.fail("split(): an empty separator")
	}
	for ; most != 0 && r.spend(4); most-- {
		at, n := 0, 0
		if sub, ok := sep.(string); ok {
			at, n = strings.Index(s, sub), len(sub)
		} else if at = strings.IndexFunc(s, isSpace); at >= 0 {
			n = len(s[at:]) - len(strings.TrimLeftFunc(s[at:], isSpace))
		}
		if at < 0 {
			break
		}
		parts, s = append(parts, s[:at]), s[at+n:]
	}
	if sep != nil || s != "" {
		parts = append(parts, s)
	}
	return &list{"list", parts}
}

func makeDict(r *run, _ any, a []any) any {
	m, given := new(Map), a[0].(args)
	for i, k := range given.keys {
		m.Set(k, given.values[i])
	}
	return m
}

func makeNamespace(r *run, _ any, a []any) any {
	ns, given := &namespace{map[string]any{}}, a[0].(args)
	for i, k := range given.keys {
		ns.vars[k] = given.values[i]
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
	r.spend(int(n))
	var numbers []any
	for i := 0; float64(i) < n; i++ {
		numbers = append(numbers, start+int64(i)*step)
	}
	return &list{"range", numbers}
}

// layouts maps the directives of strftime to layouts of package time.
var layouts = map[byte]string{'Y': "2006", 'y': "06", 'm': "01", 'B': "January", 'b': "Jan", 'd': "02", 'A': "Monday",
	'a': "Mon", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'F': "2006-01-02",
	'T': "15:04:05", 'e': "_2", '%': "%"}

// strftime prints the time of now, by directives such as %B %d, %Y. A "-" drops leading zeros.
func strftime(r *run, _ any, a []any) any {
	now, rest := r.now(), r.wantStr(a[0], "strftime_now()")
	var b strings.Builder
	for r.err == nil {
		before, directive, found := strings.Cut(rest, "%")
		b.WriteString(before)
		if !found {
			break
		}
		directive, trim := strings.CutPrefix(directive, "-")
		layout, known := layouts[(directive + " ")[0]]
		if !known {
			return r.fail("strftime_now(): the directive %%%.1s is not supported", directive)
		}
		s := now.Format(layout)
		if trim {
			s = strings.TrimPrefix(s, "0")
		}
		b.WriteString(s)
		rest = directive[1:]
	}
	return b.String()
}
