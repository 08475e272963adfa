package finetune

import (
	"maps"
	"slices"
)

// SpanCount counts spans of one label: those that are wanted, those that were found, and those of both, with the same ends.
type SpanCount struct{ Want, Got, Right int }

// SpanScore is precision Right/Got, recall Right/Want and F1 = 2·Right/(Got + Want), each 0 where it is 0/0.
type SpanScore struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Score is the score of the counts.
func (c SpanCount) Score() SpanScore {
	ratio := func(n, of int) float64 { return float64(n) / float64(max(1, of)) }
	return SpanScore{ratio(c.Right, c.Got), ratio(c.Right, c.Want), ratio(2*c.Right, c.Got+c.Want)}
}

// SpanCounts are counts by label, of one text or of many. Their scores equal seqeval's in mode strict, scheme IOB2.
type SpanCounts map[string]SpanCount

// CountSpans compares the spans that were found in a text with those that are wanted. A span counts as right where start,
// end and label are equal; one that is there twice counts once.
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

// Micro is the score of all spans together.
func (c SpanCounts) Micro() SpanScore {
	all := SpanCounts{}
	for _, n := range c {
		all.add("", n)
	}
	return all[""].Score()
}

// Macro is the mean of the scores of the labels that are wanted or were found.
func (c SpanCounts) Macro() SpanScore {
	var m SpanScore
	for _, label := range slices.Sorted(maps.Keys(c)) {
		s, k := c[label].Score(), float64(len(c))
		m.Precision, m.Recall, m.F1 = m.Precision+s.Precision/k, m.Recall+s.Recall/k, m.F1+s.F1/k
	}
	return m
}
