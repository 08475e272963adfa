package token

import (
	"sync"

	"github.com/pkg/errors"
)

// BPE is a byte-level BPE tokenizer: the one of GPT-2 and of most models since.
//
// A text is cut at its special tokens, and what lies between is cut into pieces by splitters. A piece begins as the
// tokens of its single bytes. The adjacent pair that stands first in the list of merges is joined, the leftmost one
// first, until no pair of the list is left. Source: Sennrich, Haddow and Birch, arXiv:1508.07909, algorithm 1, on bytes
// as in Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, section 2.2.
//
// If every byte has a token and neither NFC nor PrefixSpace is set, Decode of Encode gives back any bytes. They need
// not be UTF-8. It is safe for concurrent use.
type BPE struct {
	tokens      []string         // by id
	ids         map[string]int32 // ids of the tokens that merging may lead to
	bytes       [256]int32       // the token of a single byte; −1 for none
	pairs       pairs
	split       []Splitter
	specials    *specials
	before      []int32
	after       []int32
	begin, end  int32 // −1 for none
	unknown     int32 // −1 for none
	noUnknown   *string
	rows        int // as in Bound; 0 for none
	also        map[string]int32
	merges      [][2]string // as given, where also has texts
	fuseUnknown bool
	nfc         bool
	ignore      bool
	prefixSpace bool
	encoders    sync.Pool // holds *encoder
}

// BPEConfig is what a [BPE] is made of. All texts are the bytes of the tokens themselves, not the printable characters
// that stand for them in vocab.json.
type BPEConfig struct {
	// Tokens are the texts by id, those of special tokens too. An id whose text is "" has no token.
	Tokens []string
	// Also are further texts of ids. Merges and bytes may lead to them. Where one is in Tokens too, this id counts.
	Also map[string]int32
	// Merges are pairs of tokens, the most urgent first; the two joined are a token. Where a pair is there twice, its
	// last place counts, as in Hugging Face tokenizers.
	Merges [][2]string
	// Split cuts a text into pieces, each splitter within the pieces of the one before. Without any, a text is one
	// piece.
	Split []Splitter
	// Specials are found in a text before all else. As a rule the text of each is Tokens[ID].
	Specials []Special
	// Before and After are put around a text by Options.Add.
	Before, After []int32
	// Begin and End are the answers of the methods of the same name.
	Begin, End *int32
	// Unknown stands for a byte that has no token; without it such a byte is dropped, as Hugging Face tokenizers and
	// llama.cpp do. FuseUnknown makes one token of adjacent ones.
	Unknown     *int32
	FuseUnknown bool
	// NoUnknown names an unknown token that is not in the vocabulary. Then a byte without a token is an error.
	NoUnknown *string
	// NFC brings text outside special tokens into Unicode's normalization form C.
	NFC bool
	// IgnoreMerges takes a piece that is a token as that token, even where merging would not lead to it.
	IgnoreMerges bool
	// PrefixSpace puts a space before each stretch of text between special tokens that has none.
	PrefixSpace bool
}

// NewBPE returns a tokenizer; it keeps the slices of c. It fails where ids or texts do not fit together.
func NewBPE(c BPEConfig) (*BPE, error) {
	b := &BPE{
		tokens: c.Tokens, split: c.Split, before: c.Before, after: c.After,
		fuseUnknown: c.FuseUnknown, nfc: c.NFC, ignore: c.IgnoreMerges, prefixSpace: c.PrefixSpace,
		noUnknown: c.NoUnknown, also: c.Also,
	}
	if len(c.Tokens) == 0 || len(c.Tokens) > maxVocab || len(c.Merges) > maxVocab {
		return nil, errors.Errorf("token: bpe: %d tokens and %d merges, want 1 to %d tokens and at most as many merges", len(c.Tokens), len(c.Merges), maxVocab)
	}
	for i, s := range c.Split {
		if s == nil {
			return nil, errors.Errorf("token: bpe: splitter %d is nil", i)
		}
	}
	var err error
	if b.specials, err = newSpecials(c.Specials); err != nil {
		return nil, err
	}
	if c.NFC {
		b.specials.plant(func(text string) string { return string(nfc([]byte(text))) })
	}
	if err := b.setIDs(c); err != nil {
		return nil, err
	}
	if err := b.index(); err != nil {
		return nil, err
	}
	if err := b.merge(c.Merges); err != nil {
		return nil, err
	}
	b.encoders.New = func() any { return &encoder{b: b} }
	return b, nil
}

// maxVocab bounds ids far above any model's, so that sums of them fit.
const maxVocab = 1 << 28

