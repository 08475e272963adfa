package plan

import (
	"slices"

	"github.com/ceto-ml/ceto/graph"
)

// recompute computes values of the forward pass again where the backward pass wants them, so that they need no memory
// in between. It takes those that free the most bytes for their work, at the step where most memory is in use. It
// ends when the work comes to the given share of the plan's. Results keep their bits. It counts a byte moved as
// byteWork operations. Source: Chen et al., arXiv:1604.06174; Korthikanti et al., arXiv:2205.05198, on which values
// are worth it.
func (p *Plan) recompute(share float64) {
	p.measure()
	total := 0.0
	for i := range p.Steps {
		total += p.Steps[i].work()
	}
	tried := map[int]bool{} // steps that are not worth it, by their first result
	for l, budget := p.lives(), share*total; budget > 0; {
		r := p.again(l, budget, tried)
		if r.net <= 0 {
			return
		}
		old, first := Plan{Steps: slices.Clone(p.Steps), Slots: slices.Clone(p.Slots)}, p.Steps[r.step].Out[0]
		p.insert(r)
		if now := p.lives(); now.most < l.most {
			l, budget = now, budget-r.work
			continue
		}
		p.Steps, p.Slots, tried[first] = old.Steps, old.Slots, true // operands that live longer take more elsewhere
	}
}

// byteWork is the number of operations in the time that a byte takes to and from memory: about 160 GFLOP/s to 10 GB/s.
const byteWork = 16

func (s *Step) work() float64 { return float64(s.FLOPs) + byteWork*float64(s.Bytes) }

// A rerun is a step to be run again before the step at.
type rerun struct {
	step, at int
	net      int // bytes freed where most memory is in use
	work     float64
	late     []bool // results that are wanted of the second run
	early    []bool // results that are wanted of the first run
}

// lives tells which steps read and write each value that owns memory, in their order.
type lives struct {
	readers, writers [][]int
	kept             []bool // outputs, what is stored in states, gradients: never computed again
	peak, most       int    // the step at which most memory is in use, and how much
}

func (p *Plan) lives() lives {
	p.lifetimes()
	u, n := p.uses(), len(p.Slots)
	l := lives{readers: make([][]int, n), writers: make([][]int, n), kept: make([]bool, n)}
	add := func(to [][]int, x, step int) {
		if r, _ := p.Root(x); len(to[r]) == 0 || to[r][len(to[r])-1] != step {
			to[r] = append(to[r], step)
		}
	}
	stored := map[int]bool{} // in states: no activations
	for _, a := range p.assigns {
		stored[a.value] = true
	}
	for i, s := range p.Steps {
		updates := slices.ContainsFunc(s.Out, func(y int) bool { return stored[y] })
		for _, x := range s.In {
			add(l.readers, x, i)
			r, _ := p.Root(x)
			l.kept[r] = l.kept[r] || updates // a gradient
		}
		for _, y := range s.Out {
			if y >= 0 {
				add(l.writers, y, i)
			}
		}
	}
	more := make([]int, len(p.Steps)+2) // bytes that come to life at each step, less those that end before it
	for x := range p.Slots {
		r, _ := p.Root(x)
		l.kept[r] = l.kept[r] || u.kept[x]
		if s := &p.Slots[x]; s.Base < 0 && s.Region == Activations && s.Last >= 0 && !stored[x] {
			more[s.First] += Aligned(s.Meta.Bytes())
			more[s.Last+1] -= Aligned(s.Meta.Bytes())
		}
	}
	live := 0
	for i := range p.Steps {
		if live += more[i]; live > l.most {
			l.peak, l.most = i, live
		}
	}
	return l
}

// again returns the best step to run again for at most the given work. It looks at steps that free at least a
// thousandth of the memory in use. net is 0 where there is none.
func (p *Plan) again(l lives, budget float64, tried map[int]bool) (best rerun) {
	for i := range l.peak {
		r := p.rerun(i, l)
		better := best.net == 0 || float64(r.net)*best.work > float64(best.net)*r.work
		if r.net*1000 >= l.most && r.work <= budget && better && !tried[p.Steps[i].Out[0]] {
			best = r
		}
	}
	return best
}

// rerun tells what running step i again after the peak brings: net 0 where that is nothing or not possible.
func (p *Plan) rerun(i int, l lives) rerun {
	s := &p.Steps[i]
	r := rerun{step: i, at: len(p.Steps), work: s.work(), late: make([]bool, len(s.Out)), early: make([]bool, len(s.Out))}
	switch s.Op.(type) {
	case Copy, graph.Foreign:
		return rerun{}
	}
	for k, y := range s.Out {
		if y < 0 {
			continue
		}
		slot, readers := &p.Slots[y], l.readers[y]
		from, now := slices.BinarySearch(readers, l.peak)
		own := slot.Base < 0 && slot.Region == Activations && len(l.writers[y]) == 1 && !l.kept[y]
		r.late[k] = own && !now && from < len(readers)
		if r.early[k] = !r.late[k] || from > 0; r.late[k] {
			r.at = min(r.at, readers[from])
			r.net += Aligned(slot.Meta.Bytes())
		}
	}
	for _, x := range s.In {
		x, _ = p.Root(x)
		if in := &p.Slots[x]; in.Region == Activations && in.Last < l.peak { // has to live longer
			r.net -= Aligned(in.Meta.Bytes())
		}
	}
	return r
}

// insert runs r.step again before r.at. The steps from r.at on read the new results. The first run goes where nothing
// reads it.
func (p *Plan) insert(r rerun) {
	first := &p.Steps[r.step]
	again := *first
	again.In, again.Out = slices.Clone(first.In), slices.Repeat([]int{-1}, len(first.Out))
	first.Out = slices.Clone(first.Out)
	for k, y := range first.Out {
		if r.late[k] {
			again.Out[k] = p.copySlot(y, r.at)
		}
		if !r.early[k] {
			first.Out[k] = -1
		}
	}
	p.Steps = slices.Insert(p.Steps, r.at, again)
	if !slices.Contains(r.early, true) {
		p.Steps = slices.Delete(p.Steps, r.step, r.step+1)
	}
}

// copySlot makes a slot like y, and like all that are views of it, and lets the steps from at on read those.
func (p *Plan) copySlot(y, at int) int {
	fresh := map[int]int{}
	for x := range len(p.Slots) {
		if r, _ := p.Root(x); r == y {
			fresh[x] = len(p.Slots)
			p.Slots = append(p.Slots, p.Slots[x])
		}
	}
	for x, f := range fresh {
		if x != y {
			p.Slots[f].Base = fresh[p.Slots[x].Base]
		}
	}
	for i := at; i < len(p.Steps); i++ {
		s := &p.Steps[i]
		for k, x := range s.In {
			if f, ok := fresh[x]; ok {
				s.In = slices.Clone(s.In)
				s.In[k] = f
			}
		}
	}
	return fresh[y]
}
