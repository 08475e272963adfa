package jinja

import (
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// filters holds the filters of jinja2, and the tojson of transformers. refusedNames has those of jinja2 that are not
// here.
var filters = map[string]builtin{}

func init() { // in init because the filter map calls filters
	maps.Copy(filters, map[string]builtin{
		"abs": {"", absolute},
		"attr": {"name", func(r *run, x any, a []any) any {
			if v, ok := r.field(x, r.str(a[0])); ok {
				return v
			} else if name := r.str(a[0]); slices.Contains(strings.Fields(attributes[typeName(x)]), name) {
				return r.fail("%s of a %s is not supported", name, typeName(x))
			}
			return undefined{"'" + typeName(x) + " object' has no attribute '" + r.str(a[0]) + "'"}
		}},
		"capitalize":     onText(capitalize),
		"center":         {"width?", func(r *run, x any, a []any) any { return r.pad(r.str(x), or(a[0], int64(80)), " ", padBoth) }},
		"count":          {"", length},
		"d":              {"default_value? boolean?", orDefault},
		"default":        {"default_value? boolean?", orDefault},
		"e":              {"", func(r *run, x any, _ []any) any { return r.escape(x) }},
		"escape":         {"", func(r *run, x any, _ []any) any { return r.escape(x) }},
		"filesizeformat": {"binary?", fileSize},
		"float":          {"default?", func(r *run, x any, a []any) any { return r.float(x, or(a[0], 0.0)) }},
		"forceescape":    {"", func(r *run, x any, _ []any) any { return r.escape(r.str(x)) }},
		"format":         {"**", formatFilter},
		"indent":         {"width? first? blank?", indent},
		"int":            {"default? base?", func(r *run, x any, a []any) any { return r.int(x, or(a[0], int64(0)), or(a[1], int64(10))) }},
		"length":         {"", length},
		"lower":          onText(lower),
		"replace":        {"old new count?", replaceFilter},
		"round":          {"precision? method?", round},
		"safe":           {"", func(r *run, x any, _ []any) any { return markup(r.str(x)) }},
		"string":         {"", func(r *run, x any, _ []any) any { return r.softStr(x) }},
		"striptags":      onText(stripTags),
		"title":          onText(titleWords),
		"tojson":         {"ensure_ascii? indent? separators? sort_keys?", toJSON},
		"trim":           {"chars?", strip(strings.TrimFunc)},
		"truncate":       {"length? killwords? end? leeway?", truncate},
		"upper":          onText(upper),
		"urlencode":      {"", urlEncode},
		"wordcount":      {"", wordCount},
		"xmlattr":        {"autospace?", xmlAttr},
	})
}

// onText makes a filter or method of a function from text to text. It counts a step for each byte, and four of a text
// with characters beyond ASCII.
func onText(f func(string) string) builtin {
	return builtin{"", func(r *run, x any, _ []any) any {
		s := r.str(x)
		steps := len(s)
		if !isASCII(s) {
			steps *= 4
		}
		if !r.spend(steps) {
			return nil
		}
		return f(s)
	}}
}

// softStr is markupsafe's soft_str: the text of x, with its mark.
func (r *run) softStr(x any) any {
	if m, ok := x.(markup); ok {
		return m
	}
	return r.str(x)
}

func orDefault(r *run, x any, a []any) any {
	if _, ok := x.(undefined); ok || r.truth(or(a[1], false)) && !r.truth(x) {
		return or(a[0], "")
	}
	return x
}

func absolute(r *run, x any, _ []any) any {
	if f, ok := x.(float64); ok {
		return math.Abs(f)
	}
	i, ok := toInt(x)
	if !ok || i == math.MinInt64 {
		r.defined(x)
		return r.fail("filter abs of %s: want a number", r.describe(x))
	}
	return max(i, -i)
}

// parseFloat reads a number as Python's float() does.
func parseFloat(s string) (float64, bool) {
	s = strings.TrimFunc(s, isSpace)
	for i, c := range s {
		if c == '_' && (i == 0 || i == len(s)-1 || !isDigit(s[i-1]) || !isDigit(s[i+1])) {
			return 0, false
		}
	}
	if strings.ContainsAny(s, "xXpP") {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	return f, err == nil || math.IsInf(f, 0) // too large is infinite
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (r *run) float(x, otherwise any) any {
	if f, ok := toFloat(x); ok {
		return f
	}
	if s, ok := x.(string); ok {
		if f, ok := parseFloat(s); ok {
			return f
		}
	}
	r.defined(x)
	return otherwise
}

// parseInt reads a whole number as Python's int() does. wide is true for one of more than 64 bits.
func parseInt(s string, base int) (i int64, ok, wide bool) {
	s = strings.TrimFunc(s, isSpace)
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 {
		return 0, false, false
	}
	sign := s[:len(s)-len(digits)]
	if len(digits) > 1 && digits[0] == '0' && strings.IndexByte(map[int]string{2: "bB", 8: "oO", 16: "xX"}[base], digits[1]) >= 0 {
		digits = strings.TrimPrefix(digits[2:], "_")
	}
	if strings.HasPrefix(digits, "_") || strings.HasSuffix(digits, "_") || strings.Contains(digits, "__") {
		return 0, false, false
	}
	if base == 0 && len(digits) > 1 && digits[0] == '0' && isDigit(digits[1]) && strings.Trim(digits, "0_") != "" {
		return 0, false, false // in Python a zero in front is no sign of base 8
	}
	if base != 0 {
		digits = strings.ReplaceAll(digits, "_", "")
	}
	i, err := strconv.ParseInt(sign+digits, base, 64)
	return i, err == nil, err != nil && strings.Contains(err.Error(), "out of range")
}

func (r *run) int(x, otherwise, by any) any {
	if i, ok := toInt(x); ok {
		return i
	}
	if f, ok := x.(float64); ok {
		return r.truncated(f, otherwise)
	}
	s, ok := x.(string)
	base, isInt := toInt(by)
	if !r.defined(x) || !ok {
		return otherwise
	}
	if !isInt || base < 0 || base == 1 || base > 36 {
		return r.fail("filter int: base %s, want 0 or 2 to 36", r.describe(by))
	}
	i, ok, wide := parseInt(s, int(base))
	if wide {
		return r.fail("filter int of %s: more than 64 bits hold", r.describe(x))
	} else if ok {
		return i
	}
	if f, ok := parseFloat(s); ok {
		return r.truncated(f, otherwise)
	}
	return otherwise
}

// truncated returns f without its fraction, and otherwise for what has no such number.
func (r *run) truncated(f float64, otherwise any) any {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return otherwise
	case math.Abs(f) >= 1<<63:
		return r.fail("filter int of %s: more than 64 bits hold", formatFloat(f))
	}
	return int64(f)
}

// round is the filter round. The method common rounds halves of the exact value to even, as Python does.
func round(r *run, x any, a []any) any {
	n, ok := toInt(or(a[0], int64(0)))
	method := r.str(or(a[1], "common"))
	f, isNumber := toFloat(x)
	switch {
	case !r.defined(x):
		return nil
	case !ok || !isNumber:
		return r.fail("filter round of %s, %s digits: want numbers", r.describe(x), r.describe(or(a[0], int64(0))))
	case n < -22 || n > 300:
		return r.fail("filter round: %d digits, want -22 to 300", n)
	case method == "common":
		return r.roundEven(x, f, int(n))
	case method != "ceil" && method != "floor":
		return r.fail("filter round: method %q, want common, ceil or floor", method)
	}
	power := math.Pow(10, float64(n))
	g := f * power
	if math.IsInf(g, 0) || g != g {
		return r.fail("filter round of %s: too large", r.describe(x))
	}
	if method == "ceil" {
		return math.Ceil(g) / power
	}
	return math.Floor(g) / power
}

func (r *run) roundEven(x any, f float64, n int) any {
	i, whole := toInt(x)
	switch {
	case whole && n >= 0:
		return i
	case f-f != 0:
		return f
	case n >= 0:
		g, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', n, 64), 64)
		return g
	}
	power := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-n)), nil))
	v := new(big.Rat)
	if whole {
		v.SetInt64(i)
	} else {
		v.SetFloat64(f)
	}
	v.Quo(v, power)
	// FloatString rounds halves away from zero; a half to an even number is one less.
	whole10, _ := new(big.Int).SetString(v.FloatString(0), 10)
	half := new(big.Rat).Sub(new(big.Rat).SetInt(whole10), v)
	if half.Abs(half).Cmp(big.NewRat(1, 2)) == 0 && whole10.Bit(0) == 1 {
		whole10.Sub(whole10, big.NewInt(int64(v.Sign())))
	}
	v.Mul(new(big.Rat).SetInt(whole10), power)
	if whole {
		return v.Num().Int64()
	}
	g, _ := v.Float64()
	return g
}

