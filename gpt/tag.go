package gpt

import (
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Tag is the task of giving every token a class by a new head on a model's trunk: logits are a linear map of the hidden
// state of each token, as in transformers' …ForTokenClassification. It is a train.Task.
//
// Inputs: ids (B, T), padded behind the last token with any ids; and the targets y that Loss wants, (B, T) class ids for
// nn.CrossEntropy with −1 where no token counts: padding, special tokens, the later pieces of a word. Parameters:
// score.weight (Classes, Width) and score.bias (Classes), by LlamaForTokenClassification's names; an adapter for
// GPT2ForTokenClassification calls the same two classifier. Outputs: y, the logits (B, T, Classes), and predict, how Loss reads them.
type Tag struct {
	Model   Model
	Classes int
	Dropout float64 // of the hidden states, in training: transformers' classifier_dropout
	Loss    nn.Loss // nil is nn.CrossEntropy{}
}

// Build implements train.Task. Without the input y it builds no loss.
func (t Tag) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	ids := in[field.IDs]
	if ids == nil || t.Classes < 1 || t.Model == nil {
		s.Fail(errors.Errorf("gpt: Tag: model %T, %d classes, ids %v: want a model, at least one class, and the field ids", t.Model, t.Classes, ids))
		return nn.Objective{}
	}
	loss := t.Loss
	if loss == nil {
		loss = nn.CrossEntropy{}
	}
	x := s.Call("dropout", nn.Dropout{P: t.Dropout}, t.Model.Hidden(s, ids))                  // (B, T, Width)
	y := s.Call("score", nn.Linear{Out: t.Classes, OutIn: true, Init: nn.Normal(0, 0.02)}, x) // (B, T, Classes)
	o := nn.Objective{Outputs: map[string]*graph.Node{field.Y: y}}
	if s.Mode() != nn.Train {
		o.Outputs[field.Predict] = loss.Predict(s, y)
	}
	if in[field.Y] != nil {
		o.Loss, o.Weight = loss.Loss(s, y, in[field.Y])
	}
	return o
}
