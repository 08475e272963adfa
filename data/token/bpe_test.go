package token

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// randomBPE makes up a tokenizer: the bytes in any order and merges of tokens that are there before, over few letters.
func randomBPE(t *testing.T, r *rand.Rand, split []Splitter) (*BPE, BPEConfig) {
	t.Helper()
	c := BPEConfig{Split: split}
	for _, b := range r.Perm(256) {
		c.Tokens = append(c.Tokens, string([]byte{byte(b)}))
	}
	parts := []string{"a", "b", " ", "\xff", "\xc3", "\xa9"}
	for range 60 {
		left, right := parts[r.IntN(len(parts))], parts[r.IntN(len(parts))]
		if !slices.Contains(parts, left+right) && len(left+right) < 20 {
			parts = append(parts, left+right)
			c.Tokens = append(c.Tokens, left+right)
			c.Merges = append(c.Merges, [2]string{left, right})
		}
	}
	b, err := NewBPE(c)
	if err != nil {
		t.Fatal(err)
	}
	return b, c
}

// reference is the algorithm as GPT-2's encoder.py has it. It joins all places of the first pair in the list of merges,
// from left to right, and begins again until no pair is left.
func reference(c BPEConfig, text []byte) []int32 {
	var ids []int32
	for i := 0; i < len(text); {
		end := len(text)
		if len(c.Split) > 0 {
			end = c.Split[0](text, i)
		}
		var word []string
		for _, b := range text[i:end] {
			word = append(word, string([]byte{b}))
		}
		for {
			first := len(c.Merges)
			for k := 1; k < len(word); k++ {
				if rank := slices.Index(c.Merges, [2]string{word[k-1], word[k]}); rank >= 0 {
					first = min(first, rank)
				}
			}
			if first == len(c.Merges) {
				break
			}
			var joined []string
			for k := 0; k < len(word); k++ {
				if k+1 < len(word) && c.Merges[first] == [2]string{word[k], word[k+1]} {
					joined = append(joined, word[k]+word[k+1])
					k++
				} else {
					joined = append(joined, word[k])
				}
			}
			word = joined
		}
		for _, w := range word {
			ids = append(ids, int32(slices.Index(c.Tokens, w)))
		}
		i = end
	}
	return ids
}

// TestBPEReference has pieces that are cached and not, merged by looking for the smallest and by a heap.
func TestBPEReference(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		var split []Splitter
		if seed%2 == 0 {
			split = []Splitter{GPT2}
		}
		b, c := randomBPE(t, r, split)
		for range 10 {
			text := make([]byte, r.IntN(4)*r.IntN(2*longPiece))
			for i := range text {
				text[i] = "aaaabbb  \xff\xc3\xa9"[r.IntN(12)]
			}
			want := reference(c, text)
			for range 2 { // the second time from the cache
				if got, err := b.Encode(text); err != nil || !slices.Equal(got, want) {
					t.Fatalf("seed %d, %q: %v, ids\n%d, want\n%d", seed, text, err, got, want)
				}
			}
		}
	}
}

// TestBPECache has far more different pieces than the cache has places, of lengths around its limit.
func TestBPECache(t *testing.T) {
	b, _ := randomBPE(t, rand.New(rand.NewPCG(7, 7)), []Splitter{GPT2})
	r := rand.New(rand.NewPCG(8, 8))
	text := make([]byte, 1<<20)
	for i := range text {
		text[i] = "ab"[r.IntN(2)]
		if r.IntN(14) == 0 {
			text[i] = ' '
		}
	}
	ids, err := b.Encode(text)
	if err != nil || !bytes.Equal(b.Decode(ids), text) {
		t.Errorf("%v: decoded text differs", err)
	}
	var want []int32
	m := merger{}
	for i := 0; i < len(text); {
		end := GPT2(text, i)
		m.ids = m.ids[:0]
		for _, c := range text[i:end] {
			m.ids = append(m.ids, b.bytes[c])
		}
		m.heap(&b.pairs)
		want = append(want, m.ids...)
		i = end
	}
	if !slices.Equal(ids, want) {
		t.Error("ids from the cache differ from those without")
	}
}

// TestBPECacheCollision has words that begin with the same 8 bytes, of which many share a place in the cache.
func TestBPECacheCollision(t *testing.T) {
	c := BPEConfig{IgnoreMerges: true, Split: []Splitter{func(text []byte, i int) int { return i + 11 }}}
	var text []byte
	for i := range int32(3000) {
		word := fmt.Sprintf("abababab%03x", i)
		c.Tokens = append(c.Tokens, word)
		text = append(text, word...)
	}
	b, err := NewBPE(c)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		ids, err := b.Encode(text)
		if err != nil || !bytes.Equal(b.Decode(ids), text) {
			t.Errorf("%v: decoded text differs", err)
		}
	}
}

