// Package lpft teaches a pretrained network a new task by linear probing and then fine-tuning, LP-FT. It fits a
// linear head to features of the frozen network, trains on from there, and keeps what validates best. Source: Kumar
// et al. 2022, arXiv:2202.10054, section 3.4.
//
//	run, err := lpft.Recipe{
//		Trainer: train.Trainer{Task: net, LoRA: &nn.LoRA{…}, From: pretrained, Val: val, …},
//		Train:   rows, Examples: rows,
//		Probe:   &lpft.Probe{Features: "features", Head: "head", Target: lpft.Target{Link: lpft.Softmax, Classes: 3}},
//	}.Start()
//	defer run.Close()
//	err = run.Learn()           // fits the head, then makes the steps
//	result, err := run.Choose() // puts what validates best into the state
//	err = run.Refit()           // fits a head that was kept to the validation examples, too
//
// The package knows a [train.Task], names of its outputs, and sources of batches. An example may be a text, an image or
// a sound.
package lpft

import (
	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// Recipe says what is learned, from which examples, and how.
type Recipe struct {
	// Trainer makes the steps. It wants Val, by which everything is judged, and Stop.RestoreBest. Its From reads the
	// pretrained parameters; its LoRA, where it has one, trains the head beside it (Also). When its Interrupt is
	// closed, Learn writes a checkpoint and returns train.ErrInterrupted.
	Trainer train.Trainer
	// Train gives the batches of the steps.
	Train train.TrainData
	// Examples gives the training examples in one pass, without augmentation. The head is fitted to them.
	Examples train.EvalData
	// Probe says how the head is fitted. With nil it is not fitted; the steps begin with its random first values.
	Probe *Probe
	// ProbeOnly makes no steps. Only the head is learned, on frozen features.
	ProbeOnly bool
	// Chance is the loss of a model that knows only how often each answer comes, or 0 where that is not known. See
	// train.Judge.
	Chance float64
	// Say is told what happens. It may be nil.
	Say func(format string, a ...any)
}

// Probe says how a linear head is fitted to features of the frozen network: y = W·x + b.
type Probe struct {
	// Features names the output of the task, in mode nn.Eval, that the head maps: vectors x (B, N).
	Features string
	// Head is the path of the head's nn.Linear, whose parameters are Head.weight and Head.bias. A head without a bias
	// is fitted without one.
	Head string
	// InOut says that the weight is (N, Out), as nn.Linear has it unless OutIn is set.
	InOut bool
	// Target says how the field y of a batch is read.
	Target Target
}

// Result tells what a recipe has reached.
type Result struct {
	KeptHead bool    // the head on frozen features was kept
	Step     int     // the step whose values were kept; 0 where KeptHead is true
	ValLoss  float64 // validation loss of what was kept
	Strength float64 // regularisation of the head, as scikit-learn's C; 0 where this process fitted none
	Verdict  train.Verdict
}

// Run is a recipe that is being followed. Close it after use.
type Run struct {
	// Loop makes the steps. Loop.Run has the state.
	Loop     *train.Loop
	set      Recipe
	strength float64
	head     head      // the head that was fitted first; empty after a resume
	first    []float64 // losses of the validation examples with that head
	kept     bool      // Choose has kept the head
}

// Start plans the steps. With Trainer.Resume it goes on from the newest checkpoint.
func (r Recipe) Start() (*Run, error) {
	if r.Say == nil {
		r.Say = func(string, ...any) {}
	}
	switch t := r.Trainer; {
	case r.Train == nil || t.Val == nil || !t.Stop.RestoreBest:
		return nil, errors.New("lpft: Start: want Train, Trainer.Val and Trainer.Stop.RestoreBest: what validates best is kept")
	case r.Probe == nil && r.ProbeOnly:
		return nil, errors.New("lpft: Start: ProbeOnly wants a Probe")
	case r.Probe != nil && r.Examples == nil:
		return nil, errors.New("lpft: Start: a Probe wants Examples")
	}
	l, err := r.Trainer.Start(r.Train)
	if err != nil {
		return nil, err
	}
	return &Run{Loop: l, set: r}, nil
}

// Close gives the run folder back. The state stays usable.
func (r *Run) Close() { r.Loop.Close() }

// Fit follows the whole recipe: [Recipe.Start], [Run.Learn], [Run.Choose] and [Run.Refit]. It calls measure, which
// may be nil, with what was kept, before a head is fitted to the validation examples, too.
func (r Recipe) Fit(measure func(*train.Run) error) (*train.State, Result, error) {
	run, err := r.Start()
	if err != nil {
		return nil, Result{}, err
	}
	defer run.Close()
	if err := run.Learn(); err != nil {
		return nil, Result{}, err
	}
	result, err := run.Choose()
	if err == nil && measure != nil {
		err = measure(run.Loop.Run)
	}
	if err == nil {
		err = run.Refit()
	}
	return run.Loop.Run.State, result, err
}

// Learn fits the head, evaluates it as step 0 of the run, and makes the steps. After a resume it makes the steps that
// are left. At the end the state holds the values of the best evaluation.
func (r *Run) Learn() error {
	if r.Loop.StepsDone() == 0 {
		if err := r.probe(); err != nil {
			return err
		}
	}
	if r.set.ProbeOnly {
		return r.Loop.Finish()
	}
	return r.Loop.Fit()
}

// probe fits the head and evaluates what the steps start from.
func (r *Run) probe() error {
	if r.set.Probe != nil {
		if err := r.fitHead(r.set.Examples); err != nil {
			return err
		}
	}
	s, err := r.Loop.Evaluate()
	if err != nil {
		return err
	}
	if r.chooses() {
		if r.first, err = r.losses(); err != nil {
			return err
		}
	}
	if r.set.Probe != nil {
		r.set.Say("head on frozen features (strength %g): validation loss %.4f", r.strength, s.ValLoss)
	}
	return nil
}

// Choose puts what validates best into the state: the head on frozen features, or the best values of the steps. With
// LoRA and fewer than 100 validation examples it keeps the head unless LoRA is better by more than a standard error.
func (r *Run) Choose() (Result, error) {
	step, loss, _ := r.Loop.Best()
	result := Result{Step: step, ValLoss: loss, Strength: r.strength, Verdict: train.Judge(steps(r.Loop.Run.Whole()), r.set.Chance)}
	r.kept = step == 0 && r.set.Probe != nil
	if step > 0 && r.chooses() {
		var err error
		if r.kept, err = r.keepsHead(); err != nil {
			return result, err
		}
	}
	if !r.kept {
		return result, nil
	}
	if r.head.weight == nil { // the head was fitted before a resume
		if err := r.fitHead(r.set.Examples); err != nil {
			return result, err
		}
	}
	s, err := r.Loop.Run.Evaluate(r.set.Trainer.Val)
	result.KeptHead, result.Step, result.ValLoss, result.Strength = true, 0, s.Loss, r.strength
	return result, err
}

// Refit fits the head again, to training and validation examples together, where [Run.Choose] has kept it. Otherwise it
// does nothing. Metrics on the validation examples must be taken before.
func (r *Run) Refit() error {
	if !r.kept {
		return nil
	}
	val := r.set.Trainer.Val
	r.set.Say("the head on frozen features is kept; it is fitted again to all %d records", r.set.Examples.Eval().Len()+val.Eval().Len())
	return r.fitHead(r.set.Examples, val)
}

// steps leaves out the status of an evaluation before the first step.
func steps(h []train.Status) []train.Status {
	if len(h) > 0 && h[0].Step == 0 {
		return h[1:]
	}
	return h
}

// fitHead fits the head to features of the given examples and puts it into the state. For one part it also finds the
// strength of regularisation, and remembers the head.
func (r *Run) fitHead(parts ...train.EvalData) error {
	p := r.set.Probe
	if r.Loop.Run.State.Params.Get(p.Head+".weight") == nil {
		return errors.Errorf("lpft: the task has no parameter %q; want the weight of the head", p.Head+".weight")
	}
	all := features{link: p.Target.Link, center: r.Loop.Run.State.Params.Get(p.Head+".bias") != nil}
	for _, d := range parts {
		if err := r.addFeatures(&all, d); err != nil {
			return err
		}
	}
	if all.n == 0 {
		return errors.New("lpft: no examples to fit the head to")
	}
	all.dim = len(all.x) / all.n
	undo := all.prepare()
	var h head
	var err error
	if len(parts) == 1 {
		k := min(5, all.n)
		h, r.strength, err = fitHead(all, folds(all, k), k)
	} else {
		h, err = all.fit(r.strength)
	}
	if err != nil {
		return err
	}
	undo(h)
	if len(parts) == 1 {
		r.head = h
	}
	return r.write(h)
}

// addFeatures runs the network over one pass of d and adds its features and targets.
func (r *Run) addFeatures(all *features, d train.EvalData) error {
	p, y := r.set.Probe, targets{src: d.Eval()}
	return r.Loop.Run.Outputs(d, p.Features, func(n int, x []float32) error {
		rows, err := y.next(n)
		if err != nil {
			return err
		}
		for _, v := range x {
			all.x = append(all.x, float64(v))
		}
		for _, row := range rows {
			target, weight, err := p.Target.encode(row)
			if err != nil {
				return errors.Wrapf(err, "lpft: example %d", all.n)
			}
			all.y, all.weight = append(all.y, target...), append(all.weight, weight)
			all.n++
		}
		return nil
	})
}

// write puts a head into the state.
func (r *Run) write(h head) error {
	p, state := r.set.Probe, r.Loop.Run.State
	out, dim := len(h.bias), len(h.weight)/len(h.bias)
	weight, shape := h.weight, graph.Shape{out, dim}
	if p.InOut {
		weight, shape = h.transposed(), graph.Shape{dim, out}
	}
	if got := state.Params.Get(p.Head + ".weight").Meta.Shape; !got.Equal(shape) {
		return errors.Errorf("lpft: parameter %s.weight is %v; want %v, of %d features and %d outputs (InOut is %t)", p.Head, got, shape, dim, out, p.InOut)
	}
	for name, v := range map[string][]float32{p.Head + ".weight": weight, p.Head + ".bias": h.bias} {
		if state.Params.Get(name) == nil {
			continue
		}
		err := state.Fill(name, func(b graph.Buf) error {
			copy(graph.Data[float32](b), v)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// trained returns the values of the parameters that are trained.
func (r *Run) trained() (map[string]*tensor.Dense, error) {
	all := map[string]*tensor.Dense{}
	for _, p := range r.Loop.Run.State.Params.All() {
		if p.Frozen {
			continue
		}
		d, err := r.Loop.Run.State.Read(p.Name)
		if err != nil {
			return nil, err
		}
		all[p.Name] = d
	}
	return all, nil
}

// targets reads the field y of examples in the order of a pass.
type targets struct{ src data.Source }

// next returns y for each of the next n examples.
func (t targets) next(n int) (rows [][]float32, err error) {
	for len(rows) < n {
		size, fields := data.Shape(t.src, n-len(rows))
		b := data.NewBatch(fields, max(1, size))
		k, err := t.src.Next(b)
		if err != nil {
			return nil, errors.Wrap(err, "lpft: targets")
		}
		y, ok := b[field.Y]
		if !ok {
			return nil, errors.New("lpft: the examples have no field y; want their targets")
		}
		for i := range k {
			rows = append(rows, numbers(y, i))
		}
	}
	return rows, nil
}

// numbers returns the values of example i of an array. Ids become numbers, which are exact below 2²⁴.
func numbers(a data.Array, i int) []float32 {
	if a.Int == nil {
		n := len(a.Float) / a.Shape[0]
		return a.Float[i*n : (i+1)*n]
	}
	n := len(a.Int) / a.Shape[0]
	row := make([]float32, n)
	for k, id := range a.Int[i*n : (i+1)*n] {
		row[k] = float32(id)
	}
	return row
}
