package graphtest

import (
	"fmt"
	"slices"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// Planned returns the evaluator that plans each graph with the given options and runs it on x:
//
//	x := plan.CPU(0)
//	graphtest.Run(t, graphtest.Planned(x, x.Options()), plan.ErrUnsupported)
//
// It marks what it evaluates as outputs of the graph, and closes what it compiles.
func Planned(x plan.Executor, o plan.Options) Evaluator { return planned{x, o} }

type planned struct {
	exec    plan.Executor
	options plan.Options
}

// StepScalars are those that Eval runs with.
func (planned) StepScalars() graph.Scalars { return defaultScalars }

// Eval implements [Evaluator].
func (e planned) Eval(g *graph.Graph, outputs []*graph.Node, in map[string]graph.Buf) (out []graph.Buf, err error) {
	name := func(n *graph.Node) string { return fmt.Sprintf("graphtest.%d", n.ID()) }
	for _, n := range outputs {
		if !slices.ContainsFunc(g.Outputs(), func(o graph.Output) bool { return o.Name == name(n) }) {
			g.Output(name(n), n)
		}
	}
	p, err := plan.New(g, e.options)
	if err != nil {
		return nil, err
	}
	state := e.exec.NewState()
	defer closeAfter(state, &err)
	prog, err := e.exec.Compile(p, state)
	if err != nil {
		return nil, err
	}
	defer closeAfter(prog, &err)
	feed, err := fed(g, p, state, in)
	if err != nil {
		return nil, err
	}
	if err := prog.Run(feed, defaultScalars); err != nil {
		return nil, err
	}
	out = make([]graph.Buf, len(outputs))
	for i, n := range outputs {
		d, err := prog.Read(name(n))
		if err != nil {
			return nil, err
		}
		if out[i], err = graph.BufOfDense(d, n.Meta()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// closeAfter closes c, whose error counts where there is no other.
func closeAfter(c interface{ Close() error }, err *error) {
	if e := c.Close(); *err == nil {
		*err = e
	}
}

// fed writes the values of a plan's states, and returns those of its inputs.
func fed(g *graph.Graph, p *plan.Plan, state plan.State, in map[string]graph.Buf) (map[string]any, error) {
	feed := map[string]any{}
	for name, b := range in {
		n := g.Named(name)
		switch {
		case n == nil:
			return nil, errors.Errorf("graphtest: no input %q", name)
		case n.Kind() == graph.Input:
			feed[name] = b.Elements()
		default:
			if err := state.Write(name, graph.Dense(b)); err != nil && !errors.Is(err, plan.ErrName) {
				return nil, err
			}
		}
	}
	return feed, nil
}

// Touch writes one byte of the memory of x, as nobody may.
func Touch(x *Remote) {
	for _, b := range x.mem {
		b[0]++
		return
	}
}
