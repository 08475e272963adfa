package train

import (
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Builder builds the graphs of one task. All of them declare the same parameters. It is not safe for concurrent use.
type Builder struct {
	Task      Task
	Params    *nn.Params
	Optimizer Optimizer
	Clip      float64 // global norm of the mean gradient; 0 does not clip
	EMA       float64 // decay of the moving averages of the parameters that train; 0 keeps none

	trains    []string       // parameters that have a gradient; set by the first graph that has gradients
	unreached []string       // trainable parameters that have no gradient
	start     map[string]int // updates before the first of parameters that were frozen until then
}

// Names of the states and outputs that training plans have besides parameters and moments.
const (
	lossSum   = "sum.loss"   // state: Σ loss over the micro-batches of a step
	weightSum = "sum.weight" // state: Σ weight
	gradOf    = "grad."      // state: accumulated gradient of the parameter named behind it
)

// Scopes of the nodes that no layer makes.
const (
	sumScope    = "accumulate"
	updateScope = "update"
)

// Step builds one whole training step: forward, backward, norm, clip, update. Its outputs are loss (a sum), weight, and
// grad_norm (the norm of the mean gradient).
func (b *Builder) Step(fields []data.Field, size int) (*graph.Graph, error) {
	g := graph.New()
	loss, weight, params, grads, err := b.backward(g, fields, size)
	if err != nil {
		return nil, err
	}
	b.update(g, loss, weight, params, grads)
	return g, g.Err()
}

// Accumulate builds the forward and backward pass of one micro-batch, whose sums of loss, weight and gradients it adds
// to states of kind Grad. Outputs: loss (a sum) and weight of the micro-batch.
func (b *Builder) Accumulate(fields []data.Field, size int) (*graph.Graph, error) {
	g := graph.New()
	loss, weight, params, grads, err := b.backward(g, fields, size)
	if err != nil {
		return nil, err
	}
	g.SetScope(sumScope)
	g.Guard(loss)
	add := func(name string, v *graph.Node) {
		acc := g.State(name, v.Meta(), graph.Grad)
		g.Assign(acc, g.Add(acc, v))
	}
	add(lossSum, loss)
	add(weightSum, weight)
	for i, p := range params {
		add(gradOf+p.Name(), grads[i])
	}
	g.Output(field.Loss, loss)
	g.Output(field.Weight, weight)
	return g, g.Err()
}

// Update builds what follows the last micro-batch: norm, clip, update, and zeros in place of the sums. Its outputs are
// those of Step. Accumulate must be called before, since it finds out which parameters have a gradient.
func (b *Builder) Update() (*graph.Graph, error) {
	if b.trains == nil {
		return nil, errors.New("train: Update: want Accumulate before it")
	}
	g := graph.New()
	scalar := graph.Of(b.Params.DType)
	loss, weight := g.State(lossSum, scalar, graph.Grad), g.State(weightSum, scalar, graph.Grad)
	var params, grads []*graph.Node
	for _, name := range b.trains {
		m := b.Params.Get(name).Meta
		params = append(params, g.State(name, m, graph.Param))
		grads = append(grads, g.State(gradOf+name, m, graph.Grad))
	}
	b.update(g, loss, weight, params, grads)
	for _, acc := range append([]*graph.Node{loss, weight}, grads...) {
		g.Assign(acc, g.Full(acc.Meta(), 0))
	}
	return g, g.Err()
}

// declare builds the task for training and for evaluation, to have all parameters in the register.
func (b *Builder) declare(fields []data.Field, size int) error {
	for _, mode := range []nn.Mode{nn.Train, nn.Eval} {
		if _, err := b.Forward(mode, fields, size); err != nil {
			return err
		}
	}
	return nil
}

// hold adds to a state the parameters and buffers that none of its plans reads, since no value depends on them.
func (b *Builder) hold(x plan.Executor, s plan.State) error {
	g := graph.New()
	add := func(kind graph.Kind, list []*nn.Param) {
		for _, p := range list {
			if _, _, err := s.Meta(p.Name); err != nil {
				g.Output(p.Name, g.State(p.Name, p.Meta, kind))
			}
		}
	}
	add(graph.Param, b.Params.All())
	add(graph.Statistic, b.Params.Buffers())
	if len(g.Outputs()) == 0 {
		return g.Err()
	}
	p, err := compile(x, s, x.Options())(g, g.Err())
	if err != nil {
		return err
	}
	return p.Close() // the state keeps the parameters
}

// Forward builds the task in a mode without gradients. Its outputs are loss and weight, where the task has them, and
// the task's own.
func (b *Builder) Forward(mode nn.Mode, fields []data.Field, size int) (*graph.Graph, error) {
	g := graph.New()
	s := nn.NewScope(g, b.Params, mode)
	o := b.Task.Build(s, inputs(s, fields, size))
	if o.Loss != nil {
		g.Output(field.Loss, o.Loss)
		g.Output(field.Weight, o.Weight)
	}
	for _, name := range sortedKeys(o.Outputs) {
		g.Output(name, o.Outputs[name])
	}
	return g, g.Err()
}

// sortedKeys are the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// backward builds the objective and the gradients of the parameters that train. A trainable parameter that does not
// reach the loss is left out.
func (b *Builder) backward(g *graph.Graph, fields []data.Field, size int) (loss, weight *graph.Node, params, grads []*graph.Node, err error) {
	s := nn.NewScope(g, b.Params, nn.Train)
	o := b.Task.Build(s, inputs(s, fields, size))
	if err := g.Err(); err != nil {
		return nil, nil, nil, nil, err
	}
	if o.Loss == nil || o.Weight == nil {
		return nil, nil, nil, nil, errors.New("train: the task builds no loss and weight")
	}
	b.trains, b.unreached = nil, nil
	reach := g.Reaches(o.Loss)
	for _, p := range b.Params.All() {
		n := s.Declared()[p.Name]
		switch {
		case p.Frozen:
		case n == nil || !reach[n]:
			b.unreached = append(b.unreached, p.Name)
		default:
			params = append(params, n)
			b.trains = append(b.trains, p.Name)
		}
	}
	if len(params) == 0 {
		return nil, nil, nil, nil, errors.New("train: no parameter that trains reaches the loss")
	}
	grads = g.Grad(o.Loss, params...)
	return o.Loss, o.Weight, params, grads, g.Err()
}

// warnings tells, in one line, which parameters train but do not reach the loss.
func (b *Builder) warnings() []string {
	if len(b.unreached) == 0 {
		return nil
	}
	return []string{"train: these parameters do not reach the loss and stay as they are: " + strings.Join(b.unreached, ", ")}
}

// optimizer returns the optimizer of a parameter.
func (b *Builder) optimizer(name string) Optimizer {
	if o, ok := b.Optimizer.(counting); ok && b.start[name] > 0 {
		return o.from(int64(b.start[name]))
	}
	return b.Optimizer
}

// checkPatterns refuses patterns that match nothing in the graphs built so far: of parameters to freeze, of groups of
// the optimizer, of layers with LoRA.
func (b *Builder) checkPatterns(freeze []string) error {
	none := func(pattern string) bool {
		return !slices.ContainsFunc(b.Params.All(), func(p *nn.Param) bool { return nn.Match(p.Name, pattern) })
	}
	for _, s := range freeze {
		if none(s) {
			return errors.Errorf("train: Freeze %q matches no parameter", s)
		}
	}
	if o, ok := b.Optimizer.(grouped); ok {
		for _, g := range o.groups() {
			if _, err := path.Match(g.Match, ""); err != nil {
				return errors.Wrapf(err, "train: group %q", g.Match)
			}
			if none(g.Match) {
				return errors.Errorf("train: the group %q matches no parameter", g.Match)
			}
		}
	}
	return errors.WithMessage(b.Params.CheckTargets(), "train")
}

// foreign tells, in one line, which ops of a plan run through Gorgonia's Do.
func foreign(p *plan.Plan) []string {
	names := p.Foreign()
	if len(names) == 0 {
		return nil
	}
	return []string{"train: these ops are foreign and run through copies of their operands: " + strings.Join(names, ", ")}
}

// update adds norm, clip and the optimizer's updates.
func (b *Builder) update(g *graph.Graph, loss, weight *graph.Node, params, grads []*graph.Node) {
	g.SetScope(updateScope)
	norm := g.GlobalNorm(grads...)
	scale := g.ClipScale(norm, weight, b.Clip)
	g.Guard(loss, norm)
	for i, p := range params {
		b.optimizer(p.Name()).Update(g, p, grads[i], scale)
	}
	b.average(g)
	g.Output(field.Loss, loss)
	g.Output(field.Weight, weight)
	g.Output(field.GradNorm, g.Div(norm, weight))
}

// compile lowers a graph and binds it to a state.
func compile(x plan.Executor, s plan.State, o plan.Options) func(*graph.Graph, error) (plan.Program, error) {
	return func(g *graph.Graph, err error) (plan.Program, error) { return compileWithin(0, x, s, o, g, err) }
}

// compileWithin refuses a plan that needs more memory than the limit, if that is not 0, before any is allocated.
func compileWithin(limit uint64, x plan.Executor, s plan.State, o plan.Options, g *graph.Graph, err error) (plan.Program, error) {
	p, err := planWithin(limit, o, g, err)
	if err != nil {
		return nil, err
	}
	return x.Compile(p, s)
}

// planWithin lowers a graph, and refuses a plan that needs more memory than the limit, if that is not 0.
func planWithin(limit uint64, o plan.Options, g *graph.Graph, err error) (*plan.Plan, error) {
	if err != nil {
		return nil, err
	}
	p, err := plan.New(g, o)
	if err != nil {
		return nil, err
	}
	if need := uint64(p.Total()); limit > 0 && need > limit {
		return nil, &MemoryError{Need: need, Free: limit} // fitting says the rest
	}
	return p, nil
}
