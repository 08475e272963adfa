package nn

import (
	"cmp"
	"math"
	"slices"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/loss"
	"github.com/pkg/errors"
)

// Inputs are the nodes of a batch by name.
type Inputs map[string]*graph.Node

// Objective is what a training or evaluation graph computes. Loss is a sum over the batch, and Weight is what to divide
// it by: the tokens or rows that count. Both are scalars. Micro-batches add up both before one division.
type Objective struct {
	Loss, Weight *graph.Node
	Outputs      map[string]*graph.Node // values to read by name, for metrics and predictions
}

// Loss compares what a model gives with targets, and tells how to read what the model gives.
type Loss interface {
	// Loss returns the sum of the loss over the batch and its weight, both scalars of y's dtype.
	Loss(s *Scope, y, target *graph.Node) (sum, weight *graph.Node)
	// Predict turns the model's output into what a user reads, of y's shape: probabilities, or the numbers themselves.
	Predict(s *Scope, y *graph.Node) *graph.Node
}

// like gives target the shape of y where it has as many elements, so that y (B, 1) fits targets (B).
func like(s *Scope, y, target *graph.Node) *graph.Node {
	if y == nil || target == nil || y.Shape().Equal(target.Shape()) {
		return target
	}
	if y.Meta().Size() != target.Meta().Size() {
		return s.Fail(errors.Errorf("nn: loss of %v with targets %v: want as many targets as values", y.Meta(), target.Meta()))
	}
	return s.Reshape(target, y.Shape()...)
}

// count is the number of elements of y as a scalar node.
func count(s *Scope, y *graph.Node) *graph.Node {
	return s.Full(graph.Of(s.DType()), float64(y.Meta().Size()))
}

// BCEWithLogits is the binary cross-entropy of logits z with targets t in [0, 1], in nats: log(1+exp(z)) − t·z. With
// PosWeight a target of 1 weighs that much, as with PyTorch's pos_weight:
//
//	w·t·log(1+exp(−z)) + (1−t)·log(1+exp(z))
//
// PosWeight has 1 number, or one for each column of the last axis. The weight of the objective is the number of logits
// with and without it.
type BCEWithLogits struct{ PosWeight []float64 }

// Loss takes logits of any shape and targets of as many elements, floats of one dtype. Other numbers of elements are an
// error, and so are weights that are negative, not finite or of another number.
func (l BCEWithLogits) Loss(s *Scope, y, target *graph.Node) (sum, weight *graph.Node) {
	target = like(s, y, target)
	if len(l.PosWeight) == 0 {
		return loss.BCEWithLogits(s.Graph, y, target), count(s, y)
	}
	if n := len(l.PosWeight); n != 1 && n != y.Dim(-1) {
		return s.Fail(errors.Errorf("nn: BCEWithLogits: %d positive weights for logits %v: want 1, or one for each column", n, y.Meta())), nil
	}
	w := weights(s, "BCEWithLogits", l.PosWeight)
	positive := s.Mul(s.Mul(w, target), s.Softplus(s.Neg(y)))
	negative := s.Mul(s.AddScalar(s.Neg(target), 1), s.Softplus(y))
	return s.Sum(s.Add(positive, negative)), count(s, y)
}

// weights returns w as a vector (len(w)) of constants; a weight that is negative or not finite is an error.
func weights(s *Scope, of string, w []float64) *graph.Node {
	var runs []*graph.Node
	for lo := 0; lo < len(w); {
		if !(w[lo] >= 0) || math.IsInf(w[lo], 0) {
			return s.Fail(errors.Errorf("nn: %s: weight %d is %g: want 0 or more", of, lo, w[lo]))
		}
		hi := lo + 1
		for hi < len(w) && w[hi] == w[lo] {
			hi++
		}
		runs = append(runs, s.Full(graph.Of(s.DType(), hi-lo), w[lo]))
		lo = hi
	}
	const most = 16 // operands of Concat
	for len(runs) > 1 {
		var joined []*graph.Node
		for part := range slices.Chunk(runs, most) {
			joined = append(joined, s.Concat(0, part...))
		}
		runs = joined
	}
	return runs[0]
}

// Predict gives the probabilities of a target of 1, of y's shape.
func (BCEWithLogits) Predict(s *Scope, y *graph.Node) *graph.Node { return s.Sigmoid(y) }

// MSE is the mean squared error (y − t)². With Half it is ½·(y − t)², whose mean over m numbers has the factor 1/(2m).
type MSE struct{ Half bool }

