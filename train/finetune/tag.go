package finetune

import (
	"slices"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
)

// tag is the task of finding spans in a text: a class for each token, by a new head on its hidden state.
type tag struct {
	base
	tags Tags
}

func (*tag) about() string {
	return `stretches of a text: --label is a column of JSON spans, [{"start": 0, "end": 5, "label": "PER"}], in characters`
}

// rate is high, since the head is new and not fitted first. Source: PEFT's guide to token classification.
func (*tag) rate() float64 { return 1e-3 }

func (*tag) columns(d *DataSettings, r *record.Records) error {
	if err := oneLabel(d, "tag", "spans", ""); err != nil {
		return err
	}
	return textColumns(d, r)
}

func (t *tag) usable(s *Setup, r *record.Records, row int) error {
	text, spans, err := t.read(s, r, row)
	if err == nil {
		_, err = TagsOf(spans).places(text, spans)
	}
	return err
}

func (t *tag) restore(s *Setup) error {
	t.tags = s.Settings.Data.Classes
	return nil
}

// divided takes the labels from the training records, and warns of labels that only held-out records have.
func (t *tag) divided(s *Setup, d *Data) error {
	known, err := t.labels(s, d.train)
	if err != nil {
		return err
	}
	set := &s.Settings.Data
	if len(known) == 0 {
		return errors.Errorf("finetune: no record to train on has a span in column %q", set.Label[0])
	}
	for _, l := range known {
		if len(set.Classes) > 0 && !slices.Contains(set.Classes, l) {
			return errors.Errorf("finetune: label %q of a span; known: %q", l, set.Classes)
		}
	}
	if len(set.Classes) == 0 {
		set.Classes = known
	}
	for _, p := range d.subsets()[1:] {
		others, err := t.labels(s, p)
		if err != nil {
			return err
		}
		for _, l := range others {
			if !slices.Contains(known, l) {
				d.warn("no record to train on has a span %q: held-out spans of this label will not be found", l)
			}
		}
	}
	return t.restore(s)
}

// labels returns the labels of all spans of a subset.
func (t *tag) labels(s *Setup, p *subset) (Tags, error) {
	texts := make([][]Span, len(p.rows))
	for i, row := range p.rows {
		var err error
		if _, texts[i], err = t.read(s, p.r, row); err != nil {
			return nil, errors.Wrapf(err, "finetune: %s", p.r.Where(row))
		}
	}
	return TagsOf(texts...), nil
}

// read returns the text of a record and its spans.
func (*tag) read(s *Setup, r *record.Records, row int) (text string, spans []Span, err error) {
	if text, err = r.Text(row, s.Settings.Data.Text); err != nil {
		return "", nil, err
	}
	raw, err := rawList(r, row, s.Settings.Data.Label[0])
	if err == nil {
		spans, err = ParseSpans(raw)
	}
	return text, spans, err
}

// tokens returns the ids of a text and the bytes that each stands for, both cut to the context. cut tells whether the
// text was longer.
func (*tag) tokens(s *Setup, text string) (ids []int32, bytes [][2]int, cut bool, err error) {
	ids, bytes, err = token.Offsets(s.Tokenizer, []byte(text), token.Options{Policy: token.AsText, Add: true})
	if err != nil {
		return nil, nil, false, err
	}
	if len(ids) == 0 { // an empty text
		ids, err = generate.PromptIDs(s.Tokenizer, "", token.AsText)
		return ids, make([][2]int, len(ids)), false, err
	}
	n, cut, err := s.fits("text", len(ids))
	return ids[:n], bytes[:n], cut, err
}

func (*tag) field() (data.Field, bool) { return data.Field{Name: field.Y, Int: true}, true }

func (t *tag) make(s *Setup, e entry) ([]example, error) {
	text, spans, err := t.read(s, e.Records, e.row)
	if err != nil {
		return nil, err
	}
	var x example
	var bytes [][2]int
	if x.IDs, bytes, x.cut, err = t.tokens(s, text); err != nil {
		return nil, err
	}
	spans = slices.DeleteFunc(spans, func(s Span) bool { return s.Label != "" && !slices.Contains(t.tags, s.Label) })
	x.Y, x.lost, err = t.tags.Encode(text, spans, bytes)
	return []example{x}, err
}

func (t *tag) build(s *Setup) train.Task {
	return gpt.Tag{Model: s.Source.Model, Classes: t.classes(), Dropout: s.Settings.Head.Dropout}
}

