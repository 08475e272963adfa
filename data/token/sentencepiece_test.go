package token

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// tok512 is the tokenizer of a model of llama2.c.
func tok512(t testing.TB) *SentencePiece {
	t.Helper()
	dir := os.Getenv("CETO_DATA")
	if dir == "" {
		t.Skip("CETO_DATA is not set")
	}
	f, err := os.Open(filepath.Join(dir, "stories260k", "tok512.bin"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := ReadLlama2C(f, 512)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bytesAnd returns a vocabulary of <unk>, <s>, </s>, the 256 bytes and the given tokens, with its types.
func bytesAnd(tokens ...string) ([]string, []int32) {
	all, types := []string{"<unk>", "<s>", "</s>"}, []int32{typeUnknown, typeControl, typeControl}
	for b := range 256 {
		all, types = append(all, fmt.Sprintf("<0x%02X>", b)), append(types, typeByte)
	}
	for range tokens {
		types = append(types, typeNormal)
	}
	return append(all, tokens...), types
}

// small is a vocabulary for rows that a reader can follow: ids from 259 on.
func small(t *testing.T, change func(*SentencePieceConfig)) *SentencePiece {
	t.Helper()
	words := []string{"▁", "a", "b", "é", "ab", "▁a", "▁ab", "bb", "▁▁"}
	tokens, types := bytesAnd(words...)
	c := SentencePieceConfig{Tokens: tokens, Types: types, Scores: make([]float32, len(tokens)), Prefix: true,
		Before: []int32{1}, After: []int32{2}, Begin: new(int32), End: new(int32)}
	*c.Begin, *c.End = 1, 2
	for i := range tokens {
		c.Scores[i] = -float32(i)
	}
	if change != nil {
		change(&c)
	}
	s, err := NewSentencePiece(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Changes of the config of small.
var (
	withPlain = func(c *SentencePieceConfig) {
		c.Plain, c.Tokens = true, slices.Clone(c.Tokens)
		for i := range c.Tokens {
			c.Tokens[i] = string(bytes.ReplaceAll([]byte(c.Tokens[i]), []byte("▁"), []byte(" ")))
		}
	}
	withFirst     = func(c *SentencePieceConfig) { c.PrefixFirst = true }
	withMetaspace = func(c *SentencePieceConfig) { c.PrefixMissing = true }
	withoutPrefix = func(c *SentencePieceConfig) { c.Prefix = false }
	withMerges    = func(c *SentencePieceConfig) {
		c.Scores, c.Merges = nil, [][2]string{{"b", "b"}, {"▁", "a"}, {"▁a", "b"}}
	}
	withTies   = func(c *SentencePieceConfig) { c.Scores = make([]float32, len(c.Tokens)) }
	withUser   = func(c *SentencePieceConfig) { c.Types[266] = typeUser }
	withUnused = func(c *SentencePieceConfig) { c.Types[261] = typeUnused }
	withAdded  = func(c *SentencePieceConfig) {
		c.Specials = []Special{{ID: 2, Text: "</s>", Normalized: true}}
	}
	withSpaces         = func(c *SentencePieceConfig) { c.Tokens[267], c.Types[267] = "  ", typeUser }
	withPlainMetaspace = func(c *SentencePieceConfig) { withPlain(c); withMetaspace(c) }
)

func TestSentencePiece(t *testing.T) {
	for _, c := range []struct {
		name, text string
		change     func(*SentencePieceConfig)
		o          Options
		ids        []int32
		spans      string
		decoded    string // where it is not text
	}{
		{"empty", "", nil, Options{}, []int32{}, "[]", ""},
		{"empty between begin and end", "", nil, Options{Add: true}, []int32{1, 2}, "[[0 0] [0 0]]", "<s></s>"},
		{"best score first", "abb", nil, Options{}, []int32{265, 260 + 1}, "[[0 2] [2 3]]", ""},
		{"all the way", "bb", nil, Options{}, []int32{259, 266}, "[[0 0] [0 2]]", ""},
		{"space in front", " a", nil, Options{}, []int32{259, 264}, "[[0 0] [0 2]]", ""},
		{"leftmost of equal scores", "abb", withTies, Options{}, []int32{265, 261}, "[[0 2] [2 3]]", ""},
		{"merges by rank", "abb ab", withMerges, Options{}, []int32{264, 266, 265}, "[[0 1] [1 3] [3 6]]", ""},
		{"bytes of a character", "aü", nil, Options{}, []int32{264, 3 + 0xc3, 3 + 0xbc}, "[[0 1] [1 2] [2 3]]", ""},
		{"bytes that are not UTF-8", "\xffé\xc3", nil, Options{}, []int32{259, 3 + 0xff, 262, 3 + 0xc3}, "[[0 0] [0 1] [1 3] [3 4]]", ""},
		{"▁ in the text is a space", "a▁a", nil, Options{}, []int32{264, 264}, "[[0 1] [1 5]]", "a a"},
		{"▁ in the text of a plain one", "a▁a", withPlain, Options{}, []int32{264, 3 + 0xe2, 3 + 0x96, 3 + 0x81, 260}, "[[0 1] [1 2] [2 3] [3 4] [4 5]]", ""},
		{"special", "a</s>ab", nil, Options{}, []int32{264, 2, 265}, "[[0 1] [1 5] [5 7]]", ""},
		{"special first, prefix first", "<s>ab", withFirst, Options{}, []int32{1, 263}, "[[0 3] [3 5]]", ""},
		{"special behind, prefix first", "a</s>ab", withFirst, Options{}, []int32{264, 2, 263}, "[[0 1] [1 5] [5 7]]", ""},
		{"prefix where none is, there is", " a", withMetaspace, Options{}, []int32{264}, "[[0 2]]", "a"},
		{"prefix where none is", "a", withMetaspace, Options{}, []int32{264}, "[[0 1]]", ""},
		{"no prefix", " ab", withoutPrefix, Options{}, []int32{265}, "[[0 3]]", ""},
		{"special as text", "<s>", nil, Options{Policy: AsText}, []int32{259, 3 + '<', 3 + 's', 3 + '>'}, "[[0 0] [0 1] [1 2] [2 3]]", ""},
		{"user token is not joined", "abbb", withUser, Options{Policy: AsText}, []int32{264, 266, 259, 261}, "[[0 1] [1 3] [3 3] [3 4]]", ""},
		{"unused token", "b", withUnused, Options{}, []int32{259, 3 + 'b'}, "[[0 0] [0 1]]", ""},
		{"user token of spaces", "  a", withSpaces, Options{}, []int32{267, 264}, "[[0 2] [2 3]]", ""},
		{"normalized special", "a</s>", withAdded, Options{}, []int32{264, 2}, "[[0 1] [1 5]]", ""},
		{"own space behind a special, prefix first", "a</s> ab", withFirst, Options{}, []int32{264, 2, 265}, "[[0 1] [1 5] [5 8]]", ""},
		{"begin, prefix first", "ab", withFirst, Options{Add: true}, []int32{1, 265, 2}, "[[0 0] [0 2] [2 2]]", "<s>ab</s>"},
		{"▁ is no space where tokens are plain", "▁", withPlainMetaspace, Options{}, []int32{259, 3 + 0xe2, 3 + 0x96, 3 + 0x81}, "[[0 0] [0 1] [1 2] [2 3]]", ""},
		{"begin and end", "ab", nil, Options{Add: true}, []int32{1, 265, 2}, "[[0 0] [0 2] [2 2]]", "<s>ab</s>"},
	} {
		s := small(t, c.change)
		ids, spans, err := s.Offsets([]byte(c.text), c.o)
		again, err2 := s.EncodeWith([]byte(c.text), c.o)
		if err != nil || err2 != nil || !slices.Equal(ids, c.ids) || !slices.Equal(again, c.ids) || fmt.Sprint(spans) != c.spans {
			t.Errorf("%s: %q gives %v %v and %v (%v, %v), want %v %s", c.name, c.text, ids, spans, again, err, err2, c.ids, c.spans)
		}
		want := c.text
		if c.decoded != "" {
			want = c.decoded
		}
		if got := string(s.Decode(ids)); got != want {
			t.Errorf("%s: %v decodes to %q, want %q", c.name, ids, got, want)
		}
	}
}

func TestSentencePieceLookup(t *testing.T) {
	s := small(t, nil)
	for _, c := range []struct {
		token, piece string
		id           int32
	}{{"▁ab", " ab", 265}, {"<0x0A>", "\n", 13}, {"<s>", "<s>", 1}, {"é", "é", 262}} {
		if id, ok := s.ID(c.token); !ok || id != c.id || string(s.Piece(id)) != c.piece {
			t.Errorf("%q has id %d (%v) and piece %q, want %d and %q", c.token, id, ok, s.Piece(id), c.id, c.piece)
		}
	}
	if id, ok := s.ID("no"); ok || s.Piece(-1) != nil || s.Piece(int32(s.Vocab())) != nil {
		t.Errorf("a token that is none has id %d, ids outside the vocab pieces", id)
	}
	if b, ok := s.Begin(); b != 1 || !ok {
		t.Errorf("Begin = %d, %v", b, ok)
	}
	if e, ok := s.End(); e != 2 || !ok {
		t.Errorf("End = %d, %v", e, ok)
	}
	if got := fmt.Sprint(s.Specials()); got != `[{0 <unk> true false false false false} {1 <s> true false false false false} {2 </s> true false false false false}]` {
		t.Errorf("Specials = %v", got)
	}
	if got := string(s.Decode([]int32{-1, 264, int32(s.Vocab())})); got != "\ufffd a\ufffd" {
		t.Errorf("Decode of ids outside = %q", got)
	}
	if _, err := s.EncodeWith([]byte("ab</s>"), Options{Policy: Refuse}); fmt.Sprint(err) != (&SpecialError{"</s>", 2}).Error() {
		t.Errorf("Refuse: %v", err)
	}
}

// TestSentencePieceConfig makes a tokenizer of what another one was made of.
func TestSentencePieceConfig(t *testing.T) {
	s := small(t, func(c *SentencePieceConfig) { c.Types, c.Unknown, c.PrefixFirst = nil, new(int32), true })
	again, err := NewSentencePiece(s.Config())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s.Config(), again.Config()); d != "" || len(again.Config().Types) != s.Vocab() || len(again.Specials()) != 1 {
		t.Errorf("the config of the config has %d types, %d specials and differs: %s", len(again.Config().Types), len(again.Specials()), d)
	}
}

func TestSentencePieceUnknown(t *testing.T) {
	for _, c := range []struct {
		fuse  bool
		text  string
		ids   []int32
		spans string
	}{
		{false, "aéüaé", []int32{2, 0, 0, 2, 0}, "[[0 1] [1 3] [3 5] [5 6] [6 8]]"},
		{true, "aéüaé", []int32{2, 0, 2, 0}, "[[0 1] [1 5] [5 6] [6 8]]"},
		{true, "\xff\xc3a", []int32{0, 2}, "[[0 2] [2 3]]"},
		{true, "é\nü", []int32{0, 3, 0}, "[[0 2] [2 3] [3 5]]"},
		{false, "a<unk>", []int32{2, 0}, "[[0 1] [1 6]]"},
	} {
		s, err := NewSentencePiece(SentencePieceConfig{
			Tokens: []string{"<unk>", "▁", "a", "<0x0A>"}, Unknown: new(int32), FuseUnknown: c.fuse,
		})
		if err != nil {
			t.Fatal(err)
		}
		ids, spans, err := s.Offsets([]byte(c.text), Options{})
		if err != nil || !slices.Equal(ids, c.ids) || fmt.Sprint(spans) != c.spans {
			t.Errorf("fuse %v: %q gives %v %v (%v), want %v %s", c.fuse, c.text, ids, spans, err, c.ids, c.spans)
		}
	}
}

// naive is the algorithm in its plainest form: O(n³).
func naive(tokens []string, scores []float32, text string) []int32 {
	id := map[string]int32{}
	for i, t := range tokens {
		id[t] = int32(i)
	}
	var parts []string
	for _, r := range text {
		parts = append(parts, string(r))
	}
	for {
		best, at := int32(-1), 0
		for i := 1; i < len(parts); i++ {
			both, ok := id[parts[i-1]+parts[i]]
			if ok && (best < 0 || scores[both] > scores[best]) {
				best, at = both, i
			}
		}
		if best < 0 {
			break
		}
		parts[at-1] += parts[at]
		parts = slices.Delete(parts, at, at+1)
	}
	var ids []int32
	for _, p := range parts {
		ids = append(ids, id[p])
	}
	return ids
}

// TestSentencePieceNaive compares with naive on random vocabularies, with equal scores in them, and long runs.
func TestSentencePieceNaive(t *testing.T) {
	letters := []string{"a", "b", "c", " "}
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 3))
		tokens, seen := slices.Clone(letters), map[string]bool{}
		for range r.IntN(40) {
			word := tokens[r.IntN(len(tokens))] + tokens[r.IntN(len(tokens))]
			if len(word) < 9 && !seen[word] {
				seen[word], tokens = true, append(tokens, word)
			}
		}
		scores := make([]float32, len(tokens))
		for i := range scores {
			scores[i] = -float32(r.IntN(len(tokens)))
		}
		unknown := int32(0)
		s, err := NewSentencePiece(SentencePieceConfig{Tokens: tokens, Scores: scores, Plain: true, Unknown: &unknown, Specials: []Special{}, Types: slices.Repeat([]int32{1}, len(tokens))})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			text := ""
			for range r.IntN(200) {
				text += letters[r.IntN(len(letters))]
			}
			got, err := s.Encode([]byte(text))
			if want := naive(tokens, scores, text); err != nil || !slices.Equal(got, want) {
				t.Fatalf("seed %d: %q %v: %q gives %v (%v), want %v", seed, tokens, scores, text, got, err, want)
			}
		}
	}
}

