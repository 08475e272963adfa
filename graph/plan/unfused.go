package plan

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// formula stands for a whole that the executor has no kernel for. It is a graph of its own on the operands, of which
// only what the members in use need is lowered.
type formula struct {
	g    *graph.Graph
	y    []*graph.Node // of the members
	slot map[*graph.Node]int
}

// unfused lowers the formula of n's op, which the executor has no kernel for, and returns the slot of the result.
func (l *lowering) unfused(n *graph.Node, in []int, scope string) (int, error) {
	whole, member, members := graph.WholeOf(n.Op())
	key := l.key(whole, in)
	f := l.formulas[key]
	if f == nil {
		var err error
		if f, err = l.formula(whole, members, in); err != nil {
			return 0, opError(err, scope, whole, l.p.Metas(in))
		}
		l.formulas[key] = f
	}
	y := f.y[member]
	if y == nil || !y.Meta().Equal(n.Meta()) {
		return 0, opError(errors.Errorf("member %d of its formula is %v, want %v", member, y, n.Meta()), scope, whole, l.p.Metas(in))
	}
	l.within = append(l.within, whole)
	defer func() { l.within = l.within[:len(l.within)-1] }()
	need := map[*graph.Node]bool{}
	walk(y, need)
	for _, x := range f.g.Nodes() {
		if _, done := f.slot[x]; done || !need[x] {
			continue
		}
		if err := l.node(x, f.slot, scope); err != nil {
			return 0, errors.Wrapf(err, "in the formula of %s", graph.OpName(whole))
		}
	}
	return f.slot[y], nil
}

// formula builds the formula of a whole.
func (l *lowering) formula(whole graph.Op, members int, in []int) (*formula, error) {
	u, ok := whole.(graph.Unfuser)
	if !ok || slices.Contains(l.within, whole) {
		return nil, errors.Wrap(ErrUnsupported, "there is no formula of other ops")
	}
	f := &formula{g: graph.New(), slot: map[*graph.Node]int{}}
	x := make([]*graph.Node, len(in))
	for i, m := range l.p.Metas(in) {
		x[i] = f.g.Input(fmt.Sprint("x", i), m)
		f.slot[x[i]] = in[i]
	}
	f.y = u.Unfused(f.g, x)
	switch err := f.g.Err(); {
	case err != nil:
		return nil, errors.Wrap(err, "its formula")
	case len(f.y) == 0:
		return nil, errors.Wrap(ErrUnsupported, "there is no formula of other ops")
	case len(f.y) != members:
		return nil, errors.Errorf("its formula has %d members, want %d", len(f.y), members)
	}
	return f, nil
}

// prune drops steps that nothing reads, such as those that only a kernel wanted for which a formula stands.
func (p *Plan) prune() {
	read := make([]bool, len(p.Slots))
	for x, kept := range p.uses().kept {
		read[x] = kept
	}
	dead := map[int]bool{}
	for i, s := range slices.Backward(p.Steps) {
		live := false
		for k, y := range s.Out {
			switch {
			case y < 0:
			case read[y]:
				live = true
			default:
				s.Out[k] = -1
			}
		}
		if dead[i] = !live; dead[i] {
			continue
		}
		for _, x := range s.In {
			read[x] = true
		}
	}
	maps.DeleteFunc(dead, func(_ int, gone bool) bool { return !gone })
	p.drop(dead)
}