// classes returns the number of classes that a token may have.
func (t *tag) classes() int { return 1 + 2*len(t.tags) }

// found counts the spans and the tokens of one text.
type found struct {
	counts        SpanCounts
	tokens, right int // tokens that count, and those whose class is right
}

// judge computes strict scores of whole spans, and the share of tokens whose class is right. Spans beyond the context
// count as not found. The intervals resample whole texts.
func (t *tag) judge(s *Setup, run *train.Run, p *subset, q *data.Sequences) (judged, error) {
	each := make([]found, q.Len())
	err := outputs(run, q, field.Predict, t.classes(), func(i int, e data.Sequence, y []float32) error {
		text, want, err := t.read(s, p.r, p.of[i])
		if err != nil {
			return err
		}
		got, err := t.spans(s, text, y)
		if err != nil {
			return err
		}
		each[i].counts = CountSpans(want, got)
		for k, class := range e.Y {
			if class < 0 {
				continue
			}
			each[i].tokens++
			if largest(y[k*t.classes():(k+1)*t.classes()]) == int(class) {
				each[i].right++
			}
		}
		return nil
	})
	if err != nil {
		return judged{}, err
	}
	return summary(len(each), spanMetrics(each)), nil
}

// largest returns the index of the largest value, the first of equal ones.
func largest(y []float32) int {
	best := 0
	for i, v := range y {
		if v > y[best] {
			best = i
		}
	}
	return best
}

// spanMetrics returns, by name, metrics of the texts that rows lists.
func spanMetrics(each []found) map[string]func(rows []int) float64 {
	micro := func(f func(SpanScore) float64) func(rows []int) float64 {
		all := make([]SpanCount, len(each)) // sums over all labels
		for i, e := range each {
			for _, n := range e.counts {
				all[i] = SpanCount{all[i].Want + n.Want, all[i].Got + n.Got, all[i].Right + n.Right}
			}
		}
		return func(rows []int) float64 {
			var sum SpanCount
			for _, i := range rows {
				sum = SpanCount{sum.Want + all[i].Want, sum.Got + all[i].Got, sum.Right + all[i].Right}
			}
			return f(sum.Score())
		}
	}
	return map[string]func(rows []int) float64{
		"f1":        micro(func(s SpanScore) float64 { return s.F1 }),
		"precision": micro(func(s SpanScore) float64 { return s.Precision }),
		"recall":    micro(func(s SpanScore) float64 { return s.Recall }),
		"macro_f1": func(rows []int) float64 {
			sum := SpanCounts{}
			for _, i := range rows {
				sum.Add(each[i].counts)
			}
			return sum.Macro().F1
		},
		"token_accuracy": func(rows []int) float64 {
			right, tokens := 0, 0
			for _, i := range rows {
				right, tokens = right+each[i].right, tokens+each[i].tokens
			}
			return float64(right) / float64(tokens)
		},
	}
}

// spans returns the spans of a text by the probabilities p of its tokens' classes.
func (t *tag) spans(s *Setup, text string, p []float32) ([]Span, error) {
	_, bytes, _, err := t.tokens(s, text)
	if err != nil {
		return nil, err
	}
	return t.tags.Decode(text, bytes, p)
}

func (t *tag) predict(p *Predictor, texts []string) ([]Answer, error) {
	q := &data.Sequences{Lengths: make([]int32, len(texts)), Context: p.Settings.Data.Context}
	ids := make([][]int32, len(texts))
	for i, text := range texts {
		var cut bool
		var err error
		if ids[i], _, cut, err = t.tokens(p.Setup, text); err != nil {
			return nil, errors.Wrapf(err, "finetune: text %d", i)
		}
		p.count(cut)
		q.Lengths[i] = int32(len(ids[i]))
	}
	q.At = func(i int, _ uint64) (data.Sequence, error) { return data.Sequence{IDs: ids[i]}, nil }
	answers := make([]Answer, len(texts))
	err := outputs(p.run, q, field.Predict, t.classes(), func(i int, _ data.Sequence, y []float32) (err error) {
		answers[i].Spans, err = t.spans(p.Setup, texts[i], y)
		if answers[i].Spans == nil {
			answers[i].Spans = []Span{}
		}
		return err
	})
	return answers, err
}

func (*tag) peft() string { return "TOKEN_CLS" }
