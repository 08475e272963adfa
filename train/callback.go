package train

import (
	"fmt"

	"github.com/pkg/errors"
)

// Status is where a run stands; callbacks get it after a step or an evaluation.
type Status struct {
	Step, Steps  int     // steps done, of how many
	Epoch        float64 // passes over the training data
	Loss         float64 // mean loss of the step's batch, in the loss's unit per weight
	LR           float64 // learning rate of the step
	GradNorm     float64 // norm of the mean gradient before clipping
	TokensPerSec float64 // weight (tokens or rows) per second since the last status
	ValLoss      float64 // set when Evaluated
	Scores       Scores  // loss and the trainer's metrics on held-out data, set when Evaluated
	Evaluated    bool
	Seconds      float64 // since the start, with the time before a resume
	// LRScale multiplies the learning rate of the coming steps; a callback may change it. It is kept in checkpoints.
	LRScale float64
	Run     *Run
}

// Callback is called after every step, in order. An error ends the run; [ErrStop] ends it without being an error.
type Callback interface {
	OnStep(s *Status) error
}

// EvalCallback is a Callback that is called after every evaluation too.
type EvalCallback interface {
	OnEval(s *Status) error
}

// Observer is a Callback that only looks at the figures of a Status. On a GPU it is called while the next step is under
// way, so that the GPU need not wait. Any other Callback finds the values of the run as they are after the step.
type Observer interface {
	Callback
	Observes()
}

// CallbackFunc makes a Callback of a function.
type CallbackFunc func(s *Status) error

// OnStep implements Callback.
func (f CallbackFunc) OnStep(s *Status) error { return f(s) }

// ErrStop ends a run early.
var ErrStop = errors.New("train: stop")

// EarlyStopping ends a run when Patience evaluations in a row have not lowered the best validation loss by more than
// MinDelta. The zero value never stops.
type EarlyStopping struct {
	Patience int
	MinDelta float64
	// RestoreBest puts the parameters and buffers of the best evaluation back at the end. The last checkpoint keeps
	// those of the last step, from which training can go on. The best ones lie beside them in best.safetensors.
	RestoreBest bool
}

// Print writes a line on standard output after every Every steps, and after every evaluation.
type Print struct{ Every int }

// Observes implements Observer.
func (Print) Observes() {}

// OnStep implements Callback.
func (p Print) OnStep(s *Status) error {
	if s.Step%max(1, p.Every) != 0 && s.Step != s.Steps && !s.Evaluated {
		return nil
	}
	_, err := fmt.Printf("step %d/%d, loss %.4f, lr %.2e, %.0f/s", s.Step, s.Steps, s.Loss, s.LR, s.TokensPerSec)
	if s.Evaluated && err == nil {
		_, err = fmt.Printf(", val %v", s.Scores)
	}
	if err == nil {
		_, err = fmt.Println()
	}
	return err
}
