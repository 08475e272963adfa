package train

import (
	"io"
	"math"
	"time"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// TrainData gives a source of shuffled batches without end.
type TrainData interface{ Train(seed uint64) data.Source }

// EvalData gives a source of one pass in order.
type EvalData interface{ Eval() data.Source }

// Trainer says how to fit a model. Its zero fields have the defaults named here.
type Trainer struct {
	Model nn.Layer // with Loss the short form of Task, for one x and one y
	Loss  nn.Loss
	Task  Task

	Optimizer  Optimizer
	Schedule   Schedule // Constant
	Clip       float64  // global gradient norm; 0 does not clip
	Batch      int      // examples of a micro-batch; 32, or as many as there are
	Accumulate int      // micro-batches of a step; 1
	Epochs     int      // passes over the data, where Steps is 0
	Steps      int      // updates
	Seed       uint64   // of parameters, order and random ops
	Freeze     []string // patterns of parameters that stay as they are

	Val       EvalData // held-out data
	EvalEvery int      // steps between evaluations; 0 evaluates at the end only
	Metrics   []metric.Metric
	Stop      EarlyStopping
	Callbacks []Callback

	Out             string                             // run folder: log and checkpoints; "" writes nothing
	CheckpointEvery int                                // steps between checkpoints; 0 writes one at the end
	Resume          bool                               // continue from the newest checkpoint in Out
	Interrupt       <-chan struct{}                    // closed: finish the step, write a checkpoint, return ErrInterrupted
	Config          any                                // what Out/run.yaml records
	Files           map[string]func(w io.Writer) error // more files for each checkpoint, by name: config.json, a tokenizer

	Executor    plan.Executor // plan.CPU(0)
	DType       graph.DType
	MemoryLimit uint64 // bytes that a step's plan may need; 0 does not look

	fs atomicfile.FS // of checkpoints; nil: the system's
}

// ErrInterrupted is returned by Fit, with the run so far, after its Interrupt was closed.
var ErrInterrupted = errors.New("train: interrupted")

// Fit trains from new parameters, or from the newest checkpoint with Resume, and returns the run. With an error the
// run so far comes too where there is one. If the loss or the gradient's norm is not finite, the parameters stay as
// they were before the step and the error names the step and the first op whose result is not finite.
func (t Trainer) Fit(d TrainData) (*Run, error) {
	l, err := t.start(d)
	if err != nil {
		return nil, err
	}
	defer l.close()
	err = l.train()
	l.run.FitSeconds = time.Since(l.clock).Seconds()
	if err == nil || errors.Is(err, ErrInterrupted) {
		if e := l.finish(err == nil); e != nil {
			err = e
		}
	}
	return l.run, err
}

// check fills in defaults and refuses settings that cannot be.
func (t *Trainer) check(examples int) error {
	if t.Task == nil {
		if t.Model == nil || t.Loss == nil {
			return errors.New("train: Trainer wants a Task, or a Model and a Loss")
		}
		t.Task = Supervised{t.Model, t.Loss}
	}
	if t.Optimizer == nil {
		return errors.New("train: Trainer has no Optimizer")
	}
	if t.Schedule == nil {
		t.Schedule = Constant{}
	}
	if t.Executor == nil {
		t.Executor = plan.CPU(0)
	}
	if t.Batch == 0 {
		t.Batch = min(32, max(1, examples))
	}
	if t.fs == nil {
		t.fs = atomicfile.OS
	}
	t.Accumulate = max(1, t.Accumulate)
	if t.Steps == 0 {
		per := t.Batch * t.Accumulate
		t.Steps = t.Epochs * ((examples + per - 1) / per)
	}
	if examples < 1 || t.Batch < 1 || t.Steps < 1 {
		return errors.Errorf("train: batch %d, steps %d, epochs %d: want at least one of each", t.Batch, t.Steps, t.Epochs)
	}
	return nil
}

// progress is what a checkpoint keeps of the loop besides values.
type progress struct {
	Step     int           `json:"step"`  // updates done
	Micro    int64         `json:"micro"` // micro-batches done
	Position data.Position `json:"position"`
	LRScale  float64       `json:"lr_scale"`
	Best     float64       `json:"best_val_loss"` // +Inf is left out of JSON: see HasBest
	HasBest  bool          `json:"has_best"`
	Bad      int           `json:"bad_evals"` // evaluations in a row without a better loss
	Seconds  float64       `json:"seconds"`
}

// loop is a run under way.
type loop struct {
	Trainer
	run    *Run
	src    data.Source
	batch  data.Batch
	in     map[string]any
	step   plan.Program // the whole step, or one micro-batch
	update plan.Program // after the micro-batches; nil where step is whole
	progress
	best    map[string]graph.Buf // parameters of the best evaluation
	clock   time.Time
	weight  float64 // since the last status
	lastAt  time.Time
	folder  *folder
	stopped bool
	saved   int // step of the last checkpoint
}

func (t Trainer) start(d TrainData) (*loop, error) {
	src := d.Train(t.Seed)
	if err := t.check(src.Len()); err != nil {
		return nil, err
	}
	run, err := newRun(&t, src.Fields())
	if err != nil {
		return nil, err
	}
	l := &loop{Trainer: t, run: run, src: src, progress: progress{LRScale: 1}, saved: -1, clock: time.Now()}
	l.batch = data.NewBatch(src.Fields(), t.Batch)
	l.in = run.feed(l.batch, t.Batch)
	if err := l.compile(); err != nil {
		return nil, err
	}
	if t.Out != "" {
		if l.folder, err = openFolder(t.Out, t.Config, t.Resume, t.fs); err != nil {
			return nil, err
		}
	}
	if t.Resume {
		err = l.resume()
	} else {
		err = run.State.Init(t.Seed)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	l.lastAt = time.Now()
	return l, nil
}

// fitting refuses a graph whose plan needs more memory than the limit, before any is allocated.
func (t Trainer) fitting(compile func(*graph.Graph, error) (plan.Program, error)) func(*graph.Graph, error) (plan.Program, error) {
	return func(g *graph.Graph, err error) (plan.Program, error) {
		if err != nil || t.MemoryLimit == 0 {
			return compile(g, err)
		}
		p, err := plan.New(g, plan.Options{})
		if err != nil {
			return nil, err
		}
		if need := uint64(p.Total()); need > t.MemoryLimit {
			return nil, errors.Errorf("train: a step needs %.2f GiB of memory, %.2f GiB are free; take a smaller batch or context", float64(need)/(1<<30), float64(t.MemoryLimit)/(1<<30))
		}
		return compile(g, nil)
	}
}

// compile makes the plans of a step.
func (l *loop) compile() (err error) {
	b, c := l.run.builder, l.fitting(compile(l.Executor, l.run.State, plan.Options{}))
	defer func() {
		if err == nil {
			l.run.stepFLOPs = l.step.Plan().FLOPs() * int64(l.Accumulate)
		}
	}()
	if l.Accumulate == 1 {
		l.step, err = c(b.Step(l.src.Fields(), l.Batch))
		return err
	}
	if l.step, err = c(b.Accumulate(l.src.Fields(), l.Batch)); err != nil {
		return err
	}
	l.update, err = c(b.Update())
	return err
}

func (l *loop) close() {
	if l.folder != nil {
		l.folder.close()
	}
}

func (l *loop) train() error {
	for l.Step < l.Steps && !l.stopped {
		select {
		case <-l.Interrupt:
			return ErrInterrupted
		default:
		}
		s, err := l.oneStep()
		if err != nil {
			return err
		}
		if l.Val != nil && (l.Step == l.Steps || l.EvalEvery > 0 && l.Step%l.EvalEvery == 0) {
			if err := l.evaluate(s); err != nil {
				return err
			}
		}
		if err := l.report(s); err != nil {
			return err
		}
		if l.folder != nil && l.CheckpointEvery > 0 && l.Step%l.CheckpointEvery == 0 {
			if err := l.checkpoint(); err != nil {
				return err
			}
		}
	}
	return nil
}

// oneStep makes one update.
func (l *loop) oneStep() (*Status, error) {
	lr := l.Optimizer.Rate() * l.Schedule.Factor(l.Step, l.Steps) * l.LRScale
	sc := graph.Scalars{Step: int64(l.Step) + 1, LR: lr, Seed: l.Seed}
	p := l.step
	for range l.Accumulate {
		if _, err := l.src.Next(l.batch); err != nil {
			return nil, errors.Wrapf(err, "train: step %d: batch", l.Step+1)
		}
		sc.Micro = l.Micro
		if err := l.step.Run(l.in, sc); err != nil {
			return nil, l.diagnose(err, sc)
		}
		l.Micro++
	}
	if l.update != nil {
		p = l.update
		if err := l.update.Run(nil, sc); err != nil {
			return nil, l.diagnose(err, sc)
		}
	}
	l.Step++
	s, err := l.status(p, lr)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (l *loop) status(p plan.Program, lr float64) (*Status, error) {
	loss, err := p.Scalar("loss")
	if err != nil {
		return nil, err
	}
	weight, err := p.Scalar("weight")
	if err != nil {
		return nil, err
	}
	norm, err := p.Scalar("grad_norm")
	if err != nil {
		return nil, err
	}
	now := time.Now()
	s := &Status{Step: l.Step, Steps: l.Steps, Loss: loss / weight, LR: lr, GradNorm: norm, LRScale: l.LRScale, Run: l.run,
		Seconds: l.seconds(), TokensPerSec: weight / math.Max(1e-9, now.Sub(l.lastAt).Seconds())}
	if n := l.src.Len(); n > 0 {
		s.Epoch = float64(l.Micro) * float64(l.Batch) / float64(n)
	}
	l.lastAt = now
	return s, nil
}

func (l *loop) seconds() float64 { return l.Seconds + time.Since(l.clock).Seconds() }

// diagnose explains a step whose loss or gradient norm is not finite: the same batch runs on a plan without fusion
// and aliasing, which tests each result.
func (l *loop) diagnose(err error, sc graph.Scalars) error {
	var bad *plan.NotFiniteError
	if !errors.As(err, &bad) {
		return errors.Wrapf(err, "train: step %d", l.Step+1)
	}
	b := l.run.builder
	build := b.Step
	if l.Accumulate > 1 {
		build = b.Accumulate
	}
	p, e := compile(l.Executor, l.run.State, plan.Options{NoFuse: true, NoAlias: true})(build(l.src.Fields(), l.Batch))
	if e == nil {
		e = p.Trace(l.in, sc)
	}
	if errors.As(e, &bad) {
		return errors.Wrapf(bad, "train: step %d: the loss or its gradient is not finite; the parameters are as before the step; first", l.Step+1)
	}
	return errors.Wrapf(err, "train: step %d: the loss or its gradient is not finite; the parameters are as before the step", l.Step+1)
}

func (l *loop) evaluate(s *Status) error {
	sc, err := l.run.Evaluate(l.Val, l.Metrics...)
	if err != nil {
		return err
	}
	s.Evaluated, s.Scores, s.ValLoss = true, sc, sc.Loss
	switch {
	case !l.HasBest || s.ValLoss < l.Best-l.Stop.MinDelta:
		l.Best, l.HasBest, l.Bad = s.ValLoss, true, 0
		if l.Stop.RestoreBest {
			if l.best, err = l.run.State.snapshot(); err != nil {
				return err
			}
		}
	default:
		l.Bad++
		l.stopped = l.Stop.Patience > 0 && l.Bad >= l.Stop.Patience
	}
	l.lastAt = time.Now()
	return nil
}

// report logs the step and calls the callbacks.
func (l *loop) report(s *Status) error {
	l.run.History = append(l.run.History, *s)
	if l.folder != nil {
		if err := l.folder.log(s); err != nil {
			return err
		}
	}
	for _, c := range l.Callbacks {
		err := c.OnStep(s)
		if e, ok := c.(EvalCallback); ok && err == nil && s.Evaluated {
			err = e.OnEval(s)
		}
		switch {
		case errors.Is(err, ErrStop):
			l.stopped = true
		case err != nil && err != io.EOF:
			return errors.Wrapf(err, "train: step %d: callback", s.Step)
		}
	}
	l.LRScale = s.LRScale
	return nil
}

// finish writes the last checkpoint and puts the best parameters back.
func (l *loop) finish(done bool) error {
	if done && l.best != nil {
		if err := l.run.State.restore(l.best); err != nil {
			return err
		}
	}
	if l.folder == nil {
		return nil
	}
	return l.checkpoint()
}
