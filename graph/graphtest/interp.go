package graphtest

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// Interp evaluates a graph node by node, in the order in which they were made, each on memory of its own. The memory of
// a result is poisoned before: what an op leaves unwritten is NaN.
type Interp struct {
	Scalars graph.Scalars
	Values  map[*graph.Node]graph.Buf // of the last Eval, all of them
	pool    graph.Workers
	watch   bool
}

// Interpreter returns an evaluator on the given workers; it is the oracle of executors.
func Interpreter(p graph.Workers) *Interp {
	return &Interp{pool: p, Scalars: defaultScalars}
}

// defaultScalars are those of an interpreter, unless its user sets others.
var defaultScalars = graph.Scalars{Step: 1, Micro: 3, LR: 1e-3, Seed: 42}

// Watch makes the interpreter hold every op to its promises, see [RunCPU], and returns it.
func (e *Interp) Watch() *Interp {
	e.watch = true
	return e
}

// Eval implements [Evaluator].
func (e *Interp) Eval(g *graph.Graph, outputs []*graph.Node, in map[string]graph.Buf) ([]graph.Buf, error) {
	if err := g.Err(); err != nil {
		return nil, err
	}
	e.Values = map[*graph.Node]graph.Buf{}
	need := ancestors(outputs)
	for _, n := range g.Nodes() {
		if !need[n] {
			continue
		}
		if err := e.node(n, in); err != nil {
			return nil, errors.Wrapf(err, "%v%v", n, n.Operands())
		}
	}
	if err := e.joined(g.Nodes(), need); e.watch && err != nil {
		return nil, err
	}
	out := make([]graph.Buf, len(outputs))
	for i, n := range outputs {
		out[i] = e.Values[n]
	}
	return out, nil
}

// ancestors are the nodes that the outputs depend on, themselves included.
func ancestors(outputs []*graph.Node) map[*graph.Node]bool {
	need := map[*graph.Node]bool{}
	var walk func(n *graph.Node)
	walk = func(n *graph.Node) {
		if !need[n] {
			need[n] = true
			for _, x := range n.Operands() {
				walk(x)
			}
		}
	}
	for _, n := range outputs {
		walk(n)
	}
	return need
}

// node computes one node.
func (e *Interp) node(n *graph.Node, in map[string]graph.Buf) error {
	if n.Op() == nil {
		b, ok := in[n.Name()]
		if !ok || !b.Meta.Equal(n.Meta()) {
			return errors.Errorf("graphtest: input %q: got %v, want %v", n.Name(), b.Meta, n.Meta())
		}
		e.Values[n] = b
		return nil
	}
	x := make([]graph.Buf, len(n.Operands()))
	for i, k := range n.Operands() {
		v, ok := e.Values[k]
		if !ok {
			return errors.Errorf("graphtest: operand %d was made after the node", i)
		}
		x[i] = v
	}
	whole, member, members := graph.WholeOf(n.Op())
	c := newCall(whole, x, members, e.pool, e.Scalars)
	c.out[member] = fresh(n.Meta())
	if e.watch {
		c.in = clones(x)
	}
	if err := c.run(); err != nil {
		return err
	}
	e.Values[n], c.in = c.out[member].Buf, x
	if !e.watch {
		return nil
	}
	if err := c.watched(true); err != nil {
		return err
	}
	if err := c.strided(); err != nil {
		return err
	}
	return c.inPlace(n.Operands(), member)
}

// joined evaluates each whole of which several members are needed in one call; the members must have the same bits.
func (e *Interp) joined(nodes []*graph.Node, need map[*graph.Node]bool) error {
	done := map[*graph.Node]bool{}
	for i, n := range nodes {
		if !need[n] || done[n] || n.Op() == nil {
			continue
		}
		whole, _, members := graph.WholeOf(n.Op())
		if members == 1 {
			continue
		}
		same := []*graph.Node{}
		for _, m := range nodes[i:] {
			if need[m] && m.Op() != nil && sameWhole(whole, n, m) {
				same, done[m] = append(same, m), true
			}
		}
		if len(same) > 1 {
			if err := e.join(whole, members, same); err != nil {
				return errors.Wrapf(err, "%s joined on %v", graph.Describe(whole), n.Operands())
			}
		}
	}
	return nil
}

func sameWhole(whole graph.Op, n, m *graph.Node) bool {
	w, _, members := graph.WholeOf(m.Op())
	if members == 1 || w != whole || len(n.Operands()) != len(m.Operands()) {
		return false
	}
	for i, x := range n.Operands() {
		if m.Operands()[i] != x {
			return false
		}
	}
	return true
}

func (e *Interp) join(whole graph.Op, members int, nodes []*graph.Node) error {
	var x []graph.Buf
	for _, k := range nodes[0].Operands() {
		x = append(x, e.Values[k])
	}
	c := newCall(whole, x, members, e.pool, e.Scalars)
	for _, n := range nodes {
		_, member, _ := graph.WholeOf(n.Op())
		c.out[member] = fresh(n.Meta())
	}
	if err := c.run(); err != nil {
		return err
	}
	if err := c.strided(); err != nil {
		return err
	}
	for _, n := range nodes {
		_, member, _ := graph.WholeOf(n.Op())
		if i := differ(c.out[member].Buf, e.Values[n]); i >= 0 {
			return errors.Errorf("member %d: element %d has other bits than alone", member, i)
		}
		for operand := range x {
			if err := c.overwrite(nodes[0].Operands(), member, operand, e.Values[n]); err != nil {
				return err
			}
		}
	}
	return nil
}
