package finetune

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/lpft"
	"github.com/pkg/errors"
)

// task is what the kinds of fine-tuning differ in. Each of its parts is declared in the file that calls it. A type that
// embeds base, pooled or causal has defaults for most methods. A task remembers what it has learned about the records.
type task interface {
	// about describes the task for the program's help, in one line or more.
	about() string
	presets   // defaults of settings: settings.go
	reader    // reading records: data.go
	maker     // making examples: examples.go
	learner   // training and measuring: fit.go
	responder // answering: predictor.go
	saver     // saving a run: save.go
}

// newTask returns the task of that name, which has not seen any records yet.
func newTask(name string) (task, error) {
	for _, k := range tasks {
		if k.name == name {
			return k.new(), nil
		}
	}
	return nil, errors.Errorf("finetune: task %q; known: %v", name, Tasks())
}

// Tasks lists the tasks by name, in alphabetical order.
func Tasks() []string {
	var names []string
	for _, k := range tasks {
		names = append(names, k.name)
	}
	slices.Sort(names)
	return names
}

// Describe returns a line or more for each task, for a help text: its name and what its records hold.
func Describe() string {
	var b strings.Builder
	for _, k := range tasks {
		about := strings.ReplaceAll(k.new().about(), "\n", "\n"+strings.Repeat(" ", 15))
		b.WriteString("  " + k.name + strings.Repeat(" ", max(1, 13-len(k.name))) + about + "\n")
	}
	return b.String()
}

// base has the defaults of a task with a new head, whose records each have a text and a label.
type base struct{}

func (base) probes() bool { return false }

func (base) newHead() bool { return true }

// rate is low, since the head was fitted first and the other parameters need to move only a little.
func (base) rate() float64 { return 2e-4 }

func (base) longest(s *Setup) int { return s.Settings.Data.Context }

func (base) shorter(_ []int32, context int) int { return context }

// valShare is 0.2 for up to 1,000 records, and 0.1 for more.
func (base) valShare(records int) float64 {
	if records <= 1000 {
		return 0.2
	}
	return 0.1
}

// sizes sets a batch of 8 examples, or 16 where an example has less than 32 tokens on average. It sets 2 epochs for 667
// examples or more, and up to 8 for fewer.
func (base) sizes(s *Settings, n extent) {
	batch := 8
	if float64(n.tokens)/float64(n.examples) < 32 {
		batch = 16
	}
	s.Train.Batch = cmp.Or(s.Train.Batch, min(batch, n.examples))
	s.Train.Tokens = cmp.Or(s.Train.Tokens, 1024)
	s.Train.Epochs = cmp.Or(s.Train.Epochs, min(8, max(2, 2000/max(1, n.examples))))
	each := 1
	if s.Train.Epochs < 4 {
		each = 2
	}
	s.Train.Evaluations = cmp.Or(s.Train.Evaluations, each)
}

func (base) columns(d *DataSettings, r *record.Records) error { return textColumns(d, r) }

func (base) usable(s *Setup, r *record.Records, row int) error {
	_, err := r.Text(row, s.Settings.Data.Text)
	return err
}

func (base) open(*Setup, *record.Records) error { return nil }

func (base) restore(*Setup) error { return nil }

func (base) strata() *record.Classes { return nil }

func (base) divided(*Setup, *Data) error { return nil }

func (base) identity(d *DataSettings, r *record.Records) record.Texts { return r.Column(d.Text) }

func (base) question(*DataSettings, *record.Records) record.Texts { return nil }

func (base) leftOut(n, _ int) string { return emptyTexts(n) }

// evalBatch is 32 examples.
func (base) evalBatch(*Setup) int { return 32 }

func (base) fill(s *Setup, state plan.State) error { return s.Source.FillTrunk(state) }

func (base) batches(_ *Setup, q *data.Sequences) train.TrainData { return q }

func (base) target(*Setup) lpft.Target { return lpft.Target{} }

func (base) chance(*Setup) float64 { return 0 }

func (base) predictRows(p *Predictor, r *record.Records, rows []int) ([]Answer, error) {
	return p.PredictColumn(r, p.Settings.Data.Text, rows)
}

func (base) answer(p *Predictor, _ [][]generate.Message, _ generate.Options) ([]string, error) {
	return nil, errors.Errorf("finetune: Answer: the task of the run is %s; want chat", p.Settings.Task)
}

func (base) replies(p *Predictor, _ *record.Records, _ []int, _ generate.Options) (answers []Answer, wanted []string, err error) {
	return nil, nil, errors.Errorf("finetune: EvaluateText: the task of the run is %s; want chat", p.Settings.Task)
}

func (base) next(_ Settings, run string) []string {
	return []string{"ceto predict --run " + run + " --data FILE --text COLUMN", "ceto eval --run " + run + " --data FILE"}
}

func (base) peft() string { return "" }

func (base) ends(s *Setup) []int32 { return s.Source.End }

// emptyTexts says that n records have no text.
func emptyTexts(n int) string { return fmt.Sprintf("%d empty texts are left out", n) }
