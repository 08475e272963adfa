package jinja

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// beyond lists templates that are not supported or are refused. The error of each names the line and the construct.
var beyond = []struct{ template, want string }{
	{"a\n\n{{ 'x'|urlize }}", `jinja: chat: line 3: filter "urlize" of jinja2 is not supported`},
	{"{% if false %}{{ 'x'|pprint }}{% endif %}", `line 1: filter "pprint" of jinja2 is not supported`},
	{"{{ 'x'|random if false }}", `line 1: filter "random" of jinja2 is not supported`},
	{"{{ []|map('wordwrap') }}", `filter "wordwrap" of jinja2 is not supported`},
	{"{{ m|map('random' ~ '')|list }}", `filter "random" of jinja2 is not supported`},
	{"{{ 1 }}\n{% for x in [] %}{{ 'x'|nonsense }}{% endfor %}", `line 2: filter "nonsense" is not supported`},
	{"{% if true %}{{ 1\nis nonsense }}{% endif %}", `line 2: test "nonsense" is not supported`},
	{"{% if false %}{% for x in [] %}{{ x is nonsense }}{% endfor %}{% endif %}", `test "nonsense" is not supported`},
	{"\n{% include 'x' %}", `line 2: tag "include" is not supported here: there are no other templates`},
	{"{% import 'x' as y %}", `tag "import" is not supported`},
	{"{% from 'x' import y %}", `tag "from" is not supported`},
	{"{% extends 'x' %}", `tag "extends" is not supported`},
	{"{% block x %}{% endblock %}", `tag "block" is not supported here: there is no inheritance`},
	{"{% autoescape true %}{% endautoescape %}", `tag "autoescape" is not supported`},
	{"{% do m.append(1) %}", `tag "do" is not supported`},
	{"{% if false %}{{ lipsum() }}{% endif %}", `global "lipsum" of jinja2 is not supported`},
	{"{{ self.x() }}", `global "self" of jinja2 is not supported`},
	{"{% if x %}\n{% for y in x %}\n", `line 2: unexpected end of the template, want "endfor"`},
	{"{{ x\n", "line 1: a tag without its }}"},
	{"{# x", "a comment without its #}"},
	{"{% raw %} x", "line 1: a raw block without its endraw"},
	{"{{ 1 +\n* 2 }}", `line 2: unexpected "*", want an expression`},
	{"{{ 10 ** 20 }}", "10 ** 20: more than 64 bits hold"},
	{"{{ 9223372036854775807 + 1 }}", "more than 64 bits"},
	{"{{ 9223372036854775807 * -2 }}", "more than 64 bits"},
	{"{{ '99999999999999999999'|int }}", "more than 64 bits"},
	{"{{ 99999999999999999999 }}", "want one of 64 bits"},
	{"{{ -9223372036854775807 - 2 }}", "more than 64 bits"},
	{"{{ (-8) ** 0.5 }}", "-8 ** 0.5: the result is no number of 64 bits"},
	{"{{ 'a'.encode() }}", "encode of a str is not supported"},
	{"{{ 1.5.is_integer is defined }}", "is_integer of a float is not supported"},
	{"{{ {}|attr('fromkeys') }}", "fromkeys of a dict is not supported"},
	{"{{ '²'.isdigit() }}", "isdigit() of '²' is not supported"},
	{"{{ 'a'|tojson(cls=1) }}", `filter tojson: the arguments ["cls"] are not supported`},
	{"{{ 'a'|replace('b') }}", `filter replace: no argument "new"`},
	{"{{ m.append(1) }}", "append() of a list: a template may not change a value"},
	{"{{ m.x.y }}", "'list object' has no attribute 'x'"},
	{"\n{{ raise_exception('Roles must alternate') }}", "jinja: chat: line 2: Roles must alternate"},
	{"{% macro f() %}\n{{ 1/0 }}{% endmacro %}\n{{ f() }}", "line 2: 1 / 0: division by zero"},
	{"{{ strftime_now('%Q') }}", "the directive %Q is not supported"},
	{"{{ strftime_now('%-A') }}", "the directive %-A is not supported"},
	{"{{ '{!a}'.format(1) }}", "the conversion !a is not supported"},
	{"{{ '%a' % 1 }}", "%a of 1 is not supported"},
	{"{{ '%#x' % 1.5 }}", "%x of 1.5 is not supported"},
	{"{{ ('a'|safe) % 1 }}", "% of a text marked as safe is not supported"},
	{"{{ ('a'|safe).format(1) }}", "format() of a text marked as safe is not supported"},
	{"{{ m is sameas 'a' }}{{ 'a' is sameas 'a' }}", "test sameas of str: want none"},
	{"{{ m|batch(2) }}", "the text of a generator is not supported: want a list, as in x|list"},
	{"{{ range }}", "the text of callable is not supported"},
	{"{% for i in m %}{{ loop }}{% endfor %}", "the text of LoopContext is not supported"},
	{"{{ {[1]: 2} }}", "list as a key of a dict: want a string, a number, true, false or none"},
	{"{{ f(*m, 1) }}", "a positional argument follows a keyword"},
	{"{{ dict(a=1, a=2) }}", `the argument "a" is given twice`},
}

