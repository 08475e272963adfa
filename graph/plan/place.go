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
	var placed []block
	for _, i := range acts {
		s := &p.Slots[i]
		size := Aligned(s.Meta.Bytes())
		b := block{first: s.First, last: s.Last}
		b.offset = gap(b, size, placed)
		b.end = b.offset + size
		at, _ := slices.BinarySearchFunc(placed, b.offset, func(o block, offset int) int { return cmp.Compare(o.offset, offset) })
		placed = slices.Insert(placed, at, b)
		s.Offset = b.offset
		p.Sizes[Activations] = max(p.Sizes[Activations], b.end)
	}
	p.Lower = p.liveBytes(acts)
}

// block is the memory of a slot: the steps that it lives in and the bytes that it takes.
type block struct{ first, last, offset, end int }

// gap returns the offset of the smallest gap of need bytes among the placed blocks that live when b does. The placed
// ones are in the order of their offsets.
func gap(b block, need int, placed []block) int {
	best, bestSize, end := -1, 0, 0
	for i := range placed {
		o := &placed[i]
		if o.first > b.last || b.first > o.last {
			continue
		}
		if size := o.offset - end; size >= need && (best < 0 || size < bestSize) {
			best, bestSize = end, size
		}
		end = max(end, o.end)
	}
	if best < 0 {
		return end
	}
	return best
}

// liveBytes is the largest sum of the sizes of slots that live at one step.
func (p *Plan) liveBytes(acts []int) int {
	change := make([]int, len(p.Steps)+2) // of the sum, at each step
	for _, i := range acts {
		s := &p.Slots[i]
		change[s.First] += Aligned(s.Meta.Bytes())
		change[s.Last+1] -= Aligned(s.Meta.Bytes())
	}
	most, sum := 0, 0
	for _, d := range change {
		sum += d
		most = max(most, sum)
	}
	return most
}
