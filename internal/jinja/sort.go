package jinja

import (
	"slices"
	"strings"
)

// sortKey is what sort, unique, min and max compare: the item or an attribute of it, strings without case.
func (r *run) sortKey(v, caseSensitive, attribute any) any {
	if s, ok := attribute.(string); ok && strings.Contains(s, ",") { // the first, then the second …
		var keys []any
		for _, part := range strings.Split(s, ",") {
			keys = append(keys, r.sortKey(v, caseSensitive, part))
		}
		return keys
	} else if attribute != (absent{}) && attribute != nil {
		v = r.path(v, attribute)
	}
	if s, ok := plain(v).(string); ok && !r.truth(or(caseSensitive, false)) {
		return strings.ToLower(s)
	}
	return plain(v)
}

// sorted orders items by their keys and keeps the order of equal ones.
func (r *run) sorted(items []any, key func(any) any, down any) []any {
	type keyed struct{ k, v any }
	list := make([]keyed, len(items))
	for i, v := range items {
		list[i] = keyed{key(v), v}
	}
	sign := 1
	if r.truth(or(down, false)) {
		sign = -1
	}
	slices.SortStableFunc(list, func(a, b keyed) int { return sign * r.order("<", a.k, b.k) })
	out := make([]any, len(list))
	for i, k := range list {
		out[i] = k.v
	}
	return out
}

func sortItems(r *run, x any, a []any) any {
	return r.sorted(r.items(x), func(v any) any { return r.sortKey(v, a[1], a[2]) }, a[0])
}

func dictSort(r *run, x any, a []any) any {
	m, ok := x.(*Map)
	at, known := map[string]int{"key": 0, "value": 1}[r.str(or(a[1], "key"))]
	if !ok || !known {
		return r.fail("filter dictsort of %s: want a dict, by key or value", typeName(x))
	}
	return r.sorted(m.pairs(), func(v any) any { return r.sortKey(v.(tuple)[at], a[0], nil) }, a[2])
}

func (r *run) extreme(x any, a []any, sign int) any {
	items := r.items(x)
	if len(items) == 0 {
		return undefined{"the least or greatest of no items"}
	}
	best, bestKey := items[0], r.sortKey(items[0], a[0], a[1])
	for _, v := range items[1:] {
		if k := r.sortKey(v, a[0], a[1]); sign*r.order("<", k, bestKey) > 0 {
			best, bestKey = v, k
		}
	}
	return best
}

func unique(r *run, x any, a []any) any {
	var out []any
	seen := newMap()
	for _, v := range r.items(x) {
		k := r.sortKey(v, a[0], a[1])
		if _, ok := r.get(seen, k); !ok {
			r.put(seen, k, nil)
			out = append(out, v)
		}
	}
	return &sequence{name: "generator", items: out}
}