// fileSize prints a number of bytes with a unit.
func fileSize(r *run, x any, a []any) any {
	n, ok := r.float(x, nil).(float64)
	if !ok || n-n != 0 {
		return r.fail("filter filesizeformat of %s: want a number", r.describe(x))
	}
	base, units := 1000.0, "kB MB GB TB PB EB ZB YB"
	if r.truth(or(a[0], false)) {
		base, units = 1024, "KiB MiB GiB TiB PiB EiB ZiB YiB"
	}
	if n == 1 {
		return "1 Byte"
	} else if n < base {
		return strconv.FormatFloat(math.Trunc(n), 'f', 0, 64) + " Bytes"
	}
	unit, all := base, strings.Fields(units)
	for i, name := range all {
		if unit *= base; n < unit || i == len(all)-1 {
			return strconv.FormatFloat(base*n/unit, 'f', 1, 64) + " " + name
		}
	}
	return nil
}

// toJSON is the filter tojson of transformers: json.dumps, which escapes nothing for HTML.
func toJSON(r *run, x any, a []any) any {
	s := style{words: jsonWords, quote: quoteJSON(r.truth(or(a[0], false))), json: true, comma: ", ", colon: ": "}
	s.sort = r.truth(or(a[3], false))
	if by := or(a[1], nil); by != nil {
		s.lines, s.comma = true, ","
		if text, ok := plain(by).(string); ok {
			s.indent = text
		} else {
			s.indent = r.spaces(by)
		}
	}
	if given := or(a[2], nil); given != nil {
		two, ok := given.(*list)
		if !ok || len(two.items) != 2 {
			return r.fail("filter tojson: separators: want two texts")
		}
		s.comma, s.colon = r.wantStr(two.items[0], "separators"), r.wantStr(two.items[1], "separators")
	}
	return r.print(&s, x)
}
