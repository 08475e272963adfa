package plan

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// Options say how [New] makes a plan. The zero value is the fast plan for [CPU]; another executor proposes its own by
// [Executor].Options.
type Options struct {
	NoFuse  bool // one step for each op of the graph
	NoAlias bool // every value in memory of its own for the whole run
	Shared  bool // see Plan.Shared
	// Recompute is the share of the plan's work that it may do twice to need less memory. Activations are then
	// computed again where the backward pass wants them. Results keep their bits. 0 keeps all activations.
	Recompute float64
	Without   Pass // passes that are left out
	// LossRows is the number of rows whose logits a graph.LinearCrossEntropy has at a time; 0 is its default.
	LossRows int
	// Scratch returns the bytes of memory that the executor's kernel for an op needs while it runs. guarded says that
	// the step writes state. nil means [EvalScratch].
	Scratch func(op graph.Op, in []graph.Meta, guarded bool) int
	// Supports returns an error that wraps [ErrUnsupported] where the executor has no kernel for op on operands of
	// these metas. Where an op has members, op is the whole. New then lowers the op's formula (graph.Unfuser), and
	// makes no such op itself. Another error ends New. A nil Supports says that there is a kernel for every op.
	Supports func(op graph.Op, in []graph.Meta) error
}

// Pass is a set of the passes that executors may leave out.
type Pass uint

// The passes.
const (
	FuseCrossEntropy Pass = 1 << iota // the loss and the gradient of the logits in one step
	FuseLinearLoss                    // the product before them too, where its weight does not train
	FusePads                          // a sum of padded values is a concatenation
	FuseScatter                       // both gradients of a tied table in one buffer
	FuseAccumulate                    // a product that adds to its accumulator
	ViewReshapes                      // a reshape is an alias
	ViewSlices                        // a slice is an alias with rows apart
	ViewConcats                       // parts of a concatenation are written where they lie in it
	FuseActivation                    // an activation at the end of the product before it
)

// New lowers g: everything that its outputs, assignments and guards need. An op without a kernel and without a formula
// is an error that wraps [ErrUnsupported] and names scope, op and metas.
func New(g *graph.Graph, o Options) (*Plan, error) {
	if err := g.Err(); err != nil {
		return nil, err
	}
	p, err := lower(g, o)
	if err != nil {
		return nil, err
	}
	p.keepOld()
	if !o.NoFuse && !o.NoAlias {
		p.passes()
	}
	p.storeAssigns(!o.NoAlias)
	if !o.NoAlias {
		reuseOperands(p)
	}
	p.measure()
	p.place(!o.NoAlias)
	p.Shared = o.Shared
	return p, nil
}

// passes runs the passes that the options do not leave out.
func (p *Plan) passes() {
	for _, pass := range []struct {
		is  Pass
		run func(*Plan)
	}{
		{FuseCrossEntropy, fuseCrossEntropy}, {FuseLinearLoss, fuseLinearLoss}, {FusePads, fusePads}, {FuseScatter, fuseScatter},
		{FuseAccumulate, fuseAccumulate}, {ViewReshapes, viewReshapes}, {ViewSlices, viewSlices}, {ViewConcats, viewConcats},
		{0, func(p *Plan) { p.recompute(p.options.Recompute) }}, {FuseActivation, fuseActivation},
	} {
		if p.options.Without&pass.is == 0 {
			pass.run(p)
		}
	}
}

// supports reports whether the executor has a kernel for an op that a pass would make on slots.
func (p *Plan) supports(op graph.Op, in []int) bool {
	return p.options.Supports == nil || p.options.Supports(op, p.Metas(in)) == nil
}

// scratch is the number of bytes that the executor's kernel for an op needs.
func (o *Options) scratch(op graph.Op, in []graph.Meta, guarded bool) int {
	if o.Scratch != nil {
		return o.Scratch(op, in, guarded)
	}
	return EvalScratch(op, in)
}

// EvalScratch is the number of bytes that the Eval of an op needs: see graph.Scratcher.
func EvalScratch(op graph.Op, in []graph.Meta) int {
	if s, ok := op.(graph.Scratcher); ok {
		return s.Scratch(in)
	}
	return 0
}

// lacks tells whether the executor has no kernel for an op; another error of Supports is err.
func (o *Options) lacks(op graph.Op, in []graph.Meta) (lacks bool, err error) {
	if o.Supports == nil {
		return false, nil
	}
	if err = o.Supports(op, in); errors.Is(err, ErrUnsupported) {
		return true, nil
	}
	return false, err
}
