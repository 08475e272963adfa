package gpt

import (
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// CausalLM is the task of going on with a text where it counts: the cross-entropy of each next token, as in
// transformers' …ForCausalLM, over those targets that are not −1. With the targets of [Targets] it is the supervised
// fine-tuning of instructions and chats (SFT; Ouyang et al., arXiv:2203.02155, section 3.5). It is a train.Task.
//
// Inputs: ids (B, T); y (B, T), the id that follows each, −1 where it carries no loss; and, of rows that hold several
// documents, segments and positions (B, T) as nn.Packing has them, which data.Pack makes. Without y it builds no loss.
// The weight is the number of targets that count. Output, but in mode Train: predict, probabilities (B, T, Vocab).
type CausalLM struct {
	Model     Model
	Smoothing float64 // of the labels, in [0, 1)
}

// Build implements train.Task.
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
	if s.Mode() != nn.Train { // behind the loss: it can then be written over the logits
		o.Outputs = map[string]*graph.Node{field.Predict: loss.Predict(s, y)}
	}
	return o
}

// Targets makes an example of the ids of a text and of which of them a model shall learn to write: x, all but the last
// id, and y, the id that follows each, −1 where that is not to be learned. Both are empty for fewer than two ids.
func Targets(ids []int32, learn []bool) (x, y []int32) {
	for i := 1; i < len(ids) && i < len(learn); i++ {
		x, y = append(x, ids[i-1]), append(y, -1)
		if learn[i] {
			y[i-1] = ids[i]
		}
	}
	return x, y
}
