package jinja

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pkg/errors"
)

type kind byte

// The kinds of token. A tag is a begin, its tokens and an end.
const (
	eof kind = iota
	text
	variableBegin
	variableEnd
	blockBegin
	blockEnd
	name
	str
	number
	operator
)

// A token is a piece of the source. text is the text between tags, the decoded string, the name or the operator; num
// is the int64 or float64 of a number.
type token struct {
	kind kind
	text string
	num  any
	line int
}

type lexer struct {
	src       string
	pos, line int
	lineStart bool // the text at pos begins a line, or follows a tag that swallowed the newline
	toks      []token
}

// lex splits a template into tokens and settles the white space around tags: "-" strips all of it on its side, a block
// or comment swallows the newline behind it (trim_blocks) and the blanks before it on its line (lstrip_blocks), "+"
// keeps them; one newline at the end of the template is dropped.
func lex(src string) ([]token, error) {
	src = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(src)
	l := &lexer{src: strings.TrimSuffix(src, "\n"), line: 1, lineStart: true}
	for l.pos < len(l.src) {
		i := nextTag(l.src[l.pos:])
		if i < 0 {
			l.emit(text, l.src[l.pos:])
			break
		}
		if err := l.tag(i); err != nil {
			return nil, errors.WithMessagef(err, "line %d", l.line)
		}
	}
	l.emit(eof, "the end of the template")
	return l.toks, nil
}

// nextTag returns where the first {{, {% or {# of s is, -1 for nowhere.
func nextTag(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && (s[i+1] == '{' || s[i+1] == '%' || s[i+1] == '#') {
			return i
		}
	}
	return -1
}

func (l *lexer) emit(k kind, s string) {
	if k != text || s != "" {
		l.toks = append(l.toks, token{kind: k, text: s, line: l.line})
	}
}

// take moves on by n bytes and counts their lines.
func (l *lexer) take(n int) string {
	s := l.src[l.pos : l.pos+n]
	l.line += strings.Count(s, "\n")
	l.pos += n
	return s
}

// data emits the n bytes of text before a tag. open is the tag from its brace on.
func (l *lexer) data(n int, open string) {
	s := l.src[l.pos : l.pos+n]
	sign := byte(0)
	if len(open) > 2 {
		sign = open[2]
	}
	switch {
	case sign == '-':
		s = strings.TrimRightFunc(s, isSpace)
	case sign != '+' && open[1] != '{':
		line := strings.LastIndexByte(s, '\n') + 1
		if (line > 0 || l.lineStart) && strings.TrimLeftFunc(s[line:], isSpace) == "" {
			s = s[:line]
		}
	}
	l.emit(text, s)
	l.take(n)
}

// tag reads the text up to the tag n bytes ahead, and the tag.
func (l *lexer) tag(n int) error {
	open := l.src[l.pos+n:]
	l.data(n, open)
	if open[1] == '#' {
		end := strings.Index(open[2:], "#}")
		if end < 0 {
			return errors.New("a comment without its #}")
		}
		sign := open[1+end]
		l.take(2 + end)
		l.close(sign, 2, true)
		return nil
	}
	if n, sign := rawTag(open, "raw"); n > 0 {
		l.take(n - 2)
		l.close(sign, 2, false)
		return l.raw()
	}
	begin, end, close := blockBegin, blockEnd, "%}"
	if open[1] == '{' {
		begin, end, close = variableBegin, variableEnd, "}}"
	}
	l.emit(begin, open[:2])
	l.take(2)
	if s := open[2:]; s != "" && (s[0] == '-' || s[0] == '+') {
		l.take(1)
	}
	return l.inside(end, close)
}

// close takes the last n bytes of a tag and the white space that goes with it. sign is the byte before them.
func (l *lexer) close(sign byte, n int, block bool) {
	l.take(n)
	rest := l.src[l.pos:]
	switch {
	case sign == '-':
		l.take(len(rest) - len(strings.TrimLeftFunc(rest, isSpace)))
	case sign != '+' && block && strings.HasPrefix(rest, "\n"):
		l.take(1)
	}
	l.lineStart = l.src[l.pos-1] == '\n'
}

// rawTag returns the length of the tag {% word %} at the start of s and the byte before its "%}"; 0 where it is
// another.
func rawTag(s, word string) (int, byte) {
	rest := strings.TrimPrefix(s, "{%")
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		rest = rest[1:]
	}
	rest, ok := strings.CutPrefix(strings.TrimLeftFunc(rest, isSpace), word)
	if !ok {
		return 0, 0
	}
	rest = strings.TrimLeftFunc(rest, isSpace)
	if rest != "" && (rest[0] == '-' || rest[0] == '+' && word == "endraw") {
		rest = rest[1:]
	}
	if !strings.HasPrefix(rest, "%}") {
		return 0, 0
	}
	n := len(s) - len(rest) + 2
	return n, s[n-3]
}

func (l *lexer) raw() error {
	for at := 0; ; at += 2 {
		i := strings.Index(l.src[l.pos+at:], "{%")
		if i < 0 {
			return errors.New("raw without endraw")
		}
		at += i
		open := l.src[l.pos+at:]
		if n, sign := rawTag(open, "endraw"); n > 0 {
			l.data(at, open)
			l.take(n - 2)
			l.close(sign, 2, true)
			return nil
		}
	}
}

// operators, the longer first.
var operators = strings.Fields("// ** == != >= <= + - / * % ~ [ ] ( ) { } > < = . : | , ;")

