package emu

import (
	"math/bits"
)

// insertBits decodes bfi: b with d bits from bit c on taken from a.
func insertBits(t string, n int) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) (err error) {
		if err := d.want(5); err != nil {
			return err
		}
		in.regs = make([]int32, 4)
		if in.d, err = d.dst(d.s.args[0]); err != nil {
			return err
		}
		for i, typ := range []string{t, t, "u32", "u32"} {
			if in.regs[i], err = d.src(d.s.args[i+1], typ); err != nil {
				return err
			}
		}
		in.do = func(w *warp, in *inst, on uint32) {
			a, b, c, e := &w.r[in.regs[0]], &w.r[in.regs[1]], &w.r[in.regs[2]], &w.r[in.regs[3]]
			for i := range w.tmp {
				pos, length := c[i]&0xff, e[i]&0xff
				field := (uint64(1)<<length - 1) << pos
				if length >= 64 {
					field = ^uint64(0) << pos
				}
				field &= ^uint64(0) >> (64 - n)
				w.tmp[i] = b[i]&^field | a[i]<<pos&field
			}
			w.set(in.d, &w.tmp, on)
		}
		return nil
	}
}

// topBit decodes bfind: the place of the highest bit that differs from the sign.
func topBit(t string, n int) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) error {
		amount := d.has("shiftamt")
		return ops("u32 "+t, func(d, a, _, _ *lanes) {
			for i := range d {
				v := a[i]
				if t[0] == 's' && v>>(n-1)&1 != 0 {
					v = ^v & (^uint64(0) >> (64 - n))
				}
				at := uint32(bits.Len64(v) - 1)
				if amount && v != 0 {
					at = uint32(n-1) - at
				}
				d[i] = uint64(at)
			}
		})(d, in)
	}
}

// permute decodes prmt: bytes picked out of two registers.
func permute(d *decoder, in *inst) error {
	mode := ""
	if len(d.mods) > 0 {
		mode = d.mods[0]
	}
	return ops("b32 b32 b32 b32", three(func(a, b, c uint32) uint32 {
		v := uint64(b)<<32 | uint64(a)
		var out uint32
		for i := range uint32(4) {
			x := uint32(v >> (8 * (pick(mode, c, i) & 7)) & 0xff)
			if mode == "" && c>>(4*i)&8 != 0 {
				x = uint32(int32(int8(x))>>7) & 0xff
			}
			out |= x << (8 * i)
		}
		return out
	}))(d, in)
}

// pick returns the byte that goes to byte i of the result of a prmt.
func pick(mode string, c, i uint32) uint32 {
	n := c & 3
	switch mode {
	case "f4e":
		return n + i
	case "b4e":
		return n - i
	case "rc8":
		return n
	case "ecl":
		return max(n, i)
	case "ecr":
		return min(n, i)
	case "rc16":
		return n&1*2 + i&1
	}
	return c >> (4 * i) & 7
}

// dotBytes decodes dp4a: c plus the products of four bytes.
func dotBytes(d *decoder, in *inst) error {
	return dot(d, in, func(a, b uint32, sa, sb bool) (sum int64) {
		for i := range 4 {
			sum += part8(a>>(8*i), sa) * part8(b>>(8*i), sb)
		}
		return sum
	})
}

// dotWords decodes dp2a: c plus the products of two words and two bytes.
func dotWords(d *decoder, in *inst) error {
	shift := 0
	if d.has("hi") {
		shift = 16
	}
	return dot(d, in, func(a, b uint32, sa, sb bool) (sum int64) {
		for i := range 2 {
			v := int64(uint16(a >> (16 * i)))
			if sa {
				v = int64(int16(v))
			}
			sum += v * part8(b>>(shift+8*i), sb)
		}
		return sum
	})
}

func dot(d *decoder, in *inst, f func(a, b uint32, sa, sb bool) int64) error {
	if len(d.types) != 2 {
		return d.errorf("%s: want the types of two operands", d.s.op)
	}
	sa, sb := d.types[0] == "s32", d.types[1] == "s32"
	return ops("b32 b32 b32 b32", three(func(a, b, c uint32) uint32 { return c + uint32(f(a, b, sa, sb)) }))(d, in)
}

func part8(v uint32, signed bool) int64 {
	if signed {
		return int64(int8(v))
	}
	return int64(uint8(v))
}

// carryRows are sums whose carry goes on to the next.
func carryRows() map[string]opcode {
	rows := map[string]opcode{}
	for _, t := range []string{"u32", "s32", "u64", "s64"} {
		wide := t[1:] == "64"
		add := func(a, b, carry uint64) (uint64, uint64) { return bits.Add64(a, b, carry) }
		sub := func(a, b, carry uint64) (uint64, uint64) { return bits.Sub64(a, b, carry) }
		if !wide {
			add = func(a, b, carry uint64) (uint64, uint64) { s := a + b + carry; return s & 0xffffffff, s >> 32 }
			sub = func(a, b, carry uint64) (uint64, uint64) { s := a - b - carry; return s & 0xffffffff, s >> 63 }
		}
		rows["addc."+t] = opcode{"cc", carrying(sig2(t), true, add)}
		rows["subc."+t] = opcode{"cc", carrying(sig2(t), true, sub)}
		rows["add.cc."+t] = opcode{"", carrying(sig2(t), false, add)}
		rows["sub.cc."+t] = opcode{"", carrying(sig2(t), false, sub)}
		for _, half := range []string{"lo", "hi"} {
			p := func(a, b uint64) uint64 { return product(a, b, t, half == "hi") }
			rows["mad."+half+".cc."+t] = opcode{"", carryingProduct(sig3(t), false, p, add)}
			rows["madc."+half+"."+t] = opcode{"", carryingProduct(sig3(t), true, p, add)}
			rows["madc."+half+".cc."+t] = rows["madc."+half+"."+t]
		}
	}
	return rows
}

// product is a half of a product.
func product(a, b uint64, t string, high bool) uint64 {
	switch {
	case t[1:] == "64" && high:
		return mulHigh(a, b, t[0] == 's')
	case t[1:] == "64":
		return a * b
	case t[0] == 's':
		a, b = uint64(int64(int32(a))), uint64(int64(int32(b)))
	}
	if p := a * b; high {
		return p >> 32 & 0xffffffff
	} else {
		return p & 0xffffffff
	}
}

// carrying decodes a sum with a carry: it takes the carry where in is true, and leaves one where the opcode has .cc.
func carrying(sig string, takes bool, f func(a, b, carry uint64) (uint64, uint64)) func(d *decoder, in *inst) error {
	return carryingProduct(sig, takes, nil, f)
}

func carryingProduct(sig string, takes bool, p func(a, b uint64) uint64, f func(a, b, carry uint64) (uint64, uint64)) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) error {
		if err := ops(sig, nil)(d, in); err != nil {
			return err
		}
		leaves := d.has("cc") || hasPart(d.s.op, "cc")
		in.do = func(w *warp, in *inst, on uint32) {
			a, b, c := &w.r[in.a], &w.r[in.b], &w.r[in.c]
			var carry uint32
			for i := range w.tmp {
				x, y := a[i], b[i]
				if p != nil {
					x, y = p(x, y), c[i]
				}
				var old uint64
				if takes {
					old = uint64(w.carry >> i & 1)
				}
				s, out := f(x, y, old)
				w.tmp[i] = s
				carry |= uint32(out&1) << i
			}
			w.set(in.d, &w.tmp, on)
			if leaves {
				w.carry = w.carry&^on | carry&on
			}
		}
		return nil
	}
}
