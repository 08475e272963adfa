package jinja

import "strings"

// eval returns the value of an expression.
func (r *run) eval(n *node) any {
	if !r.enter() {
		return nil
	}
	line := r.line
	r.line = n.line
	v := r.value(n.is)
	r.line = line
	r.depth--
	return v
}

func (r *run) evalAll(nodes []*node) []any {
	values := make([]any, len(nodes))
	for i, n := range nodes {
		values[i] = r.eval(n)
	}
	return values
}

func (r *run) value(n any) any {
	switch n := n.(type) {
	case literal:
		return n.v
	case variable:
		return r.lookup(string(n))
	case attribute:
		return r.attr(r.eval(n.x), n.name)
	case item:
		return r.item(r.eval(n.x), r.eval(n.key))
	case slice:
		return r.slice(n)
	case list:
		items := r.evalAll(n.items)
		if n.tuple {
			return tuple(items)
		}
		return items
	case dict:
		m := newMap()
		for i, k := range n.keys {
			r.put(m, r.eval(k), r.eval(n.values[i]))
		}
		return m
	case unary:
		return r.unary(n)
	case binary:
		return r.binary(n)
	case concat:
		var b strings.Builder
		for _, v := range r.evalAll(n.items) {
			r.print(&b, v)
		}
		return b.String()
	case compare:
		return r.compare(n)
	case either:
		switch {
		case r.truth(r.eval(n.test)):
			return r.eval(n.yes)
		case n.no != nil:
			return r.eval(n.no)
		}
		return undefined{"the condition is false and there is no else"}
	case call:
		return r.call(r.eval(n.f), r.args(n.callArgs))
	case filter:
		return r.filter(n)
	case captured:
		return r.captured(n)
	}
	return r.fail("%T is no expression", n)
}

func (r *run) lookup(name string) any {
	for s := r.scope; s != nil; s = s.outer {
		if v, ok := s.vars[name]; ok {
			return v
		}
	}
	if b, ok := globals[name]; ok {
		return &callable{name, b, nil}
	}
	return undefined{"'" + name + "' is undefined"}
}

// attr is x.name: a method or field of x, else the item of a dict.
func (r *run) attr(x any, name string) any {
	x = plain(x)
	if u, ok := x.(undefined); ok {
		return r.fail("%s", u.why)
	}
	if v, ok := member(x, name); ok {
		return v
	}
	if m, ok := x.(*Map); ok {
		if v, ok := r.get(m, name); ok {
			return v
		}
	}
	return undefined{noAttr(x, name)}
}

// item is x[key]: an item of a list, dict or string, else, for a string, a method or field of x.
func (r *run) item(x, key any) any {
	x, key = plain(x), plain(key)
	if u, ok := x.(undefined); ok {
		return r.fail("%s", u.why)
	}
	switch x := x.(type) {
	case *Map:
		if v, ok := r.get(x, key); ok {
			return v
		}
	case string:
		r.spendText(len(x))
		if c, ok := at([]rune(x), key); ok {
			return string(c)
		}
	case []any:
		if v, ok := at(x, key); ok {
			return v
		}
	case tuple:
		if v, ok := at(x, key); ok {
			return v
		}
	case *sequence:
		if v, ok := at(x.items, key); ok && x.name == "range" {
			return v
		}
	}
	if name, ok := key.(string); ok {
		if v, ok := member(x, name); ok {
			return v
		}
		return undefined{noAttr(x, name)}
	}
	return undefined{typeName(x) + " object has no element " + r.repr(key)}
}

func at[S ~[]T, T any](s S, key any) (v T, ok bool) {
	i, ok := toInt(key)
	if i < 0 {
		i += int64(len(s))
	}
	if !ok || i < 0 || i >= int64(len(s)) {
		return v, false
	}
	return s[i], true
}

func noAttr(x any, name string) string {
	if x == nil {
		return "'None' has no attribute '" + name + "'"
	}
	return "'" + typeName(x) + " object' has no attribute '" + name + "'"
}

// slice is x[lo:hi:step], with Python's clamping.
func (r *run) slice(n slice) any {
	x := plain(r.eval(n.x))
	lo, hi, step := r.bound(n.lo), r.bound(n.hi), r.bound(n.step)
	if r.err != nil {
		return nil
	}
	if step != nil && *step == 0 {
		return r.fail("a slice with step 0")
	}
	switch x := x.(type) {
	case string:
		r.spendText(len(x))
		return string(cut([]rune(x), lo, hi, step))
	case []any:
		r.spend(len(x))
		return cut(x, lo, hi, step)
	case tuple:
		r.spend(len(x))
		return cut(x, lo, hi, step)
	case undefined:
		return r.fail("%s", x.why)
	}
	return r.fail("a slice of %s: want a string, list or tuple", r.describe(x))
}

// bound returns a bound of a slice, nil where there is none.
func (r *run) bound(n *node) *int64 {
	if n == nil {
		return nil
	}
	v := plain(r.eval(n))
	i, ok := toInt(v)
	if !ok {
		if v != nil {
			r.fail("a slice by %s, want whole numbers", typeName(v))
		}
		return nil
	}
	return &i
}

func cut[S ~[]T, T any](s S, lo, hi, step *int64) S {
	n := int64(len(s))
	by := int64(1)
	if step != nil {
		by = min(max(*step, -n-1), n+1)
	}
	first, last := int64(0), n // what a bound is clamped to
	if by < 0 {
		first, last = -1, n-1
	}
	at := func(b *int64, otherwise int64) int64 {
		if b == nil {
			return otherwise
		}
		i := *b
		if i < 0 {
			i += n
		}
		return min(max(i, first), last)
	}
	from, to := at(lo, first), at(hi, last)
	if by < 0 {
		from, to = at(lo, last), at(hi, first)
	}
	if by == 1 {
		return s[from:max(from, to)] // values do not change, so they may be shared
	}
	var part S
	for i := from; by > 0 && i < to || by < 0 && i > to; i += by {
		part = append(part, s[i])
	}
	return part
}
