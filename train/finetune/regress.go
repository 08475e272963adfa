package finetune

import (
	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/lpft"
	"github.com/ceto-ml/ceto/train/metric"
)

// regress is the task of a number for a text.
type regress struct{ pooled }

func (*regress) about() string { return "a number a text" }

func (*regress) columns(d *DataSettings, r *record.Records) error {
	if err := oneLabel(d, "regress", "numbers", ""); err != nil {
		return err
	}
	return textColumns(d, r)
}

func (g *regress) usable(s *Setup, r *record.Records, row int) error {
	if _, err := (entry{Records: r, row: row}).number(s.Settings.Data.Label[0]); err != nil {
		return err
	}
	return g.base.usable(s, r, row)
}

func (*regress) field() (data.Field, bool) { return numbered(1) }

func (*regress) make(s *Setup, e entry) ([]example, error) {
	x, err := s.textExample(e)
	if err != nil {
		return nil, err
	}
	v, err := e.number(s.Settings.Data.Label[0])
	x.Values = []float32{v}
	return []example{x}, err
}

func (*regress) build(s *Setup) train.Task { return s.classifier(1, nn.MSE{}) }

func (*regress) target(*Setup) lpft.Target { return lpft.Target{Link: lpft.Identity} }

func (*regress) judge(_ *Setup, run *train.Run, _ *subset, q *data.Sequences) (judged, error) {
	return judgeBy(run, q, namedMetric{"mae", metric.MAE}, namedMetric{"rmse", metric.RMSE}, namedMetric{"r2", metric.R2},
		namedMetric{"pearson", metric.Pearson}, namedMetric{"spearman", metric.Spearman})
}

func (*regress) predict(p *Predictor, texts []string) ([]Answer, error) {
	return p.answers(texts, numberAnswer)
}

// numberAnswer makes an answer of a prediction of one number.
func numberAnswer(y []float32) Answer {
	v := Number(y[0])
	return Answer{Value: &v}
}
