package train

import (
	"sort"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Builder builds the plans of one task: all of its graphs declare the same parameters.
type Builder struct {
	Task      Task
	Params    *nn.Params
	Optimizer Optimizer
	Clip      float64 // global norm of the mean gradient; 0 does not clip
}

// Names of the states and outputs that training plans have besides parameters and moments.
const (
	lossSum   = "sum.loss"   // state: Σ loss over the micro-batches of a step
	weightSum = "sum.weight" // state: Σ weight
	gradOf    = "grad."      // state: accumulated gradient of the parameter named behind it
)

// Step builds one whole training step: forward, backward, norm, clip, update. Outputs: loss (a sum), weight, grad_norm
// (of the mean gradient).
func (b Builder) Step(fields []data.Field, size int) (*graph.Graph, error) {
	g := graph.New()
	loss, weight, params, grads, err := b.backward(g, fields, size)
	if err != nil {
		return nil, err
	}
	b.update(g, loss, weight, params, grads)
	return g, g.Err()
}

// Accumulate builds the forward and backward pass of one micro-batch, whose sums of loss, weight and gradients it adds
// to states.
func (b Builder) Accumulate(fields []data.Field, size int) (*graph.Graph, error) {
	g := graph.New()
	loss, weight, params, grads, err := b.backward(g, fields, size)
	if err != nil {
		return nil, err
	}
	g.Guard(loss)
	add := func(name string, kind graph.Kind, v *graph.Node) {
		acc := g.State(name, v.Meta(), kind)
		g.Assign(acc, g.Add(acc, v))
	}
	add(lossSum, graph.Statistic, loss)
	add(weightSum, graph.Statistic, weight)
	for i, p := range params {
		add(gradOf+p.Name(), graph.Grad, grads[i])
	}
	return g, g.Err()
}

// Update builds the step that follows the last micro-batch: norm, clip, update, and zeros in place of the sums.
func (b Builder) Update() (*graph.Graph, error) {
	g := graph.New()
	scalar := graph.Of(b.Params.DType)
	loss, weight := g.State(lossSum, scalar, graph.Statistic), g.State(weightSum, scalar, graph.Statistic)
	var params, grads []*graph.Node
	for _, p := range b.Params.All() {
		if !p.Frozen {
			params = append(params, g.State(p.Name, p.Meta, graph.Param))
			grads = append(grads, g.State(gradOf+p.Name, p.Meta, graph.Grad))
		}
	}
	b.update(g, loss, weight, params, grads)
	for _, acc := range append([]*graph.Node{loss, weight}, grads...) {
		g.Assign(acc, g.Full(acc.Meta(), 0))
	}
	return g, g.Err()
}

// Forward builds the task in a mode without gradients. Outputs: loss and weight where the task has them, and its own.
func (b Builder) Forward(mode nn.Mode, fields []data.Field, size int) (*graph.Graph, error) {
	g := graph.New()
	s := nn.NewScope(g, b.Params, mode)
	o := b.Task.Build(s, inputs(s, fields, size))
	if o.Loss != nil {
		g.Output("loss", o.Loss)
		g.Output("weight", o.Weight)
	}
	for _, name := range sortedKeys(o.Outputs) {
		g.Output(name, o.Outputs[name])
	}
	return g, g.Err()
}

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
func (b Builder) backward(g *graph.Graph, fields []data.Field, size int) (loss, weight *graph.Node, params, grads []*graph.Node, err error) {
	s := nn.NewScope(g, b.Params, nn.Train)
	o := b.Task.Build(s, inputs(s, fields, size))
	if err := g.Err(); err != nil {
		return nil, nil, nil, nil, err
	}
	if o.Loss == nil || o.Weight == nil {
		return nil, nil, nil, nil, errors.New("train: the task builds no loss and weight")
	}
	reach := g.Reaches(o.Loss)
	for _, p := range b.Params.All() {
		if n := s.Declared()[p.Name]; n != nil && !p.Frozen && reach[n] {
			params = append(params, n)
		}
	}
	if len(params) == 0 {
		return nil, nil, nil, nil, errors.New("train: no parameter that trains reaches the loss")
	}
	grads = g.Grad(o.Loss, params...)
	return o.Loss, o.Weight, params, grads, g.Err()
}

// update adds norm, clip and the optimizer's updates.
func (b Builder) update(g *graph.Graph, loss, weight *graph.Node, params, grads []*graph.Node) {
	norm := g.GlobalNorm(grads...)
	scale := g.ClipScale(norm, weight, b.Clip)
	g.Guard(loss, norm)
	for i, p := range params {
		b.Optimizer.Update(g, p, grads[i], scale)
	}
	g.Output("loss", loss)
	g.Output("weight", weight)
	g.Output("grad_norm", g.Div(norm, weight))
}

// compile lowers a graph and binds it to a state.
func compile(x plan.Executor, s plan.State, o plan.Options) func(*graph.Graph, error) (plan.Program, error) {
	return func(g *graph.Graph, err error) (plan.Program, error) {
		if err != nil {
			return nil, err
		}
		p, err := plan.New(g, o)
		if err != nil {
			return nil, err
		}
		return x.Compile(p, s)
	}
}
