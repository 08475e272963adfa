package token

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// naiveTrain is the definition: it counts all pairs anew for each merge.
func naiveTrain(words []string, specials []string, vocab, minCount int) (tokens []string, merges [][2]string) {
	tokens = slices.Clone(specials)
	for _, b := range bytesByAlphabet() {
		tokens = append(tokens, string([]byte{b}))
	}
	id := map[string]int{}
	for i, t := range tokens[len(specials):] {
		id[t] = len(specials) + i
	}
	var texts [][]int
	for _, w := range words {
		var text []int
		for i := range len(w) {
			text = append(text, id[w[i:i+1]])
		}
		texts = append(texts, text)
	}
	for len(tokens) < vocab {
		count := map[[2]int]int{}
		for _, text := range texts {
			for i := 1; i < len(text); i++ {
				count[[2]int{text[i-1], text[i]}]++
			}
		}
		var best [2]int
		for p, n := range count {
			if m := count[best]; n > m || n == m && (p[0] < best[0] || p[0] == best[0] && p[1] < best[1]) {
				best = p
			}
		}
		if count[best] < max(1, minCount) {
			break
		}
		both := tokens[best[0]] + tokens[best[1]]
		if _, ok := id[both]; !ok {
			id[both] = len(tokens)
			tokens = append(tokens, both)
		}
		merges = append(merges, [2]string{tokens[best[0]], tokens[best[1]]})
		for k, text := range texts {
			for i := 0; i+1 < len(text); i++ {
				if text[i] == best[0] && text[i+1] == best[1] {
					text[i] = id[both]
					text = slices.Delete(text, i+1, i+2)
				}
			}
			texts[k] = text
		}
	}
	return tokens, merges
}

func learn(t *testing.T, words []word, specials []string, vocab, minCount int) *trainer {
	t.Helper()
	tr, err := newTrainer(words, specials)
	if err != nil {
		t.Fatal(err)
	}
	tr.train(vocab, int64(max(1, minCount)))
	return tr
}

func TestTrainNaive(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 6))
		letters := "ab  cdefgh"[:1+r.IntN(10)] // few of them: runs, ties, and a token that two pairs lead to
		var words []string
		counted := wordCount{at: map[string]int{}}
		for range 1 + r.IntN(30) {
			w := make([]byte, 1+r.IntN(40))
			for i := range w {
				w[i] = letters[r.IntN(len(letters))]
			}
			for range 1 + r.IntN(3) {
				words = append(words, string(w))
				counted.add(w)
			}
		}
		specials := []string{"<a>", "<b>"}[:r.IntN(3)]
		vocab, minCount := 256+len(specials)+r.IntN(120), r.IntN(4)
		tr := learn(t, counted.words, specials, vocab, minCount)
		tokens, merges := naiveTrain(words, specials, vocab, minCount)
		if d := cmp.Diff(merges, tr.merges); d != "" {
			t.Fatalf("seed %d: %q to %d, at least %d: merges (-want +got)\n%s", seed, words, vocab, minCount, d)
		}
		if d := cmp.Diff(tokens, tr.tokens); d != "" {
			t.Fatalf("seed %d: %q to %d, at least %d: tokens (-want +got)\n%s", seed, words, vocab, minCount, d)
		}
	}
}

