package nn

import (
	"maps"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// Model maps the fields of a batch to named outputs: a model of several inputs or several outputs. A [Layer] is the
// short form for one of each.
type Model interface {
	Forward(s *Scope, in Inputs) map[string]*graph.Node
}

// ModelFunc makes a Model of a function.
type ModelFunc func(s *Scope, in Inputs) map[string]*graph.Node

// Forward calls f.
func (f ModelFunc) Forward(s *Scope, in Inputs) map[string]*graph.Node { return f(s, in) }

// Weighted is a loss times a number, such as one term of a [MultiLoss].
type Weighted struct {
	Term Loss
	By   float64 // 0 or more, finite
}

// Loss takes what Term takes. It returns By times the sum of Term, and Term's weight.
func (w Weighted) Loss(s *Scope, y, target *graph.Node) (sum, weight *graph.Node) {
	if w.Term == nil || !(w.By >= 0) || w.By-w.By != 0 {
		return s.Fail(errors.Errorf("nn: Weighted %T by %g: want a loss and a finite number of at least 0", w.Term, w.By)), nil
	}
	sum, weight = w.Term.Loss(s, y, target)
	return s.Scale(sum, w.By), weight
}

// Predict reads y as Term does.
func (w Weighted) Predict(s *Scope, y *graph.Node) *graph.Node { return w.Term.Predict(s, y) }

// MultiLoss has a loss for each output of a model that has a target. The key is the name of the output and of the
// batch's field with its targets:
//
//	nn.MultiLoss{"class": nn.CrossEntropy{}, "box": nn.Weighted{Term: nn.L1{}, By: 0.5}}
//
// The loss of a batch is the sum of the terms, each the mean that it has alone: its sum S over its weight W.
//
//	loss = Σ S[k]/W[k]
//
// A term whose targets are all ignored adds 0. A step of several micro-batches takes the mean of their losses, by their
// numbers of examples.
type MultiLoss map[string]Loss

// Objective compares outputs, each (B, …), with the targets in a batch. Loss is the loss above times B and Weight is B,
// both scalars. The objective has these outputs for each output NAME of the model:
//
//	y.NAME        what the model gives
//	predict.NAME  how the loss reads it; not in mode Train
//	loss.NAME     the term of the batch, a scalar; where the batch has targets
//
// Without any of the targets there is no loss. Targets for some losses but not for all are an error. So are an output
// that has a loss but that the model lacks, and outputs of unlike numbers of examples.
func (m MultiLoss) Objective(s *Scope, outputs map[string]*graph.Node, in Inputs) Objective {
	o := Objective{Outputs: map[string]*graph.Node{}}
	if s.Err() != nil {
		return o
	}
	if err := m.check(outputs, in); err != nil {
		s.Fail(err)
		return o
	}
	for name, y := range outputs {
		o.Outputs["y."+name] = y
	}
	var total *graph.Node
	examples := 0
	for _, name := range slices.Sorted(maps.Keys(m)) {
		y := outputs[name]
		if s.Mode() != Train {
			o.Outputs["predict."+name] = m[name].Predict(s, y)
		}
		if in[name] == nil {
			continue
		}
		term := mean(s, m[name], y, in[name])
		o.Outputs["loss."+name], examples = term, y.Dim(0)
		if total == nil {
			total = term
		} else {
			total = s.Add(total, term)
		}
	}
	if total != nil {
		o.Loss, o.Weight = s.Scale(total, float64(examples)), s.Full(graph.Of(s.DType()), float64(examples))
	}
	return o
}

// mean is a loss's sum over its weight, 0 where nothing counts.
func mean(s *Scope, l Loss, y, target *graph.Node) *graph.Node {
	const least = 1e-30 // smaller than any weight of a batch but 0, and not denormal in float32
	sum, weight := l.Loss(s, y, target)
	return s.Div(sum, s.Maximum(weight, s.Full(weight.Meta(), least)))
}

// check refuses outputs and fields that the losses do not fit.
func (m MultiLoss) check(outputs map[string]*graph.Node, in Inputs) error {
	if len(m) == 0 {
		return errors.New("nn: MultiLoss has no losses")
	}
	names, rows, first := slices.Sorted(maps.Keys(m)), -1, ""
	targets := 0
	for _, name := range names {
		y := outputs[name]
		switch {
		case m[name] == nil:
			return errors.Errorf("nn: MultiLoss: the loss of %q is nil", name)
		case y == nil:
			return errors.Errorf("nn: MultiLoss: the model has no output %q, it has %s", name, strings.Join(slices.Sorted(maps.Keys(outputs)), ", "))
		case len(y.Shape()) == 0 || rows >= 0 && y.Dim(0) != rows:
			return errors.Errorf("nn: MultiLoss: output %q is %v, want (B, …) with as many examples as output %q", name, y.Meta(), first)
		}
		if rows, first = y.Dim(0), name; in[name] != nil {
			targets++
		}
	}
	for _, name := range names {
		if targets > 0 && in[name] == nil {
			return errors.Errorf("nn: MultiLoss: the batch has no field %q with the targets of that output", name)
		}
	}
	return nil
}
