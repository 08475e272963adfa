package jinja

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A spec says how str.format or the operator % writes a value. Source: Python's Format Specification Mini-Language.
type spec struct {
	fill  string
	align byte // < > = ^, 0 where none is given
	sign  byte // + - or space
	alt   bool // #
	zero  bool
	width int
	comma byte // , or _ between groups of digits
	prec  int  // -1 where none is given
	kind  byte // 0 where none is given
}

// parseSpec reads what stands behind the colon of a field.
func (r *run) parseSpec(s string) (f spec) {
	f = spec{fill: " ", prec: -1}
	whole := s
	if _, n := utf8.DecodeRuneInString(s); n > 0 && n < len(s) && strings.IndexByte("<>=^", s[n]) >= 0 {
		f.fill, f.align, s = s[:n], s[n], s[n+1:]
	} else if s != "" && strings.IndexByte("<>=^", s[0]) >= 0 {
		f.align, s = s[0], s[1:]
	}
	take := func(chars string) (c byte) {
		if s != "" && strings.IndexByte(chars, s[0]) >= 0 {
			c, s = s[0], s[1:]
		}
		return c
	}
	f.sign = take("+- ")
	f.alt = take("#") != 0
	if take("0") != 0 {
		f.zero = true
		if f.align == 0 {
			f.fill, f.align = "0", '='
		}
	}
	f.width, s = r.digits(s)
	f.comma = take(",_")
	if take(".") != 0 {
		before := s
		if f.prec, s = r.digits(s); s == before {
			r.fail("format: %q: want digits behind the dot", whole)
		}
	}
	f.kind = take("bcdeEfFgGnosxX%")
	if s != "" {
		r.fail("format: %q is not supported", whole)
	}
	return f
}

// digits reads a number in front of s.
func (r *run) digits(s string) (n int, rest string) {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i == 0 {
		return 0, s
	}
	n, err := strconv.Atoi(s[:i])
	if err != nil || n > maxIndent {
		r.fail("format: a width or precision of %.20s, want at most %d", s[:i], maxIndent)
		return 0, s[i:]
	}
	return n, s[i:]
}

// format is Python's format(v, s).
func (r *run) format(v any, s string) string {
	if m, ok := v.(markup); ok && s == "" {
		return string(m)
	} else if ok {
		r.fail("format: %q for a text marked as safe: want none", s)
	}
	if s == "" {
		return r.str(v)
	}
	f := r.parseSpec(s)
	switch x := v.(type) {
	case string:
		if f.sign != 0 || f.alt || f.comma != 0 || f.align == '=' && !f.zero || f.kind != 0 && f.kind != 's' {
			r.fail("format: %q does not fit a text", s)
		}
		if f.prec >= 0 {
			x = string([]rune(x)[:min(f.prec, utf8.RuneCountInString(x))])
		}
		if f.align == '=' {
			f.align = '<'
		}
		return r.fit(f, "", x, '<')
	case int64, bool:
		i, _ := toInt(v)
		return r.formatInt(f, i, s)
	case float64:
		return r.formatFloat(f, x, s)
	}
	r.fail("format: %q for a %s: want a text or a number", s, typeName(v))
	return ""
}

// fit puts sign and digits into the width of f.
func (r *run) fit(f spec, sign, digits string, otherwise byte) string {
	more := f.width - utf8.RuneCountInString(sign+digits)
	if more <= 0 {
		return sign + digits
	}
	if f.align == 0 {
		f.align = otherwise
	}
	fill := func(n int) string { return strings.Repeat(f.fill, n) }
	switch f.align {
	case '<':
		return sign + digits + fill(more)
	case '>':
		return fill(more) + sign + digits
	case '^':
		return fill(more/2) + sign + digits + fill(more-more/2)
	}
	if f.comma != 0 && f.zero {
		r.fail("format: zeros in front of groups of digits are not supported")
	}
	return sign + fill(more) + digits
}

