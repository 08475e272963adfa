package jinja

import (
	"html"
	"math"
	"strings"
)

func (r *run) unary(n unary) any {
	x := plain(r.eval(n.x))
	if n.op == "not" {
		return !r.truth(x)
	}
	i, isInt := toInt(x)
	f, isNum := toFloat(x)
	switch {
	case isInt && n.op == "+":
		return i
	case isInt && i != math.MinInt64:
		return -i
	case isNum && n.op == "+":
		return f
	case isNum:
		return -f
	}
	return r.fail("%s%s: want a number", n.op, r.describe(x))
}

func (r *run) binary(n binary) any {
	a := r.eval(n.a)
	if n.op == "and" || n.op == "or" {
		if r.truth(a) == (n.op == "or") {
			return a
		}
		return r.eval(n.b)
	}
	return r.operate(n.op, a, r.eval(n.b))
}

// operate is a op b for the operators of arithmetic.
func (r *run) operate(op string, a, b any) any {
	if r.err != nil {
		return nil
	}
	if s, ok := plain(a).(string); ok && op == "%" {
		return r.printf(s, b)
	}
	for _, v := range []any{a, b} {
		if u, ok := v.(undefined); ok {
			return r.fail("%s", u.why)
		}
	}
	switch op {
	case "+":
		if v := r.join(a, b); v != nil {
			return v
		}
	case "*":
		if v := r.repeat(plain(a), plain(b)); v != nil {
			return v
		}
	}
	if v := r.arithmetic(op, plain(a), plain(b)); v != nil {
		return v
	}
	return r.fail("%s %s %s: these do not go together", r.describe(a), op, r.describe(b))
}

// join adds strings, lists or tuples; nil for others.
func (r *run) join(a, b any) any {
	switch x := a.(type) {
	case []any:
		if y, ok := b.([]any); ok && r.spend(len(x)+len(y)) {
			return append(append(make([]any, 0, len(x)+len(y)), x...), y...)
		}
	case tuple:
		if y, ok := b.(tuple); ok && r.spend(len(x)+len(y)) {
			return append(append(make(tuple, 0, len(x)+len(y)), x...), y...)
		}
	case string, markup:
		s, isText := plain(a).(string)
		t, alsoText := plain(b).(string)
		if !isText || !alsoText || !r.spendText(len(s)+len(t)) {
			return nil
		}
		_, safeA := a.(markup)
		_, safeB := b.(markup)
		switch { // text that meets markup is escaped
		case safeA && !safeB:
			t = escape(t)
		case safeB && !safeA:
			s = escape(s)
		}
		if safeA || safeB {
			return markup(s + t)
		}
		return s + t
	}
	return nil
}

// escape is markupsafe's: & < > " '.
func escape(s string) string { return html.EscapeString(s) }

// repeat is a string, list or tuple times a whole number, in either order; nil for others.
func (r *run) repeat(a, b any) any {
	n, ok := toInt(b)
	if !ok {
		a, b = b, a
		if n, ok = toInt(b); !ok {
			return nil
		}
	}
	n = max(n, 0)
	size := 0
	switch x := a.(type) {
	case string:
		size = len(x)
	case []any:
		size = 16 * len(x)
	case tuple:
		size = 16 * len(x)
	default:
		return nil
	}
	if size > 0 && n > int64(16*maxFuel/size) || !r.spendText(size*int(n)) {
		return r.fail("%d times %d bytes: more than %d steps", n, size, maxFuel)
	}
	if size == 0 {
		return a
	}
	switch x := a.(type) {
	case string:
		return strings.Repeat(x, int(n))
	case tuple:
		return tuple(repeated(x, int(n)))
	}
	return repeated(a.([]any), int(n))
}

func repeated(x []any, n int) []any {
	out := make([]any, 0, len(x)*n)
	for range n {
		out = append(out, x...)
	}
	return out
}

// arithmetic is a op b for numbers, nil for others. Whole numbers that leave 64 bits are an error.
func (r *run) arithmetic(op string, a, b any) any {
	x, ok1 := toFloat(a)
	y, ok2 := toFloat(b)
	if !ok1 || !ok2 {
		return nil
	}
	if y == 0 && (op == "/" || op == "//" || op == "%") {
		return r.fail("%s %s %s: division by zero", r.describe(a), op, r.describe(b))
	}
	i, ok1 := toInt(a)
	j, ok2 := toInt(b)
	if ok1 && ok2 && op != "/" && !(op == "**" && j < 0) {
		return r.whole(op, i, j)
	}
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		return x / y
	case "//":
		return math.Floor(x / y)
	case "%":
		m := math.Mod(x, y)
		if m != 0 && (m < 0) != (y < 0) {
			m += y
		}
		return m
	}
	if x == 0 && y < 0 || x < 0 && y != math.Trunc(y) {
		return r.fail("%s ** %s: no real number", r.describe(a), r.describe(b))
	}
	if f := math.Pow(x, y); !math.IsInf(f, 0) || math.IsInf(x, 0) || math.IsInf(y, 0) {
		return f
	}
	return r.fail("%s ** %s: too large", r.describe(a), r.describe(b))
}

func (r *run) whole(op string, i, j int64) any {
	x, y := float64(i), float64(j)
	approx, exact := 0.0, int64(0)
	switch op {
	case "+":
		approx, exact = x+y, i+j
	case "-":
		approx, exact = x-y, i-j
	case "*":
		approx, exact = x*y, i*j
	case "//":
		exact = i / j
		if i%j != 0 && (i < 0) != (j < 0) {
			exact--
		}
		approx = x / y
	case "%":
		if exact = i % j; exact != 0 && (exact < 0) != (j < 0) {
			exact += j
		}
	case "**":
		approx, exact = math.Pow(x, y), 1
		for ; j > 0; j >>= 1 {
			if j&1 == 1 {
				exact *= i
			}
			i *= i
		}
	}
	if math.Abs(approx) >= 1<<63 {
		return r.fail("%s of whole numbers gives %g, more than 64 bits hold", op, approx)
	}
	return exact
}

// compare is a chain: a < b <= c is a < b and b <= c, with b evaluated once.
func (r *run) compare(n compare) any {
	a := r.eval(n.x)
	for i, op := range n.ops {
		b := r.eval(n.with[i])
		if !r.relation(op, plain(a), plain(b)) || r.err != nil {
			return false
		}
		a = b
	}
	return true
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

// contains is "v in x".
func (r *run) contains(x, v any) bool {
	switch x := x.(type) {
	case string:
		s, ok := v.(string)
		if !ok {
			r.fail("%s in a string: want a string", r.describe(v))
			return false
		}
		return r.spendText(len(x)) && strings.Contains(x, s)
	case *Map:
		switch v.(type) {
		case []any, *Map:
			r.fail("%s in a dict: want a key", typeName(v))
		}
		_, ok := r.get(x, v)
		return ok
	}
	for _, item := range r.items(x) {
		if r.equal(plain(item), v) {
			return true
		}
	}
	return false
}
