package token

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// Name implements [Tokenizer].
func (*SentencePiece) Name() string { return "sentencepiece" }

// Vocab implements [Tokenizer].
func (s *SentencePiece) Vocab() int { return len(s.tokens) }

// ID implements [Subword].
func (s *SentencePiece) ID(token string) (int32, bool) {
	if id, ok := s.specials.ids[token]; ok {
		return id, true
	}
	id, ok := s.ids[token]
	return id, ok
}

// Piece implements [Subword]: ▁ is a space in it, and a byte token is its byte.
func (s *SentencePiece) Piece(id int32) []byte {
	if id < 0 || int(id) >= len(s.pieces) {
		return nil
	}
	return []byte(s.pieces[id])
}

// Specials implements [Subword].
func (s *SentencePiece) Specials() []Special { return append([]Special(nil), s.specials.list...) }

// Begin implements [Subword].
func (s *SentencePiece) Begin() (int32, bool) { return s.begin, s.begin >= 0 }

// End implements [Subword].
func (s *SentencePiece) End() (int32, bool) { return s.end, s.end >= 0 }

// Decode implements [Tokenizer]. It takes the space away that Encode puts in front. That space stands at the start,
// after the begin token and, unless PrefixFirst is set, after each special token.
func (s *SentencePiece) Decode(ids []int32) []byte {
	text := make([]byte, 0, 4*len(ids))
	prefix := s.prefix
	for _, id := range ids {
		if id < 0 || int(id) >= len(s.pieces) {
			text, prefix = append(text, replacement...), false
			continue
		}
		piece := s.pieces[id]
		if prefix && strings.HasPrefix(piece, " ") && !s.special[id] {
			piece = piece[1:]
		}
		text = append(text, piece...)
		prefix = s.prefix && (id == s.begin || s.special[id] && !s.first)
	}
	return text
}

// Encode implements [Tokenizer]: it is EncodeWith with the zero Options.
func (s *SentencePiece) Encode(text []byte) ([]int32, error) { return s.EncodeWith(text, Options{}) }

// EncodeWith implements [Subword]. It takes O(n log n) time for n bytes and fails for a text of 2 GiB and more, or
// with a [*SpecialError].
func (s *SentencePiece) EncodeWith(text []byte, o Options) ([]int32, error) {
	return s.encode(text, o, nil)
}

