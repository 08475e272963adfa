package finetune

import (
	"maps"
	"slices"
)

// SpanCount counts spans of one label: wanted ones, found ones, and those that are wanted and were found with the same
// ends.
type SpanCount struct{ Want, Got, Right int }

// SpanScore has precision Right/Got, recall Right/Want and F1 = 2·Right/(Got + Want). Each is 0 where it would be 0/0.
type SpanScore struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Score returns the score of the counts.
func (c SpanCount) Score() SpanScore {
	ratio := func(n, of int) float64 { return float64(n) / float64(max(1, of)) }
	return SpanScore{ratio(c.Right, c.Got), ratio(c.Right, c.Want), ratio(2*c.Right, c.Got+c.Want)}
}

// SpanCounts has counts by label, for one text or many. Their scores equal seqeval's in mode strict, scheme IOB2.
type SpanCounts map[string]SpanCount

// CountSpans compares the spans that were found in a text with those that are wanted. A span is right where start, end
// and label are equal. A span that is there twice counts once.
func CountSpans(want, got []Span) SpanCounts {
	c := SpanCounts{}
	wanted, found := map[Span]bool{}, map[Span]bool{}
	for _, s := range want {
		s.Probability = 0
		wanted[s] = true
	}
	for _, s := range got {
		s.Probability = 0
		found[s] = true
	}
	for s := range wanted {
		c.add(s.Label, SpanCount{Want: 1})
	}
	for s := range found {
		n := SpanCount{Got: 1}
		if wanted[s] {
			n.Right = 1
		}
		c.add(s.Label, n)
	}
	return c
}

func (c SpanCounts) add(label string, n SpanCount) {
	m := c[label]
	c[label] = SpanCount{m.Want + n.Want, m.Got + n.Got, m.Right + n.Right}
}

// Add adds the counts of another text.
func (c SpanCounts) Add(d SpanCounts) {
	for label, n := range d {
		c.add(label, n)
	}
}

// Micro returns the score of all spans together.
func (c SpanCounts) Micro() SpanScore {
	all := SpanCounts{}
	for _, n := range c {
		all.add("", n)
	}
	return all[""].Score()
}

// Macro returns the mean score over the labels that are wanted or were found.
func (c SpanCounts) Macro() SpanScore {
	var m SpanScore
	for _, label := range slices.Sorted(maps.Keys(c)) {
		s, k := c[label].Score(), float64(len(c))
		m.Precision, m.Recall, m.F1 = m.Precision+s.Precision/k, m.Recall+s.Recall/k, m.F1+s.F1/k
	}
	return m
}
