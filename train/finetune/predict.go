package finetune

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/internal/weights"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
)

// Predictor is what a run has learned, ready to be used. Close it after use. Not safe for concurrent use.
type Predictor struct {
	*Job
	run *train.Run
	x   plan.Executor
	own bool // x is the predictor's to close
}

// Answer is what a predictor says of a text.
type Answer struct {
	Label         string            `json:"label,omitempty"`       // of classify: the most probable class
	Probability   *Number           `json:"probability,omitempty"` // of Label
	Labels        []string          `json:"labels,omitempty"`      // of multilabel: those above one half
	Probabilities map[string]Number `json:"probabilities,omitempty"`
	Value         *Number           `json:"value,omitempty"` // of regress
	Spans         []Span            `json:"spans,omitzero"`  // of tag
	Text          *string           `json:"text,omitempty"`  // of chat and lm
	Embedding     []float32         `json:"embedding,omitempty"`
}

// OpenRun opens the run in folder dir. Its model must be where it was; x may be nil for the CPU.
func OpenRun(dir string, x plan.Executor) (*Predictor, error) {
	s, err := Load(filepath.Join(dir, SettingsFile))
	if err != nil {
		return nil, err
	}
	make := tasks[s.Task]
	if make == nil {
		return nil, errors.Errorf("finetune: %s is not a run of ceto finetune: its task is %q", dir, s.Task)
	}
	if _, err := os.Stat(filepath.Join(dir, ResultFile)); err != nil {
		return nil, errors.Errorf("finetune: %s has no %s: the run was not finished; go on with ceto finetune --resume", dir, ResultFile)
	}
	j := &Job{Settings: s, task: make()}
	heads, err := j.openTrained(dir)
	if err != nil {
		j.Close()
		return nil, err
	}
	p, err := j.predictor(x, heads)
	if err != nil {
		j.Close()
	}
	return p, err
}

// openTrained opens the model with what was learned, and returns the parameters of the head.
func (j *Job) openTrained(dir string) (map[string]graph.Buf, error) {
	if j.Settings.Method == Full {
		j.Settings.Model = filepath.Join(dir, ModelDir)
	}
	if err := j.openModel(); err != nil {
		return nil, err
	}
	if err := j.task.restore(j); err != nil {
		return nil, err
	}
	if j.Settings.Method != Full {
		return j.Source.AdaptTask(filepath.Join(dir, AdapterDir))
	}
	if _, ok := j.task.(writer); ok {
		return nil, nil
	}
	path := filepath.Join(dir, ModelDir, headFile)
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	heads := map[string]graph.Buf{}
	for _, t := range f.Tensors {
		if heads[t.Name], err = weights.Value(t, graph.Of(graph.Float32, t.Shape...)); err != nil {
			return nil, errors.Wrap(err, path)
		}
	}
	return heads, nil
}

// predictor builds the model and fills it.
func (j *Job) predictor(x plan.Executor, heads map[string]graph.Buf) (*Predictor, error) {
	own := x == nil
	if own {
		x = plan.CPU(0)
	}
	t := train.Trainer{Task: j.task.build(j), Executor: x, EvalBatch: j.evalBatch(), From: func(s plan.State) error {
		if err := j.fill(s); err != nil {
			return err
		}
		for name, b := range heads {
			if err := s.Write(name, graph.Dense(b)); err != nil {
				return errors.Wrapf(err, "finetune: the head's %s", name)
			}
		}
		return nil
	}}
	run, err := t.New(&data.Sequences{Lengths: []int32{1}, Context: j.Settings.Data.Context})
	if err != nil {
		if own {
			x.Close()
		}
		return nil, err
	}
	return &Predictor{j, run, x, own}, nil
}

// Close frees what the predictor holds.
func (p *Predictor) Close() error {
	err := p.Job.Close()
	if e := p.run.Close(); err == nil {
		err = e
	}
	if p.own {
		p.own = false
		if e := p.x.Close(); err == nil {
			err = e
		}
	}
	return err
}

// Predict answers texts, in their order.
func (p *Predictor) Predict(texts []string) ([]Answer, error) {
	if _, ok := p.task.(writer); ok {
		return p.goOn(texts)
	}
	if t, ok := p.task.(*tag); ok {
		return t.predict(p, texts)
	}
	answers := make([]Answer, len(texts))
	err := p.outputs(texts, p.task.output(), func(i int, y []float32) { answers[i] = p.task.answer(p.Job, y) })
	return answers, err
}

// Embed returns a vector for each text: what the head of a task of classes, labels or numbers sees, by the settings' pool.
func (p *Predictor) Embed(texts []string) ([][]float32, error) {
	if !p.task.pooled() {
		return nil, errors.Errorf("finetune: Embed: a run of %s has no vector for a text", p.Settings.Task)
	}
	vectors := make([][]float32, len(texts))
	err := p.outputs(texts, "pooled", func(i int, y []float32) { vectors[i] = slices.Clone(y) })
	return vectors, err
}

// outputs runs the model over texts and calls f with the named output of each.
func (p *Predictor) outputs(texts []string, output string, f func(i int, y []float32)) error {
	ids, lengths := make([][]int32, len(texts)), make([]int32, len(texts))
	for i, t := range texts {
		var err error
		if ids[i], err = p.ids(t); err != nil {
			return errors.Wrapf(err, "finetune: text %d", i)
		}
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

// Evaluate measures the run on records of its columns: metrics and their 95 % intervals by name.
func (p *Predictor) Evaluate(r *record.Records) (metrics map[string]Number, ci95 map[string][2]Number, err error) {
	if err := p.task.columns(p.Job, r); err != nil {
		return nil, nil, err
	}
	of := &part{r: r, rows: r.Rows()}
	q, err := p.sequences(of, false)
	if err != nil {
		return nil, nil, err
	}
	if q.Len() == 0 {
		return nil, nil, errors.New("finetune: no records to measure on")
	}
	_, metrics, ci95, err = p.judgePart(p.run, of, q)
	return metrics, ci95, err
}

// String is the answer and its probability, with a tab between.
func (a Answer) String() string {
	switch {
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