func TestBeyond(t *testing.T) {
	for _, c := range beyond {
		got, err := render("chat", c.template, map[string]any{"m": []string{"a"}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %q, %v, want an error with %q", c.template, got, err, c.want)
		}
	}
}

const doubled = "{% set ns = namespace(x=['ab']) %}{% for i in range(60) %}{% set ns.x = "

func deep(open, mid, close string) string {
	return strings.Repeat(open, 9_000) + mid + strings.Repeat(close, 9_000)
}

// many joins what format makes of 0, 1, … n-1.
func many(format string, n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(parts, ",")
}

// limits lists templates that would take all memory, all time or all of the stack, and a part of each error.
var limits = []struct{ name, template, want string }{
	{"range", "{{ range(10**12) }}", "range(): 1000000000000 items, want at most 100000"},
	{"wide range", "{{ range(-9000000000000000000, 9000000000000000000) }}", "items, want at most"},
	{"loops", "{% set r = range(100000) %}{% for a in r %}{% for b in r %}{% for c in r %}{% endfor %}{% endfor %}{% endfor %}", "steps"},
	{"output", "{% for a in range(100000) %}" + strings.Repeat("x", 1000) + "{% endfor %}", "bytes of text"},
	{"capture", "{% set x %}{% for a in range(100000) %}" + strings.Repeat("x", 1000) + "{% endfor %}{% endset %}", "bytes of text"},
	{"text doubled", doubled + "ns.x[0] ~ ns.x[0], 1 %}{% endfor %}", "bytes of text"},
	{"list doubled", doubled + "ns.x + ns.x %}{% endfor %}", "steps"},
	{"shared", doubled + "[ns.x, ns.x] %}{% endfor %}{{ ns.x }}", "steps"},
	{"shared json", doubled + "[ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson(indent=2) }}", "bytes of text"},
	{"shared equal", doubled + "[ns.x, ns.x] %}{% endfor %}{% set y = ns.x %}" + doubled + "[ns.x, ns.x] %}{% endfor %}{{ y == ns.x }}", "steps"},
	{"nested value", "{% set ns = namespace(x=1) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}", "nested deeper"},
	{"repeat", "{{ 'ab' * 10**12 }}", "bytes of text"},
	{"repeat all", "{{ 'ab' * 9223372036854775807 }}", "bytes of text"},
	{"sort keys", "{% set x = ['a' * 10**6, 'b' * 10**6] %}{% for i in range(100000) %}{{ x|sort|length }}{% endfor %}", "steps"},
	{"indent", "{{ [1]|tojson(indent=10**12) }}", "want a whole number up to"},
	{"power", "{{ 3 ** (10**12) }}", "more than 64 bits hold"},
	{"replace", "{% set x = 'a' * 10**6 %}{{ x.replace('a', x) }}", "bytes of text"},
	{"indented lines", "{% set x = '\n' * 10**6 %}{{ x|indent('a' * 10**6, blank=true) }}", "bytes of text"},
	{"scan", "{% set x = 'a' * 4 * 10**6 %}{% for i in range(100000) %}{% if 'b' in x %}{% endif %}{% endfor %}", "steps"},
	{"unique", "{{ range(100000)|unique|list|length }}{% for i in range(1000) %}{{ range(100000)|unique|list|length }}{% endfor %}", "steps"},
	{"long key", "{% set x = 'a' * 4 * 10**6 %}{% for i in range(100000) %}{{ {}[x] }}{% endfor %}", "steps"},
	{"long prefixes", "{% set x = 'a' * 4 * 10**6 %}{% for i in range(100000) %}{{ x.startswith((x ~ 'b', x ~ 'c')) }}{% endfor %}", "steps"},
	{"long cutset", "{% set x = 'a' * 4 * 10**6 %}{% for i in range(100000) %}{{ 'b'.strip(x) }}{% endfor %}", "steps"},
	{"long parameters", "{% macro f(" + many("a%d", 15_000) + ") %}{% endmacro %}{% for i in range(100000) %}{{ f() }}{% endfor %}", "steps"},
	{"long name", "{% for i in range(100000) %}{{ " + strings.Repeat("a", 100_000) + " }}{% endfor %}", "want at most 1000"},
	{"macro", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested deeper than 1000 while rendering"},
	{"macros", "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}", "steps"},
	{"brackets", "{{ " + deep("[", "", "]") + " }}", "nested deeper than"},
	{"parentheses", "{{ " + deep("(", "1", ")") + " }}", "nested deeper than"},
	{"subscripts", "{{ " + deep("a[", "1", "]") + " }}", "nested deeper than"},
	{"signs", "{{ " + deep("-", "1", "") + " }}", "nested deeper than"},
	{"nots", "{{ " + deep("not ", "1", "") + " }}", "nested deeper than"},
	{"ifs", strings.Repeat("{% if 1 %}", 5_000) + strings.Repeat("{% endif %}", 5_000), "nested deeper than"},
	{"conditions", "{{ " + deep("1 if 1 else ", "1", "") + " }}", "nested deeper than"},
	{"sum", "{{ 1" + deep("+1", "", "") + " }}", "nested deeper than"},
	{"attributes", "{{ x" + deep(".x", "", "") + " }}", "nested deeper than"},
	{"large", strings.Repeat(" ", maxTemplate+1), "want at most 131072"},
}

func TestLimits(t *testing.T) {
	for _, c := range limits {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start, fuel := time.Now(), maxFuel/8 // so that the test is short
			if c.name == "loops" || c.want == "bytes of text" {
				fuel = maxFuel
			}
			got, err := renderWith(fuel, "limits", c.template, nil)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %.80q, %.200v, want an error with %q", got, err, c.want)
			}
			spent, made := time.Since(start), after.TotalAlloc-before.TotalAlloc
			if spent > 20*time.Second || made > 2<<30 {
				t.Errorf("took %v and %d MiB: want it stopped earlier", spent, made>>20)
			}
			t.Logf("%v, %d MiB", spent, made>>20)
		})
	}
}

