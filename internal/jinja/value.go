package jinja

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// The values of a template: nil, bool, int64, float64 and string stand for Python's types. A markup is a string, too.
// A [*Map] is a dict. A *callable is a macro or a function. The others follow.
type (
	list struct {
		kind  string // list, tuple, range, dict_keys, dict_values, dict_items; or generator, which is read once
		items []any
		text  string       // of a range: what prints
		group bool         // a tuple of the filter groupby, whose items have names
		make  func() []any // the items of a generator that nothing has read yet; nil where items has them
	}
	undefined struct{ why string } // what a missing name, item or attribute gives; why is the error of its use
	namespace struct{ vars Map }   // the one value whose attributes a template may set
	object    struct {             // the variable loop, a cycler or a joiner
		kind string
		get  func(r *run, name string) (any, bool)
		call func(r *run, x any, a []any) any // of the args; nil where it cannot be called
	}
)

func newList(items []any) *list { return &list{kind: "list", items: items} }

func newTuple(items ...any) *list { return &list{kind: "tuple", items: items} }

// fixed is true for a list or tuple, false for what can only be looped over.
func (l *list) fixed() bool { return l.kind == "list" || l.kind == "tuple" }

// A Map is a dict. Its keys keep the order in which they came. They are strings in what a program makes; a template may
// use numbers, true, false and none besides. The zero Map is empty.
type Map struct {
	keys, values []any
	at           map[any]int // the place of a key
}

// Set gives a key its value.
func (m *Map) Set(key string, v any) { m.put(key, v) }

func (m *Map) put(key, v any) {
	hash := hashOf(key)
	if i, ok := m.at[hash]; ok {
		m.values[i] = v
		return
	}
	if m.at == nil {
		m.at = map[any]int{}
	}
	m.at[hash] = len(m.keys)
	m.keys, m.values = append(m.keys, key), append(m.values, v)
}

// hashOf returns what equal keys have in common: 1, 1.0 and true are one key.
func hashOf(key any) any {
	if i, ok := toInt(key); ok {
		return i
	}
	if f, ok := key.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1<<62 {
		return int64(f)
	}
	return plain(key)
}

// get returns the value of a key; false where the key is not there or cannot be a key.
func (r *run) get(m *Map, key any) (any, bool) {
	if !isKey(key) || !r.reads(key) {
		return nil, false
	}
	i, ok := m.at[hashOf(key)]
	if !ok {
		return nil, false
	}
	return m.values[i], true
}

func isKey(v any) bool {
	_, isNumber := toFloat(v)
	return v == nil || isNumber || isType[string](plain(v))
}

// pairs returns the items of a dict as tuples of key and value.
func (r *run) pairs(m *Map) []any {
	if !r.makes(100 * len(m.keys)) {
		return nil
	}
	out := make([]any, len(m.keys))
	for i, k := range m.keys {
		out[i] = newTuple(k, m.values[i])
	}
	return out
}

// fromGo returns the template's value of a Go value.
func (r *run) fromGo(v any) any {
	if !r.enter() {
		return nil
	}
	defer func() { r.depth-- }()
	if given, ok := v.(*Map); ok {
		m := new(Map)
		for i, k := range given.keys {
			m.put(k, r.fromGo(given.values[i]))
		}
		return m
	}
	x := reflect.ValueOf(v)
	switch {
	case v == nil:
		return nil
	case x.CanInt():
		return x.Int()
	case x.CanUint() && x.Uint() <= math.MaxInt64:
		return int64(x.Uint())
	case x.CanFloat():
		return x.Float()
	}
	switch x.Kind() {
	case reflect.Bool:
		return x.Bool()
	case reflect.String:
		return x.String()
	case reflect.Slice, reflect.Array:
		items := make([]any, x.Len())
		for i := range items {
			items[i] = r.fromGo(x.Index(i).Interface())
		}
		return newList(items)
	case reflect.Map:
		if x.Type().Key().Kind() != reflect.String {
			break
		}
		keys := x.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		m := new(Map)
		for _, k := range keys {
			m.Set(k.String(), r.fromGo(x.MapIndex(k).Interface()))
		}
		return m
	}
	return r.fail("a variable of the Go type %T: want a bool, number, string, slice, map with string keys or *Map", v)
}

// toInt reads a whole number. true is 1, as in Python.
func toInt(v any) (int64, bool) {
	if v == true {
		return 1, true
	}
	i, ok := v.(int64)
	return i, ok || v == false
}

func toFloat(v any) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	i, ok := toInt(v)
	return float64(i), ok
}

