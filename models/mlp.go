// Package models has the models that are not GPT, as plain layers.
//
//	net := models.MLP{Hidden: []int{32, 32}, Out: 3, Act: nn.Tanh}
//	t := train.Trainer{Model: net, Loss: nn.CrossEntropy{}, Optimizer: train.Adam{LR: 0.01}, Epochs: 100}
package models

import (
	"strconv"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// MLP is a multilayer perceptron, the backpropagation network: for each hidden layer
//
//	x = dropout(act(x·W + b))
//
// and then Out numbers without activation, which the loss reads. With nn.CrossEntropy they are the logits of Out
// classes. With nn.BCEWithLogits and an Out of 1 the number is the logit of class 1 of two. With nn.MSE they are the
// values.
//
// Parameters: layers.I.weight (in, out) and layers.I.bias (out), with I from 0. Source: Rumelhart, Hinton and Williams
// 1986, Nature 323.
type MLP struct {
	Hidden  []int    // widths of the hidden layers; without any the model is linear
	Out     int      // width of the output
	Act     nn.Layer // after each hidden layer; nil is nn.ReLU
	Dropout float64  // after each activation, 0 ≤ Dropout < 1
	NoBias  bool
	Init    nn.Init // of the weights; nil is Glorot uniform
}

// Forward takes x (B, ...), floats, and returns (B, Out); axes after the first are joined. It is an error where Out or
// a hidden width is below 1, and for a scalar x.
func (m MLP) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	if x == nil {
		return nil
	}
	if len(x.Shape()) == 0 || m.Out < 1 {
		return s.Fail(errors.Errorf("models: MLP of %v: want (B, ...) and Out of at least 1, not %d", x.Meta(), m.Out))
	}
	if len(x.Shape()) != 2 {
		x = s.Reshape(x, x.Dim(0), x.Meta().Size()/x.Dim(0))
	}
	act := m.Act
	if act == nil {
		act = nn.ReLU
	}
	for i, width := range m.Hidden {
		if width < 1 {
			return s.Fail(errors.Errorf("models: MLP: hidden layer %d is %d wide, want at least 1", i, width))
		}
		x = s.Call("act."+strconv.Itoa(i), act, m.linear(s, i, width, x))
		x = s.Call("drop."+strconv.Itoa(i), nn.Dropout{P: m.Dropout}, x)
	}
	return m.linear(s, len(m.Hidden), m.Out, x)
}

func (m MLP) linear(s *nn.Scope, i, out int, x *graph.Node) *graph.Node {
	return s.Call("layers."+strconv.Itoa(i), nn.Linear{Out: out, NoBias: m.NoBias, Init: m.Init}, x)
}
