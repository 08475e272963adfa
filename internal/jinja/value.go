package jinja

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// The values of a template: nil, bool, int64, float64, string, []any (a list) and *Map (a dict) are what
// they say; the others follow.
type (
	tuple     []any
	markup    string               // text marked safe; plain text added to it is escaped
	undefined struct{ why string } // what a missing name, item or attribute gives; why is the error of its use
	namespace struct{ vars *Map }  // the one value whose attributes a template may set
	sequence  struct {             // an iterable that is no list
		name  string // range, dict_keys, dict_values, dict_items, or generator, which is read once
		items []any
		text  string // of a range: how it prints
	}
)

// A Map is a dict: it keeps its keys in the order in which they came.
type Map struct {
	keys, values []any
	at           map[any]int // from mapKey of a key to its place
}

func newMap() *Map { return &Map{at: map[any]int{}} }

// mapKey returns what equal keys have in common: 1, 1.0 and True are one key.
func mapKey(k any) any {
	if f, ok := toFloat(k); ok {
		if i, isInt := toInt(k); isInt {
			return i
		}
		if f == math.Trunc(f) && math.Abs(f) < 1<<62 {
			return int64(f)
		}
	}
	return k
}

// hashable tells whether k may be a key: a dict, list or tuple may not.
func hashable(k any) bool {
	switch k.(type) {
	case nil, bool, int64, float64, string:
		return true
	}
	return false
}

func (m *Map) put(k, v any) {
	key := mapKey(k)
	if i, ok := m.at[key]; ok {
		m.values[i] = v
		return
	}
	m.at[key] = len(m.keys)
	m.keys = append(m.keys, k)
	m.values = append(m.values, v)
}

// Set gives a key its value.
func (m *Map) Set(key string, v any) {
	if m.at == nil {
		m.at = map[any]int{}
	}
	m.put(key, v)
}

// Get returns the value of a key: a string, or what a template wrote as one.
func (m *Map) Get(key any) (any, bool) {
	if !hashable(key) {
		return nil, false
	}
	i, ok := m.at[mapKey(key)]
	if !ok {
		return nil, false
	}
	return m.values[i], true
}

// take removes a key and returns its value.
func (m *Map) take(key string) (any, bool) {
	i, ok := m.at[key]
	if !ok {
		return nil, false
	}
	v := m.values[i]
	m.keys, m.values = slices.Delete(m.keys, i, i+1), slices.Delete(m.values, i, i+1)
	delete(m.at, key)
	for k, at := range m.at {
		if at > i {
			m.at[k]--
		}
	}
	return v, true
}

// get is m.Get, with the key counted as read.
func (r *run) get(m *Map, k any) (any, bool) {
	r.reads(k)
	return m.Get(k)
}

func (r *run) put(m *Map, k, v any) {
	if k = plain(k); hashable(k) && r.reads(k) {
		m.put(k, v)
	} else if !hashable(k) {
		r.fail("%s as a key of a dict: want a string, a number, true, false or none", r.describe(k))
	}
}

// fromGo returns the template's value of a Go value.
func (r *run) fromGo(v any) any {
	switch v := v.(type) {
	case nil, bool, int64, float64, string:
		return v
	case *Map:
		m := newMap()
		for i, k := range v.keys {
			r.put(m, k, r.fromGo(v.values[i]))
		}
		return m
	}
	if !r.enter() {
		return nil
	}
	defer func() { r.depth-- }()
	x := reflect.ValueOf(v)
	switch x.Kind() {
	case reflect.Bool:
		return x.Bool()
	case reflect.String:
		return x.String()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return x.Int()
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(x.Uint())
	case reflect.Float32, reflect.Float64:
		return x.Float()
	case reflect.Slice, reflect.Array:
		items := make([]any, x.Len())
		for i := range items {
			items[i] = r.fromGo(x.Index(i).Interface())
		}
		return items
	case reflect.Map:
		if x.Type().Key().Kind() != reflect.String {
			break
		}
		keys := x.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		m := newMap()
		for _, k := range keys {
			m.put(k.String(), r.fromGo(x.MapIndex(k).Interface()))
		}
		return m
	}
	return r.fail("a variable of the Go type %T: want a bool, number, string, slice, map with string keys or *Map", v)
}

