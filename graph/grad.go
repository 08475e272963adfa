package graph

import (
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
)

// Grad returns the gradient of loss for each of the inputs and states x, by Gorgonia's symbolic differentiation over
// the ops' VJP methods. loss is a scalar float; each gradient has the meta of its x. A node that does not reach the
// loss has no gradient: nil stands in its place (see [Graph.Reaches]). A graph has one Grad: sum the losses first.
// After an error Grad returns as many nils.
func (g *Graph) Grad(loss *Node, x ...*Node) []*Node {
	dx := make([]*Node, len(x))
	if g.err != nil {
		return dx
	}
	if err := g.grad(loss, x, dx); err != nil {
		g.Fail(err)
		return make([]*Node, len(x))
	}
	return dx
}

func (g *Graph) grad(loss *Node, x, dx []*Node) error {
	if loss == nil || len(loss.meta.Shape) != 0 || !loss.meta.DType.IsFloat() {
		return errors.Errorf("graph: Grad of %v: want a scalar float; sum or average it first", loss)
	}
	// A second Grad would reuse derivatives that the first one left on Gorgonia's nodes, and give wrong numbers.
	if g.differ {
		return errors.New("graph: Grad: a graph has one Grad; sum the losses first")
	}
	g.differ = true
	reach := g.Reaches(loss)
	var wrt gorgonia.Nodes
	var at []int
	for i, n := range x {
		if n == nil || n.g != g || n.op != nil {
			return errors.Errorf("graph: Grad for %v: want inputs or states of this graph", n)
		}
		if reach[n] {
			wrt, at = append(wrt, n.expr), append(at, i)
		}
	}
	if len(wrt) == 0 {
		return nil
	}
	g.anchor()
	grads, err := differentiate(loss.expr, wrt)
	if err != nil {
		return errors.Wrapf(err, "graph: Grad of %v", loss)
	}
	if len(grads) != len(wrt) { // Gorgonia answers so, without an error, for a dtype whose 1 it does not know
		return errors.Errorf("graph: Grad of %v: gorgonia gives %d gradients of %d", loss, len(grads), len(wrt))
	}
	for j, i := range at {
		dx[i] = g.Wrap(grads[j])
	}
	return g.err
}

// anchor gives a reader to every op without operands that has none. Gorgonia's differentiation removes such nodes, and
// its RemoveNode leaves stale indices behind: look-ups by id then find other nodes.
func (g *Graph) anchor() {
	read := map[*Node]bool{}
	for _, n := range g.nodes {
		for _, x := range n.x {
			read[x] = true
		}
	}
	for _, n := range g.nodes[:len(g.nodes):len(g.nodes)] {
		if n.op != nil && len(n.x) == 0 && !read[n] {
			g.Apply(Reshape{DimsOf(n.meta.Shape...)}, n)
		}
	}
}

// differentiate calls Gorgonia's Grad under the lock that its shared state needs.
func differentiate(loss *gorgonia.Node, wrt gorgonia.Nodes) (grads gorgonia.Nodes, err error) {
	exprLock.Lock()
	defer exprLock.Unlock()
	defer func() {
		if r := recover(); r != nil {
			err = errors.Errorf("gorgonia panics: %v", r)
		}
	}()
	return gorgonia.Grad(loss, wrt...)
}

// Reaches returns the nodes from which a gradient of loss can flow: those with a differentiable way to it.
func (g *Graph) Reaches(loss *Node) map[*Node]bool {
	reach := map[*Node]bool{}
	var walk func(n *Node)
	walk = func(n *Node) {
		if reach[n] {
			return
		}
		reach[n] = true
		s, stops := n.op.(Stopper)
		for i, k := range n.x {
			if k.meta.DType.IsFloat() && !(stops && s.Stops(i)) {
				walk(k)
			}
		}
	}
	if loss != nil {
		walk(loss)
	}
	return reach
}

// Wrap returns the handle on a node of Gorgonia's graph. The node was made by this package, or by the user's code
// with Gorgonia's own builders. The constants and sums that Gorgonia's differentiation inserts become [Full] and
// [Add]. Any other foreign node becomes a [Foreign] op, which runs through its Do. A node that is an input made in
// Gorgonia is an error.
func (g *Graph) Wrap(e *gorgonia.Node) *Node {
	if g.err != nil || e == nil {
		return nil
	}
	if n := g.of[e]; n != nil {
		return n
	}
	m, err := metaOfExpr(e)
	if err != nil {
		return g.Fail(err)
	}
	if e.Op() == nil {
		return g.Fail(errors.Errorf("graph: Wrap(%v): an input declared in Gorgonia; declare it with Input or State", e))
	}
	var x []*Node
	for it := g.expr.From(e.ID()); it.Next(); {
		k, _ := it.Node().(*gorgonia.Node)
		n := g.Wrap(k)
		if n == nil {
			return nil
		}
		x = append(x, n)
	}
	return g.add(&Node{expr: e, meta: m, op: foreignOp(e, m, x), x: x})
}

// foreignOp finds our op for one of Gorgonia's.
func foreignOp(e *gorgonia.Node, m Meta, x []*Node) Op {
	if c, ok := e.Op().(interface{ Value() gorgonia.Value }); ok && len(x) == 0 {
		if v, err := BufOfValue(c.Value(), Of(m.DType)); err == nil && m.DType.IsFloat() {
			return Full{Value: v.At(0), DType: m.DType}
		}
	}
	if len(x) == 2 && strings.HasPrefix(e.Op().String(), "+ ") && x[0].meta.Equal(m) && x[1].meta.Equal(m) {
		return Add{}
	}
	return Foreign{Expr: e.Op(), Meta: &m}
}

// metaOfExpr reads the meta of a Gorgonia node.
func metaOfExpr(e *gorgonia.Node) (Meta, error) {
	d, err := DTypeOf(e.Dtype())
	if err != nil {
		return Meta{}, errors.Wrapf(err, "graph: Wrap(%v)", e)
	}
	if e.IsScalar() {
		return Of(d), nil
	}
	m := Of(d, e.Shape()...)
	return m, errors.Wrapf(m.check(), "graph: Wrap(%v)", e)
}
