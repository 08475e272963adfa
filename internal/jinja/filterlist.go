package jinja

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

func init() {
	maps.Copy(filters, map[string]builtin{
		"batch":      {"linecount fill_with?", lazily(batch)},
		"dictsort":   {"case_sensitive? by? reverse?", dictSort},
		"first":      {"", first},
		"groupby":    {"attribute default? case_sensitive?", groupBy},
		"items":      {"", lazily(items)},
		"join":       {"d? attribute?", joinItems},
		"last":       {"", last},
		"list":       {"", func(r *run, x any, _ []any) any { return newList(slices.Clone(r.items(x))) }},
		"map":        {"**", lazily(mapItems)},
		"max":        extreme(true),
		"min":        extreme(false),
		"reject":     choose(false, false),
		"rejectattr": choose(true, false),
		"reverse":    {"", reverse},
		"select":     choose(false, true),
		"selectattr": choose(true, true),
		"slice":      {"slices fill_with?", lazily(divide)},
		"sort":       {"reverse? case_sensitive? attribute?", sortItems},
		"sum":        {"attribute? start?", sum},
		"unique":     {"case_sensitive? attribute?", lazily(unique)},
	})
}

// edge returns an item, undefined where there is none.
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

func last(r *run, x any, _ []any) any {
	if l, ok := x.(*list); ok && l.kind == "generator" {
		return r.fail("the last item of a generator: want a list, as in x|list|last")
	}
	all := r.items(x)
	return edge(all, len(all)-1)
}

// lazily makes a filter whose items are made when something reads them, as Python's generators do. So its errors show
// then.
func lazily(f func(r *run, x any, a []any) []any) func(r *run, x any, a []any) any {
	return func(r *run, x any, a []any) any {
		return &list{kind: "generator", make: func() []any { return f(r, x, a) }}
	}
}

func items(r *run, x any, _ []any) []any {
	switch x := x.(type) {
	case *Map:
		return r.pairs(x)
	case undefined:
		return nil
	}
	r.fail("filter items of %s: want a dict", typeName(x))
	return nil
}

// first takes the first item; of a generator it leaves the others.
func first(r *run, x any, _ []any) any {
	all := r.items(x)
	if l, ok := x.(*list); ok && l.kind == "generator" && len(all) > 1 {
		l.items = all[1:]
	}
	return edge(all, 0)
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
		if b.Len()+len(s) > maxOutput {
			return r.fail("more than %d bytes of text", maxOutput)
		}
		if !r.makes(len(s)) {
			return nil
		}
		b.WriteString(s)
	}
	return b.String()
}

// path returns v.a.b for the attribute "a.b", v[1] for 1, and v without an attribute. Digits between dots are an index.
func (r *run) path(v, attribute any) any { return r.pathOr(v, attribute, nil) }

