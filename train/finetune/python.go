package finetune

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/pkg/errors"
)

// rawList returns a column of a record as JSON. A text that holds a list in JSON, or as Python or NumPy print it, is
// that list.
func rawList(r *record.Records, row int, column string) ([]byte, error) {
	raw, err := r.Raw(row, column)
	if err != nil || len(raw) > 0 && raw[0] == '[' && json.Valid(raw) {
		return raw, err
	}
	text, err := r.Text(row, column)
	if err != nil { // an object
		return raw, nil
	}
	if text = strings.TrimSpace(text); !strings.HasPrefix(text, "[") {
		return raw, nil
	}
	if json.Valid([]byte(text)) {
		return []byte(text), nil
	}
	if b, err := fromPython(text); err == nil {
		return b, nil
	}
	return []byte(text), nil
}

// fromPython writes a value as Python prints it in JSON: texts in either quotes, None, True, False, tuples as lists. As
// in NumPy, white space may stand for the comma between values.
func fromPython(text string) ([]byte, error) {
	b := make([]byte, 0, len(text)+16)
	value := false // a value ends in front
	for text != "" {
		c := text[0]
		switch {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			text = text[1:]
		case c == ',' || c == ':':
			b, text, value = append(b, c), text[1:], false
		case c == ']' || c == ')' || c == '}':
			if n := len(b); n > 0 && b[n-1] == ',' { // (1,) and [1, 2,]
				b = b[:n-1]
			}
			b, text, value = append(b, closing(c)), text[1:], true
		default:
			if value {
				b = append(b, ',')
			}
			var err error
			if b, text, err = pythonValue(b, text); err != nil {
				return nil, err
			}
			value = c != '[' && c != '(' && c != '{'
		}
	}
	if !json.Valid(b) {
		return nil, errors.New("neither JSON nor a list as Python prints it")
	}
	return b, nil
}

func closing(c byte) byte {
	if c == ')' {
		return ']'
	}
	return c
}

// pythonValue appends the value, or the opening bracket, that a text begins with.
func pythonValue(b []byte, text string) (to []byte, rest string, err error) {
	switch text[0] {
	case '[', '(':
		return append(b, '['), text[1:], nil
	case '{':
		return append(b, '{'), text[1:], nil
	case '\'', '"':
		s, rest, err := unquoted(text)
		if err != nil {
			return nil, "", err
		}
		quoted, err := json.Marshal(s)
		return append(b, quoted...), rest, err
	}
	n := strings.IndexAny(text, " \t\r\n,:[](){}'\"")
	if n < 0 {
		n = len(text)
	}
	word, rest := text[:n], text[n:]
	if w, ok := map[string]string{"None": "null", "nan": "null", "True": "true", "False": "false"}[word]; ok {
		return append(b, w...), rest, nil
	}
	if _, err := strconv.ParseFloat(word, 64); err != nil {
		return nil, "", errors.Errorf("%.40q is no value", word)
	}
	if strings.HasSuffix(word, ".") { // NumPy writes 1.0 so
		word += "0"
	}
	return append(b, word...), rest, nil
}

// unquoted reads a text in quotes as Python writes it.
func unquoted(text string) (s, rest string, err error) {
	quote := text[0]
	var b strings.Builder
	for rest = text[1:]; rest != ""; {
		if rest[0] == quote {
			return b.String(), rest[1:], nil
		}
		if strings.HasPrefix(rest, `\"`) || strings.HasPrefix(rest, `\'`) {
			rest = rest[1:]
		}
		c, _, tail, err := strconv.UnquoteChar(rest, 0)
		if err != nil { // a backslash that escapes nothing stays
			c, tail = rune(rest[0]), rest[1:]
		}
		b.WriteRune(c)
		rest = tail
	}
	return "", "", errors.New("a quote is not closed")
}
