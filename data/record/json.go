package record

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"

	"github.com/pkg/errors"
)

// json reads the next object to rec: of an array, or of objects with white space between them.
func (s *scanner) json() error {
	c, err := s.token()
	switch {
	case s.array:
		err = s.element(c, err)
	case err == nil && c != '{':
		err = errors.Errorf("a JSON value that is not an object but begins with %q, want an object a line or an array of objects", c)
	}
	if err != nil {
		return err
	}
	return s.object()
}

// element finds the next object of an array. Its next byte is c, unless there is an error.
func (s *scanner) element(c byte, err error) error {
	if err == nil && s.state == atBegin {
		if c, err = s.token(); err == nil && c == ']' {
			return s.end()
		}
	} else if err == nil && s.state == atComma {
		switch c {
		case ']':
			return s.end()
		case ',':
			c, err = s.token()
		default:
			return errors.Errorf("%q between the objects of an array, want a comma", c)
		}
	}
	if err == io.EOF {
		return errors.New("the array is not closed")
	}
	if err == nil && c != '{' {
		err = errors.Errorf("%q in an array of records, want an object", c)
	}
	s.state = atComma
	return err
}

// object reads the rest of an object, whose opening brace has been read, to rec.
func (s *scanner) object() error {
	s.rec = append(s.rec[:0], '{')
	for n := (nest{depth: 1}); n.depth > 0; {
		b, err := s.chunk()
		if err == io.EOF {
			return unclosed(s.rec, errors.New("the object is not closed"))
		}
		if err != nil {
			return err
		}
		k := 0
		for k < len(b) && n.depth > 0 {
			if b[k] == '\n' && n.text {
				return errors.New("broken JSON: a line ends within a text")
			}
			n.step(b[k])
			k++
		}
		if len(s.rec)+k > s.max {
			return unclosed(s.rec, errors.Errorf("a record of more than %d bytes (MaxRecord)", s.max))
		}
		s.room(k)
		s.rec = append(s.rec, b[:k]...)
		s.advance(k)
	}
	return clean(s.rec)
}

// chunk returns bytes that come next, one or more.
func (s *scanner) chunk() ([]byte, error) {
	if _, err := s.b.Peek(1); err != nil {
		return nil, err
	}
	return s.b.Peek(s.b.Buffered())
}

// unclosed adds to err what is broken in an object before its end is missed.
func unclosed(object []byte, err error) error {
	if e := syntax(object); e != nil && e.Error() != "unexpected end of JSON input" {
		return errors.Errorf("%v: %v", err, e)
	}
	return err
}

// token returns the next byte that is not white space, and notes its place as the record's start.
func (s *scanner) token() (byte, error) {
	c, err := s.peekByte()
	if err == nil {
		s.skip(1)
		s.start--
	}
	return c, err
}

// peekByte skips white space and returns the byte behind it.
func (s *scanner) peekByte() (byte, error) {
	for {
		b, err := s.b.Peek(1)
		if err != nil {
			return 0, err
		}
		if !bytes.Contains([]byte(" \t\r\n"), b) {
			return b[0], nil
		}
		s.skip(1)
	}
}

// end refuses what follows an array, unless the array is a member of an object.
func (s *scanner) end() error {
	if s.within {
		return io.EOF
	}
	c, err := s.token()
	if err == nil {
		err = errors.Errorf("%q after the end of the array", c)
	}
	return err
}

// nest follows the brackets and strings of JSON.
type nest struct {
	depth      int
	text, quot bool // inside of a string; after a backslash
}

func (n *nest) step(c byte) {
	switch {
	case n.quot:
		n.quot = false
	case n.text:
		n.quot, n.text = c == '\\', c != '"'
	case c == '"':
		n.text = true
	case c == '{' || c == '[':
		n.depth++
	case c == '}' || c == ']':
		n.depth--
	}
}

