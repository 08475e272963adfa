package record

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
)

// A file may be one object that has the records in a list: {"version": 1, "data": [{…}, …]}. The list's name is not
// asked for, as there is only one list of objects. But some objects that have one list of objects are records.

// parts are keys of the objects that a record has a list of: messages of a chat, spans of a text.
var parts = []string{"role", "from", "start", "start_offset"}

// own are keys of a record that the object around a list of records does not have.
var own = []string{"text", "prompt", "instruction", "question", "messages", "conversations"}

// wrapped finds out whether the file is one object around a list of records. If so, it sets f.array and f.within and
// places s, which stands at the object, at the first record.
func (f *file) wrapped(s *scanner) error {
	begin := s.off
	list, err := s.onlyList()
	if err != nil {
		return err
	}
	if list >= 0 && valid(s.rec) == nil && !hasOne(s.rec, own) {
		f.array, f.within = true, true
		s.reset(f, list)
		if s.json() == nil && valid(s.rec) == nil && hasOne(s.rec, parts) { // a broken one is told of later
			f.array, f.within = false, false
		}
	}
	if !f.array {
		list = begin
	}
	s.reset(f, list)
	return nil
}

// hasOne tells whether an object, which is valid, has one of the keys.
func hasOne(object []byte, keys []string) bool {
	found := false
	members(object, func(key, _ []byte) error {
		var k string
		err := json.Unmarshal(key, &k)
		found = found || slices.Contains(keys, k)
		return err
	})
	return found
}

// onlyList reads an object to rec, with its first list of objects left empty. It returns the place of the first of
// these objects. Without such a list it returns −1, also where the object has two or is not all of the file.
func (s *scanner) onlyList() (list int64, err error) {
	s.rec, list = s.rec[:0], -1
	var n nest
	var last [2]byte // the last bytes, white space apart
	skip := false
	for {
		b, err := s.chunk()
		if err == io.EOF {
			return -1, nil
		}
		if err != nil {
			return -1, err
		}
		for i, c := range b {
			text := n.text
			switch n.step(c); {
			case c == '\n' && text, len(s.rec) >= s.max:
				return -1, nil
			case !text && bytes.IndexByte([]byte(" \t\r\n"), c) >= 0:
				continue
			case !text && c == '{' && n.depth == 3 && last == [2]byte{':', '['}:
				if list >= 0 {
					return -1, nil
				}
				list, skip = s.off+int64(i), true
			case n.depth == 1:
				skip = false
			}
			last = [2]byte{last[1], c}
			if !skip {
				s.room(1)
				s.rec = append(s.rec, c)
			}
			if n.depth == 0 {
				s.advance(i + 1)
				if _, err := s.peekByte(); err != io.EOF {
					list = -1
				}
				return list, nil
			}
		}
		s.advance(len(b))
	}
}