// TestNFC compares the definition with the package norm, which keeps to it for runs of up to 30 marks.
func TestNFC(t *testing.T) {
	letters := []rune("aeoq \u1100\u1112\u1161\u1175\u11a8\uac00\u212b\u1e9b\u0915\u0958\u0301\u0302\u0308\u030a\u0310\u0323\u0327\u0345\u093c\u05b0\u05bc")
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 3))
		text := make([]rune, r.IntN(12))
		for i := range text {
			text[i] = letters[r.IntN(len(letters))]
		}
		want := norm.NFC.String(string(text))
		if got := string(compose([]byte(string(text)))); got != want {
			t.Fatalf("seed %d, %+q: %+q, want %+q", seed, string(text), got, want)
		}
		if got := (part{text: []byte(string(text))}).normal(true); string(got.text) != want || len(got.from) != len(want) {
			t.Fatalf("seed %d, %+q by segments: %+q, want %+q", seed, string(text), got.text, want)
		}
	}
}

// TestBPELongPiece takes a few milliseconds where time is n·log n, a minute where it is quadratic.
func TestBPELongPiece(t *testing.T) {
	b := openGolden(t, "gpt2")
	for _, letter := range []string{"a", " ", "\xff", "the", "\n"} {
		text := []byte(strings.Repeat(letter, 1<<18/len(letter)))
		ids, err := b.Encode(text)
		if err != nil || !bytes.Equal(b.Decode(ids), text) {
			t.Errorf("%q: %v: decoded text differs", letter, err)
		}
	}
}

