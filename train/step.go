package train

import (
	"math"
	"time"

	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// A stepped is a step that was made: its program and scalars, and the status that its results complete.
type stepped struct {
	prog    plan.Program
	scalars graph.Scalars
	status  *Status
	read    bool // the status is complete
}

// Step makes one update from the next batches, then what is due after it: evaluation, log line, callbacks, checkpoint.
// Trainer.Interrupt ends an evaluation with [ErrInterrupted]; then a checkpoint can be written.
func (l *Loop) Step() (*Status, error) {
	if err := l.makeUp(); err != nil {
		return nil, err
	}
	u, err := l.one()
	if err != nil {
		return nil, err
	}
	return u.status, l.after(u)
}

// advance is Step. Where nothing is due after the update, its results are read with the next one under way.
func (l *Loop) advance() error {
	last := l.unread
	u, err := l.one()
	if err != nil {
		if last != nil && l.at.Step >= last.status.Step { // it is not the step that has failed
			if late := l.settle(); late != nil {
				return late
			}
		}
		l.unread = nil
		return err
	}
	if l.unread = nil; last != nil {
		if err := l.reported(last, true); err != nil {
			return err
		}
	}
	if _, late := u.prog.(plan.Pipelined); late && !l.due() && l.observed() {
		l.unread = u
		return nil
	}
	return l.after(u)
}

// settle reads the results of the step that they were not read of yet, and reports it.
func (l *Loop) settle() error {
	u := l.unread
	if l.unread = nil; u == nil {
		return nil
	}
	return l.reported(u, false)
}

// due tells whether something needs the values as they are after the last step.
func (l *Loop) due() bool {
	t := &l.set
	return l.Done() || l.evaluates() || l.folder != nil && t.CheckpointEvery > 0 && l.at.Step%t.CheckpointEvery == 0
}

// evaluates tells whether an evaluation follows the last step.
func (l *Loop) evaluates() bool {
	t := &l.set
	return t.Val != nil && (l.at.Step == t.Steps || t.EvalEvery > 0 && l.at.Step%t.EvalEvery == 0)
}

// observed tells whether all callbacks may be called a step late.
func (l *Loop) observed() bool {
	for _, c := range l.set.Callbacks {
		if _, ok := c.(Observer); !ok {
			return false
		}
	}
	return true
}

// after does what is due after an update.
func (l *Loop) after(u *stepped) error {
	if err := l.results(u, false); err != nil {
		return err
	}
	return l.follow(u.status)
}

// follow evaluates, reports and keeps the step that was made last.
func (l *Loop) follow(s *Status) error {
	t := &l.set
	if l.evaluates() {
		err := l.averaged(func() error { return l.evaluate(s) })
		if errors.Is(err, ErrInterrupted) {
			l.overdue = s
			return ErrInterrupted
		}
		if err != nil {
			return l.explain(err)
		}
	}
	if err := l.report(s); err != nil {
		return err
	}
	if l.folder != nil && t.CheckpointEvery > 0 && l.at.Step%t.CheckpointEvery == 0 {
		return l.Checkpoint()
	}
	return nil
}

// makeUp makes the evaluation that was interrupted, and what follows it.
func (l *Loop) makeUp() error {
	s := l.overdue
	if s == nil {
		return nil
	}
	l.overdue, l.saved = nil, -1 // the checkpoint is without it
	return l.follow(s)
}

// reported reads the results of an update and reports it.
func (l *Loop) reported(u *stepped, late bool) error {
	if err := l.results(u, late); err != nil {
		return err
	}
	return l.report(u.status)
}

// one makes one update.
func (l *Loop) one() (*stepped, error) {
	t := &l.set
	if err := l.thaw(); err != nil {
		return nil, l.explain(errors.Wrapf(err, "train: step %d: Thaw", l.at.Step+1))
	}
	lr := t.Optimizer.Rate() * t.Schedule.Factor(l.at.Step, t.Steps) * l.at.LRScale
	if !finite(lr) {
		return nil, errors.Errorf("train: step %d: the learning rate is %g", l.at.Step+1, lr)
	}
	sc := graph.Scalars{Step: int64(l.at.Step) + 1, LR: lr, Seed: l.at.Seed}
	l.earlier, l.before = l.before, l.at
	l.before.Position = l.src.Position()
	if l.update != nil {
		buffers, err := l.Run.State.copies(l.Run.State.buffers())
		if err != nil {
			return nil, l.explain(err)
		}
		l.buffers = buffers
	}
	for range t.Accumulate {
		if err := l.next(); err != nil {
			return nil, l.explain(errors.Wrapf(err, "train: step %d: batch", l.at.Step+1))
		}
		sc.Micro = l.at.Micro
		if err := l.run(l.step.prog, l.step.in, sc); err != nil {
			return nil, err
		}
		l.at.Micro++
	}
	p := l.step.prog
	if l.update != nil {
		p = l.update
		if err := l.run(p, nil, sc); err != nil {
			return nil, err
		}
	}
	l.at.Step++
	s := &Status{Step: l.at.Step, Steps: t.Steps, LR: lr, LRScale: l.at.LRScale, Run: l.Run}
	if pos := l.src.Position(); pos.Examples > 0 {
		s.Epoch = float64(pos.Next) / float64(pos.Examples)
	}
	return &stepped{prog: p, scalars: sc, status: s}, nil
}

// run runs a program of the step and explains a failure, which may be that of the run before it.
func (l *Loop) run(p plan.Program, in map[string]any, sc graph.Scalars) error {
	if err := p.Run(in, sc); err != nil {
		return l.diagnose(err, p, sc)
	}
	return nil
}

// results completes the status of an update. late says that the next one is under way.
func (l *Loop) results(u *stepped, late bool) error {
	if u.read {
		return nil
	}
	scalars := u.prog.Scalars
	if p, ok := u.prog.(plan.Pipelined); ok && late {
		scalars = p.Before
	}
	loss, weight, norm, err := sums(scalars, true)
	if err != nil {
		return l.diagnose(err, u.prog, u.scalars)
	}
	now, s := time.Now(), u.status
	s.Loss, s.GradNorm, s.Seconds, s.TokensPerSec = loss, norm, l.seconds(), weight/math.Max(1e-9, now.Sub(l.lastAt).Seconds())
	l.lastAt, u.read = now, true
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// sums reads the loss and the weight of a run, and with hasNorm the gradient's norm. Loss and norm are divided by the
// weight. All three are 0 in a step whose weight is 0, since all its targets are ignored.
func sums(scalars func(v []float64, names ...string) error, hasNorm bool) (loss, weight, norm float64, err error) {
	var v [3]float64
	names := stepOutputs
	if !hasNorm {
		names = names[:2]
	}
	if err = scalars(v[:len(names)], names...); err != nil || v[1] == 0 {
		return 0, 0, 0, err
	}
	return v[0] / v[1], v[1], v[2], nil
}

// stepOutputs are the outputs of a step; a micro-batch has the first two.
var stepOutputs = []string{field.Loss, field.Weight, field.GradNorm}
