package plan

import (
	"cmp"
	"slices"

	"github.com/ceto-ml/ceto/graph"
)

// The passes that join steps. Each result is an op that package graph exports with an Eval of its own.

// fuseCrossEntropy computes the loss and the gradient of the logits in one step, over the logits.
func fuseCrossEntropy(p *Plan) {
	u, dead := p.uses(), map[int]bool{}
	for j := range p.Steps {
		grad, ok := p.Steps[j].Op.(graph.CrossEntropyGrad)
		if !ok {
			continue
		}
		in := p.Steps[j].In
		for _, i := range u.readers[in[0]] {
			s := &p.Steps[i]
			if s.Op != graph.Op(grad.CrossEntropy) || !slices.Equal(s.In, in[:len(in)-1]) || dead[i] || readBefore(u.readers[s.Out[0]], j) {
				continue
			}
			both := graph.CrossEntropyBoth{CrossEntropy: grad.CrossEntropy}
			if !p.supports(both, in) {
				continue
			}
			p.Steps[j].Op = both
			p.Steps[j].Out = []int{s.Out[0], p.Steps[j].Out[0]}
			dead[i] = true
			break
		}
	}
	p.drop(dead)
}

// fuseLinearLoss computes the logits, the loss and the gradient behind the product in one step, which has no room for
// all logits. It does so where the product's weight does not train.
func fuseLinearLoss(p *Plan) {
	u, dead := p.uses(), map[int]bool{}
	for j := range p.Steps {
		s := &p.Steps[j]
		loss, ok := s.Op.(graph.CrossEntropyBoth)
		if !ok || u.writer[s.In[0]] < 0 || !u.only(s.In[0]) || !u.only(s.Out[1]) {
			continue
		}
		i, k := u.writer[s.In[0]], u.readers[s.Out[1]][0]
		forth, back := &p.Steps[i], &p.Steps[k]
		op, ok := forth.Op.(graph.MatMul)
		plain := ok && op == graph.MatMul{TransB: op.TransB} && back.Op == graph.Op(graph.MatMul{TransB: !op.TransB})
		if !plain || !slices.Equal(back.In, []int{s.Out[1], forth.In[1]}) || len(p.Slots[forth.In[1]].Meta.Shape) != 2 {
			continue
		}
		joined, in := graph.LinearCrossEntropy{CrossEntropy: loss.CrossEntropy, TransB: op.TransB, Rows: p.options.LossRows}, append(slices.Clone(forth.In), s.In[1:]...)
		if !p.supports(joined, in) {
			continue
		}
		s.Op, s.In, s.Out = joined, in, []int{s.Out[0], back.Out[0]}
		dead[i], dead[k] = true, true
	}
	p.drop(dead)
}

func readBefore(readers []int, step int) bool {
	return slices.ContainsFunc(readers, func(r int) bool { return r < step })
}

// fusePads turns a sum of disjoint zero-padded values into their concatenation: the gradients of slices.
func fusePads(p *Plan) {
	u, dead := p.uses(), map[int]bool{}
	sums := p.padSums(u)
	for i := len(p.Steps) - 1; i >= 0; i-- {
		if _, ok := p.Steps[i].Op.(graph.Add); !ok || dead[i] || !sums[i].full {
			continue
		}
		var pads, adds []int
		p.padLeaves(i, u, &pads, &adds)
		op, in, ok := p.concatOf(pads)
		if !ok || !p.supports(op, in) {
			continue
		}
		p.Steps[i].Op, p.Steps[i].In = op, in
		for _, k := range append(pads, adds...) {
			dead[k] = true
		}
	}
	p.drop(dead)
}

// padSum describes a tree of additions whose leaves are all Pads along one axis that nothing else reads.
type padSum struct {
	axis, width int  // width is what the leaves had before they were padded; 0 where there is no such tree
	full        bool // the width is that of the result
}

// padSums returns the tree that ends in each step.
func (p *Plan) padSums(u uses) []padSum {
	sums := make([]padSum, len(p.Steps))
	for i, s := range p.Steps {
		switch op := s.Op.(type) {
		case graph.Pad:
			sums[i] = padSum{op.Axis, p.Slots[s.Out[0]].Meta.Shape[op.Axis] - op.Before - op.After, false}
		case graph.Add:
			var leaves [2]padSum
			for k, x := range s.In {
				if w := u.writer[x]; w >= 0 && u.only(x) {
					leaves[k] = sums[w]
				}
			}
			l, r := leaves[0], leaves[1]
			if l.width > 0 && r.width > 0 && l.axis == r.axis {
				width := l.width + r.width
				sums[i] = padSum{l.axis, width, width == p.Slots[s.Out[0]].Meta.Shape[l.axis]}
			}
		}
	}
	return sums
}