func (f spec) signOf(negative bool) string {
	switch {
	case negative:
		return "-"
	case f.sign == '+' || f.sign == ' ':
		return string(f.sign)
	}
	return ""
}

// grouped puts commas between groups of digits of the whole part.
func grouped(s string, comma byte, size int) string {
	if comma == 0 {
		return s
	}
	whole, rest := s, ""
	if i := strings.IndexAny(s, ".e%"); i >= 0 && size == 3 {
		whole, rest = s[:i], s[i:]
	}
	for i := len(whole) - size; i > 0; i -= size {
		whole = whole[:i] + string(comma) + whole[i:]
	}
	return whole + rest
}

func (r *run) formatInt(f spec, i int64, s string) string {
	base := map[byte]int{'b': 2, 'o': 8, 'x': 16, 'X': 16, 'd': 10, 0: 10, 'n': 10}[f.kind]
	switch {
	case f.kind == 'c':
		if f.sign != 0 || f.prec >= 0 || i < 0 || i > utf8.MaxRune {
			r.fail("format: %q for %d", s, i)
		}
		return r.fit(f, "", string(rune(i)), '>')
	case base == 0 && f.kind != 's':
		return r.formatFloat(f, float64(i), s)
	case base == 0 || f.prec >= 0 || f.comma == ',' && base != 10 || f.kind == 'n' && f.comma != 0:
		r.fail("format: %q does not fit a whole number", s)
		return ""
	}
	digits := strings.TrimPrefix(strconv.FormatInt(i, base), "-")
	sign := f.signOf(i < 0)
	size := 3
	if base != 10 {
		size = 4
		if f.alt {
			sign += "0" + string(f.kind)
		}
	}
	if f.kind == 'X' {
		digits = strings.ToUpper(digits)
	}
	return r.fit(f, sign, grouped(digits, f.comma, size), '>')
}

func (r *run) formatFloat(f spec, x float64, s string) string {
	kind, prec := f.kind, f.prec
	switch {
	case strings.IndexByte("bcdosxX", kind) >= 0 && kind != 0 || f.alt:
		r.fail("format: %q does not fit a number with a fraction", s)
		return ""
	case kind == 0 && prec < 0:
		digits := formatFloat(math.Abs(x))
		return r.fit(f, f.signOf(math.Signbit(x) && x == x), grouped(digits, f.comma, 3), '>')
	case prec < 0:
		prec = 6
	}
	digits := ""
	switch abs := math.Abs(x); kind {
	case 'e', 'E', 'f', 'F':
		digits = exponent(strconv.FormatFloat(abs, kind|0x20, prec, 64))
	case '%':
		digits = exponent(strconv.FormatFloat(abs*100, 'f', prec, 64)) + "%"
	default:
		digits = general(abs, prec, kind == 0)
	}
	if kind == 'E' || kind == 'F' || kind == 'G' {
		digits = strings.ToUpper(digits)
	}
	return r.fit(f, f.signOf(math.Signbit(x) && x == x), grouped(digits, f.comma, 3), '>')
}

// exponent writes what is no finite number as Python does.
func exponent(s string) string {
	return strings.ToLower(strings.TrimPrefix(s, "+"))
}

// general is the kind g: prec digits in all, with an exponent where it is below -4 or not below prec. Without a kind
// there is a dot at least, and the bound is one lower.
func general(x float64, prec int, plain bool) string {
	if x-x != 0 {
		return exponent(strconv.FormatFloat(x, 'f', -1, 64))
	}
	prec = max(prec, 1)
	e := strconv.FormatFloat(x, 'e', prec-1, 64)
	mantissa, power, _ := strings.Cut(e, "e")
	exp, _ := strconv.Atoi(power)
	trim := func(s string) string {
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return s
	}
	limit := prec
	if plain {
		limit--
	}
	if exp < -4 || exp >= limit {
		return trim(mantissa) + "e" + power
	}
	s := trim(strconv.FormatFloat(x, 'f', max(prec-1-exp, 0), 64))
	if plain && !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
