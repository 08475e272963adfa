package finetune

import (
	"math"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/lpft"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// classify is the task of one class a text.
type classify struct {
	pooled
	all    *record.Classes  // classes of the main file; nil in a predictor
	id     map[string]int32 // class ids by record.Label of the name
	trains []int            // training records of each class; nil in a predictor
}

func (*classify) about() string { return "one class a text: --text COLUMN --label COLUMN" }

func (*classify) columns(d *DataSettings, r *record.Records) error {
	if err := oneLabel(d, "classify", "labels", "; multilabel takes several"); err != nil {
		return err
	}
	return textColumns(d, r)
}

func (c *classify) restore(s *Setup) error {
	c.id = map[string]int32{}
	for i, n := range s.Settings.Data.Classes {
		if _, ok := c.id[record.Label(n)]; ok {
			return errors.Errorf("finetune: classes %q: %q is there twice", s.Settings.Data.Classes, n)
		}
		c.id[record.Label(n)] = int32(i)
	}
	return nil
}

// class returns the id of a class by its name.
func (c *classify) class(name string) (id int32, ok bool) {
	id, ok = c.id[record.Label(name)]
	return id, ok
}

func (c *classify) usable(s *Setup, r *record.Records, row int) error {
	column := s.Settings.Data.Label[0]
	name, err := r.Text(row, column)
	if err == nil && strings.TrimSpace(name) == "" {
		err = errors.Errorf("an empty %s; want a class for each text", column)
	}
	if err != nil {
		return err
	}
	return c.base.usable(s, r, row)
}

// open takes the classes from the settings, or else from the records.
func (c *classify) open(s *Setup, r *record.Records) (err error) {
	d := &s.Settings.Data
	if c.all, err = r.Classes(d.Label[0]); err != nil {
		return err
	}
	names := c.all.Names
	first := func(class int) string { return r.Where(slices.Index(c.all.Of, int32(class))) }
	if len(d.Classes) == 0 {
		d.Classes = names
	}
	if err := c.restore(s); err != nil {
		return err
	}
	for i, name := range names {
		if _, ok := c.class(name); !ok {
			return errors.Errorf("finetune: %s: class %q; known: %q", first(i), name, d.Classes)
		}
	}
	if len(names) < 2 {
		return errors.Errorf("finetune: all records have the class %q; there is nothing to tell apart", names)
	}
	if len(d.Classes) == 2 && d.Positive == "" {
		d.Positive = names[0]
		if c.all.Count[1] < c.all.Count[0] {
			d.Positive = names[1]
		}
	}
	if _, ok := c.class(d.Positive); !ok && d.Positive != "" {
		return errors.Errorf("finetune: positive class %q; known: %q", d.Positive, d.Classes)
	}
	return nil
}

func (c *classify) strata() *record.Classes { return c.all }

// divided counts the classes. It refuses training records of one class only, and held-out records of a class that is
// not trained on.
func (c *classify) divided(s *Setup, d *Data) (err error) {
	c.trains = make([]int, len(c.id))
	trained := 0
	for _, r := range d.train.rows {
		id, _ := c.class(c.all.Names[c.all.Of[r]])
		if c.trains[id]++; c.trains[id] == 1 {
			trained++
		}
	}
	if c.all.Alike != "" {
		d.warn("%s", c.all.Alike)
	}
	if trained < 2 {
		return errors.New("finetune: the records to train on have one class only; want at least 2")
	}
	for _, p := range d.subsets()[1:] {
		of := c.all
		if p.r != d.train.r {
			if of, err = p.r.Classes(s.Settings.Data.Label[0]); err != nil {
				return err
			}
		}
		for _, row := range p.rows {
			name := of.Names[of.Of[row]]
			if id, ok := c.class(name); !ok || c.trains[id] == 0 {
				return errors.Errorf("finetune: %s: class %q is in no record to train on, so it cannot be learned", p.r.Where(row), name)
			}
		}
	}
	if d.Counts.Balance, err = c.all.Balance(d.train.rows); err != nil {
		return err
	}
	parts := [][]int{d.train.rows}
	if d.val.r == d.train.r {
		parts = append(parts, d.val.rows)
	}
	small, err := c.all.Absent(parts...)
	d.Counts.Warnings = append(d.Counts.Warnings, small...)
	return err
}

func (*classify) field() (data.Field, bool) { return data.Field{Name: field.Y, Int: true}, false }

func (c *classify) make(s *Setup, e entry) ([]example, error) {
	x, err := s.textExample(e)
	if err != nil {
		return nil, err
	}
	name, err := e.Text(e.row, s.Settings.Data.Label[0])
	if err != nil {
		return nil, err
	}
	id, ok := c.class(name)
	if !ok {
		return nil, errors.Errorf("class %q is in no record to train on; known: %q", name, s.Settings.Data.Classes)
	}
	x.Y = []int32{id}
	return []example{x}, nil
}

func (c *classify) build(s *Setup) train.Task {
	return s.classifier(len(s.Settings.Data.Classes), nn.CrossEntropy{Smoothing: s.Settings.Train.Smoothing, Weights: c.weights(s), PerRow: true})
}

func (c *classify) target(s *Setup) lpft.Target {
	return lpft.Target{Link: lpft.Softmax, Classes: len(s.Settings.Data.Classes), Weights: c.weights(s)}
}

// weights returns a weight for each class, or nil where all weigh alike and in a predictor.
func (c *classify) weights(s *Setup) []float64 {
	if s.Settings.Train.ClassWeights == "none" || c.trains == nil {
		return nil
	}
	return nn.Balance(c.trains)
}

// chance is the entropy of the classes' shares, weighted as in the loss.
func (c *classify) chance(s *Setup) (h float64) {
	share, sum, w := make([]float64, len(c.id)), 0.0, c.weights(s)
	for id, n := range c.trains {
		if share[id] = float64(n); w != nil {
			share[id] *= w[id]
		}
		sum += share[id]
	}
	for _, p := range share {
		if p > 0 {
			h -= p / sum * math.Log(p/sum)
		}
	}
	return h
}

func (c *classify) judge(s *Setup, run *train.Run, _ *subset, q *data.Sequences) (judged, error) {
	avg := metric.Macro
	if p := s.Settings.Data.Positive; p != "" {
		id, _ := c.class(p)
		avg = metric.Average(id)
	}
	m := []namedMetric{{"accuracy", metric.Accuracy}, {"f1", metric.F1(avg)}, {"precision", metric.Precision(avg)},
		{"recall", metric.Recall(avg)}, {"macro_f1", metric.F1(metric.Macro)}, {"mcc", metric.MCC}, {"log_loss", metric.LogLoss}}
	if len(s.Settings.Data.Classes) == 2 {
		m = append(m, namedMetric{"auroc", metric.AUROC})
	}
	return judgeBy(run, q, m...)
}

func (*classify) predict(p *Predictor, texts []string) ([]Answer, error) {
	names := p.Settings.Data.Classes
	return p.answers(texts, func(y []float32) Answer {
		best := 0
		a := Answer{Probabilities: map[string]Number{}}
		for i, v := range y {
			if v > y[best] {
				best = i
			}
			a.Probabilities[names[i]] = Number(v)
		}
		v := a.Probabilities[names[best]]
		a.Label, a.Probability = names[best], &v
		return a
	})
}
