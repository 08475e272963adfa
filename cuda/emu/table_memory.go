package emu

import (
	"slices"
	"strings"
)

// What an instruction on memory does.
const (
	loading uint8 = iota
	storing
	updating
)

// memoryRows are loads and stores.
func memoryRows() map[string]opcode {
	return map[string]opcode{
		"ld":       {"*", load},
		"st":       {"*", store},
		"prefetch": {"*", nothing},
		"membar":   {"*", fence},
		"fence":    {"*", fence},
	}
}

// nothing decodes a hint.
func nothing(d *decoder, in *inst) error {
	in.do = func(*warp, *inst, uint32) {}
	return nil
}

// fence decodes what orders memory. For shared memory only barriers count. A membar is a fence.sc (PTX ISA 9.0,
// section 9.7.13.4). What orders ways of access, or barriers in memory, orders no accesses here.
func fence(d *decoder, in *inst) error {
	if d.has("mbarrier_init") || slices.ContainsFunc(d.mods, func(m string) bool { return strings.HasPrefix(m, "proxy") }) {
		return nothing(d, in)
	}
	f := fencing{
		inside: d.has("cta"), acquire: !d.has("release"), release: !d.has("acquire"),
		sc: d.has("sc") || strings.HasPrefix(d.s.op, "membar"),
	}
	d.c.fences = true
	in.do = func(w *warp, _ *inst, on uint32) {
		if w.block.run.causal {
			w.fence(on, f)
		}
	}
	return nil
}

var spaces = map[string]uint8{"global": global, "shared": shared, "shared::cta": shared, "local": local, "param": param,
	"param::entry": param, "param::func": param, "const": global}

// hints are modifiers of loads and stores that change no value.
var hints = map[string]bool{"nc": true, "ca": true, "cg": true, "cs": true, "lu": true, "cv": true, "wb": true, "wt": true,
	"weak": true, "cta": true, "gpu": true, "sys": true, "volatile": true, "relaxed": true, "acquire": true, "release": true,
	"v2": true, "v4": true}

// memory decodes the operand in brackets and what the modifiers say of it.
func (d *decoder) memory(in *inst, o operand) error {
	m := &memory{count: 1, base: -1, offset: o.value, kind: readOne}
	in.mem = m
	for _, mod := range d.mods {
		if s, ok := spaces[mod]; ok {
			m.space = s
		} else if !hints[mod] && !strings.HasPrefix(mod, "L1::") && !strings.HasPrefix(mod, "L2::") {
			return d.errorf("unknown modifier .%s of %s", mod, d.s.op)
		}
		switch mod {
		case "v2":
			m.count = 2
		case "v4":
			m.count = 4
		case "acquire", "release":
			m.order.acquire, m.order.release, m.kind = mod == "acquire", mod == "release", atomicOne
			d.c.fences = true
		case "cta":
			m.order.inside = true
		case "volatile", "relaxed":
			m.kind = atomicOne
		}
	}
	if o.kind != opAddress {
		return d.errorf("%s: want an address in brackets", d.s.op)
	}
	m.site = int32(d.c.sites)
	d.c.sites++
	return d.base(m, o.name)
}

// base decodes what the offset of an address counts from.
func (d *decoder) base(m *memory, name string) (err error) {
	if name == "" {
		return nil
	}
	if d.typeOf(name) != "" {
		m.base, err = d.register(name)
		return err
	}
	p, ok := d.variable(name)
	if !ok {
		return d.errorf("no register or variable %s", name)
	}
	m.offset += p.at
	if p.space == "dynamic" {
		m.symbol = name
		p.space = "shared"
	}
	if m.space == generic {
		m.space = spaces[p.space]
	}
	if s := spaces[p.space]; s != m.space {
		return d.errorf("%s: the variable %s is in the space %s", d.s.op, name, p.space)
	}
	return nil
}

// elements decodes the type and the registers of a load or a store.
func (d *decoder) elements(in *inst, o operand, src bool) error {
	if len(d.types) != 1 {
		return d.errorf("%s: want one type", d.s.op)
	}
	t := d.types[0]
	in.size = uint8(sizes[t])
	list := []operand{o}
	if o.kind == opList {
		list = o.list
	}
	if len(list) != in.mem.count || int(in.size)*len(list) > 16 {
		return d.errorf("%s: got %d elements, want %d, and at most 16 bytes", d.s.op, len(list), in.mem.count)
	}
	width := 0
	for _, e := range list {
		var r int32
		var err error
		if src {
			r, err = d.src(e, t)
		} else {
			r, err = d.dst(e)
			width = max(width, sizes[d.typeOf(e.name)])
			if own := sizes[d.typeOf(e.name)]; err == nil && e.name != "_" && own < int(in.size) {
				return d.errorf("%s: the register %s has %d bytes, want at least %d", d.s.op, e.name, own, in.size)
			}
		}
		if err != nil {
			return err
		}
		in.regs = append(in.regs, r)
	}
	if !src && t[0] == 's' && width > int(in.size) {
		in.mem.sign = 1 << (8*in.size - 1)
		in.mem.mask = ^uint64(0) >> (64 - 8*width)
	}
	d.unit(in)
	return nil
}

// unit notes how small accesses get.
func (d *decoder) unit(in *inst) {
	n := min(int(in.size)*in.mem.count, 4)
	if s := in.mem.space; s == global || s == generic {
		d.c.globalUnit = min(d.c.globalUnit, n)
	}
	if s := in.mem.space; s == shared || s == generic {
		d.c.sharedUnit = min(d.c.sharedUnit, n)
	}
}

// load decodes ld.
func load(d *decoder, in *inst) error {
	if err := d.want(2); err != nil {
		return err
	}
	if err := d.memory(in, d.s.args[1]); err != nil {
		return err
	}
	in.mode, in.do = loading, move
	return d.elements(in, d.s.args[0], false)
}

// store decodes st.
func store(d *decoder, in *inst) error {
	if err := d.want(2); err != nil {
		return err
	}
	if err := d.memory(in, d.s.args[0]); err != nil {
		return err
	}
	if in.mem.kind == readOne {
		in.mem.kind = wrote
	}
	in.mode, in.do = storing, move
	return d.elements(in, d.s.args[1], true)
}
