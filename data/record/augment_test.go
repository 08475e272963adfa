package record

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var synonyms = map[string][]string{"good": {"fine"}, "北京": {"首都"}, "京": {"都"}, "quick": {"fast", "speedy"}, "usa": {"united states"}}

// TestAugmentWhole has rows with one possible result for every seed.
func TestAugmentWhole(t *testing.T) {
	for _, c := range []struct {
		name     string
		a        Augment
		in, want string
	}{
		{"nothing asked for", Augment{Synonyms: synonyms}, " a good\tday \n", " a good\tday \n"},
		{"empty", Augment{Swap: 1, Delete: 1, Replace: 1, Synonyms: synonyms}, "", ""},
		{"white space", Augment{Swap: 1, Delete: 1, Replace: 1, Synonyms: synonyms}, " \n\t", " \n\t"},
		{"one word stays", Augment{Swap: 1, Delete: 1}, " word! ", " word! "},
		{"two words change places, marks stay", Augment{Swap: 0.5}, "(Hello), world!  ", "(world), Hello!  "},
		{"a mark alone is a word", Augment{Swap: 0.5}, "bye :)", ":) bye"},
		{"marks inside belong to the word", Augment{Swap: 0.5}, "don't «half-price»", "half-price «don't»"},
		{"two Chinese characters", Augment{Swap: 0.5}, "你好。", "好你。"},
		{"Latin word in Chinese", Augment{Swap: 0.5}, "GPT好", "好GPT"},
		{"synonym", Augment{Replace: 0.1, Synonyms: synonyms}, "a good, day", "a fine, day"},
		{"synonym, capital", Augment{Replace: 0.1, Synonyms: synonyms}, "Good day", "Fine day"},
		{"synonym, capitals", Augment{Replace: 1, Synonyms: synonyms}, "USA GOOD", "UNITED STATES FINE"},
		{"all synonyms", Augment{Replace: 1, Synonyms: synonyms}, "good good bad good", "fine fine bad fine"},
		{"longest Chinese entry", Augment{Replace: 1, Synonyms: synonyms}, "我在北京", "我在首都"},
		{"shorter Chinese entry", Augment{Replace: 1, Synonyms: synonyms}, "东京。", "东都。"},
		{"no synonym known", Augment{Replace: 1}, "a good day", "a good day"},
	} {
		for seed := range uint64(20) {
			if got := c.a.Text(c.in, seed); got != c.want {
				t.Errorf("%s, seed %d: %q, want %q", c.name, seed, got, c.want)
				break
			}
		}
	}
}

// TestAugmentCounts compares how many words change with the shares.
func TestAugmentCounts(t *testing.T) {
	text := "the good fox ran good and far over good hills with a good bear on good days in good old times now"
	// It has 21 words, 6 of which are good.
	in := strings.Fields(text)
	for _, c := range []struct {
		name string
		a    Augment
		fine int // words replaced
		move int // places with another word, at most
	}{
		{"replace 0.1 of 21", Augment{Replace: 0.1, Synonyms: synonyms}, 2, 0},
		{"replace 0.01 of 21: at least one", Augment{Replace: 0.01, Synonyms: synonyms}, 1, 0},
		{"replace 1: no more than are known", Augment{Replace: 1, Synonyms: synonyms}, 6, 0},
		{"swap 0.05 of 21: one swap", Augment{Swap: 0.05}, 0, 2},
		{"swap 0.1 of 21: two", Augment{Swap: 0.1}, 0, 4},
	} {
		moved := 0
		for seed := range uint64(100) {
			out := strings.Fields(c.a.Text(text, seed))
			fine, move := 0, 0
			for i, w := range out {
				if w == "fine" {
					fine++
				} else if w != in[i] {
					move++
				}
			}
			moved = max(moved, move)
			a, b := slices.Sorted(slices.Values(in)), slices.Sorted(slices.Values(out))
			if fine != c.fine || move > c.move || len(out) != len(in) || c.fine == 0 && !slices.Equal(a, b) {
				t.Errorf("%s, seed %d: %d replaced, %d moved, want %d and at most %d: %q", c.name, seed, fine, move, c.fine, c.move, out)
			}
		}
		if moved != c.move {
			t.Errorf("%s: at most %d places changed in 100 seeds, want %d in one of them", c.name, moved, c.move)
		}
	}
}

