package token

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// SentencePiece is a BPE tokenizer of characters with byte fallback: the one of Llama 1 and 2, Mistral, Gemma and
// llama2.c.
//
// A text is cut at its special tokens. What lies between gets a space in front, where the model asks for it. It begins
// as the tokens of its characters, where a space is ▁ (U+2581). The adjacent pair whose union is the token of the best
// score is joined, the leftmost one first, until none is left. A character without a token, and a byte that is not
// UTF-8, become the tokens <0x00> to <0xFF> of their bytes. Without those, they become the unknown token. Source: Kudo
// and Richardson, arXiv:1808.06226, and github.com/google/sentencepiece, bpe_model.cc.
//
// With all byte tokens, Decode of Encode gives back any bytes, with two exceptions. ▁ comes back as a space where the
// tokens write the space so. White space is lost that special tokens strip or PrefixMissing takes for its own. It is
// safe for concurrent use.
type SentencePiece struct {
	tokens   []string         // by id, as in the files
	pieces   []string         // by id, as they are decoded
	kinds    []int32          // by id: types of GGUF
	ids      map[string]int32 // ids of all tokens
	ascii    [utf8.RuneSelf]int32
	chars    map[rune]int32 // ids of the tokens of one character that are not in ascii
	bytes    [256]int32     // −1 for none
	pairs    pairs
	words    bool // no pair joins a space to what is before it
	specials *specials
	special  []bool // by id
	before   []int32
	after    []int32
	begin    int32 // −1 for none
	end      int32 // −1 for none
	unknown  int32 // −1 for none
	plain    bool  // as in the config
	fuse     bool
	prefix   bool
	first    bool
	missing  bool
	rows     int // as in Bound; 0 for none
	config   SentencePieceConfig
	encoders sync.Pool // holds *pieceEncoder
}

// SentencePieceConfig is what a [SentencePiece] is made of.
type SentencePieceConfig struct {
	// Tokens are the texts by id, with ▁ for a space, or, if Plain is set, with the space itself. An id whose text is
	// "" has no token. Also are further texts of ids.
	Tokens []string
	Plain  bool
	Also   map[string]int32
	// Scores are those of the tokens; the pair whose union has the highest is the first to be joined. Merges, where
	// there are no scores, are the pairs themselves, the most urgent first.
	Scores []float32
	Merges [][2]string
	// Types are those of GGUF: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte. Without any, the
	// tokens <0x00> to <0xFF> have type 6, the control tokens of Specials type 3, all others type 1.
	Types []int32
	// Specials are found in a text before all else. Nil stands for the tokens of the types 2, 3 and 4.
	Specials []Special
	// Prefix puts a space before each stretch of text between special tokens. PrefixFirst puts it only where a text
	// begins with such a stretch, PrefixMissing only where the stretch has none. The latter two are the Metaspace of
	// Hugging Face tokenizers.
	Prefix, PrefixFirst, PrefixMissing bool
	// Before and After are put around a text by Options.Add.
	Before, After []int32
	// Begin and End are the answers of the methods of the same name.
	Begin, End *int32
	// Unknown stands for a character without a token of its own or of its bytes. With FuseUnknown one stands for
	// adjacent ones. NoUnknown names an unknown token that is not in the vocabulary. Then such a character is an
	// error.
	Unknown     *int32
	FuseUnknown bool
	NoUnknown   *string
}

// The types of tokens in GGUF files.
const (
	typeNormal  = 1
	typeUnknown = 2
	typeControl = 3
	typeUser    = 4
	typeUnused  = 5
	typeByte    = 6
)

// metaSpace is the character that stands for a space in tokens.
const metaSpace = "▁"

// maxPiece bounds the bytes of a token that merging may lead to, as the work of finding its pairs grows with their
// square. Published vocabularies stay under 100.
const maxPiece = 1024

// NewSentencePiece returns a tokenizer; it keeps the slices of c. It fails where ids, types, scores and texts do not
// fit together.
func NewSentencePiece(c SentencePieceConfig) (*SentencePiece, error) {
	c.Prefix = c.Prefix || c.PrefixFirst || c.PrefixMissing
	s := &SentencePiece{
		tokens: c.Tokens, kinds: c.Types, before: c.Before, after: c.After, plain: c.Plain, fuse: c.FuseUnknown,
		prefix: c.Prefix, first: c.PrefixFirst, missing: c.PrefixMissing, config: c,
	}
	if len(c.Tokens) == 0 || len(c.Tokens) > maxVocab {
		return nil, errors.Errorf("token: sentencepiece: %d tokens, want 1 to %d", len(c.Tokens), maxVocab)
	}
	if len(c.Scores) > 0 && len(c.Scores) != len(c.Tokens) || len(c.Scores) > 0 && len(c.Merges) > 0 {
		return nil, errors.Errorf("token: sentencepiece: %d scores and %d merges for %d tokens: want a score for each or merges",
			len(c.Scores), len(c.Merges), len(c.Tokens))
	}
	for _, step := range []func(SentencePieceConfig) error{s.setIDs, s.setTypes, s.setSpecials, s.index, s.setPairs} {
		if err := step(c); err != nil {
			return nil, err
		}
	}
	s.config.Types, s.config.Specials = s.kinds, s.specials.list
	if s.unknown >= 0 {
		s.config.Unknown = &s.unknown
	}
	s.encoders.New = func() any { return &pieceEncoder{s: s} }
	return s, nil
}

