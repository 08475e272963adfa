package jinja

import (
	"math"
	"slices"
	"strings"
)

// A builtin is a function, filter, test or method. params names its parameters, in order: "old new count?", where "?"
// marks one that may be absent. f gets one value for each parameter. For the params "**" or "key=value" it gets the
// whole args instead. x is the value on the left of a filter, test or method.
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
	x any
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

// apply evaluates the filter x|name or the test "x is name".
func (r *run) apply(what string, table map[string]builtin, name string, x any, a args) any {
	b, ok := table[name]
	if !ok {
		return r.fail("%s %q is not supported", what, name)
	}
	return r.invoke(what+" "+name, b, x, a)
}

// invoke calls a builtin; what names it in errors. invoke counts the steps for reading each argument once, so that
// the builtin need not.
func (r *run) invoke(what string, b builtin, x any, a args) any {
	if r.err != nil || !r.reads(x) {
		return nil
	}
	switch {
	case b.params == "key=value" && len(a.pos) > 0:
		return r.fail("%s of a value is not supported: want key=value", what)
	case b.params == "**" || b.params == "key=value":
		return b.f(r, x, []any{a})
	}
	params := strings.Fields(b.params)
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
		case k >= 0:
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
	return b.f(r, x, bound)
}

// changes lists the methods of lists and dicts that the sandbox hides.
var changes = strings.Fields("append clear extend insert pop popitem remove reverse setdefault sort update")

// attr evaluates x.name: a method or field of x, else the item of a dict.
func (r *run) attr(x any, name string) any {
	var methods map[string]builtin
	switch x := x.(type) {
	case undefined:
		return r.fail("%s", x.why)
	case *namespace:
		if v, ok := x.vars[name]; ok {
			return v
		}
	case string:
		methods = strMethods
	case *Map:
		methods = mapMethods
	}
	if b, ok := methods[name]; ok {
		return &callable{name, b, x}
	}
	if m, ok := x.(*Map); ok {
		if v, ok := r.get(m, name); ok {
			return v
		}
	}
	if _, isText := x.(string); !isText && slices.Contains(changes, name) {
		return undefined{name + "() of a " + typeName(x) + ": a template may not change a value"}
	}
	return undefined{"'" + typeName(x) + " object' has no attribute '" + name + "'"}
}

// item evaluates x[key]: an item of a list, dict or string, else a method or field of x.
func (r *run) item(x, key any) any {
	i, isInt := toInt(key)
	switch x := x.(type) {
	case *Map:
		if v, ok := r.get(x, key); ok {
			return v
		}
	case string:
		chars := []rune(x)
		if n := int64(len(chars)); r.reads(x) && isInt && i >= -n && i < n {
			return string(chars[(i+n)%n])
		}
	case *list:
		if n := int64(len(x.items)); sized(x) && isInt && i >= -n && i < n {
			return x.items[(i+n)%n]
		}
	}
	name, ok := key.(string)
	if _, missing := x.(undefined); ok || missing {
		return r.attr(x, name)
	}
	return undefined{typeName(x) + " object has no element " + r.describe(key)}
}

// slice evaluates x[lo:hi], or x[::-1], which is all of x from the end to the beginning. A bound that is left out is
// nil.
func (r *run) slice(x, lo, hi, step any) any {
	if step != nil && (step != int64(-1) || lo != nil || hi != nil) {
		return r.fail("a slice with a step is not supported, but for [::-1]")
	}
	switch x := x.(type) {
	case string:
		if chars := []rune(x); r.reads(x) {
			return string(cut(r, chars, lo, hi, step))
		}
	case *list:
		if x.fixed() && r.spend(len(x.items)) {
			return &list{x.kind, cut(r, x.items, lo, hi, step)}
		}
	}
	r.defined(x)
	return r.fail("a slice of %s: want a string, list or tuple", r.describe(x))
}