func TestTrain(t *testing.T) {
	for _, c := range []struct {
		name   string
		texts  []string
		o      TrainOptions
		tokens []string // after the bytes
	}{
		{"most frequent first", []string{"abab", "bc bc"}, TrainOptions{Vocab: 259}, []string{"ab", "bc", " bc"}},
		{"ties by the order of GPT-2's bytes", []string{"  b!"}, TrainOptions{Vocab: 258}, []string{"b!", "  "}},
		{"no token across pieces", []string{"a b a b"}, TrainOptions{Vocab: 260, Split: []Splitter{GPT2}}, []string{" b", " a"}},
		{"no token across texts", []string{"ab", "ab"}, TrainOptions{Vocab: 260}, []string{"ab"}},
		{"digits, then pieces", []string{" 12 12"}, TrainOptions{Vocab: 260, Split: []Splitter{Digits, GPT2}}, nil},
		{"nothing", []string{"", "a"}, TrainOptions{Vocab: 300}, nil},
		{"special tokens apart", []string{"ab<|e|>ab<|e|>ab"}, TrainOptions{Vocab: 300, Specials: []string{"<|e|>"}}, []string{"ab"}},
		{"often enough", []string{"ababab cc"}, TrainOptions{Vocab: 300, MinCount: 2}, []string{"ab", "abab"}},
		{"a run from the left", []string{"aaa", "aaa"}, TrainOptions{Vocab: 300}, []string{"aa", "aaa"}},
	} {
		var texts [][]byte
		for _, x := range c.texts {
			texts = append(texts, []byte(x))
		}
		b, err := Train(texts, c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		first := len(c.o.Specials) + 256
		if d := cmp.Diff(c.tokens, append([]string(nil), b.tokens[first:]...)); d != "" {
			t.Errorf("%s: tokens (-want +got)\n%s", c.name, d)
		}
		for i, special := range c.o.Specials {
			if id, ok := b.ID(special); !ok || id != int32(i) {
				t.Errorf("%s: %q has id %d", c.name, special, id)
			}
		}
	}
}

func TestTrainErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		o    TrainOptions
		want string
	}{
		{"too small", TrainOptions{Vocab: 256, Specials: []string{"<s>"}}, "a vocabulary of 256: want at least 1 special tokens and 256 bytes"},
		{"too large", TrainOptions{Vocab: maxVocab + 1}, "at most 268435456"},
		{"special twice", TrainOptions{Vocab: 300, Specials: []string{"<s>", "<s>"}}, `"<s>": ids 0 and 1`},
		{"splitter stands still", TrainOptions{Vocab: 300, Split: []Splitter{func(_ []byte, i int) int { return i }}}, "cuts 3 bytes at 0"},
		{"second splitter too far", TrainOptions{Vocab: 300, Split: []Splitter{GPT2, func([]byte, int) int { return 9 }}}, "cuts 3 bytes at 9"},
	} {
		if _, err := Train([][]byte{[]byte("abc")}, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func shakespeare(t testing.TB) []byte {
	t.Helper()
	dir := os.Getenv("CETO_DATA")
	if dir == "" {
		t.Skip("CETO_DATA is not set")
	}
	text, err := os.ReadFile(filepath.Join(dir, "tinyshakespeare", "input.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestTrainGolden compares with Hugging Face tokenizers, on one goroutine and on several: testdata/train/golden.py.
func TestTrainGolden(t *testing.T) {
	text := shakespeare(t)
	b, err := os.ReadFile(filepath.Join("testdata", "train", "shakespeare.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range bytes.Lines(b) {
		var parts []string
		if err := json.Unmarshal(line, &parts); err != nil {
			t.Fatal(err)
		}
		want = append(want, fromAlphabet(strings.Join(parts, "")))
	}
	for _, threads := range []int{1, 2, 5} {
		// Small texts, so that there is work for all threads: cut where GPT2 cuts, at a line end before a letter.
		var texts [][]byte
		for rest := text; len(rest) > 0; {
			i := bytes.Index(rest[min(len(rest), 5000*threads):], []byte("\n\n")) + 5000*threads + 1
			if i <= 5000*threads || threads == 1 || i >= len(rest) {
				i = len(rest)
			}
			texts, rest = append(texts, rest[:i]), rest[i:]
		}
		got, err := Train(texts, TrainOptions{Vocab: 1000, Split: []Splitter{GPT2}, Specials: []string{"<|endoftext|>"}, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got.tokens); d != "" {
			t.Errorf("%d threads, %d texts: tokens (-want +got)\n%s", threads, len(texts), d)
		}
	}
}

// TestTrainChunks cuts a long text among threads where its pieces end.
func TestTrainChunks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	var text []byte
	for len(text) < 2*trainChunk+trainChunk/2 {
		text = append(text, randomText(r, 2000)...)
	}
	var first []word
	for _, threads := range []int{1, 3} {
		specials, err := newSpecials(nil)
		if err != nil {
			t.Fatal(err)
		}
		words, err := countWords([][]byte{text}, specials, []Splitter{Digits, GPT2}, threads)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, w := range words {
			n += len(w.text) * int(w.count)
		}
		if n != len(text) {
			t.Errorf("%d threads: words of %d bytes, want %d", threads, n, len(text))
		}
		if threads == 1 {
			first = words
		} else if !slices.Equal(words, first) {
			t.Errorf("%d threads: other words than on one", threads)
		}
	}
}

func BenchmarkTrain(b *testing.B) {
	text := shakespeare(b)
	for range b.N {
		if _, err := Train([][]byte{text}, TrainOptions{Vocab: 1000, Split: []Splitter{GPT2}, Threads: 2}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(text)))
}
