package gpt

import (
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Tag is the task of giving every token a class by a new head on a model's trunk. Its logits are a linear map of each
// token's hidden state, as in transformers' …ForTokenClassification. It is a train.Task.
//
// Inputs:
//   - ids (B, T), int32, padded behind the last token with any ids
//   - y: the targets that Loss wants, such as class ids (B, T), int32, for nn.CrossEntropy; without y there is no loss
//
// A class id of −1 marks a token that does not count: padding, a special token, a later piece of a word.
//
// Parameters: score.weight (Classes, Width) and score.bias (Classes), as LlamaForTokenClassification names them. An
// adapter for GPT2ForTokenClassification calls the module classifier instead.
//
// Outputs: y, the logits (B, T, Classes), and in all modes but Train predict, the logits as Loss reads them.
type Tag struct {
	Model   Model
	Classes int
	Dropout float64 // of the hidden states, in mode Train: transformers' classifier_dropout
	Loss    nn.Loss // nil is nn.CrossEntropy{}
}

// Build implements train.Task. No model, no class and missing ids are errors of the scope.
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