// Config returns what the tokenizer is made of, with the types, the special tokens and the unknown one. The caller must
// not write to its slices.
func (s *SentencePiece) Config() SentencePieceConfig { return s.config }

// setIDs takes the ids of the config that must lie in the vocab.
func (s *SentencePiece) setIDs(c SentencePieceConfig) error {
	var err error
	in := func(name string, ids ...int32) {
		for _, id := range ids {
			if id < 0 || int(id) >= len(s.tokens) {
				err = errors.Errorf("token: sentencepiece: %s token %d is outside the vocabulary of %d", name, id, len(s.tokens))
			}
		}
	}
	in("first", c.Before...)
	in("last", c.After...)
	one := func(name string, id *int32) int32 {
		if id == nil {
			return -1
		}
		in(name, *id)
		return *id
	}
	s.begin, s.end, s.unknown = one("begin", c.Begin), one("end", c.End), one("unknown", c.Unknown)
	return err
}

// setTypes checks the types of the tokens, or finds them.
func (s *SentencePiece) setTypes(c SentencePieceConfig) error {
	if len(s.kinds) > 0 && len(s.kinds) != len(s.tokens) {
		return errors.Errorf("token: sentencepiece: %d types for %d tokens: want one for each or none", len(s.kinds), len(s.tokens))
	}
	if len(s.kinds) == 0 {
		s.kinds = make([]int32, len(s.tokens))
		for id, t := range s.tokens {
			s.kinds[id] = typeNormal
			if _, ok := byteToken(t); ok {
				s.kinds[id] = typeByte
			}
		}
		for _, x := range c.Specials {
			if x.Special && x.ID >= 0 && int(x.ID) < len(s.tokens) {
				s.kinds[x.ID] = typeControl
			}
		}
		if s.unknown >= 0 {
			s.kinds[s.unknown] = typeUnknown
		}
	}
	for id, t := range s.tokens {
		switch k := s.kinds[id]; {
		case k < typeNormal || k > typeByte:
			return errors.Errorf("token: sentencepiece: token %d %q has type %d, want 1 to 6", id, t, k)
		case t == "":
			s.kinds[id] = typeUnused
		case k == typeNormal && len(t) > maxPiece:
			return errors.Errorf("token: sentencepiece: token %d has %d bytes, want at most %d", id, len(t), maxPiece)
		case k == typeUnknown && s.unknown < 0:
			s.unknown = int32(id)
		}
	}
	return nil
}

// setSpecials takes the special tokens of the config or, without any, those that the types name.
func (s *SentencePiece) setSpecials(c SentencePieceConfig) error {
	list := slices.Clone(c.Specials)
	if c.Specials == nil {
		for id, t := range s.tokens {
			if k := s.kinds[id]; k == typeUnknown || k == typeControl || k == typeUser {
				list = append(list, Special{ID: int32(id), Text: t, Special: k != typeUser})
			}
		}
	}
	s.special = make([]bool, len(s.tokens))
	texts := map[string]bool{}
	for _, x := range list {
		texts[x.Text] = true
	}
	for i := range list {
		x := &list[i]
		x.Normalized = false // the text that they are looked for in is the given one
		if x.ID < 0 || int(x.ID) >= len(s.tokens) || s.tokens[x.ID] != x.Text && !texts[s.tokens[x.ID]] {
			return errors.Errorf("token: sentencepiece: special token %q: id %d is not its place among the %d tokens", x.Text, x.ID, len(s.tokens))
		}
		s.special[x.ID] = true
	}
	var err error
	s.specials, err = newSpecials(list)
	return err
}

