package lpft

import (
	"math"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// chooses tells whether the steps can be taken back in favour of the head that was fitted first. With LoRA they can,
// since its product can be set to 0.
func (r *Run) chooses() bool {
	return r.set.Trainer.LoRA != nil && !r.set.ProbeOnly && r.set.Probe != nil
}

// losses returns the loss of each validation example with the parameters as they are.
func (r *Run) losses() ([]float64, error) {
	rows := &metric.Rows{}
	if _, err := r.Loop.Run.Evaluate(r.set.Trainer.Val, rows); err != nil {
		return nil, err
	}
	all := make([]float64, rows.Len())
	for i := range all {
		pred, n := rows.Pred[i*rows.Cols:(i+1)*rows.Cols], len(rows.Target)/len(all)
		var err error
		if all[i], err = r.set.Probe.Target.loss(pred, rows.Target[i*n:(i+1)*n]); err != nil {
			return nil, errors.Wrapf(err, "lpft: validation example %d", i)
		}
	}
	return all, nil
}

// fewLosses is the number of validation examples below which one of them can decide between two models.
const fewLosses = 100

// clearlyLower tells whether losses b have a lower mean than losses a, of the same examples. With fewer than
// fewLosses examples the difference must exceed its standard error. So of two models that validate alike the simpler
// one is taken. Source: Breiman, Friedman, Olshen and Stone 1984, Classification and Regression Trees, section 3.4.3,
// the one-standard-error rule.
func clearlyLower(a, b []float64) bool {
	n, mean, square := float64(len(a)), 0.0, 0.0
	for i := range a {
		mean += (a[i] - b[i]) / n
	}
	for i := range a {
		square += (a[i] - b[i] - mean) * (a[i] - b[i] - mean)
	}
	return mean > 0 && (n < 2 || n >= fewLosses || mean > math.Sqrt(square/(n-1)/n))
}

// keepsHead decides between the best values that LoRA has reached, which are in the state, and the head on frozen
// features. The head is kept unless LoRA is clearly better. At the end the state holds what is kept.
func (r *Run) keepsHead() (bool, error) {
	tuned, err := r.losses()
	if err != nil {
		return false, err
	}
	if r.first != nil && clearlyLower(r.first, tuned) {
		return false, nil
	}
	best, err := r.trained()
	if err != nil {
		return false, err
	}
	if err := r.backToHead(); err != nil {
		return false, err
	}
	if r.first == nil { // the head was fitted before a resume
		if r.first, err = r.losses(); err != nil {
			return false, err
		}
	}
	if !clearlyLower(r.first, tuned) {
		return true, nil
	}
	for name, v := range best {
		if err := r.Loop.Run.State.Write(name, v); err != nil {
			return false, err
		}
	}
	return false, nil
}

// backToHead makes the network what it was after the head was fitted. It sets LoRA's matrices B to 0.
func (r *Run) backToHead() error {
	for _, p := range r.Loop.Run.State.Params.All() {
		if !strings.HasSuffix(p.Name, nn.LoRAB) {
			continue
		}
		if err := r.Loop.Run.State.Write(p.Name, graph.Dense(graph.NewBuf(p.Meta))); err != nil {
			return err
		}
	}
	if r.head.weight == nil {
		return r.fitHead(r.set.Examples)
	}
	return r.write(r.head)
}
