package finetune

import (
	"maps"
	"slices"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// textMetrics has, by name, the metrics that compare a model's texts with reference texts.
var textMetrics = map[string]metric.Text{"bleu": metric.BLEU, "bleu_zh": metric.BLEUChinese, "chrf": metric.ChrF, "rouge1": metric.ROUGE1,
	"rouge2": metric.ROUGE2, "rougel": metric.ROUGEL, "rougel_chars": metric.ROUGELChars, "exact": metric.Exact}

// TextMetrics lists the metrics of EvaluateText.
func TextMetrics() []string { return slices.Sorted(maps.Keys(textMetrics)) }

// EvaluateText has the model answer the given rows of r, greedily, and compares its answers with the records' own by
// metrics of TextMetrics. With rows nil it takes all records. In a chat of several turns only the last answer counts;
// the model is given all turns before it. EvaluateText returns the values, their 95 % intervals (by the bootstrap
// over records) and the answers in the order of rows. A chat that leaves no room for an answer has none, and is counted
// in p.Unusable. A task other than chat is an error.
func (p *Predictor) EvaluateText(r *record.Records, rows []int, metrics []string, maxTokens int) (values map[string]Number, ci95 map[string][2]Number, answers []string, err error) {
	scores := map[string]*metric.TextScores{}
	for _, name := range metrics {
		m, ok := textMetrics[name]
		if !ok {
			return nil, nil, nil, errors.Errorf("finetune: metric %q; known: %v", name, TextMetrics())
		}
		scores[name] = m.New()
	}
	if rows == nil {
		rows = r.Rows()
	}
	if len(rows) == 0 {
		return nil, nil, nil, errors.New("finetune: no records to measure on")
	}
	replies, wanted, err := p.task.replies(p, r, rows, generate.Options{Tokens: maxTokens})
	if err != nil {
		return nil, nil, nil, err
	}
	answers = make([]string, len(rows))
	var answered []int
	for i, a := range replies {
		if a.Text == nil {
			p.Unusable.Add(r, rows[i], errors.New(a.Error))
			continue
		}
		answers[i], answered = *a.Text, append(answered, i)
	}
	if len(answered) == 0 {
		return nil, nil, nil, errors.Errorf("finetune: none of %d chats can be answered: %v", len(rows), p.Unusable)
	}
	statistics := map[string]func(rows []int) float64{}
	for name, s := range scores {
		for _, i := range answered {
			if err := s.Add(answers[i], wanted[i]); err != nil {
				return nil, nil, nil, err
			}
		}
		statistics[name] = s.Of
	}
	m := summary(len(answered), statistics)
	return m.values, m.ci95, answers, nil
}