// pathOr puts otherwise, where it is not nil, in the place of what is undefined on the way.
func (r *run) pathOr(v, attribute, otherwise any) any {
	if attribute = or(attribute, nil); attribute == nil {
		return v
	}
	parts := []any{attribute}
	if s, ok := plain(attribute).(string); ok {
		parts = nil
		for _, part := range strings.Split(s, ".") {
			if i, ok, _ := parseInt(part, 10); ok && strings.Trim(part, "0123456789") == "" {
				parts = append(parts, i)
			} else {
				parts = append(parts, part)
			}
		}
	}
	for _, part := range parts {
		v = r.item(v, part)
		if _, missing := v.(undefined); missing && otherwise != nil {
			v = otherwise
		}
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

// mapItems is the filter map("filter", …) or map(attribute="a.b", default=…).
func mapItems(r *run, x any, a []any) []any {
	given := a[0].(args)
	var one func(v any) any
	if len(given.pos) > 0 {
		name, rest := r.str(given.pos[0]), args{given.pos[1:], given.keys, given.values}
		one = func(v any) any { return r.apply("filter", filters, name, v, rest) }
	} else {
		named := map[string]any{"attribute": absent{}, "default": nil}
		for i, k := range given.keys {
			if _, ok := named[k]; !ok {
				r.fail("filter map: the argument %q is not supported", k)
				return nil
			}
			named[k] = given.values[i]
		}
		if named["attribute"] == (absent{}) {
			r.fail(`filter map: want map("filter", …) or map(attribute=…)`)
			return nil
		}
		one = func(v any) any { return r.pathOr(v, named["attribute"], named["default"]) }
	}
	var out []any
	for _, v := range r.some(x) {
		if r.err != nil {
			return nil
		}
		out = append(out, one(v))
	}
	return out
}

// choose keeps the items for which a test gives want; without a test, those whose truth is want. With attr it tests
// an attribute of the item.
func choose(attr, want bool) builtin {
	return builtin{"**", lazily(func(r *run, x any, a []any) []any {
		given := a[0].(args)
		var attribute any
		if attr && len(given.pos) == 0 {
			r.fail("filter selectattr: no attribute")
			return nil
		} else if attr {
			attribute, given.pos = given.pos[0], given.pos[1:]
		}
		var out []any
		for _, v := range r.some(x) {
			if r.err != nil {
				return nil
			}
			got := r.path(v, attribute)
			if len(given.pos) > 0 {
				got = r.apply("test", tests, r.str(given.pos[0]), got, args{given.pos[1:], given.keys, given.values})
			}
			if r.truth(got) == want {
				out = append(out, v)
			}
		}
		return out
	})}
}

func reverse(r *run, x any, _ []any) any {
	if _, ok := x.(string); ok {
		return r.slice(x, nil, nil, int64(-1))
	}
	return &list{kind: "generator", items: cut(r, r.items(x), nil, nil, int64(-1))}
}

// sortKey returns what sort, unique, min and max compare: the item or its attribute, a string in lower case.
func (r *run) sortKey(v, caseSensitive, attribute any) any {
	v = r.path(v, attribute)
	if s, ok := plain(v).(string); ok && !r.truth(or(caseSensitive, false)) && r.spend(len(s)) {
		return lower(s)
	}
	return v
}

// sorted sorts items by an attribute. Items with equal keys keep their order, also where down is set.
func (r *run) sorted(items []any, down bool, caseSensitive, attribute any) []any {
	return r.sortedBy(items, down, func(v any) any { return r.sortKey(v, caseSensitive, attribute) })
}

func (r *run) sortedBy(items []any, down bool, key func(v any) any) []any {
	type keyed struct{ v, key any }
	if !r.makes(100 * len(items)) {
		return nil
	}
	all := make([]keyed, len(items))
	for i, v := range items {
		all[i] = keyed{v, key(v)}
	}
	slices.SortStableFunc(all, func(a, b keyed) int {
		if down {
			a, b = b, a
		}
		return r.order("<", a.key, b.key)
	})
	out := make([]any, len(items))
	for i, k := range all {
		out[i] = k.v
	}
	return out
}

// sortItems is the filter sort. It compares lists of keys, so that equal keys need no order.
func sortItems(r *run, x any, a []any) any {
	by := []any{a[2]}
	if s, ok := plain(a[2]).(string); ok {
		by = nil
		for _, part := range strings.Split(s, ",") {
			by = append(by, part)
		}
	}
	return newList(r.sortedBy(r.items(x), r.truth(or(a[0], false)), func(v any) any {
		keys := make([]any, len(by))
		r.makes(100 + 16*len(by))
		for i, attribute := range by {
			keys[i] = r.sortKey(v, a[1], attribute)
		}
		return newList(keys)
	}))
}

// extreme makes the filter max or min: of several equal items, the first.
func extreme(down bool) builtin {
	return builtin{"case_sensitive? attribute?", func(r *run, x any, a []any) any {
		return edge(r.sorted(r.items(x), down, a[0], a[1]), 0)
	}}
}

func dictSort(r *run, x any, a []any) any {
	m, ok := x.(*Map)
	at, known := map[string]int64{"key": 0, "value": 1}[r.str(or(a[1], "key"))]
	if !ok || !known {
		r.defined(x)
		return r.fail("filter dictsort of %s: want a dict, and by key or value", typeName(x))
	}
	r.items(m)
	return newList(r.sorted(r.pairs(m), r.truth(or(a[2], false)), a[0], at))
}

func unique(r *run, x any, a []any) []any {
	var out, seen []any
	for _, v := range r.items(x) {
		key := r.sortKey(v, a[0], a[1])
		if r.spend(len(seen)) && !slices.ContainsFunc(seen, func(k any) bool { return r.equal(k, key) }) {
			seen, out = append(seen, key), append(out, v)
		}
	}
	return out
}

// groupBy sorts items by an attribute, and makes a tuple of each value of it and a list of its items.
func groupBy(r *run, x any, a []any) any {
	var keyed []any
	for _, v := range r.items(x) {
		k := r.pathOr(v, a[0], or(a[1], nil))
		if s, ok := plain(k).(string); ok && !r.truth(or(a[2], false)) {
			k = lower(s)
		}
		if !r.makes(200) {
			return nil
		}
		keyed = append(keyed, newTuple(k, v))
	}
	var groups []any
	for _, pair := range r.sorted(keyed, false, true, int64(0)) {
		k, v := pair.(*list).items[0], pair.(*list).items[1]
		if n := len(groups) - 1; n >= 0 && r.equal(groups[n].(*list).items[0], k) {
			in := groups[n].(*list).items[1].(*list)
			in.items = append(in.items, v)
			continue
		}
		groups = append(groups, &list{kind: "tuple", group: true, items: []any{k, newList([]any{v})}})
	}
	for _, g := range groups { // a group is named as its first item writes it
		first := g.(*list).items[1].(*list).items[0]
		g.(*list).items[0] = r.pathOr(first, a[0], or(a[1], nil))
	}
	return newList(groups)
}

// size returns a whole number of at least 1.
func (r *run) size(what string, v any) int {
	n, ok := toInt(v)
	if !ok || n < 1 || n > maxRange {
		r.fail("%s: %s, want a whole number from 1 to %d", what, r.describe(v), maxRange)
		return 1
	}
	return int(n)
}

// batch cuts items into lists of n.
func batch(r *run, x any, a []any) []any {
	all, n, fill := r.items(x), r.size("filter batch", a[0]), or(a[1], nil)
	var out []any
	for ; len(all) > 0 && r.makes(100); all = all[min(n, len(all)):] {
		part := slices.Clone(all[:min(n, len(all))])
		for fill != nil && len(part) < n && r.makes(16) {
			part = append(part, fill)
		}
		out = append(out, newList(part))
	}
	return out
}

// divide cuts items into n lists of nearly the same length.
func divide(r *run, x any, a []any) []any {
	all, n, fill := r.items(x), r.size("filter slice", a[0]), or(a[1], nil)
	least, longer := len(all)/n, len(all)%n
	var out []any
	for i := range n {
		take := least
		if i < longer {
			take++
		}
		part := slices.Clone(all[:take])
		if all = all[take:]; fill != nil && i >= longer {
			part = append(part, fill)
		}
		if !r.makes(100) {
			return nil
		}
		out = append(out, newList(part))
	}
	return out
}

// sum adds items, or an attribute of them, to start.
func sum(r *run, x any, a []any) any {
	total := or(a[1], int64(0))
	if _, isText := plain(total).(string); isText {
		return r.fail("filter sum: a text as the start: want a number or a list")
	}
	for _, v := range r.items(x) {
		if r.err != nil {
			return nil
		}
		v = r.path(v, a[0])
		total = r.binary("+", total, func(*run) any { return v })
	}
	return total
}
