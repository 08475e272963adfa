package finetune

import (
	"math"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// pooled has the defaults of a task whose head maps one vector that stands for the whole text. The head is fitted to
// frozen features first. Such a task adds the methods about, field, make, build, target, judge and predict.
type pooled struct{ base }

func (pooled) probes() bool { return true }

// numbered describes a field y of n numbers an example.
func numbered(n int) (data.Field, bool) { return data.Field{Name: field.Y, Shape: []int{n}}, false }

// textExample makes an example of a record's text. The target is still missing.
func (s *Setup) textExample(e entry) (x example, err error) {
	text, err := e.text(s.Settings.Data.Text)
	if err == nil {
		x.IDs, x.cut, err = s.ids(text)
	}
	return x, err
}

// classifier returns the task of the model with a head of that many outputs.
func (s *Setup) classifier(outputs int, l nn.Loss) gpt.Classify {
	pool := s.Settings.Head.Pool
	return gpt.Classify{Model: s.Source.Model, Classes: outputs, Pool: pool, Bias: pool != gpt.PoolLast, Dropout: s.Settings.Head.Dropout, Loss: l}
}

// number reads the record's column as a finite number.
func (e entry) number(column string) (float32, error) {
	text, err := e.Text(e.row, column)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 32)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, errors.Errorf("column %q has %q; want a number", column, text)
	}
	return float32(v), nil
}

// namedMetric is a metric and the name that a report gives it.
type namedMetric struct {
	name string
	metric.Metric
}

// judged holds metrics by name with their 95 % intervals.
type judged struct {
	values map[string]Number
	ci95   map[string][2]Number
	scores *metric.Rows // predictions and targets, where the metrics are those of package metric
}

// judgeBy runs the model over q and computes metrics of package metric.
func judgeBy(run *train.Run, q *data.Sequences, metrics ...namedMetric) (judged, error) {
	rows := &metric.Rows{}
	if _, err := run.Evaluate(q, rows); err != nil {
		return judged{}, err
	}
	statistics := map[string]func([]int) float64{}
	for _, m := range metrics {
		statistics[m.name] = rows.Of(m.Metric)
	}
	j := summary(rows.Len(), statistics)
	j.scores = rows
	return j, nil
}

// summary computes each statistic of n examples, and its 95 % interval by the bootstrap.
func summary(n int, statistics map[string]func(rows []int) float64) judged {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	j := judged{values: map[string]Number{}, ci95: map[string][2]Number{}}
	for name, f := range statistics {
		j.values[name] = Number(f(all))
		lo, hi := metric.Bootstrap95(n, 1, f)
		j.ci95[name] = [2]Number{Number(lo), Number(hi)}
	}
	return j
}

// answers runs the model over texts and makes an answer of each one's predictions y.
func (p *Predictor) answers(texts []string, answer func(y []float32) Answer) ([]Answer, error) {
	answers := make([]Answer, len(texts))
	err := p.outputs(texts, field.Predict, func(i int, y []float32) { answers[i] = answer(y) })
	return answers, err
}

// outputs runs the model over texts and calls f with the number of each text and its values of the named output.
func (p *Predictor) outputs(texts []string, output string, f func(i int, y []float32)) error {
	ids, lengths := make([][]int32, len(texts)), make([]int32, len(texts))
	for i, t := range texts {
		var cut bool
		var err error
		if ids[i], cut, err = p.ids(t); err != nil {
			return errors.Wrapf(err, "finetune: text %d", i)
		}
		p.count(cut)
		lengths[i] = int32(len(ids[i]))
	}
	q := &data.Sequences{Lengths: lengths, Context: p.Settings.Data.Context, Tokens: p.Settings.Train.Tokens, At: func(i int, _ uint64) (data.Sequence, error) {
		return data.Sequence{IDs: ids[i]}, nil
	}}
	at, order := 0, q.Order()
	return p.run.Outputs(q, output, func(n int, y []float32) error {
		k := len(y) / n
		for i := range n {
			f(int(order[at]), y[i*k:(i+1)*k])
			at++
		}
		return nil
	})
}
