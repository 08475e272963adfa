package jinja

import (
	"math"
	"strings"
)

func (r *run) prefix(op string, x any) any {
	if op == "not" {
		return !r.truth(x)
	}
	if i, ok := toInt(x); ok && i != math.MinInt64 {
		return -i
	}
	if f, ok := x.(float64); ok {
		return -f
	}
	r.defined(x)
	return r.fail("-%s: want a number", r.describe(x))
}

// binary is a op x, with the value b of x; and, or evaluate x where they need it.
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
		y, ok := b.(string)
		if ok && op == "+" {
			return r.concat(x, y)
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

// arithmetic is a op b for numbers, and a string times a number; nil for others. Of the operators // % ** whole
// numbers alone are supported.
func (r *run) arithmetic(op string, a, b any) any {
	i, isInt := toInt(a)
	j, alsoInt := toInt(b)
	s, isText := a.(string)
	x, ok1 := toFloat(a)
	y, ok2 := toFloat(b)
	switch {
	case op == "*" && isText && alsoInt:
		return r.repeat(s, j)
	case !ok1 || !ok2:
		return nil
	case y == 0 && (op == "/" || op == "//" || op == "%"):
		return r.fail("%s %s %s: division by zero", r.describe(a), op, r.describe(b))
	case op == "/":
		return x / y
	case isInt && alsoInt:
		return r.whole(op, i, j)
	case op == "+":
		return x + y
	case op == "-":
		return x - y
	case op == "*":
		return x * y
	}
	return nil
}

func (r *run) repeat(s string, n int64) any {
	n = max(n, 0)
	if n > maxOutput || !r.spendText(len(s)*int(n)) {
		return r.fail("%d times %d bytes: more than %d bytes of text", n, len(s), maxOutput)
	}
	return strings.Repeat(s, int(n))
}

// whole is i op j. Beside the result stands one in floating point, which tells whether 64 bits held it.
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
		approx, exact = x/y, i/j
		if i%j != 0 && (i < 0) != (j < 0) {
			exact--
		}
	case "%":
		if exact = i % j; exact != 0 && (exact < 0) != (j < 0) {
			exact += j
		}
	case "**":
		approx = math.Pow(x, y)
		if exact = int64(approx); j < 0 || math.Abs(approx) > 1<<53 {
			return r.fail("%d ** %d: want a whole number of at most 53 bits", i, j)
		}
	}
	if math.Abs(approx) >= 1<<63 {
		return r.fail("%s of whole numbers gives %g, more than 64 bits hold", op, approx)
	}
	return exact
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
