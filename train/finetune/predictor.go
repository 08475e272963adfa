package finetune

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/mapped"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/internal/weights"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
)

// Predictor is a model with what a run has learned. Close it after use. It is not safe for concurrent use.
type Predictor struct {
	*Setup
	// Truncated counts the texts so far that were longer than the context. The rest of each was left out.
	Truncated int
	// Unusable counts the records so far that could not be used.
	Unusable record.Unusable

	run *train.Run
	x   plan.Executor
	own bool // Close closes x
}

// responder is a task's part in answering.
type responder interface {
	// predict answers texts.
	predict(p *Predictor, texts []string) ([]Answer, error)
	// predictRows answers records, which need not have the column of the answers.
	predictRows(p *Predictor, r *record.Records, rows []int) ([]Answer, error)
	// answer continues chats; see Predictor.Answer.
	answer(p *Predictor, chats [][]generate.Message, o generate.Options) ([]string, error)
	// replies answers the chats of records up to the last answer, and returns that answer as wanted.
	replies(p *Predictor, r *record.Records, rows []int, o generate.Options) (answers []Answer, wanted []string, err error)
	// next returns commands that use a run, for a report.
	next(s Settings, run string) []string
}

// Answer is what a predictor says about a text. Each task sets its own fields.
type Answer struct {
	Label         string            `json:"label,omitempty"`       // classify: the most probable class
	Probability   *Number           `json:"probability,omitempty"` // classify: the probability of Label
	Labels        []string          `json:"labels,omitempty"`      // multilabel: labels whose probability is above one half
	Probabilities map[string]Number `json:"probabilities,omitempty"`
	Value         *Number           `json:"value,omitempty"` // regress
	Spans         []Span            `json:"spans,omitzero"`  // tag
	Text          *string           `json:"text,omitempty"`  // chat and lm
	Embedding     []float32         `json:"embedding,omitempty"`
	Error         string            `json:"error,omitempty"` // why there is no answer; the other fields are empty then
}

// OpenRun opens the run in folder dir. The model that it began with must be where it was. x may be nil for the CPU.
func OpenRun(dir string, x plan.Executor) (*Predictor, error) {
	s, err := ReadSettings(filepath.Join(dir, SettingsFile))
	if err != nil {
		return nil, err
	}
	t, err := newTask(s.Task)
	if err != nil {
		return nil, errors.Errorf("finetune: %s is not a run of ceto finetune: its task is %q", dir, s.Task)
	}
	if _, err := os.Stat(filepath.Join(dir, ResultFile)); err != nil {
		return nil, errors.Errorf("finetune: %s has no %s: the run was not finished; go on with ceto finetune --resume", dir, ResultFile)
	}
	if s.Method == Full {
		s.Model = filepath.Join(dir, ModelDir)
	}
	return openPredictor(s, t, x, func(s *Setup) (map[string]graph.Buf, error) { return s.learned(dir) })
}

// OpenBase opens the pretrained model of the settings as it is, without a run. Its answers and its
// loss are those before fine-tuning. The settings' task must be chat or lm. x may be nil for the CPU.
func OpenBase(s Settings, x plan.Executor) (*Predictor, error) {
	t, err := newTask(s.Task)
	if err != nil {
		return nil, err
	}
	if t.newHead() {
		return nil, errors.Errorf("finetune: a model that was not fine-tuned has no head for %s; want chat or lm", s.Task)
	}
	return openPredictor(s, t, x, func(*Setup) (map[string]graph.Buf, error) { return nil, nil })
}

