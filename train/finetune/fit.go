package finetune

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/lpft"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// Job is a task with its model and its records. Close it after use.
type Job struct {
	*Setup
	*Data
}

// Open reads the model's files, but not its values, and reads and divides the records. What is wrong with them is an
// error of one line.
func Open(s Settings) (*Job, error) {
	t, err := newTask(s.Task)
	if err != nil {
		return nil, err
	}
	setup, err := openSetup(s, t)
	if err != nil {
		return nil, err
	}
	j := &Job{setup, &Data{}}
	if err := j.Data.open(setup, s.Data.Context == 0); err != nil {
		j.Close()
		if u := j.Counts.Unusable; u.Count > 0 {
			err = errors.Errorf("%v; nothing can be learned from %d records: %v", err, u.Count, u)
		}
		return nil, err
	}
	return j, nil
}

// Close closes the files.
func (j *Job) Close() error {
	err := j.closeFiles()
	if e := j.Source.Close(); err == nil {
		err = e
	}
	return err
}

// learner is a task's part in learning.
type learner interface {
	// newHead tells whether the task puts a head of its own, called score, on the model's trunk. Otherwise it trains
	// the model's own head. Such a model can do the task without training, so a run also reports the loss before it.
	newHead() bool
	// fill reads the model's values into the state.
	fill(s *Setup, state plan.State) error
	// build returns what is trained.
	build(s *Setup) train.Task
	// target says how the field y is read when the head is fitted first.
	target(s *Setup) lpft.Target
	// batches returns the examples q as training takes its batches from them: packed or each in a row.
	batches(s *Setup, q *data.Sequences) train.TrainData
	// evalBatch returns the number of examples of an evaluation batch.
	evalBatch(s *Setup) int
	// chance returns the loss of a model that knows only how often each answer comes, or 0 where it is not known.
	chance(s *Setup) float64
	// judge measures the model on a subset, whose examples are q.
	judge(s *Setup, run *train.Run, p *subset, q *data.Sequences) (judged, error)
}

// Options say how a job is run.
type Options struct {
	Out         string // run folder; "" writes nothing
	Resume      bool   // go on with the run in Out
	DataChanged bool   // go on, too, where the records are not what the run began with
	Executor    plan.Executor
	MemoryLimit uint64
	Interrupt   <-chan struct{} // closed: finish the step, write a checkpoint, return train.ErrInterrupted
	Callbacks   []train.Callback
	Say         func(format string, a ...any) // is told what happens; may be nil
	Ready       func(l *train.Loop)           // is called before the first step, when all memory is planned; may be nil
	Learned     func()                        // is called after the last step, when all is kept; may be nil
}

// Result is what a run has reached. Metrics has the metrics on the validation records, Test those on the records of the
// test file, by the same names.
type Result struct {
	Task          string               `json:"task"`
	TrainRows     int                  `json:"train_rows"`
	ValRows       int                  `json:"val_rows"`
	Epochs        float64              `json:"epochs"`     // passes over the training records
	BestEpoch     float64              `json:"best_epoch"` // the epoch whose values were kept; 0 is the head on frozen features
	TrainedParams int                  `json:"trained_params"`
	Params        int                  `json:"params"`
	ValLoss       Number               `json:"val_loss"`
	BeforeLoss    Number               `json:"before_loss,omitempty"` // validation loss before training, for chat and lm
	Metrics       map[string]Number    `json:"metrics"`
	CI95          map[string][2]Number `json:"ci95"`
	Test          map[string]Number    `json:"test,omitempty"`
	TestCI95      map[string][2]Number `json:"test_ci95,omitempty"`
	TestRows      int                  `json:"test_rows,omitempty"`
	Unusable      int                  `json:"unusable,omitempty"`      // records that were left out, since nothing can be learned from them
	Strength      float64              `json:"head_strength,omitempty"` // regularisation of the fitted head, as scikit-learn's C
	Seconds       float64              `json:"seconds"`
	Digest        string               `json:"digest"` // SHA-256 of the final parameters
	Run           string               `json:"run"`
	Verdict       train.Verdict        `json:"verdict"`
	History       []train.Status       `json:"-"` // of this process
	Whole         []train.Status       `json:"-"` // of the whole run
	TestScores    *metric.Rows         `json:"-"`
	State         *train.State         `json:"-"`
	Next          []string             `json:"-"` // commands that use the run
}

