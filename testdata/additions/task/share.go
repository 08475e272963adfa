package finetune

import (
	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/lpft"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// share is the task of a number from 0 to 1 for a text, such as the share of readers who liked it. Its loss is the
// binary cross-entropy, which is lowest where the prediction is the share.
type share struct{ pooled }

func (*share) about() string { return "a number from 0 to 1 a text, such as a share" }

func (*share) columns(d *DataSettings, r *record.Records) error {
	if err := oneLabel(d, "share", "shares", ""); err != nil {
		return err
	}
	return textColumns(d, r)
}

func (*share) field() (data.Field, bool) { return numbered(1) }

func (*share) make(s *Setup, e entry) ([]example, error) {
	x, err := s.textExample(e)
	if err != nil {
		return nil, err
	}
	column := s.Settings.Data.Label[0]
	v, err := e.number(column)
	if err != nil {
		return nil, err
	}
	if v < 0 || v > 1 {
		return nil, errors.Errorf("column %q has %g; want a share from 0 to 1", column, v)
	}
	x.Values = []float32{v}
	return []example{x}, nil
}

func (*share) build(s *Setup) train.Task { return s.classifier(1, nn.BCEWithLogits{}) }

func (*share) target(*Setup) lpft.Target { return lpft.Target{Link: lpft.Logistic} }

func (*share) judge(_ *Setup, run *train.Run, _ *subset, q *data.Sequences) (judged, error) {
	return judgeBy(run, q, namedMetric{"mae", metric.MAE}, namedMetric{"rmse", metric.RMSE}, namedMetric{"spearman", metric.Spearman})
}

func (*share) predict(p *Predictor, texts []string) ([]Answer, error) {
	return p.answers(texts, numberAnswer)
}