// openPredictor opens a model and reads its values. learned adds what a run has learned, and returns the parameters
// of a new head.
func openPredictor(s Settings, t task, x plan.Executor, learned func(*Setup) (map[string]graph.Buf, error)) (*Predictor, error) {
	setup, err := openSetup(s, t)
	if err != nil {
		return nil, err
	}
	p := &Predictor{Setup: setup, x: x, own: x == nil}
	var head map[string]graph.Buf
	if err = t.restore(setup); err == nil {
		head, err = learned(setup)
	}
	if err == nil {
		if p.own {
			p.x = plan.CPU(0)
		}
		err = p.fill(head)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// learned adds what the run in folder dir has learned to the model's files. It returns the parameters of a new head.
func (s *Setup) learned(dir string) (map[string]graph.Buf, error) {
	if s.Settings.Method != Full {
		return s.Source.AdaptTask(filepath.Join(dir, AdapterDir))
	}
	if !s.task.newHead() {
		return nil, nil
	}
	path := filepath.Join(dir, ModelDir, headFile)
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := map[string]graph.Buf{}
	err = mapped.Guard(func() (err error) {
		for _, t := range f.Tensors {
			if head[t.Name], err = weights.Value(t, graph.Of(graph.Float32, t.Shape...)); err != nil {
				return err
			}
		}
		return nil
	})
	return head, errors.Wrap(err, path)
}

// fill builds the model and reads its values and those of a new head.
func (p *Predictor) fill(head map[string]graph.Buf) (err error) {
	t := train.Trainer{Task: p.task.build(p.Setup), Executor: p.x, EvalBatch: p.task.evalBatch(p.Setup), From: func(s plan.State) error {
		if err := p.task.fill(p.Setup, s); err != nil {
			return err
		}
		for name, b := range head {
			if err := s.Write(name, graph.Dense(b)); err != nil {
				return errors.Wrapf(err, "finetune: the head's %s", name)
			}
		}
		return nil
	}}
	p.run, err = t.New(&data.Sequences{Lengths: []int32{1}, Context: p.Settings.Data.Context})
	return err
}

// Close closes the model's files, and the executor that the predictor made.
func (p *Predictor) Close() error {
	err := p.Source.Close()
	if p.run != nil {
		if e := p.run.Close(); err == nil {
			err = e
		}
	}
	if p.own && p.x != nil {
		p.own = false
		if e := p.x.Close(); err == nil {
			err = e
		}
	}
	return err
}

// count counts a text where it was cut.
func (p *Predictor) count(cut bool) {
	if cut {
		p.Truncated++
	}
}

// Predict returns an answer for each text, in their order. A text that leaves no room for what a model writes has an
// answer that says so. With the setting strict it is an error.
func (p *Predictor) Predict(texts []string) ([]Answer, error) { return p.task.predict(p, texts) }

// PredictRows returns an answer for each of the rows of r. With task chat records are read by their layout, and need no
// column of answers. With other tasks their text column is read. A record that cannot be answered has an answer that
// says why. With the setting strict it is an error.
func (p *Predictor) PredictRows(r *record.Records, rows []int) ([]Answer, error) {
	return p.task.predictRows(p, r, rows)
}

// PredictColumn returns an answer for each of the rows of r, of the texts in a column. A record without a text in it
// has an answer that says why. With the setting strict it is an error.
func (p *Predictor) PredictColumn(r *record.Records, name string, rows []int) ([]Answer, error) {
	if err := column(r, "text", name); err != nil {
		return nil, err
	}
	var texts []string
	answers, of, err := p.each(r, rows, func(row int) error {
		text, err := r.Text(row, name)
		if err == nil {
			texts = append(texts, text)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	some, err := p.Predict(texts)
	for i, a := range some {
		if a.Error != "" {
			a.Error = r.Reason(rows[of[i]], errors.New(a.Error)).Error()
		}
		answers[of[i]] = a
	}
	return answers, err
}

// each reads records. It returns an answer for each row, which says why the record cannot be read, and the places of
// the answers that are to come.
func (p *Predictor) each(r *record.Records, rows []int, read func(row int) error) (answers []Answer, of []int, err error) {
	answers = make([]Answer, len(rows))
	for i, row := range rows {
		err := read(row)
		switch {
		case err == nil:
			of = append(of, i)
		case p.Settings.Data.Strict:
			return nil, nil, errors.Errorf("finetune: %v", r.Reason(row, err))
		default:
			answers[i].Error = r.Reason(row, err).Error()
		}
	}
	return answers, of, nil
}

// Embed returns a vector for each text: the input of the head of classify, multilabel or regress. Other tasks are an
// error.
func (p *Predictor) Embed(texts []string) ([][]float32, error) {
	if !p.task.probes() {
		return nil, errors.Errorf("finetune: Embed: the task of the run is %s, which has no vector for a text; want classify, multilabel or regress", p.Settings.Task)
	}
	vectors := make([][]float32, len(texts))
	err := p.outputs(texts, field.Pooled, func(i int, y []float32) { vectors[i] = slices.Clone(y) })
	return vectors, err
}

// Evaluate measures the model on all records of r, which has the columns of the run's own data. It returns metrics and
// their 95 % intervals by name. Records that cannot be used are dropped from r and counted in p.Unusable.
func (p *Predictor) Evaluate(r *record.Records) (metrics map[string]Number, ci95 map[string][2]Number, err error) {
	if err := p.task.columns(&p.Settings.Data, r); err != nil {
		return nil, nil, err
	}
	if err := p.filter(r, &p.Unusable); err != nil {
		return nil, nil, err
	}
	all := &subset{r: r, rows: r.Rows(), held: true}
	lost, err := p.measure(all, &p.Unusable)
	if err != nil {
		return nil, nil, err
	}
	if len(all.of) == 0 {
		return nil, nil, errors.Errorf("finetune: none of %d records can be measured on: %v", len(lost.unusable)+lost.records, p.Unusable)
	}
	q, err := p.sequences(all, nil)
	if err != nil {
		return nil, nil, err
	}
	m, err := p.task.judge(p.Setup, p.run, all, q)
	r.Drop(lost.unusable)
	return m.values, m.ci95, err
}

// String returns the answer in one line. A class is followed by a tab and its probability.
func (a Answer) String() string {
	switch {
	case a.Error != "":
		return "error: " + strings.Join(strings.Fields(a.Error), " ")
	case a.Text != nil:
		return strings.Join(strings.Fields(*a.Text), " ")
	case a.Spans != nil:
		b, _ := json.Marshal(a.Spans)
		return string(b)
	case a.Value != nil:
		return strconv.FormatFloat(float64(*a.Value), 'g', 6, 64)
	case a.Labels != nil:
		return strings.Join(a.Labels, "|")
	case a.Probability != nil:
		return a.Label + "\t" + strconv.FormatFloat(float64(*a.Probability), 'f', 4, 64)
	}
	return a.Label
}
