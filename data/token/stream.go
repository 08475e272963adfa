package token

import "unicode/utf8"

// Stream decodes ids as they come and never cuts a character in two. What Next and Flush return, put together, is
// Decode of all the ids.
type Stream struct {
	t       Tokenizer
	last    int32 // the id before; −1 for none
	pending []byte
}

// NewStream returns a stream of text that goes on behind the ids given, whose own text it does not return.
func NewStream(t Tokenizer, before ...int32) *Stream {
	s := &Stream{t: t, last: -1}
	if len(before) > 0 {
		s.last = before[len(before)-1]
	}
	return s
}

// Next returns the characters that are complete with this id. Bytes that no later bytes can make UTF-8 come out as they
// are.
func (s *Stream) Next(id int32) []byte {
	s.pending = append(s.pending, s.text(id)...)
	n := complete(s.pending)
	out := append([]byte(nil), s.pending[:n]...)
	s.pending = append(s.pending[:0], s.pending[n:]...)
	return out
}

// Flush returns what is left at the end of the ids: the beginning of a character.
func (s *Stream) Flush() []byte {
	out := s.pending
	s.pending = nil
	return out
}

// text is what id adds to the text of the ids before it. The first id of a text may give less than the same id later,
// as SentencePiece drops the space before the first word.
func (s *Stream) text(id int32) []byte {
	if s.last < 0 {
		s.last = id
		return s.t.Decode([]int32{id})
	}
	before := len(s.t.Decode([]int32{s.last}))
	text := s.t.Decode([]int32{s.last, id})
	s.last = id
	return text[min(before, len(text)):]
}

// complete returns the length of text without a character at its end that more bytes could complete.
func complete(text []byte) int {
	for i := len(text) - 1; i >= 0 && i >= len(text)-utf8.UTFMax+1; i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				return i
			}
			break
		}
	}
	return len(text)
}
