package finetune

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// Span is a labelled stretch of a text: [Start, End) in Unicode code points, as Python counts characters.
type Span struct {
	Start       int     `json:"start"`
	End         int     `json:"end"`
	Label       string  `json:"label"`
	Probability float64 `json:"probability,omitempty"` // in a prediction: the mean over its tokens
}

// ParseSpans reads the spans of one text as annotation tools write them. It takes a JSON list, perhaps in a string, of
// lists and objects in these forms:
//
//	[0, 5, "PER"]                                               doccano, spaCy
//	{"start": 0, "end": 5, "label": "PER"}                      Prodigy, spaCy's displaCy
//	{"start_offset": 0, "end_offset": 5, "label": "PER"}        doccano with relations
//	{"start": 0, "end": 5, "labels": ["PER"]}                   Label Studio
//
// Other fields are ignored. An empty text and null have no spans.
func ParseSpans(b []byte) ([]Span, error) {
	var inner string
	if json.Unmarshal(b, &inner) == nil {
		b = []byte(inner)
	}
	if len(strings.TrimSpace(string(b))) == 0 {
		return nil, nil
	}
	var spans []Span
	if err := json.Unmarshal(b, &spans); err != nil {
		return nil, errors.Wrap(err, `finetune: spans: want a list such as [{"start": 0, "end": 5, "label": "PER"}] or [[0, 5, "PER"]]`)
	}
	return spans, nil
}

// UnmarshalJSON reads a span in any of the forms of [ParseSpans].
func (s *Span) UnmarshalJSON(b []byte) error {
	var start, end *int
	var label *string
	if len(b) > 0 && b[0] == '[' {
		list := []any{&start, &end, &label}
		if err := json.Unmarshal(b, &list); err != nil {
			return err
		}
		if len(list) != 3 {
			return errors.Errorf("%.60q: want start, end and label", b)
		}
	} else {
		var o struct {
			Start       *int
			End         *int
			StartOffset *int `json:"start_offset"`
			EndOffset   *int `json:"end_offset"`
			Label       *string
			Labels      []string
			Probability float64
		}
		if err := json.Unmarshal(b, &o); err != nil {
			return err
		}
		start, end, label = cmp.Or(o.Start, o.StartOffset), cmp.Or(o.End, o.EndOffset), o.Label
		if label == nil && len(o.Labels) == 1 {
			label = &o.Labels[0]
		}
		s.Probability = o.Probability
	}
	if start == nil || end == nil || label == nil || *label == "" {
		return errors.Errorf("%.60q: want start, end and one label", b)
	}
	s.Start, s.End, s.Label = *start, *end, *label
	return nil
}

// Tags are labels of spans. They give the tokens of a text classes by the scheme BIO:
//
//	0      O: outside all spans
//	1+2i   B: the first token of a span of label i
//	2+2i   I: a later token of a span of label i
//
// Source: Ramshaw and Marcus, arXiv:cmp-lg/9505040, section 4, in the form of CoNLL-2002: each span begins with a B.
type Tags []string

// TagsOf returns the labels of spans in ascending order.
func TagsOf(texts ...[]Span) Tags {
	seen := map[string]bool{}
	for _, spans := range texts {
		for _, s := range spans {
			seen[s.Label] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// Classes returns the names of the classes, such as O, B-LOC, I-LOC, B-PER, I-PER.
func (t Tags) Classes() []string {
	names := []string{"O"}
	for _, label := range t {
		names = append(names, "B-"+label, "I-"+label)
	}
	return names
}

// Encode returns the class of each token of a text. tokens[i] is the byte range of token i, ascending, as token.Offsets
// gives it. A token without bytes has class −1 and does not count. A token that holds a part of a span belongs to
// it; where it holds parts of two, it belongs to the first. lost counts the spans without a token of their own: their
// tokens belong to the span before, or were cut off. White space at the ends of a span is left out. Spans that
// overlap, lie outside the text, are empty or have another label are an error.
func (t Tags) Encode(text string, spans []Span, tokens [][2]int) (classes []int32, lost int, err error) {
	places, err := t.places(text, spans)
	if err != nil {
		return nil, 0, err
	}
	lost = len(places)
	at, last := 0, -1 // at: the first place that ends after the token begins; last: the place that had a token last
	for i, token := range tokens {
		if token[0] < 0 || token[0] > token[1] || token[1] > len(text) || i > 0 && token[0] < tokens[i-1][0] {
			return nil, 0, errors.Errorf("finetune: token %d has bytes %d: want ascending ones within the text's %d", i, token, len(text))
		}
		for at < len(places) && places[at].end <= token[0] {
			at++
		}
		switch {
		case token[0] == token[1]:
			classes = append(classes, -1)
		case at == len(places) || places[at].start >= token[1]:
			classes = append(classes, 0)
		case at == last:
			classes = append(classes, places[at].label*2+2)
		default:
			classes = append(classes, places[at].label*2+1)
			last = at
			lost--
		}
	}
	return classes, lost, nil
}

// place is where a span lies in a text, in bytes.
type place struct {
	start, end int
	label      int32
}

// places checks the spans and returns them in ascending order, without the white space at their ends.
func (t Tags) places(text string, spans []Span) ([]place, error) {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b Span) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End)) })
	var all []place
	r := ruler{text: text}
	for i, s := range spans {
		label := slices.Index(t, s.Label)
		switch {
		case label < 0:
			return nil, errors.Errorf("finetune: span %d–%d has label %q: want one of %q", s.Start, s.End, s.Label, []string(t))
		case s.Start < 0 || s.End <= s.Start:
			return nil, errors.Errorf("finetune: span %d–%d %s: want 0 ≤ start < end", s.Start, s.End, s.Label)
		case i > 0 && s.Start < spans[i-1].End:
			before := spans[i-1]
			return nil, errors.Errorf("finetune: spans %d–%d %s and %d–%d %s overlap: want each character in one", before.Start, before.End, before.Label, s.Start, s.End, s.Label)
		}
		start, _ := r.to(s.Start)
		end, ok := r.to(s.End)
		if !ok {
			return nil, errors.Errorf("finetune: span %d–%d %s: the text has %d characters", s.Start, s.End, s.Label, utf8.RuneCountInString(text))
		}
		if start, end = trim(text, start, end); start == end {
			return nil, errors.Errorf("finetune: span %d–%d %s is white space", s.Start, s.End, s.Label)
		}
		all = append(all, place{start, end, int32(label)})
	}
	return all, nil
}