// Offsets implements [Subword]. The spans of a text tile it; the space that was put in front stands for nothing.
func (s *SentencePiece) Offsets(text []byte, o Options) ([]int32, [][2]int, error) {
	spans := [][2]int{}
	ids, err := s.encode(text, o, func(ids []int32, p part, special bool) {
		if special {
			spans = append(spans, p.span(0, len(p.text)))
		} else {
			spans = s.spans(spans, ids, p)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return ids, spans, nil
}

// spans appends the spans of the ids that a part without special tokens gave.
func (s *SentencePiece) spans(spans [][2]int, ids []int32, p part) [][2]int {
	i := 0
	missing := func() int { return s.missingAt(p.text, i) }
	for _, id := range ids {
		start := i
		switch {
		case s.kinds[id] == typeByte:
			i++
		case id == s.unknown && missing() > 0:
			for i += missing(); s.fuse && missing() > 0; {
				i += missing()
			}
		default:
			for range utf8.RuneCountInString(s.pieces[id]) { // a space may be written ▁: the same number of characters
				_, n := utf8.DecodeRune(p.text[i:])
				i += n
			}
		}
		spans = append(spans, p.span(start, i))
	}
	return spans
}

// encode returns the ids of a text; mark, which may be nil, is told those of each part of it.
func (s *SentencePiece) encode(text []byte, o Options, mark mark) ([]int32, error) {
	if len(text) > math.MaxInt32 {
		return nil, errors.Errorf("token: sentencepiece: a text of %d bytes: want less than 2 GiB", len(text))
	}
	e := s.encoders.Get().(*pieceEncoder)
	defer s.encoders.Put(e)
	e.ids = make([]int32, 0, len(text)/3+len(s.before)+len(s.after)+1)
	e.failed = ""
	defer func() { e.ids = nil; e.merger.shrink() }()
	special := func(id int32, p part) {
		e.ids = append(e.ids, id)
		if mark != nil {
			mark(e.ids[len(e.ids)-1:], p, true)
		}
	}
	if o.Add {
		for _, id := range s.before {
			special(id, part{})
		}
	}
	for i := 0; i < len(text); {
		m, err := s.specials.next(text, i, false, o.Policy)
		if err != nil {
			return nil, err
		}
		if m.start > i {
			p := s.prefixed(part{text: text[i:m.start], at: i}, mark != nil)
			first := len(e.ids)
			e.stretch(p.text)
			if mark != nil {
				mark(e.ids[first:], p, false)
			}
		}
		if m.id >= 0 {
			special(m.id, part{text: text[m.start:m.end], at: m.start})
		}
		i = m.end
	}
	if e.failed != "" {
		return nil, errors.Errorf("token: sentencepiece: %q has no token, and unk_token %q is not in the vocabulary", e.failed, *s.config.NoUnknown)
	}
	if o.Add {
		for _, id := range s.after {
			special(id, part{at: len(text)})
		}
	}
	return e.ids, within(e.ids, s.rows, s.Piece)
}

// prefixed returns a stretch with the space that it gets in front.
func (s *SentencePiece) prefixed(p part, track bool) part {
	if !s.prefix || s.first && p.at > 0 || s.missing && s.spaceAt(p.text, 0) > 0 {
		return p
	}
	return p.prefix(track)
}

// A pieceEncoder is the scratch of one call.
type pieceEncoder struct {
	s      *SentencePiece
	ids    []int32 // the result so far
	merger merger
	cache  cache
	failed string // a character that has no token where that is an error
}

// stretch adds the ids of a text without special tokens, word by word where no pair reaches across words.
func (e *pieceEncoder) stretch(text []byte) {
	if !e.s.words {
		e.ids = append(e.ids, e.merged(text, 0, len(text))...)
		return
	}
	for i := 0; i < len(text); {
		end := e.s.wordEnd(text, i)
		e.word(text, i, end)
		i = end
	}
}

// wordEnd is the end of the spaces at text[i:] and what follows them up to the next space.
func (s *SentencePiece) wordEnd(text []byte, i int) int {
	for n := s.spaceAt(text, i); n > 0; n = s.spaceAt(text, i) {
		i += n
	}
	for i < len(text) && s.spaceAt(text, i) == 0 {
		i++
	}
	return i
}

// spaceAt is the length of the space at text[i:], 0 where there is none.
func (s *SentencePiece) spaceAt(text []byte, i int) int {
	switch {
	case i == len(text):
		return 0
	case text[i] == ' ':
		return 1
	case text[i] == metaSpace[0] && !s.plain && i+len(metaSpace) <= len(text) && string(text[i:i+len(metaSpace)]) == metaSpace:
		return len(metaSpace)
	}
	return 0
}

// word adds the ids of text[from:to], from the cache where it holds them.
func (e *pieceEncoder) word(text []byte, from, to int) {
	if to-from > maxCachedBytes {
		e.ids = append(e.ids, e.merged(text, from, to)...)
		return
	}
	if e.cache.slots == nil {
		e.cache = newCache()
	}
	lo, hi := packPiece(text, from, to)
	slot := e.cache.slot(lo, hi)
	if slot.lo != lo || slot.hi != hi {
		ids := e.merged(text, from, to)
		if len(ids) > maxCachedIDs || e.failed != "" {
			e.ids = append(e.ids, ids...)
			return
		}
		slot.lo, slot.hi, slot.n = lo, hi, int32(len(ids))
		copy(slot.ids[:], ids)
	}
	e.ids = append(e.ids, slot.ids[:slot.n]...)
}

// merged returns the ids of text[i:to], in scratch.
func (e *pieceEncoder) merged(text []byte, i, to int) []int32 {
	m, s := &e.merger, e.s
	m.ids = m.ids[:0]
	for known := true; i < to; {
		if b := text[i]; b < utf8.RuneSelf && s.ascii[b] >= 0 {
			m.ids, known = append(m.ids, s.ascii[b]), true
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:to])
		id, ok := s.chars[r]
		switch {
		case ok && (r != utf8.RuneError || n > 1):
			m.ids, known = append(m.ids, id), true
		case s.missingAt(text, i) == 0:
			for _, b := range text[i : i+n] {
				m.ids = append(m.ids, s.bytes[b])
			}
			known = true
		case s.unknown < 0:
			e.failed = string(text[i : i+n])
		case known || !s.fuse:
			m.ids, known = append(m.ids, s.unknown), false
		}
		i += n
	}
	m.merge(&s.pairs)
	return m.ids
}

// missingAt is the length of the character at text[i:] if there is a token neither for it nor for each of its bytes,
// else 0. A byte that is not UTF-8 is a character.
func (s *SentencePiece) missingAt(text []byte, i int) int {
	if i == len(text) {
		return 0
	}
	r, n := utf8.DecodeRune(text[i:])
	if r < utf8.RuneSelf && s.ascii[r] >= 0 {
		return 0
	}
	if _, ok := s.chars[r]; ok && (r != utf8.RuneError || n > 1) {
		return 0
	}
	for _, b := range text[i : i+n] {
		if s.bytes[b] < 0 {
			return n
		}
	}
	return 0
}
