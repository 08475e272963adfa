package finetune

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// Options say how a job is run.
type Options struct {
	Out         string // run folder; "" writes nothing
	Resume      bool   // go on with the run in Out
	Executor    plan.Executor
	MemoryLimit uint64
	Interrupt   <-chan struct{} // closed: finish the step, write a checkpoint, return train.ErrInterrupted
	Callbacks   []train.Callback
	Say         func(format string, a ...any) // told what happens; nil says nothing
	Ready       func(l *train.Loop)           // called before the first step, when all memory is planned
}

// Result is what a job has come to. Metrics are those of the validation records, Test those of the test file's, by the
// names that Metrics has too.
type Result struct {
	Task          string               `json:"task"`
	TrainRows     int                  `json:"train_rows"`
	ValRows       int                  `json:"val_rows"`
	Epochs        float64              `json:"epochs"`     // made
	BestEpoch     float64              `json:"best_epoch"` // of the best validation loss; 0 is the head on frozen features
	TrainedParams int                  `json:"trained_params"`
	Params        int                  `json:"params"`
	ValLoss       Number               `json:"val_loss"`
	BeforeLoss    Number               `json:"before_loss,omitempty"` // of chat and lm: of the validation records before training
	Metrics       map[string]Number    `json:"metrics"`
	CI95          map[string][2]Number `json:"ci95"`
	Test          map[string]Number    `json:"test,omitempty"`
	TestCI95      map[string][2]Number `json:"test_ci95,omitempty"`
	TestRows      int                  `json:"test_rows,omitempty"`
	Strength      float64              `json:"head_strength,omitempty"` // of the fitted head, as scikit-learn's C
	Seconds       float64              `json:"seconds"`
	Digest        string               `json:"digest"` // SHA-256 of the final parameters
	Run           string               `json:"run"`
	Verdict       train.Verdict        `json:"verdict"`
	History       []train.Status       `json:"-"`
	TestScores    *metric.Rows         `json:"-"`
	State         *train.State         `json:"-"`
}

// Number is a float64 whose NaN, where a metric is not defined, is null in JSON.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if !finite(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// fit is a job under way.
type fit struct {
	*Job
	o         Options
	loop      *train.Loop
	trainData *data.Sequences // as training sees them
	plain     *data.Sequences // the same examples, not augmented
	val, test *data.Sequences
	thaw      []train.Thaw
	perEpoch  int // steps
	strength  float64
	head      head      // that was fitted first; none after a resume
	first     []float64 // losses of the validation records with it
	start     time.Time
}

// Fit fine-tunes. The head is fitted first, to features of the frozen model, with a strength of regularisation that
// cross-validation finds; then training goes on from there (with LoRA, or of all parameters), and what had the best
// validation loss is kept; where fewer than 100 records validate, LoRA only if it is better than the head by more than a
// standard error. Where the head is kept, it is fitted again to training and validation records together, after the metrics are taken.
func (j *Job) Fit(o Options) (*Result, error) {
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	f := &fit{Job: j, o: o, start: time.Now()}
	err := f.open()
	if err == nil {
		f.loop, err = f.trainer().Start(f.batches())
	}
	if err != nil {
		return nil, err
	}
	defer f.loop.Close()
	if err := f.learn(); err != nil {
		return nil, err
	}
	return f.finish()
}

// open makes the data and the loop.
func (f *fit) open() (err error) {
	if f.trainData, err = f.sequences(f.Job.train, true); err != nil {
		return err
	}
	if f.plain, err = f.sequences(f.Job.train, false); err != nil {
		return err
	}
	if f.val, err = f.sequences(f.Job.val, false); err != nil {
		return err
	}
	if f.Job.test != nil {
		if f.test, err = f.sequences(f.Job.test, false); err != nil {
			return err
		}
	}
	f.thaw, err = thaws(f.Settings.Train.Thaw)
	return err
}

// thaws reads lines of "share pattern …".
func thaws(lines []string) (all []train.Thaw, err error) {
	for _, l := range lines {
		words := strings.Fields(l)
		if len(words) < 2 {
			return nil, errors.Errorf("finetune: thaw %q; want a share of the steps and patterns, such as \"0.5 *.layers.29.*\"", l)
		}
		at, err := strconv.ParseFloat(words[0], 64)
		if err != nil {
			return nil, errors.Errorf("finetune: thaw %q: %q is no share of the steps", l, words[0])
		}
		all = append(all, train.Thaw{At: at, Unfreeze: words[1:]})
	}
	return all, nil
}