func TestNewBPEErrors(t *testing.T) {
	bad, one := int32(2), int32(1)
	ab := []string{"a", "b"}
	for _, c := range []struct {
		config BPEConfig
		err    string
	}{
		{BPEConfig{Tokens: ab, Begin: &one}, ""},
		{BPEConfig{Tokens: []string{"a", "a"}, Specials: []Special{{ID: 0, Text: "a"}}}, ""},
		{BPEConfig{Tokens: []string{"a", "a"}, Specials: []Special{{ID: 1, Text: "a"}}}, ""},
		{BPEConfig{}, "0 tokens"},
		{BPEConfig{Tokens: []string{"a", "a"}}, `tokens 0 and 1 are both "a"`},
		{BPEConfig{Tokens: []string{"a", ""}}, ""},
		{BPEConfig{Tokens: ab, Also: map[string]int32{"c": 2}}, `text "c" of id 2`},
		{BPEConfig{Tokens: ab, Merges: [][2]string{{"a", "b"}}}, `merge 0 of "a" and "b"`},
		{BPEConfig{Tokens: ab, Split: []Splitter{nil}}, "splitter 0 is nil"},
		{BPEConfig{Tokens: ab, Begin: &bad}, "begin token 2 is outside the vocabulary of 2"},
		{BPEConfig{Tokens: ab, End: &bad}, "end token 2"},
		{BPEConfig{Tokens: ab, Unknown: &bad}, "unknown token 2"},
		{BPEConfig{Tokens: ab, Before: []int32{-1}}, "token -1 around a text"},
		{BPEConfig{Tokens: ab, After: []int32{2}}, "token 2 around a text"},
		{BPEConfig{Tokens: ab, Specials: []Special{{ID: 2, Text: "c"}}}, `special token "c": id 2`},
		{BPEConfig{Tokens: ab, Specials: []Special{{ID: 1, Text: "c"}}}, `special token "c": id 1`},
		{BPEConfig{Tokens: ab, Specials: []Special{{ID: -1, Text: "c"}}}, `special token "c" with id -1`},
		{BPEConfig{Tokens: ab, Specials: []Special{{ID: 1, Text: "b"}, {ID: 1, Text: "b"}}}, `special token "b": ids 1 and 1`},
		{BPEConfig{Tokens: ab, Specials: []Special{{ID: 1, Text: "b"}, {ID: 0, Text: "b"}}}, `"b"`},
	} {
		_, err := NewBPE(c.config)
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%+v: error %v, want %q", c.config, err, c.err)
		}
	}
	b, err := NewBPE(BPEConfig{Tokens: ab, Split: []Splitter{func(text []byte, i int) int { return i }}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Encode([]byte("ab")); err == nil || !strings.Contains(err.Error(), "splitter 0 cuts 2 bytes at 0") {
		t.Errorf("a splitter that stands still: error %v", err)
	}
}

func TestBPETokens(t *testing.T) {
	b := openGolden(t, "roberta").(*BPE)
	for _, c := range []struct {
		text string
		id   int32
		ok   bool
	}{{"<mask>", 360, true}, {" the", 259, true}, {"Ġthe", 0, false}, {"\xff", b.bytes[0xff], true}, {"nothing", 0, false}} {
		id, ok := b.ID(c.text)
		if id != c.id || ok != c.ok {
			t.Errorf("ID(%q) = %d, %v, want %d, %v", c.text, id, ok, c.id, c.ok)
		}
		if ok && string(b.Piece(id)) != c.text {
			t.Errorf("Piece(%d) = %q, want %q", id, b.Piece(id), c.text)
		}
	}
	if b.Piece(-1) != nil || b.Piece(int32(b.Vocab())) != nil {
		t.Error("Piece outside the vocab is not nil")
	}
	if got := string(b.Decode([]int32{-1, 259, int32(b.Vocab())})); got != "\uFFFD the\uFFFD" {
		t.Errorf("Decode of ids outside = %q", got)
	}
}

func TestPolicy(t *testing.T) {
	b := openGolden(t, "qwen2") // "<|end|>" and "<mask>" as they are, "cafés" in form C
	c := b.(*BPE).Config()
	c.Specials[0].Normalized = true // "<|end|>" is looked for in the text in form C
	later, err := NewBPE(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tok    Subword
		text   string
		policy Policy
		offset int // of the SpecialError
	}{
		{b, "the <|end|>", Refuse, 4},
		{b, "e\u0301 <|end|>", Refuse, 4},
		{later, "e\u0301 <|end|>", Refuse, 4},
		{b, "e\u0301 cafe\u0301s", Refuse, -1}, // an added word: no control token
		{b, "the <|en", Refuse, -1},
		{b, "<|end|>", AsText, -1},
	} {
		_, err := c.tok.EncodeWith([]byte(c.text), Options{Policy: c.policy})
		var refused *SpecialError
		if c.offset < 0 && err != nil || c.offset >= 0 && (!errors.As(err, &refused) || refused.Offset != c.offset || refused.Token != "<|end|>") {
			t.Errorf("%q with policy %d: error %v, want offset %d", c.text, c.policy, err, c.offset)
		}
	}
}

func TestEncodeAll(t *testing.T) {
	b := openGolden(t, "gpt2")
	var texts [][]byte
	for _, s := range readGolden(t).Texts {
		texts = append(texts, []byte(strings.Repeat(s, 20)))
	}
	for _, threads := range []int{-1, 1, 2, 8, 100} {
		all, err := EncodeAll(b, texts, threads)
		if err != nil || len(all) != len(texts) {
			t.Fatalf("%d threads: %v, %d lists", threads, err, len(all))
		}
		for i, text := range texts {
			if want, err := b.Encode(text); err != nil || !slices.Equal(all[i], want) {
				t.Errorf("%d threads, text %d: %v, ids differ", threads, i, err)
			}
		}
	}
	c, err := NewChar([]byte("ab"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := EncodeAll(c, [][]byte{[]byte("a"), []byte("x"), []byte("y")}, 2); err == nil || !strings.Contains(err.Error(), "text 1: ") {
		t.Errorf("error %v, want that of text 1", err)
	}
}

// FuzzSubword: encode and decode is the identity on arbitrary bytes; spans tile them; a stream cuts no character.
func FuzzSubword(f *testing.F) {
	for _, s := range readGolden(f).Texts {
		f.Add([]byte(s))
	}
	f.Add([]byte("\xff\xfe 1\xc3\xa9\xc3<|end|>\xed\xa0\x80\xf0\x9f"))
	exact := []string{"gpt2", "smollm", "digits", "cl100k", "o200k", "merges", "llama3"}
	toks := map[string]Subword{}
	for _, name := range append(exact, "qwen2", "roberta", "drops", "fused") {
		toks[name] = openGolden(f, name)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for name, tok := range toks {
			for _, p := range []Policy{Parse, AsText} {
				ids, spans, err := tok.Offsets(text, Options{Policy: p})
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if again, err := tok.EncodeWith(text, Options{Policy: p}); err != nil || !slices.Equal(ids, again) {
					t.Fatalf("%s: Offsets gives ids %d, EncodeWith %d, %v", name, ids, again, err)
				}
				checkSpans(t, name, text, spans, name != "drops" && name != "qwen2")
				if decoded := tok.Decode(ids); slices.Contains(exact, name) && !bytes.Equal(decoded, text) {
					t.Fatalf("%s: decoded %q, want %q", name, decoded, text)
				}
				checkStream(t, name, tok, ids)
			}
		}
	})
}

// checkSpans: spans ascend in the text and, of exact tokenizers, tile it; those of others leave out dropped bytes or
// share what normalization changed.
func checkSpans(t *testing.T, name string, text []byte, spans [][2]int, exact bool) {
	at := 0
	for _, s := range spans {
		if s[0] > s[1] || s[1] > len(text) || s[1] < at || exact && s[0] != at {
			t.Fatalf("%s: span %d after offset %d of %d", name, s, at, len(text))
		}
		at = s[1]
	}
	if exact && at != len(text) {
		t.Fatalf("%s: spans end at %d of %d", name, at, len(text))
	}
}

func checkStream(t *testing.T, name string, tok Tokenizer, ids []int32) {
	s, got := NewStream(tok), []byte(nil)
	for i, id := range ids {
		got = append(got, s.Next(id)...)
		if n := complete(tok.Decode(ids[:i+1])); n != len(got) {
			t.Fatalf("%s: after %d tokens %d bytes, want %d", name, i+1, len(got), n)
		}
		if i > 100 {
			break // quadratic
		}
	}
	ids = ids[:min(len(ids), 102)]
	if got = append(got, s.Flush()...); !bytes.Equal(got, tok.Decode(ids)) {
		t.Fatalf("%s: stream %q, want %q", name, got, tok.Decode(ids))
	}
}
