package finetune

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// multilabel is the task of labels that do not exclude each other.
type multilabel struct{ id map[string]int }

func (*multilabel) pooled() bool { return true }

func (m *multilabel) target() (data.Field, bool) {
	return data.Field{Name: "y", Shape: []int{len(m.id)}}, false
}

func (*multilabel) columns(j *Job, r *record.Records) error {
	return textColumns(&j.Settings.Data, r)
}

func (m *multilabel) restore(j *Job) error {
	m.id = map[string]int{}
	for i, n := range j.Settings.Data.Classes {
		m.id[n] = i
	}
	return nil
}

func (m *multilabel) open(j *Job, r *record.Records) error {
	d := &j.Settings.Data
	if len(d.Classes) == 0 && len(d.Label) > 1 {
		d.Classes = d.Label
	}
	if len(d.Classes) == 0 {
		seen := map[string]bool{}
		for row := range r.Len() {
			labels, err := readLabels(r, row, d.Label[0])
			if err != nil {
				return errors.Wrapf(err, "finetune: %s", r.Where(row))
			}
			for _, l := range labels {
				seen[l] = true
			}
		}
		for l := range seen {
			d.Classes = append(d.Classes, l)
		}
		slices.Sort(d.Classes)
	}
	if len(d.Classes) < 2 {
		return errors.Errorf("finetune: the labels of column %q are %q; want at least two, as [\"a\", \"b\"], a|b or in a column each", d.Label, d.Classes)
	}
	return m.restore(j)
}

// readLabels reads a list of labels: JSON, or separated by |, ; or commas.
func readLabels(r *record.Records, row int, column string) (labels []string, err error) {
	text, err := r.Raw(row, column)
	if err != nil {
		return nil, err
	}
	if s := strings.TrimSpace(string(text)); strings.HasPrefix(s, "[") {
		err := json.Unmarshal([]byte(s), &labels)
		return labels, errors.Wrapf(err, "labels %s", s)
	}
	plain, err := r.Text(row, column)
	if err != nil {
		return nil, err
	}
	for _, l := range strings.FieldsFunc(plain, func(c rune) bool { return c == '|' || c == ';' || c == ',' }) {
		if l = strings.TrimSpace(l); l != "" {
			labels = append(labels, l)
		}
	}
	return labels, nil
}

func (m *multilabel) example(j *Job, r *record.Records, row int, learn bool, epoch uint64) (data.Sequence, error) {
	e, err := pooledExample(j, r, row, learn, epoch)
	if err != nil {
		return e, err
	}
	e.Values = make([]float32, len(m.id))
	if columns := j.Settings.Data.Label; len(columns) > 1 {
		for i, c := range columns {
			v, err := number(r, row, c)
			if err != nil || v < 0 || v > 1 {
				return e, errors.Errorf("column %q has %g, %v; want 0 or 1", c, v, err)
			}
			e.Values[i] = v
		}
		return e, nil
	}
	labels, err := readLabels(r, row, j.Settings.Data.Label[0])
	for _, l := range labels {
		id, ok := m.id[l]
		if !ok {
			return e, errors.Errorf("label %q; known: %q", l, j.Settings.Data.Classes)
		}
		e.Values[id] = 1
	}
	return e, err
}

func (m *multilabel) build(j *Job) train.Task {
	return j.classifier(len(j.Settings.Data.Classes), nn.BCEWithLogits{})
}

func (m *multilabel) metrics(*Job) []namedMetric {
	return []namedMetric{{"accuracy", metric.AllLabels(metric.TopK(1))}, {"f1", metric.PerLabel(metric.F1(1))}}
}

func (*multilabel) chance(*Job) float64 { return 0 }

func (*multilabel) output() string { return "predict" }

func (*multilabel) answer(j *Job, y []float32) Answer {
	a := Answer{Labels: []string{}, Probabilities: map[string]Number{}}
	for i, p := range y {
		name := j.Settings.Data.Classes[i]
		if p > 0.5 {
			a.Labels = append(a.Labels, name)
		}
		a.Probabilities[name] = Number(p)
	}
	return a
}

// regress is the task of a number for a text.
type regress struct{}

func (regress) pooled() bool { return true }

func (regress) target() (data.Field, bool) { return data.Field{Name: "y", Shape: []int{1}}, false }

func (regress) columns(j *Job, r *record.Records) error {
	if l := j.Settings.Data.Label; len(l) > 1 {
		return errors.Errorf("finetune: regress wants one column of numbers, not %q", l)
	}
	return textColumns(&j.Settings.Data, r)
}

func (regress) open(*Job, *record.Records) error { return nil }

func (regress) restore(*Job) error { return nil }

func (regress) chance(*Job) float64 { return 0 }

func (regress) output() string { return "predict" }

func (regress) answer(_ *Job, y []float32) Answer {
	v := Number(y[0])
	return Answer{Value: &v}
}

func (regress) example(j *Job, r *record.Records, row int, learn bool, epoch uint64) (data.Sequence, error) {
	e, err := pooledExample(j, r, row, learn, epoch)
	if err != nil {
		return e, err
	}
	v, err := number(r, row, j.Settings.Data.Label[0])
	e.Values = []float32{v}
	return e, err
}

func (regress) build(j *Job) train.Task { return j.classifier(1, nn.MSE{}) }

func (regress) metrics(*Job) []namedMetric {
	return []namedMetric{{"mae", metric.MAE}, {"rmse", metric.RMSE}, {"r2", metric.R2}, {"pearson", metric.Pearson}, {"spearman", metric.Spearman}}
}

// number reads a column as a finite number.
func number(r *record.Records, row int, column string) (float32, error) {
	text, err := r.Text(row, column)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 32)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, errors.Errorf("column %q has %q; want a number", column, text)
	}
	return float32(v), nil
}
