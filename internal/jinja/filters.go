package jinja

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// filters are jinja2's, and transformers' tojson.
var filters map[string]builtin

func init() { // filters call filters: map, select
	filters = map[string]builtin{
		"abs":        {"", func(r *run, x any, a []any) any { return r.abs(x) }},
		"attr":       {"name", func(r *run, x any, a []any) any { return r.attr(x, r.str(a[0])) }},
		"batch":      {"linecount fill_with?", batch},
		"capitalize": {"", func(r *run, x any, a []any) any { return capitalize(r.str(x)) }},
		"count":      {"", length},
		"d":          {"default_value? boolean?", orDefault},
		"default":    {"default_value? boolean?", orDefault},
		"dictsort":   {"case_sensitive? by? reverse?", dictSort},
		"e":          {"", func(r *run, x any, a []any) any { return markup(escape(r.str(x))) }},
		"escape":     {"", func(r *run, x any, a []any) any { return markup(escape(r.str(x))) }},
		"first":      {"", func(r *run, x any, a []any) any { return edge(r.items(x), 0) }},
		"float":      {"default?", func(r *run, x any, a []any) any { return r.float(x, or(a[0], 0.0)) }},
		"format":     {"**", format},
		"indent":     {"width? first? blank?", indent},
		"int":        {"default? base?", func(r *run, x any, a []any) any { return r.int(x, or(a[0], int64(0)), or(a[1], int64(10))) }},
		"items":      {"", pairs},
		"join":       {"d? attribute?", joinItems},
		"last":       {"", func(r *run, x any, a []any) any { items := r.items(x); return edge(items, len(items)-1) }},
		"length":     {"", length},
		"list":       {"", func(r *run, x any, a []any) any { return slices.Clip(r.items(x)) }},
		"lower":      {"", func(r *run, x any, a []any) any { return strings.ToLower(r.str(x)) }},
		"map":        {"**", mapItems},
		"max":        {"case_sensitive? attribute?", func(r *run, x any, a []any) any { return r.extreme(x, a, 1) }},
		"min":        {"case_sensitive? attribute?", func(r *run, x any, a []any) any { return r.extreme(x, a, -1) }},
		"reject":     {"**", func(r *run, x any, a []any) any { return r.choose(x, a[0].(args), false, false) }},
		"rejectattr": {"**", func(r *run, x any, a []any) any { return r.choose(x, a[0].(args), true, false) }},
		"replace":    {"old new count?", replace},
		"reverse":    {"", reverse},
		"round":      {"precision? method?", round},
		"safe":       {"", func(r *run, x any, a []any) any { return markup(r.str(x)) }},
		"select":     {"**", func(r *run, x any, a []any) any { return r.choose(x, a[0].(args), false, true) }},
		"selectattr": {"**", func(r *run, x any, a []any) any { return r.choose(x, a[0].(args), true, true) }},
		"sort":       {"reverse? case_sensitive? attribute?", sortItems},
		"string":     {"", func(r *run, x any, a []any) any { return r.str(x) }},
		"sum":        {"attribute? start?", sum},
		"title":      {"", func(r *run, x any, a []any) any { return titleWords(r.str(x)) }},
		"tojson":     {"ensure_ascii? indent? separators? sort_keys?", toJSON},
		"trim":       {"chars?", func(r *run, x any, a []any) any { return strip(r, r.str(x), a) }},
		"unique":     {"case_sensitive? attribute?", unique},
		"upper":      {"", func(r *run, x any, a []any) any { return strings.ToUpper(r.str(x)) }},
	}
}

func (r *run) abs(x any) any {
	switch v := x.(type) {
	case float64:
		return math.Abs(v)
	default:
		if i, ok := toInt(v); ok && i != math.MinInt64 {
			return max(i, -i)
		}
	}
	return r.fail("filter abs of %s: want a number", r.describe(x))
}

