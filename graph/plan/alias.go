package plan

import "github.com/ceto-ml/ceto/graph"

// Copy stores a value in a state that it could not be computed into, or keeps the old value of a state. It is the
// only op that plans alone have. Every executor must have a kernel for it.
type Copy struct{ graph.NoGrad }

// Infer returns the operand's meta.
func (Copy) Infer(in []graph.Meta) (graph.Meta, error) { return in[0], nil }

// Eval copies.
func (Copy) Eval(_ *graph.Ctx, out, in []graph.Buf) error {
	copy(out[0].Mem, in[0].Mem)
	return nil
}

// viewReshapes turns each Viewer into an alias of its operand. A result that is kept to the end stays a copy where
// its operand is a state that the run stores into.
func viewReshapes(p *Plan) {
	u, assigned, dead := p.uses(), map[int]bool{}, map[int]bool{}
	for _, a := range p.assigns {
		assigned[a.state] = true
	}
	for i, s := range p.Steps {
		if _, ok := s.Op.(graph.Viewer); !ok {
			continue
		}
		if r, _ := p.Root(s.In[0]); u.kept[s.Out[0]] && assigned[r] {
			continue
		}
		y := &p.Slots[s.Out[0]]
		y.Base, y.Offset = s.In[0], 0
		dead[i] = true
	}
	p.drop(dead)
}

// aliases returns for each slot those whose Base it is.
func (p *Plan) aliases() [][]int {
	kids := make([][]int, len(p.Slots))
	for i, s := range p.Slots {
		if s.Base >= 0 {
			kids[s.Base] = append(kids[s.Base], i)
		}
	}
	return kids
}

// strideable reports whether slot x and its aliases may have rows apart. Only Striders and the step except may touch
// them, and rows of row elements must lie whole in each of their shapes.
func (p *Plan) strideable(x, row, except int, u uses, kids [][]int) bool {
	if u.kept[x] || !wholeRows(p.Slots[x].Meta.Shape, row) || p.Slots[x].Stride != 0 {
		return false
	}
	touched := u.readers[x]
	if u.writer[x] >= 0 {
		touched = append([]int{u.writer[x]}, touched...)
	}
	for _, i := range touched {
		if _, ok := p.Steps[i].Op.(graph.Strider); !ok && i != except {
			return false
		}
	}
	for _, k := range kids[x] {
		if !p.strideable(k, row, except, u, kids) {
			return false
		}
	}
	return true
}

// wholeRows reports whether row is a product of the last extents of s, at least of one.
func wholeRows(s graph.Shape, row int) bool {
	n := 1
	for i := len(s) - 1; i >= 0; i-- {
		if n *= s[i]; n >= row {
			return n == row
		}
	}
	return false
}

// setStride sets the stride of the rows of slot x and of its aliases.
func (p *Plan) setStride(x, row, stride int, kids [][]int) {
	p.Slots[x].Row, p.Slots[x].Stride = row, stride
	for _, k := range kids[x] {
		p.setStride(k, row, stride, kids)
	}
}

// viewSlices turns slices of the last axis into strided views where all that read them take strides.
func viewSlices(p *Plan) {
	u, kids, dead := p.uses(), p.aliases(), map[int]bool{}
	for i, s := range p.Steps {
		op, ok := s.Op.(graph.Slice)
		if !ok {
			continue
		}
		x, y := s.In[0], s.Out[0]
		shape := p.Slots[x].Meta.Shape
		axis, err := shape.Axis(op.Axis)
		if err != nil || axis != len(shape)-1 || p.Slots[x].Stride != 0 {
			continue
		}
		row := p.Slots[y].Meta.Shape[axis]
		if !p.strideable(y, row, i, u, kids) {
			continue
		}
		p.Slots[y].Base, p.Slots[y].Offset = x, op.Lo*p.Slots[x].Meta.DType.Size()
		p.setStride(y, row, shape[axis], kids)
		dead[i] = true
	}
	p.drop(dead)
}

