package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// wantStr returns v, which must be a string; what is for the error.
func (r *run) wantStr(v any, what string) string {
	s, ok := v.(string)
	if !ok {
		r.fail("%s: %s, want a string", what, r.describe(v))
	}
	return s
}

// onText is a method of a string.
func onText(params string, f func(r *run, s string, a []any) any) builtin {
	return builtin{params, func(r *run, x any, a []any) any { return f(r, x.(string), a) }}
}

// all is a method that tells whether s has characters and all are of a class.
func all(is func(rune) bool) builtin {
	return onText("", func(_ *run, s string, _ []any) any {
		return s != "" && strings.IndexFunc(s, func(c rune) bool { return !is(c) }) < 0
	})
}

func isAlnum(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) }

// strMethods are those of Python's str.
var strMethods = map[string]builtin{
	"capitalize":   onText("", func(_ *run, s string, _ []any) any { return capitalize(s) }),
	"count":        onText("sub", func(r *run, s string, a []any) any { return int64(strings.Count(s, r.wantStr(a[0], "count"))) }),
	"endswith":     onText("suffix", func(r *run, s string, a []any) any { return r.affix(strings.HasSuffix, s, a[0]) }),
	"find":         onText("sub start?", find),
	"format":       {"**", formatBraces},
	"index":        onText("sub start?", index),
	"isalnum":      all(isAlnum),
	"isalpha":      all(unicode.IsLetter),
	"isdigit":      all(unicode.IsDigit),
	"isspace":      all(isSpace),
	"islower":      onText("", func(_ *run, s string, _ []any) any { return isCase(s, unicode.IsUpper, unicode.IsLower) }),
	"isupper":      onText("", func(_ *run, s string, _ []any) any { return isCase(s, unicode.IsLower, unicode.IsUpper) }),
	"join":         {"iterable", joinStrings},
	"lower":        onText("", func(_ *run, s string, _ []any) any { return strings.ToLower(s) }),
	"lstrip":       onText("chars?", func(r *run, s string, a []any) any { return strings.TrimLeftFunc(s, r.cutset(a[0])) }),
	"partition":    onText("sep", func(r *run, s string, a []any) any { return r.partition(s, a[0], strings.Index) }),
	"removeprefix": onText("prefix", func(r *run, s string, a []any) any { return strings.TrimPrefix(s, r.wantStr(a[0], "removeprefix")) }),
	"removesuffix": onText("suffix", func(r *run, s string, a []any) any { return strings.TrimSuffix(s, r.wantStr(a[0], "removesuffix")) }),
	"replace":      {"old new count?", replace},
	"rfind":        onText("sub", func(r *run, s string, a []any) any { return runes(s, strings.LastIndex(s, r.wantStr(a[0], "rfind"))) }),
	"rpartition":   onText("sep", func(r *run, s string, a []any) any { return r.partition(s, a[0], strings.LastIndex) }),
	"rsplit":       onText("sep? maxsplit?", func(r *run, s string, a []any) any { return r.split(s, a, true) }),
	"rstrip":       onText("chars?", func(r *run, s string, a []any) any { return strings.TrimRightFunc(s, r.cutset(a[0])) }),
	"split":        onText("sep? maxsplit?", func(r *run, s string, a []any) any { return r.split(s, a, false) }),
	"splitlines":   onText("keepends?", splitLines),
	"startswith":   onText("prefix", func(r *run, s string, a []any) any { return r.affix(strings.HasPrefix, s, a[0]) }),
	"strip":        onText("chars?", func(r *run, s string, a []any) any { return strip(r, s, a) }),
	"title": onText("", func(_ *run, s string, _ []any) any {
		return titleCase(s, func(c rune) bool { return !unicode.IsLetter(c) })
	}),
	"upper": onText("", func(_ *run, s string, _ []any) any { return strings.ToUpper(s) }),
}

