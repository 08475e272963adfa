package emu

import (
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// lanes are one register of the 32 threads of a warp. A value of 8, 16 or 32 bits lies in the low bits, the others
// are 0.
type lanes [32]uint64

// A vop computes a register for all lanes. Where only some are active, the others' results are dropped.
type vop func(d, a, b, c *lanes)

// An inst is a decoded instruction.
type inst struct {
	vec        vop                                // for what computes d from a, b and c alone
	do         func(w *warp, in *inst, on uint32) // for all else
	d, a, b, c int32                              // registers, or predicates where do takes them so
	guard      int32                              // a predicate, −1 for none
	not        bool                               // the guard is negated
	negate     uint8                              // bits of predicate operands that are negated: 1 a, 2 b, 4 c
	line       int32
	target     int32 // of a branch
	size       uint8 // bytes of an element in memory
	mode       uint8 // what do makes of it
	mem        *memory
	regs       []int32  // of a vector, in order
	table      []int32  // of targets
	copies     [][3]int // of a call: from, to, bytes in the parameter frame
}

// A code is a kernel with the functions it calls, decoded.
type code struct {
	insts      []inst
	start      int32
	regs       int // registers of a warp
	preds      int
	consts     map[uint64]int32 // registers that hold numbers
	constPreds map[bool]int32   // predicates that are always on or off
	specials   map[string]int32 // registers that hold what the hardware says
	shared     int              // bytes of shared memory but for the dynamic part
	sharedAt   map[string]int
	dynamic    []string // names of the dynamic part
	// dynamicRegs are registers that hold the address of the dynamic part.
	dynamicRegs map[string]int32
	local       int // bytes of a thread
	frame       int // bytes of a thread for the parameters of calls
	sites       int // instructions that access memory
	globalUnit  int // the smallest access in global memory: 1, 2 or 4 bytes
	sharedUnit  int
	fences      bool // some instruction orders memory, beside barriers
	entries     map[string]int32
	results     map[string][]int // of a function: offsets in the frame
	formals     map[string][]int
}

const (
	full     = ^uint32(0)
	maxLocal = 512 << 10 // bytes of local memory that hardware gives a thread
)

// scratch is the register that takes results nobody reads.
const scratch = 0

// link decodes a function with all it calls. What is called lies before its callers, so that the lanes of a warp that
// run a function come back before the others go on.
func link(m *Module, f *fn) (*code, error) {
	c := &code{
		regs: 1, consts: map[uint64]int32{}, constPreds: map[bool]int32{}, specials: map[string]int32{}, dynamicRegs: map[string]int32{}, sharedAt: map[string]int{}, globalUnit: 4,
		sharedUnit: 4, entries: map[string]int32{}, results: map[string][]int{}, formals: map[string][]int{},
	}
	if err := c.add(m, f, nil); err != nil {
		return nil, err
	}
	c.start = c.entries[f.name]
	if c.local > maxLocal || c.frame > maxLocal {
		return nil, errors.Errorf("emu: line %d: %s takes %d bytes of local memory, and %d for calls; want at most %d", f.line, f.name, c.local, c.frame, maxLocal)
	}
	for _, name := range c.dynamic {
		c.shared = roundUp(c.shared, max(16, m.shared[name].align))
	}
	for _, name := range c.dynamic {
		c.sharedAt[name] = c.shared
	}
	return c, c.patch(m)
}

// add decodes f behind the functions that it calls.
func (c *code) add(m *Module, f *fn, callers []string) error {
	if slices.Contains(callers, f.name) {
		return errors.Errorf("emu: line %d: %s calls itself, which is not supported", f.line, f.name)
	}
	if _, ok := c.entries[f.name]; ok {
		return nil
	}
	for i := range f.body {
		s := &f.body[i]
		if op, _, _ := strings.Cut(s.op, "."); op != "call" {
			continue
		}
		name, _, _ := callParts(s)
		g := m.source.fns[name]
		if g == nil || g.extern {
			return errors.Errorf("emu: line %d: call of %q, which the text does not define", s.line, name)
		}
		if err := c.add(m, g, append(callers, f.name)); err != nil {
			return err
		}
	}
	d := &decoder{m: m, c: c, f: f, regs: map[string]int32{}, preds: map[string]int32{}, vars: map[string]place{}}
	return d.function()
}

// place is where a variable of a function lies.
type place struct {
	space string
	at    uint64
}

// patch fills in the addresses of dynamic shared memory, which follow from all the rest.
func (c *code) patch(m *Module) error {
	for i := range c.insts {
		in := &c.insts[i]
		if in.mem != nil && in.mem.symbol != "" {
			in.mem.offset += uint64(c.sharedAt[in.mem.symbol])
		}
	}
	return nil
}

// A decoder turns the statements of a function into instructions.
type decoder struct {
	m     *Module
	c     *code
	f     *fn
	regs  map[string]int32
	preds map[string]int32
	vars  map[string]place
	s     *stmt
	types []string // of the opcode
	mods  []string
	used  int // modifiers that the decoder of the opcode has asked for
}

// function decodes all statements.
func (d *decoder) function() error {
	d.locals()
	c := d.c
	base := int32(len(c.insts))
	c.entries[d.f.name] = base
	for i := range d.f.body {
		in, err := d.statement(&d.f.body[i])
		if err != nil {
			return err
		}
		c.insts = append(c.insts, in)
	}
	end := stmt{op: "ret", line: d.f.line}
	if n := len(d.f.body); n > 0 {
		end.line = d.f.body[n-1].line
	}
	in, err := d.statement(&end)
	if err != nil {
		return err
	}
	c.insts = append(c.insts, in)
	return d.jumps(base)
}

// locals gives the variables of the function their places.
func (d *decoder) locals() {
	c := d.c
	at := func(v variable) int {
		c.frame = roundUp(c.frame, v.align)
		d.vars[v.name] = place{"param", frameBase + uint64(c.frame)}
		c.frame += v.bytes
		return c.frame - v.bytes
	}
	if d.f.entry {
		n := 0
		for _, v := range d.f.params {
			n = roundUp(n, v.align)
			d.vars[v.name] = place{"param", uint64(n)}
			n += v.bytes
		}
	} else {
		for _, v := range d.f.params {
			c.formals[d.f.name] = append(c.formals[d.f.name], at(v))
		}
		for _, v := range d.f.results {
			c.results[d.f.name] = append(c.results[d.f.name], at(v))
		}
	}
	for _, v := range d.f.vars {
		switch v.space {
		case "param":
			at(v)
		case "local":
			c.local = roundUp(c.local, v.align)
			d.vars[v.name] = place{"local", uint64(c.local)}
			c.local += v.bytes
		case "shared":
			d.vars[v.name] = place{"shared", uint64(d.sharedPlace(v))}
		}
	}
}

// sharedPlace gives a variable in shared memory its place.
func (d *decoder) sharedPlace(v variable) int {
	c := d.c
	if at, ok := c.sharedAt[v.name]; ok {
		return at
	}
	if v.bytes == 0 {
		c.dynamic = append(c.dynamic, v.name)
		c.sharedAt[v.name] = 0
		return 0
	}
	c.shared = roundUp(c.shared, v.align)
	c.sharedAt[v.name] = c.shared
	c.shared += v.bytes
	return c.shared - v.bytes
}

// jumps turns labels into places.
func (d *decoder) jumps(base int32) error {
	find := func(name string, line int) (int32, error) {
		if to, ok := d.f.labels[name]; ok {
			return base + int32(to), nil
		}
		return 0, errors.Errorf("emu: line %d: no label %s", line, name)
	}
	for i := range d.f.body {
		s, in := &d.f.body[i], &d.c.insts[int(base)+i]
		var err error
		switch op, _, _ := strings.Cut(s.op, "."); op {
		case "bra":
			in.target, err = find(s.args[0].name, s.line)
		case "brx":
			for _, name := range d.f.tables[s.args[1].name] {
				to, e := find(name, s.line)
				if e != nil {
					err = e
				}
				in.table = append(in.table, to)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