// setIDs takes the ids of c that must lie in the vocab.
func (b *BPE) setIDs(c BPEConfig) error {
	for _, s := range b.specials.list {
		if int(s.ID) >= len(b.tokens) || b.tokens[s.ID] != s.Text && !b.writes(s) {
			return errors.Errorf("token: bpe: special token %q: id %d is not its place among the %d tokens", s.Text, s.ID, len(b.tokens))
		}
	}
	for _, x := range []struct {
		name string
		from *int32
		to   *int32
	}{{"begin", c.Begin, &b.begin}, {"end", c.End, &b.end}, {"unknown", c.Unknown, &b.unknown}} {
		*x.to = -1
		if x.from != nil {
			if *x.from < 0 || int(*x.from) >= len(b.tokens) {
				return errors.Errorf("token: bpe: %s token %d is outside the vocabulary of %d", x.name, *x.from, len(b.tokens))
			}
			*x.to = *x.from
		}
	}
	for _, list := range [][]int32{c.Before, c.After} {
		for _, id := range list {
			if id < 0 || int(id) >= len(b.tokens) {
				return errors.Errorf("token: bpe: token %d around a text is outside the vocabulary of %d", id, len(b.tokens))
			}
		}
	}
	return nil
}

// writes tells whether the text of a special token is another one of its id: the symbol of a byte, or one of two added.
func (b *BPE) writes(s Special) bool {
	if fromAlphabet(s.Text) == b.tokens[s.ID] {
		return true
	}
	_, added := b.specials.ids[b.tokens[s.ID]]
	return added || b.also[s.Text] == s.ID
}

// index fills ids and bytes. A text may be both an added word and a token of its own, such as a run of spaces. Then it
// is the token here, and the added word for specials.
func (b *BPE) index() error {
	n := 0
	for _, t := range b.tokens {
		if t != "" {
			n++
		}
	}
	b.ids = make(map[string]int32, n)
	special := make(map[int32]bool, len(b.specials.list))
	for _, s := range b.specials.list {
		special[s.ID] = true
	}
	for id, t := range b.tokens {
		old, twice := b.ids[t]
		_, also := b.also[t]
		switch id := int32(id); {
		case t == "" || also:
		case !twice || special[old]:
			b.ids[t] = id
		case !special[id]:
			return errors.Errorf("token: bpe: tokens %d and %d are both %q", old, id, t)
		}
	}
	for t, id := range b.also {
		if t == "" || id < 0 || int(id) >= len(b.tokens) {
			return errors.Errorf("token: bpe: text %q of id %d: want a text and an id of the vocabulary of %d", t, id, len(b.tokens))
		}
		b.ids[t] = id
	}
	for i := range b.bytes {
		b.bytes[i] = -1
		if id, ok := b.ids[string([]byte{byte(i)})]; ok {
			b.bytes[i] = id
		}
	}
	return nil
}

// merge fills pairs.
func (b *BPE) merge(merges [][2]string) error {
	b.pairs = newPairs(len(merges))
	if len(b.also) > 0 {
		b.merges = merges
	}
	for rank, m := range merges {
		left, ok := b.ids[m[0]]
		right, ok2 := b.ids[m[1]]
		both, ok3 := b.ids[m[0]+m[1]]
		if !ok || !ok2 || !ok3 {
			return errors.Errorf("token: bpe: merge %d of %q and %q: want both and the two joined among the tokens", rank, m[0], m[1])
		}
		b.pairs.set(left, right, int32(rank), both)
	}
	return nil
}

// Name implements [Tokenizer].
func (*BPE) Name() string { return "bpe" }

// Vocab implements [Tokenizer].
func (b *BPE) Vocab() int { return len(b.tokens) }

// Decode implements [Tokenizer]: the bytes of the tokens, one after the other.
func (b *BPE) Decode(ids []int32) []byte {
	text := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		if id < 0 || int(id) >= len(b.tokens) {
			text = append(text, replacement...)
		} else {
			text = append(text, b.tokens[id]...)
		}
	}
	return text
}

// ID implements [Subword].
func (b *BPE) ID(token string) (int32, bool) {
	if id, ok := b.specials.ids[token]; ok {
		return id, true
	}
	id, ok := b.ids[token]
	return id, ok
}

// Piece implements [Subword].
func (b *BPE) Piece(id int32) []byte {
	if id < 0 || int(id) >= len(b.tokens) {
		return nil
	}
	return []byte(b.tokens[id])
}

// Specials implements [Subword].
func (b *BPE) Specials() []Special { return append([]Special(nil), b.specials.list...) }

// Begin implements [Subword].
func (b *BPE) Begin() (int32, bool) { return b.begin, b.begin >= 0 }

// End implements [Subword].
func (b *BPE) End() (int32, bool) { return b.end, b.end >= 0 }
