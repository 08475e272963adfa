// Package token turns texts into ids and back.
//
//	t, err := token.NewChar([]byte("to be"))
//	ids, err := t.Encode([]byte("be to"))
//	fmt.Printf("%s", t.Decode(ids)) // be to
package token

import (
	"fmt"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// Tokenizer maps texts to ids in [0, Vocab()) and back. It is safe for concurrent use.
type Tokenizer interface {
	// Name is the kind of tokenizer: "byte", "char".
	Name() string
	// Vocab is the number of ids.
	Vocab() int
	// Encode returns the ids of a text, or an error where it holds what has no id.
	Encode(text []byte) ([]int32, error)
	// Decode returns the text of ids. An id outside the vocab gives U+FFFD.
	Decode(ids []int32) []byte
}

// replacement stands for an id that is none.
const replacement = "\uFFFD"

// Byte is the tokenizer whose ids are the 256 bytes.
type Byte struct{}

// Name implements Tokenizer.
func (Byte) Name() string { return "byte" }

// Vocab implements Tokenizer.
func (Byte) Vocab() int { return 256 }

// Encode implements Tokenizer; it never fails.
func (Byte) Encode(text []byte) ([]int32, error) {
	ids := make([]int32, len(text))
	for i, b := range text {
		ids[i] = int32(b)
	}
	return ids, nil
}

// Decode implements Tokenizer.
func (Byte) Decode(ids []int32) []byte {
	text := make([]byte, 0, len(ids))
	for _, id := range ids {
		if id < 0 || id > 255 {
			text = append(text, replacement...)
		} else {
			text = append(text, byte(id))
		}
	}
	return text
}

// Char is a tokenizer whose ids are the characters (runes) of a corpus in ascending order, as in nanoGPT's
// shakespeare_char.
type Char struct {
	runes []rune // by id
	ids   map[rune]int32
	ascii [utf8.RuneSelf]int32 // the ids of the most frequent case; −1 for none
}

// NewChar returns the tokenizer of the distinct characters of the texts. Bytes that are not UTF-8 are an error of type
// [*UTF8Error].
func NewChar(texts ...[]byte) (*Char, error) {
	var seen [utf8.MaxRune + 1]bool
	for _, text := range texts {
		for i := 0; i < len(text); {
			r, n := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && n == 1 {
				return nil, &UTF8Error{Offset: i, Byte: text[i]}
			}
			seen[r] = true
			i += n
		}
	}
	var runes []rune
	for r, ok := range seen {
		if ok {
			runes = append(runes, rune(r))
		}
	}
	return newChar(runes)
}

// newChar wants ascending runes.
func newChar(runes []rune) (*Char, error) {
	c := &Char{runes: runes, ids: make(map[rune]int32, len(runes))}
	for i := range c.ascii {
		c.ascii[i] = -1
	}
	for i, r := range runes {
		if !utf8.ValidRune(r) || i > 0 && r <= runes[i-1] {
			return nil, errors.Errorf("token: char: character %U at place %d of the vocabulary: want distinct characters in ascending order", r, i)
		}
		c.ids[r] = int32(i)
		if r < utf8.RuneSelf {
			c.ascii[r] = int32(i)
		}
	}
	if len(runes) == 0 {
		return nil, errors.New("token: char: no characters")
	}
	return c, nil
}

// UTF8Error says where a text is not UTF-8.
type UTF8Error struct {
	Offset int // in bytes
	Byte   byte
}

func (e *UTF8Error) Error() string {
	return fmt.Sprintf("token: char: byte 0x%02x at offset %d is not UTF-8", e.Byte, e.Offset)
}

// Name implements Tokenizer.
func (*Char) Name() string { return "char" }

// Vocab implements Tokenizer.
func (c *Char) Vocab() int { return len(c.runes) }

// Encode implements Tokenizer. A character outside the vocabulary is an error that names it and its offset in bytes.
func (c *Char) Encode(text []byte) ([]int32, error) {
	ids := make([]int32, 0, utf8.RuneCount(text))
	for i := 0; i < len(text); {
		r, n := rune(text[i]), 1
		id := int32(-1)
		if r < utf8.RuneSelf {
			id = c.ascii[r]
		} else if r, n = utf8.DecodeRune(text[i:]); r == utf8.RuneError && n == 1 {
			return nil, &UTF8Error{Offset: i, Byte: text[i]}
		} else if known, ok := c.ids[r]; ok {
			id = known
		}
		if id < 0 {
			return nil, errors.Errorf("token: char: character %q at offset %d is not among the %d of the vocabulary", r, i, len(c.runes))
		}
		ids = append(ids, id)
		i += n
	}
	return ids, nil
}

// Decode implements Tokenizer.
func (c *Char) Decode(ids []int32) []byte {
	text := make([]byte, 0, len(ids))
	for _, id := range ids {
		if id < 0 || int(id) >= len(c.runes) {
			text = append(text, replacement...)
		} else {
			text = utf8.AppendRune(text, c.runes[id])
		}
	}
	return text
}
