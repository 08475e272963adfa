package metric

import (
	"math"
	"strings"
	"unicode"

	"github.com/pkg/errors"
)

// A Text is a measure of written text against references; it is a value without state.
//
//	bleu := metric.BLEU.New()
//	err := bleu.Add("the cat sat", "the cat sat down", "a cat sat")
//	lo, hi := metric.Bootstrap95(bleu.Len(), 1, bleu.Of)
//
// A measure keeps a few numbers for each segment, and computes its value from their sums over segments. So a corpus is
// measured as a whole, and any part of it is measured cheaply.
type Text struct {
	name    string
	segment func(hyp string, refs []string) []float64 // refs has one or more
	value   func(sum []float64, segments int) float64
}

// Name returns the name of the measure.
func (m Text) Name() string { return m.name }

// New returns scores that have seen no segments yet.
func (m Text) New() *TextScores { return &TextScores{text: m} }

// Corpus measures the texts of hyps together, each against the references of the same index. It is an error where refs
// has not as many lists, or where a list is empty.
func (m Text) Corpus(hyps []string, refs [][]string) (float64, error) {
	if len(hyps) != len(refs) {
		return 0, errors.Errorf("metric: %s: %d texts but %d lists of references, want as many", m.name, len(hyps), len(refs))
	}
	s := m.New()
	for i, hyp := range hyps {
		if err := s.Add(hyp, refs[i]...); err != nil {
			return 0, errors.Wrapf(err, "text %d", i)
		}
	}
	return s.Value(), nil
}

// TextScores holds what a measure needs of each segment, at most 18 numbers. It is not safe for concurrent use.
type TextScores struct {
	text     Text
	segments [][]float64
}

// Add takes in a text and the references it may match; it is an error if there is none.
func (s *TextScores) Add(hyp string, refs ...string) error {
	if len(refs) == 0 {
		return errors.Errorf("metric: %s: no reference, want at least one", s.text.name)
	}
	s.segments = append(s.segments, s.text.segment(hyp, refs))
	return nil
}

// Len is the number of segments.
func (s *TextScores) Len() int { return len(s.segments) }

// Value is the measure of all segments, NaN where there are none.
func (s *TextScores) Value() float64 {
	rows := make([]int, len(s.segments))
	for i := range rows {
		rows[i] = i
	}
	return s.Of(rows)
}

// Of is the measure of the segments with the given indices, as a statistic for [Bootstrap95] and [PairedTest]. It is
// NaN where there are none.
func (s *TextScores) Of(rows []int) float64 {
	if len(rows) == 0 {
		return math.NaN()
	}
	sum := make([]float64, len(s.segments[rows[0]]))
	for _, i := range rows {
		for j, v := range s.segments[i] {
			sum[j] += v
		}
	}
	return s.text.value(sum, len(rows))
}

// meanSegment is the value of measures that are the mean of one number for each segment.
func meanSegment(sum []float64, segments int) float64 { return sum[0] / float64(segments) }

// isSpace tells white space as Python's str.split does: Unicode's, and the four separators U+001C–U+001F.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// fields splits at white space as Python's str.split does.
func fields(s string) []string { return strings.FieldsFunc(s, isSpace) }

// lower is Python's str.lower but for the final sigma. İ alone becomes two characters, i and a dot above.
func lower(s string) string { return strings.ToLower(strings.ReplaceAll(s, "İ", "i̇")) }

// ngrams counts the n-grams of tokens. A key is an n-gram's tokens joined by spaces, so no token may hold a space.
func ngrams(tokens []string, n int) map[string]int {
	counts := map[string]int{}
	for i := 0; i+n <= len(tokens); i++ {
		counts[strings.Join(tokens[i:i+n], " ")]++
	}
	return counts
}

// matches sums, over n-grams, the smaller of their counts in a and in b.
func matches(a, b map[string]int) int {
	sum := 0
	for k, n := range a {
		sum += min(n, b[k])
	}
	return sum
}
