package jinja

import (
	"html"
	"strings"
	"unicode"
)

// spaces returns n spaces.
func (r *run) spaces(n any) string {
	i, ok := toInt(n)
	if !ok || i > maxIndent {
		r.fail("an indent of %s: want a whole number up to %d", r.describe(n), maxIndent)
		return ""
	}
	return strings.Repeat(" ", int(max(i, 0)))
}

// splitLines splits a text at Python's ends of lines. The last line has an end only where keep is set and it has one.
func (r *run) splitLines(s string, keep bool) (lines []string) {
	for s != "" && r.makes(48) {
		i := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if i < 0 {
			return append(lines, s)
		}
		end := i + 1
		switch {
		case strings.HasPrefix(s[i:], "\r\n"), strings.HasPrefix(s[i:], "\u0085"):
			end = i + 2
		case strings.HasPrefix(s[i:], "\u2028"), strings.HasPrefix(s[i:], "\u2029"):
			end = i + 3
		}
		if keep {
			i = end
		}
		lines, s = append(lines, s[:i]), s[end:]
	}
	return lines
}

func indent(r *run, x any, a []any) any {
	by, ok := plain(or(a[0], int64(4))).(string)
	if !ok {
		by = r.spaces(or(a[0], int64(4)))
	}
	lines := r.splitLines(r.wantStr(x, "filter indent")+"\n", false)
	if !r.makes(len(by) * len(lines)) {
		return nil
	}
	for i, l := range lines {
		if i == 0 && r.truth(or(a[1], false)) || i > 0 && (l != "" || r.truth(or(a[2], false))) {
			lines[i] = by + l
		}
	}
	return strings.Join(lines, "\n")
}

// truncate cuts a text at length characters, at a space where killwords is not set, and puts end behind it.
func truncate(r *run, x any, a []any) any {
	if isType[markup](x) {
		return r.fail("filter truncate of a text marked as safe is not supported")
	}
	end := []rune(r.wantStr(or(a[2], "..."), "filter truncate: end"))
	most, ok1 := toInt(or(a[0], int64(255)))
	leeway, ok2 := toInt(or(or(a[3], int64(5)), int64(5)))
	if a[3] == nil {
		leeway, ok2 = 5, true
	}
	if !ok1 || !ok2 || leeway < 0 || most < int64(len(end)) || most > maxOutput {
		return r.fail("filter truncate: length %s, leeway %s: want whole numbers, and room for the end", r.describe(a[0]), r.describe(a[3]))
	}
	if n, ok := length(r, x, nil).(int64); ok && n <= most+leeway {
		return x
	}
	chars := []rune(r.wantStr(x, "filter truncate"))
	if r.err != nil {
		return nil
	}
	s := string(chars[:int(most)-len(end)])
	if i := strings.LastIndexByte(s, ' '); i >= 0 && !r.truth(or(a[1], false)) {
		s = s[:i]
	}
	return s + string(end)
}

// wordCount counts runs of letters, digits and underscores.
func wordCount(r *run, x any, _ []any) any {
	n, inside := int64(0), false
	for _, c := range r.str(x) {
		word := c == '_' || unicode.IsLetter(c) || unicode.In(c, unicode.N)
		if word && !inside {
			n++
		}
		inside = word
	}
	return n
}

// stripTags removes tags and comments of HTML, decodes its entities, and makes each run of white space one space.
func stripTags(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			break
		}
		close := ">"
		if strings.HasPrefix(s[i:], "<!--") {
			close = "-->"
		}
		skip := i
		if close == "-->" {
			skip += len("<!--")
		}
		n := strings.Index(s[skip:], close)
		if n < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[skip+n+len(close):]
	}
	b.WriteString(s)
	return html.UnescapeString(strings.Join(strings.FieldsFunc(b.String(), isSpace), " "))
}

// quoteURL writes what is neither a letter of ASCII, a digit nor one of _.-~ and safe as %XX.
func (r *run) quoteURL(v any, safe string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(r.str(v)) {
		switch {
		case isDigit(c), c|0x20 >= 'a' && c|0x20 <= 'z', strings.IndexByte("_.-~"+safe, c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteString(string([]byte{'%', hex[c>>4], hex[c&15]}))
		}
	}
	return b.String()
}

// urlEncode quotes a text for a URL, or joins pairs of key and value as a query.
func urlEncode(r *run, x any, _ []any) any {
	var pairs []any
	switch x := x.(type) {
	case *Map:
		pairs = r.pairs(x)
	case *list:
		pairs = r.items(x)
	case undefined:
		return ""
	default:
		return r.quoteURL(x, "/")
	}
	var parts []string
	for _, pair := range pairs {
		two := r.items(pair)
		if len(two) != 2 {
			return r.fail("filter urlencode: want pairs of key and value")
		}
		one := func(v any) string { return strings.ReplaceAll(r.quoteURL(v, ""), "%20", "+") }
		parts = append(parts, one(two[0])+"="+one(two[1]))
	}
	return strings.Join(parts, "&")
}

// xmlAttr writes the items of a dict as attributes of a tag.
func xmlAttr(r *run, x any, a []any) any {
	m, ok := x.(*Map)
	if !ok {
		r.defined(x)
		return r.fail("filter xmlattr of %s: want a dict", typeName(x))
	}
	var parts []string
	for i, k := range m.keys {
		v := m.values[i]
		if v == nil || isType[undefined](v) {
			continue
		}
		key := r.wantStr(k, "filter xmlattr")
		if strings.ContainsAny(key, "/>=") || strings.ContainsFunc(key, isSpace) {
			return r.fail("filter xmlattr: the key %s: want a name without white space and / > =", r.describe(k))
		}
		parts = append(parts, string(r.escape(k))+`="`+string(r.escape(v))+`"`)
	}
	text := strings.Join(parts, " ")
	if text != "" && r.truth(or(a[0], true)) {
		text = " " + text
	}
	return text
}

// replaceFilter is the filter replace, which takes any value as text.
func replaceFilter(r *run, x any, a []any) any {
	return r.replace(r.str(x), r.str(a[0]), r.str(a[1]), or(a[2], nil))
}

// replace puts new in the place of old, at most count times; nil or a negative count is any number of times.
func (r *run) replace(s, old, new string, count any) any {
	n := int64(-1)
	if count != nil {
		var ok bool
		if n, ok = toInt(count); !ok {
			return r.fail("replace: count %s, want a whole number", r.describe(count))
		}
	}
	times := strings.Count(s, old)
	if n >= 0 {
		times = int(min(n, int64(times)))
	}
	if !r.spendText(len(s) + times*max(0, len(new)-len(old))) {
		return nil
	}
	return strings.Replace(s, old, new, times)
}