// Loss takes values of any shape and targets of as many elements, floats of one dtype. The weight is their number.
func (l MSE) Loss(s *Scope, y, target *graph.Node) (sum, weight *graph.Node) {
	target = like(s, y, target)
	if l.Half {
		return loss.HalfMSE(s.Graph, y, target), count(s, y)
	}
	return loss.MSE(s.Graph, y, target), count(s, y)
}

// Predict gives the values.
func (MSE) Predict(_ *Scope, y *graph.Node) *graph.Node { return y }

// L1 is the mean absolute error |y − t|.
type L1 struct{}

// Loss takes values of any shape and targets of as many elements, floats of one dtype. The weight is their number.
func (L1) Loss(s *Scope, y, target *graph.Node) (sum, weight *graph.Node) {
	return loss.L1(s.Graph, y, like(s, y, target)), count(s, y)
}

// Predict gives the values.
func (L1) Predict(_ *Scope, y *graph.Node) *graph.Node { return y }

// Huber is ½·d² where |d| ≤ Delta, else Delta·(|d| − ½·Delta), d = y − t. The zero Delta is 1. Source: Huber 1964.
type Huber struct{ Delta float64 }

// Loss takes values of any shape and targets of as many elements, floats of one dtype. The weight is their number.
func (l Huber) Loss(s *Scope, y, target *graph.Node) (sum, weight *graph.Node) {
	return loss.Huber(s.Graph, y, like(s, y, target), cmp.Or(l.Delta, 1)), count(s, y)
}

// Predict gives the values.
func (Huber) Predict(_ *Scope, y *graph.Node) *graph.Node { return y }

// CrossEntropy is the cross-entropy of logits (…, V) with ids (…), in nats. Rows whose target is Ignore do not count.
// The zero value ignores −1, as nanoGPT does; PyTorch and Hugging Face ignore −100, which is Ignore: −100.
// Class 0 is a class unless IgnoreZero is set, as for a padding id 0. Any other target outside [0, V) is an error.
//
// With Weights, one for each class, a row weighs as much as its target's class. The sum is divided by the weights of
// the rows' targets, as PyTorch's CrossEntropyLoss(weight=…) does. For Smoothing see [graph.Graph.CrossEntropy].
//
// With PerRow the sum is divided by the number of rows, as with Keras's class_weight. That is better where batches are
// small: divided by its own weights, a batch of one class has the same mean whatever its weight.
// [Balance] gives weights that count all classes alike.
type CrossEntropy struct {
	Ignore     int32 // the id that does not count; 0 means −1
	IgnoreZero bool  // id 0 does not count, in place of Ignore
	Smoothing  float64
	Weights    []float64
	PerRow     bool // with Weights: the mean is divided by the number of rows
}

// Balance returns a weight for each class from the numbers of rows n of the classes:
//
//	w[c] = N/(V·n[c])
//
// N is the number of all rows, V the number of classes that have rows. A class without rows has weight 0. Every other
// class then adds as much to the loss, and the mean of the weights over the rows is 1.
func Balance(rows []int) []float64 {
	all, classes := 0, 0
	for _, n := range rows {
		if n > 0 {
			all, classes = all+n, classes+1
		}
	}
	w := make([]float64, len(rows))
	for i, n := range rows {
		if n > 0 {
			w[i] = float64(all) / (float64(classes) * float64(n))
		}
	}
	return w
}

// Loss takes logits (…, V), floats, and ids (…). The weight is the number of rows that count, or the sum of their class
// weights. It is an error where Weights are not V numbers, each finite and at least 0. A target that is neither ignored
// nor in [0, V) is an error of the run.
func (l CrossEntropy) Loss(s *Scope, y, target *graph.Node) (sum, weight *graph.Node) {
	opt := graph.CrossEntropyOpts{HasIgnore: true, IgnoreIndex: l.Ignore, Smoothing: l.Smoothing}
	switch {
	case l.IgnoreZero && l.Ignore != 0:
		return s.Fail(errors.Errorf("nn: CrossEntropy ignores id 0 and id %d: want one of them", l.Ignore)), nil
	case !l.IgnoreZero && l.Ignore == 0:
		opt.IgnoreIndex = -1
	}
	if len(l.Weights) > 0 {
		opt.Weights = weights(s, "CrossEntropy", l.Weights)
	}
	sum = s.CrossEntropy(y, target, opt)
	if l.PerRow {
		opt.Weights = nil
	}
	return sum, s.CrossEntropyWeight(y, target, opt)
}

// Predict gives the probabilities of the classes, (…, V).
func (CrossEntropy) Predict(s *Scope, y *graph.Node) *graph.Node { return s.Softmax(y, -1) }
