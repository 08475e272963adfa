package token

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// splitters are checked against a regular expression engine with look-ahead.
var splitters = []struct {
	name    string
	split   Splitter
	pattern string
}{
	{"GPT2", GPT2, gpt2Pattern},
	{"GPT2 possessive", GPT2, gpt2Possessive},
	{"Llama3", Llama3, llama3Pattern},
	{"Llama3 as cl100k's second", Llama3, cl100kSecond},
	{"CL100K", CL100K, cl100kPattern},
	{"Qwen2", Qwen2, qwen2Pattern},
	{"O200K", O200K, o200kPattern},
	{"Tekken", Tekken, tekkenPattern},
	{"Digits", Digits, digitsPattern + `|\P{N}+`},
	{"DigitRuns", DigitRuns, digitRunPattern + `|\P{N}+`},
}

// compile translates what regexp2 writes or knows otherwise. Possessive repeats become atomic groups, and the end of
// the text is \z. ſ is added as a case of s, which its folding by ToLower does not see. \s is unicode.IsSpace, as it
// must be.
func compile(t testing.TB, pattern string) *regexp2.Regexp {
	p := strings.NewReplacer(`[^\r\n\p{L}\p{N}]?+`, `(?>[^\r\n\p{L}\p{N}]?)`, `\p{L}++`, `(?>\p{L}+)`, `\p{N}++`, `(?>\p{N}+)`,
		`\p{N}{1,3}+`, `(?>\p{N}{1,3})`, `[^\s\p{L}\p{N}]++`, `(?>[^\s\p{L}\p{N}]+)`, `[\r\n]*+`, `(?>[\r\n]*)`,
		`\s++$`, `(?>\s+)\z`, `(?i:'s|`, `(?i:'s|'ſ|`, `(?i:[sdmt]`, `(?i:[sſdmt]`).Replace(pattern)
	re, err := regexp2.Compile(p, regexp2.None)
	if err != nil {
		t.Fatalf("%s: %v", p, err)
	}
	return re
}

// matches are the pieces that the expression cuts text into. Characters that the engine's tables lack stand aside for
// others of their class.
func matches(t testing.TB, re *regexp2.Regexp, text []byte) []string {
	var offsets []int // of each character, for bytes that are not UTF-8 count as one U+FFFD of three
	var runes []rune
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if k := slices.IndexFunc(unicode16, func(x newClass) bool { return x.lo <= r && r <= x.hi }); k >= 0 {
			r = standIn[unicode16[k].class]
		}
		offsets, runes = append(offsets, i), append(runes, r)
		i += n
	}
	offsets = append(offsets, len(text))
	var out []string
	m, err := re.FindRunesMatch(runes)
	for ; m != nil && err == nil; m, err = re.FindNextMatch(m) {
		out = append(out, string(text[offsets[m.Index]:offsets[m.Index+m.Length]]))
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var standIn = map[class]rune{letter | upper: 'Ж', letter | lower: 'ж', letter | upper | lower: '中', other | upper | lower: '\u0301', number: '½'}

func pieces(split Splitter, text []byte) []string {
	var out []string
	for i := 0; i < len(text); {
		end := split(text, i)
		if end <= i || end > len(text) {
			return append(out, fmt.Sprintf("end %d of the piece at %d of %d bytes", end, i, len(text)))
		}
		out = append(out, string(text[i:end]))
		i = end
	}
	return out
}

// parts are what randomText mixes: characters of every class in several scripts, and what the expressions name.
var parts = []string{
	"a", "b", "Z", "Qu", "hello", "World", "iOS", "é", "É", "ß", "ſ", "K", "ǅ", "ʰ", "ª", "д", "Ж", "λ", "Ω", "ᾳ", "ᾼ",
	"中", "文字", "か", "ナ", "ー", "한", "א", "ב", "ع", "ه", "ก", "ิ", "ह", "ि", "ꙋ", "𝒜", "𝓫", "𐐀", "𐐨", "\u1c89", "\u1c8a", "\U00010d40", "\u0897", "́", "̈", "⃝", "ः",
	"0", "7", "42", "123", "2024", "٣", "५", "Ⅷ", "ⅷ", "〇", "½", "²", "①", "𝟘", "৴",
	" ", " ", " ", "  ", "   ", "\t", "\n", "\r", "\r\n", "\n\n", "\v", "\f", "\u0085", "\u00a0", "\u1680", "\u2003",
	"\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\u180e", "\u200b", "\ufeff", "\x1c", "\x1d", "\x1e", "\x1f",
	"'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'M", "'lL", "'D", "'ſ", "'r", "'v", "'l", "'", "''", "’s",
	".", ",", "!", "?", "/", "//", "-", "_", "(", ")", "{", "\"", "`", "$", "€", "+", "<", "=", "^", "~", "|", "\\", "@", "#", "…", "。", "¿",
	"🙂", "👩\u200d👩\u200d👧", "👍🏽", "🇩🇪", "❤\ufe0f", "\x00", "\x7f", "\u0080", "\ue000", "\U000e0001", "\ufffd", "\u0378", "\U0010ffff",
	"\xff", "\xc3", "\xe4\xb8", "\xf0\x9f\x98", "\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
}

func randomText(r *rand.Rand, n int) []byte {
	var text []byte
	for range r.IntN(n) {
		part := parts[r.IntN(len(parts))]
		for range 1 + r.IntN(2)*r.IntN(3) {
			text = append(text, part...)
		}
	}
	return text
}

func TestSplit(t *testing.T) {
	for _, s := range splitters {
		re := compile(t, s.pattern)
		for seed := range uint64(4000) {
			text := randomText(rand.New(rand.NewPCG(seed, 1)), 24)
			if len(text) == 0 {
				continue
			}
			if got, want := pieces(s.split, text), matches(t, re, text); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("%s seed %d: %q gives\n %q, want\n %q", s.name, seed, text, got, want)
				break
			}
		}
	}
}

