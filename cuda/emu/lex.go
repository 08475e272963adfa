package emu

import (
	"strings"

	"github.com/pkg/errors"
)

// A token is a word or a mark of a PTX text. Words keep their dots, so that an opcode with its modifiers is one
// token.
type token struct {
	text string
	line int
}

// lex splits a text into tokens.
func lex(src string) ([]token, error) {
	var list []token
	line := 1
	for i := 0; i < len(src); {
		c := src[i]
		n := 1
		switch {
		case c == '\n':
			line++
		case c == ' ' || c == '\t' || c == '\r' || c == '\f':
		case strings.HasPrefix(src[i:], "//"):
			n = span(src[i:], func(b byte) bool { return b != '\n' })
		case strings.HasPrefix(src[i:], "/*"):
			end := strings.Index(src[i:], "*/")
			if end < 0 {
				return nil, errors.Errorf("emu: line %d: a comment has no end", line)
			}
			n = end + 2
			line += strings.Count(src[i:i+n], "\n")
		case c == '"':
			end := strings.IndexByte(src[i+1:], '"')
			if end < 0 {
				return nil, errors.Errorf("emu: line %d: a string has no end", line)
			}
			n = end + 2
			list = append(list, token{src[i : i+n], line})
			line += strings.Count(src[i:i+n], "\n")
		case wordByte(c):
			n = word(src[i:])
			list = append(list, token{src[i : i+n], line})
		case strings.IndexByte(",;:[]{}()<>@!|+-=*/&^~?", c) >= 0:
			list = append(list, token{src[i : i+1], line})
		default:
			return nil, errors.Errorf("emu: line %d: the character %q is no part of PTX", line, c)
		}
		i += n
	}
	return list, nil
}

func wordByte(c byte) bool {
	return c == '_' || c == '$' || c == '%' || c == '.' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func span(s string, in func(byte) bool) int {
	for i := range len(s) {
		if !in(s[i]) {
			return i
		}
	}
	return len(s)
}

// word returns the length of the word at the start of s. Two colons belong to it, as in L2::128B.
func word(s string) int {
	n := span(s, wordByte)
	for strings.HasPrefix(s[n:], "::") {
		n += 2
		n += span(s[n:], wordByte)
	}
	return n
}
