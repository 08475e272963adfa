package emu

import (
	"math/bits"
)

// logicRows are operations on bits and predicates.
func logicRows() map[string]opcode {
	rows := map[string]opcode{
		"and.b32": {"", ops("b32 b32 b32", and64)}, "and.b64": {"", ops("b64 b64 b64", and64)}, "and.b16": {"", ops("b16 b16 b16", and64)},
		"or.b32": {"", ops("b32 b32 b32", or64)}, "or.b64": {"", ops("b64 b64 b64", or64)}, "or.b16": {"", ops("b16 b16 b16", or64)},
		"xor.b32": {"", ops("b32 b32 b32", xor64)}, "xor.b64": {"", ops("b64 b64 b64", xor64)}, "xor.b16": {"", ops("b16 b16 b16", xor64)},
		"not.b16":  {"", ops("b16 b16", one(func(a uint16) uint16 { return ^a }))},
		"not.b32":  {"", ops("b32 b32", one(func(a uint32) uint32 { return ^a }))},
		"not.b64":  {"", ops("b64 b64", one(func(a uint64) uint64 { return ^a }))},
		"cnot.b16": {"", ops("b16 b16", one(isZero[uint16]))}, "cnot.b32": {"", ops("b32 b32", one(isZero[uint32]))},
		"cnot.b64": {"", ops("b64 b64", one(isZero[uint64]))},
		"and.pred": {"", logic(func(a, b uint32) uint32 { return a & b })},
		"or.pred":  {"", logic(func(a, b uint32) uint32 { return a | b })},
		"xor.pred": {"", logic(func(a, b uint32) uint32 { return a ^ b })},
		"not.pred": {"", logic(func(a, _ uint32) uint32 { return ^a })},
		"mov.pred": {"", logic(func(a, _ uint32) uint32 { return a })},
		"shl.b32":  {"", ops("b32 b32 u32", shl32)},
		"shl.b16":  {"", ops("b16 b16 u32", func(d, a, b, _ *lanes) { shiftLeft(d, a, b, 0xffff) })},
		"shl.b64":  {"", ops("b64 b64 u32", func(d, a, b, _ *lanes) { shiftLeft(d, a, b, ^uint64(0)) })},
		"shf.b32":  {"l r wrap clamp", funnel},
		"lop3.b32": {"", lop3},
	}
	for _, t := range []string{"16", "32", "64"} {
		row := map[string]opcode{"16": shrRow[uint16]("b16"), "32": shrRow[uint32]("b32"), "64": shrRow[uint64]("b64")}[t]
		rows["shr.b"+t] = row
	}
	return rows
}

func shrRow[T anyInt](t string) opcode {
	rows := map[string]opcode{}
	orderedRows[T](rows, t)
	return rows["shr."+t]
}

func isZero[T anyInt](a T) T {
	if a == 0 {
		return 1
	}
	return 0
}

func and64(d, a, b, _ *lanes) {
	for i := range d {
		d[i] = a[i] & b[i]
	}
}

func or64(d, a, b, _ *lanes) {
	for i := range d {
		d[i] = a[i] | b[i]
	}
}

func xor64(d, a, b, _ *lanes) {
	for i := range d {
		d[i] = a[i] ^ b[i]
	}
}

func shl32(d, a, b, _ *lanes) { shiftLeft(d, a, b, 0xffffffff) }

// shiftLeft shifts. In Go as in PTX a shift by more than the width gives 0.
func shiftLeft(d, a, b *lanes, mask uint64) {
	for i := range d {
		d[i] = a[i] << uint32(b[i]) & mask
	}
}

// logic decodes an operation on predicates.
func logic(f func(a, b uint32) uint32) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) (err error) {
		if err := d.want(3, 2); err != nil {
			return err
		}
		if in.d, err = d.predicate(d.s.args[0]); err != nil {
			return err
		}
		in.b = -1
		for i, to := range []*int32{&in.a, &in.b}[:len(d.s.args)-1] {
			o := d.s.args[i+1]
			if *to, err = d.predicateSource(o); err != nil {
				return err
			}
			if o.not {
				in.negate |= 1 << i
			}
		}
		in.do = func(w *warp, in *inst, on uint32) {
			v := f(w.pred(in.a, in.negate&1), w.pred(max(in.b, 0), in.negate&2))
			w.p[in.d] = w.p[in.d]&^on | v&on
		}
		return nil
	}
}

// predicateSource is a predicate that is read. A number is one that is always on, or off for 0.
func (d *decoder) predicateSource(o operand) (int32, error) {
	if o.kind != opNumber {
		return d.predicate(o)
	}
	set := o.value != 0
	if r, ok := d.c.constPreds[set]; ok {
		return r, nil
	}
	r := int32(d.c.preds)
	d.c.preds++
	d.c.constPreds[set] = r
	return r, nil
}

// pred reads a predicate, negated where not is set.
func (w *warp) pred(i int32, not uint8) uint32 {
	if not != 0 {
		return ^w.p[i]
	}
	return w.p[i]
}