// viewConcats joins results without a copy: Striders write straight into the concatenation of their results on the
// last axis. The three gradients of packed q, k, v are such results.
func viewConcats(p *Plan) {
	u, kids, dead := p.uses(), p.aliases(), map[int]bool{}
	for i, s := range p.Steps {
		op, ok := s.Op.(graph.Concat)
		if !ok {
			continue
		}
		y := s.Out[0]
		shape := p.Slots[y].Meta.Shape
		axis, err := shape.Axis(op.Axis)
		if err != nil || axis != len(shape)-1 {
			continue
		}
		fits := true
		for _, x := range s.In {
			r, off := p.Root(x)
			fits = fits && off == 0 && p.Slots[r].Region == Activations && u.only(x) && u.writer[r] >= 0 &&
				p.strideable(r, p.Slots[x].Meta.Shape[axis], i, u, kids)
		}
		if !fits {
			continue
		}
		off := 0
		for _, x := range s.In {
			r, _ := p.Root(x)
			row := p.Slots[x].Meta.Shape[axis]
			p.Slots[r].Base, p.Slots[r].Offset = y, off*p.Slots[y].Meta.DType.Size()
			p.setStride(r, row, shape[axis], kids)
			kids[y] = append(kids[y], r)
			off += row
		}
		dead[i] = true
	}
	p.drop(dead)
}

// keepOld copies states that this run stores into, where an output or another assignment wants the value from before.
// The copies are the first steps.
func (p *Plan) keepOld() {
	assigned, kept := map[int]bool{}, map[int]int{}
	for _, a := range p.assigns {
		assigned[a.state] = true
	}
	var copies []Step
	old := func(x int) int {
		if !assigned[x] {
			return x
		}
		if _, ok := kept[x]; !ok {
			kept[x] = len(p.Slots)
			p.Slots = append(p.Slots, Slot{Meta: p.Slots[x].Meta, Region: Activations, Base: -1})
			copies = append(copies, Step{Op: Copy{}, In: []int{x}, Out: []int{kept[x]}, Scope: p.Slots[x].Name})
		}
		return kept[x]
	}
	for i := range p.Outputs {
		p.Outputs[i].Slot = old(p.Outputs[i].Slot)
	}
	for i := range p.assigns {
		p.assigns[i].value = old(p.assigns[i].value)
	}
	p.Steps = append(copies, p.Steps...)
}

// storeAssigns makes each assignment take effect. The value's step writes the state's memory in place, where it can
// and nothing reads the old value later. Elsewhere a copy at the end stores it. All steps that write state are
// guarded.
func (p *Plan) storeAssigns(inPlace bool) {
	u := p.uses()
	guard := -1
	for _, x := range p.Guards {
		r, _ := p.Root(x)
		guard = max(guard, u.writer[r])
	}
	to := stores{state: map[int]int{}, count: map[int]int{}, owned: p.owned()}
	for _, a := range p.assigns {
		to.state[a.value] = a.state
		to.count[a.value]++
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		if inPlace && p.storesAll(i, guard, to, u) {
			for _, y := range s.Out {
				if y >= 0 {
					st := to.state[y]
					p.Slots[y].Base, p.Slots[y].Offset = st, 0
					to.owned[st] = append(to.owned[st], to.owned[y]...)
				}
			}
			s.Guarded = true
		}
	}
	for _, a := range p.assigns {
		if p.Slots[a.value].Base != a.state || to.count[a.value] > 1 {
			y := len(p.Slots)
			p.Slots = append(p.Slots, Slot{Meta: p.Slots[a.state].Meta, Region: Activations, Base: a.state})
			p.Steps = append(p.Steps, Step{Op: Copy{}, In: []int{a.value}, Out: []int{y}, Scope: p.Slots[a.state].Name, Guarded: true})
		}
	}
	p.assigns = nil
}

// stores says what the assignments store.
type stores struct {
	state map[int]int // of each value
	count map[int]int // of each value: the states that it goes to
	owned [][]int     // see Plan.owned
}

