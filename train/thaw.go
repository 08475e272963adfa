package train

import (
	"math"
	"slices"

	"github.com/ceto-ml/ceto/data"

	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Thaw unfreezes parameters in the course of a run: gradual unfreezing, which trains the last layers first.
//
//	t.Freeze = []string{"*"}
//	t.Thaw = []Thaw{{0, []string{"score.*"}}, {0.3, []string{"h.11.*"}}, {0.6, []string{"*"}}}
//
// At is the number of updates before the thaw, or below 1 their share of all updates of the run. At a thaw the step is
// compiled anew. Moments start at zero, and AdamW and Adam count a parameter's updates from its first. A run that may
// be resumed with another number of steps needs At in updates. For rates that grow from layer to layer see
// [AdamW].Groups.
// Source: Howard and Ruder 2018, arXiv:1801.06146, section 3.3.
type Thaw struct {
	At       float64
	Unfreeze []string // patterns; see nn.Match
}

// step is the number of updates before the thaw in a run of so many steps.
func (t Thaw) step(steps int) int {
	if t.At < 1 {
		return int(math.Round(t.At * float64(steps)))
	}
	return int(t.At)
}

// checkThaw refuses thaws out of range, and patterns that match no parameter that is frozen at the start.
func (t *Trainer) checkThaw(p *nn.Params) error {
	for _, th := range t.Thaw {
		if !(th.At >= 0 && th.At < 1<<31) || th.At > 1 && th.At != math.Trunc(th.At) || len(th.Unfreeze) == 0 {
			return errors.Errorf("train: Thaw %+v: want a share below 1 or a whole number of updates, and patterns", th)
		}
		for _, s := range th.Unfreeze {
			if !slices.ContainsFunc(p.All(), func(q *nn.Param) bool { return q.Frozen && nn.Match(q.Name, s) }) {
				return errors.Errorf("train: Thaw %q matches no parameter that is frozen at the start", s)
			}
		}
	}
	return nil
}

// thawFits refuses, before the first step, a run whose step does not fit the memory limit once all thaws are done.
func (l *Loop) thawFits() error {
	if l.set.MemoryLimit == 0 || len(l.set.Thaw) == 0 {
		return nil
	}
	r, err := newRun(&l.set, l.src.Fields())
	if err != nil {
		return err
	}
	defer r.Close()
	b := r.builder
	for _, t := range l.set.Thaw {
		if err := b.Params.Unfreeze(t.Unfreeze...); err != nil {
			return err
		}
	}
	size, fields := data.Largest(l.src, l.set.Batch)
	g, err := l.build(b)(fields, size)
	_, err = planWithin(l.set.MemoryLimit, l.set.plan(), g, err)
	return errors.Wrap(fitting(err, "a step", l.set.Batch, 0, l.need(b)), "train: Thaw")
}

// changes tells whether a run may change a parameter, at once or after a thaw.
func (t *Trainer) changes(p *nn.Param) bool {
	return !p.Frozen || slices.ContainsFunc(t.Thaw, func(th Thaw) bool { return nn.Match(p.Name, th.Unfreeze...) })
}

// unfreeze does the thaws that are due after first to last updates. It tells whether there are any, since then the
// plans of a step must be made anew.
func (l *Loop) unfreeze(first, last int) (bool, error) {
	b, steps := l.Run.builder, l.set.Steps
	due := slices.DeleteFunc(slices.Clone(l.set.Thaw), func(t Thaw) bool { return t.step(steps) < first || t.step(steps) > last })
	slices.SortStableFunc(due, func(x, y Thaw) int { return x.step(steps) - y.step(steps) })
	for _, t := range due {
		frozen := map[*nn.Param]bool{}
		for _, p := range b.Params.All() {
			frozen[p] = p.Frozen
		}
		if err := b.Params.Unfreeze(t.Unfreeze...); err != nil {
			return true, err
		}
		for _, p := range b.Params.All() {
			if frozen[p] && !p.Frozen {
				b.start[p.Name] = t.step(steps)
			}
		}
	}
	return len(due) > 0, nil
}

// thaw does the thaws that are due before the next update. A new average has the value that it would have if it had
// been kept while the parameter was frozen.
func (l *Loop) thaw() error {
	if l.at.Step == 0 {
		return nil // done before the first plans were made
	}
	if due, err := l.unfreeze(l.at.Step, l.at.Step); !due || err != nil {
		return err
	}
	if err := l.plans(); err != nil {
		return err
	}
	s := l.Run.State
	for name, start := range l.Run.builder.start {
		if _, _, err := s.Meta(averageOf + name); err != nil || start != l.at.Step {
			continue
		}
		if err := s.writeScaled(averageOf+name, name, averageWeight(l.set.DType, l.set.EMA, start)); err != nil {
			return err
		}
	}
	return nil
}
