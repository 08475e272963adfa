package gpt

import (
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// CausalLM is the task of predicting each next token of a text, as in transformers' …ForCausalLM. The loss is the
// cross-entropy over the targets that are not −1. With the targets of [Targets] it is supervised fine-tuning on
// instructions and chats (SFT; Ouyang et al., arXiv:2203.02155, section 3.5). It is a train.Task.
//
// Inputs:
//   - ids (B, T), int32
//   - y (B, T), int32: the id that follows each, or −1 where it carries no loss; without y there is no loss
//   - segments and positions (B, T), int32: only for rows of several documents, as data.Pack makes and nn.Packing
//     describes
//
// The weight is the number of targets that count. In all modes but Train there is one output: predict, the
// probabilities (B, T, Vocab).
type CausalLM struct {
	Model     Model
	Smoothing float64 // of the labels, in [0, 1)
}

// Build implements train.Task. Missing ids are an error of the scope.
func (c CausalLM) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	ids := in[field.IDs]
	if ids == nil {
		s.Fail(errors.New("gpt: CausalLM: the batch has no field ids"))
		return nn.Objective{}
	}
	s.Pack(nn.Packing{Segments: in[field.Segments], Positions: in[field.Positions]})
	y := c.Model.Head(s, c.Model.Hidden(s, ids)) // (B, T, V)
	loss, o := nn.CrossEntropy{Smoothing: c.Smoothing}, nn.Objective{}
	if in[field.Y] != nil {
		o.Loss, o.Weight = loss.Loss(s, y, in[field.Y])
	}
	if s.Mode() != nn.Train { // after the loss, so that it can overwrite the logits
		o.Outputs = map[string]*graph.Node{field.Predict: loss.Predict(s, y)}
	}
	return o
}

// Targets turns the ids of a text into an example of as many numbers less one. x is all but the last id. y[i] is the id
// that follows x[i] where learn says that the model shall learn to write it, else −1. So learn has a value for each id.
// Both results are empty for fewer than two ids.
func Targets(ids []int32, learn []bool) (x, y []int32) {
	for i := 1; i < len(ids) && i < len(learn); i++ {
		x, y = append(x, ids[i-1]), append(y, -1)
		if learn[i] {
			y[i-1] = ids[i]
		}
	}
	return x, y
}
