package jinja

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A builtin is a function, filter, test or method. params names its parameters, in order: "old new count?", where "?"
// marks one that may be absent. Behind a "/" they have no names that a call may use. f gets one value for each
// parameter. For the params "**" it gets the whole args instead. x is the value on the left of a filter, test or
// method.
type builtin struct {
	params string
	f      func(r *run, x any, a []any) any
}

// absent stands in the place of an argument that was not given.
type absent struct{}

func or(v, otherwise any) any {
	if v == (absent{}) {
		return otherwise
	}
	return v
}

// callable is a value that can be called. It is a macro, or a builtin with the value whose method it is.
type callable struct {
	name string
	builtin
	x     any
	macro *macro // nil for a builtin
}

func (r *run) call(f any, a args) any {
	switch f := f.(type) {
	case *callable:
		return r.invoke(f.name+"()", f.builtin, f.x, a)
	case *object:
		if f.call != nil {
			return r.invoke(f.kind+"()", builtin{"**", f.call}, nil, a)
		}
	case undefined:
		return r.fail("%s", f.why)
	}
	return r.fail("'%s' object is not callable", typeName(f))
}

// apply evaluates the filter x|name or the test "x is name".
func (r *run) apply(what string, table map[string]builtin, name string, x any, a args) any {
	b, ok := table[name]
	if !ok {
		return r.fail("%s", notThere(what, name))
	}
	if what == "test" && name != "escaped" {
		return r.invoke(what+" "+name, b, plain(x), a)
	}
	if text, marked := x.(markup); marked && !slices.Contains(seesMark, name) {
		out := r.invoke(what+" "+name, b, string(text), a)
		if slices.Contains(keepsMark, name) {
			return r.mark(out)
		}
		return out
	}
	return r.invoke(what+" "+name, b, x, a)
}

// invoke calls a builtin; what names it in errors. invoke counts the steps for reading each argument once, so that
// the builtin need not.
func (r *run) invoke(what string, b builtin, x any, a args) any {
	if r.err != nil || !r.reads(x) {
		return nil
	}
	if b.params == "**" {
		return r.counted(b.f(r, x, []any{a}))
	}
	names, unnamed := strings.CutPrefix(b.params, "/")
	params := strings.Fields(names)
	if len(a.pos) > len(params) {
		return r.fail("%s: %d arguments, want at most %d", what, len(a.pos), len(params))
	}
	bound := make([]any, len(params))
	used := 0
	for i, p := range params {
		name, optional := strings.CutSuffix(p, "?")
		k := slices.Index(a.keys, name)
		switch bound[i] = any(absent{}); {
		case i < len(a.pos):
			bound[i] = a.pos[i]
		case k >= 0 && !unnamed:
			bound[i] = a.values[k]
			used++
		case !optional:
			return r.fail("%s: no argument %q", what, name)
		}
		if !r.reads(bound[i]) {
			return nil
		}
	}
	if used < len(a.keys) {
		return r.fail("%s: the arguments %q are not supported", what, a.keys)
	}
	return r.counted(b.f(r, x, bound))
}

// counted counts the memory of a result.
func (r *run) counted(v any) any {
	if s, ok := plain(v).(string); ok {
		r.makes(len(s) + 32)
	} else if l, ok := v.(*list); ok {
		r.makes(16*len(l.items) + 64)
	}
	return v
}

// changes lists the methods of lists and dicts that the sandbox hides.
var changes = strings.Fields("append clear extend insert pop popitem remove reverse setdefault sort update")

// attributes are those of Python's values that no table here has. They are refused by name.
var attributes = map[string]string{
	"str": "encode maketrans translate", "dict": "fromkeys",
	"int":   "as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag numerator real to_bytes",
	"bool":  "as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag numerator real to_bytes",
	"float": "as_integer_ratio conjugate fromhex hex imag is_integer real",
	"range": "count index start step stop", "generator": "close send throw",
	"dict_keys": "isdisjoint mapping", "dict_values": "mapping", "dict_items": "isdisjoint mapping",
}

// attr evaluates x.name: a method or field of x, else the item of a dict.
func (r *run) attr(x any, name string) any {
	if v, ok := r.field(x, name); ok {
		return v
	}
	if m, ok := x.(*Map); ok {
		if v, ok := r.get(m, name); ok {
			return v
		}
	}
	kind := typeName(x)
	if slices.Contains(strings.Fields(attributes[kind]), name) {
		return r.fail("%s of a %s is not supported", name, kind)
	}
	if (kind == "list" || kind == "dict") && slices.Contains(changes, name) {
		return undefined{name + "() of a " + kind + ": a template may not change a value"}
	}
	return undefined{"'" + kind + " object' has no attribute '" + name + "'"}
}

