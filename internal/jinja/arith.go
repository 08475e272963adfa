package jinja

import (
	"math"
	"math/bits"
	"strings"
)

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
	}
	if v, ok := r.marked(op, a, b); ok {
		return v
	}
	if op == "~" {
		return r.concat(r.str(a), r.str(b))
	}
	if s, ok := a.(string); ok && op == "%" {
		return r.percent(s, b)
	}
	if !r.defined(a, b) {
		return nil
	}
	if v, ok := r.sequences(op, a, b); ok {
		return v
	}
	if v := r.arithmetic(op, a, b); v != nil {
		return v
	}
	return r.fail("%s %s %s: these do not go together", r.describe(a), op, r.describe(b))
}

// sequences evaluates + and * for texts, lists and tuples; ok is false for other operands.
func (r *run) sequences(op string, a, b any) (v any, ok bool) {
	if _, isInt := toInt(a); isInt && op == "*" {
		a, b = b, a
	}
	n, isInt := toInt(b)
	switch x := plain(a).(type) {
	case string:
		if y, ok := plain(b).(string); ok && op == "+" {
			return r.concat(x, y), true
		}
		if isInt && op == "*" {
			return r.multiply(x, b), true
		}
	case *list:
		if !x.fixed() {
			break
		}
		y, ok := b.(*list)
		if ok && op == "+" && x.kind == y.kind && r.makes(16*(len(x.items)+len(y.items))) {
			return &list{kind: x.kind, items: append(append([]any{}, x.items...), y.items...)}, true
		}
		if isInt && op == "*" {
			return r.repeatList(x, max(n, 0)), true
		}
	}
	return nil, false
}

func (r *run) repeatList(x *list, n int64) any {
	if n > maxMemory || !r.makes(16*len(x.items)*int(n)) {
		return r.fail("%d times %d items: more than %d bytes", n, len(x.items), maxMemory)
	}
	out := make([]any, 0, len(x.items)*int(n))
	for range n {
		out = append(out, x.items...)
	}
	return &list{kind: x.kind, items: out}
}

func (r *run) concat(s, t string) any {
	if !r.spendText(len(s)+len(t)) || !r.makes(len(s)+len(t)) {
		return nil
	}
	return s + t
}

// multiply returns s n times.
func (r *run) multiply(s string, by any) any {
	n, ok := toInt(by)
	if !ok {
		return r.fail("a text * %s: these do not go together", r.describe(by))
	}
	if n = max(n, 0); n > maxOutput || !r.spendText(len(s)*int(n)) || !r.makes(len(s)*int(n)) {
		return r.fail("%d times %d bytes: more than %d bytes of text", n, len(s), maxOutput)
	}
	return strings.Repeat(s, int(n))
}

// arithmetic evaluates "a op b" for numbers; it is nil for other values. A whole result of more than 64 bits is an
// error.
func (r *run) arithmetic(op string, a, b any) any {
	i, isInt := toInt(a)
	j, alsoInt := toInt(b)
	x, ok1 := toFloat(a)
	y, ok2 := toFloat(b)
	whole := isInt && alsoInt
	switch {
	case !ok1 || !ok2:
		return nil
	case y == 0 && (op == "/" || op == "//" || op == "%"), op == "**" && x == 0 && y < 0:
		return r.fail("%s %s %s: division by zero", r.describe(a), op, r.describe(b))
	case whole && op != "/" && (op != "**" || j >= 0):
		n, fits := wholeNumbers(op, i, j)
		if !fits {
			return r.fail("%d %s %d: more than 64 bits hold", i, op, j)
		}
		return n
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
		n, _ := floorDivide(x, y)
		return n
	case "%":
		_, m := floorDivide(x, y)
		return m
	case "**":
		f := math.Pow(x, y)
		if math.IsNaN(f) && x == x && y == y || math.IsInf(f, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
			return r.fail("%s ** %s: the result is no number of 64 bits", r.describe(a), r.describe(b))
		}
		return f
	}
	return nil
}

// wholeNumbers evaluates "i op j". fits is false where the result needs more than 64 bits. // and % round down.
func wholeNumbers(op string, i, j int64) (n int64, fits bool) {
	switch op {
	case "+":
		n = i + j
		return n, (n > i) == (j > 0)
	case "-":
		n = i - j
		return n, (n < i) == (j > 0)
	case "*":
		return product(i, j)
	case "**":
		n, fits = 1, true
		for ; j > 0 && fits && n != 0 && i != 1; j-- {
			if i == -1 {
				return 1 - 2*(j&1), true
			}
			n, fits = product(n, i)
		}
		return n, fits
	}
	if i == math.MinInt64 && j == -1 {
		return 0, op == "%"
	}
	n, m := i/j, i%j
	if m != 0 && (m < 0) != (j < 0) {
		n, m = n-1, m+j
	}
	if op == "%" {
		return m, true
	}
	return n, true
}

func product(i, j int64) (n int64, fits bool) {
	abs := func(i int64) uint64 { return uint64(max(i, -i)) } // right for the least int64, too
	high, low := bits.Mul64(abs(i), abs(j))
	return i * j, high == 0 && low <= math.MaxInt64
}

// floorDivide returns the quotient rounded down and the rest, which has the sign of y. Source: CPython, float_divmod.
func floorDivide(x, y float64) (quotient, rest float64) {
	rest = math.Mod(x, y)
	div := (x - rest) / y
	if rest == 0 {
		rest = math.Copysign(0, y)
	} else if (y < 0) != (rest < 0) {
		rest += y
		div--
	}
	if div == 0 {
		return math.Copysign(0, x/y), rest
	}
	quotient = math.Floor(div)
	if div-quotient > 0.5 {
		quotient++
	}
	return quotient, rest
}

// negative evaluates -x, and +x for the sign "+".
func (r *run) negative(sign string, x any) any {
	if f, ok := x.(float64); ok && sign == "-" {
		return -f
	} else if ok {
		return f
	}
	i, ok := toInt(x)
	switch {
	case !r.defined(x):
	case !ok:
		return r.fail("%s%s: want a number", sign, r.describe(x))
	case sign == "-" && i == math.MinInt64:
		return r.fail("-(%d): more than 64 bits hold", i)
	case sign == "-":
		return -i
	}
	return i
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
