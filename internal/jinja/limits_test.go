package jinja

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
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

const hoard = "{% macro f() %}{{ 'a' * 1000000 }}{% endmacro %}{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = "

// lines joins what format makes of 0 twice, 1 twice, … n-1 twice.
func lines(format string, n int) (s string) {
	for i := range n {
		s += fmt.Sprintf(format, i, i)
	}
	return s
}

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
	{"list doubled", doubled + "ns.x + ns.x %}{% endfor %}", "lists at a time"},
	{"shared", doubled + "[ns.x, ns.x] %}{% endfor %}{{ ns.x }}", "bytes of text"},
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
	{"hoarded texts", hoard + "ns.x + ['a' * 1000000] %}{% endfor %}", "lists at a time"},
	{"hoarded dicts", hoard + "ns.x + [{'a': i, 'b': i, 'c': i}] %}{% endfor %}", "lists at a time"},
	{"hoarded namespaces", hoard + "[namespace(a=ns.x)] %}{% endfor %}{% for i in range(10000) %}{% set y = 1 %}{% endfor %}{{ ns.x }}", "lists at a time"},
	{"hoarded lists", hoard + "ns.x + [range(1000)|list] %}{% endfor %}", "lists at a time"},
	{"hoarded captures", hoard + "ns.x + [f()] %}{% endfor %}", "lists at a time"},
	{"hoarded variables", "{% set a = 'a' * 4000000 %}" + lines("{%% set b%d = a ~ '%d' %%}", 90), "lists at a time"},
	{"hoarded fields", "{% set ns = namespace() %}{% set a = 'a' * 4000000 %}" + lines("{%% set ns.b%d = a ~ '%d' %%}", 90), "lists at a time"},
	{"arguments", "{% set a = 'a' * 4000000 %}{{ dict(" + many("a%d=a~1", 90) + ") }}", "lists at a time"},
	{"nested operands", "{% set a = 'a' * 1000000 %}{{ " + strings.Repeat("(a ~ 1) ~ (", 60) + "1" + strings.Repeat(")", 60) + " }}", "lists at a time"},
	{"nested captures", "{% macro f(n) %}" + strings.Repeat("a", 10000) + "{{ f(n + 1) }}{% endmacro %}{{ f(1) }}", "nested deeper"},
	{"nested captures of texts", "{% macro f(n) %}{{ 'a' * 1000000 }}{{ f(n + 1) }}{% endmacro %}{{ f(1) }}", "lists at a time"},
	{"split", "{% set a = 'a ' * 2000000 %}{{ a.split()|length }}", "lists at a time"},
	{"rsplit", "{% set a = 'a,' * 2000000 %}{{ a.rsplit(',')|length }}", "lists at a time"},
	{"splitlines", "{% set a = 'a\n' * 2000000 %}{{ a.splitlines()|length }}", "lists at a time"},
	{"indent of many lines", "{% set a = 'a\n' * 2000000 %}{{ a|indent }}", "lists at a time"},
	{"characters", "{% set a = 'a' * 4000000 %}{{ a|list|length }}", "lists at a time"},
	{"characters beyond ASCII", "{% set a = 'é' * 2000000 %}{{ a|list|length }}", "lists at a time"},
	{"list repeated", "{{ ([1] * 10000000)|length }}", "bytes"},
	{"list repeated again", "{% set a = [1] * 900000 %}{% set b = a * 10 %}", "bytes"},
	{"batch", "{% set a = [1] * 500000 %}{{ a|batch(1)|list|length }}", "lists at a time"},
	{"filled slices", "{{ [1]|slice(100000, 'x')|list|length }}{{ range(100000)|slice(100000)|list|length }}", "lists at a time"},
	{"groups", "{% set a = [1] * 500000 %}{{ a|groupby(0)|length }}", "lists at a time"},
	{"sorted", "{% set a = [1] * 900000 %}{{ a|sort|length }}", "lists at a time"},
	{"mapped", "{% set a = [1] * 900000 %}{{ a|map('string')|list|length }}", "lists at a time"},
	{"pairs", "{% set a = dict(range(50000)|batch(2)) %}" + strings.Repeat("{% for i in range(100) %}{% set x = a.items()|list + a.items()|list %}{% endfor %}", 30), "steps"},
	{"center", "{{ 'a'|center(10000000) }}", "bytes of text"},
	{"padded", "{{ '%9999999999d' % 1 }}", "a width or precision of"},
	{"padded field", "{{ '{:>99999}'.format(1) }}", "a width or precision of 99999, want at most 1000"},
	{"precise", "{{ '{:.9999}'.format(1.5) }}", "a width or precision of 9999, want at most 1000"},
	{"many fields", "{{ ('{0}' * 1000000).format('a' * 100) }}", "steps"},
	{"many places", "{% set a = ('%(a)s' * 500000) % {'a': 'b' * 100} %}", "steps"},
	{"expanded tabs", "{{ ('\t' * 1000000).expandtabs(1000) }}", "lists at a time"},
	{"title", "{% set x = 'é' * 2000000 %}{% for i in range(100) %}{% set y = x.title() %}{% endfor %}", "steps"},
	{"upper", "{% set x = 'ß' * 2000000 %}{% for i in range(100) %}{% set y = x|upper %}{% endfor %}", "steps"},
	{"casefold", "{% set x = 'ß' * 2000000 %}{% for i in range(100) %}{% set y = x.casefold() %}{% endfor %}", "steps"},
	{"items of a text", "{% set x = 'é' * 2000000 %}{% for i in range(100000) %}{% set y = x[-1] ~ x[1:1000] %}{% endfor %}", "steps"},
	{"escape", "{{ ('<' * 4000000)|e }}", "bytes of text"},
	{"xmlattr", "{{ {'a': '<' * 4000000}|xmlattr }}", "bytes of text"},
	{"urlencode", "{{ ('<' * 4000000)|urlencode }}", "bytes of text"},
	{"striptags", "{% set x = '<a>b' * 1000000 %}{% for i in range(1000) %}{% set y = x|striptags %}{% endfor %}", "steps"},
	{"open comments", "{% set x = '<!--' * 1000000 %}{% for i in range(1000) %}{% set y = x|striptags %}{% endfor %}", "steps"},
	{"recursive loop", "{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}", "nested deeper"},
	{"recursive loops", "{% for x in [1, 2] recursive %}{% if loop.depth < 60 %}{{ loop([1, 2]) }}{% endif %}{% endfor %}", "steps"},
	{"caller", "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}", "nested deeper"},
	{"starred", "{% macro f() %}{{ f(*varargs, **kwargs) }}{% endmacro %}{{ f(*range(1000), a=1) }}", "nested deeper"},
	{"cycler", "{% for i in range(100000) %}{{ cycler(*range(100000)).next() }}{% endfor %}", "steps"},
	{"names", "{{ " + strings.Repeat("a ~ ", 32_000) + "a }}", "nested deeper"},
	{"tags", strings.Repeat("{%if a%}{%endif%}", 7_500) + "{{ 1/0 }}", "division by zero"},
	{"prints", strings.Repeat("{{a}}", 26_000) + "{{ }}", "want an expression"},
	{"lists", "{{ [" + strings.Repeat("[],", 43_000) + "1/0] }}", "division by zero"},
	{"numbers", "{{ [" + strings.Repeat("1,", 65_000) + "1/0][0] }}", "division by zero"},
	{"arguments of a filter", "{{ a|default(" + strings.Repeat("1,", 60_000) + "1) }}", "arguments, want at most"},
	{"texts", "{{ " + strings.Repeat("''", 60_000) + " / 0 }}", "do not go together"},
	{"operators", "{{ 1" + strings.Repeat("|abs", 30_000) + " }}", "nested deeper"},
	{"filters in if", "{% if 0 %}" + strings.Repeat("{{a|b}}", 18_000) + "{% endif %}{{ 1/0 }}", "division by zero"},
	{"large", strings.Repeat(" ", maxTemplate+1), "want at most 131072"},
}

