package plan

import (
	"cmp"
	"slices"
)

// Align is the alignment of every slot and state, in bytes: a cache line and the widest vector.
const Align = 64

// Aligned is the next multiple of [Align] from n bytes on.
func Aligned(n int) int { return (n + Align - 1) &^ (Align - 1) }

// lifetimes fills First and Last of the slots that own memory.
func (p *Plan) lifetimes() {
	for i := range p.Slots {
		p.Slots[i].First, p.Slots[i].Last = len(p.Steps), -1
	}
	touch := func(x, step int) {
		r, _ := p.Root(x)
		s := &p.Slots[r]
		s.First, s.Last = min(s.First, step), max(s.Last, step)
	}
	guarded := -1
	for i, s := range p.Steps {
		for _, x := range s.In {
			touch(x, i)
		}
		for _, y := range s.Out {
			if y >= 0 {
				touch(y, i)
			}
		}
		if s.Guarded && guarded < 0 {
			guarded = i
		}
	}
	for _, x := range p.Guards {
		touch(x, len(p.Steps)) // tested before the first guarded step and reported after the last
	}
	for _, o := range p.Outputs {
		touch(o.Slot, len(p.Steps))
	}
}

// place gives every slot that owns memory its offset in its region. Activations share memory by lifetime. The largest
// is placed first, each in the smallest gap that fits between those that live at the same time.
func (p *Plan) place(share bool) {
	p.lifetimes()
	var acts []int
	for i := range p.Slots {
		s := &p.Slots[i]
		switch {
		case s.Base >= 0 || s.Last < 0 && s.Region == Activations:
		case s.Region == Activations && share:
			acts = append(acts, i)
		default:
			s.Offset = p.Sizes[s.Region]
			p.Sizes[s.Region] += Aligned(s.Meta.Bytes())
		}
	}
	slices.SortStableFunc(acts, func(a, b int) int {
		return cmp.Or(cmp.Compare(p.Slots[b].Meta.Bytes(), p.Slots[a].Meta.Bytes()), cmp.Compare(p.Slots[a].First, p.Slots[b].First))
	})
	for k, i := range acts {
		p.Slots[i].Offset = p.gap(i, acts[:k])
		p.Sizes[Activations] = max(p.Sizes[Activations], p.Slots[i].Offset+Aligned(p.Slots[i].Meta.Bytes()))
	}
	p.Lower = p.liveBytes(acts)
}

// gap returns the offset of the smallest gap for slot i among the placed slots that live at the same time.
func (p *Plan) gap(i int, placed []int) int {
	s := &p.Slots[i]
	var busy []int
	for _, k := range placed {
		if o := &p.Slots[k]; o.First <= s.Last && s.First <= o.Last {
			busy = append(busy, k)
		}
	}
	slices.SortFunc(busy, func(a, b int) int { return cmp.Compare(p.Slots[a].Offset, p.Slots[b].Offset) })
	need := Aligned(s.Meta.Bytes())
	best, bestSize, end := -1, 0, 0
	for _, k := range busy {
		o := &p.Slots[k]
		if size := o.Offset - end; size >= need && (best < 0 || size < bestSize) {
			best, bestSize = end, size
		}
		end = max(end, o.Offset+Aligned(o.Meta.Bytes()))
	}
	if best < 0 {
		return end
	}
	return best
}

// liveBytes is the largest sum of the sizes of slots that live at one step.
func (p *Plan) liveBytes(acts []int) int {
	most := 0
	for t := 0; t <= len(p.Steps); t++ {
		sum := 0
		for _, i := range acts {
			if s := &p.Slots[i]; s.First <= t && t <= s.Last {
				sum += Aligned(s.Meta.Bytes())
			}
		}
		most = max(most, sum)
	}
	return most
}