// Number is a [train.Number]: null in JSON where it is not finite, as where a metric is not defined.
type Number = train.Number

// fit is a job that is being run.
type fit struct {
	*Job
	o         Options
	fs        atomicfile.FS // of what is saved at the end
	recipe    lpft.Recipe
	val, test *data.Sequences // test is nil without a test file
	perEpoch  int             // steps of an epoch
	start     time.Time
}

// Fit fine-tunes, by package lpft. A head that maps a vector of the text is fitted to features of the frozen model
// first. Training goes on from there, with LoRA or with all parameters. Fit keeps what has the best validation loss.
// With fewer than 100 validation records it keeps LoRA only where it is better than the head by more than a standard
// error. A head that is kept is fitted again to training and validation records together, after the metrics are
// taken.
func (j *Job) Fit(o Options) (*Result, error) {
	start := time.Now()
	f, err := j.fit(o)
	if err != nil {
		return nil, err
	}
	f.start = start
	run, err := f.recipe.Start()
	if err != nil {
		return nil, err
	}
	defer run.Close()
	if o.Ready != nil {
		o.Ready(run.Loop)
	}
	if err := run.Learn(); err != nil {
		return nil, err
	}
	if o.Learned != nil {
		o.Learned()
	}
	return f.finish(run)
}

// FindRate tests learning rates on the job; see train.Trainer.FindRate. The head is not fitted first.
func (j *Job) FindRate(o Options, finder train.RateFinder) (train.RateCurve, error) {
	f, err := j.fit(o)
	if err != nil {
		return train.RateCurve{}, err
	}
	return f.recipe.Trainer.FindRate(f.recipe.Train, finder)
}