// heap returns the bytes of all objects, garbage included.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// peak returns the most by which heap grows while f runs, and the time f takes.
func peak(f func()) (uint64, time.Duration) {
	runtime.GC()
	before, most, done := heap(), uint64(0), make(chan bool)
	var wait sync.WaitGroup
	wait.Go(func() {
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-tick.C:
				most = max(most, heap())
			case <-done:
				return
			}
		}
	})
	start := time.Now()
	f()
	spent := time.Since(start)
	close(done)
	wait.Wait()
	most = max(most, heap())
	return most - min(most, before), spent
}

// TestLimits: no template takes more than 10 s, or more memory than twice its size and 64 MiB.
func TestLimits(t *testing.T) {
	for _, c := range limits {
		t.Run(c.name, func(t *testing.T) {
			var got string
			var err error
			most, spent := peak(func() { got, err = render("limits", c.template, nil) })
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %.80q, %.200v, want an error with %q", got, err, c.want)
			}
			if spent > 10*time.Second || most > 64<<20+2*uint64(len(c.template)) {
				t.Errorf("took %v and %d MiB: want it stopped earlier", spent, most>>20)
			}
			t.Logf("%v, %d MiB", spent, most>>20)
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

// FuzzRender checks that any template gives a text or an error, never a panic, within the bounds of TestLimits.
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
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		out, err := render("fuzz", template, v)
		if len(out) > maxOutput || err != nil && out != "" {
			t.Errorf("%d bytes and the error %v", len(out), err)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("took %v", d)
		}
		bound := 64<<20 + 2*uint64(len(template))
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc < bound {
			return
		}
		if most, _ := peak(func() { _, _ = render("fuzz", template, v) }); most > bound {
			t.Errorf("%d MiB at a time: want at most %d", most>>20, bound>>20)
		}
	})
}