// funnel decodes shf: a shift of two registers seen as one.
func funnel(d *decoder, in *inst) error {
	limit := func(n uint32) uint32 { return n & 31 }
	if d.has("clamp") {
		limit = func(n uint32) uint32 { return min(n, 32) }
	} else if !d.has("wrap") {
		return d.errorf("%s: want .clamp or .wrap", d.s.op)
	}
	left := d.has("l")
	return ops("b32 b32 b32 u32", func(d, a, b, c *lanes) {
		for i := range d {
			v := uint64(uint32(b[i]))<<32 | uint64(uint32(a[i]))
			if n := limit(uint32(c[i])); left {
				d[i] = v << n >> 32 & 0xffffffff
			} else {
				d[i] = v >> n & 0xffffffff
			}
		}
	})(d, in)
}

// lop3 decodes a logic operation on three operands, given by its table of truth.
func lop3(d *decoder, in *inst) error {
	if err := d.want(5); err != nil {
		return err
	}
	truth := d.s.args[4]
	if truth.kind != opNumber || truth.value > 255 {
		return d.errorf("%s: want a number up to 255 for the table of truth", d.s.op)
	}
	s := *d.s
	s.args = s.args[:4]
	d.s = &s
	return ops("b32 b32 b32 b32", func(d, a, b, c *lanes) {
		for i := range d {
			var v uint32
			x, y, z := uint32(a[i]), uint32(b[i]), uint32(c[i])
			for k := range 8 {
				if truth.value>>k&1 != 0 {
					v |= (x ^ maskIf(k&4 == 0)) & (y ^ maskIf(k&2 == 0)) & (z ^ maskIf(k&1 == 0))
				}
			}
			d[i] = uint64(v)
		}
	})(d, in)
}

func maskIf(b bool) uint32 {
	if b {
		return ^uint32(0)
	}
	return 0
}

// bitRows are operations on the places of bits and bytes.
func bitRows() map[string]opcode {
	rows := map[string]opcode{
		"popc.b32": {"", ops("u32 b32", count(func(a uint64) int { return bits.OnesCount32(uint32(a)) }))},
		"popc.b64": {"", ops("u32 b64", count(bits.OnesCount64))},
		"clz.b32":  {"", ops("u32 b32", count(func(a uint64) int { return bits.LeadingZeros32(uint32(a)) }))},
		"clz.b64":  {"", ops("u32 b64", count(bits.LeadingZeros64))},
		"brev.b32": {"", ops("b32 b32", one(bits.Reverse32))},
		"brev.b64": {"", ops("b64 b64", one(bits.Reverse64))},
		"bmsk.b32": {"clamp wrap", bitMask},
		"fns.b32":  {"", ops("b32 b32 u32 s32", three(nthSet))},
		"prmt.b32": {"f4e b4e rc8 ecl ecr rc16", permute},
		"bfi.b32":  {"", insertBits("b32", 32)},
		"bfi.b64":  {"", insertBits("b64", 64)},
	}
	for t, n := range map[string]int{"s32": 32, "u32": 32, "s64": 64, "u64": 64} {
		rows["bfe."+t] = opcode{"", ops(t+" "+t+" u32 u32", extract(n, t[0] == 's'))}
		rows["bfind."+t] = opcode{"shiftamt", topBit(t, n)}
	}
	for _, t := range []string{"s32", "u32"} {
		rows["dp4a."+t] = opcode{"", dotBytes}
		rows["dp2a."+t] = opcode{"lo hi", dotWords}
	}
	return rows
}

func count(f func(a uint64) int) vop {
	return func(d, a, _, _ *lanes) {
		for i := range d {
			d[i] = uint64(f(a[i]))
		}
	}
}

// bitMask decodes bmsk: b ones from bit a on.
func bitMask(d *decoder, in *inst) error {
	wrap := d.has("wrap")
	return ops("b32 b32 b32", two(func(a, b uint32) uint32 {
		if wrap {
			a, b = a&31, b&31
		}
		return uint32((uint64(1)<<min(b, 32) - 1) << min(a, 32))
	}))(d, in)
}

// nthSet finds the n-th bit that is set, from a base on.
func nthSet(mask, base, offset uint32) uint32 {
	step, n := 1, int32(offset)
	switch {
	case n == 0:
		if mask>>(base&31)&1 != 0 {
			return base & 31
		}
		return ^uint32(0)
	case n < 0:
		step, n = -1, -n
	}
	for p := int(base & 31); p >= 0 && p < 32; p += step {
		if mask>>p&1 != 0 {
			if n--; n == 0 {
				return uint32(p)
			}
		}
	}
	return ^uint32(0)
}

// extract is bfe: c bits from bit b on. With a sign they are extended by the highest bit of the field.
func extract(n int, signed bool) vop {
	return func(d, a, b, c *lanes) {
		for i := range d {
			pos, length := int(b[i]&0xff), int(c[i]&0xff)
			v := a[i]
			var top uint64
			if signed && length > 0 {
				top = v >> min(pos+length-1, n-1) & 1
			}
			if pos < n {
				v >>= pos
			} else {
				v = 0
			}
			keep := min(length, max(n-pos, 0))
			if keep < 64 {
				v &= 1<<keep - 1
				if top != 0 {
					v |= ^uint64(0) << keep
				}
			}
			d[i] = v & (^uint64(0) >> (64 - n))
		}
	}
}
