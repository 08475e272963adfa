package nn

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// Inputs are the nodes of a batch by name.
type Inputs map[string]*graph.Node

// Objective is what a training or evaluation graph computes. Loss is a sum over the batch and Weight what to divide it
// by (tokens or rows that count), both scalars: micro-batches add both before one division.
type Objective struct {
	Loss, Weight *graph.Node
	Outputs      map[string]*graph.Node // by name, for metrics and predictions: "logits"
}

// Loss compares what a model gives with targets, and says how to read it.
type Loss interface {
	// Loss returns the sum of the loss over the batch and its weight.
	Loss(s *Scope, y, target *graph.Node) (sum, weight *graph.Node)
	// Predict turns the model's output into what a user reads: probabilities, or the numbers themselves.
	Predict(s *Scope, y *graph.Node) *graph.Node
}

// like gives target the shape of y where it has as many elements: y (B, 1) meets targets (B).
func like(s *Scope, y, target *graph.Node) *graph.Node {
	if y == nil || target == nil || y.Shape().Equal(target.Shape()) {
		return target
	}
	if y.Meta().Size() != target.Meta().Size() {
		return s.Fail(errors.Errorf("nn: loss of %v with targets %v: want as many", y.Meta(), target.Meta()))
	}
	return s.Reshape(target, y.Shape()...)
}

// count is the number of elements of y as a scalar node.
func count(s *Scope, y *graph.Node) *graph.Node {
	return s.Full(graph.Of(s.DType()), float64(y.Meta().Size()))
}

// BCEWithLogits is the binary cross-entropy of logits z with targets t in [0, 1], in nats: log(1+exp(z)) − t·z.
type BCEWithLogits struct{}

// Loss takes logits and targets of as many elements.
func (BCEWithLogits) Loss(s *Scope, y, target *graph.Node) (sum, weight *graph.Node) {
	return s.BCEWithLogits(y, like(s, y, target)), count(s, y)
}

// Predict gives probabilities.
func (BCEWithLogits) Predict(s *Scope, y *graph.Node) *graph.Node { return s.Sigmoid(y) }

// MSE is the mean squared error (y − t)²; with Half ½·(y − t)², whose mean is the 1/(2m) convention.
type MSE struct{ Half bool }

// Loss takes values and targets of as many elements.
func (l MSE) Loss(s *Scope, y, target *graph.Node) (sum, weight *graph.Node) {
	target = like(s, y, target)
	if l.Half {
		return s.HalfMSE(y, target), count(s, y)
	}
	return s.MSE(y, target), count(s, y)
}

// Predict gives the values.
func (MSE) Predict(_ *Scope, y *graph.Node) *graph.Node { return y }

// L1 is the mean absolute error |y − t|.
type L1 struct{}

// Loss takes values and targets of as many elements.
func (L1) Loss(s *Scope, y, target *graph.Node) (sum, weight *graph.Node) {
	return s.L1(y, like(s, y, target)), count(s, y)
}

// Predict gives the values.
func (L1) Predict(_ *Scope, y *graph.Node) *graph.Node { return y }

// Huber is ½·d² where |d| ≤ Delta, else Delta·(|d| − ½·Delta), d = y − t. The zero Delta is 1. Source: Huber 1964.
type Huber struct{ Delta float64 }

// Loss takes values and targets of as many elements.
func (l Huber) Loss(s *Scope, y, target *graph.Node) (sum, weight *graph.Node) {
	return s.Huber(y, like(s, y, target), orElse(l.Delta, 1)), count(s, y)
}

// Predict gives the values.
func (Huber) Predict(_ *Scope, y *graph.Node) *graph.Node { return y }

// CrossEntropy is the cross-entropy of logits (…, V) with ids (…), in nats. Rows whose target is Ignore − 1 do not
// count: the zero value ignores id −1, as nanoGPT does; PyTorch's −100 is Ignore: −99.
type CrossEntropy struct {
	Ignore    int32
	Smoothing float64
}

// Loss takes logits (…, V) and ids (…).
func (l CrossEntropy) Loss(s *Scope, y, target *graph.Node) (sum, weight *graph.Node) {
	opt := graph.CrossEntropyOpts{HasIgnore: true, IgnoreIndex: l.Ignore - 1, Smoothing: l.Smoothing}
	return s.CrossEntropy(y, target, opt), s.CrossEntropyWeight(y, target, opt)
}

// Predict gives probabilities.
func (CrossEntropy) Predict(s *Scope, y *graph.Node) *graph.Node { return s.Softmax(y, -1) }
