package jinja

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// The methods of str, dict, and of lists and tuples by their kind. They do what Python's do.
var (
	strMethods  = map[string]builtin{}
	mapMethods  map[string]builtin
	listMethods map[string]map[string]builtin
)

func init() { // in init because the methods call methods
	maps.Copy(strMethods, map[string]builtin{
		"center":     padMethod(padBoth),
		"count":      {"/sub start? end?", countText},
		"endswith":   affix(strings.HasSuffix),
		"expandtabs": {"tabsize?", expandTabs},
		"find":       seek("find", strings.Index),
		"format":     {"**", formatMethod},
		"format_map": {"/mapping", formatMap},
		"index":      seek("index", strings.Index),
		"join":       {"/iterable", func(r *run, x any, a []any) any { return r.join(r.items(a[0]), x.(string), r.joined) }},
		"ljust":      padMethod(padRight),
		"lstrip":     {"/chars?", strip(strings.TrimLeftFunc)},
		"partition":  partition("partition", strings.Index),
		"removeprefix": {"/prefix", func(r *run, x any, a []any) any {
			return strings.TrimPrefix(x.(string), r.wantStr(a[0], "removeprefix()"))
		}},
		"removesuffix": {"/suffix", func(r *run, x any, a []any) any {
			return strings.TrimSuffix(x.(string), r.wantStr(a[0], "removesuffix()"))
		}},
		"replace": {"/old new count?", func(r *run, x any, a []any) any {
			return r.replace(x.(string), r.wantStr(a[0], "replace()"), r.wantStr(a[1], "replace()"), or(a[2], nil))
		}},
		"rfind":      seek("find", strings.LastIndex),
		"rindex":     seek("index", strings.LastIndex),
		"rjust":      padMethod(padLeft),
		"rpartition": partition("rpartition", strings.LastIndex),
		"rsplit":     {"sep? maxsplit?", splitFrom(true)},
		"rstrip":     {"/chars?", strip(strings.TrimRightFunc)},
		"split":      {"sep? maxsplit?", splitFrom(false)},
		"splitlines": {"keepends?", func(r *run, x any, a []any) any {
			return newList(texts(r.splitLines(x.(string), r.truth(or(a[0], false)))))
		}},
		"startswith": affix(strings.HasPrefix),
		"strip":      {"/chars?", strip(strings.TrimFunc)},
		"zfill":      {"/width", zeroFill},
	})
}

func init() {
	mapMethods = map[string]builtin{
		"copy": {"/", func(r *run, x any, _ []any) any { return x }}, // values do not change
		"get": {"/key default?", func(r *run, x any, a []any) any {
			if v, ok := r.get(x.(*Map), a[0]); ok {
				return v
			} else if !isKey(a[0]) && !isType[undefined](a[0]) {
				return r.fail("get(%s): want a string, a number, true, false or none", typeName(a[0]))
			}
			return or(a[1], nil)
		}},
		"items": {"/", func(r *run, x any, _ []any) any {
			return &list{kind: "dict_items", items: r.pairs(x.(*Map))}
		}},
		"keys":   {"/", func(_ *run, x any, _ []any) any { return &list{kind: "dict_keys", items: x.(*Map).keys} }},
		"values": {"/", func(_ *run, x any, _ []any) any { return &list{kind: "dict_values", items: x.(*Map).values} }},
	}
	tupleMethods := map[string]builtin{
		"count": {"/value", func(r *run, x any, a []any) any {
			n := int64(0)
			for _, v := range r.items(x) {
				if r.equal(v, a[0]) {
					n++
				}
			}
			return n
		}},
		"index": {"/value start? stop?", indexOf},
	}
	listMethods = map[string]map[string]builtin{"tuple": tupleMethods, "list": {
		"copy":  {"/", func(r *run, x any, _ []any) any { return x }},
		"count": tupleMethods["count"],
		"index": tupleMethods["index"],
	}}
}

// ofText makes a method of a function from text to text.
func ofText(f func(string) string) builtin {
	return builtin{"/", onText(f).f}
}

// telling makes a method that tells something about a text.
func telling(f func(string) bool) builtin {
	return builtin{"/", func(_ *run, x any, _ []any) any { return f(x.(string)) }}
}

// wantStr returns v, which must be a string. what names it in the error.
func (r *run) wantStr(v any, what string) string {
	s, ok := plain(v).(string)
	if !ok {
		r.defined(v)
		r.fail("%s: %s, want a string", what, r.describe(v))
	}
	return s
}

func (r *run) joined(v any) string { return r.wantStr(v, "join()") }

func texts(parts []string) []any {
	out := make([]any, len(parts))
	for i, s := range parts {
		out[i] = s
	}
	return out
}

// strip makes a method that trims the characters of its argument, or white space without an argument.
func strip(trim func(string, func(rune) bool) string) func(r *run, x any, a []any) any {
	return func(r *run, x any, a []any) any {
		chars := or(a[0], nil)
		if chars == nil {
			return trim(r.str(x), isSpace)
		}
		set, cutset := map[rune]bool{}, r.wantStr(chars, "strip")
		if !r.spend(len(cutset)) {
			return nil
		}
		for _, c := range cutset {
			set[c] = true
		}
		return trim(r.str(x), func(c rune) bool { return set[c] })
	}
}

// within returns the part of s from character start up to end, and the number of characters before it. Both may be
// negative, as in slices. ok is false where start is behind the end.
func (r *run) part(s string, start, end any) (part string, before int64, ok bool) {
	if start = or(start, nil); start == nil && or(end, nil) == nil {
		return s, 0, true
	}
	chars := []rune(s)
	n := int64(len(chars))
	at := func(v any, otherwise int64) int64 {
		if v = or(v, nil); v == nil {
			return otherwise
		}
		i, ok := toInt(v)
		if !ok {
			r.fail("a place %s in a text: want a whole number", r.describe(v))
		}
		if i < 0 {
			i = max(i+n, 0)
		}
		return i
	}
	lo, hi := at(start, 0), min(at(end, n), n)
	if lo > hi {
		return "", 0, false
	}
	return string(chars[lo:hi]), lo, true
}