// TestAugmentDelete compares the share of words left out of 20,000 with the probability, to 4 standard deviations.
func TestAugmentDelete(t *testing.T) {
	const words, seeds = 200, 100
	text := strings.TrimSpace(strings.Repeat("word ", words))
	left := 0
	for seed := range uint64(seeds) {
		left += len(strings.Fields(Augment{Delete: 0.1}.Text(text, seed)))
	}
	if gone := words*seeds - left; gone < 2000-170 || gone > 2000+170 { // √(20000·0.1·0.9) = 42
		t.Errorf("%d of %d words left out, want 2000 ± 170", gone, words*seeds)
	}
	seen := map[string]bool{}
	for seed := range uint64(200) {
		seen[Augment{Delete: 1}.Text("a b\nc", seed)] = true
	}
	if want := map[string]bool{"a": true, "b": true, "c": true}; !reflect.DeepEqual(seen, want) {
		t.Errorf("all but one left out: %v, want %v", seen, want)
	}
}

// TestAugmentLines holds that what begins a line still does, and that no space is doubled.
func TestAugmentLines(t *testing.T) {
	text := "one two three\nfour five six\n\nseven eight"
	merged := false
	for seed := range uint64(500) {
		got := Augment{Delete: 0.3}.Text(text, seed)
		if strings.Contains(got, "  ") || strings.HasPrefix(got, " ") {
			t.Fatalf("seed %d: %q has a space too many", seed, got)
		}
		for _, w := range []string{"four", "five", "six"} { // the first of them that stays begins a line
			if i := strings.Index(got, w); i >= 0 {
				if i > 0 && got[i-1] != '\n' {
					t.Fatalf("seed %d: %q: %s does not begin a line", seed, got, w)
				}
				merged = merged || w != "four"
				break
			}
		}
	}
	if !merged {
		t.Error("the first word of a line was never left out")
	}
}

// TestAugmentSeed holds that variants depend on the seed and on nothing else: this one, forever.
func TestAugmentSeed(t *testing.T) {
	a := Augment{Swap: 0.2, Delete: 0.2, Replace: 0.2, Synonyms: synonyms}
	text := "A quick brown fox, good as gold, jumps over the lazy dog."
	seen := map[string]bool{}
	for seed := range uint64(50) {
		v := a.Text(text, seed)
		if v != a.Text(text, seed) {
			t.Errorf("seed %d: two results", seed)
		}
		seen[v] = true
	}
	if len(seen) < 45 {
		t.Errorf("%d variants of 50 seeds", len(seen))
	}
	if got := a.Text(text, 7); got != augmentGolden {
		t.Errorf("seed 7: %q, want %q as ever", got, augmentGolden)
	}
}

const augmentGolden = "A lazy brown fox, fine as gold, jumps the speedy dog."

func TestReadSynonyms(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		want             map[string][]string
		err              string
	}{
		{"tabs", "s.tsv", "\ufeffGood\tfine\tvery good\r\n\n北京\t首都\ngood\tnice", map[string][]string{"good": {"fine", "very good", "nice"}, "北京": {"首都"}}, ""},
		{"commas", "s.csv", "good, fine,,nice ,\n", map[string][]string{"good": {"fine", "nice"}}, ""},
		{"no synonym", "s.txt", "a\tb\n\ngood\n", nil, `s.txt:3: no synonym of "good"`},
		{"no word", "s.txt", "\tb\n", nil, `s.txt:1: no word`},
		{"commas in a .tsv", "s.tsv", "good,fine\n", nil, `s.tsv:1: no synonym of "good,fine"; they stand behind it, each after a "\t"`},
		{"no lines", "s.csv", " \n", nil, "no words"},
		{"not UTF-8", "s.tsv", "a\tb\na\t\xff\n", nil, "s.tsv:2: not UTF-8"},
	} {
		path := filepath.Join(t.TempDir(), c.file)
		if err := os.WriteFile(path, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSynonyms(path)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q in it", c.name, err, c.err)
			}
		} else if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
	}
	if _, err := ReadSynonyms(filepath.Join(t.TempDir(), "none.tsv")); err == nil {
		t.Error("no error for a file that does not exist")
	}
}

// FuzzAugment holds for any text that no variant is empty, and that a swap only moves characters.
func FuzzAugment(f *testing.F) {
	for _, s := range []string{"a b", "北京 good", "\xff\xfe x", ":) 你、", "e\u0301 'tis", ""} {
		f.Add(s, uint64(1))
	}
	sorted := func(s string) []rune { r := []rune(s); slices.Sort(r); return r }
	f.Fuzz(func(t *testing.T, s string, seed uint64) {
		if got := (Augment{Swap: 0.5}).Text(s, seed); utf8.ValidString(s) && !slices.Equal(sorted(got), sorted(s)) {
			t.Errorf("%q, seed %d: swapped to %q", s, seed, got)
		}
		got := Augment{Swap: 0.5, Delete: 0.9, Replace: 0.5, Synonyms: synonyms}.Text(s, seed)
		if FoldText(got) == "" && FoldText(s) != "" || s == "" && got != "" {
			t.Errorf("%q, seed %d: %q", s, seed, got)
		}
	})
}
