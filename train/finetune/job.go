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
	"slices"
	"sort"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// Job is a model, a task and the records to learn it from. Close it after use.
type Job struct {
	Settings  Settings // resolved
	Source    *gpt.Source
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
	if j.Source, err = gpt.Open(j.Settings.Model); err != nil {
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

// divide makes the parts.
func (j *Job) divide(main *record.Records) (err error) {
	d, seed := &j.Settings.Data, j.Settings.Train.Seed
	rows := main.Rows()
	if !d.Duplicates {
		same, err := record.Near{Text: j.key(main, true), Similarity: 1}.Within(rows)
		if err != nil {
			return err
		}
		j.Counts.Duplicates = len(same)
		rows = record.Without(rows, same)
	}
	var classes *record.Classes
	if c, ok := j.task.(*classify); ok {
		classes = c.classes
	}
	if rows, err = j.draw(rows, classes); err != nil {
		return err
	}
	held := map[string]*part{}
	for name, path := range map[string]string{"val": d.ValPath, "test": d.TestPath} {
		if path == "" {
			continue
		}
		r, err := j.openFile(path)
		if err != nil {
			return err
		}
		if rows, err = j.withoutLeaks(main, rows, r); err != nil {
			return err
		}
		if err := j.task.columns(j, r); err != nil {
			return err
		}
		held[name] = &part{r: r, rows: r.Rows()}
	}
	j.train, j.val, j.test = &part{r: main, rows: rows}, held["val"], held["test"]
	if j.val == nil {
		if d.Val == 0 {
			d.Val = 0.1
			if len(rows) <= 1000 {
				d.Val = 0.2
			}
			if _, ok := j.task.(writer); ok { // each costs as much as training on it, nearly
				d.Val = min(d.Val, 200/float64(len(rows)))
			}
		}
		parts, err := record.Split(rows, classes, seed, 1-d.Val, d.Val)
		if err != nil {
			return err
		}
		j.train.rows, j.val = parts[0], &part{r: main, rows: parts[1]}
		if _, ok := j.task.(*chat); ok { // a question may have several answers
			leaks, err := record.Near{Text: j.key(main, false), Similarity: 1}.Leaks(parts[1], parts[0])
			if err != nil {
				return err
			}
			j.Counts.Leaks, j.train.rows = j.Counts.Leaks+len(leaks), record.Without(parts[0], leaks)
		}
	}
	if len(j.train.rows) < 2 || len(j.val.rows) < 1 {
		return errors.Errorf("finetune: %d records to train on and %d to validate on, of %d; want at least 2 and 1", len(j.train.rows), len(j.val.rows), main.Len())
	}
	if classes != nil {
		return j.checkClasses(classes)
	}
	return nil
}

// draw returns as many of the rows as the settings want.
func (j *Job) draw(rows []int, classes *record.Classes) ([]int, error) {
	n := j.Settings.Data.Rows
	if n == 0 || n >= len(rows) {
		return rows, nil
	}
	parts, err := record.Split(rows, classes, j.Settings.Train.Seed, float64(n), float64(len(rows)-n))
	if err != nil {
		return nil, err
	}
	return parts[0], nil
}

// withoutLeaks returns rows of a without those whose text or question, folded, is in b.
func (j *Job) withoutLeaks(a *record.Records, rows []int, b *record.Records) ([]int, error) {
	n, ofA, ofB := b.Len(), j.key(a, false), j.key(b, false)
	of := func(i int) (string, error) {
		if i < n {
			return ofB(i)
		}
		return ofA(i - n)
	}
	shifted := make([]int, len(rows))
	for i, r := range rows {
		shifted[i] = r + n
	}
	leaks, err := record.Near{Text: of, Similarity: 1}.Leaks(b.Rows(), shifted)
	if err != nil {
		return nil, err
	}
	j.Counts.Leaks += len(leaks)
	kept := record.Without(shifted, leaks)
	for i := range kept {
		kept[i] -= n
	}
	return kept, nil
}

// column refuses a column that is missing, and names those there are.
func column(r *record.Records, setting, name string) error {
	if name == "" {
		return errors.Errorf("finetune: no column is named as %s; there are %q", setting, r.Columns())
	}
	if !slices.Contains(r.Columns(), name) {
		return errors.Errorf("finetune: %s %q: no such column; there are %q", setting, name, r.Columns())
	}
	return nil
}

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
