package gpt

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Classify is the task of telling sequences apart by a new head on a model's trunk: logits are a linear map of the
// hidden state of each row's last token, as in transformers' …ForSequenceClassification. It is a train.Task.
//
// Inputs: ids (B, T), padded behind the last token with any ids; last (B), the index of each row's last token; and the
// targets y that Loss wants, (B) class ids for nn.CrossEntropy. Parameter: score.weight (Classes, Width). Outputs: y, the
// logits (B, Classes), and predict, how Loss reads them. One class with nn.MSE is a regression, several with
// nn.BCEWithLogits labels that do not exclude each other.
type Classify struct {
	Model   Model
	Classes int
	Loss    nn.Loss // nil is nn.CrossEntropy{}
}

// Build implements train.Task.
func (c Classify) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	ids, last := in["ids"], in["last"]
	if ids == nil || last == nil || c.Classes < 1 {
		s.Fail(errors.Errorf("gpt: Classify: %d classes, ids %v, last %v: want at least one class, and both fields", c.Classes, ids, last))
		return nn.Objective{}
	}
	loss := c.Loss
	if loss == nil {
		loss = nn.CrossEntropy{}
	}
	x := lastState(s, c.Model.Hidden(s, ids), last) // (B, C)
	y := s.Call("score", nn.Linear{Out: c.Classes, OutIn: true, NoBias: true, Init: nn.Normal(0, 0.02)}, x)
	o := nn.Objective{Outputs: map[string]*graph.Node{"y": y}}
	if s.Mode() != nn.Train {
		o.Outputs["predict"] = loss.Predict(s, y)
	}
	if in["y"] != nil {
		o.Loss, o.Weight = loss.Loss(s, y, in["y"])
	}
	return o
}

// lastState returns x[b, last[b]] for each row of x (B, T, C): an attention whose one query stands at that position and
// sees one key, itself, gives its value.
func lastState(s *nn.Scope, x, last *graph.Node) *graph.Node {
	b, t, c := x.Dim(0), x.Dim(1), x.Dim(2)
	v := s.Reshape(x, b, t, 1, c)
	y := s.Attention(s.Slice(v, 1, 0, 1), v, v, graph.AttentionOpts{Causal: true, Window: 1, Start: last})
	return s.Reshape(y, b, c)
}