func cut[T any](r *run, s []T, lo, hi, step any) []T {
	n := int64(len(s))
	if step != nil {
		s = slices.Clone(s)
		slices.Reverse(s)
		return s
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
		return min(max(i, 0), n)
	}
	from, to := at(lo, 0), at(hi, n)
	return s[from:max(from, to)] // values do not change, so they may be shared
}

// binary evaluates "a op x". x is code, since the operators "and" and "or" evaluate it only where they need it.
func (r *run) binary(op string, a any, x code) any {
	if (op == "and" || op == "or") && r.truth(a) == (op == "or") {
		return a
	}
	b := x(r)
	switch {
	case op == "and" || op == "or":
		return b
	case r.err != nil:
		return nil
	case op == "~":
		return r.concat(r.str(a), r.str(b))
	case !r.defined(a, b):
		return nil
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok && op == "+" {
			return r.concat(x, y)
		}
		if n, ok := toInt(b); ok && op == "*" {
			return r.repeat(x, n)
		}
	case *list:
		y, ok := b.(*list)
		if ok && op == "+" && x.fixed() && x.kind == y.kind && r.spend(len(x.items)+len(y.items)) {
			return &list{x.kind, append(append([]any{}, x.items...), y.items...)}
		}
	}
	if v := r.arithmetic(op, a, b); v != nil {
		return v
	}
	return r.fail("%s %s %s: these do not go together", r.describe(a), op, r.describe(b))
}

func (r *run) concat(s, t string) any {
	if !r.spendText(len(s) + len(t)) {
		return nil
	}
	return s + t
}

// arithmetic evaluates "a op b" for numbers; it is nil for other values. The operators //, % and ** take whole
// numbers alone. A whole result of more than 64 bits is an error.
func (r *run) arithmetic(op string, a, b any) any {
	i, isInt := toInt(a)
	j, alsoInt := toInt(b)
	x, ok1 := toFloat(a)
	y, ok2 := toFloat(b)
	whole := isInt && alsoInt
	f, basic := addOrMul(op, x, y)
	switch {
	case !ok1 || !ok2:
	case basic && !whole:
		return f
	case basic && math.Abs(f) >= 1<<63:
		return r.fail("%d %s %d: more than 64 bits hold", i, op, j)
	case basic:
		n, _ := addOrMul(op, i, j)
		return n
	case y == 0 && op != "**":
		return r.fail("%s %s %s: division by zero", r.describe(a), op, r.describe(b))
	case op == "/":
		return x / y
	case whole && op == "**":
		f = math.Pow(x, y)
		if j < 0 || math.Abs(f) > 1<<53 {
			return r.fail("%d ** %d: want a whole number of at most 53 bits", i, j)
		}
		return int64(f)
	case whole: // the operators // and %, rounded down
		n, m := i/j, i%j
		if m != 0 && (m < 0) != (j < 0) {
			n, m = n-1, m+j
		}
		return map[string]int64{"//": n, "%": m}[op]
	}
	return nil
}

func addOrMul[T int64 | float64](op string, x, y T) (v T, ok bool) {
	switch op {
	case "+":
		return x + y, true
	case "-":
		return x - y, true
	case "*":
		return x * y, true
	}
	return 0, false
}

func (r *run) repeat(s string, n int64) any {
	n = max(n, 0)
	if n > maxOutput || !r.spendText(len(s)*int(n)) {
		return r.fail("%d times %d bytes: more than %d bytes of text", n, len(s), maxOutput)
	}
	return strings.Repeat(s, int(n))
}

func (r *run) relation(op string, a, b any) bool {
	switch op {
	case "==":
		return r.equal(a, b)
	case "!=":
		return !r.equal(a, b)
	case "<":
		return r.order(op, a, b) < 0
	case ">":
		return r.order(op, a, b) > 0
	case "<=":
		return r.order(op, a, b) <= 0
	case ">=":
		return r.order(op, a, b) >= 0
	case "in":
		return r.contains(b, a)
	}
	return !r.contains(b, a)
}