// FindRate tests learning rates on the job: see train.Trainer.FindRate. The head is not fitted first.
func (j *Job) FindRate(o Options, finder train.RateFinder) (train.RateCurve, error) {
	f := &fit{Job: j, o: o}
	if f.o.Say == nil {
		f.o.Say = func(string, ...any) {}
	}
	if err := f.open(); err != nil {
		return train.RateCurve{}, err
	}
	return f.trainer().FindRate(f.batches(), finder)
}

// trainer is the loop's, by the settings.
func (f *fit) trainer() train.Trainer {
	s := f.Settings.Train
	batches := data.Batches(f.batches().Train(s.Seed), s.Batch, 1)
	f.perEpoch = (batches + s.Accumulate - 1) / s.Accumulate
	steps := f.perEpoch * s.Epochs
	orElse(&s.Checkpoint, f.perEpoch)
	t := s.Trainer()
	t.Task, t.LoRA, t.Freeze, t.Thaw, t.EMA = f.task.build(f.Job), f.lora(), s.Freeze, f.thaw, s.EMA
	t.Optimizer = train.AdamW{LR: s.LR, Decay: s.Decay, Groups: s.Groups}
	t.Schedule, t.Steps = train.Linear{Warmup: s.Warmup}, steps
	t.Val, t.EvalEvery, t.EvalBatch = f.val, max(1, f.perEpoch/s.Evaluations), f.evalBatch()
	t.Stop = train.EarlyStopping{Patience: s.Patience, RestoreBest: true}
	t.Callbacks, t.Interrupt = f.o.Callbacks, f.o.Interrupt
	t.Out, t.Resume, t.Config = f.o.Out, f.o.Resume, f.Settings
	t.Executor, t.MemoryLimit = f.o.Executor, f.o.MemoryLimit
	t.Warn = func(w string) { f.o.Say("warning: %s", w) }
	if !f.Settings.Random {
		t.From = f.fill
	}
	return t
}

// learn fits the head, where that is to be done and no step was made yet, and makes the steps.
func (f *fit) learn() error {
	if f.o.Ready != nil {
		f.o.Ready(f.loop)
	}
	if f.loop.StepsDone() == 0 {
		if !f.Settings.Head.NoFit {
			if err := f.fitHead(f.plain); err != nil {
				return err
			}
		}
		s, err := f.loop.Evaluate()
		if err != nil {
			return err
		}
		if f.chooses() {
			if f.first, err = f.losses(); err != nil {
				return err
			}
		}
		if !f.Settings.Head.NoFit {
			f.o.Say("head on frozen features (strength %g): validation loss %.4f", f.strength, s.ValLoss)
		}
	}
	if f.Settings.Method == Head {
		return f.loop.Finish()
	}
	return f.loop.Fit()
}

// fitHead fits the head to features of the frozen model, of all the given examples, and puts it into the state.
func (f *fit) fitHead(parts ...*data.Sequences) error {
	all := features{link: softmax, center: f.Settings.Head.Pool != "last"}
	for _, q := range parts {
		if err := f.addFeatures(&all, q); err != nil {
			return err
		}
	}
	all.dim = len(all.x) / all.n
	undo := all.prepare()
	var h head
	var err error
	if len(parts) == 1 {
		const k = 5
		h, f.strength, err = fitHead(all, folds(all, min(k, all.n)), min(k, all.n))
		defer func() { f.head = h }()
	} else {
		h, err = all.fit(f.strength)
	}
	if err != nil {
		return err
	}
	undo(h)
	return f.write(h)
}