// affix makes the method startswith or endswith. Its argument is a text, or a tuple of them.
func affix(has func(s, affix string) bool) builtin {
	return builtin{"/affix start? end?", func(r *run, x any, a []any) any {
		s, _, ok := r.part(x.(string), a[1], a[2])
		all := []any{a[0]}
		if l, isList := a[0].(*list); isList && l.kind == "tuple" {
			all = r.items(l)
		}
		for _, v := range all {
			if t := r.wantStr(v, "startswith or endswith"); r.reads(t) && ok && has(s, t) {
				return true
			}
		}
		return false
	}}
}

// seek makes the methods find and index, and those from the right. They differ where there is nothing to find.
func seek(name string, index func(s, sub string) int) builtin {
	return builtin{"/sub start? end?", func(r *run, x any, a []any) any {
		s, before, ok := r.part(x.(string), a[1], a[2])
		i := index(s, r.wantStr(a[0], name+"()"))
		if ok && i >= 0 {
			return before + int64(utf8.RuneCountInString(s[:i]))
		} else if name == "index" {
			return r.fail("index(): there is no such text")
		}
		return int64(-1)
	}}
}

func countText(r *run, x any, a []any) any {
	s, _, ok := r.part(x.(string), a[1], a[2])
	if sub := r.wantStr(a[0], "count()"); ok {
		return int64(strings.Count(s, sub))
	}
	return int64(0)
}

// indexOf is the method index of lists and tuples.
func indexOf(r *run, x any, a []any) any {
	all := r.items(x)
	cutOff := &list{kind: "list", items: all}
	lo, hi := or(a[1], nil), or(a[2], nil)
	part, _ := r.slice(cutOff, lo, hi, nil).(*list)
	if part == nil {
		return nil
	}
	before := int64(len(all) - len(part.items))
	if hi != nil {
		if rest, _ := r.slice(cutOff, lo, nil, nil).(*list); rest != nil {
			before = int64(len(all) - len(rest.items))
		}
	}
	i := slices.IndexFunc(part.items, func(v any) bool { return r.equal(v, a[0]) })
	if i < 0 {
		return r.fail("index(): there is no such item")
	}
	return before + int64(i)
}

// The ways to fill up a text on n characters.
func padLeft(n int) (left, right int)  { return n, 0 }
func padRight(n int) (left, right int) { return 0, n }

func padMethod(sides func(n int) (left, right int)) builtin {
	return builtin{"/width fillchar?", func(r *run, x any, a []any) any {
		return r.pad(x.(string), a[0], r.wantStr(or(a[1], " "), "fillchar"), sides)
	}}
}

// padBoth is Python's way: of an odd number, one more goes to the left where the width is odd.
func padBoth(n int) (left, right int) { return -1, n }

// pad fills a text up to a width with one character.
func (r *run) pad(s string, width any, fill string, sides func(n int) (left, right int)) any {
	n, ok := toInt(width)
	if !ok || utf8.RuneCountInString(fill) != 1 {
		return r.fail("a width of %s filled with %q: want a whole number and one character", r.describe(width), fill)
	}
	if n > maxOutput || !r.makes(len(fill)*int(max(n, 0))) {
		return r.fail("a width of %d: more than %d bytes of text", n, maxOutput)
	}
	more := int(n) - utf8.RuneCountInString(s)
	if more <= 0 {
		return s
	}
	left, right := sides(more)
	if left < 0 {
		left = more/2 + more&int(n)&1
		right = more - left
	}
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, right)
}

func zeroFill(r *run, x any, a []any) any {
	s := x.(string)
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign = s[:1]
	}
	n, ok := toInt(a[0])
	if !ok {
		return r.fail("zfill(): width %s, want a whole number", r.describe(a[0]))
	}
	filled, _ := r.pad(s[len(sign):], n-int64(len(sign)), "0", padLeft).(string)
	return sign + filled
}

// expandTabs puts spaces in the place of tabs, up to the next column that tabsize divides.
func expandTabs(r *run, x any, a []any) any {
	size, ok := toInt(or(a[0], int64(8)))
	s := x.(string)
	if !ok || size > maxIndent || !r.makes(strings.Count(s, "\t")*int(max(size, 0))) {
		return r.fail("expandtabs(%s): want a whole number up to %d", r.describe(or(a[0], nil)), maxIndent)
	}
	var b strings.Builder
	column := int64(0)
	for _, c := range s {
		switch {
		case c != '\t':
			b.WriteRune(c)
			if column++; c == '\n' || c == '\r' {
				column = 0
			}
		case size > 0:
			n := size - column%size
			column += n
			b.WriteString(strings.Repeat(" ", int(n)))
		}
	}
	return b.String()
}

// partition makes a method that returns what stands before a separator, the separator, and what stands behind it.
func partition(name string, index func(s, sub string) int) builtin {
	return builtin{"/sep", func(r *run, x any, a []any) any {
		s, sep := x.(string), r.wantStr(a[0], name+"()")
		i := index(s, sep)
		switch {
		case sep == "" && r.err == nil:
			return r.fail("%s(): an empty separator", name)
		case i < 0 && name == "rpartition":
			return newTuple("", "", s)
		case i < 0:
			return newTuple(s, "", "")
		}
		return newTuple(s[:i], sep, s[i+len(sep):])
	}}
}