// inside reads the tokens of a tag up to its end: close, perhaps with a sign, where no bracket is open.
func (l *lexer) inside(end kind, close string) error {
	var open []byte // the closing brackets that are awaited
	for l.pos < len(l.src) {
		s := l.src[l.pos:]
		c, size := utf8.DecodeRuneInString(s)
		if len(open) == 0 {
			signed := c == '-' || c == '+' && end == blockEnd
			if strings.HasPrefix(s, close) || signed && strings.HasPrefix(s[1:], close) {
				l.emit(end, close)
				l.take(len(s) - len(strings.TrimLeft(s, "+-")))
				l.close(byte(c), 2, end == blockEnd)
				return nil
			}
		}
		var err error
		switch {
		case isSpace(c):
			l.take(size)
		case c >= '0' && c <= '9':
			err = l.number()
		case c == '_' || unicode.IsLetter(c):
			n := strings.IndexFunc(s, func(c rune) bool { return c != '_' && !unicode.In(c, unicode.L, unicode.N, unicode.M) })
			if n < 0 {
				n = len(s)
			}
			if n > maxName {
				return errors.Errorf("a name of %d bytes, want at most %d", n, maxName)
			}
			l.emit(name, s[:n])
			l.take(n)
		case c == '"' || c == '\'':
			err = l.str()
		default:
			open, err = l.operator(open)
		}
		if err != nil {
			return err
		}
	}
	return errors.Errorf("a tag without its %s", close)
}

func (l *lexer) operator(open []byte) ([]byte, error) {
	s := l.src[l.pos:]
	for _, op := range operators {
		if !strings.HasPrefix(s, op) {
			continue
		}
		if i := strings.Index("([{", op); i >= 0 {
			open = append(open, ")]}"[i])
		} else if strings.Contains(")]}", op) {
			if len(open) == 0 || open[len(open)-1] != op[0] {
				return nil, errors.Errorf("unexpected %q", op)
			}
			open = open[:len(open)-1]
		}
		l.emit(operator, op)
		l.take(len(op))
		return open, nil
	}
	c, _ := utf8.DecodeRuneInString(s)
	return nil, errors.Errorf("unexpected %q", c)
}

// number reads 12, 1_000, 0x1F, 1.5 or 1e9; behind a dot only whole numbers (x.0.1).
func (l *lexer) number() error {
	s := l.src[l.pos:]
	digits := func(at int) int {
		for at < len(s) && (s[at] >= '0' && s[at] <= '9' || s[at] == '_') {
			at++
		}
		return at
	}
	n, whole := digits(0), true
	if len(s) > 2 && s[0] == '0' && strings.IndexByte("bBoOxX", s[1]) >= 0 {
		for n = 2; n < len(s) && (unicode.Is(unicode.Hex_Digit, rune(s[n])) || s[n] == '_'); n++ {
		}
	} else if last := l.toks[len(l.toks)-1]; last.kind != operator || last.text != "." {
		if m := n + 1; n < len(s) && s[n] == '.' && digits(m) > m {
			n, whole = digits(m), false
		}
		if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
			m := n + 1
			if m < len(s) && (s[m] == '+' || s[m] == '-') {
				m++
			}
			if digits(m) > m {
				n, whole = digits(m), false
			}
		}
	}
	l.emit(number, s[:n])
	num := &l.toks[len(l.toks)-1].num
	digitsOnly := strings.ReplaceAll(l.take(n), "_", "")
	var err error
	if whole {
		base := 10
		if len(s) > 1 && unicode.IsLetter(rune(s[1])) && s[0] == '0' && n > 2 {
			base = 0
		}
		*num, err = strconv.ParseInt(digitsOnly, base, 64)
	} else if *num, err = strconv.ParseFloat(digitsOnly, 64); errors.Is(err, strconv.ErrRange) {
		err = nil // Python reads 1e999 as inf
	}
	if err != nil {
		return errors.Errorf("number %s: want one of 64 bits", s[:n])
	}
	return nil
}

// str reads a quoted string and decodes its escapes.
func (l *lexer) str() error {
	s := l.src[l.pos:]
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			v, err := unescape(s[1:i])
			l.emit(str, v)
			l.take(i + 1)
			return err
		}
	}
	return errors.New("a string without its closing quote")
}

var escapes = map[byte]string{'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f",
	'n': "\n", 'r': "\r", 't': "\t", 'v': "\v"}

// unescape decodes the escapes of a Python string; one that Python does not know stays as it is.
func unescape(s string) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:i])
		c, rest := s[i+1], s[i+2:]
		if plain, ok := escapes[c]; ok {
			b.WriteString(plain)
			s = rest
			continue
		}
		base, digits := 16, map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		switch {
		case c >= '0' && c <= '7':
			base, rest = 8, s[i+1:]
			for digits < 3 && digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '7' {
				digits++
			}
		case c == 'N':
			return "", errors.New(`the escape \N is not supported`)
		case digits == 0:
			b.WriteByte('\\')
			s = s[i+1:]
			continue
		}
		v, err := strconv.ParseUint(rest[:min(digits, len(rest))], base, 32)
		if len(rest) < digits || err != nil || !utf8.ValidRune(rune(v)) || v > unicode.MaxRune {
			return "", errors.Errorf("escape \\%c: want %d digits that name a character", c, digits)
		}
		b.WriteRune(rune(v))
		s = rest[digits:]
	}
}

// isSpace is Python's str.isspace for one character.
func isSpace(c rune) bool { return unicode.IsSpace(c) || c >= 0x1c && c <= 0x1f }