// count reads a number of things to make, at most maxUnits.
func (r *run) count(v any) int {
	n, ok := toInt(v)
	if !ok || n > maxUnits {
		r.fail("%s: want a whole number up to %d", r.describe(v), maxUnits)
		return 0
	}
	return int(max(n, 0))
}

func batch(r *run, x any, a []any) any {
	n := r.count(a[0])
	if n == 0 {
		return r.fail("filter batch: want at least 1 item a line")
	}
	var out []any
	items := r.items(x)
	for len(items) > 0 {
		line := slices.Clone(items[:min(n, len(items))])
		items = items[len(line):]
		for fill := or(a[1], nil); fill != nil && len(line) < n; {
			line = append(line, fill)
		}
		r.spend(len(line))
		out = append(out, line)
	}
	return &sequence{name: "generator", items: out}
}

func orDefault(r *run, x any, a []any) any {
	if _, ok := x.(undefined); ok || r.truth(or(a[1], false)) && !r.truth(x) {
		return or(a[0], "")
	}
	return x
}

func edge(items []any, i int) any {
	if i < 0 || i >= len(items) {
		return undefined{"the first or last item of an empty list"}
	}
	return items[i]
}

func length(r *run, x any, _ []any) any {
	switch v := x.(type) {
	case string:
		return int64(utf8.RuneCountInString(v))
	case *sequence:
		if v.name == "generator" {
			return r.fail("the length of a generator: want a list, as in x|list|length")
		}
		return int64(len(v.items))
	}
	return int64(len(r.items(x)))
}

func indent(r *run, x any, a []any) any {
	by, ok := or(a[0], int64(4)).(string)
	if !ok {
		by = strings.Repeat(" ", r.count(or(a[0], int64(4))))
	}
	lines := strings.Split(r.wantStr(x, "filter indent"), "\n")
	if !r.spendText(len(by) * len(lines)) {
		return nil
	}
	for i, l := range lines {
		if i == 0 && r.truth(or(a[1], false)) || i > 0 && (l != "" || r.truth(or(a[2], false))) {
			lines[i] = by + l
		}
	}
	return strings.Join(lines, "\n")
}

func (r *run) float(x, otherwise any) any {
	if u, ok := x.(undefined); ok {
		return r.fail("%s", u.why)
	}
	if f, ok := toFloat(x); ok {
		return f
	}
	if s, ok := x.(string); ok && !strings.ContainsAny(s, "xXpP") {
		if f, err := strconv.ParseFloat(strings.TrimFunc(s, isSpace), 64); err == nil || math.IsInf(f, 0) {
			return f
		}
	}
	return otherwise
}

func (r *run) int(x, otherwise, base any) any {
	if i, ok := toInt(x); ok {
		return i
	}
	b, ok := toInt(base)
	if s, isText := x.(string); isText && ok && (b == 0 || b >= 2 && b <= 36) {
		s = strings.ToLower(strings.TrimFunc(s, isSpace))
		if prefix := map[int64]string{2: "0b", 8: "0o", 16: "0x"}[b]; prefix != "" {
			s = strings.TrimPrefix(s, prefix)
		}
		if i, err := strconv.ParseInt(s, int(b), 64); err == nil {
			return i
		}
	}
	if f, ok := r.float(x, nil).(float64); ok && math.Abs(f) < 1<<63 {
		return int64(f)
	}
	return otherwise
}

func pairs(r *run, x any, _ []any) any {
	m, ok := x.(*Map)
	if _, none := x.(undefined); !ok && !none {
		return r.fail("filter items of %s: want a dict", typeName(x))
	} else if none {
		m = newMap()
	}
	return &sequence{name: "generator", items: m.pairs()}
}

func (m *Map) pairs() []any {
	out := make([]any, len(m.keys))
	for i, k := range m.keys {
		out[i] = tuple{k, m.values[i]}
	}
	return out
}

