package train

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// Run is a trained model with its values, ready to be evaluated and used.
type Run struct {
	State      *State
	History    []Status // a status for each step of this process, or with more than 8,192 for each few; see Whole
	FitSeconds float64  // seconds that steps and evaluations took in this process
	course     course   // of this process, which History shows
	before     course   // of the steps before a resume
	stepFLOPs  int64
	builder    *Builder
	exec       plan.Executor
	fields     []data.Field
	evalBatch  int
	progs      map[string]plan.Program // forward, by shape
	ownExec    bool                    // exec was made for this run
	interrupt  <-chan struct{}         // of the loop that trains it: closed, evaluations end early
}

// newExecutor makes the executor where a caller gives none. Tests put others in its place.
var newExecutor = func() plan.Executor { return plan.CPU(0) }

func newRun(t *Trainer, fields []data.Field) (*Run, error) {
	params := nn.NewParams(t.DType)
	if t.LoRA != nil {
		if err := params.Adapt(*t.LoRA); err != nil {
			return nil, err
		}
	}
	if err := params.Freeze(t.Freeze...); err != nil {
		return nil, err
	}
	if t.EvalBatch == 0 {
		t.EvalBatch = defaultEvalBatch
	}
	own := t.Executor == nil
	if own {
		t.Executor = newExecutor()
	}
	r := &Run{
		State:   &State{State: t.Executor.NewState(), Params: params},
		builder: &Builder{Task: t.Task, Params: params, Optimizer: t.Optimizer, Clip: t.Clip, EMA: t.EMA, start: map[string]int{}},
		exec:    t.Executor, fields: fields, evalBatch: t.EvalBatch, progs: map[string]plan.Program{}, ownExec: own,
	}
	if own {
		runtime.AddCleanup(r, func(x plan.Executor) { x.Close() }, t.Executor)
	}
	return r, nil
}

// Executor is what the run's values lie on. A generator of its state needs the same one.
func (r *Run) Executor() plan.Executor { return r.exec }

// Close frees what the run has on its device: the programs of evaluations and the values. It also closes the executor
// where the Trainer was given none. Values that are to be kept must be read before. A second Close does nothing.
func (r *Run) Close() error {
	err := first(r.closePrograms(), r.State.Close())
	if r.ownExec {
		err = first(err, r.exec.Close())
	}
	return err
}

// closePrograms closes the programs of evaluations.
func (r *Run) closePrograms() (err error) {
	for _, p := range r.progs {
		err = first(err, p.Close())
	}
	clear(r.progs)
	return err
}

// init gives the parameters the values that training starts from.
func (r *Run) init(t *Trainer) error {
	if t.From == nil {
		return r.State.Init(t.Seed)
	}
	w := &written{State: r.State, names: map[string]bool{}}
	if err := t.From(w); err != nil {
		return err
	}
	return r.State.init(t.Seed, w.names)
}

// StepFLOPs is the number of floating-point operations of one update, by its plan.
func (r *Run) StepFLOPs() int64 { return r.stepFLOPs }

// feed returns the first n examples of a batch's arrays as a plan's inputs, without a copy.
func (r *Run) feed(b data.Batch, n int) map[string]any {
	in := map[string]any{}
	for name, a := range b {
		row := 1
		for _, d := range a.Shape[1:] {
			row *= d
		}
		if a.Int != nil {
			in[name] = a.Int[:n*row]
		} else {
			in[name] = a.Float[:n*row]
		}
	}
	return in
}

// forward returns the program that evaluates batches of the given size.
func (r *Run) forward(fields []data.Field, size int) (plan.Program, error) {
	key := fmt.Sprint(size, fields)
	if p := r.progs[key]; p != nil {
		return p, nil
	}
	if len(r.progs) == maxShapes {
		if err := r.closePrograms(); err != nil {
			return nil, err
		}
	}
	o := r.exec.Options()
	o.Shared = true
	p, err := compile(r.exec, r.State, o)(r.builder.Forward(nn.Eval, fields, size))
	if err != nil {
		return nil, fitting(err, "an evaluation", size, r.exec.Device().Free+r.State.bytes(), func(n int) (uint64, error) {
			g, err := r.builder.Forward(nn.Eval, fields, n)
			return total(o, g, err)
		})
	}
	r.progs[key] = p
	return p, nil
}

// Scores are the results of an evaluation.
type Scores struct {
	Loss    float64 // mean over the weight: nats per token for cross-entropy
	Weight  float64 // tokens or rows that counted
	Metrics map[string]float64
}

func (s Scores) String() string {
	var b strings.Builder
	for _, name := range sortedKeys(s.Metrics) {
		fmt.Fprintf(&b, "%s %.4g, ", name, s.Metrics[name])
	}
	fmt.Fprintf(&b, "loss %.4g", s.Loss)
	return b.String()
}

// defaultEvalBatch is the number of examples of an evaluation batch.
const defaultEvalBatch = 64

