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
	{"a\n\n{{ 'x'|xmlattr }}", `jinja: chat: line 3: filter "xmlattr" is not supported`},
	{"{{\n1 is\nescaped }}", `line 3: test "escaped" is not supported`},
	{"\n{% include 'x' %}", `line 2: tag "include" is not supported`},
	{"{% for x in y recursive %}{% endfor %}", `line 1: unexpected "recursive", want "%}"`},
	{"{% if x %}\n{% for y in x %}\n", `line 2: unexpected end of the template, want "endfor"`},
	{"{{ x\n", "line 1: a tag without its }}"},
	{"{# x", "a comment without its #}"},
	{"{% raw %} x", `line 1: tag "raw" is not supported here`},
	{"{{ 1 +\n* 2 }}", `line 2: unexpected "*", want an expression`},
	{"{{ 10 ** 20 }}", "10 ** 20: want a whole number of at most 53 bits"},
	{"{{ 2 ** -1 }}", "2 ** -1: want a whole number"},
	{"{{ 9223372036854775807 + 1 }}", "more than 64 bits"},
	{"{{ 99999999999999999999 }}", "want one of 64 bits"},
	{"{{ -9223372036854775807 - 1 }}", "more than 64 bits"},
	{"{{ 'a'.encode() }}", "'str object' has no attribute 'encode'"},
	{"{{ 'a'|tojson(cls=1) }}", `filter tojson: the arguments ["cls"] are not supported`},
	{"{{ 'a'|replace('b') }}", `filter replace: no argument "new"`},
	{"{{ m.append(1) }}", "append() of a list: a template may not change a value"},
	{"{{ m.x.y }}", "'list object' has no attribute 'x'"},
	{"{{ lipsum() }}", "'lipsum' is undefined"},
	{"\n{{ raise_exception('Roles must alternate') }}", "jinja: chat: line 2: Roles must alternate"},
	{"{% macro f() %}\n{{ 1/0 }}{% endmacro %}\n{{ f() }}", "line 2: 1 / 0: division by zero"},
	{"{{ strftime_now('%Q') }}", "the directive %Q is not supported"},
	{"{{ '{0.x}'.format(1) }}", "format(): want a value for each {}; other fields are not supported"},
	{"{{ m|groupby('x') }}", `filter "groupby" is not supported`},
	{"{{ '<'|escape }}", `filter "escape" is not supported`},
	{"{{ m|batch(2) }}", `filter "batch" is not supported`},
	{"{{ m|sum }}", `filter "sum" is not supported`},
	{"{{ 2.5|round }}", `filter "round" is not supported`},
	{"{{ -1|abs }}", `filter "abs" is not supported`},
	{"{{ s|attr('x') }}", `filter "attr" is not supported`},
	{"{{ '%s'|format(1) }}", `filter "format" is not supported`},
	{"{{ m|tojson(separators=(',', ':')) }}", `filter tojson: the arguments ["separators"] are not supported`},
	{"{{ 'ff'|int(base=16) }}", `filter int: the arguments ["base"] are not supported`},
	{"{{ {}|dictsort(by='value') }}", `filter dictsort: the arguments ["by"] are not supported`},
	{"{{ m|map(attribute='x', default=1)|list }}", "filter map: want map("},
	{"{{ 'aa'.replace('a', 'b', 1) }}", "replace(): 3 arguments, want at most 2"},
	{"{{ 'a'.startswith(('a', 'b')) }}", "startswith or endswith: tuple, want a string"},
	{"{{ 'a b'.rsplit() }}", "'str object' has no attribute 'rsplit'"},
	{"{{ 'a'.isdigit() }}", "'str object' has no attribute 'isdigit'"},
	{"{{ m.index('a') }}", "'list object' has no attribute 'index'"},
	{"{{ 1 is divisibleby 3 }}", `test "divisibleby" is not supported`},
	{"{{ 1 is callable }}", `test "callable" is not supported`},
	{"{{ '%d' % 3 }}", `'%d' % 3: these do not go together`},
	{"{{ [0] * 3 }}", "list * 3: these do not go together"},
	{"{{ 7.5 // 2 }}", "7.5 // 2: these do not go together"},
	{"{{ m < m }}", "list < list: these have no order"},
	{"{{ {1.5: 2} }}", "1.5 as a key of a dict: want a string or a whole number"},
	{"{{ dict([('a', 1)]) }}", "dict() of a value is not supported: want key=value"},
	{"{{ m[::2] }}", "a slice with a step is not supported, but for [::-1]"},
	{"{{ range(3) }}", "the text of a range is not supported: want a list, as in x|list"},
	{"{{ +1 }}", `unexpected "+", want an expression`},
	{"{{ 'a' 'b' }}", `unexpected "b", want "}}"`},
	{"{{ 0x1F }}", `unexpected "x1F", want "}}"`},
	{"{{ m.0 }}", `unexpected "0", want a name`},
	{"{{ f(*m) }}", `unexpected "*", want an expression`},
	{"{{ f(**m) }}", `unexpected "**", want an expression`},
	{"{% for a, (b, c) in m %}{% endfor %}", `unexpected "(", want "in"`},
	{"{% set (a, b) = m %}", `unexpected "(", want a name`},
	{"{% with x = 1 %}{% endwith %}", `tag "with" is not supported here`},
	{"{% macro f() %}{{ varargs }}{% endmacro %}", "varargs is not supported"},
	{"{% for i in m %}{{ loop.cycle(1, 2) }}{% endfor %}", "'namespace object' has no attribute 'cycle'"},
	{"{% for i in m %}{{ loop.changed(1) }}{% endfor %}", "'namespace object' has no attribute 'changed'"},
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
	return strings.Repeat(open, 40_000) + mid + strings.Repeat(close, 40_000)
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
	{"shared json", doubled + "[ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson(indent=2) }}", "steps"},
	{"shared equal", doubled + "[ns.x, ns.x] %}{% endfor %}{% set y = ns.x %}" + doubled + "[ns.x, ns.x] %}{% endfor %}{{ y == ns.x }}", "steps"},
	{"nested value", "{% set ns = namespace(x=1) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}", "nested deeper"},
	{"repeat", "{{ 'ab' * 10**12 }}", "bytes of text"},
	{"repeat all", "{{ 'ab' * 9223372036854775807 }}", "bytes of text"},
	{"sort keys", "{% set x = ['a' * 10**6, 'b' * 10**6] %}{% for i in range(100000) %}{{ x|sort|length }}{% endfor %}", "steps"},
	{"indent", "{{ [1]|tojson(indent=10**12) }}", "want a whole number up to"},
	{"power", "{{ 3 ** (10**12) }}", "want a whole number of at most 53 bits"},
	{"replace", "{% set x = 'a' * 10**6 %}{{ x.replace('a', x) }}", "bytes of text"},
	{"indented lines", "{% set x = '\n' * 10**6 %}{{ x|indent('a' * 10**6, blank=true) }}", "bytes of text"},
	{"scan", "{% set x = 'a' * 10**7 %}{% for i in range(100000) %}{% if 'b' in x %}{% endif %}{% endfor %}", "steps"},
	{"unique", "{{ range(100000)|unique|list|length }}{% for i in range(1000) %}{{ range(100000)|unique|list|length }}{% endfor %}", "steps"},
	{"long key", "{% set x = 'a' * 10**7 %}{% for i in range(100000) %}{{ {}[x] }}{% endfor %}", "steps"},
	{"long prefixes", "{% set x = 'a' * 10**7 %}{% for i in range(100000) %}{{ x.startswith((x ~ 'b', x ~ 'c')) }}{% endfor %}", "steps"},
	{"long cutset", "{% set x = 'a' * 10**7 %}{% for i in range(100000) %}{{ 'b'.strip(x) }}{% endfor %}", "steps"},
	{"long parameters", "{% macro f(" + many("a%d", 20_000) + ") %}{% endmacro %}{% for i in range(100000) %}{{ f() }}{% endfor %}", "steps"},
	{"long name", "{% for i in range(100000) %}{{ " + strings.Repeat("a", 900_000) + " }}{% endfor %}", "want at most 1000"},
	{"macro", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested deeper than 1000 while rendering"},
	{"macros", "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}", "steps"},
	{"brackets", "{{ " + deep("[", "", "]") + " }}", "nested deeper than"},
	{"parentheses", "{{ " + deep("(", "1", ")") + " }}", "nested deeper than"},
	{"subscripts", "{{ " + deep("a[", "1", "]") + " }}", "nested deeper than"},
	{"signs", "{{ " + deep("-", "1", "") + " }}", "nested deeper than"},
	{"nots", "{{ " + deep("not ", "1", "") + " }}", "nested deeper than"},
	{"ifs", deep("{% if 1 %}", "", "{% endif %}"), "nested deeper than"},
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
