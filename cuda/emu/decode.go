package emu

import (
	"math"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// An opcode is a row of the table: how to decode an instruction.
type opcode struct {
	mods   string // modifiers that may be there
	decode func(d *decoder, in *inst) error
}

// statement decodes one instruction.
func (d *decoder) statement(s *stmt) (in inst, err error) {
	d.s = s
	in = inst{line: int32(s.line), guard: -1}
	if s.guard != "" {
		if in.guard, err = d.predicate(operand{name: s.guard}); err != nil {
			return in, err
		}
		in.not = s.not
	}
	row, ok := d.lookup()
	if !ok {
		return in, d.errorf("unknown opcode %s", s.op)
	}
	allowed := strings.Fields(row.mods)
	for _, mod := range d.mods {
		if row.mods != "*" && !slices.Contains(allowed, mod) {
			return in, d.errorf("unknown modifier .%s of %s", mod, s.op)
		}
	}
	return in, row.decode(d, &in)
}

// lookup finds the row of the statement's opcode.
func (d *decoder) lookup() (opcode, bool) {
	key, types, mods := rowOf(d.s.op)
	d.types, d.mods = types, mods
	row, ok := table[key]
	return row, ok
}

// rowOf returns the key of an opcode's row, its types and the other modifiers. The key is the whole name, or its
// first part with the last type, or its first part.
func rowOf(op string) (key string, types, mods []string) {
	parts := strings.Split(op, ".")
	for _, p := range parts[1:] {
		if sizes[p] > 0 || p == "pred" {
			types = append(types, p)
		} else {
			mods = append(mods, p)
		}
	}
	if _, ok := table[op]; ok {
		return op, types, nil
	}
	if n := len(types); n == 1 || n == 2 && twoTypes[parts[0]] {
		if key := parts[0] + "." + types[n-1]; table[key].decode != nil {
			return key, types, mods
		}
	}
	return parts[0], types, mods
}

// twoTypes are the opcodes with more than one type.
var twoTypes = map[string]bool{"dp4a": true, "dp2a": true, "slct": true, "set": true}

// has tells whether the opcode has a modifier.
func (d *decoder) has(mod string) bool { return slices.Contains(d.mods, mod) }

// errorf is an error at the statement.
func (d *decoder) errorf(format string, args ...any) error {
	return errors.Errorf("emu: line %d: "+format, append([]any{d.s.line}, args...)...)
}

// want checks the number of operands.
func (d *decoder) want(n ...int) error {
	if !slices.Contains(n, len(d.s.args)) {
		return d.errorf("%s has %d operands, want %d", d.s.op, len(d.s.args), n[0])
	}
	return nil
}

// typeOf returns the declared type of a register, "" for other names.
func (d *decoder) typeOf(name string) string {
	if t, ok := d.f.regs[name]; ok {
		return t
	}
	base := strings.TrimRight(name, "0123456789")
	if r, ok := d.f.ranges[base]; ok && base != name {
		if n, err := integer(strings.TrimLeft(name[len(base):len(name)-1], "0") + name[len(name)-1:]); err == nil && n < uint64(r.n) {
			return r.typ
		}
	}
	return ""
}

// register returns the register of a name.
func (d *decoder) register(name string) (int32, error) {
	if r, ok := d.regs[name]; ok {
		return r, nil
	}
	t := d.typeOf(name)
	if t == "" || t == "pred" {
		return 0, d.errorf("%s is no register of %s", name, d.f.name)
	}
	r := d.newRegister()
	d.regs[name] = r
	return r, nil
}

func (d *decoder) newRegister() int32 {
	d.c.regs++
	return int32(d.c.regs - 1)
}

// predicate returns the predicate of a name.
func (d *decoder) predicate(o operand) (int32, error) {
	if r, ok := d.preds[o.name]; ok {
		return r, nil
	}
	if o.name != "_" && d.typeOf(o.name) != "pred" {
		return 0, d.errorf("%s is no predicate of %s", o.name, d.f.name)
	}
	r := int32(d.c.preds)
	d.c.preds++
	d.preds[o.name] = r
	return r, nil
}

// dst returns the register of a result.
func (d *decoder) dst(o operand) (int32, error) {
	if o.kind != opName || o.value != 0 {
		return 0, d.errorf("%s: the result is no register", d.s.op)
	}
	if o.name == "_" {
		return scratch, nil
	}
	return d.register(o.name)
}

// src returns the register of an operand. Numbers, addresses of variables and what the hardware says have registers
// too.
func (d *decoder) src(o operand, typ string) (int32, error) {
	switch {
	case o.kind == opNumber:
		return d.constant(literalBits(o, typ)), nil
	case o.kind != opName || o.not:
		return 0, d.errorf("%s: an operand is no register or number", d.s.op)
	case o.name == "WARP_SZ":
		return d.constant(32), nil
	}
	if t := d.typeOf(o.name); t != "" {
		if t != "pred" && sizes[typ] > sizes[t] {
			return 0, d.errorf("%s: the register %s is of type %s, want at least %s", d.s.op, o.name, t, typ)
		}
		return d.register(o.name)
	}
	if strings.HasPrefix(o.name, "%") {
		return d.special(o.name)
	}
	p, ok := d.variable(o.name)
	if !ok {
		return 0, d.errorf("no register or variable %s", o.name)
	}
	if p.space == "dynamic" {
		if o.value != 0 {
			return 0, d.errorf("%s: an offset from %s is not supported", d.s.op, o.name)
		}
		if _, ok := d.c.dynamicRegs[o.name]; !ok {
			d.c.dynamicRegs[o.name] = d.newRegister()
		}
		return d.c.dynamicRegs[o.name], nil
	}
	return d.constant(p.at + o.value), nil
}

// variable finds where a variable lies.
func (d *decoder) variable(name string) (place, bool) {
	p, ok := d.vars[name]
	if !ok {
		var at uint64
		if at, ok = d.m.symbols[name]; ok {
			return place{"global", at}, true
		}
		var v variable
		if v, ok = d.m.shared[name]; !ok {
			return p, false
		}
		p = place{"shared", uint64(d.sharedPlace(v))}
	}
	if p.space == "shared" && slices.Contains(d.c.dynamic, name) {
		p.space = "dynamic"
	}
	return p, true
}

// literalBits are the bits of a number as a value of a type.
func literalBits(o operand, typ string) uint64 {
	v := o.value
	switch {
	case o.float == 'd' && typ == "f32":
		return uint64(math.Float32bits(float32(math.Float64frombits(v))))
	case o.float == 'f' && typ == "f64":
		return math.Float64bits(float64(math.Float32frombits(uint32(v))))
	}
	switch sizes[typ] {
	case 1, 2: // bytes are read from registers of 16 bits at least
		return v & 0xffff
	case 4:
		return v & 0xffffffff
	}
	return v
}

// constant returns the register that holds a number.
func (d *decoder) constant(v uint64) int32 {
	if r, ok := d.c.consts[v]; ok {
		return r
	}
	r := d.newRegister()
	d.c.consts[v] = r
	return r
}

// special returns the register that holds what the hardware says.
func (d *decoder) special(name string) (int32, error) {
	if r, ok := d.c.specials[name]; ok {
		return r, nil
	}
	if _, ok := specials[name]; !ok {
		return 0, d.errorf("unknown register %s", name)
	}
	r := d.newRegister()
	d.c.specials[name] = r
	return r, nil
}

// ops decodes an instruction that computes its first operand from the others: sig has the type of each.
func ops(sig string, f vop) func(d *decoder, in *inst) error {
	types := strings.Fields(sig)
	return func(d *decoder, in *inst) (err error) {
		if err := d.want(len(types)); err != nil {
			return err
		}
		in.vec = f
		if in.d, err = d.dst(d.s.args[0]); err != nil {
			return err
		}
		for i, to := range []*int32{&in.a, &in.b, &in.c}[:len(types)-1] {
			if *to, err = d.src(d.s.args[i+1], types[i+1]); err != nil {
				return err
			}
		}
		return nil
	}
}