// padLeaves collects the Pads and the additions below an addition that ends a tree of them.
func (p *Plan) padLeaves(i int, u uses, pads, adds *[]int) {
	for _, x := range p.Steps[i].In {
		w := u.writer[x]
		if _, ok := p.Steps[w].Op.(graph.Pad); ok {
			*pads = append(*pads, w)
			continue
		}
		*adds = append(*adds, w)
		p.padLeaves(w, u, pads, adds)
	}
}

// concatOf returns the concatenation that the sum of the Pads is, if they fill one axis side by side.
func (p *Plan) concatOf(pads []int) (op graph.Concat, in []int, ok bool) {
	before := func(k int) int { return p.Steps[k].Op.(graph.Pad).Before }
	pads = slices.SortedFunc(slices.Values(pads), func(a, b int) int { return cmp.Compare(before(a), before(b)) })
	at, axis := 0, p.Steps[pads[0]].Op.(graph.Pad).Axis
	for _, k := range pads {
		pad := p.Steps[k].Op.(graph.Pad)
		shape := p.Slots[p.Steps[k].Out[0]].Meta.Shape
		if pad.Axis != axis || pad.Before != at {
			return op, nil, false
		}
		at = shape[axis] - pad.After
		in = append(in, p.Steps[k].In[0])
		ok = pad.After == 0
	}
	return graph.Concat{Axis: axis}, in, ok
}

// fuseScatter adds an embedding's gradient onto the value it is summed with, such as the other gradient of a tied
// table.
func fuseScatter(p *Plan) {
	p.fuseInto(func(op graph.Op) (graph.Op, bool) {
		e, ok := op.(graph.EmbeddingGrad)
		if !ok || e.Acc {
			return nil, false
		}
		e.Acc = true
		return e, true
	}, func(int) bool { return true })
}

// fuseAccumulate adds a weight gradient's product onto its accumulator.
func fuseAccumulate(p *Plan) {
	p.fuseInto(func(op graph.Op) (graph.Op, bool) {
		m, ok := op.(graph.MatMul)
		if !ok || m.Acc || m.Act != graph.NoActivation {
			return nil, false
		}
		m.Acc = true
		return m, true
	}, func(x int) bool { return p.Slots[x].Region == Grads })
}

// fuseInto replaces Add(x, y) by one op that adds y onto x, its last operand. It does so where onto holds for x,
// nothing else reads y, and form gives such an op for the one that makes y.
func (p *Plan) fuseInto(form func(graph.Op) (graph.Op, bool), onto func(x int) bool) {
	u, dead := p.uses(), map[int]bool{}
	for i := range p.Steps {
		s := &p.Steps[i]
		if _, ok := s.Op.(graph.Add); !ok {
			continue
		}
		for k, y := range s.In {
			x, w := s.In[1-k], u.writer[y]
			if w < 0 || dead[w] || !u.only(y) || !onto(x) || !p.Slots[x].Meta.Equal(p.Slots[y].Meta) {
				continue
			}
			op, ok := form(p.Steps[w].Op)
			in := append(slices.Clone(p.Steps[w].In), x)
			if !ok || !p.supports(op, in) {
				continue
			}
			s.Op, s.In = op, in
			dead[w] = true
			break
		}
	}
	p.drop(dead)
}

// fuseActivation makes an activation the end of the product before it.
func fuseActivation(p *Plan) {
	u, dead := p.uses(), map[int]bool{}
	for i := range p.Steps {
		s := &p.Steps[i]
		act := graph.ActivationOf(s.Op)
		if act == graph.NoActivation {
			continue
		}
		w := u.writer[s.In[0]]
		if w < 0 || !u.only(s.In[0]) {
			continue
		}
		m, ok := p.Steps[w].Op.(graph.MatMul)
		if !ok || m.Act != graph.NoActivation {
			continue
		}
		if m.Act = act; !p.supports(m, p.Steps[w].In) {
			continue
		}
		s.Op, s.In = m, p.Steps[w].In
		dead[w] = true
	}
	p.drop(dead)
}
