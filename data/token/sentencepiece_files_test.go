package token

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSentencePieceGolden compares with Hugging Face tokenizers: testdata/sentencepiece/golden.py.
func TestSentencePieceGolden(t *testing.T) {
	var golden struct {
		Tokens                      []string
		Scores                      []float32
		Merges                      [][2]string
		Texts                       []string
		None, Prefix, Always, First [][]int32
	}
	b, err := os.ReadFile(filepath.Join("testdata", "sentencepiece", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	unknown := int32(0)
	var specials []Special
	for id, text := range golden.Tokens[:3] {
		specials = append(specials, Special{ID: int32(id), Text: text, Special: true})
	}
	base := SentencePieceConfig{Tokens: golden.Tokens, Specials: specials, Unknown: &unknown, FuseUnknown: true}
	for _, mode := range []struct {
		name                   string
		prefix, first, missing bool
		want                   [][]int32
	}{
		{"none", false, false, false, golden.None},
		{"prefix", true, false, false, golden.Prefix},
		{"always", true, false, true, golden.Always},
		{"first", true, true, true, golden.First},
	} {
		if len(mode.want) != len(golden.Texts) || len(mode.want) < 60 {
			t.Fatalf("%s: %d rows for %d texts", mode.name, len(mode.want), len(golden.Texts))
		}
		for _, scored := range []bool{false, true} {
			c := base
			c.Prefix, c.PrefixFirst, c.PrefixMissing = mode.prefix, mode.first, mode.missing
			if c.Merges = golden.Merges; scored {
				c.Merges, c.Scores = nil, golden.Scores
			}
			s, err := NewSentencePiece(c)
			if err != nil {
				t.Fatal(err)
			}
			for i, text := range golden.Texts {
				if ids, err := s.Encode([]byte(text)); err != nil || !slices.Equal(ids, mode.want[i]) {
					t.Errorf("%s, scored %v: %q gives %v (%v), want %v", mode.name, scored, text, ids, err, mode.want[i])
				}
			}
		}
	}
}

// llama2c returns the bytes of a file of llama2.c.
func llama2c(longest int32, tokens ...string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(longest))
	for i, t := range tokens {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(-float32(i)))
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(t))), t...)
	}
	return b
}

func TestReadLlama2C(t *testing.T) {
	s := tok512(t)
	for _, c := range []struct {
		text string
		want []int32
	}{
		{"", []int32{1}}, // as run.c does for the empty prompt
		{"Once upon a time", []int32{1, 403, 407, 261, 378}},
		{"\n<s>\n", []int32{1, 410, 13, 1, 410, 13}},
	} {
		ids, err := s.EncodeWith([]byte(c.text), Options{Add: true})
		if err != nil || !slices.Equal(ids, c.want) {
			t.Errorf("%q gives %v (%v), want %v", c.text, ids, err, c.want)
		}
	}
	story, err := os.ReadFile(filepath.Join(os.Getenv("CETO_DATA"), "stories260k", "expected_greedy_200.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		text := randomText(rand.New(rand.NewPCG(uint64(i), 5)), 40)
		if i == 0 {
			text = story
		}
		ids, err := s.Encode(text)
		if got := s.Decode(ids); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("seed %d: %q → %v (%v) → %q", i, text, ids, err, got)
		}
	}
}

