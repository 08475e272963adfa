package metric

import (
	"slices"
	"strings"
	"unicode"
)

// These measures are the share of texts that equal one of their references, from 0 to 1.
var (
	// Exact compares the texts as they are.
	Exact = exact("exact", func(s string) string { return s })
	// ExactSQuAD compares after lower-casing, without ASCII punctuation and the words a, an and the, and with one space
	// between words. Source: the SQuAD evaluation, Rajpurkar et al., arXiv:1606.05250.
	ExactSQuAD = exact("exact_squad", normalize)
)

func exact(name string, normal func(string) string) Text {
	return Text{name, func(hyp string, refs []string) []float64 {
		h := normal(hyp)
		if slices.ContainsFunc(refs, func(ref string) bool { return normal(ref) == h }) {
			return []float64{1}
		}
		return []float64{0}
	}, meanSegment}
}

// normalize is the rule of SQuAD. It drops an article that is a whole word; a word is a run of letters and digits.
func normalize(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", r) {
			return -1
		}
		return r
	}, lower(s))
	var b strings.Builder
	for len(s) > 0 {
		word := s[:len(s)-len(strings.TrimLeftFunc(s, isWord))]
		s = s[len(word):]
		if word == "a" || word == "an" || word == "the" {
			word = " "
		}
		b.WriteString(word)
		gap := s[:len(s)-len(strings.TrimLeftFunc(s, func(r rune) bool { return !isWord(r) }))]
		b.WriteString(gap)
		s = s[len(gap):]
	}
	return strings.Join(fields(b.String()), " ")
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
