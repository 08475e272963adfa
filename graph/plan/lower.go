package plan

import (
	"fmt"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// lower makes a step of each op that is needed. Steps come in the order in which the graph's nodes were made, so
// operands come first. Parts of equal wholes on equal operands are joined.
func lower(g *graph.Graph, o Options) (*Plan, error) {
	l := lowering{p: &Plan{options: o}, slot: map[*graph.Node]int{}, joined: map[string]int{}, ids: map[graph.Op]int{}, formulas: map[string]*formula{}}
	need := needed(g)
	for _, n := range g.Nodes() {
		if !need[n] {
			continue
		}
		if n.Op() == nil {
			l.leaf(n)
		} else if err := l.node(n, l.slot, n.Scope()); err != nil {
			return nil, err
		}
	}
	if len(l.p.Steps) == 0 && len(g.Assignments()) == 0 && len(g.Outputs()) == 0 {
		return nil, errors.New("plan: New: the graph has no output and no assignment")
	}
	for _, o := range g.Outputs() {
		l.p.Outputs = append(l.p.Outputs, Named{o.Name, l.slot[o.Node]})
	}
	for _, a := range g.Assignments() {
		l.p.assigns = append(l.p.assigns, assign{l.leaf(a.State), l.slot[a.Value]})
	}
	for _, n := range g.Guards() {
		l.p.Guards = append(l.p.Guards, l.slot[n])
	}
	if len(l.formulas) > 0 {
		l.p.prune()
	}
	return l.p, nil
}

// needed returns the nodes that outputs, assignments and guards depend on.
func needed(g *graph.Graph) map[*graph.Node]bool {
	need := map[*graph.Node]bool{}
	for _, o := range g.Outputs() {
		walk(o.Node, need)
	}
	for _, a := range g.Assignments() {
		walk(a.Value, need)
	}
	for _, n := range g.Guards() {
		walk(n, need)
	}
	return need
}

// walk adds n and what it depends on.
func walk(n *graph.Node, need map[*graph.Node]bool) {
	if need[n] {
		return
	}
	need[n] = true
	for _, x := range n.Operands() {
		walk(x, need)
	}
}

type lowering struct {
	p        *Plan
	slot     map[*graph.Node]int
	joined   map[string]int   // steps with members, by whole and operands
	ids      map[graph.Op]int // numbers of wholes
	formulas map[string]*formula
	within   []graph.Op // wholes whose formulas are being lowered
}

func (l *lowering) leaf(n *graph.Node) int {
	if i, ok := l.slot[n]; ok {
		return i
	}
	l.slot[n] = len(l.p.Slots)
	l.p.Slots = append(l.p.Slots, Slot{Meta: n.Meta(), Region: RegionOf(n.Kind()), Name: n.Name(), Base: -1})
	return l.slot[n]
}

// node makes the step of a node of the graph, or of a formula. slot has the slots of the node's operands.
func (l *lowering) node(n *graph.Node, slot map[*graph.Node]int, scope string) error {
	whole, member, members := graph.WholeOf(n.Op())
	in := make([]int, len(n.Operands()))
	for i, x := range n.Operands() {
		in[i] = slot[x]
	}
	metas := l.p.Metas(in)
	lacks, err := l.p.options.lacks(whole, metas)
	if err != nil {
		return opError(err, scope, whole, metas)
	}
	if lacks {
		slot[n], err = l.unfused(n, in, scope)
		return err
	}
	slot[n] = len(l.p.Slots)
	l.p.Slots = append(l.p.Slots, Slot{Meta: n.Meta(), Region: Activations, Base: -1})
	if members > 1 {
		key := l.key(whole, in)
		if i, ok := l.joined[key]; ok {
			l.p.Steps[i].Out[member] = slot[n]
			return nil
		}
		l.joined[key] = len(l.p.Steps)
	}
	out := make([]int, members)
	for i := range out {
		out[i] = -1
	}
	out[member] = slot[n]
	l.p.Steps = append(l.p.Steps, Step{Op: whole, In: in, Out: out, Scope: scope})
	return nil
}

// key identifies a whole on operands.
func (l *lowering) key(whole graph.Op, in []int) string {
	if _, ok := l.ids[whole]; !ok {
		l.ids[whole] = len(l.ids)
	}
	return fmt.Sprint(l.ids[whole], in)
}

// measure fills in what each step costs.
func (p *Plan) measure() {
	for i := range p.Steps {
		s := &p.Steps[i]
		in := p.Metas(s.In)
		s.Bytes, s.FLOPs = 0, 0
		for _, m := range in {
			s.Bytes += int64(m.Bytes())
		}
		var out graph.Meta
		for _, y := range s.Out {
			if y >= 0 {
				out = p.Slots[y].Meta
				s.Bytes += int64(out.Bytes())
			}
		}
		if c, ok := s.Op.(graph.Counter); ok {
			s.FLOPs = c.FLOPs(in, out)
		}
		s.Scratch = p.options.scratch(s.Op, in, s.Guarded)
		p.Sizes[Scratch] = max(p.Sizes[Scratch], s.Scratch)
	}
}