// Evaluate runs the model over d once, in mode Eval, and returns the mean loss and the metrics.
func (r *Run) Evaluate(d EvalData, metrics ...metric.Metric) (Scores, error) {
	accs := make([]metric.Accumulator, len(metrics))
	for i, m := range metrics {
		accs[i] = m.New()
	}
	var s Scores
	err := r.pass(d, func(p plan.Program, b data.Batch, n int) error { return s.add(p, b, n, accs) })
	if err != nil {
		return s, errors.Wrap(err, "train: Evaluate")
	}
	if s.Weight > 0 {
		s.Loss /= s.Weight
	}
	s.Metrics = map[string]float64{}
	for i, m := range metrics {
		s.Metrics[m.Name()] = accs[i].Value()
	}
	return s, nil
}

// pass runs the model in mode Eval over one pass of d. It calls f after each batch b, whose first n examples count.
// While a loop trains the run, its Interrupt ends the pass with ErrInterrupted.
func (r *Run) pass(d EvalData, f func(p plan.Program, b data.Batch, n int) error) error {
	src := d.Eval()
	most, batches := min(r.evalBatch, max(1, src.Len())), map[string]data.Batch{}
	for {
		if interrupted(r.interrupt) {
			return ErrInterrupted
		}
		size, fields := data.Shape(src, most)
		key := fmt.Sprint(size, fields)
		if batches[key] == nil {
			batches[key] = data.NewBatch(fields, max(1, size))
		}
		b := batches[key]
		n, err := src.Next(b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		p, err := r.forward(fields, n)
		if err == nil {
			err = p.Run(r.feed(b, n), graph.Scalars{})
		}
		if err == nil {
			err = f(p, b, n)
		}
		if err != nil {
			return err
		}
	}
}

// add counts a batch's loss and metrics.
func (s *Scores) add(p plan.Program, b data.Batch, n int, accs []metric.Accumulator) error {
	var v [2]float64
	if err := p.Scalars(v[:], field.Loss, field.Weight); err != nil {
		return err
	}
	s.Loss, s.Weight = s.Loss+v[0], s.Weight+v[1]
	if len(accs) == 0 {
		return nil
	}
	pred, cols, err := floats(p, field.Predict)
	if err != nil {
		return err
	}
	y, ok := b[field.Y]
	if !ok {
		return errors.New("metrics want a field y in the batch")
	}
	target := targets(y, n)
	for _, a := range accs {
		if err := a.Add(pred, cols, target); err != nil {
			return err
		}
	}
	return nil
}

// targets returns y's first n examples as numbers.
func targets(a data.Array, n int) []float32 {
	if a.Int == nil {
		return a.Float[:len(a.Float)/a.Shape[0]*n]
	}
	ids := a.Int[:len(a.Int)/a.Shape[0]*n]
	t := make([]float32, len(ids))
	for i, v := range ids {
		t[i] = float32(v)
	}
	return t
}

// floats reads an output as float32 and the extent of its last axis.
func floats(p plan.Program, name string) ([]float32, int, error) {
	d, err := p.Read(name)
	if err != nil {
		return nil, 0, err
	}
	cols := 1
	if s := d.Shape(); len(s) > 1 {
		cols = s[len(s)-1]
	}
	v, err := graph.Floats[float32](d)
	return v, cols, errors.Wrapf(err, "train: output %q", name)
}

// Outputs runs the model over d once, in mode Eval, in the order of d.Eval. It calls f with the named output of each
// batch of n examples: y (n, …), row-major. An error of f ends it.
func (r *Run) Outputs(d EvalData, output string, f func(n int, y []float32) error) error {
	return errors.Wrap(r.pass(d, func(p plan.Program, _ data.Batch, n int) error {
		y, _, err := floats(p, output)
		if err != nil {
			return err
		}
		return f(n, y)
	}), "train: Outputs")
}

// Predict returns the output [field.Predict] for each row of x (n, N): probabilities, or numbers, as the loss reads
// what the model gives. Rows must be equally long. See [Run.PredictBatch] for images, ids and models of several inputs.
func (r *Run) Predict(x [][]float32) ([][]float32, error) { return r.rows(field.Predict, x) }

// Logits returns the output [field.Y] for each row of x (n, N): what the model gives, before the loss makes
// probabilities of it.
func (r *Run) Logits(x [][]float32) ([][]float32, error) { return r.rows(field.Y, x) }

func (r *Run) rows(output string, x [][]float32) ([][]float32, error) {
	if len(x) == 0 {
		return nil, nil
	}
	width := len(x[0])
	flat := make([]float32, 0, len(x)*width)
	for i, row := range x {
		if len(row) != width {
			return nil, errors.Errorf("train: row %d has %d numbers, row 0 has %d", i, len(row), width)
		}
		flat = append(flat, row...)
	}
	p, err := r.forward([]data.Field{{Name: field.X, Shape: []int{width}}}, len(x))
	if err != nil {
		return nil, err
	}
	if err := p.Run(map[string]any{field.X: flat}, graph.Scalars{}); err != nil {
		return nil, err
	}
	y, _, err := floats(p, output)
	if err != nil {
		return nil, err
	}
	cols := len(y) / len(x)
	out := make([][]float32, len(x))
	for i := range out {
		out[i] = y[i*cols : (i+1)*cols]
	}
	return out, nil
}