// write puts a head into the state.
func (f *fit) write(h head) error {
	for name, v := range map[string][]float32{"score.weight": h.weight, "score.bias": h.bias} {
		if f.loop.Run.State.Params.Get(name) == nil {
			continue
		}
		err := f.loop.Run.State.Fill(name, func(b graph.Buf) error {
			copy(graph.Data[float32](b), v)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addFeatures runs the model over q and adds the pooled vectors and the targets.
func (f *fit) addFeatures(all *features, q *data.Sequences) error {
	var weights []float64
	if c, ok := f.task.(*classify); ok {
		weights = c.weights(f.Job)
	}
	at, order := 0, q.Order()
	return f.loop.Run.Outputs(q, "pooled", func(n int, y []float32) error {
		for i := range n {
			e, err := q.At(int(order[at]), 0)
			if err != nil {
				return err
			}
			at++
			k := len(y) / n
			for _, v := range y[i*k : (i+1)*k] {
				all.x = append(all.x, float64(v))
			}
			all.addTarget(f.Job, e, weights)
			all.n++
		}
		return nil
	})
}

// finish takes the metrics, fits the head again where it was the best, and saves the result.
func (f *fit) finish() (*Result, error) {
	step, loss, _ := f.loop.Best()
	run := f.loop.Run
	r := &Result{Task: f.Settings.Task, TrainRows: f.Counts.Train, ValRows: f.Counts.Val, TestRows: f.Counts.Test,
		Epochs: float64(f.loop.StepsDone()) / float64(f.perEpoch), BestEpoch: float64(step) / float64(f.perEpoch),
		ValLoss: Number(loss), Strength: f.strength, Run: f.o.Out, History: run.History, State: run.State}
	r.Params, r.TrainedParams = run.State.Params.Count()
	var err error
	if _, ok := f.task.(writer); ok {
		if r.BeforeLoss, err = f.beforeLoss(); err != nil {
			return nil, err
		}
	}
	r.Verdict = train.Judge(steps(run.History), f.task.chance(f.Job))
	head := step == 0 && !f.Settings.Head.NoFit
	if step > 0 && f.chooses() {
		if head, err = f.keepsHead(); err != nil {
			return nil, err
		}
	}
	if _, r.Metrics, r.CI95, err = f.judgePart(run, f.Job.val, f.val); err != nil {
		return nil, err
	}
	if head {
		if err := f.refit(r); err != nil {
			return nil, err
		}
	}
	if f.test != nil {
		if r.TestScores, r.Test, r.TestCI95, err = f.judgePart(run, f.Job.test, f.test); err != nil {
			return nil, err
		}
	}
	if r.Digest, err = run.State.Digest(); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(f.start).Seconds()
	if f.o.Out == "" {
		return r, nil
	}
	return r, f.save(r)
}

// refit fits the head that is kept to all records but those of the test.
func (f *fit) refit(r *Result) error {
	if f.head.weight == nil { // it was fitted before a resume
		if err := f.fitHead(f.plain); err != nil {
			return err
		}
	}
	s, err := f.loop.Run.Evaluate(f.val)
	if err != nil {
		return err
	}
	r.ValLoss, r.BestEpoch, r.Strength = Number(s.Loss), 0, f.strength
	f.o.Say("the head on frozen features is kept; it is fitted again to all %d records", f.Counts.Train+f.Counts.Val)
	return f.fitHead(f.plain, f.val)
}

// steps are the statuses of steps, without that of an evaluation before the first.
func steps(h []train.Status) []train.Status {
	if len(h) > 0 && h[0].Step == 0 {
		return h[1:]
	}
	return h
}

// measurer is a task with metrics of its own.
type measurer interface {
	measure(j *Job, run *train.Run, p *part, q *data.Sequences) (map[string]Number, map[string][2]Number, error)
}

// judgePart measures a part, whose examples are q, by the task's metrics; scores is nil where they are its own.
func (j *Job) judgePart(run *train.Run, p *part, q *data.Sequences) (scores *metric.Rows, values map[string]Number, ci map[string][2]Number, err error) {
	m, ok := j.task.(measurer)
	if !ok {
		return j.judge(run, q)
	}
	values, ci, err = m.measure(j, run, p, q)
	return nil, values, ci, err
}

// judge measures examples by the metrics of package metric, with intervals.
func (j *Job) judge(run *train.Run, q *data.Sequences) (*metric.Rows, map[string]Number, map[string][2]Number, error) {
	rows, named := &metric.Rows{}, j.task.metrics(j)
	if _, err := run.Evaluate(q, rows); err != nil {
		return nil, nil, nil, err
	}
	values, ci := map[string]Number{}, map[string][2]Number{}
	all := make([]int, rows.Len())
	for i := range all {
		all[i] = i
	}
	for _, m := range named {
		of := rows.Of(m.Metric)
		values[m.name] = Number(of(all))
		lo, hi := metric.Bootstrap95(rows.Len(), 1, of)
		ci[m.name] = [2]Number{Number(lo), Number(hi)}
	}
	return rows, values, ci, nil
}