var listMethods = map[string]builtin{
	"count": {"value", func(r *run, x any, a []any) any {
		n := int64(0)
		for _, v := range r.items(x) {
			n += boolInt(r.equal(v, a[0]))
		}
		return n
	}},
	"index": {"value", func(r *run, x any, a []any) any {
		i := slices.IndexFunc(r.items(x), func(v any) bool { return r.equal(v, a[0]) })
		if i < 0 {
			return r.fail("index(): %s is not in the list", r.describe(a[0]))
		}
		return int64(i)
	}},
	"copy": {"", func(_ *run, x any, _ []any) any { return x }},
}

var mapMethods = map[string]builtin{
	"copy": {"", func(_ *run, x any, _ []any) any { return x }},
	"get": {"key default?", func(r *run, x any, a []any) any {
		if v, ok := r.get(x.(*Map), a[0]); ok {
			return v
		}
		return or(a[1], nil)
	}},
	"items":  {"", func(_ *run, x any, _ []any) any { return &sequence{name: "dict_items", items: x.(*Map).pairs()} }},
	"keys":   {"", func(_ *run, x any, _ []any) any { return &sequence{name: "dict_keys", items: x.(*Map).keys} }},
	"values": {"", func(_ *run, x any, _ []any) any { return &sequence{name: "dict_values", items: x.(*Map).values} }},
}

// listChanges and mapChanges are the methods that Python has and the sandbox hides: they would change the value.
var (
	listChanges = strings.Fields("append clear extend insert pop remove reverse sort")
	mapChanges  = strings.Fields("clear pop popitem setdefault update")
)

// capitalize is Python's: the first character in upper case, the others in lower case.
func capitalize(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return strings.ToTitle(s[:n]) + strings.ToLower(s[n:])
}

// titleCase puts the first character, and each behind a break, in upper case, the others in lower case.
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

// titleWords is jinja2's filter title, which unlike Python's method breaks at white space, - ( { [ < alone.
func titleWords(s string) string {
	return titleCase(s, func(c rune) bool { return isSpace(c) || strings.ContainsRune("-({[<", c) })
}

// cutset returns which characters a strip removes: those of chars, white space without it.
func (r *run) cutset(chars any) func(rune) bool {
	if chars = or(chars, nil); chars == nil {
		return isSpace
	}
	set := map[rune]bool{}
	for _, c := range r.wantStr(chars, "strip") {
		set[c] = true
	}
	return func(c rune) bool { return set[c] }
}

func strip(r *run, s string, a []any) any { return strings.TrimFunc(s, r.cutset(a[0])) }

// affix is startswith and endswith, of a string or any of a tuple.
func (r *run) affix(has func(s, affix string) bool, s string, affix any) any {
	options, ok := affix.(tuple)
	if !ok {
		options = tuple{affix}
	}
	for _, o := range options {
		o = plain(o)
		if r.reads(o) && has(s, r.wantStr(o, "startswith or endswith")) {
			return r.err == nil
		}
	}
	return false
}

// runes turns a place in bytes into one in characters; -1 stays.
func runes(s string, i int) int64 {
	if i < 0 {
		return -1
	}
	return int64(utf8.RuneCountInString(s[:i]))
}

func find(r *run, s string, a []any) any {
	sub := r.wantStr(a[0], "find")
	start, ok := toInt(or(a[1], int64(0)))
	if !ok || start < 0 {
		return r.fail("find(): start %s, want a whole number from 0 on", r.describe(a[1]))
	}
	chars := []rune(s)
	if start > int64(len(chars)) {
		return int64(-1)
	}
	rest := string(chars[start:])
	if i := runes(rest, strings.Index(rest, sub)); i >= 0 {
		return start + i
	}
	return int64(-1)
}

func index(r *run, s string, a []any) any {
	i := find(r, s, a)
	if i == int64(-1) {
		return r.fail("index(): %s is not in the string", r.describe(a[0]))
	}
	return i
}