// plain returns the text of markup as a string, and any other value as it is.
func plain(v any) any {
	if m, ok := v.(markup); ok {
		return string(m)
	}
	return v
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// toInt reads a whole number; true is 1, as in Python.
func toInt(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		return boolInt(v), true
	}
	return 0, false
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
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case tuple:
		return len(v) > 0
	case *Map:
		return len(v.keys) > 0
	case *sequence:
		return v.name == "generator" || len(v.items) > 0
	}
	return true
}

// items returns what a loop over v runs through: the items of a list, the keys of a dict, the characters of a string.
func (r *run) items(v any) []any {
	switch v := plain(v).(type) {
	case []any:
		r.spend(len(v))
		return v
	case tuple:
		r.spend(len(v))
		return v
	case *Map:
		r.spend(len(v.keys))
		return v.keys
	case *sequence:
		items := v.items
		if v.name == "generator" {
			v.items = nil
		}
		r.spend(len(items))
		return items
	case string:
		n := utf8.RuneCountInString(v)
		if !r.spend(4 * n) {
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

// equal is ==.
func (r *run) equal(a, b any) bool {
	a, b = plain(a), plain(b)
	r.spend(1)
	x, ok1 := toFloat(a)
	y, ok2 := toFloat(b)
	if ok1 && ok2 {
		return x == y
	}
	if !r.enter() {
		return false
	}
	defer func() { r.depth-- }()
	switch x := a.(type) {
	case nil:
		return b == nil
	case string:
		y, ok := b.(string)
		return ok && r.spendText(len(x)) && x == y
	case undefined:
		_, ok := b.(undefined)
		return ok
	case []any:
		y, ok := b.([]any)
		return ok && r.equalLists(x, y)
	case tuple:
		y, ok := b.(tuple)
		return ok && r.equalLists(x, y)
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
	case *sequence, *namespace, *callable, *loopState:
		return a == b
	}
	return false
}

func (r *run) equalLists(x, y []any) bool {
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if !r.equal(x[i], y[i]) {
			return false
		}
	}
	return true
}

// order returns -1, 0 or 1 for two numbers, strings, lists or tuples. op is for the error about others.
func (r *run) order(op string, a, b any) int {
	x, ok1 := toFloat(a)
	y, ok2 := toFloat(b)
	if ok1 && ok2 {
		i, ok1 := toInt(a)
		j, ok2 := toInt(b)
		if ok1 && ok2 {
			return compareNumbers(i, j)
		}
		return compareNumbers(x, y)
	}
	if !r.enter() {
		return 0
	}
	defer func() { r.depth-- }()
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok && r.spendText(min(len(x), len(y))) {
			return strings.Compare(x, y)
		}
	case []any:
		if y, ok := b.([]any); ok {
			return r.orderLists(op, x, y)
		}
	case tuple:
		if y, ok := b.(tuple); ok {
			return r.orderLists(op, x, y)
		}
	case undefined:
		r.fail("%s", x.why)
	}
	if u, ok := b.(undefined); ok {
		r.fail("%s", u.why)
	}
	r.fail("%s %s %s: these have no order", r.describe(a), op, r.describe(b))
	return 0
}

func compareNumbers[T int64 | float64](x, y T) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func (r *run) orderLists(op string, x, y []any) int {
	for i := range min(len(x), len(y)) {
		if a, b := plain(x[i]), plain(y[i]); !r.equal(a, b) {
			return r.order(op, a, b)
		}
	}
	return compareNumbers(int64(len(x)), int64(len(y)))
}
