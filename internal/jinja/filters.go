package jinja

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// filters holds the filters of jinja2, and the tojson of transformers.
var filters map[string]builtin

func init() { // in init because the filter map calls filters
	filters = map[string]builtin{
		"capitalize": onText(capitalize),
		"count":      {"", length},
		"d":          {"default_value? boolean?", orDefault},
		"default":    {"default_value? boolean?", orDefault},
		"dictsort":   {"", dictSort},
		"first":      {"", func(r *run, x any, _ []any) any { return edge(r.items(x), 0) }},
		"float":      {"default?", func(r *run, x any, a []any) any { return r.float(x, or(a[0], 0.0)) }},
		"indent":     {"width? first? blank?", indent},
		"int":        {"default?", func(r *run, x any, a []any) any { return r.int(x, or(a[0], int64(0))) }},
		"items":      {"", items},
		"join":       {"d? attribute?", joinItems},
		"last":       {"", func(r *run, x any, _ []any) any { all := r.items(x); return edge(all, len(all)-1) }},
		"length":     {"", length},
		"list":       {"", func(r *run, x any, _ []any) any { return &list{"list", r.items(x)} }},
		"lower":      onText(strings.ToLower),
		"map":        {"**", mapItems},
		"max":        extreme(true),
		"min":        extreme(false),
		"reject":     choose(false, false),
		"rejectattr": choose(true, false),
		"replace":    {"old new", replace},
		"reverse":    {"", reverse},
		"safe":       onText(func(s string) string { return s }),
		"select":     choose(false, true),
		"selectattr": choose(true, true),
		"sort": {"reverse? case_sensitive? attribute?", func(r *run, x any, a []any) any {
			return &list{"list", r.sorted(r.items(x), r.truth(or(a[0], false)), a[1], a[2])}
		}},
		"string": onText(func(s string) string { return s }),
		"title":  onText(titleWords),
		"tojson": {"ensure_ascii? indent?", toJSON},
		"trim":   {"chars?", strip(strings.TrimFunc)},
		"unique": {"case_sensitive? attribute?", unique},
		"upper":  onText(strings.ToUpper),
	}
}

// onText makes a filter or method of a function from text to text.
func onText(f func(string) string) builtin {
	return builtin{"", func(r *run, x any, _ []any) any { return f(r.str(x)) }}
}

func orDefault(r *run, x any, a []any) any {
	if _, ok := x.(undefined); ok || r.truth(or(a[1], false)) && !r.truth(x) {
		return or(a[0], "")
	}
	return x
}

func edge(items []any, i int) any {
	if i < 0 || i >= len(items) {
		return undefined{"there is no such item"}
	}
	return items[i]
}

func length(r *run, x any, _ []any) any {
	switch v := x.(type) {
	case string:
		return int64(utf8.RuneCountInString(v))
	case *list:
		if v.kind == "generator" {
			return r.fail("the length of a generator: want a list, as in x|list|length")
		}
	}
	return int64(len(r.items(x)))
}

// spaces returns n spaces.
func (r *run) spaces(n any) string {
	i, ok := toInt(n)
	if !ok || i > maxIndent {
		r.fail("an indent of %s: want a whole number up to %d", r.describe(n), maxIndent)
		return ""
	}
	return strings.Repeat(" ", int(max(i, 0)))
}

func indent(r *run, x any, a []any) any {
	by, ok := or(a[0], int64(4)).(string)
	if !ok {
		by = r.spaces(or(a[0], int64(4)))
	}
	lines := strings.Split(r.wantStr(x, "filter indent"), "\n")
	if !r.spendText(len(by) * len(lines)) {
		return nil
	}
	for i, l := range lines {
		if i == 0 && r.truth(or(a[1], false)) || i > 0 && (l != "" || r.truth(or(a[2], false))) {
			lines[i] = by + l
		}
	}
	return strings.Join(lines, "\n")
}

func (r *run) float(x, otherwise any) any {
	if f, ok := toFloat(x); ok {
		return f
	}
	if s, ok := x.(string); ok {
		if f, err := strconv.ParseFloat(strings.TrimFunc(s, isSpace), 64); err == nil && !strings.ContainsAny(s, "xX") {
			return f
		}
	}
	r.defined(x)
	return otherwise
}

func (r *run) int(x, otherwise any) any {
	if i, ok := toInt(x); ok {
		return i
	}
	s, _ := x.(string)
	if i, err := strconv.ParseInt(strings.TrimFunc(s, isSpace), 10, 64); err == nil {
		return i
	}
	if f, ok := r.float(x, nil).(float64); ok && math.Abs(f) < 1<<63 {
		return int64(f)
	}
	return otherwise
}

func generator(items []any) any { return &list{"generator", items} }

func items(r *run, x any, _ []any) any {
	switch x := x.(type) {
	case *Map:
		return generator(x.pairs())
	case undefined:
		return generator(nil)
	}
	return r.fail("filter items of %s: want a dict", typeName(x))
}