func FuzzSentencePiece(f *testing.F) {
	tokens, types := bytesAnd(" ", "a", "b", "é", "中", "�", "ab", " a", " ab", "é中", "  ", "<", "s", ">", "<s")
	scores := make([]float32, len(tokens))
	for i := range scores {
		scores[i] = float32(i % 5)
	}
	begin := int32(1)
	s, err := NewSentencePiece(SentencePieceConfig{Tokens: tokens, Types: types, Scores: scores, Plain: true, Prefix: true, Before: []int32{1}, Begin: &begin})
	if err != nil {
		f.Fatal(err)
	}
	for seed := range uint64(50) {
		f.Add(append(randomText(rand.New(rand.NewPCG(seed, 4)), 60), " <s> ab<s>  \xff"...))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, o := range []Options{{}, {Policy: AsText}} {
			ids, spans, err := s.Offsets(text, o)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Decode(ids); !bytes.Equal(got, text) {
				t.Errorf("%q → %v → %q", text, ids, got)
			}
			at := 0
			for i, span := range spans {
				if span[0] != at || span[1] < at || span[1] == at && i > 0 && s.kinds[ids[i]] == typeByte {
					t.Errorf("%q: token %d of %v has span %v behind %d", text, i, ids, span, at)
				}
				at = span[1]
			}
			if at != len(text) {
				t.Errorf("%q: the spans %v end at %d", text, spans, at)
			}
			if utf8.Valid(text) && len(text) > 0 && o.Policy == AsText {
				if got, _ := s.EncodeWith(text, o); !slices.Equal(got, ids) {
					t.Errorf("%q: Encode gives %v, Offsets %v", text, got, ids)
				}
			}
		}
	})
}
