package gpt

import (
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Classify is the task of telling sequences apart by a new head on a model's trunk. Its logits are a linear map of one
// vector that stands for the sequence. With PoolLast and no Bias it is transformers' …ForSequenceClassification. It is
// a train.Task.
//
// Inputs:
//   - ids (B, T), int32, padded behind the last token with any ids
//   - last (B), int32: the index of each row's last token
//   - y: the targets that Loss wants, such as class ids (B), int32, for nn.CrossEntropy; without y there is no loss
//
// Parameters: score.weight (Classes, N), where Pool gives N numbers, and score.bias (Classes) where Bias is set.
//
// Outputs:
//   - y, the logits (B, Classes)
//   - pooled (B, N), an embedding of the sequence; in all modes but Train
//   - predict, the logits as Loss reads them; in all modes but Train
//
// One class with nn.MSE is a regression. Several classes with nn.BCEWithLogits are labels that do not exclude each
// other. Without Classes there is neither head nor loss, and pooled is the only output.
type Classify struct {
	Model   Model
	Classes int
	Pool    Pool
	Bias    bool
	Dropout float64 // of the vector, in mode Train
	Loss    nn.Loss // nil is nn.CrossEntropy{}
}

// Build implements train.Task. Fewer than 0 classes and a missing field are errors of the scope.
func (c Classify) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	ids, last := in[field.IDs], in[field.Last]
	if ids == nil || last == nil || c.Classes < 0 {
		s.Fail(errors.Errorf("gpt: Classify: %d classes, ids %v, last %v: want 0 or more classes, and both fields", c.Classes, ids, last))
		return nn.Objective{}
	}
	x := c.pool(s, c.Model.Hidden(s, ids), last) // (B, N)
	o := nn.Objective{Outputs: map[string]*graph.Node{}}
	if s.Mode() != nn.Train {
		o.Outputs[field.Pooled] = x
	}
	if c.Classes == 0 || x == nil {
		return o
	}
	loss := c.Loss
	if loss == nil {
		loss = nn.CrossEntropy{}
	}
	if c.Dropout > 0 {
		x = s.Call("dropout", nn.Dropout{P: c.Dropout}, x)
	}
	y := s.Call("score", nn.Linear{Out: c.Classes, OutIn: true, NoBias: !c.Bias, Init: nn.Normal(0, 0.02)}, x)
	o.Outputs[field.Y] = y
	if s.Mode() != nn.Train {
		o.Outputs[field.Predict] = loss.Predict(s, y)
	}
	if in[field.Y] != nil {
		o.Loss, o.Weight = loss.Loss(s, y, in[field.Y])
	}
	return o
}
