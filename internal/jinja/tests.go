package jinja

import (
	"strings"
	"unicode"
)

// relate is a test that compares x with its argument.
func relate(op string) builtin {
	return builtin{"other", func(r *run, x any, a []any) any { return r.relation(op, x, a[0]) }}
}

// holds is a test without arguments.
func holds(f func(x any) bool) builtin {
	return builtin{"", func(_ *run, x any, _ []any) any { return f(x) }}
}

func isType[T any](x any) bool {
	_, ok := x.(T)
	return ok
}

// remains tests whether x % by == want.
func remains(want int64) func(r *run, x any, a []any) any {
	return func(r *run, x any, a []any) any {
		by := any(int64(2))
		if len(a) > 0 {
			by = a[0]
		}
		return r.equal(r.operate("%", x, by), want)
	}
}

// tests are jinja2's, with their other names.
var tests = map[string]builtin{
	"boolean":     holds(isType[bool]),
	"callable":    holds(isType[*callable]),
	"defined":     holds(func(x any) bool { return !isType[undefined](x) }),
	"divisibleby": {"num", remains(0)},
	"eq":          relate("=="), "equalto": relate("=="), "==": relate("=="),
	"even":   {"", remains(0)},
	"false":  holds(func(x any) bool { return x == false }),
	"filter": holds(func(x any) bool { s, _ := x.(string); return filters[s].f != nil }),
	"float":  holds(isType[float64]),
	"ge":     relate(">="), ">=": relate(">="),
	"gt": relate(">"), "greaterthan": relate(">"), ">": relate(">"),
	"in":       relate("in"),
	"integer":  holds(isType[int64]),
	"iterable": holds(func(x any) bool { return sized(x) || isType[*sequence](x) }),
	"le":       relate("<="), "<=": relate("<="),
	"lower": {"", func(r *run, x any, _ []any) any { return isCase(r.str(x), unicode.IsUpper, unicode.IsLower) }},
	"lt":    relate("<"), "lessthan": relate("<"), "<": relate("<"),
	"mapping": holds(isType[*Map]),
	"ne":      relate("!="), "!=": relate("!="),
	"none":      holds(func(x any) bool { return x == nil }),
	"number":    holds(func(x any) bool { _, ok := toFloat(x); return ok }),
	"odd":       {"", remains(1)},
	"sameas":    {"other", sameAs},
	"sequence":  holds(func(x any) bool { s, ok := x.(*sequence); return sized(x) || ok && s.name == "range" }),
	"string":    holds(isType[string]),
	"test":      {"", func(r *run, x any, _ []any) any { return isTest(r.str(x)) }},
	"true":      holds(func(x any) bool { return x == true }),
	"undefined": holds(isType[undefined]),
	"upper":     {"", func(r *run, x any, _ []any) any { return isCase(r.str(x), unicode.IsLower, unicode.IsUpper) }},
}

// isTest is a variable: the test "test" would make the table refer to itself.
var isTest func(string) bool

func init() { isTest = func(s string) bool { return tests[s].f != nil } }

func sized(x any) bool {
	switch x.(type) {
	case string, []any, tuple, *Map, undefined:
		return true
	}
	return false
}

// isCase tells whether s has letters of the wanted case and none of the other: Python's islower and isupper.
func isCase(s string, other, want func(rune) bool) bool {
	return strings.IndexFunc(s, other) < 0 && strings.IndexFunc(s, want) >= 0
}

// sameAs is Python's "is", for the values that have one identity: none, true, false, and what is a reference.
func sameAs(r *run, x any, a []any) any {
	switch x.(type) {
	case nil, bool, int64, *Map, *sequence, *namespace, *callable:
		return x == a[0]
	}
	return r.fail("test sameas of %s: want none, true, false or a dict", typeName(x))
}
