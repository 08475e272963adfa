package record

import (
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ceto-ml/ceto/internal/splitmix"
)

// Augment makes variants of a text that mostly say the same, to learn from more texts than there are. It is the easy
// data augmentation of Wei and Zou, arXiv:1901.11196, section 2, without insertion. Synonyms come from a table of the
// user's own, see [ReadSynonyms]. In a text of n words, in this order,
//
//	max(1, round(Replace·n))   words that are in Synonyms become one of their synonyms
//	max(1, round(Swap·n))      times two words change places
//	                           each word is left out with the probability Delete, but never all
//
// and a share of 0 does nothing. The paper advises 0.05 below some thousand texts, 0.1 above.
//
// Words are what stands between white space. Punctuation around them stays in its place when they move. Where a word is
// left out, so is its punctuation and the white space before it, unless that ends a line. In Chinese and Japanese,
// written without spaces, a word is the longest entry of Synonyms of at most 8 characters, else a character.
type Augment struct {
	Swap, Delete, Replace float64             // from 0 to 1
	Synonyms              map[string][]string // by the word in lower case
}

// maxEntry is the number of characters of the longest entry that is looked for in text without spaces.
const maxEntry = 8

// Text returns a variant of text. It depends on the arguments alone: another seed gives another variant. A text without
// a word is returned as it is, and none becomes empty.
func (a Augment) Text(text string, seed uint64) string {
	words, rest := a.split(text)
	d := &dice{seed: seed}
	a.replace(words, d)
	if n := len(words); n > 1 {
		for range times(a.Swap, n) {
			i, j := d.below(n), d.below(n-1)
			if j >= i {
				j++
			}
			words[i].text, words[j].text = words[j].text, words[i].text
		}
	}
	words = a.delete(words, d)
	var b strings.Builder
	for _, w := range words {
		b.WriteString(w.space + w.before + w.text + w.after)
	}
	return b.String() + rest
}

// word is a word with what surrounds it.
type word struct {
	space         string // white space in front
	before, after string // punctuation
	text          string
}

// split divides a text into words, and the white space behind the last.
func (a Augment) split(text string) (words []word, rest string) {
	for {
		i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsSpace(r) })
		if i < 0 {
			return words, text
		}
		end := strings.IndexFunc(text[i:], unicode.IsSpace)
		if end < 0 {
			end = len(text) - i
		}
		words = a.pieces(words, text[:i], text[i:i+end])
		text = text[i+end:]
	}
}

// pieces adds the words of s, which has no white space: one, or more where there are characters of Chinese and
// Japanese.
func (a Augment) pieces(words []word, space, s string) []word {
	first := len(words)
	for before := ""; s != ""; {
		n := strings.IndexFunc(s, func(r rune) bool { return !isMark(r) })
		switch {
		case n < 0 && len(words) > first: // behind the last
			words[len(words)-1].after += s
			return words
		case n < 0: // nothing but marks, such as ":)"
			return append(words, word{space: space, text: s})
		case len(words) > first: // between two, as a full stop in Chinese
			words[len(words)-1].after += s[:n]
		default:
			before = s[:n]
		}
		s = s[n:]
		n = a.length(s)
		words = append(words, word{space: space, before: before, text: s[:n]})
		space, before, s = "", "", s[n:]
	}
	return words
}

// length is the number of bytes of the word that s begins with.
func (a Augment) length(s string) int {
	if r, _ := utf8.DecodeRuneInString(s); isSingle(r) {
		return a.entry(s)
	}
	end := 0 // behind the last character that is no mark: those inside belong to the word, as in don't
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if isSingle(r) {
			break
		}
		if i += n; !isMark(r) {
			end = i
		}
	}
	return end
}

// entry is the number of bytes of the longest of Synonyms that s begins with, or of its first character.
func (a Augment) entry(s string) int {
	best, n := 0, 0
	for i, r := range s {
		if n++; n > maxEntry || !isSingle(r) {
			break
		}
		if end := i + utf8.RuneLen(r); n == 1 || len(a.Synonyms[s[:end]]) > 0 {
			best = end
		}
	}
	return best
}

// isMark tells what is no part of a word at its ends.
func isMark(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }

// isSingle tells the characters of scripts that are written without spaces.
func isSingle(r rune) bool { return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) }

// replace puts synonyms in the place of words.
func (a Augment) replace(words []word, d *dice) {
	var known []int
	for i, w := range words {
		if len(a.synonyms(w.text)) > 0 {
			known = append(known, i)
		}
	}
	for k := range min(times(a.Replace, len(words)), len(known)) {
		j := k + d.below(len(known)-k)
		known[k], known[j] = known[j], known[k]
		w := &words[known[k]]
		all := a.synonyms(w.text)
		w.text = likeCase(all[d.below(len(all))], w.text)
	}
}

func (a Augment) synonyms(w string) []string {
	if s := a.Synonyms[w]; len(s) > 0 {
		return s
	}
	return a.Synonyms[strings.ToLower(w)]
}

// likeCase returns s in capitals, or with a capital first, where the word w is.
func likeCase(s, w string) string {
	first, n := utf8.DecodeRuneInString(w)
	switch {
	case !unicode.IsUpper(first):
		return s
	case n < len(w) && w == strings.ToUpper(w):
		return strings.ToUpper(s)
	}
	r, k := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[k:]
}

// delete leaves out words. What begins a line still begins one.
func (a Augment) delete(words []word, d *dice) []word {
	if !(a.Delete > 0) || len(words) < 2 {
		return words
	}
	stays := d.below(len(words)) // if all others go
	var kept []word
	gone := make([]bool, len(words))
	for i := range words {
		gone[i] = d.share() < a.Delete
	}
	if !slices.Contains(gone, false) {
		gone[stays] = false
	}
	space, carried := "", false
	for i, w := range words {
		if gone[i] {
			if i == 0 || !carried && strings.ContainsRune(w.space, '\n') {
				space, carried = w.space, true
			}
			continue
		}
		if carried {
			w.space = space
		}
		kept, carried = append(kept, w), false
	}
	return kept
}

// times is how often something is done to n words.
func times(share float64, n int) int {
	if !(share > 0) || n == 0 {
		return 0
	}
	return max(1, int(math.Round(min(share, 1)*float64(n))))
}

// dice draws numbers of a seed, one after the other.
type dice struct{ seed, n uint64 }

func (d *dice) next() uint64 {
	d.n++
	return splitmix.At(d.seed, augmentStream, d.n)
}

// augmentStream tells these draws from those of a split by the same seed.
const augmentStream = 0x617567

// below draws from 0 to n−1.
func (d *dice) below(n int) int {
	hi, _ := bits.Mul64(d.next(), uint64(n))
	return int(hi)
}

// share draws from [0, 1).
func (d *dice) share() float64 { return float64(d.next()>>11) / (1 << 53) }