func joinStrings(r *run, x any, a []any) any {
	var b strings.Builder
	for i, v := range r.items(a[0]) {
		if i > 0 {
			r.print(&b, x)
		}
		r.print(&b, r.wantStr(plain(v), "join()"))
	}
	return b.String()
}

func replace(r *run, x any, a []any) any {
	s, old, new := r.str(x), r.str(a[0]), r.str(a[1])
	n := -1
	if c := or(a[2], nil); c != nil {
		i, ok := toInt(c)
		if !ok {
			return r.fail("replace: count %s, want a whole number", r.describe(c))
		}
		n = int(max(i, -1))
	}
	times := strings.Count(s, old)
	if n >= 0 {
		times = min(times, n)
	}
	if !r.spendText(len(s) + times*max(0, len(new)-len(old))) {
		return nil
	}
	return strings.Replace(s, old, new, n)
}

// split is Python's: at sep, or at runs of white space, at most maxsplit times, from the right with right.
func (r *run) split(s string, a []any, right bool) any {
	most, ok := toInt(or(a[1], int64(-1)))
	if !ok {
		return r.fail("split(): maxsplit %s, want a whole number", r.describe(a[1]))
	}
	if most < 0 || most > int64(len(s)) {
		most = int64(len(s)) + 1
	}
	sep := or(a[0], nil)
	next := func(s string) (at, n int) { return spaceRun(s, right) }
	if sep == nil { // white space at the other end stays in the part that maxsplit leaves
		trim := strings.TrimLeftFunc
		if right {
			trim = strings.TrimRightFunc
		}
		s = trim(s, isSpace)
	} else {
		sub := r.wantStr(sep, "split()")
		if sub == "" {
			return r.fail("split(): an empty separator")
		}
		next = func(s string) (int, int) {
			if right {
				return strings.LastIndex(s, sub), len(sub)
			}
			return strings.Index(s, sub), len(sub)
		}
	}
	parts := []any{}
	for ; most > 0 && r.spend(4); most-- {
		at, n := next(s)
		if at < 0 {
			break
		}
		if right {
			parts, s = append(parts, s[at+n:]), s[:at]
		} else {
			parts, s = append(parts, s[:at]), s[at+n:]
		}
	}
	if sep != nil || s != "" {
		parts = append(parts, s)
	}
	if right {
		slices.Reverse(parts)
	}
	return parts
}

// partition is Python's: what is before sep, sep, and what is behind; without sep all of s at the end searched last.
func (r *run) partition(s string, sep any, search func(s, sep string) int) any {
	sub := r.wantStr(sep, "partition()")
	switch i := search(s, sub); {
	case sub == "":
		return r.fail("partition(): an empty separator")
	case i >= 0:
		return tuple{s[:i], sub, s[i+len(sub):]}
	}
	if search(sub+sub, sub) == 0 {
		return tuple{s, "", ""}
	}
	return tuple{"", "", s}
}

// spaceRun returns place and length of the first or last run of white space, -1 for none.
func spaceRun(s string, last bool) (at, n int) {
	if last {
		end := strings.LastIndexFunc(s, isSpace)
		if end < 0 {
			return -1, 0
		}
		_, size := utf8.DecodeRuneInString(s[end:])
		at = len(strings.TrimRightFunc(s[:end+size], isSpace))
		return at, end + size - at
	}
	if at = strings.IndexFunc(s, isSpace); at < 0 {
		return -1, 0
	}
	return at, len(s[at:]) - len(strings.TrimLeftFunc(s[at:], isSpace))
}

func splitLines(r *run, s string, a []any) any {
	lines := []any{}
	keep := r.truth(or(a[0], false))
	for s != "" && r.spend(4) {
		at := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if at < 0 {
			lines = append(lines, s)
			break
		}
		_, n := utf8.DecodeRuneInString(s[at:])
		if strings.HasPrefix(s[at:], "\r\n") {
			n = 2
		}
		line := s[:at]
		if keep {
			line = s[:at+n]
		}
		lines, s = append(lines, line), s[at+n:]
	}
	return lines
}
