package emu

// moveRows are moves, and the addresses of spaces.
func moveRows() map[string]opcode {
	rows := map[string]opcode{
		"cvta":     {"*", cvta},
		"isspacep": {"*", isSpace},
	}
	for _, t := range []string{"b16", "u16", "s16", "b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64"} {
		rows["mov."+t] = opcode{"", mov}
	}
	return rows
}

// copyLanes is a move.
func copyLanes(d, a, _, _ *lanes) { *d = *a }

// mov decodes a move: of a register, of what the hardware says, or of a vector that is packed or unpacked.
func mov(d *decoder, in *inst) (err error) {
	if err = d.want(2); err != nil {
		return err
	}
	t := d.types[0]
	to, from := d.s.args[0], d.s.args[1]
	switch {
	case to.kind == opList && from.kind == opList:
		return d.errorf("%s: want one vector at most", d.s.op)
	case to.kind == opList:
		return d.unpack(in, to.list, from, sizes[t])
	case from.kind == opList:
		return d.pack(in, to, from.list, sizes[t])
	case clocks[from.name]:
		in.do = func(w *warp, in *inst, on uint32) {
			for i := range w.tmp {
				w.tmp[i] = uint64(w.count)
			}
			w.set(in.d, &w.tmp, on)
		}
		in.d, err = d.dst(to)
		return err
	}
	return ops(t+" "+t, copyLanes)(d, in)
}

// pack decodes a move of several registers to one.
func (d *decoder) pack(in *inst, to operand, from []operand, size int) (err error) {
	if len(from) == 0 || size%len(from) != 0 {
		return d.errorf("%s: want 2, 4 or 8 elements", d.s.op)
	}
	n := size / len(from) * 8
	if in.d, err = d.dst(to); err != nil {
		return err
	}
	for _, o := range from {
		r, err := d.src(o, map[int]string{8: "b8", 16: "b16", 32: "b32", 64: "b64"}[n])
		if err != nil {
			return err
		}
		in.regs = append(in.regs, r)
	}
	mask := ^uint64(0) >> (64 - n)
	in.do = func(w *warp, in *inst, on uint32) {
		w.tmp = lanes{}
		for k, r := range in.regs {
			for i, v := range &w.r[r] {
				w.tmp[i] |= v & mask << (n * k)
			}
		}
		w.set(in.d, &w.tmp, on)
	}
	return nil
}

// unpack decodes a move of one register to several.
func (d *decoder) unpack(in *inst, to []operand, from operand, size int) (err error) {
	if len(to) == 0 || size%len(to) != 0 {
		return d.errorf("%s: want 2, 4 or 8 elements", d.s.op)
	}
	n := size / len(to) * 8
	if in.a, err = d.src(from, map[int]string{2: "b16", 4: "b32", 8: "b64"}[size]); err != nil {
		return err
	}
	for _, o := range to {
		r, err := d.dst(o)
		if err != nil {
			return err
		}
		in.regs = append(in.regs, r)
	}
	mask := ^uint64(0) >> (64 - n)
	in.do = func(w *warp, in *inst, on uint32) {
		a := w.r[in.a]
		for k, r := range in.regs {
			for i := range w.tmp {
				w.tmp[i] = a[i] >> (n * k) & mask
			}
			w.set(r, &w.tmp, on)
		}
	}
	return nil
}

// bases are where the spaces lie among generic addresses.
var bases = map[string]uint64{"global": 0, "const": 0, "shared": sharedBase, "shared::cta": sharedBase, "local": localBase, "param": 0}

// cvta decodes the conversion between an address of a space and a generic one.
func cvta(d *decoder, in *inst) error {
	base, known := uint64(0), false
	for _, mod := range d.mods {
		if b, ok := bases[mod]; ok {
			base, known = b, true
		}
	}
	if !known {
		return d.errorf("%s: want a space", d.s.op)
	}
	if d.has("to") {
		base = -base
	}
	return ops("u64 u64", func(d, a, _, _ *lanes) {
		for i := range d {
			d[i] = a[i] + base
		}
	})(d, in)
}

// isSpace decodes the question in which space a generic address is.
func isSpace(d *decoder, in *inst) (err error) {
	if err = d.want(2); err != nil {
		return err
	}
	space := ""
	for _, mod := range d.mods {
		space = mod
	}
	in2 := func(v, base uint64) bool { return v-base < spaceSize }
	var test func(v uint64) bool
	switch space {
	case "shared", "shared::cta":
		test = func(v uint64) bool { return in2(v, sharedBase) }
	case "local":
		test = func(v uint64) bool { return in2(v, localBase) }
	case "global":
		test = func(v uint64) bool { return !in2(v, sharedBase) && !in2(v, localBase) }
	default:
		return d.errorf("%s: want .global, .shared or .local", d.s.op)
	}
	if in.d, err = d.predicate(d.s.args[0]); err != nil {
		return err
	}
	if in.a, err = d.src(d.s.args[1], "b64"); err != nil {
		return err
	}
	in.do = func(w *warp, in *inst, on uint32) {
		var m uint32
		for i, v := range &w.r[in.a] {
			if test(v) {
				m |= 1 << i
			}
		}
		w.p[in.d] = w.p[in.d]&^on | m&on
	}
	return nil
}
