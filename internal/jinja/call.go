package jinja

import (
	"slices"
	"strings"
)

// args are the arguments of a call.
type args struct {
	pos    []any
	keys   []string
	values []any // of keys
}

// A builtin is a function, filter, test or method. params names its parameters, in order: "old new count?", where "?"
// marks one that may be absent. f gets one value for each of them, or for the params "**" the whole args. x is the
// value on the left of a filter, test or method.
type builtin struct {
	params string
	f      func(r *run, x any, a []any) any
}

// absent stands for an argument that was not given.
type absent struct{}

func or(v, otherwise any) any {
	if v == (absent{}) {
		return otherwise
	}
	return v
}

// callable is a value that can be called: a builtin and the value that it is a method of, or a macro.
type callable struct {
	name string
	builtin
	x any
}

func (r *run) args(n callArgs) args {
	a := args{pos: r.evalAll(n.pos), values: r.evalAll(n.values)}
	a.keys = append(a.keys, n.keys...)
	if n.star != nil {
		a.pos = append(a.pos, r.items(r.eval(n.star))...)
	}
	if n.kw != nil {
		v := r.eval(n.kw)
		m, ok := v.(*Map)
		if !ok {
			r.fail("an argument after ** that is %s, want a dict", typeName(v))
			return a
		}
		for i, k := range m.keys {
			r.reads(k)
			a.keys = append(a.keys, r.str(k))
			a.values = append(a.values, m.values[i])
		}
	}
	return a
}

func (r *run) call(f any, a args) any {
	switch f := f.(type) {
	case *callable:
		return r.invoke(f.name+"()", f.builtin, f.x, a)
	case undefined:
		return r.fail("%s", f.why)
	}
	return r.fail("'%s' object is not callable", typeName(f))
}

// invoke calls a builtin; what names it in errors.
func (r *run) invoke(what string, b builtin, x any, a args) any {
	x = plain(x)
	if r.err != nil || !r.reads(x) {
		return nil
	}
	if b.params == "**" {
		return b.f(r, x, []any{a})
	}
	params := strings.Fields(b.params)
	if len(a.pos) > len(params) {
		return r.fail("%s: %d arguments, want at most %d", what, len(a.pos), len(params))
	}
	bound := make([]any, len(params))
	for i, p := range params {
		bound[i] = absent{}
		if i < len(a.pos) {
			bound[i] = plain(a.pos[i])
		}
		params[i] = strings.TrimSuffix(p, "?")
	}
next:
	for k, key := range a.keys {
		for i, p := range params {
			if p == key && bound[i] == (absent{}) {
				bound[i] = plain(a.values[k])
				continue next
			}
		}
		return r.fail("%s: argument %q is not supported", what, key)
	}
	for i, p := range strings.Fields(b.params) {
		if bound[i] == (absent{}) && !strings.HasSuffix(p, "?") {
			return r.fail("%s: no argument %q", what, p)
		}
		if !r.reads(bound[i]) {
			return nil
		}
	}
	return b.f(r, x, bound)
}

// reads counts the steps of reading v where it is a string: a builtin is free to read what it is given once.
func (r *run) reads(v any) bool {
	s, _ := v.(string)
	return r.spendText(len(s))
}

func (r *run) filter(n filter) any {
	x := r.eval(n.x)
	a := r.args(n.callArgs)
	if n.test {
		return r.test(n.name, x, a) != n.deny
	}
	return r.apply(n.name, x, a)
}

// apply is x|name.
func (r *run) apply(name string, x any, a args) any {
	b, ok := filters[name]
	if !ok {
		return r.fail("filter %q is not supported", name)
	}
	return r.invoke("filter "+name, b, x, a)
}

// test is "x is name".
func (r *run) test(name string, x any, a args) bool {
	b, ok := tests[name]
	if !ok {
		r.fail("test %q is not supported", name)
		return false
	}
	return r.truth(r.invoke("test "+name, b, x, a))
}

// member returns the method or field of x with this name.
func member(x any, name string) (v any, ok bool) {
	var methods map[string]builtin
	var changes []string
	switch x := x.(type) {
	case string:
		methods = strMethods
	case *Map:
		methods, changes = mapMethods, mapChanges
	case []any, tuple:
		methods, changes = listMethods, listChanges
	case *loopState:
		return x.attr(name), true
	case *namespace:
		return x.vars.Get(name)
	}
	if b, ok := methods[name]; ok {
		return &callable{name, b, x}, true
	}
	if slices.Contains(changes, name) {
		return undefined{name + "() of a " + typeName(x) + ": a template may not change a value"}, true
	}
	return nil, false
}