func TestReadLlama2CErrors(t *testing.T) {
	all, _ := bytesAnd(" ", "a")
	good := llama2c(6, all...)
	if s, err := ReadLlama2C(bytes.NewReader(good), len(all)); err != nil || s.Vocab() != len(all) {
		t.Fatal(err)
	}
	if s, err := ReadLlama2C(bytes.NewReader(good), 0); err != nil || s.Vocab() != len(all) {
		t.Fatal("as many as there are:", err)
	}
	with := func(at int, x uint32) []byte {
		b := slices.Clone(good)
		binary.LittleEndian.PutUint32(b[at:], x)
		return b
	}
	for _, c := range []struct {
		name  string
		file  []byte
		vocab int
		want  string
	}{
		{"empty", nil, 3, "length of the longest token"},
		{"longest of 2 GiB", with(0, 1<<31-1), len(all), "length of the longest token is 2147483647"},
		{"longest negative", with(0, 1<<31), len(all), "want 1 to"},
		{"length of 2 GiB", with(8, 1<<31-1), len(all), "token 0 has length 2147483647, want 1 to 6"},
		{"length negative", with(8, 1<<32-1), len(all), "token 0 has length -1"},
		{"length 0", with(8, 0), len(all), "token 0 has length 0"},
		{"not a number", with(4+13+11+12+8*256+6*256, 0x7fc00000), len(all), "is NaN"},
		{"cut", good[:len(good)-1], len(all), "token 260 of 261: unexpected EOF"},
		{"cut, any number", good[:len(good)-1], 0, "unexpected EOF"},
		{"too many wanted", good, 1 << 40, "unexpected EOF"},
		{"too few wanted", good, len(all) - 1, "more data after 260 tokens"},
		{"two tokens", llama2c(6, "<unk>", "<s>"), 2, "want at least unknown"},
	} {
		if _, err := ReadLlama2C(bytes.NewReader(c.file), c.vocab); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func FuzzReadLlama2C(f *testing.F) {
	all, _ := bytesAnd(" ", "a", " a", "aa")
	f.Add(llama2c(6, all...), 0)
	f.Add(llama2c(6, "<unk>", "<s>", "</s>", "a", "aa"), 5)
	f.Add([]byte{1, 0, 0, 0}, 1)
	f.Fuzz(func(t *testing.T, file []byte, vocab int) {
		s, err := ReadLlama2C(bytes.NewReader(file), vocab)
		if err != nil {
			return
		}
		text := []byte("a  aaé<s>\xff")
		if ids, _, err := s.Offsets(text, Options{Add: true}); err != nil || len(s.Decode(ids)) == 0 {
			t.Errorf("%v from %q: %v", ids, text, err)
		}
	})
}

func TestNewSentencePieceErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*SentencePieceConfig)
		want   string
	}{
		{"no tokens", func(c *SentencePieceConfig) { c.Tokens = nil }, "0 tokens, want 1 to"},
		{"scores missing", func(c *SentencePieceConfig) { c.Scores = c.Scores[1:] }, "267 scores and 0 merges for 268 tokens"},
		{"scores and merges", func(c *SentencePieceConfig) { c.Merges = [][2]string{{"a", "b"}} }, "268 scores and 1 merges"},
		{"score NaN", func(c *SentencePieceConfig) { c.Scores[260] = float32(math.NaN()) }, `score of token 260 "a" is NaN`},
		{"merge of what is none", func(c *SentencePieceConfig) { c.Scores, c.Merges = nil, [][2]string{{"b", "a"}} }, `merge 0 of "b" and "a"`},
		{"types missing", func(c *SentencePieceConfig) { c.Types = c.Types[1:] }, "267 types for 268 tokens"},
		{"type unknown", func(c *SentencePieceConfig) { c.Types[4] = 7 }, `token 4 "<0x01>" has type 7`},
		{"byte token that is none", func(c *SentencePieceConfig) { c.Types[260] = typeByte }, `token 260 of type byte is "a"`},
		{"text of no id", func(c *SentencePieceConfig) { c.Also = map[string]int32{"y": 300} }, `text "y" of id 300`},
		{"long token", func(c *SentencePieceConfig) { c.Tokens[260] = strings.Repeat("a", 1025) }, "token 260 has 1025 bytes"},
		{"begin outside", func(c *SentencePieceConfig) { *c.Begin = 268 }, "begin token 268 is outside"},
		{"unknown outside", func(c *SentencePieceConfig) { c.Unknown = new(int32); *c.Unknown = -1 }, "unknown token -1 is outside"},
		{"before outside", func(c *SentencePieceConfig) { c.Before = []int32{-1} }, "first token -1 is outside"},
		{"special elsewhere", func(c *SentencePieceConfig) { c.Specials = []Special{{ID: 4, Text: "<s>"}} }, `special token "<s>": id 4`},
		{"special twice", func(c *SentencePieceConfig) { c.Specials = []Special{{ID: 1, Text: "<s>"}, {ID: 1, Text: "<s>"}} }, "ids 1 and 1"},
		{"no space", func(c *SentencePieceConfig) { c.Tokens[259] = "x" }, `no token "▁"`},
		{"no way out", func(c *SentencePieceConfig) { c.Types[0], c.Types[9], c.Tokens[9] = 3, 1, "y" }, "255 byte tokens and no unknown"},
	} {
		tokens, types := bytesAnd("▁", "a", "b", "é", "ab", "▁a", "▁ab", "bb", "▁▁")
		config := SentencePieceConfig{Tokens: tokens, Types: types, Scores: make([]float32, len(tokens)), Begin: new(int32)}
		c.change(&config)
		if _, err := NewSentencePiece(config); err == nil || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
