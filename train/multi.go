package train

import (
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Multi is the task of a model of several inputs or outputs, with a loss for each output that has targets:
//
//	t := train.Multi{
//		Model: nn.ModelFunc(func(s *nn.Scope, in nn.Inputs) map[string]*graph.Node {
//			x := s.Call("trunk", trunk, in["x"])
//			return map[string]*graph.Node{
//				"class": s.Call("class", nn.Linear{Out: 3}, x),
//				"box":   s.Call("box", nn.Linear{Out: 4}, x),
//			}
//		}),
//		Loss: nn.MultiLoss{"class": nn.CrossEntropy{}, "box": nn.L1{}},
//	}
//	run, err := train.Trainer{Task: t, …}.Fit(d) // fields x, class and box
//
// For the loss and the names of the outputs see [nn.MultiLoss]. The metrics of a Trainer want one target, so they are
// an error here.
type Multi struct {
	Model nn.Model
	Loss  nn.MultiLoss
}

// Build wants the fields that the model reads, and all targets or none; without targets it builds no loss.
func (t Multi) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	if t.Model == nil {
		s.Fail(errors.New("train: Multi has no Model"))
		return nn.Objective{}
	}
	return t.Loss.Objective(s, t.Model.Forward(s, in), in)
}