func (r *run) truth(v any) bool {
	switch v := plain(v).(type) {
	case nil, undefined:
		return false
	case string:
		return v != ""
	case *list:
		return v.kind == "generator" || len(v.items) > 0
	case *Map:
		return len(v.keys) > 0
	}
	f, ok := toFloat(v)
	return !ok || f != 0
}

// items returns what a loop over v visits: the items of a list, the keys of a dict, the characters of a string.
func (r *run) items(v any) []any {
	switch v := plain(v).(type) {
	case *list:
		items := v.items
		if v.make != nil {
			items = v.make()
			r.makes(16 * len(items))
		}
		if v.kind == "generator" {
			v.items, v.make = nil, nil
		}
		r.spend(len(items))
		return items
	case *Map:
		r.spend(len(v.keys))
		return v.keys
	case string:
		n := utf8.RuneCountInString(v)
		if !r.makes(40 * n) {
			return nil
		}
		chars := make([]any, 0, n)
		for _, c := range v {
			chars = append(chars, string(c))
		}
		return chars
	case undefined:
		return nil
	}
	r.fail("'%s' object is not iterable", typeName(v))
	return nil
}

// equal evaluates a == b.
func (r *run) equal(a, b any) bool {
	x, ok1 := toFloat(a)
	y, ok2 := toFloat(b)
	if ok1 && ok2 {
		return r.spend(1) && x == y
	}
	if !r.enter() {
		return false
	}
	defer func() { r.depth-- }()
	a, b = plain(a), plain(b)
	switch x := a.(type) {
	case string:
		return r.reads(x) && a == b
	case undefined:
		_, ok := b.(undefined)
		return ok
	case *list:
		if y, ok := b.(*list); ok && x.kind == y.kind && x.kind != "generator" {
			return slices.EqualFunc(x.items, y.items, r.equal)
		}
	case *Map:
		y, ok := b.(*Map)
		if !ok || len(x.keys) != len(y.keys) {
			return false
		}
		for i, k := range x.keys {
			v, ok := r.get(y, k)
			if !ok || !r.equal(x.values[i], v) {
				return false
			}
		}
		return true
	}
	return a == b
}

// order returns -1, 0 or 1 for two numbers, two strings, two lists or two tuples. op is for the error about other
// values.
func (r *run) order(op string, a, b any) int {
	i, ok1 := toInt(a)
	j, ok2 := toInt(b)
	if ok1 && ok2 {
		return cmp.Compare(i, j)
	}
	f, ok1 := toFloat(a)
	g, ok2 := toFloat(b)
	if ok1 && ok2 {
		if f != f || g != g {
			r.fail("%s %s %s: the order of NaN is not supported", r.describe(a), op, r.describe(b))
		}
		return cmp.Compare(f, g)
	}
	x, ok1 := plain(a).(string)
	y, ok2 := plain(b).(string)
	if ok1 && ok2 {
		r.spendText(min(len(x), len(y)))
		return strings.Compare(x, y)
	}
	l, ok1 := a.(*list)
	m, ok2 := b.(*list)
	if ok1 && ok2 && l.kind == m.kind && l.fixed() && r.enter() {
		defer func() { r.depth-- }()
		for i, v := range l.items[:min(len(l.items), len(m.items))] {
			if !r.equal(v, m.items[i]) {
				return r.order(op, v, m.items[i])
			}
		}
		return cmp.Compare(len(l.items), len(m.items))
	}
	if r.defined(a, b) {
		r.fail("%s %s %s: these have no order", r.describe(a), op, r.describe(b))
	}
	return 0
}

// defined fails if one of the values is undefined.
func (r *run) defined(values ...any) bool {
	for _, v := range values {
		if u, ok := v.(undefined); ok {
			r.fail("%s", u.why)
		}
	}
	return r.err == nil
}

// contains evaluates "v in x".
func (r *run) contains(x, v any) bool {
	switch x := plain(x).(type) {
	case string:
		s, ok := plain(v).(string)
		if !ok {
			r.fail("%s in a string: want a string", r.describe(v))
		}
		return r.reads(x) && strings.Contains(x, s)
	case *Map:
		if l, ok := v.(*list); ok && l.kind != "tuple" || isType[*Map](v) {
			r.fail("%s in a dict: want a string, a number, true, false or none", typeName(v))
		}
		_, ok := r.get(x, v)
		return ok
	}
	return slices.ContainsFunc(r.items(x), func(item any) bool { return r.equal(item, v) })
}
