package finetune

import (
	"fmt"
	"slices"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
)

// tag is the task of finding spans in a text: a class for each token, by a new head on its hidden state.
type tag struct{ tags Tags }

func (*tag) pooled() bool { return false }

func (*tag) target() (data.Field, bool) { return data.Field{Name: "y", Int: true}, true }

func (*tag) columns(j *Job, r *record.Records) error {
	if l := j.Settings.Data.Label; len(l) > 1 {
		return errors.Errorf("finetune: tag wants one column of spans, not %q", l)
	}
	return textColumns(&j.Settings.Data, r)
}

func (*tag) open(*Job, *record.Records) error { return nil }

func (t *tag) restore(j *Job) error {
	t.tags = j.Settings.Data.Classes
	return nil
}

// divided takes the labels from the records to train on, and warns of those that the others alone have.
func (t *tag) divided(j *Job) error {
	labels := func(p *part) (all Tags, err error) {
		texts := make([][]Span, len(p.rows))
		for i, row := range p.rows {
			if _, texts[i], err = t.read(j, p.r, row); err != nil {
				return nil, errors.Wrapf(err, "finetune: %s", p.r.Where(row))
			}
		}
		return TagsOf(texts...), nil
	}
	d := &j.Settings.Data
	known, err := labels(j.train)
	if err != nil {
		return err
	}
	if len(known) == 0 {
		return errors.Errorf("finetune: no record to train on has a span in column %q", d.Label[0])
	}
	for _, l := range known {
		if len(d.Classes) > 0 && !slices.Contains(d.Classes, l) {
			return errors.Errorf("finetune: label %q of a span; known: %q", l, d.Classes)
		}
	}
	if len(d.Classes) == 0 {
		d.Classes = known
	}
	for _, p := range []*part{j.val, j.test} {
		if p == nil {
			continue
		}
		others, err := labels(p)
		if err != nil {
			return err
		}
		for _, l := range others {
			if !slices.Contains(known, l) {
				j.Counts.Warnings = append(j.Counts.Warnings, fmt.Sprintf("no record to train on has a span %q: those to measure on will not be found", l))
			}
		}
	}
	return t.restore(j)
}

// read returns the text of a record and its spans.
func (t *tag) read(j *Job, r *record.Records, row int) (text string, spans []Span, err error) {
	if text, err = r.Text(row, j.text()); err != nil {
		return "", nil, err
	}
	raw, err := r.Raw(row, j.Settings.Data.Label[0])
	if err == nil {
		spans, err = ParseSpans(raw)
	}
	return text, spans, err
}

// tokens returns the ids of a text and the bytes that each stands for, cut to the context.
func (t *tag) tokens(j *Job, text string) (ids []int32, bytes [][2]int, err error) {
	ids, bytes, err = token.Offsets(j.Tokenizer, []byte(text), token.Options{Policy: token.AsText, Add: true})
	if err != nil {
		return nil, nil, err
	}
	if len(ids) == 0 { // an empty text
		ids, err = generate.PromptIDs(j.Tokenizer, "", token.AsText)
		return ids, make([][2]int, len(ids)), err
	}
	if n := j.Settings.Data.Context; len(ids) > n {
		if j.Settings.Data.Strict {
			return nil, nil, errors.Errorf("a text of %d tokens, the context holds %d", len(ids), n)
		}
		j.Counts.Truncated++
		ids, bytes = ids[:n], bytes[:n]
	}
	return ids, bytes, nil
}

func (t *tag) example(j *Job, r *record.Records, row int, _ bool, _ uint64) (e data.Sequence, err error) {
	text, spans, err := t.read(j, r, row)
	if err != nil {
		return e, err
	}
	ids, bytes, err := t.tokens(j, text)
	if err != nil {
		return e, err
	}
	spans = slices.DeleteFunc(spans, func(s Span) bool { return s.Label != "" && !slices.Contains(t.tags, s.Label) })
	y, lost, err := t.tags.Encode(text, spans, bytes)
	j.Counts.LostSpans += lost
	return data.Sequence{IDs: ids, Y: y}, err
}

func (t *tag) build(j *Job) train.Task {
	return gpt.Tag{Model: j.Source.Model, Classes: t.classes(), Dropout: j.Settings.Head.Dropout}
}

// classes is the number of a token's classes.
func (t *tag) classes() int { return 1 + 2*len(t.tags) }

func (*tag) metrics(*Job) []namedMetric { return nil }

func (*tag) chance(*Job) float64 { return 0 }

func (*tag) output() string { return "predict" }

func (*tag) answer(*Job, []float32) Answer { return Answer{} }

// found is what was found in a text.
type found struct {
	counts        SpanCounts
	tokens, right int // that count, of the right class
}

// measure implements measurer: strict scores of whole spans, those behind the context counting as not found, and the
// share of tokens whose class is right, with intervals over texts.
func (t *tag) measure(j *Job, run *train.Run, p *part, q *data.Sequences) (map[string]Number, map[string][2]Number, error) {
	each := make([]found, q.Len())
	err := outputs(run, q, t.output(), t.classes(), func(i int, e data.Sequence, y []float32) error {
		text, want, err := t.read(j, p.r, p.rows[i])
		if err != nil {
			return err
		}
		got, err := t.spans(j, text, y)
		if err != nil {
			return err
		}
		each[i].counts = CountSpans(want, got)
		for k, class := range e.Y {
			if class < 0 {
				continue
			}
			row, best := y[k*t.classes():(k+1)*t.classes()], 0
			for c, v := range row {
				if v > row[best] {
					best = c
				}
			}
			each[i].tokens++
			if best == int(class) {
				each[i].right++
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	values, ci := summary(len(each), spanMetrics(each))
	return values, ci, nil
}

// spanMetrics are statistics of some of the texts.
func spanMetrics(each []found) map[string]func(rows []int) float64 {
	micro := func(f func(SpanScore) float64) func(rows []int) float64 {
		all := make([]SpanCount, len(each)) // of all labels
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

// spans are those of a text by the probabilities of its tokens' classes.
func (t *tag) spans(j *Job, text string, p []float32) ([]Span, error) {
	cut := j.Counts.Truncated
	_, bytes, err := t.tokens(j, text)
	j.Counts.Truncated = cut
	if err != nil {
		return nil, err
	}
	return t.tags.Decode(text, bytes, p)
}

// predict finds the spans of texts.
func (t *tag) predict(p *Predictor, texts []string) ([]Answer, error) {
	q := &data.Sequences{Lengths: make([]int32, len(texts)), Context: p.Settings.Data.Context}
	ids := make([][]int32, len(texts))
	for i, text := range texts {
		var err error
		if ids[i], _, err = t.tokens(p.Job, text); err != nil {
			return nil, errors.Wrapf(err, "finetune: text %d", i)
		}
		q.Lengths[i] = int32(len(ids[i]))
	}
	q.At = func(i int, _ uint64) (data.Sequence, error) { return data.Sequence{IDs: ids[i]}, nil }
	answers := make([]Answer, len(texts))
	err := outputs(p.run, q, t.output(), t.classes(), func(i int, _ data.Sequence, y []float32) (err error) {
		answers[i].Spans, err = t.spans(p.Job, texts[i], y)
		if answers[i].Spans == nil {
			answers[i].Spans = []Span{}
		}
		return err
	})
	return answers, err
}
