package graphtest

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
)

// TapeMachine returns the evaluator that is Gorgonia's own machine: it shows that our graphs are valid Gorgonia
// graphs. Values are read by Gorgonia's Read nodes, which each Eval adds to the graph. What the machine keeps in the
// nodes themselves is overwritten while it runs.
func TapeMachine() Evaluator { return tape{} }

type tape struct{}

// StepScalars are those that an op's Do evaluates with.
func (tape) StepScalars() graph.Scalars { return graph.Scalars{Step: 1, LR: 1e-3} }

// Eval implements [Evaluator].
func (tape) Eval(g *graph.Graph, outputs []*graph.Node, in map[string]graph.Buf) (out []graph.Buf, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Errorf("graphtest: gorgonia panics: %v", r)
		}
	}()
	if err := g.Err(); err != nil {
		return nil, err
	}
	for name, b := range in {
		n := g.Named(name)
		if n == nil {
			return nil, errors.Errorf("graphtest: no input %q", name)
		}
		c := graph.NewBuf(b.Meta)
		copy(c.Mem, b.Mem)
		if err := gorgonia.Let(n.Gorgonia(), graph.ValueOf(c)); err != nil {
			return nil, errors.Wrapf(err, "graphtest: input %q", name)
		}
	}
	values := make([]gorgonia.Value, len(outputs))
	for i, n := range outputs {
		gorgonia.Read(n.Gorgonia(), &values[i])
	}
	m := gorgonia.NewTapeMachine(g.Expr())
	defer m.Close()
	if err := m.RunAll(); err != nil {
		return nil, err
	}
	out = make([]graph.Buf, len(outputs))
	for i, n := range outputs {
		if out[i], err = fromValue(values[i], n.Meta()); err != nil {
			return nil, errors.Wrapf(err, "%v", n)
		}
	}
	return out, nil
}

// fromValue copies a value of Gorgonia's.
func fromValue(v gorgonia.Value, m graph.Meta) (graph.Buf, error) {
	b := graph.NewBuf(m)
	x, err := graph.BufOfValue(v, m)
	copy(b.Mem, x.Mem)
	return b, err
}
