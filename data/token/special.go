package token

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// SpecialError says which control token is written in a text where [Refuse] forbids it.
type SpecialError struct {
	Token  string
	Offset int // in bytes
}

func (e *SpecialError) Error() string {
	return fmt.Sprintf("token: special token %q at offset %d: want a text without special tokens", e.Token, e.Offset)
}

// specials finds special tokens in a text. Among those that begin leftmost it takes the longest, as Hugging Face
// tokenizers does.
type specials struct {
	list []Special // by ascending id
	ids  map[string]int32
	find [2]trie // the tokens that are looked for before normalization, and after it
}

// newSpecials wants ids of at least 0 and distinct texts that are not empty.
func newSpecials(list []Special) (*specials, error) {
	s := &specials{list: slices.Clone(list), ids: make(map[string]int32, len(list))}
	slices.SortStableFunc(s.list, func(a, b Special) int { return int(a.ID) - int(b.ID) })
	for _, x := range s.list {
		if x.Text == "" || x.ID < 0 {
			return nil, errors.Errorf("token: special token %q with id %d: want a text and an id of at least 0", x.Text, x.ID)
		}
		if len(x.Text) > maxSpecial {
			return nil, errors.Errorf("token: special token %.20q…: %d bytes, want at most %d", x.Text, len(x.Text), maxSpecial)
		}
		if id, twice := s.ids[x.Text]; twice {
			return nil, errors.Errorf("token: special token %q: ids %d and %d, want one", x.Text, id, x.ID)
		}
		s.ids[x.Text] = x.ID
	}
	s.plant(func(text string) string { return text })
	return s, nil
}

// plant makes the tries; normal is the normalization of the texts of tokens that are looked for after it.
func (s *specials) plant(normal func(string) string) {
	s.find = [2]trie{newTrie(), newTrie()}
	for i, x := range s.list {
		if x.Normalized {
			s.find[1].add(normal(x.Text), int32(i))
		} else {
			s.find[0].add(x.Text, int32(i))
		}
	}
}

// A match is a special token in a text with the white space that it strips.
type match struct {
	start, end int
	id         int32 // −1: none is left, and start and end are the length of the text
}

// next returns the first special token at or after text[i], among those that are looked for after the text's
// normalization or among the others. What stands before text[i] belongs to the token before: it is not stripped. The
// error is a [*SpecialError].
func (s *specials) next(text []byte, i int, normalized bool, p Policy) (match, error) {
	t := &s.find[0]
	if normalized {
		t = &s.find[1]
	}
	for at := i; at < len(text); {
		if !t.first[text[at]] {
			at++
			continue
		}
		n, length := t.longest(text[at:], func(n int32) bool { return p != AsText || !s.list[n].Special })
		if length == 0 {
			at++
			continue
		}
		x := &s.list[n]
		if x.SingleWord && (wordBefore(text[:at]) || wordAfter(text[at+length:])) {
			at += length
			continue
		}
		if p == Refuse && x.Special {
			return match{}, &SpecialError{x.Text, at}
		}
		m := match{at, at + length, x.ID}
		if x.LStrip {
			m.start = i + len(trimRight(text[i:at]))
		}
		if x.RStrip {
			m.end = len(text) - len(trimLeft(text[m.end:]))
		}
		return m, nil
	}
	return match{len(text), len(text), -1}, nil
}

func trimLeft(text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if !unicode.IsSpace(r) {
			break
		}
		text = text[n:]
	}
	return text
}

func trimRight(text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeLastRune(text)
		if !unicode.IsSpace(r) {
			break
		}
		text = text[:len(text)-n]
	}
	return text
}

func wordBefore(text []byte) bool {
	r, n := utf8.DecodeLastRune(text)
	return isWord(r, n)
}

func wordAfter(text []byte) bool {
	r, n := utf8.DecodeRune(text)
	return isWord(r, n)
}

// isWord tells whether a character of n bytes is one of \w. Source: Unicode Technical Standard 18, annex C.
func isWord(r rune, n int) bool {
	if n == 0 || r == utf8.RuneError {
		return false
	}
	return unicode.In(r, unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.M, unicode.Nd, unicode.Pc, unicode.Join_Control)
}

// maxSpecial bounds the bytes of a special token, as the work of finding it grows with them.
const maxSpecial = 512

// A trie holds texts by their bytes. Node 0 is its root.
type trie struct {
	first [256]bool // true for the bytes that begin a text
	nodes []trieNode
}

// A trieNode is small, as a file may have one for each of its bytes.
type trieNode struct {
	child, sibling int32 // 0 for none
	text           int32 // the number of the text that ends here; −1 for none
	b              byte  // what leads here
}

func newTrie() trie { return trie{nodes: []trieNode{{text: -1}}} }

// step returns the child of a node for a byte, 0 for none.
func (t *trie) step(at int32, b byte) int32 {
	to := t.nodes[at].child
	for to != 0 && t.nodes[to].b != b {
		to = t.nodes[to].sibling
	}
	return to
}

// add puts a text in; where two are equal the first stays.
func (t *trie) add(text string, number int32) {
	at := int32(0)
	for i := range len(text) {
		to := t.step(at, text[i])
		if to == 0 {
			to = int32(len(t.nodes))
			t.nodes = append(t.nodes, trieNode{text: -1, b: text[i], sibling: t.nodes[at].child})
			t.nodes[at].child = to
		}
		at = to
	}
	if text != "" && t.nodes[at].text < 0 {
		t.first[text[0]] = true
		t.nodes[at].text = number
	}
}

// longest returns the number and length of the longest text that begins s among those that are wanted; length 0: none.
func (t *trie) longest(s []byte, want func(int32) bool) (number int32, length int) {
	at := int32(0)
	for i, c := range s {
		if at = t.step(at, c); at == 0 {
			break
		}
		if n := t.nodes[at].text; n >= 0 && want(n) {
			number, length = n, i+1
		}
	}
	return number, length
}
