package token

import (
	"math"
	"sync"

	"github.com/pkg/errors"
	"golang.org/x/text/unicode/norm"
)

// Encode implements [Tokenizer]: it is EncodeWith with the zero Options.
func (b *BPE) Encode(text []byte) ([]int32, error) { return b.EncodeWith(text, Options{}) }

// EncodeWith implements [Subword]. It takes O(n log n) time for n bytes and fails for a text of 2 GiB and more, or
// with a [*SpecialError].
func (b *BPE) EncodeWith(text []byte, o Options) ([]int32, error) { return b.encode(text, o, nil) }

// An encoder is the state of one call.
type encoder struct {
	b      *BPE
	cache  cache
	merger merger
	part   part    // the stretch between special tokens, normalized
	text   []byte  // its text
	ids    []int32 // the result so far
	mark   mark
	track  bool // offsets are wanted

	missing int // a byte that has no token where that is an error, else −1
}

// A mark is told the ids that each piece of the input gave. A special token is a piece of its own.
type mark func(ids []int32, p part, special bool)

// encode returns the ids of a text; mark may be nil.
func (b *BPE) encode(text []byte, o Options, mark mark) ([]int32, error) {
	if len(text) > math.MaxInt32 {
		return nil, errors.Errorf("token: bpe: a text of %d bytes: want less than 2 GiB", len(text))
	}
	e := b.encoders.Get().(*encoder)
	defer b.encoders.Put(e)
	e.ids = make([]int32, 0, len(text)/3+len(b.before)+len(b.after)+1)
	e.missing = -1
	e.mark, e.track = mark, mark != nil || o.Policy == Refuse
	if o.Add {
		e.around(b.before, 0)
	}
	err := e.specials(part{text: text}, o.Policy, false)
	if o.Add {
		e.around(b.after, len(text))
	}
	if err == nil && e.missing >= 0 {
		err = errors.Errorf("token: bpe: byte 0x%02X has no token, and unk_token %q is not in the vocabulary", e.missing, *b.noUnknown)
	}
	ids := e.ids
	e.ids, e.part, e.text, e.mark = nil, part{}, nil, nil
	e.merger.shrink()
	if err == nil {
		err = within(ids, b.rows, b.Piece)
	}
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// around adds tokens that stand for nothing in the text.
func (e *encoder) around(ids []int32, at int) {
	for _, id := range ids {
		e.special(id, part{at: at})
	}
}

// special adds one token that stands for a part of the input.
func (e *encoder) special(id int32, p part) {
	e.ids = append(e.ids, id)
	if e.mark != nil {
		e.mark(e.ids[len(e.ids)-1:], p, true)
	}
}

// specials cuts a part at its special tokens. First it cuts at those that are looked for as they are. Then it cuts the
// normalized text between them at the others.
func (e *encoder) specials(p part, policy Policy, normalized bool) error {
	for i := 0; i < len(p.text); {
		m, err := e.b.specials.next(p.text, i, normalized, policy)
		if refused, ok := err.(*SpecialError); ok {
			refused.Offset = p.span(refused.Offset, refused.Offset)[0]
		}
		if err != nil {
			return err
		}
		if m.start > i {
			between := p.cut(i, m.start)
			if normalized {
				err = e.stretch(between)
			} else {
				err = e.specials(e.normal(between), policy, true)
			}
			if err != nil {
				return err
			}
		}
		if m.id >= 0 {
			e.special(m.id, p.cut(m.start, m.end))
		}
		i = m.end
	}
	return nil
}

// normal returns a part in normalization form C where the tokenizer asks for it.
func (e *encoder) normal(p part) part {
	if !e.b.nfc || norm.NFC.IsNormal(p.text) {
		return p
	}
	return p.normal(e.track)
}

// stretch adds the ids of a text without special tokens.
func (e *encoder) stretch(p part) error {
	if e.b.prefixSpace && p.text[0] != ' ' {
		p = p.prefix(e.track)
	}
	e.part, e.text = p, p.text
	return e.pieces(0, len(p.text), 0)
}

// pieces adds the ids of e.text[from:to], cut by the splitters from number stage on.
func (e *encoder) pieces(from, to, stage int) error {
	if stage == len(e.b.split) {
		first := len(e.ids)
		e.piece(from, to)
		if e.mark != nil {
			e.mark(e.ids[first:], e.part.cut(from, to), false)
		}
		return nil
	}
	split, text := e.b.split[stage], e.text[from:to]
	quick := stage+1 == len(e.b.split) && e.mark == nil
	for i := 0; i < len(text); {
		end := split(text, i)
		if end <= i || end > len(text) {
			return errors.Errorf("token: bpe: splitter %d cuts %d bytes at %d: want a place behind %d", stage, len(text), end, i)
		}
		if quick {
			e.piece(from+i, from+end)
		} else if err := e.pieces(from+i, from+end, stage+1); err != nil {
			return err
		}
		i = end
	}
	return nil
}

// piece adds the ids of e.text[from:to], from the cache where it holds them.
func (e *encoder) piece(from, to int) {
	if to-from > maxCachedBytes {
		e.ids = append(e.ids, e.merged(from, to)...)
		return
	}
	if e.cache.slots == nil {
		e.cache = newCache()
	}
	lo, hi := packPiece(e.text, from, to)
	s := e.cache.slot(lo, hi)
	if s.lo != lo || s.hi != hi {
		ids := e.merged(from, to)
		if len(ids) > maxCachedIDs || e.missing >= 0 {
			e.ids = append(e.ids, ids...)
			return
		}
		s.lo, s.hi, s.n = lo, hi, int32(len(ids))
		copy(s.ids[:], ids)
	}
	if s.n == 1 {
		e.ids = append(e.ids, s.ids[0])
	} else {
		e.ids = append(e.ids, s.ids[:s.n]...)
	}
}

// merged returns the ids of e.text[from:to], in scratch.
func (e *encoder) merged(from, to int) []int32 {
	m, b := &e.merger, e.b
	m.ids = m.ids[:0]
	if b.ignore {
		if id, ok := b.ids[string(e.text[from:to])]; ok {
			m.ids = append(m.ids, id)
			return m.ids
		}
	}
	known := true // the byte before has a token
	for _, c := range e.text[from:to] {
		id := b.bytes[c]
		switch {
		case id >= 0:
			m.ids = append(m.ids, id)
		case b.unknown >= 0 && (known || !b.fuseUnknown):
			m.ids = append(m.ids, b.unknown)
		case b.noUnknown != nil && b.unknown < 0:
			e.missing = int(c)
		}
		known = id >= 0
	}
	m.merge(&b.pairs)
	return m.ids
}

// EncodeAll returns the ids of each text, worked out on up to threads goroutines. It returns the first error by the
// order of the texts, with the number of its text. The tokenizer must be safe for concurrent use, as those here are.
func EncodeAll(t Tokenizer, texts [][]byte, threads int) ([][]int32, error) {
	ids, errs := make([][]int32, len(texts)), make([]error, len(texts))
	todo := make(chan int)
	var wait sync.WaitGroup
	for range max(1, min(threads, len(texts))) {
		wait.Go(func() {
			for i := range todo {
				ids[i], errs[i] = t.Encode(texts[i])
			}
		})
	}
	for i := range texts {
		todo <- i
	}
	close(todo)
	wait.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, errors.Wrapf(err, "token: text %d", i)
		}
	}
	return ids, nil
}
