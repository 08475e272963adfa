package gpt

import (
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Classify is the task of telling sequences apart by a new head on a model's trunk: logits are a linear map of a vector
// that stands for the sequence; with PoolLast and no Bias as in transformers' …ForSequenceClassification. It is a
// train.Task.
//
// Inputs: ids (B, T), padded behind the last token with any ids; last (B), the index of each row's last token; and the
// targets y that Loss wants, (B) class ids for nn.CrossEntropy. Parameters: score.weight (Classes, N), where Pool makes N
// numbers, and with Bias score.bias (Classes). Outputs: y, the logits (B, Classes); and but for training pooled (B, N),
// an embedding of the sequence, and predict, how Loss reads y. One class with nn.MSE is a regression, several with
// nn.BCEWithLogits labels that do not exclude each other. With no Classes there is no head, loss or logits: pooled alone.
type Classify struct {
	Model   Model
	Classes int
	Pool    Pool
	Bias    bool
	Dropout float64 // of the vector, in training
	Loss    nn.Loss // nil is nn.CrossEntropy{}
}

// Build implements train.Task.
func (c Classify) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	ids, last := in[field.IDs], in[field.Last]
	if ids == nil || last == nil || c.Classes < 0 {
		s.Fail(errors.Errorf("gpt: Classify: %d classes, ids %v, last %v: want classes, and both fields", c.Classes, ids, last))
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
