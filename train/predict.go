package train

import (
	"slices"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// PredictBatch runs the model in mode Eval on examples of any shape, and returns its outputs by name:
//
//	out, err := run.PredictBatch(data.Batch{"x": {Shape: []int{n, 28, 28, 1}, Float: pixels}}, "predict")
//	p := out["predict"] // Shape (n, classes), p.Float row-major
//
// The batch has the fields that the task wants, numbers or ids, without the targets. The first extent of each is the
// number of examples n, at least 1. Trainer.EvalBatch examples run at a time. Outputs are (n, …), in the order of the
// examples, numbers as float32 and ids as int32. Without names all outputs come whose first extent is that of the
// examples; [Supervised] has "predict" and "y".
//
// Fields of unlike numbers of examples are an error, and so is a missing field. An output that is asked for is an error
// where it does not exist, or where its first extent is not the number of examples.
func (r *Run) PredictBatch(b data.Batch, outputs ...string) (data.Batch, error) {
	all := data.Batch{}
	err := r.pass(data.Examples(b), func(p plan.Program, _ data.Batch, n int) error {
		names := outputs
		if len(names) == 0 {
			names = perExample(p.Plan(), n)
		}
		for _, name := range names {
			if err := appendOutput(all, p, name, n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Wrap(err, "train: PredictBatch")
	}
	return all, nil
}

// perExample lists the outputs of a plan for n examples whose first extent is n.
func perExample(p *plan.Plan, n int) (names []string) {
	for _, o := range p.Outputs {
		if s := p.Slots[o.Slot].Meta.Shape; len(s) > 0 && s[0] == n {
			names = append(names, o.Name)
		}
	}
	return names
}

// appendOutput puts the output of n examples behind those before it in all.
func appendOutput(all data.Batch, p plan.Program, name string, n int) error {
	pl := p.Plan()
	i := slices.IndexFunc(pl.Outputs, func(o plan.Named) bool { return o.Name == name })
	if i < 0 {
		return errors.Errorf("the task has no output %q in mode Eval", name)
	}
	shape := pl.Slots[pl.Outputs[i].Slot].Meta.Shape
	a, old := all[name]
	if !old {
		a.Shape = append([]int{0}, shape[min(1, len(shape)):]...)
	}
	if len(shape) == 0 || shape[0] != n || !slices.Equal(shape[1:], a.Shape[1:]) {
		return errors.Errorf("output %q of %d examples is %v, want (%d, …) and the same shape for all", name, n, shape, n)
	}
	d, err := p.Read(name)
	if err != nil {
		return err
	}
	a.Shape[0] += n
	if err := appendValues(&a, d); err != nil {
		return errors.Wrapf(err, "output %q", name)
	}
	all[name] = a
	return nil
}

// appendValues puts the elements of d behind those of a.
func appendValues(a *data.Array, d *tensor.Dense) error {
	switch v := d.Data().(type) {
	case []float32:
		a.Float = append(a.Float, v...)
	case []float64:
		for _, x := range v {
			a.Float = append(a.Float, float32(x))
		}
	case []int32:
		a.Int = append(a.Int, v...)
	default:
		dtype, err := graph.DTypeOf(d.Dtype())
		return errors.Errorf("dtype %v, %v: want numbers or ids", dtype, err)
	}
	return nil
}
