// Package train fits models: the loop, optimizers, schedules, evaluation, checkpoints.
//
//	xor := data.Rows([][]float32{{0, 0}, {0, 1}, {1, 0}, {1, 1}}, []float32{0, 1, 1, 0})
//	net := nn.Sequential{nn.Linear{Out: 8}, nn.Tanh, nn.Linear{Out: 1}}
//	t := train.Trainer{Model: net, Loss: nn.BCEWithLogits{}, Optimizer: train.Adam{LR: 0.01}, Epochs: 2000, Seed: 1}
//	run, err := t.Fit(xor)
package train

import (
	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Task builds what is trained: from the nodes of a batch to an objective.
type Task interface {
	Build(s *nn.Scope, in nn.Inputs) nn.Objective
}

// Supervised is the task of a model from x, or ids, to y and a loss that compares y with targets. Its outputs are
// [field.Y], what the model gives, and [field.Predict], how the loss reads it.
type Supervised struct {
	Model nn.Layer
	Loss  nn.Loss
}

// Build takes the input x or, where a batch has no x, ids; with a field y it builds the loss.
func (t Supervised) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	x := in[field.X]
	if x == nil {
		x = in[field.IDs]
	}
	if x == nil {
		s.Fail(errors.New("train: Supervised: the batch has no field x or ids"))
		return nn.Objective{}
	}
	y := t.Model.Forward(s, x)
	o := nn.Objective{Outputs: map[string]*graph.Node{field.Y: y}}
	if s.Mode() != nn.Train {
		o.Outputs[field.Predict] = t.Loss.Predict(s, y)
	}
	if in[field.Y] != nil {
		o.Loss, o.Weight = t.Loss.Loss(s, y, in[field.Y])
	}
	return o
}

// inputs declares a node for each field, for batches of the given size.
func inputs(s *nn.Scope, fields []data.Field, size int) nn.Inputs {
	in := nn.Inputs{}
	for _, f := range fields {
		d := s.DType()
		if f.Int {
			d = graph.Int32
		}
		in[f.Name] = s.Input(f.Name, graph.Of(d, append([]int{size}, f.Shape...)...))
	}
	return in
}
