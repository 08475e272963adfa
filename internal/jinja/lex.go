package jinja

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pkg/errors"
)

type kind byte

// The kinds of token. A tag gives a begin, its own tokens and an end.
const (
	eof   kind = iota
	text       // the text between tags
	begin      // {{ or {%
	end        // }} or %}
	name
	str // with its escapes decoded
	number
	operator
)

// A token is a piece of the source. For a number, num is its int64 or float64.
type token struct {
	kind kind
	text string
	num  any
	line int
}

type lexer struct {
	src       string // the rest of the source
	line      int
	lineStart bool // src begins a line, or follows a tag that swallowed the newline
	toks      []token
}

// lex splits a template into tokens and settles the white space around tags:
//   - "-" removes all white space on its side.
//   - A block or comment removes the newline behind it (trim_blocks) and the blanks before it on its line
//     (lstrip_blocks).
//   - "+" keeps them.
//   - One newline at the end of the template is dropped.
func lex(src string) ([]token, error) {
	src = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(src)
	l := &lexer{src: strings.TrimSuffix(src, "\n"), line: 1, lineStart: true}
	for l.src != "" {
		at := tagBegin.FindStringIndex(l.src)
		if at == nil {
			l.emit(text, l.src)
			break
		}
		if err := l.tag(at[0]); err != nil {
			return nil, errors.WithMessagef(err, "line %d", l.line)
		}
	}
	l.emit(eof, "the end of the template")
	return l.toks, nil
}

var tagBegin = regexp.MustCompile(`\{[{%#]`)

func (l *lexer) emit(k kind, s string) {
	l.toks = append(l.toks, token{kind: k, text: s, line: l.line})
}

// take moves on by n bytes and counts the lines in them.
func (l *lexer) take(n int) {
	l.line += strings.Count(l.src[:n], "\n")
	l.src = l.src[n:]
}

// tag reads the n bytes of text before a tag, then the tag.
func (l *lexer) tag(n int) error {
	before, open := l.src[:n], l.src[n:]
	sign := open[2:min(3, len(open))]
	switch {
	case sign == "-":
		before = strings.TrimRightFunc(before, isSpace)
	case sign != "+" && open[1] != '{':
		line := strings.LastIndexByte(before, '\n') + 1
		if (line > 0 || l.lineStart) && strings.TrimLeftFunc(before[line:], isSpace) == "" {
			before = before[:line]
		}
	}
	l.emit(text, before)
	l.take(n)
	if open[1] == '#' {
		n := strings.Index(open[2:], "#}")
		if n < 0 {
			return errors.New("a comment without its #}")
		}
		l.close(open[1+n], 2+n+2, true)
		return nil
	}
	l.emit(begin, open[:2])
	l.take(2)
	if sign == "-" || sign == "+" {
		l.take(1)
	}
	return l.inside(map[byte]string{'{': "}}", '%': "%}"}[open[1]])
}

// close takes the n bytes up to the end of a tag, and the white space that the tag removes behind it. sign is the
// byte before the end.
func (l *lexer) close(sign byte, n int, block bool) {
	l.lineStart = false
	l.take(n)
	switch {
	case sign == '-':
		blank := l.src[:len(l.src)-len(strings.TrimLeftFunc(l.src, isSpace))]
		l.lineStart = strings.HasSuffix(blank, "\n")
		l.take(len(blank))
	case sign != '+' && block && strings.HasPrefix(l.src, "\n"):
		l.lineStart = true
		l.take(1)
	}
}

// piece matches white space, a name, a number, a string or an operator.
var piece = regexp.MustCompile(`^(?:[\s\v\pZ\x1c-\x1f\x{85}]+|([\pL_][\pL\pN\pM_]*)|([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|` +
	`("(?:[^"\\]|\\(?s:.))*"|'(?:[^'\\]|\\(?s:.))*')|(//|\*\*|[=!<>]=|[-+*/%~()\[\]{}<>=.:|,]))`)

// inside reads the tokens of a tag up to its end. The end is close, perhaps with a sign, where no bracket is open.
func (l *lexer) inside(close string) error {
	for depth := 0; l.src != ""; {
		if depth == 0 {
			sign := l.src[0]
			n := 0
			if sign == '-' || sign == '+' && close == "%}" {
				n = 1
			}
			if strings.HasPrefix(l.src[n:], close) {
				l.emit(end, close)
				l.close(sign, n+2, close == "%}")
				return nil
			}
		}
		m := piece.FindStringSubmatch(l.src)
		if m == nil {
			c, _ := utf8.DecodeRuneInString(l.src)
			return errors.Errorf("unexpected %q", c)
		}
		if err := l.piece(m[1], m[2], m[3], m[4]); err != nil {
			return err
		}
		if strings.Contains("([{", m[0]) {
			depth++
		} else if strings.Contains(")]}", m[0]) {
			depth = max(0, depth-1)
		}
		l.take(len(m[0]))
	}
	return errors.Errorf("a tag without its %s", close)
}

// piece emits a token of the one argument that is not "".
func (l *lexer) piece(id, num, quoted, op string) (err error) {
	switch {
	case len(id) > maxName:
		return errors.Errorf("a name of %d bytes, want at most %d", len(id), maxName)
	case id != "":
		l.emit(name, id)
	case num != "":
		l.emit(number, num)
		v := &l.toks[len(l.toks)-1].num
		if strings.ContainsAny(num, ".eE") {
			*v, err = strconv.ParseFloat(num, 64)
		} else {
			*v, err = strconv.ParseInt(num, 10, 64)
		}
		if err != nil {
			return errors.Errorf("number %s: want one of 64 bits", num)
		}
	case quoted != "":
		quoted, err = unescape(quoted[1 : len(quoted)-1])
		l.emit(str, quoted)
	case op != "":
		l.emit(operator, op)
	}
	return err
}

// unescape decodes the escapes of a Python string. An escape that Python does not know stays as it is.
func unescape(s string) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:i])
		s = s[i:]
		next := s[1]
		c, _, rest, err := strconv.UnquoteChar(s, next)
		switch {
		case next == '\n':
			rest = s[2:]
		case err == nil:
			b.WriteRune(c)
		case strings.IndexByte("xuUN01234567", next) >= 0:
			return "", errors.Errorf(`the escape \%c: want \n and the like, \xHH, \uHHHH or \UHHHHHHHH`, next)
		default:
			b.WriteByte('\\')
			rest = s[1:]
		}
		s = rest
	}
}

// isSpace tells what Python's str.isspace tells about one character.
func isSpace(c rune) bool { return unicode.IsSpace(c) || c >= 0x1c && c <= 0x1f }