// TestValues checks what Render makes of Go's values.
func TestValues(t *testing.T) {
	type named []int
	m := new(Map)
	m.Set("z", 1)
	m.Set("a", []string{"x"})
	nested := map[string]any{}
	nested["self"] = nested
	for _, c := range []struct {
		v         any
		want, err string
	}{
		{v: map[string]int{"b": 1, "a": 2}, want: `{"a": 2, "b": 1}`},
		{v: m, want: `{"z": 1, "a": ["x"]}`},
		{v: []map[string]any{{"k": nil}}, want: `[{"k": null}]`},
		{v: named{1, 2}, want: "[1, 2]"},
		{v: float32(0.5), want: "0.5"},
		{v: uint16(7), want: "7"},
		{v: [2]bool{true}, want: "[true, false]"},
		{v: fromJSON(t, "[1, 1.0, 1e2, -0.0]"), want: "[1, 1.0, 100.0, -0.0]"},
		{v: struct{}{}, err: "a variable of the Go type struct {}: want a bool"},
		{v: map[int]int{1: 1}, err: "a variable of the Go type map[int]int"},
		{v: nested, err: "nested deeper than"},
	} {
		got, err := render("value", "{{ v|tojson }}", map[string]any{"v": c.v})
		if got != c.want || (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%T: got %q, %v, want %q, %q", c.v, got, err, c.want, c.err)
		}
	}
}

// FuzzRender checks that any template gives a text or an error, never a panic, and that it ends.
func FuzzRender(f *testing.F) {
	g := readGolden(f)
	for _, c := range g.Rows {
		f.Add(c.Template)
	}
	for _, c := range g.Cases {
		if c.Chat == "calls" {
			f.Add(readTemplate(f, c.Template))
		}
	}
	v := vars(f, g.Vars, g.Special, g.Chats["calls"])
	f.Fuzz(func(t *testing.T, template string) {
		start := time.Now()
		out, err := renderWith(maxFuel/64, "fuzz", template, v)
		if len(out) > maxOutput || err != nil && out != "" {
			t.Errorf("%d bytes and the error %v", len(out), err)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("took %v", d)
		}
	})
}
