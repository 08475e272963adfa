package train

import (
	"io"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// TrainData gives a source of shuffled batches without end.
type TrainData interface{ Train(seed uint64) data.Source }

// EvalData gives a source of one pass in order.
type EvalData interface{ Eval() data.Source }

// Trainer says how to fit a model. Zero fields stand for the defaults named last in each comment.
type Trainer struct {
	Model nn.Layer // with Loss a short form of Task, for a model of one input x and one target y
	Loss  nn.Loss
	Task  Task

	Optimizer  Optimizer
	Schedule   Schedule // Constant
	Clip       float64  // global gradient norm; 0 does not clip
	Recompute  float64  // share of a step's work that may be done twice to need less memory, 0 to 1; see plan.Options
	Batch      int      // examples of a micro-batch; 32, or as many as there are
	Accumulate int      // micro-batches of a step; 1
	Epochs     int      // passes over the data, where Steps is 0
	Steps      int      // updates
	Seed       uint64   // of parameters, order and random ops
	Freeze     []string // patterns of parameters that stay as they are; see nn.Match
	LoRA       *nn.LoRA // trains low-rank additions alone: see nn.Params.Adapt
	Thaw       []Thaw   // which parameters are unfrozen in the course of the run
	// EMA, where not 0, is the decay of exponential moving averages of the parameters that train, such as 0.999:
	//
	//	avg = EMA·avg + (1−EMA)·p after each update, from 0; read as avg/(1−EMAᵗ) after update t
	//
	// Evaluations take the averages, and so do the best values of RestoreBest. At the end of the run the averages take
	// the place of the parameters. Training itself and the model of a checkpoint do not use them; a checkpoint keeps
	// them beside the moments. Buffers, such as running statistics, are not averaged: they stay those of the run.
	// Source: Kingma and Ba 2015, arXiv:1412.6980, section 7.2.
	EMA float64
	// From, where set, writes values of a pretrained model into the state, as pretrained.Source.Fill does. Only the
	// parameters that it leaves out get first values drawn from Seed. Checkpoints then leave out what stays frozen to
	// the end. A run that is resumed calls From again before it reads its checkpoint. It is an error if the frozen
	// values differ from those that the run began with.
	From func(s plan.State) error

	Val       EvalData // held-out data
	EvalEvery int      // steps between evaluations; 0 evaluates at the end only
	EvalBatch int      // examples of an evaluation batch; 64
	Metrics   []metric.Metric
	Stop      EarlyStopping
	Callbacks []Callback

	Out             string                             // run folder: log and checkpoints; "" writes nothing
	CheckpointEvery int                                // steps between checkpoints; 0 writes one at the end
	Keep            int                                // checkpoints that stay, besides that of the best evaluation; 0 or less keeps all
	Resume          bool                               // continue from the newest checkpoint in Out, from the start where there is none yet
	Interrupt       <-chan struct{}                    // closed: finish the step, write a checkpoint, return ErrInterrupted
	Config          any                                // what Out/run.yaml records, also of a run that is resumed
	Files           map[string]func(w io.Writer) error // more files for each checkpoint, by name: config.json, a tokenizer
	// Digests of the data by name, such as text, tokenizer, parts. A checkpoint keeps them. A run with others is not
	// resumed, unless DataChanged is set: then it goes on and keeps the new ones.
	Digests     map[string]string
	DataChanged bool

	Executor    plan.Executor // plan.CPU(0), closed with the run
	DType       graph.DType
	MemoryLimit uint64       // bytes that a step's plan may need; 0 does not look
	Warn        func(string) // gets what may be a mistake, such as parameters that do not reach the loss; nil is slog.Warn

	fs     atomicfile.FS // of checkpoints; nil: the system's
	noSync bool          // of the log, in tests
}

// ErrInterrupted is returned by Fit, with the run so far, after its Interrupt was closed.
var ErrInterrupted = errors.New("train: interrupted")

// Fit trains from new parameters, or from the newest checkpoint with Resume, and returns the run. After an error in a
// step it returns the run so far as well. If the loss or the gradient's norm is not finite, the parameters stay as they
// were before the step and the error is a *NotFiniteError.
func (t Trainer) Fit(d TrainData) (*Run, error) {
	l, err := t.Start(d)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.Run, l.Fit()
}

// New returns a run that was not trained: its parameters have their first values, for weights to be loaded into.
func (t Trainer) New(d TrainData) (*Run, error) {
	src, err := t.source(d)
	if err != nil {
		return nil, err
	}
	r, err := newRun(&t, src.Fields())
	if err != nil {
		return nil, err
	}
	if err := r.fresh(&t, src.Fields()); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// fresh declares the parameters and gives them their first values.
func (r *Run) fresh(t *Trainer, fields []data.Field) error {
	if err := r.builder.declare(fields, 2); err != nil { // a layer may refuse one example in mode Train: nn.BatchNorm
		return err
	}
	if err := r.builder.checkPatterns(t.Freeze); err != nil {
		return err
	}
	if err := r.builder.hold(t.Executor, r.State); err != nil {
		return err
	}
	return r.init(t)
}

// source fills in the defaults that every use needs and opens the data.
func (t *Trainer) source(d TrainData) (data.Source, error) {
	if t.Task == nil {
		if t.Model == nil || t.Loss == nil {
			return nil, errors.New("train: Trainer wants a Task, or a Model and a Loss")
		}
		t.Task = Supervised{t.Model, t.Loss}
	}
	if t.fs == nil {
		t.fs = atomicfile.OS
	}
	if d == nil {
		return nil, errors.New("train: no data to train on")
	}
	if e, ok := d.(interface{ Err() error }); ok && e.Err() != nil {
		return nil, errors.Wrap(e.Err(), "train")
	}
	return d.Train(t.Seed), nil
}

// check fills in the defaults of a fit and refuses settings out of range.
func (t *Trainer) check(src data.Source) error {
	examples := src.Len()
	if t.Optimizer == nil {
		return errors.New("train: Trainer has no Optimizer")
	}
	if t.Schedule == nil {
		t.Schedule = Constant{}
	}
	if t.Batch == 0 {
		t.Batch = min(32, max(1, examples))
	}
	if t.Accumulate == 0 {
		t.Accumulate = 1
	}
	if !(t.Recompute >= 0 && t.Recompute <= 1) {
		return errors.Errorf("train: Recompute %g: want a share, 0 to 1", t.Recompute)
	}
	if examples < 1 || t.Batch < 1 || t.Accumulate < 1 {
		return errors.Errorf("train: %d examples, batch %d, accumulate %d: want at least 1 of each", examples, t.Batch, t.Accumulate)
	}
	if t.Steps == 0 {
		t.Steps = (data.Batches(src, t.Batch, t.Epochs) + t.Accumulate - 1) / t.Accumulate
	}
	switch {
	case t.Steps < 1:
		return errors.Errorf("train: steps %d, epochs %d: want at least 1 of one of them", t.Steps, t.Epochs)
	case t.Stop.Patience > 0 && (t.Val == nil || t.EvalEvery < 1):
		return errors.New("train: early stopping wants Val and EvalEvery")
	case t.Stop.RestoreBest && t.Val == nil:
		return errors.New("train: RestoreBest wants Val")
	case !(t.EMA >= 0 && t.EMA < 1):
		return errors.Errorf("train: EMA %g: want a decay in [0, 1)", t.EMA)
	case t.Resume && t.Out == "":
		return errors.New("train: Resume wants Out, the folder of the run")
	}
	return nil
}

// warn tells of what may be a mistake.
func (t *Trainer) warn(s string) { warning(t.Warn)(s) }