// owned returns for each slot that owns memory itself and its aliases.
func (p *Plan) owned() [][]int {
	all := make([][]int, len(p.Slots))
	for x := range p.Slots {
		r, _ := p.Root(x)
		all[r] = append(all[r], x)
	}
	return all
}

// storesAll reports whether step i can write all its results into the states they are assigned to. The last guard
// must be known by then, as a skipped step must leave nothing to steps that are not skipped.
func (p *Plan) storesAll(i, guard int, to stores, u uses) bool {
	if i <= guard {
		return false
	}
	s, any := &p.Steps[i], false
	for member, y := range s.Out {
		if y < 0 {
			continue
		}
		st, ok := to.state[y]
		if !ok || to.count[y] != 1 || p.isOutput(y) || p.Slots[y].Base >= 0 || touchedFrom(to.owned[st], i, u) {
			return false
		}
		for _, k := range u.readers[y] {
			if len(p.Guards) > 0 && !p.storesAll(k, guard, to, u) {
				return false
			}
		}
		for operand, x := range s.In {
			r, _ := p.Root(x)
			if r == st && !(x == st && overwrites(s.Op, member, operand)) {
				return false
			}
		}
		any = true
	}
	return any
}

func (p *Plan) isOutput(x int) bool {
	for _, o := range p.Outputs {
		if o.Slot == x {
			return true
		}
	}
	return false
}

// touchedFrom reports whether a step after i, an output or another assignment reads one of the slots.
func touchedFrom(slots []int, i int, u uses) bool {
	for _, x := range slots {
		if u.kept[x] {
			return true
		}
		for _, k := range u.readers[x] {
			if k > i {
				return true
			}
		}
	}
	return false
}

func overwrites(op graph.Op, member, operand int) bool {
	o, ok := op.(graph.Overwriter)
	return ok && o.Overwrites(member, operand)
}

// reuseOperands lets a step write over an operand that nothing needs after it, where its op allows that.
func reuseOperands(p *Plan) {
	last := p.lastTouched()
	for i := range p.Steps {
		s := &p.Steps[i]
		for member, y := range s.Out {
			if y < 0 || p.Slots[y].Base >= 0 || p.Slots[y].Stride != 0 {
				continue
			}
			for operand, x := range s.In {
				if p.Slots[x].Meta.Bytes() == p.Slots[y].Meta.Bytes() && overwrites(s.Op, member, operand) && p.dies(x, i, operand, last) {
					r, off := p.Root(x)
					p.Slots[y].Base, p.Slots[y].Offset = r, off
					last[r] = max(last[r], last[y])
					break
				}
			}
		}
	}
}

// lastTouched returns for each slot that owns memory the last step that touches it. What an output or a guard wants is
// touched after the last step.
func (p *Plan) lastTouched() []int {
	last := make([]int, len(p.Slots))
	touch := func(x, step int) {
		if x >= 0 {
			r, _ := p.Root(x)
			last[r] = max(last[r], step)
		}
	}
	for i, s := range p.Steps {
		for _, x := range s.In {
			touch(x, i)
		}
		for _, y := range s.Out {
			touch(y, i)
		}
	}
	for _, o := range p.Outputs {
		touch(o.Slot, len(p.Steps))
	}
	for _, g := range p.Guards { // read when the first guarded step comes, maybe much later
		touch(g, len(p.Steps))
	}
	return last
}

// dies reports whether operand x of step i is a whole activation that nothing touches after the step. No other
// operand or result of the step may share it.
func (p *Plan) dies(x, i, operand int, last []int) bool {
	r, off := p.Root(x)
	if p.Slots[r].Region != Activations || off != 0 || p.Slots[x].Stride != 0 || p.Slots[x].Meta.Bytes() != p.Slots[r].Meta.Bytes() {
		return false
	}
	s := &p.Steps[i]
	for j, o := range s.In {
		if q, _ := p.Root(o); q == r && j != operand {
			return false
		}
	}
	for _, o := range s.Out {
		if o >= 0 {
			if q, _ := p.Root(o); q == r {
				return false
			}
		}
	}
	return last[r] <= i
}