// ruler finds characters in a text, from the front to the back.
type ruler struct {
	text      string
	at, chars int // where it stands, in bytes and in characters
}

// to goes to character n and returns its place in bytes. Where the text is shorter it returns the end and false.
func (r *ruler) to(n int) (int, bool) {
	for ; r.chars < n && r.at < len(r.text); r.chars++ {
		_, size := utf8.DecodeRuneInString(r.text[r.at:])
		r.at += size
	}
	return r.at, r.chars == n
}

// trim leaves out the white space at the ends of text[start:end].
func trim(text string, start, end int) (int, int) {
	s := strings.TrimLeftFunc(text[start:end], unicode.IsSpace)
	start = end - len(s)
	return start, start + len(strings.TrimRightFunc(s, unicode.IsSpace))
}

// Decode returns the spans of a text by the probabilities of its tokens' classes: p (tokens, classes). The most
// probable class of each token counts. Tokens without bytes are passed over. A class I that does not continue a span
// of its label begins one. A character that several tokens share is wholly in their span.
func (t Tags) Decode(text string, tokens [][2]int, p []float32) ([]Span, error) {
	n := 1 + 2*len(t)
	if len(p) != n*len(tokens) {
		return nil, errors.Errorf("finetune: %d probabilities of %d tokens: want %d of each", len(p), len(tokens), n)
	}
	out := spanWriter{text: text}
	for i, token := range tokens {
		if token[0] < 0 || token[0] > token[1] || token[1] > len(text) {
			return nil, errors.Errorf("finetune: token %d has bytes %d: want some within the text's %d", i, token, len(text))
		}
		if token[0] == token[1] {
			continue
		}
		best := 0
		row := p[i*n : i*n+n]
		for class, v := range row {
			if v > row[best] {
				best = class
			}
		}
		if best == 0 {
			out.close()
			continue
		}
		label, begins := t[(best-1)/2], best%2 == 1
		if begins || out.tokens == 0 || out.label != label {
			out.close()
			out.label, out.start = label, token[0]
		}
		out.end, out.tokens, out.sum = token[1], out.tokens+1, out.sum+float64(row[best])
	}
	out.close()
	return out.spans, nil
}

// spanWriter turns runs of tokens into spans.
type spanWriter struct {
	text      string
	spans     []Span
	at, chars int // the end of the last span, in bytes and in characters

	// The open run: its bytes, its tokens and the sum of their probabilities.
	label      string
	start, end int
	tokens     int
	sum        float64
}

// close ends the open run, if there is one. White space at its ends, and what is in the span before, is left out.
func (w *spanWriter) close() {
	if w.tokens == 0 {
		return
	}
	start, end := w.start, w.end
	for start > 0 && start < len(w.text) && !utf8.RuneStart(w.text[start]) {
		start--
	}
	for end < len(w.text) && !utf8.RuneStart(w.text[end]) {
		end++
	}
	start = max(start, w.at)
	start, end = trim(w.text, start, max(start, end))
	if start < end {
		s := Span{Start: w.chars + utf8.RuneCountInString(w.text[w.at:start]), Label: w.label, Probability: w.sum / float64(w.tokens)}
		s.End = s.Start + utf8.RuneCountInString(w.text[start:end])
		w.spans = append(w.spans, s)
		w.at, w.chars = end, s.End
	}
	w.tokens, w.sum = 0, 0
}
