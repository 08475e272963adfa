package finetune

import (
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/lpft"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// multilabel is the task of labels that do not exclude each other.
type multilabel struct {
	pooled
	id    map[string]int // label ids by record.Label of the name
	alike string         // labels that were written in several ways
}

func (*multilabel) about() string {
	return `labels that do not exclude each other: lists in one column (a|b or ["a", "b"]), or a column of 0 and 1 for each`
}

func (m *multilabel) restore(s *Setup) error {
	m.id = map[string]int{}
	for i, n := range s.Settings.Data.Classes {
		m.id[record.Label(n)] = i
	}
	return nil
}

func (m *multilabel) usable(s *Setup, r *record.Records, row int) error {
	columns := s.Settings.Data.Label
	if len(columns) == 1 {
		if _, err := readLabels(r, row, columns[0]); err != nil {
			return err
		}
	}
	return m.base.usable(s, r, row)
}

// open takes the labels from the settings, or else the names of several columns, or else the labels of the records.
func (m *multilabel) open(s *Setup, r *record.Records) error {
	d := &s.Settings.Data
	if len(d.Classes) == 0 && len(d.Label) > 1 {
		d.Classes = d.Label
	}
	if len(d.Classes) == 0 {
		var seen record.Labels
		for row := range r.Len() {
			labels, err := readLabels(r, row, d.Label[0])
			if err != nil {
				return errors.Wrapf(err, "finetune: %s", r.Where(row))
			}
			for _, l := range labels {
				seen.Add(l, false)
			}
		}
		d.Classes, m.alike = slices.Sorted(slices.Values(seen.Names)), seen.Alike()
	}
	if len(d.Classes) < 2 {
		return errors.Errorf("finetune: the labels of column %q are %q; want at least two, as [\"a\", \"b\"], a|b or in a column each", d.Label, d.Classes)
	}
	return m.restore(s)
}

func (m *multilabel) divided(_ *Setup, d *Data) error {
	if m.alike != "" {
		d.warn("%s", m.alike)
	}
	return nil
}

func (m *multilabel) field() (data.Field, bool) { return numbered(len(m.id)) }

func (m *multilabel) make(s *Setup, e entry) ([]example, error) {
	x, err := s.textExample(e)
	if err != nil {
		return nil, err
	}
	x.Values = make([]float32, len(m.id))
	columns := s.Settings.Data.Label
	if len(columns) > 1 {
		for i, c := range columns {
			v, err := e.flag(c)
			if err != nil {
				return nil, err
			}
			x.Values[i] = v
		}
		return []example{x}, nil
	}
	labels, err := readLabels(e.Records, e.row, columns[0])
	for _, l := range labels {
		id, ok := m.id[record.Label(l)]
		if !ok {
			return nil, errors.Errorf("label %q; known: %q", l, s.Settings.Data.Classes)
		}
		x.Values[id] = 1
	}
	return []example{x}, err
}

// flag reads the record's column as a number from 0 to 1, or as true or false.
func (e entry) flag(column string) (float32, error) {
	text, err := e.Text(e.row, column)
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true":
		return 1, err
	case "false":
		return 0, err
	}
	v, err := e.number(column)
	if err == nil && (v < 0 || v > 1) {
		err = errors.Errorf("column %q has %g; want 0 or 1", column, v)
	}
	return v, err
}

func (*multilabel) build(s *Setup) train.Task {
	return s.classifier(len(s.Settings.Data.Classes), nn.BCEWithLogits{})
}

func (*multilabel) target(*Setup) lpft.Target { return lpft.Target{Link: lpft.Logistic} }

func (*multilabel) judge(_ *Setup, run *train.Run, _ *subset, q *data.Sequences) (judged, error) {
	return judgeBy(run, q, namedMetric{"accuracy", metric.AllLabels(metric.TopK(1))}, namedMetric{"f1", metric.PerLabel(metric.F1(1))})
}

// predict answers with the labels whose probability is above one half.
func (*multilabel) predict(p *Predictor, texts []string) ([]Answer, error) {
	return p.answers(texts, func(y []float32) Answer {
		a := Answer{Labels: []string{}, Probabilities: map[string]Number{}}
		for i, v := range y {
			name := p.Settings.Data.Classes[i]
			if v > 0.5 {
				a.Labels = append(a.Labels, name)
			}
			a.Probabilities[name] = Number(v)
		}
		return a
	})
}