// members hands the keys (with quotes) and values of an object, which is valid, to each.
func members(object []byte, each func(key, value []byte) error) error {
	var n nest
	from, colon := 0, -1
	for i, c := range object {
		inside := n.text
		n.step(c)
		switch {
		case inside || n.text:
		case n.depth == 1 && c == '{': // the object's own: those in it are deeper
			from = i + 1
		case n.depth == 1 && c == ':':
			colon = i
		case colon >= 0 && (n.depth == 1 && c == ',' || n.depth == 0):
			if err := each(bytes.TrimSpace(object[from:colon]), bytes.TrimSpace(object[colon+1:i])); err != nil {
				return err
			}
			from, colon = i+1, -1
		}
	}
	return nil
}

// valid refuses what is not one object.
func valid(b []byte) error {
	if err := syntax(b); err != nil {
		return errors.Wrap(err, "broken JSON, want an object a line or an array of objects")
	}
	if b = bytes.TrimSpace(b); b[0] != '{' {
		return errors.New("a JSON value that is not an object")
	}
	return nil
}

// syntax returns what is wrong with JSON in which numbers may be NaN, Infinity and -Infinity, as Python writes them.
func syntax(b []byte) error {
	if b = withoutNaN(b, func(word string) string { return strings.Repeat("1", len(word)) }); json.Valid(b) {
		return nil
	}
	return json.Unmarshal(b, &struct{}{}) // for its words
}

// withoutNaN returns JSON with other texts in the place of NaN and Infinity, where they are numbers.
func withoutNaN(b []byte, other func(word string) string) []byte {
	if !bytes.Contains(b, []byte("NaN")) && !bytes.Contains(b, []byte("Infinity")) {
		return b
	}
	bound := func(i int) bool { return i < 0 || i >= len(b) || bytes.IndexByte([]byte(" \t\r\n:,[]}"), b[i]) >= 0 }
	var n nest
	to, from := make([]byte, 0, len(b)), 0
	for i, c := range b {
		if n.step(c); n.text || c != 'N' && c != 'I' && c != '-' || !bound(i-1) {
			continue
		}
		for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
			if bytes.HasPrefix(b[i:], []byte(word)) && bound(i+len(word)) {
				to = append(append(to, b[from:i]...), other(word)...)
				from = i + len(word)
			}
		}
	}
	return append(to, b[from:]...)
}

// keys checks an object and gives its keys to r's columns.
func keys(object []byte, r *Records) error {
	if err := valid(object); err != nil {
		return err
	}
	return members(object, func(key, _ []byte) error {
		if bytes.IndexByte(key, '\\') >= 0 {
			k, err := plain(key)
			if err != nil {
				return err
			}
			key = []byte(k)
		} else {
			key = key[1 : len(key)-1]
		}
		if _, ok := r.number[string(key)]; ok {
			return nil
		}
		if len(r.columns) == maxColumns {
			return errors.Errorf("key %q is one more than %d columns", key, maxColumns)
		}
		r.number[string(key)] = len(r.columns)
		r.columns = append(r.columns, string(key))
		return nil
	})
}

// member returns the value of a key, nil if there is none, the last if there are several.
func member(object []byte, name string) ([]byte, error) {
	if err := valid(object); err != nil { // the file may have changed
		return nil, err
	}
	var found []byte
	err := members(object, func(key, value []byte) error {
		same := string(key[1:len(key)-1]) == name
		if bytes.IndexByte(key, '\\') >= 0 {
			k, err := plain(key)
			if err != nil {
				return err
			}
			same = k == name
		}
		if same {
			found = value
		}
		return nil
	})
	return found, err
}

// plain returns a JSON value as text.
func plain(v []byte) (string, error) {
	switch {
	case len(v) == 0 || string(v) == "null" || string(v) == "NaN":
		return "", nil
	case v[0] == '{' || v[0] == '[':
		return "", errors.New("an object or array, want text")
	case v[0] == '"':
		var s string
		err := json.Unmarshal(v, &s)
		return s, err
	}
	return string(v), nil
}