// TestSplitClasses compares the class of every character with tiktoken and tokenizers: testdata/split/classes.py.
func TestSplitClasses(t *testing.T) {
	var table []byte
	for r, c := range classes() {
		if r >= 0xd800 && r < 0xe000 {
			c = other // no characters
		}
		table = append(table, byte(c&^(newline|slash)))
	}
	if got := fmt.Sprintf("%08x", crc32.ChecksumIEEE(table)); got != classesSum {
		t.Errorf("the classes have checksum %s, want %s", got, classesSum)
	}
}

const classesSum = "7b57ef95" // tiktoken 0.14.0 and tokenizers 0.22.2, both of Unicode 16.0

func FuzzSplit(f *testing.F) {
	compiled := make([]*regexp2.Regexp, len(splitters))
	for i, s := range splitters {
		compiled[i] = compile(f, s.pattern)
		f.Add(randomText(rand.New(rand.NewPCG(uint64(i), 2)), 100))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = text[:min(len(text), 500)] // the engine backtracks
		for i, s := range splitters {
			if len(text) == 0 {
				continue
			}
			if got, want := pieces(s.split, text), matches(t, compiled[i], text); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("%s: %q gives\n %q, want\n %q", s.name, text, got, want)
			}
		}
	})
}

func TestSplitterOf(t *testing.T) {
	for _, c := range []struct {
		pattern, text, want string
	}{
		{`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, "it'S 1234\n ", `["it" "'" "S" " 1234" "\n "]`},
		{`'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s`, "it's  a", `["it" "'s" " " " a"]`},
		{`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`, "it'S 1234\n ", `["it" "'S" " " "123" "4" "\n" " "]`},
		{`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`, "it'S 1234\n ", `["it" "'S" " " "123" "4" "\n "]`},
		{`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`, "it'S 12\n ", `["it" "'S" " " "1" "2" "\n" " "]`},
		{`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`, "aB it'S 1234\n ", `["a" "B" " it'S" " " "123" "4" "\n" " "]`},
		{`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`, "aB it'S 12", `["a" "B" " it" "'S" " " "1" "2"]`},
	} {
		split, err := SplitterOf(c.pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := fmt.Sprintf("%q", pieces(split, []byte(c.text))); got != c.want {
			t.Errorf("%s: %q gives %s, want %s", c.pattern, c.text, got, c.want)
		}
	}
	if _, err := SplitterOf(`\w+`); err == nil || !strings.Contains(err.Error(), `"\\w+"`) {
		t.Errorf("SplitterOf of an unknown pattern: %v, want an error with the pattern", err)
	}
}

func TestSplitterNamed(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"gpt-2", `["it" "'" "S" " 12" "\n "]`},
		{"default", `["it" "'" "S" " 12" "\n "]`},
		{"smollm", `["it" "'" "S" " " "1" "2" "\n "]`},
		{"llama-bpe", `["it" "'S" " " "12" "\n" " "]`},
		{"qwen2", `["it" "'S" " " "1" "2" "\n" " "]`},
		{"gpt-4o", `["it'S" " " "12" "\n" " "]`},
		{"tekken", `["it" "'S" " " "1" "2" "\n" " "]`},
	} {
		stages, err := SplitterNamed(c.name)
		if err != nil {
			t.Error(err)
			continue
		}
		got := []string{"it'S 12\n "}
		for _, split := range stages {
			var next []string
			for _, piece := range got {
				next = append(next, pieces(split, []byte(piece))...)
			}
			got = next
		}
		if s := fmt.Sprintf("%q", got); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
	if _, err := SplitterNamed("no-such"); err == nil || !strings.Contains(err.Error(), `"no-such"`) {
		t.Errorf("SplitterNamed of an unknown name: %v, want an error with the name", err)
	}
}

func BenchmarkSplit(b *testing.B) {
	dir := os.Getenv("CETO_DATA")
	if dir == "" {
		b.Skip("CETO_DATA is not set")
	}
	for _, name := range []string{"tinyshakespeare/input.txt", "tatoeba-cmn-eng/cmn.txt"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			b.Fatal(err)
		}
		for _, s := range splitters {
			b.Run(s.name+"/"+filepath.Dir(name), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for range b.N {
					for i := 0; i < len(text); {
						i = s.split(text, i)
					}
				}
			})
		}
	}
}
