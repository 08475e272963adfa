package train

import (
	"fmt"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// NotFiniteError is the error of a step whose loss or gradient norm is NaN or infinite. No value of the run has
// changed in that step.
type NotFiniteError struct {
	Step     int
	Loss     float64 // loss of the step, or of the micro-batch whose loss is not finite
	GradNorm float64 // norm of the mean gradient, 0 where the loss of a micro-batch ended the step
	// Op is the first op whose result has a value that is not finite, and Value is that value. Scope is the path of the
	// layer that made the op. In a bad batch Op is the input. Op is "" where the search found nothing.
	Op, Scope string
	Value     float64
}

func (e *NotFiniteError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "train: step %d: loss %g, gradient norm %g: not finite; the parameters are as before the step", e.Step, e.Loss, e.GradNorm)
	if e.Op != "" {
		fmt.Fprintf(&b, "; first: %s: %s gives %g", e.Scope, e.Op, e.Value)
	}
	return b.String()
}

// diagnose explains the error of a call on program p. The run that failed is the one with these scalars, or the one
// before it where the error is a *plan.LateError. The loop is put back to the start of the step that failed, whose
// values are as before it. Where a guard was not finite, the step's batches run again on a plan without fusion and
// aliasing, which tests each result.
func (l *Loop) diagnose(err error, p plan.Program, sc graph.Scalars) error {
	if late := (*plan.LateError)(nil); errors.As(err, &late) {
		p, sc = late.Program, late.Scalars
	}
	l.rewind(sc.Step)
	var guard *plan.NotFiniteError
	if !errors.As(err, &guard) {
		return errors.Wrapf(err, "train: step %d", l.at.Step+1)
	}
	bad := &NotFiniteError{Step: l.at.Step + 1, Loss: guard.Value}
	if loss, _, norm, e := sums(p.Scalars, l.update == nil || p == l.update); e == nil {
		bad.Loss, bad.GradNorm = loss, norm
	}
	if e := l.Run.State.restore(l.buffers); e != nil {
		return errors.Wrapf(bad, "the buffers are not as before the step: %v", e)
	}
	first, e := l.trace(sc)
	if e == nil {
		e = l.src.Seek(l.before.Position)
	}
	switch {
	case e != nil:
		return errors.Wrapf(bad, "the search for the first op failed: %v", e)
	case first != nil:
		bad.Op, bad.Scope, bad.Value = first.Op, first.Scope, first.Value
	}
	return bad
}

// explain diagnoses an error of a call that ran no step. Such a call may report the late error of a step before it.
func (l *Loop) explain(err error) error {
	if late := (*plan.LateError)(nil); errors.As(err, &late) && late.Scalars.Step > 0 {
		return l.diagnose(err, late.Program, late.Scalars)
	}
	return err
}

// rewind makes l.before the start of the step that failed. That is the current step, or the step before it where the
// error came a step late. Counts and history end there.
func (l *Loop) rewind(step int64) {
	if int64(l.earlier.Step)+1 == step && int64(l.before.Step)+1 != step {
		l.before = l.earlier
	}
	l.at.Step, l.at.Micro = l.before.Step, l.before.Micro
	l.Run.forget(l.at.Step)
}

// trace runs the batches of the step again, and finds the first result that is not finite.
func (l *Loop) trace(sc graph.Scalars) (*plan.NotFiniteError, error) {
	check := l.set.Executor.Options()
	check.NoFuse, check.NoAlias = true, true
	var late *plan.NotFiniteError
	if l.update != nil {
		// What only the sum of the micro-batches shows counts where no micro-batch shows anything.
		p, err := compile(l.set.Executor, l.Run.State, check)(l.Run.builder.Update())
		if err == nil {
			err = traceAndClose(p, nil, sc)
		}
		if err != nil && !errors.As(err, &late) {
			return nil, err
		}
		if err := l.Run.State.zero(graph.Grad); err != nil {
			return nil, err
		}
	}
	err := l.src.Seek(l.before.Position)
	for i := 0; i < l.set.Accumulate && err == nil; i++ {
		if err = l.next(); err != nil {
			break
		}
		if bad := l.badInput(); bad != nil {
			return bad, nil
		}
		sc.Micro = l.before.Micro + int64(i)
		var p plan.Program
		if p, err = l.step.build(check); err == nil {
			err = traceAndClose(p, l.step.in, sc)
		}
	}
	var first *plan.NotFiniteError
	if errors.As(err, &first) {
		return first, nil
	}
	return late, err
}

// traceAndClose traces a program that was made for it.
func traceAndClose(p plan.Program, in map[string]any, sc graph.Scalars) error {
	return first(p.Trace(in, sc), p.Close())
}

// badInput finds the first number of the batch that is not finite.
func (l *Loop) badInput() *plan.NotFiniteError {
	for _, name := range sortedKeys(l.step.batch) {
		for _, v := range l.step.batch[name].Float {
			if !finite(float64(v)) {
				return &plan.NotFiniteError{Op: "input " + name, Scope: "batch", Value: float64(v)}
			}
		}
	}
	return nil
}