func joinItems(r *run, x any, a []any) any {
	var b strings.Builder
	sep := r.str(or(a[0], ""))
	for i, v := range r.items(x) {
		if i > 0 {
			r.print(&b, sep)
		}
		if a[1] != (absent{}) {
			v = r.path(v, a[1])
		}
		r.print(&b, v)
	}
	return b.String()
}

// path is v.a.b for the attribute "a.b", or v[1].
func (r *run) path(v, attribute any) any {
	s, ok := attribute.(string)
	if !ok {
		return r.item(v, attribute)
	}
	for _, part := range strings.Split(s, ".") {
		var key any = part
		if i, err := strconv.ParseInt(part, 10, 64); err == nil && unicode.IsDigit(rune(part[0])) {
			key = i
		}
		v = r.item(v, key)
	}
	return v
}

// some returns the items of x, none where it is none or false: map, select and reject ask first.
func (r *run) some(x any) []any {
	if !r.truth(x) {
		return nil
	}
	return r.items(x)
}

// mapItems is map("filter", …) or map(attribute="a.b", default=…).
func mapItems(r *run, x any, a []any) any {
	given := a[0].(args)
	var out []any
	items := r.some(x)
	if len(given.pos) > 0 {
		rest := args{given.pos[1:], given.keys, given.values}
		for _, v := range items {
			out = append(out, r.apply(r.str(given.pos[0]), v, rest))
		}
		return &sequence{name: "generator", items: out}
	}
	return r.invoke("filter map", builtin{"attribute default?", func(r *run, _ any, a []any) any {
		for _, v := range items {
			v = r.path(v, a[0])
			if _, ok := v.(undefined); ok {
				v = or(a[1], v)
			}
			out = append(out, v)
		}
		return &sequence{name: "generator", items: out}
	}}, nil, given)
}

// choose keeps the items for which a test, or without one their truth, gives want; with attr of an attribute of theirs.
func (r *run) choose(x any, a args, attr, want bool) any {
	var attribute any
	if attr {
		if len(a.pos) == 0 {
			return r.fail("filter selectattr: no attribute")
		}
		attribute, a.pos = a.pos[0], a.pos[1:]
	}
	var out []any
	for _, v := range r.some(x) {
		tested := v
		if attr {
			tested = r.path(v, attribute)
		}
		ok := false
		if len(a.pos) == 0 {
			ok = r.truth(tested)
		} else {
			ok = r.test(r.str(a.pos[0]), tested, args{a.pos[1:], a.keys, a.values})
		}
		if ok == want {
			out = append(out, v)
		}
	}
	return &sequence{name: "generator", items: out}
}

func reverse(r *run, x any, _ []any) any {
	if s, ok := x.(string); ok {
		back := []rune(s)
		slices.Reverse(back)
		return string(back)
	}
	items := slices.Clone(r.items(x))
	slices.Reverse(items)
	return &sequence{name: "generator", items: items}
}

func round(r *run, x any, a []any) any {
	f, ok := toFloat(x)
	if !ok {
		return r.fail("filter round of %s: want a number", r.describe(x))
	}
	digits, ok := toInt(or(a[0], int64(0)))
	method := r.str(or(a[1], "common"))
	how := map[string]func(float64) float64{"common": math.RoundToEven, "ceil": math.Ceil, "floor": math.Floor}[method]
	if !ok || how == nil || digits < -300 || digits > 300 {
		return r.fail("filter round: want common, ceil or floor, and up to 300 digits")
	}
	if i, isInt := toInt(x); isInt && method == "common" && digits >= 0 {
		return i
	}
	if method == "common" && digits > 0 { // the decimal nearest to the exact value, as Python rounds
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(digits), 64), 64)
		return f
	}
	scale := math.Pow(10, float64(digits))
	return how(f*scale) / scale
}

func sum(r *run, x any, a []any) any {
	total := or(a[1], int64(0))
	for _, v := range r.items(x) {
		if a[0] != (absent{}) && a[0] != nil {
			v = r.path(v, a[0])
		}
		total = r.operate("+", total, v)
	}
	return total
}
