package plan

import (
	"fmt"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// lower makes a step of each op that is needed, in the order in which the graph's nodes were made, which is one in
// which operands come first; parts of equal wholes on equal operands are joined.
func lower(g *graph.Graph) (*Plan, error) {
	l := lowering{p: &Plan{}, slot: map[*graph.Node]int{}, joined: map[string]int{}, ids: map[graph.Op]int{}}
	need := needed(g)
	for _, n := range g.Nodes() {
		if !need[n] {
			continue
		}
		if n.Op() == nil {
			l.leaf(n)
		} else {
			l.step(n)
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
	return l.p, nil
}

// needed returns the nodes that outputs, assignments and guards depend on.
func needed(g *graph.Graph) map[*graph.Node]bool {
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
	for _, o := range g.Outputs() {
		walk(o.Node)
	}
	for _, a := range g.Assignments() {
		walk(a.Value)
	}
	for _, n := range g.Guards() {
		walk(n)
	}
	return need
}

type lowering struct {
	p      *Plan
	slot   map[*graph.Node]int
	joined map[string]int   // steps with parts, by whole and operands
	ids    map[graph.Op]int // numbers of wholes
}

func (l *lowering) leaf(n *graph.Node) int {
	if i, ok := l.slot[n]; ok {
		return i
	}
	l.slot[n] = len(l.p.Slots)
	l.p.Slots = append(l.p.Slots, Slot{Meta: n.Meta(), Region: RegionOf(n.Kind()), Name: n.Name(), Base: -1})
	return l.slot[n]
}

func (l *lowering) step(n *graph.Node) {
	whole, part, parts := graph.PartOf(n.Op())
	in := make([]int, len(n.Operands()))
	for i, x := range n.Operands() {
		in[i] = l.slot[x]
	}
	l.slot[n] = len(l.p.Slots)
	l.p.Slots = append(l.p.Slots, Slot{Meta: n.Meta(), Region: Activations, Base: -1})
	if parts > 1 {
		if _, ok := l.ids[whole]; !ok {
			l.ids[whole] = len(l.ids)
		}
		key := fmt.Sprint(l.ids[whole], in)
		if i, ok := l.joined[key]; ok {
			l.p.Steps[i].Out[part] = l.slot[n]
			return
		}
		l.joined[key] = len(l.p.Steps)
	}
	out := make([]int, parts)
	for i := range out {
		out[i] = -1
	}
	out[part] = l.slot[n]
	l.p.Steps = append(l.p.Steps, Step{Op: whole, In: in, Out: out, Scope: n.Scope()})
}

// measure fills in what each step costs.
func (p *Plan) measure() {
	for i := range p.Steps {
		s := &p.Steps[i]
		in := make([]graph.Meta, len(s.In))
		s.Bytes, s.FLOPs, s.Scratch = 0, 0, 0
		for j, x := range s.In {
			in[j] = p.Slots[x].Meta
			s.Bytes += int64(in[j].Bytes())
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
		if c, ok := s.Op.(graph.Scratcher); ok {
			s.Scratch = c.Scratch(in)
		}
		p.Sizes[Scratch] = max(p.Sizes[Scratch], s.Scratch)
	}
}
