package jinja

import (
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

func init() {
	maps.Copy(strMethods, map[string]builtin{
		"capitalize":   ofText(capitalize),
		"casefold":     ofText(fold),
		"isalnum":      numeral("isalnum", unicode.IsLetter),
		"isalpha":      telling(every(unicode.IsLetter)),
		"isascii":      telling(isASCII),
		"isdecimal":    telling(every(func(c rune) bool { return unicode.Is(unicode.Nd, c) })),
		"isdigit":      numeral("isdigit", nil),
		"isidentifier": telling(isIdentifier),
		"islower":      telling(isCase(isLower)),
		"isnumeric":    numeral("isnumeric", nil),
		"isprintable":  telling(func(s string) bool { return s == "" || every(isPrintable)(s) }),
		"isspace":      telling(every(isSpace)),
		"istitle":      telling(isTitle),
		"isupper":      telling(isCase(isUpper)),
		"lower":        ofText(lower),
		"swapcase":     ofText(swapCase),
		"title":        ofText(title),
		"upper":        ofText(upper),
	})
}

// isSpace tells what Python's str.isspace tells about one character.
func isSpace(c rune) bool { return unicode.IsSpace(c) || c >= 0x1c && c <= 0x1f }

// upper, lower and fold are Python's methods upper, lower and casefold. They map as Unicode does in full: ß in upper
// case is SS.
func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

func fold(s string) string { return cases.Fold().String(s) }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// titleChar returns a character in title case.
func titleChar(c rune) string {
	if t := unicode.ToTitle(c); t != c || c < utf8.RuneSelf {
		return string(t)
	}
	if c == 'ŉ' {
		return "ʼN"
	}
	up := []rune(upper(string(c)))
	if len(up) == 1 || unicode.IsTitle(c) {
		return string(c)
	}
	return string(up[0]) + lower(string(up[1:]))
}

// capitalize is Python's method: the first character in title case, the others in lower case.
func capitalize(s string) string {
	c, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	return titleChar(c) + lower(s[n:])
}

// titleWords is jinja2's filter title. Unlike Python's method it breaks only at white space and at - ( { [ <.
func titleWords(s string) string {
	isBreak := func(c rune) bool { return isSpace(c) || strings.ContainsRune("-({[<", c) }
	var b strings.Builder
	for s != "" {
		word := s[:len(s)-len(strings.TrimLeftFunc(s, isBreak))]
		if word == "" {
			end := strings.IndexFunc(s, isBreak)
			if end < 0 {
				end = len(s)
			}
			word = s[:end]
		}
		_, n := utf8.DecodeRuneInString(word)
		b.WriteString(upper(word[:n]) + lower(word[n:]))
		s = s[len(word):]
	}
	return b.String()
}

// title is Python's method: each run of cased letters begins in title case and goes on in lower case.
func title(s string) string {
	var b strings.Builder
	for inside, rest := false, s; rest != ""; {
		c, n := utf8.DecodeRuneInString(rest)
		if inside {
			b.WriteString(lower(string(c)))
		} else {
			b.WriteString(titleChar(c))
		}
		inside, rest = isCased(c), rest[n:]
	}
	return b.String()
}

// swapCase is Python's method.
func swapCase(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case isUpper(c):
			b.WriteString(lower(string(c)))
		case isLower(c):
			b.WriteString(upper(string(c)))
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func isLower(c rune) bool { return unicode.IsLower(c) || unicode.Is(unicode.Other_Lowercase, c) }

func isUpper(c rune) bool { return unicode.IsUpper(c) || unicode.Is(unicode.Other_Uppercase, c) }

func isCased(c rune) bool { return isLower(c) || isUpper(c) || unicode.IsTitle(c) }

// isCase makes Python's islower or isupper: some character has this case, none another.
func isCase(has func(rune) bool) func(string) bool {
	return func(s string) bool {
		some := false
		for _, c := range s {
			if isCased(c) && !has(c) {
				return false
			}
			some = some || has(c)
		}
		return some
	}
}

// isTitle is Python's istitle: capitals stand only behind what has no case, small letters only behind what has one.
func isTitle(s string) bool {
	some, before := false, false
	for _, c := range s {
		capital := isUpper(c) || unicode.IsTitle(c)
		if capital && before || isLower(c) && !before {
			return false
		}
		before = isCased(c)
		some = some || before
	}
	return some
}

// every makes a method that tells whether a text is not empty and all its characters are of a class.
func every(class func(rune) bool) func(string) bool {
	return func(s string) bool {
		return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return !class(c) })
	}
}

// isPrintable tells what Python's str.isprintable tells about one character.
func isPrintable(c rune) bool { return unicode.IsPrint(c) }

// isIdentifier tells whether s is a name of Python.
func isIdentifier(s string) bool {
	for i, c := range s {
		start := c == '_' || unicode.IsLetter(c) || unicode.Is(unicode.Nl, c)
		if !start && (i == 0 || !unicode.In(c, unicode.Nd, unicode.Mn, unicode.Mc, unicode.Pc)) {
			return false
		}
	}
	return s != ""
}

// numeral tells whether all characters of a text count as digits, where the class of numbers tells that of those in
// ASCII and in Nd. Unicode's tables of other numbers, such as ² and 一, are not here: they are an error.
func numeral(name string, also func(rune) bool) builtin {
	return builtin{"/", func(r *run, x any, _ []any) any {
		for _, c := range x.(string) {
			if c >= utf8.RuneSelf && (unicode.In(c, unicode.Nl, unicode.No) || also == nil && unicode.Is(unicode.Han, c)) {
				return r.fail("%s() of %q is not supported", name, c)
			}
			if !unicode.Is(unicode.Nd, c) && (also == nil || !also(c)) {
				return false
			}
		}
		return x != ""
	}}
}
