package token

import (
	"fmt"
	"testing"
)

// TestStream decodes byte by byte; a bar stands behind each part that comes out.
func TestStream(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"ab", "a|b|"},
		{"é世🙂", "|é|||世||||🙂|"},
		{"\xffa\x80", "\xff|a|\x80|"},
		{"\xe4\xb8a", "||\xe4\xb8a|"},          // a character that is cut short
		{"\xe4\xe4\xb8\x96", "|\xe4||世|"},      // and another
		{"\xe0\x80\x80", "|\xe0\x80|\x80|"},    // overlong: no second byte 0x80 after 0xe0
		{"\xed\xa0\x80", "|\xed\xa0|\x80|"},    // a surrogate
		{"\xf4\x90a", "|\xf4\x90|a|"},          // above U+10FFFF
		{"a\xf0\x9f\x99", "a||||\xf0\x9f\x99"}, // ends within a character: Flush
	} {
		s, got := NewStream(Byte{}), ""
		for _, b := range []byte(c.text) {
			got += string(s.Next(int32(b))) + "|"
		}
		if got += string(s.Flush()); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

// firstSpace drops the space before the first word, as SentencePiece does, and gives nothing for id 0.
type firstSpace struct{ Byte }

func (f firstSpace) Decode(ids []int32) []byte {
	for len(ids) > 0 && ids[0] == 0 {
		ids = ids[1:]
	}
	text := f.Byte.Decode(ids)
	if len(text) > 0 && text[0] == ' ' {
		text = text[1:]
	}
	return text
}

func TestStreamFirst(t *testing.T) {
	for _, c := range []struct {
		before []int32
		text   string
		want   string
	}{
		{nil, " a b", "a b"},
		{nil, "\x00 a", "a"},
		{nil, "  a", " a"},
		{[]int32{'x'}, " a", " a"},
		{[]int32{'x', 0}, " a", "a"},
	} {
		s, got := NewStream(firstSpace{}, c.before...), ""
		for _, b := range []byte(c.text) {
			got += string(s.Next(int32(b)))
		}
		if got += string(s.Flush()); got != c.want {
			t.Errorf("%s: %q, want %q", fmt.Sprint(c.before, c.text), got, c.want)
		}
	}
}
