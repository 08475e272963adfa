package jinja

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestBeyond holds what is not supported or refused: each gives an error that names the line and the construct.
func TestBeyond(t *testing.T) {
	for _, c := range []struct{ template, want string }{
		{"a\n\n{{ 'x'|xmlattr }}", `jinja: chat: line 3: filter "xmlattr" is not supported`},
		{"{{\n1 is\nescaped }}", `line 2: test "escaped" is not supported`},
		{"\n{% include 'x' %}", `line 2: tag "include" is not supported`},
		{"{% for x in y recursive %}{% endfor %}", "line 1: a recursive loop is not supported"},
		{"{% if x %}\n{% for y in x %}\n", `line 2: unexpected end of the template, want "endfor"`},
		{"{{ x\n", "line 1: a tag without its }}"},
		{"{# x", "a comment without its #}"},
		{"{% raw %} x", "raw without endraw"},
		{"{{ 1 +\n* 2 }}", `line 2: unexpected "*", want an expression`},
		{"{{ 10 ** 20 }}", "more than 64 bits"},
		{"{{ 9223372036854775807 + 1 }}", "more than 64 bits"},
		{"{{ 99999999999999999999 }}", "want one of 64 bits"},
		{"{{ -9223372036854775807 - 1 }}", "more than 64 bits"},
		{"{{ 'a'.encode() }}", "'str object' has no attribute 'encode'"},
		{"{{ 'a'|tojson(cls=1) }}", `filter tojson: argument "cls" is not supported`},
		{"{{ 'a'|replace('b') }}", `filter replace: no argument "new"`},
		{"{{ m.append(1) }}", "append() of a list: a template may not change a value"},
		{"{{ m.x.y }}", "'list object' has no attribute 'x'"},
		{"{{ lipsum() }}", "'lipsum' is undefined"},
		{"\n{{ raise_exception('Roles must alternate') }}", "jinja: chat: line 2: Roles must alternate"},
		{"{% macro f() %}\n{{ 1/0 }}{% endmacro %}\n{{ f() }}", "line 2: 1 / 0: division by zero"},
		{"{{ strftime_now('%Q') }}", "the directive %Q is not supported"},
		{"{{ '{0.x}'.format(1) }}", "the field {0.x} is not supported"},
		{"{{ m|groupby('x') }}", `filter "groupby" is not supported`},
	} {
		got, err := render("chat", c.template, map[string]any{"m": []string{"a"}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %q, %v, want an error with %q", c.template, got, err, c.want)
		}
	}
}

const doubled = "{% set ns = namespace(x=['ab']) %}{% for i in range(60) %}{% set ns.x = "

func deep(open, mid, close string) string {
	return strings.Repeat(open, 40_000) + mid + strings.Repeat(close, 40_000)
}

// limits are templates that would take all memory, all time or all of the stack, and a part of the error each gives.
var limits = []struct{ name, template, want string }{
	{"range", "{{ range(10**12) }}", "range(): 1000000000000 items, want at most 100000"},
	{"wide range", "{{ range(-9223372036854775807, 9223372036854775807) }}", "items, want at most"},
	{"loops", "{% set r = range(100000) %}{% for a in r %}{% for b in r %}{% for c in r %}{% endfor %}{% endfor %}{% endfor %}", "steps"},
	{"output", "{% for a in range(100000) %}" + strings.Repeat("x", 1000) + "{% endfor %}", "bytes of text"},
	{"capture", "{% set x %}{% for a in range(100000) %}" + strings.Repeat("x", 1000) + "{% endfor %}{% endset %}", "bytes of text"},
	{"text doubled", doubled + "ns.x[0] ~ ns.x[0], 1 %}{% endfor %}", "bytes of text"},
	{"list doubled", doubled + "ns.x + ns.x %}{% endfor %}", "steps"},
	{"shared", doubled + "[ns.x, ns.x] %}{% endfor %}{{ ns.x }}", "steps"},
	{"shared json", doubled + "[ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson(indent=2) }}", "steps"},
	{"shared equal", doubled + "[ns.x, ns.x] %}{% endfor %}{% set y = ns.x %}" + doubled + "[ns.x, ns.x] %}{% endfor %}{{ y == ns.x }}", "steps"},
	{"shared order", doubled + "[ns.x, ns.x] %}{% endfor %}{% set y = ns.x %}" + doubled + "[ns.x, ns.x] %}{% endfor %}{{ y < ns.x }}", "steps"},
	{"nested value", "{% set ns = namespace(x=1) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}", "nested deeper"},
	{"repeat", "{{ 'ab' * 10**12 }}", "steps"},
	{"repeat list", "{{ [1] * 10**12 }}", "steps"},
	{"repeat all", "{{ 'ab' * 9223372036854775807 }}", "steps"},
	{"indent", "{{ [1]|tojson(indent=10**12) }}", "want a whole number up to"},
	{"width", "{{ '%999999999999d' % 1 }}", "want at most 1000000 characters"},
	{"precision", "{{ '%.9999999f' % 1 }}", "want at most 1000000 characters"},
	{"batch", "{{ [1]|batch(10**12, 0)|list }}", "want a whole number up to"},
	{"power", "{{ 3 ** 10**12 }}", "more than 64 bits"},
	{"replace", "{% set x = 'a' * 10**6 %}{{ x.replace('a', x) }}", "bytes of text"},
	{"indented lines", "{% set x = '\n' * 10**6 %}{{ x|indent('a' * 10**6, blank=true) }}", "bytes of text"},
	{"scan", "{% set x = 'a' * 10**7 %}{% for i in range(100000) %}{% if 'b' in x %}{% endif %}{% endfor %}", "steps"},
	{"separators", "{% set x = ',' * 10**6 %}{{ range(10000)|list|tojson(separators=(x, x)) }}", "steps"},
	{"unique", "{{ range(100000)|unique|list|length }}{% for i in range(1000) %}{{ range(100000)|unique|list|length }}{% endfor %}", "steps"},
	{"long key", "{% set x = 'a' * 10**7 %}{% for i in range(100000) %}{{ {}[x] }}{% endfor %}", "steps"},
	{"long prefixes", "{% set x = 'a' * 10**7 %}{% for i in range(100000) %}{{ x.startswith((x ~ 'b', x ~ 'c')) }}{% endfor %}", "steps"},
	{"long cutset", "{% set x = 'a' * 10**7 %}{% for i in range(100000) %}{{ 'b'.strip(x) }}{% endfor %}", "steps"},
	{"long arguments", "{% macro f() %}{{ kwargs is none }}{% endmacro %}{% set x = {'a' * 10**7: 1} %}{% for i in range(100000) %}{{ f(**x) }}{% endfor %}", "steps"},
	{"long name", "{% for i in range(100000) %}{{ " + strings.Repeat("a", 900_000) + " }}{% endfor %}", "want at most 1000"},
	{"macro", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested deeper than 1000 while rendering"},
	{"macros", "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}", "steps"},
	{"brackets", "{{ " + deep("[", "", "]") + " }}", "nested deeper than"},
	{"parentheses", "{{ " + deep("(", "1", ")") + " }}", "nested deeper than"},
	{"subscripts", "{{ " + deep("a[", "1", "]") + " }}", "nested deeper than"},
	{"signs", "{{ " + deep("-", "1", "") + " }}", "nested deeper than"},
	{"nots", "{{ " + deep("not ", "1", "") + " }}", "nested deeper than"},
	{"ifs", deep("{% if 1 %}", "", "{% endif %}"), "nested deeper than"},
	{"targets", "{% set " + deep("(", "x", ")") + " = 1 %}", "nested deeper than"},
	{"conditions", "{{ " + deep("1 if 1 else ", "1", "") + " }}", "nested deeper than"},
	{"sum", "{{ 1" + deep("+1", "", "") + " }}", "nested deeper than"},
	{"attributes", "{{ x" + deep(".x", "", "") + " }}", "nested deeper than"},
	{"large", strings.Repeat(" ", maxTemplate+1), "want at most 1048576"},
}

func TestLimits(t *testing.T) {
	for _, c := range limits {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start, fuel := time.Now(), maxFuel/8 // for the sake of the test's time
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

// TestValues holds what Render makes of Go's values.
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
		{v: fromJSON("[1, 1.0, 1e2, -0.0]"), want: "[1, 1.0, 100.0, -0.0]"},
		{v: struct{}{}, err: "a variable of the Go type struct {}: want a bool"},
		{v: map[int]int{1: 1}, err: "a variable of the Go type map[int]int"},
		{v: nested, err: "nested deeper than"},
	} {
		got, err := render("value", "{{ v|tojson }}", map[string]any{"v": c.v})
		if got != c.want || (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%T: got %q, %v, want %q, %q", c.v, got, err, c.want, c.err)
		}
	}
	for _, bad := range []string{"", "[1", "{1:2}", "[] []", "99999999999999999999", strings.Repeat("[", 100_000), "1e999"} {
		if v, err := FromJSON([]byte(bad)); err == nil {
			t.Errorf("FromJSON(%.20q) = %v, want an error", bad, v)
		}
	}
}

func fromJSON(s string) any {
	v, _ := FromJSON([]byte(s))
	return v
}

// FuzzRender: any template gives a text or an error, never a panic, and ends.
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
