// Package finetune teaches a pretrained model a task of one's own: a new head on its trunk, LoRA in its layers, the
// data split and checked, training stopped where validation no longer gains, metrics with intervals.
//
//	j, err := finetune.Open(finetune.Settings{Task: "classify", Model: "smollm2",
//		Data: finetune.DataSettings{Path: "sms.csv", Text: "text", Label: []string{"label"}}})
//	defer j.Close()
//	r, err := j.Fit(finetune.Options{Out: "runs/sms"})
//	fmt.Println(r.Metrics["f1"], r.CI95["f1"])
//
//	p, err := finetune.OpenRun("runs/sms", nil)
//	answers, err := p.Predict([]string{"You have won a prize"})
package finetune

import (
	"sort"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// Job is a model, a task and the records to learn it from. Close it after use.
type Job struct {
	Settings  Settings // resolved
	Source    *pretrained.Source
	Tokenizer token.Tokenizer
	Counts    Counts

	task             task
	train, val, test *part // test is nil without a file of its own
	files            []*record.Records
	augment          record.Augment
	choose           bool // the context that suits a writer's examples
}

// Counts say what was read.
type Counts struct {
	Rows       int // records that are used
	Duplicates int // left out, as a record before has the same text, folded
	Leaks      int // left out of training, as their text is in the validation or test file
	Train, Val int
	Test       int
	Truncated  int // examples longer than the context
	LeftOut    int // chats whose answers lie behind the context, and empty texts of lm
	LostSpans  int // of tag: spans without a token of their own, mostly behind the context
	Tokens     int // of an epoch of training
	Balance    record.Balance
	Warnings   []string
}

// task is what the kinds of fine-tuning differ in.
type task interface {
	pooled() bool                            // one head over a vector that stands for the text
	columns(j *Job, r *record.Records) error // refuses records without the columns that the task reads
	open(j *Job, r *record.Records) error    // learns what the task has to know of the records
	restore(j *Job) error                    // takes that from the settings of a run instead
	target() (y data.Field, perID bool)
	// example makes an example of a record; with learn the text may be a variant of it.
	example(j *Job, r *record.Records, row int, learn bool, epoch uint64) (data.Sequence, error)
	build(j *Job) train.Task
	metrics(j *Job) []namedMetric
	output() string // of build that answers are made from
	answer(j *Job, y []float32) Answer
	chance(j *Job) float64 // the loss of knowing no more than how often each answer comes; 0 where that is not known
}

// namedMetric is a metric by the name that a report gives it.
type namedMetric struct {
	name string
	metric.Metric
}

// tasks are the kinds by name.
var tasks = map[string]func() task{
	"classify": func() task { return &classify{} }, "multilabel": func() task { return &multilabel{} },
	"regress": func() task { return &regress{} }, "chat": func() task { return &chat{} },
	"lm": func() task { return &lm{} }, "tag": func() task { return &tag{} },
}

// Tasks lists the tasks.
func Tasks() []string {
	var names []string
	for n := range tasks {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// part is some records of a file.
type part struct {
	r       *record.Records
	rows    []int
	lengths []int32 // of their examples, once they were measured

	pieces []data.Sequence // of lm: the examples
}

// Open reads what the settings name, all but the model's values, and divides the records. What is wrong with them is an
// error of one line.
func Open(s Settings) (*Job, error) {
	make := tasks[s.Task]
	if make == nil {
		return nil, errors.Errorf("finetune: task %q; known: %v", s.Task, Tasks())
	}
	j := &Job{Settings: s, task: make()}
	if err := j.open(); err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

func (j *Job) open() (err error) {
	s := &j.Settings
	_, writes := j.task.(writer)
	j.choose = writes && s.Data.Context == 0
	if err := j.openModel(); err != nil {
		return err
	}
	if j.choose {
		s.Data.Context = min(maxRow, j.Source.Model.Dims().Context)
	}
	if a := s.Data.Augment; a.Replace > 0 && a.Synonyms != "" {
		if j.augment.Synonyms, err = record.ReadSynonyms(a.Synonyms); err != nil {
			return err
		}
	}
	j.augment.Swap, j.augment.Delete, j.augment.Replace = s.Data.Augment.Swap, s.Data.Augment.Delete, s.Data.Augment.Replace
	main, err := j.openFile(s.Data.Path)
	if err != nil {
		return err
	}
	if err := j.task.columns(j, main); err != nil {
		return err
	}
	if err := j.task.open(j, main); err != nil {
		return err
	}
	if err := j.divide(main); err != nil {
		return err
	}
	if t, ok := j.task.(*tag); ok {
		if err := t.divided(j); err != nil {
			return err
		}
	}
	return j.measure()
}

// openModel opens the model's header and tokenizer and resolves the settings.
func (j *Job) openModel() (err error) {
	if j.Source, err = pretrained.Open(j.Settings.Model); err != nil {
		return err
	}
	if err := j.Settings.resolve(j.task, j.Source.Model); err != nil {
		return err
	}
	j.Tokenizer, err = j.Source.Tokenizer()
	return err
}

func (j *Job) openFile(path string) (*record.Records, error) {
	r, err := record.Open(path, j.Settings.Data.records())
	if err == nil {
		j.files = append(j.files, r)
	}
	return r, err
}

// Close closes the files.
func (j *Job) Close() error {
	var first error
	for _, r := range j.files {
		if err := r.Close(); err != nil && first == nil {
			first = err
		}
	}
	if j.Source != nil {
		if err := j.Source.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// text is the column that the task reads; chat has a layout.
func (j *Job) text() string { return j.Settings.Data.Text }

// fill reads the model's values, without an untied head that the task does not have.
func (j *Job) fill(s plan.State) error {
	if _, ok := j.task.(writer); ok {
		return j.Source.Fill(s)
	}
	return j.Source.FillTrunk(s)
}

// evalBatch is the number of examples of a batch that is not trained on: at most 32, and so many that the logits of a
// writer take at most 256 MiB.
func (j *Job) evalBatch() int {
	const most, bytes = 32, 256 << 20
	if _, ok := j.task.(writer); !ok {
		return most
	}
	return max(1, min(most, bytes/(4*j.Source.Model.Dims().Vocab*j.Settings.Data.Context)))
}

// lora is the setting as nn has it; nil where all parameters are trained.
func (j *Job) lora() *nn.LoRA {
	if j.Settings.Method == Full {
		return nil
	}
	l := j.Settings.LoRA
	if j.Settings.Method == Head {
		return &nn.LoRA{Targets: []string{"-"}, Rank: 1, Also: []string{headPattern}}
	}
	return &nn.LoRA{Targets: l.Targets, Rank: l.Rank, Alpha: l.Alpha, Dropout: l.Dropout, Also: []string{headPattern}}
}
