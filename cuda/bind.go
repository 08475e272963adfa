package cuda

import (
	"encoding/binary"
	"slices"
	"unsafe"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// A code is a plan lowered to launches: what a program runs, before it has memory.
type code struct {
	plan    *plan.Plan
	steps   [][]launch // by step of the plan
	scratch int        // bytes
	scalars []scalar
	tables  []int32 // constants of all launches
	checks  []idCheck
}

// compile lowers the steps of a plan.
func compile(p *plan.Plan, choose chooser) (*code, error) {
	if ops := p.Foreign(); len(ops) > 0 {
		return nil, errors.Wrapf(plan.ErrUnsupported, "cuda: %v: ops of Gorgonia's have no kernel", ops)
	}
	c := &code{plan: p, scratch: p.Sizes[plan.Scratch]}
	for i := range p.Steps {
		s := &p.Steps[i]
		b := &builder{in: values(p, s.In), out: values(p, s.Out), choose: choose, guarded: s.Guarded}
		if err := lower(s.Op, b); err != nil {
			return nil, p.Error(err, s)
		}
		for j := range b.launches {
			c.intern(&b.launches[j])
		}
		c.steps = append(c.steps, b.launches)
		c.scratch = max(c.scratch, b.scratch)
		c.checks = append(c.checks, b.checks...)
	}
	return c, nil
}

// values are slots as a lowering sees them.
func values(p *plan.Plan, slots []int) []value {
	v := make([]value, len(slots))
	for i, x := range slots {
		v[i] = value{slot: x, root: -1}
		if x >= 0 {
			s := &p.Slots[x]
			v[i] = value{Meta: s.Meta, slot: x, row: s.Row, stride: s.Stride}
			v[i].root, v[i].base = p.Root(x)
		}
	}
	return v
}

// intern gives the constants and scalars of a launch a place: offset is theirs from here on.
func (c *code) intern(l *launch) {
	for i := range l.args {
		switch a := &l.args[i]; a.kind {
		case argTable:
			a.offset, a.bits = 4*c.table(a.table), uint64(4*len(a.table))
		case argScalar:
			k := slices.Index(c.scalars, a.scalar)
			if k < 0 {
				k = len(c.scalars)
				c.scalars = append(c.scalars, a.scalar)
			}
			a.offset = 8 * k
		}
	}
}

// table returns the place of constants, which equal ones share. Each begins at a multiple of 16 bytes.
func (c *code) table(t []int32) int {
	for i := 0; i+len(t) <= len(c.tables); i += 4 {
		if slices.Equal(c.tables[i:i+len(t)], t) {
			return i
		}
	}
	at := len(c.tables)
	c.tables = append(c.tables, t...)
	for len(c.tables)%4 != 0 {
		c.tables = append(c.tables, 0)
	}
	return at
}

// bind gives all launches their addresses.
func (g *program) bind() error {
	g.steps = make([][]bound, len(g.code.steps))
	for i, list := range g.code.steps {
		st := &g.plan.Steps[i]
		seen := map[int]bool{} // slots that a launch of the step has written
		for _, l := range list {
			b, err := g.boundOf(l, st.Guarded)
			if err != nil {
				return g.plan.Error(err, st)
			}
			b.what = st.Scope + ": " + graph.OpName(st.Op)
			b.ranges = append(b.ranges, g.ranges(l, st, seen)...)
			g.steps[i] = append(g.steps[i], b)
		}
	}
	return nil
}

// boundOf packs the parameters of a launch.
func (g *program) boundOf(l launch, guarded bool) (bound, error) {
	b := bound{kernel: l.kernel, grid: l.grid, block: l.block, shared: l.shared}
	if l.product != nil {
		return g.multiplied(b, l)
	}
	list, ok := g.x.params[l.kernel]
	if !ok {
		return b, errors.Errorf("cuda: no PTX has the kernel %s; make kernels compiles the sources in cuda/kernels", l.kernel)
	}
	if len(list) != len(l.args) {
		return b, errors.Errorf("cuda: kernel %s has %d parameters, its lowering gives %d", l.kernel, len(list), len(l.args))
	}
	for i, a := range l.args {
		bits, address := g.bits(a, guarded)
		switch n := list[i].bytes; {
		case n == 4 && (address || bits>>32 != 0) && int64(bits) != int64(int32(bits)), n == 8 && a.float, n != 4 && n != 8:
			return b, errors.Errorf("cuda: kernel %s: parameter %d has %d bytes, its lowering gives %#x", l.kernel, i, n, bits)
		case n == 4:
			b.params = binary.LittleEndian.AppendUint32(pad(b.params, list[i].offset), uint32(bits))
		default:
			b.params = binary.LittleEndian.AppendUint64(pad(b.params, list[i].offset), bits)
		}
		b.offsets = append(b.offsets, list[i].offset)
	}
	return b, nil
}

// pad fills b up to n bytes.
func pad(b []byte, n int) []byte {
	for len(b) < n {
		b = append(b, 0)
	}
	return b
}

// bits is an argument's parameter.
func (g *program) bits(a arg, guarded bool) (bits uint64, address bool) {
	switch a.kind {
	case argValue:
		at, _ := g.address(a.slot)
		return uint64(at) + uint64(a.offset), true
	case argTemp:
		return uint64(g.scratch) + uint64(a.offset), true
	case argTable:
		return uint64(g.constants) + uint64(a.offset), true
	case argScalar:
		return uint64(g.scalars()) + uint64(a.offset), true
	case argStop:
		if !guarded {
			return 0, true
		}
		return uint64(g.state.stop), true
	}
	return a.bits, false
}

// scalars is where the scalars of a run lie: behind the inputs.
func (g *program) scalars() addr { return g.given + addr(g.inputBytes()) }

// inputBytes is the size of the inputs, up to the scalars.
func (g *program) inputBytes() int { return (g.plan.Sizes[plan.Inputs] + 7) / 8 * 8 }

// address is where a slot lies.
func (g *program) address(slot int) (at addr, bytes int) {
	p, ok := g.plan.Place(slot)
	switch {
	case !ok:
		return 0, 0
	case p.Region == plan.Inputs:
		at = g.given
	case p.State != "":
		v, err := g.state.Find(p.State)
		if err != nil {
			return 0, 0 // Compile has adopted all
		}
		at = v.Mem
	default:
		at = g.arena
	}
	return at + addr(p.Offset), p.Bytes
}

// ranges are the memory that a launch may touch. A result that no operand lies in, and scratch, hold nothing before the
// step's first launch that names them.
func (g *program) ranges(l launch, st *plan.Step, seen map[int]bool) (list []span) {
	const temp = -2
	for _, a := range l.args {
		switch a.kind {
		case argValue:
			if !slices.ContainsFunc(list, func(s span) bool { return s.name == g.slotName(a.slot) }) {
				list = append(list, g.slotRange(a.slot, st, seen))
			}
		case argTemp:
			r := span{name: "scratch", at: g.scratch, bytes: g.code.scratch, access: reads | writes}
			if !seen[temp] {
				r.access |= fresh
				seen[temp] = true
			}
			if !slices.ContainsFunc(list, func(s span) bool { return s.name == "scratch" }) {
				list = append(list, r)
			}
		case argTable:
			list = append(list, span{name: "constants", at: g.constants + addr(a.offset), bytes: int(a.bits), access: reads})
		case argScalar:
			list = append(list, span{name: "scalars", at: g.scalars() + addr(a.offset), bytes: 8, access: reads})
		case argStop:
			if st.Guarded {
				list = append(list, span{name: "guard", at: g.state.stop, bytes: 4, access: reads})
			}
		}
	}
	return list
}

// slotRange is the range of an operand or result.
func (g *program) slotRange(slot int, st *plan.Step, seen map[int]bool) span {
	at, n := g.address(slot)
	s := &g.plan.Slots[slot]
	r := span{name: g.slotName(slot), at: at, bytes: n}
	if s.Stride != 0 {
		r.row, r.stride = s.Row*s.Meta.DType.Size(), s.Stride*s.Meta.DType.Size()
	}
	if slices.Contains(st.In, slot) {
		r.access |= reads
	}
	if slices.Contains(st.Out, slot) {
		r.access |= reads | writes
		inPlace := slices.ContainsFunc(st.In, func(x int) bool {
			a, m := g.address(x)
			return a < at+addr(n) && at < a+addr(m)
		})
		if !inPlace && !seen[slot] && !st.Guarded {
			r.access |= fresh
		}
		seen[slot] = true
	}
	return r
}

// slotName names a slot: a state or an input by its name.
func (g *program) slotName(slot int) string { return g.names[slot] }

// name names the slots: states and inputs have names, results are called after their steps.
func (g *program) name() {
	g.names = make([]string, len(g.plan.Slots))
	for i, s := range g.plan.Slots {
		g.names[i] = s.Name
	}
	for i := range g.plan.Steps {
		st := &g.plan.Steps[i]
		for k, y := range st.Out {
			if y >= 0 && g.names[y] == "" {
				g.names[y] = resultName(st, i, k)
			}
		}
	}
	for i, n := range g.names {
		if n == "" {
			g.names[i] = "slot " + itoa(i)
		}
	}
}

// bytesOf views words as bytes.
func bytesOf[T int32 | uint32 | uint64](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*int(unsafe.Sizeof(v[0])))
}
