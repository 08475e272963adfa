package token

import (
	"bytes"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// Offsets returns the ids of a text and the bytes that each stands for, for any tokenizer of this package. It is
// [Subword]'s method of that name where there is one. A tokenizer of bytes or characters has neither special tokens nor
// others to add.
func Offsets(t Tokenizer, text []byte, o Options) (ids []int32, spans [][2]int, err error) {
	if t, ok := t.(Subword); ok {
		return t.Offsets(text, o)
	}
	if ids, err = t.Encode(text); err != nil {
		return nil, nil, err
	}
	for i := 0; i < len(text); {
		n := 1
		switch t.(type) {
		case Byte, *Byte:
		case *Char:
			_, n = utf8.DecodeRune(text[i:])
		default:
			return nil, nil, errors.Errorf("token: Offsets of a %s: want a tokenizer of bytes or characters, or one that tells them", t.Name())
		}
		spans = append(spans, [2]int{i, i + n})
		i += n
	}
	return ids, spans, nil
}

// Offsets implements [Subword]. The spans of a text tile it, but for bytes that have no token and were dropped. Where
// normalization changed the text, a token gets the whole of each changed stretch that it touches.
func (b *BPE) Offsets(text []byte, o Options) ([]int32, [][2]int, error) {
	spans := [][2]int{}
	ids, err := b.encode(text, o, func(ids []int32, p part, special bool) {
		if special {
			spans = append(spans, p.span(0, len(p.text)))
		} else {
			spans = b.spans(spans, ids, p)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return ids, spans, nil
}

// spans appends the spans of the ids that a piece gave. A byte of the piece that is not the next one of its token has
// no token: it was dropped.
func (b *BPE) spans(spans [][2]int, ids []int32, p part) [][2]int {
	i := 0
	missing := func() bool { return i < len(p.text) && b.bytes[p.text[i]] < 0 }
	for _, id := range ids {
		if id == b.unknown && missing() {
			start := i
			for i++; b.fuseUnknown && missing(); {
				i++
			}
			spans = append(spans, p.span(start, i))
			continue
		}
		start := -1
		for _, c := range []byte(b.tokens[id]) {
			for i < len(p.text) && p.text[i] != c {
				i++
			}
			if start < 0 {
				start = i
			}
			i = min(i+1, len(p.text))
		}
		spans = append(spans, p.span(start, i))
	}
	return spans
}

// A part is a part of the input, perhaps normalized.
type part struct {
	text []byte
	at   int // its offset in the input
	// from is the bytes of the input that each byte stands for, where the text changed and offsets are wanted.
	from [][2]int
}

// span returns the bytes of the input that p.text[i:j] stands for.
func (p part) span(i, j int) [2]int {
	switch {
	case p.from == nil:
		return [2]int{p.at + i, p.at + j}
	case i < j:
		return [2]int{p.from[i][0], p.from[j-1][1]}
	case i < len(p.from):
		return [2]int{p.from[i][0], p.from[i][0]}
	case i > 0:
		return [2]int{p.from[i-1][1], p.from[i-1][1]}
	}
	return [2]int{p.at, p.at}
}

// cut returns p.text[i:j].
func (p part) cut(i, j int) part {
	c := part{text: p.text[i:j], at: p.at + i}
	if p.from != nil {
		c.at, c.from = p.span(i, i)[0], p.from[i:j]
	}
	return c
}

// prefix returns the part with a space before it that stands for nothing.
func (p part) prefix(track bool) part {
	q := part{text: append([]byte{' '}, p.text...), at: p.at}
	if track {
		q.from = append(q.from, p.span(0, 0))
		for i := range p.text {
			q.from = append(q.from, p.span(i, i+1))
		}
	}
	return q
}

// normal returns the part, as yet unchanged, in normalization form C. A stretch that changes maps as a whole.
func (p part) normal(track bool) part {
	q := part{text: make([]byte, 0, len(p.text)), at: p.at}
	for i := 0; i < len(p.text); {
		end := i + nfcSegment(p.text[i:])
		old := p.text[i:end]
		now := nfc(old)
		if track {
			same := bytes.Equal(old, now)
			for k := range now {
				if same {
					q.from = append(q.from, p.span(i+k, i+k+1))
				} else {
					q.from = append(q.from, p.span(i, end))
				}
			}
		}
		q.text = append(q.text, now...)
		i = end
	}
	return q
}