func joinItems(r *run, x any, a []any) any {
	return r.join(r.items(x), r.str(or(a[0], "")), func(v any) string { return r.str(r.path(v, a[1])) })
}

// join returns the texts of items, with sep between them.
func (r *run) join(items []any, sep string, str func(any) string) any {
	var b strings.Builder
	for i, v := range items {
		s := str(v)
		if i > 0 {
			s = sep + s
		}
		if !r.spendText(len(s)) {
			return nil
		}
		b.WriteString(s)
	}
	return b.String()
}

// path returns v.a.b for the attribute "a.b", v[1] for 1, and v without an attribute.
func (r *run) path(v, attribute any) any {
	if attribute = or(attribute, nil); attribute == nil {
		return v
	}
	s, ok := attribute.(string)
	if !ok {
		return r.item(v, attribute)
	}
	for _, part := range strings.Split(s, ".") {
		v = r.item(v, part)
	}
	return v
}

// some returns the items of x. It returns none where x is None, false or empty: map, select and reject test x first.
func (r *run) some(x any) []any {
	if !r.truth(x) {
		return nil
	}
	return r.items(x)
}

// mapItems is the filter map("filter", …) or map(attribute="a.b").
func mapItems(r *run, x any, a []any) any {
	given, one := a[0].(args), func(v any) any { return nil }
	if len(given.pos) > 0 {
		name, rest := r.str(given.pos[0]), args{given.pos[1:], given.keys, given.values}
		one = func(v any) any { return r.apply("filter", filters, name, v, rest) }
	} else if slices.Equal(given.keys, []string{"attribute"}) {
		one = func(v any) any { return r.path(v, given.values[0]) }
	} else {
		return r.fail(`filter map: want map("filter", …) or map(attribute=…)`)
	}
	var out []any
	for _, v := range r.some(x) {
		out = append(out, one(v))
	}
	return generator(out)
}

// choose keeps the items for which a test gives want; without a test, those whose truth is want. With attr it tests
// an attribute of the item.
func choose(attr, want bool) builtin {
	return builtin{"**", func(r *run, x any, a []any) any {
		given := a[0].(args)
		var attribute any
		if attr && len(given.pos) == 0 {
			return r.fail("filter selectattr: no attribute")
		} else if attr {
			attribute, given.pos = given.pos[0], given.pos[1:]
		}
		var out []any
		for _, v := range r.some(x) {
			got := r.path(v, attribute)
			if len(given.pos) > 0 {
				got = r.apply("test", tests, r.str(given.pos[0]), got, args{given.pos[1:], given.keys, given.values})
			}
			if r.truth(got) == want {
				out = append(out, v)
			}
		}
		return generator(out)
	}}
}

func reverse(r *run, x any, _ []any) any {
	if _, ok := x.(string); ok {
		return r.slice(x, nil, nil, int64(-1))
	}
	return generator(cut(r, r.items(x), nil, nil, int64(-1)))
}

// sortKey returns what sort, unique, min and max compare: the item or its attribute, a string in lower case.
func (r *run) sortKey(v, caseSensitive, attribute any) any {
	v = r.path(v, attribute)
	if s, ok := v.(string); ok && !r.truth(or(caseSensitive, false)) && r.reads(s) {
		return strings.ToLower(s)
	}
	return v
}

// sorted sorts items. Items with equal keys keep their order, also where down is set.
func (r *run) sorted(items []any, down bool, caseSensitive, attribute any) []any {
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b any) int {
		if down {
			a, b = b, a
		}
		return r.order("<", r.sortKey(a, caseSensitive, attribute), r.sortKey(b, caseSensitive, attribute))
	})
	return items
}

func extreme(down bool) builtin {
	return builtin{"case_sensitive? attribute?", func(r *run, x any, a []any) any {
		return edge(r.sorted(r.items(x), down, a[0], a[1]), 0)
	}}
}

func dictSort(r *run, x any, _ []any) any {
	m, ok := x.(*Map)
	if !ok {
		return r.fail("filter dictsort of %s: want a dict", typeName(x))
	}
	return &list{"list", r.sorted(m.pairs(), false, false, int64(0))}
}

func unique(r *run, x any, a []any) any {
	var out, seen []any
	for _, v := range r.items(x) {
		key := r.sortKey(v, a[0], a[1])
		if r.spend(len(seen)) && !slices.ContainsFunc(seen, func(k any) bool { return r.equal(k, key) }) {
			seen, out = append(seen, key), append(out, v)
		}
	}
	return generator(out)
}

// toJSON is the filter tojson of transformers: json.dumps, which escapes nothing for HTML.
func toJSON(r *run, x any, a []any) any {
	s := style{words: jsonWords, quote: quoteJSON(r.truth(or(a[0], false))), json: true}
	if by := or(a[1], nil); by != nil {
		s.lines, s.indent = true, r.spaces(by)
	}
	return r.print(&s, x)
}