// field returns a field or method of x.
func (r *run) field(x any, name string) (any, bool) {
	var methods map[string]builtin
	switch x := x.(type) {
	case undefined:
		return r.fail("%s", x.why), true
	case *namespace:
		return r.get(&x.vars, name)
	case *object:
		return x.get(r, name)
	case *callable:
		if x.macro != nil {
			return x.macro.field(name)
		}
	case string:
		methods = strMethods
	case markup:
		if b, ok := strMethods[name]; ok {
			return x.method(name, b), true
		} else if name == "unescape" || name == "striptags" || name == "escape" {
			return r.fail("%s() of a text marked as safe is not supported", name), true
		}
	case *Map:
		methods = mapMethods
	case *list:
		if x.group && (name == "grouper" || name == "list") {
			return x.items[map[string]int{"grouper": 0, "list": 1}[name]], true
		}
		methods = listMethods[x.kind]
	}
	b, ok := methods[name]
	return &callable{name: name, builtin: b, x: x}, ok
}

// item evaluates x[key]: an item of a list, dict or string, else a method or field of x.
func (r *run) item(x, key any) any {
	i, isInt := toInt(key)
	text, marked := x.(markup)
	switch x := plain(x).(type) {
	case *Map:
		if v, ok := r.get(x, key); ok {
			return v
		}
	case string:
		if n := int64(utf8.RuneCountInString(x)); r.reads(x) && isInt && i >= -n && i < n {
			at := (i + n) % n
			one := x[at : at+1]
			if chars := r.chars(x); chars != nil {
				one = string(chars[at])
			}
			if marked {
				return markup(one)
			}
			return one
		}
	case *list:
		if n := int64(len(x.items)); sized(x) && isInt && i >= -n && i < n {
			return x.items[(i+n)%n]
		}
	}
	name, ok := plain(key).(string)
	if _, missing := x.(undefined); ok || missing {
		if marked {
			return r.attr(text, name)
		}
		return r.attr(x, name)
	}
	return undefined{typeName(x) + " object has no element " + r.describe(key)}
}

// slice evaluates x[lo:hi:step]. A part that is left out is nil.
func (r *run) slice(x, lo, hi, step any) any {
	if x, ok := x.(markup); ok {
		return r.mark(r.slice(string(x), lo, hi, step))
	}
	switch x := x.(type) {
	case string:
		if !r.reads(x) || !r.makes(len(x)) {
			return nil
		}
		if isASCII(x) {
			return string(cut(r, []byte(x), lo, hi, step))
		}
		return string(cut(r, r.chars(x), lo, hi, step)) // of nothing where the steps are spent
	case *list:
		if sized(x) && r.makes(16*len(x.items)) {
			return &list{kind: x.kind, items: cut(r, x.items, lo, hi, step)}
		}
	}
	r.defined(x)
	return r.fail("a slice of %s: want a string, list or tuple", r.describe(x))
}

// chars returns the characters of a text, nil where each is a byte. It counts a step for each four.
func (r *run) chars(s string) []rune {
	if isASCII(s) || !r.spend(len(s)/4) {
		return nil
	}
	return []rune(s)
}

// cut returns the items that Python's slice lo:hi:step takes.
func cut[T any](r *run, s []T, lo, hi, step any) []T {
	n, by := int64(len(s)), int64(1)
	if step != nil {
		i, ok := toInt(step)
		if !ok || i == 0 {
			r.fail("a slice with the step %s: want a whole number other than 0", r.describe(step))
			return nil
		}
		by = min(max(i, -n-1), n+1)
	}
	least, most := int64(0), n // of the places lo and hi
	if by < 0 {
		least, most = -1, n-1
	}
	at := func(bound any, otherwise int64) int64 {
		i, ok := toInt(bound)
		if bound == nil {
			return otherwise
		} else if !ok {
			r.fail("a slice by %s, want whole numbers", typeName(bound))
		} else if i < 0 {
			i += n
		}
		return min(max(i, least), most)
	}
	if by < 0 {
		var out []T
		for i := at(lo, most); i > at(hi, least); i += by {
			out = append(out, s[i])
		}
		return out
	}
	from, to := at(lo, least), at(hi, most)
	if by == 1 {
		return s[from:max(from, to)] // values do not change, so they may be shared
	}
	var out []T
	for i := from; i < to; i += by {
		out = append(out, s[i])
	}
	return out
}