// fit makes the examples and the recipe.
func (j *Job) fit(o Options) (*fit, error) {
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	f := &fit{Job: j, o: o, fs: atomicfile.OS}
	learnt, err := j.sequences(j.train, j.vary(j.Settings.Train.Seed))
	if err != nil {
		return nil, err
	}
	plain, err := j.sequences(j.train, nil)
	if err != nil {
		return nil, err
	}
	if f.val, err = j.sequences(j.val, nil); err != nil {
		return nil, err
	}
	if j.test != nil {
		if f.test, err = j.sequences(j.test, nil); err != nil {
			return nil, err
		}
	}
	thaw, err := thaws(j.Settings.Train.Thaw)
	if err != nil {
		return nil, err
	}
	f.recipe = lpft.Recipe{Train: j.task.batches(j.Setup, learnt), Examples: plain, ProbeOnly: j.Settings.Method == HeadOnly, Chance: j.task.chance(j.Setup), Say: o.Say}
	if !j.Settings.Head.NoFit {
		f.recipe.Probe = &lpft.Probe{Features: field.Pooled, Head: "score", Target: j.task.target(j.Setup)}
	}
	f.recipe.Trainer = f.trainer(thaw)
	if o.Out != "" {
		f.recipe.Trainer.Digests, err = j.digests()
	}
	return f, err
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

// trainer returns the trainer that the settings ask for.
func (f *fit) trainer(thaw []train.Thaw) train.Trainer {
	s := f.Settings.Train
	batches := data.Batches(f.recipe.Train.Train(s.Seed), s.Batch, 1)
	f.perEpoch = (batches + s.Accumulate - 1) / s.Accumulate
	steps := f.perEpoch * s.Epochs
	s.Checkpoint = cmp.Or(s.Checkpoint, f.perEpoch)
	t := s.Trainer()
	t.Task, t.LoRA, t.Freeze, t.Thaw, t.EMA = f.task.build(f.Setup), f.Settings.lora(), s.Freeze, thaw, s.EMA
	t.Optimizer = train.AdamW{LR: s.LR, Decay: s.Decay, Groups: s.Groups}
	t.Schedule, t.Steps = train.Linear{Warmup: s.Warmup}, steps
	t.Val, t.EvalEvery, t.EvalBatch = f.val, max(1, f.perEpoch/s.Evaluations), f.task.evalBatch(f.Setup)
	t.Stop = train.EarlyStopping{Patience: s.Patience, RestoreBest: true}
	t.Callbacks, t.Interrupt = f.o.Callbacks, f.o.Interrupt
	t.Out, t.Resume, t.DataChanged, t.Config = f.o.Out, f.o.Resume, f.o.DataChanged, f.Settings
	t.Executor, t.MemoryLimit = f.o.Executor, f.o.MemoryLimit
	t.Warn = func(w string) { f.o.Say("warning: %s", w) }
	if !f.Settings.Random {
		t.From = func(state plan.State) error { return f.task.fill(f.Setup, state) }
	}
	return t
}

// finish measures what is kept and saves the result.
func (f *fit) finish(run *lpft.Run) (*Result, error) {
	state := run.Loop.Run.State
	r := &Result{Task: f.Settings.Task, TrainRows: f.Counts.Train, ValRows: f.Counts.Val, TestRows: f.Counts.Test, Unusable: f.Counts.Unusable.Count,
		Epochs: float64(run.Loop.StepsDone()) / float64(f.perEpoch), Run: f.o.Out, History: run.Loop.Run.History, Whole: run.Loop.Run.Whole(), State: state,
		Next: f.task.next(f.Settings, filepath.ToSlash(f.o.Out))}
	r.Params, r.TrainedParams = state.Params.Count()
	var err error
	if !f.task.newHead() {
		if r.BeforeLoss, err = beforeLoss(r.History, f.o.Out); err != nil {
			return nil, err
		}
	}
	kept, err := run.Choose()
	if err != nil {
		return nil, err
	}
	r.BestEpoch, r.ValLoss = float64(kept.Step)/float64(f.perEpoch), Number(kept.ValLoss)
	r.Strength, r.Verdict = kept.Strength, kept.Verdict
	m, err := f.task.judge(f.Setup, run.Loop.Run, f.Job.val, f.val)
	if err != nil {
		return nil, err
	}
	r.Metrics, r.CI95 = m.values, m.ci95
	if err := run.Refit(); err != nil {
		return nil, err
	}
	if f.test != nil {
		if m, err = f.task.judge(f.Setup, run.Loop.Run, f.Job.test, f.test); err != nil {
			return nil, err
		}
		r.TestScores, r.Test, r.TestCI95 = m.scores, m.values, m.ci95
	}
	if r.Digest, err = state.Digest(); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(f.start).Seconds()
	if before := len(r.Whole) - len(r.History); before > 0 {
		r.Seconds += r.Whole[before-1].Seconds
	}
	if f.o.Out == "" {
		return r, nil
	}
	if f.o.Resume && len(r.History) == 0 {
		r.repeat(filepath.Join(f.o.Out, ResultFile))
	}
	return r, f.save(r)
}

// repeat takes over what only the process that finished a run knew, where it has come to the same parameters.
func (r *Result) repeat(path string) {
	var old Result
	if b, err := os.ReadFile(path); err == nil && json.Unmarshal(b, &old) == nil && old.Digest == r.Digest {
		r.Strength, r.Seconds = old.Strength, old.Seconds
	}
}

// beforeLoss returns the validation loss before the first step. It is in the history h or, after a resume, in the log
// of the run folder out.
func beforeLoss(h []train.Status, out string) (Number, error) {
	if len(h) > 0 && h[0].Step == 0 {
		return Number(h[0].ValLoss), nil
	}
	log, err := bounded.Open(filepath.Join(out, "log.jsonl"))
	if err != nil {
		return 0, errors.Wrap(err, "finetune")
	}
	defer log.Close()
	first := struct {
		Step int
		Loss Number `json:"val_loss"`
	}{Step: -1}
	if err := json.NewDecoder(log).Decode(&first); err != nil {
		return 0, errors.Wrapf(err, "finetune: the first line of %s", log.Name())
	}
	if first.Step != 0 {
		return 0, errors.Errorf("finetune: the first line of %s is step %d; want step 0, the loss before training", log.Name(), first.Step)
	}
	return first.Loss, nil
}