// index fills what ids and pieces are looked up in. Where tokens are equal the last counts, as in llama.cpp.
func (s *SentencePiece) index(c SentencePieceConfig) error {
	s.ids, s.chars = make(map[string]int32, len(s.tokens)), map[rune]int32{}
	s.pieces = make([]string, len(s.tokens))
	for i := range s.bytes {
		s.bytes[i] = -1
	}
	for i := range s.ascii {
		s.ascii[i] = -1
	}
	bytes := 0
	for i, t := range s.tokens {
		id := int32(i)
		s.ids[t], s.pieces[i] = id, t
		switch s.kinds[i] {
		case typeByte:
			b, ok := byteToken(t)
			if !ok {
				return errors.Errorf("token: sentencepiece: token %d of type byte is %q, want <0x00> to <0xFF>", i, t)
			}
			if s.bytes[b] < 0 {
				bytes++
			}
			s.bytes[b], s.pieces[i] = id, string([]byte{b})
		case typeNormal, typeUser, typeUnused:
			if !s.plain {
				s.pieces[i] = strings.ReplaceAll(t, metaSpace, " ")
			}
			if r, n := utf8.DecodeRuneInString(t); n == len(t) && s.kinds[i] == typeNormal && (r != utf8.RuneError || n > 1) {
				s.setChar(r, id)
			}
		}
	}
	if !s.plain {
		space, ok := s.chars['▁']
		if !ok {
			return errors.Errorf("token: sentencepiece: no token %q: want one for the space", metaSpace)
		}
		s.ascii[' '] = space
	}
	for t, id := range c.Also {
		if t == "" || id < 0 || int(id) >= len(s.tokens) {
			return errors.Errorf("token: sentencepiece: text %q of id %d: want a text and an id of the vocabulary of %d", t, id, len(s.tokens))
		}
		s.ids[t] = id
		if r, n := utf8.DecodeRuneInString(t); n == len(t) && (r != utf8.RuneError || n > 1) {
			s.setChar(r, id)
		}
	}
	if bytes < len(s.bytes) && s.unknown < 0 && c.NoUnknown == nil {
		return errors.Errorf("token: sentencepiece: %d byte tokens and no unknown one: want 256, or one for what has no token", bytes)
	}
	return nil
}

func (s *SentencePiece) setChar(r rune, id int32) {
	if r < utf8.RuneSelf {
		s.ascii[r] = id
	} else {
		s.chars[r] = id
	}
}

// byteToken returns the byte that a token such as <0x0A> stands for.
func byteToken(t string) (byte, bool) {
	if len(t) != len("<0x00>") || t[:3] != "<0x" || t[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(t[3:5], 16, 8)
	return byte(b), err == nil
}

// setPairs fills the table of merges.
func (s *SentencePiece) setPairs(c SentencePieceConfig) error {
	if len(c.Scores) > 0 {
		if err := s.scoredPairs(c.Scores); err != nil {
			return err
		}
	} else {
		s.pairs = newPairs(len(c.Merges))
		for rank, m := range c.Merges {
			left, ok := s.ids[m[0]]
			right, ok2 := s.ids[m[1]]
			both, ok3 := s.ids[m[0]+m[1]]
			if !ok || !ok2 || !ok3 {
				return errors.Errorf("token: sentencepiece: merge %d of %q and %q: want both and the two joined among the tokens", rank, m[0], m[1])
			}
			s.pairs.set(left, right, int32(rank), both)
		}
	}
	s.words = true
	for _, slot := range s.pairs.slots {
		if slot.pair != noPair && strings.Contains(strings.TrimLeft(s.pieces[int32(slot.merge)], " "), " ") {
			s.words = false // a space behind another character
		}
	}
	return nil
}

// scoredPairs makes a merge of each pair of tokens whose union is a token. Pairs of equal scores have the same rank.
func (s *SentencePiece) scoredPairs(scores []float32) error {
	order := make([]int32, 0, len(s.tokens))
	for id, t := range s.tokens {
		if x := scores[id]; x != x {
			return errors.Errorf("token: sentencepiece: the score of token %d %q is NaN", id, t)
		}
		if s.kinds[id] == typeNormal && s.ids[t] == int32(id) {
			order = append(order, int32(id))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(scores[b], scores[a]) })
	var found []pairSlot
	rank := 0
	for i, id := range order {
		if i > 0 && scores[id] != scores[order[i-1]] {
			rank++
		}
		for t, cut := s.tokens[id], 1; cut < len(t); cut++ {
			left, ok := s.ids[t[:cut]]
			if !ok {
				continue
			}
			if right, ok := s.ids[t[cut:]]; ok {
				found = append(found, pairSlot{uint64(left)<<32 | uint64(right), uint64(rank)<<32 | uint64(id)})
			}
		}
	}
	s.pairs = newPairs(len(found))
	for _, f := range found {
		s.pairs.set(int32(f.pair>>32), int32(f.pair), int32(f.merge>>32), int32(f.merge))
	}
	return nil
}
