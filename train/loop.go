package train

import (
	"time"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// progress is where the loop stands, as a checkpoint keeps it beside the values.
type progress struct {
	Step     int           `json:"step"`  // updates done
	Micro    int64         `json:"micro"` // micro-batches done
	Seed     uint64        `json:"seed"`
	Position data.Position `json:"position"`
	LRScale  float64       `json:"lr_scale"`
	Best     float64       `json:"best_val_loss"` // valid where HasBest is true
	HasBest  bool          `json:"has_best"`
	BestStep int           `json:"best_step"`
	KeepBest bool          `json:"keep_best"` // the checkpoint has best.safetensors
	Bad      int           `json:"bad_evals"` // evaluations in a row without a better loss
	Seconds  float64       `json:"seconds"`
	Frozen   uint32        `json:"frozen_crc32c,omitempty"` // checksum of the parameters that the checkpoint leaves out

	Digests  map[string]string `json:"data_digests,omitempty"` // Trainer.Digests
	Overdue  *record           `json:"overdue,omitempty"`      // the step, where its evaluation was interrupted and is still to be made
	Sums     []fileSum         `json:"checksums,omitempty"`    // of all files but state.json; set while it is written or read
	StateSum *uint32           `json:"state_crc32c,omitempty"` // of state.json, at its end: see sealState
}

// Loop is a fit under way. [Trainer.Fit] is this:
//
//	l, err := t.Start(d)
//	if err != nil { … }
//	defer l.Close()
//	err = l.Fit()
//
// A program that wants to do more between steps calls [Loop.Step] until [Loop.Done], and then [Loop.Finish].
type Loop struct {
	Run     *Run
	set     Trainer
	src     data.Source
	shapes  map[string]*shape
	step    *shape       // the shape of the last batch; before the first batch the largest shape
	update  plan.Program // after the micro-batches; nil where step is whole
	at      progress
	before  progress             // progress at the start of the step, where its micro-batches can be found again
	buffers map[string]graph.Buf // buffers at the start of the step, where each of its micro-batches changes them
	earlier progress             // progress at the start of the step before it
	best    map[string]graph.Buf // values of the best evaluation
	clock   time.Time
	lastAt  time.Time
	folder  *folder
	unread  *stepped // the last step, where its results are read while the next one is under way
	overdue *Status  // the last step, where its evaluation was interrupted
	stopped bool
	saved   int // step of the last checkpoint
}

// Start makes a run that [Loop.Step] trains, with new parameters or those of the newest checkpoint with Resume.
func (t Trainer) Start(d TrainData) (*Loop, error) {
	src, err := t.source(d)
	if err != nil {
		return nil, err
	}
	if err := t.check(src); err != nil {
		return nil, err
	}
	run, err := newRun(&t, src.Fields())
	if err != nil {
		return nil, err
	}
	l := &Loop{Run: run, set: t, src: src, at: progress{LRScale: 1, Seed: t.Seed, Digests: t.Digests}, saved: -1, clock: time.Now(), shapes: map[string]*shape{}}
	if err := l.start(); err != nil {
		l.Close() // the error that ended the start is the one to tell
		run.Close()
		return nil, fitting(err, "a step", t.Batch, t.Executor.Device().Free, l.need(run.builder))
	}
	run.interrupt = t.Interrupt
	l.lastAt = time.Now()
	return l, nil
}

// start makes the plans, opens the run folder and gives the parameters their values.
func (l *Loop) start() (err error) {
	t := &l.set
	if err := t.choose(); err != nil {
		return err
	}
	if err := l.compile(); err != nil {
		return err
	}
	if t.Out != "" {
		if l.folder, err = openFolder(t.Out, t.Config, t.Resume, t.fs); err != nil {
			return err
		}
	}
	if !t.Resume {
		return l.begin()
	}
	if err := l.resume(); err != nil || t.Config == nil {
		return err
	}
	return l.folder.record(t.Config)
}

// compile makes the plans of a step and warns of what looks like a mistake.
func (l *Loop) compile() (err error) {
	t, b := &l.set, l.Run.builder
	if err := b.declare(l.src.Fields(), t.Batch); err != nil {
		return err
	}
	if err := b.checkPatterns(t.Freeze); err != nil {
		return err
	}
	if err := t.checkThaw(b.Params); err != nil {
		return err
	}
	if err := l.thawFits(); err != nil {
		return err
	}
	if _, err := l.unfreeze(0, 0); err != nil {
		return err
	}
	if err := l.plans(); err != nil {
		return err
	}
	if err := b.hold(t.Executor, l.Run.State); err != nil {
		return err
	}
	for _, s := range append(b.warnings(), foreign(l.step.prog.Plan())...) {
		t.warn(s)
	}
	return nil
}

// plans makes the plans of a step for the parameters that train now.
func (l *Loop) plans() (err error) {
	if err := l.closePrograms(); err != nil {
		return err
	}
	t, b := &l.set, l.Run.builder
	size, fields := data.Largest(l.src, t.Batch)
	if l.step, err = l.shape(fields, size); err != nil {
		return err
	}
	if t.Accumulate > 1 {
		if l.update, err = l.program(b.Update()); err != nil {
			return err
		}
	}
	l.Run.stepFLOPs = l.step.prog.Plan().FLOPs() * int64(t.Accumulate)
	return nil
}

// Close closes the programs of the steps and gives the run folder back. The run stays usable; [Run.Close] ends it.
func (l *Loop) Close() error {
	l.Run.interrupt = nil
	err := l.closePrograms()
	if l.folder != nil {
		l.folder.close()
		l.folder = nil
	}
	return err
}

// Done tells whether all steps are done, or a callback or early stopping has ended the run.
func (l *Loop) Done() bool { return l.at.Step >= l.set.Steps || l.stopped }

// Fit makes the steps that are left and finishes the run. When Trainer.Interrupt is closed it ends with the step that
// is under way, writes a checkpoint where there is a run folder, and returns [ErrInterrupted]. An evaluation ends
// early, and is made anew when the run is resumed.
func (l *Loop) Fit() error {
	start := time.Now()
	defer func() { l.Run.FitSeconds = time.Since(start).Seconds() }()
	err := l.makeUp()
	for err == nil && !l.Done() {
		if interrupted(l.set.Interrupt) {
			err = ErrInterrupted
			break
		}
		err = l.advance()
	}
	if err == nil {
		return l.Finish()
	}
	if errors.Is(err, ErrInterrupted) {
		if err := l.finish(false); err != nil {
			return err
		}
		return ErrInterrupted
	}
	return err
}

// interrupted tells whether a channel is closed; nil is not.
func interrupted(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (l *Loop) seconds() float64 { return l.at.Seconds + time.Since(l.clock).Seconds() }

func (l *Loop) evaluate(s *Status) error {
	sc, err := l.Run.Evaluate(l.set.Val, l.set.Metrics...)
	if err != nil {
		return errors.Wrapf(err, "train: step %d", s.Step)
	}
	s.Evaluated, s.Scores, s.ValLoss = true, sc, sc.Loss
	stop := l.set.Stop
	switch {
	case finite(s.ValLoss) && (!l.at.HasBest || l.at.BestStep == s.Step || s.ValLoss < l.at.Best-stop.MinDelta):
		l.at.Best, l.at.HasBest, l.at.BestStep, l.at.Bad = s.ValLoss, true, s.Step, 0
		if stop.RestoreBest {
			if l.best, err = l.snapshot(); err != nil {
				return err
			}
		}
	default:
		l.at.Bad++
	}
	l.stopped = l.stopped || l.patienceOut()
	l.lastAt = time.Now()
	return nil
}

// Evaluate evaluates on held-out data now, as the trainer does after every EvalEvery steps. The evaluation counts for
// early stopping, and is reported. Before the first step it judges what training starts from.
func (l *Loop) Evaluate() (*Status, error) {
	if l.set.Val == nil {
		return nil, errors.New("train: Evaluate wants Val, held-out data")
	}
	s := &Status{Step: l.at.Step, Steps: l.set.Steps, LRScale: l.at.LRScale, Run: l.Run, Seconds: l.seconds()}
	if err := l.evaluate(s); err != nil {
		return nil, l.explain(err)
	}
	return s, l.report(s)
}

// Best is the step of the best evaluation so far and its validation loss; ok is false before the first.
func (l *Loop) Best() (step int, loss float64, ok bool) {
	return l.at.BestStep, l.at.Best, l.at.HasBest
}

// StepsDone is the number of updates made, those before a resume included.
func (l *Loop) StepsDone() int { return l.at.Step }

// StepPlan is the plan of a whole step or, with Accumulate, of a micro-batch. Before the first step it is the plan of
// the largest shape, then that of the last batch's shape.
func (l *Loop) StepPlan() *plan.Plan { return l.step.prog.Plan() }

// patienceOut tells whether early stopping ends the run.
func (l *Loop) patienceOut() bool { return l.set.Stop.Patience > 0 && l.at.Bad >= l.set.Stop.Patience }

// report keeps and logs the step's status and calls the callbacks.
func (l *Loop) report(s *Status) error {
	l.Run.note(*s)
	if l.folder != nil {
		if err := l.folder.choices(l.set.Executor); err != nil {
			return err
		}
		if err := l.folder.log(s); err != nil {
			return err
		}
	}
	for _, c := range l.set.Callbacks {
		err := c.OnStep(s)
		if e, ok := c.(EvalCallback); ok && err == nil && s.Evaluated {
			err = e.OnEval(s)
		}
		switch {
		case errors.Is(err, ErrStop):
			l.stopped = true
		case err != nil:
			return errors.Wrapf(err, "train: step %d: callback", s.Step)
		}
	}
	l.at.LRScale = s.LRScale
	return nil
}

// Finish writes the last checkpoint and then gives the parameters their final values. With RestoreBest these are the
// values of the best evaluation, else with EMA the averages, else those of the last step.
func (l *Loop) Finish() error {
	if err := l.makeUp(); err != nil {
		return err
	}
	return l.finish(true)
}

func (l *Loop) finish(done bool) error {
	if err := l.settle(); err != nil {
		return err
	}
	if l.folder != nil {
		if err := l.Checkpoint(); err != nil {
			return err
		}
	}
	if done && l.best != nil {
		return l.Run.State.restore(l.best)
	}
	if done {
		_, err := l.average()
		return err
	}
	return nil
}
