package finetune

import (
	"math"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// classify is the task of one class a text.
type classify struct {
	classes *record.Classes
	id      map[string]int32
}

func (*classify) pooled() bool { return true }

func (c *classify) target() (data.Field, bool) { return data.Field{Name: "y", Int: true}, false }

func (*classify) columns(j *Job, r *record.Records) error {
	if l := j.Settings.Data.Label; len(l) > 1 {
		return errors.Errorf("finetune: classify wants one column of labels, not %q; multilabel takes several", l)
	}
	return textColumns(&j.Settings.Data, r)
}

func (c *classify) restore(j *Job) error {
	c.setNames(j.Settings.Data.Classes)
	return nil
}

func (c *classify) open(j *Job, r *record.Records) (err error) {
	d := &j.Settings.Data
	if c.classes, err = r.Classes(d.Label[0]); err != nil {
		return err
	}
	for i, name := range c.classes.Names {
		if strings.TrimSpace(name) == "" {
			row := slices.Index(c.classes.Of, int32(i))
			return errors.Errorf("finetune: %s: an empty %s; a text that is to be learned from needs its class", r.Where(row), d.Label[0])
		}
	}
	names := c.classes.Names
	if len(d.Classes) == 0 {
		d.Classes = names
	}
	c.setNames(d.Classes)
	for i, name := range names {
		if _, ok := c.id[name]; !ok {
			return errors.Errorf("finetune: %s: class %q; known: %q", r.Where(slices.Index(c.classes.Of, int32(i))), name, d.Classes)
		}
	}
	if len(names) < 2 {
		return errors.Errorf("finetune: all records have the class %q; there is nothing to tell apart", names)
	}
	if len(d.Classes) == 2 && d.Positive == "" {
		d.Positive = names[0]
		if c.classes.Count[1] < c.classes.Count[0] {
			d.Positive = names[1]
		}
	}
	if _, ok := c.id[d.Positive]; !ok && d.Positive != "" {
		return errors.Errorf("finetune: positive class %q; known: %q", d.Positive, d.Classes)
	}
	return nil
}

func (c *classify) setNames(names []string) {
	c.id = map[string]int32{}
	for i, n := range names {
		c.id[n] = int32(i)
	}
}

// checkClasses refuses parts that cannot be learned from or judged by.
func (j *Job) checkClasses(c *record.Classes) (err error) {
	trains := map[int32]bool{}
	for _, r := range j.train.rows {
		trains[c.Of[r]] = true
	}
	if len(trains) < 2 {
		return errors.New("finetune: the records to train on have one class only")
	}
	for _, p := range []*part{j.val, j.test} {
		if p == nil {
			continue
		}
		of := c
		if p.r != j.train.r {
			if of, err = p.r.Classes(j.Settings.Data.Label[0]); err != nil {
				return err
			}
		}
		for _, row := range p.rows {
			name := of.Names[of.Of[row]]
			if i := slices.Index(c.Names, name); i < 0 || !trains[int32(i)] {
				return errors.Errorf("finetune: %s: class %q is in no record to train on, so it cannot be learned", p.r.Where(row), name)
			}
		}
	}
	if j.Counts.Balance, err = c.Balance(j.train.rows); err != nil {
		return err
	}
	small, err := c.Absent(j.train.rows, j.val.rows)
	j.Counts.Warnings = append(j.Counts.Warnings, small...)
	return err
}

func (c *classify) example(j *Job, r *record.Records, row int, learn bool, epoch uint64) (data.Sequence, error) {
	e, err := pooledExample(j, r, row, learn, epoch)
	if err != nil {
		return e, err
	}
	name, err := r.Text(row, j.Settings.Data.Label[0])
	if err != nil {
		return e, err
	}
	id, ok := c.id[name]
	if !ok {
		return e, errors.Errorf("class %q is in no record to train on; known: %q", name, j.Settings.Data.Classes)
	}
	e.Y = []int32{id}
	return e, nil
}

func pooledExample(j *Job, r *record.Records, row int, learn bool, epoch uint64) (e data.Sequence, err error) {
	text, err := j.textOf(r, row, learn, epoch)
	if err == nil {
		e.IDs, err = j.ids(text)
	}
	return e, err
}

func (c *classify) build(j *Job) train.Task {
	l := nn.CrossEntropy{Smoothing: j.Settings.Train.Smoothing, Weights: c.weights(j), PerRow: true}
	return j.classifier(len(j.Settings.Data.Classes), l)
}

// classifier is the model with a head of that many outputs.
func (j *Job) classifier(outputs int, l nn.Loss) gpt.Classify {
	pool := j.Settings.Head.Pool
	return gpt.Classify{Model: j.Source.Model, Classes: outputs, Pool: pool, Bias: pool != gpt.PoolLast, Dropout: j.Settings.Head.Dropout, Loss: l}
}

// rows counts the records of each class that are trained on.
func (c *classify) rows(j *Job) []int {
	n := make([]int, len(c.id))
	for _, row := range j.train.rows {
		n[c.id[c.classes.Names[c.classes.Of[row]]]]++
	}
	return n
}

// weights are those of the classes; nil for equal ones, and where nothing is trained.
func (c *classify) weights(j *Job) []float64 {
	if j.Settings.Train.ClassWeights == "none" || j.train == nil {
		return nil
	}
	return nn.Balance(c.rows(j))
}

func (c *classify) metrics(j *Job) []namedMetric {
	avg := metric.Macro
	if p := j.Settings.Data.Positive; p != "" {
		avg = metric.Average(c.id[p])
	}
	m := []namedMetric{{"accuracy", metric.Accuracy}, {"f1", metric.F1(avg)}, {"precision", metric.Precision(avg)},
		{"recall", metric.Recall(avg)}, {"macro_f1", metric.F1(metric.Macro)}, {"mcc", metric.MCC}, {"log_loss", metric.LogLoss}}
	if len(j.Settings.Data.Classes) == 2 {
		m = append(m, namedMetric{"auroc", metric.AUROC})
	}
	return m
}

// chance is the entropy of the classes' shares, by their weights.
func (c *classify) chance(j *Job) (h float64) {
	share, sum, w := make([]float64, len(c.id)), 0.0, c.weights(j)
	for id, n := range c.rows(j) {
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

func (*classify) output() string { return "predict" }

func (*classify) answer(j *Job, y []float32) Answer {
	best, names := 0, j.Settings.Data.Classes
	a := Answer{Probabilities: map[string]Number{}}
	for i, p := range y {
		if p > y[best] {
			best = i
		}
		a.Probabilities[names[i]] = Number(p)
	}
	p := a.Probabilities[names[best]]
	a.Label, a.Probability = names[best], &p
	return a
}

// textColumns checks the columns of texts and labels, which may go without saying where they are called so.
func textColumns(d *DataSettings, r *record.Records) error {
	if d.Text == "" && slices.Contains(r.Columns(), "text") {
		d.Text = "text"
	}
	if len(d.Label) == 0 && slices.Contains(r.Columns(), "label") {
		d.Label = []string{"label"}
	}
	if err := column(r, "text", d.Text); err != nil {
		return err
	}
	if len(d.Label) == 0 {
		return column(r, "label", "")
	}
	for _, l := range d.Label {
		if err := column(r, "label", l); err != nil {
			return err
		}
	}
	return nil
}
