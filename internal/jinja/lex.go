package jinja

import (
	"regexp"
	"strconv"
	"strings"
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
	open := l.src[n:]
	start := 2
	if len(open) > 2 && (open[2] == '-' || open[2] == '+') {
		start = 3
	}
	l.before(l.src[:n], open[2:start], open[1] != '{')
	l.take(n)
	if m := rawBegin.FindString(open); m != "" {
		return l.raw(len(m))
	}
	if open[1] == '#' {
		n := strings.Index(open[start:], "#}")
		if n < 0 && start == len(open) { // so it does with a comment
			l.take(start)
			return nil
		}
		if n < 0 {
			return errors.New("a comment without its #}")
		}
		sign := byte(0)
		if n > 0 {
			sign = open[start+n-1]
		}
		l.close(sign, start+n+2, true)
		return nil
	}
	l.emit(begin, open[:2])
	l.take(start)
	return l.inside(map[byte]string{'{': "}}", '%': "%}"}[open[1]])
}

// before emits the text s before a tag that begins with this sign.
func (l *lexer) before(s, sign string, block bool) {
	switch {
	case sign == "-":
		s = strings.TrimRightFunc(s, isSpace)
	case sign != "+" && block:
		line := strings.LastIndexByte(s, '\n') + 1
		if (line > 0 || l.lineStart) && strings.TrimLeftFunc(s[line:], isSpace) == "" {
			s = s[:line]
		}
	}
	l.emit(text, s)
}

var (
	rawBegin = regexp.MustCompile(`^\{%[-+]?` + space + `*raw` + space + `*(?:-%\}` + space + `*|%\})`)
	rawEnd   = regexp.MustCompile(`\{%([-+]?)` + space + `*endraw` + space + `*(?:\+%\}|-%\}` + space + `*|%\}\n?)`)
)

// raw reads what stands between the tags raw and endraw; the first has n bytes.
func (l *lexer) raw(n int) error {
	l.lineStart = l.src[n-1] == '\n'
	m := rawEnd.FindStringSubmatchIndex(l.src[n:])
	if m == nil && n == len(l.src) { // jinja2 lets a raw block end with the template where it is empty
		l.take(n)
		return nil
	}
	if m == nil {
		return errors.New("a raw block without its endraw")
	}
	l.before(l.src[n:n+m[0]], l.src[n+m[2]:n+m[3]], true)
	l.lineStart = l.src[n+m[1]-1] == '\n'
	l.take(n + m[1])
	return nil
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

// space matches one character of white space, as \s does in Python.
const space = `[\s\v\pZ\x1c-\x1f\x{85}]`

// digits may have underscores between them.
const digits = `(?:[0-9]+_)*[0-9]+`

// piece matches white space, a name, a number, a string or an operator. item matches a number behind a dot, which is
// whole.
var (
	piece = regexp.MustCompile(`^(?:` + space + `+|([\pL_][\pL\pN\pM_]*)|(` + digits + `(?:(?:\.` + digits + `)?[eE][+-]?` + digits +
		`|\.` + digits + `)|` + whole + `)|("(?:[^"\\]|\\(?s:.))*"|'(?:[^'\\]|\\(?s:.))*')|(//|\*\*|[=!<>]=|[-+*/%~()\[\]{}<>=.:|,]))`)
	item = regexp.MustCompile(`^(?:` + whole + `)`)
)

const whole = `0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+|[1-9](?:_?[0-9])*|0(?:_?0)*`

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
		if n := len(l.toks); m != nil && m[2] != "" && l.toks[n-1].kind == operator && l.toks[n-1].text == "." {
			m = []string{item.FindString(l.src), "", item.FindString(l.src), "", ""}
		}
		if m == nil || m[0] == "" {
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
		plain := strings.ReplaceAll(num, "_", "")
		if based := len(plain) > 1 && strings.ContainsAny(plain[1:2], "bBoOxX"); !based && strings.ContainsAny(plain, ".eE") {
			*v, err = strconv.ParseFloat(plain, 64)
		} else {
			*v, err = strconv.ParseInt(plain, 0, 64)
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
		case next >= '0' && next <= '7':
			n := 2
			for n < min(4, len(s)) && s[n] >= '0' && s[n] <= '7' {
				n++
			}
			c, _ := strconv.ParseUint(s[1:n], 8, 16)
			b.WriteRune(rune(c))
			rest = s[n:]
		case err == nil:
			b.WriteRune(c)
		case strings.IndexByte("xuUN", next) >= 0:
			return "", errors.Errorf(`the escape \%c: want \n and the like, \xHH, \uHHHH or \UHHHHHHHH`, next)
		default:
			b.WriteByte('\\')
			rest = s[1:]
		}
		s = rest
	}
}
