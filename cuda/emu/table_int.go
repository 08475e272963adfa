package emu

import (
	"math/bits"
)

// integerRows are the arithmetic of integers.
func integerRows() map[string]opcode {
	rows := map[string]opcode{
		"add.s32": {"", ops("s32 s32 s32", add32)}, "add.u32": {"", ops("u32 u32 u32", add32)},
		"add.s64": {"", ops("s64 s64 s64", add64)}, "add.u64": {"", ops("u64 u64 u64", add64)},
		"sub.s32": {"", ops("s32 s32 s32", sub32)}, "sub.u32": {"", ops("u32 u32 u32", sub32)},
		"sub.s64": {"", ops("s64 s64 s64", sub64)}, "sub.u64": {"", ops("u64 u64 u64", sub64)},
		"add.s16": {"", ops("s16 s16 s16", two(plus[uint16]))}, "add.u16": {"", ops("u16 u16 u16", two(plus[uint16]))},
		"sub.s16": {"", ops("s16 s16 s16", two(minus[uint16]))}, "sub.u16": {"", ops("u16 u16 u16", two(minus[uint16]))},
		"sad.s32": {"", ops("s32 s32 s32 s32", three(func(a, b, c int32) int32 { return c + max(a, b) - min(a, b) }))},
		"sad.u32": {"", ops("u32 u32 u32 u32", three(func(a, b, c uint32) uint32 { return c + max(a, b) - min(a, b) }))},
	}
	rows["add.s32"] = opcode{"sat", saturating("s32", add32, func(a, b int64) int64 { return a + b })}
	rows["sub.s32"] = opcode{"sat", saturating("s32", sub32, func(a, b int64) int64 { return a - b })}
	signedRows[int16](rows, "s16")
	signedRows[int32](rows, "s32")
	signedRows[int64](rows, "s64")
	orderedRows[int16](rows, "s16")
	orderedRows[uint16](rows, "u16")
	orderedRows[int32](rows, "s32")
	orderedRows[uint32](rows, "u32")
	orderedRows[int64](rows, "s64")
	orderedRows[uint64](rows, "u64")
	return rows
}

// saturating decodes an instruction whose .sat keeps results within the type.
func saturating(t string, plain vop, f func(a, b int64) int64) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) error {
		if !d.has("sat") {
			return ops(sig2(t), plain)(d, in)
		}
		return ops(sig2(t), two(func(a, b int32) int32 {
			return int32(min(max(f(int64(a), int64(b)), -1<<31), 1<<31-1))
		}))(d, in)
	}
}

func plus[T anyInt](a, b T) T  { return a + b }
func minus[T anyInt](a, b T) T { return a - b }

func signedRows[T int16 | int32 | int64](rows map[string]opcode, t string) {
	rows["neg."+t] = opcode{"", ops(sig1(t), one(func(a T) T { return -a }))}
	rows["abs."+t] = opcode{"", ops(sig1(t), one(func(a T) T { return max(a, -a) }))}
}

// orderedRows are operations that depend on whether a type has a sign.
func orderedRows[T anyInt](rows map[string]opcode, t string) {
	n := bitsOf[T]()
	rows["min."+t] = opcode{"", ops(sig2(t), two(func(a, b T) T { return min(a, b) }))}
	rows["max."+t] = opcode{"", ops(sig2(t), two(func(a, b T) T { return max(a, b) }))}
	rows["div."+t] = opcode{"", ops(sig2(t), two(quotient[T]))}
	rows["rem."+t] = opcode{"", ops(sig2(t), two(remainder[T]))}
	// A shift by more than the width is one by the width.
	rows["shr."+t] = opcode{"", ops(t+" "+t+" u32", func(d, a, b, _ *lanes) {
		mask := maskOf[T]()
		for i := range d {
			d[i] = uint64(T(a[i])>>min(uint32(b[i]), uint32(n))) & mask
		}
	})}
}

// quotient divides. The manual does not say what a division by 0 gives; hardware gives all ones.
func quotient[T anyInt](a, b T) T {
	if b == 0 {
		return ^T(0)
	}
	return a / b
}

// remainder is that of quotient. The manual does not say what a division by 0 gives; hardware gives a.
func remainder[T anyInt](a, b T) T {
	if b == 0 {
		return a
	}
	return a % b
}

func add32(d, a, b, _ *lanes) {
	for i := range d {
		d[i] = uint64(uint32(a[i]) + uint32(b[i]))
	}
}

func sub32(d, a, b, _ *lanes) {
	for i := range d {
		d[i] = uint64(uint32(a[i]) - uint32(b[i]))
	}
}

func add64(d, a, b, _ *lanes) {
	for i := range d {
		d[i] = a[i] + b[i]
	}
}

func sub64(d, a, b, _ *lanes) {
	for i := range d {
		d[i] = a[i] - b[i]
	}
}

// wideRows are products, which have a low and a high half, or a double width.
func wideRows() map[string]opcode {
	rows := map[string]opcode{}
	for _, t := range []string{"s32", "u32"} {
		rows["mul."+t] = opcode{"lo hi wide", halves(t, "64", [3]vop{
			mul32, signedOr(t, two(func(a, b int32) int32 { return int32(int64(a) * int64(b) >> 32) }), two(func(a, b uint32) uint32 { return uint32(uint64(a) * uint64(b) >> 32) })), signedOr(t, wideS32, wideU32)})}
		rows["mad."+t] = opcode{"lo hi wide sat", halves(t, "64", [3]vop{
			mad32, signedOr(t, three(func(a, b, c int32) int32 { return int32(int64(a)*int64(b)>>32) + c }), three(func(a, b, c uint32) uint32 { return uint32(uint64(a)*uint64(b)>>32) + c })), signedOr(t, wideAddS32, wideAddU32)})}
	}
	for _, t := range []string{"s16", "u16"} {
		rows["mul."+t] = opcode{"lo hi wide", halves(t, "32", products16(t))}
		rows["mad."+t] = opcode{"lo hi wide", halves(t, "32", sums16(t))}
	}
	for _, t := range []string{"s64", "u64"} {
		high := signedOr(t, two(func(a, b int64) int64 { return int64(mulHigh(uint64(a), uint64(b), true)) }), two(func(a, b uint64) uint64 { return mulHigh(a, b, false) }))
		rows["mul."+t] = opcode{"lo hi", halves(t, "", [3]vop{mul64, high, nil})}
		rows["mad."+t] = opcode{"lo hi", halves(t, "", [3]vop{mad64, func(d, a, b, c *lanes) {
			var h lanes
			high(&h, a, b, nil)
			add64(d, &h, c, nil)
		}, nil})}
	}
	for _, t := range []string{"s32", "u32"} {
		rows["mul24."+t] = opcode{"lo hi", halves(t, "", products24(t))}
	}
	return rows
}

// halves decodes a product: lo, hi or wide.
func halves(t, wide string, f [3]vop) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) error {
		sum := d.s.op[:3] == "mad"
		for i, mod := range []string{"lo", "hi", "wide"} {
			if !d.has(mod) || f[i] == nil {
				continue
			}
			out := t
			if mod == "wide" {
				out = t[:1] + wide
			}
			if sum {
				return ops(out+" "+t+" "+t+" "+out, f[i])(d, in)
			}
			return ops(out+" "+t+" "+t, f[i])(d, in)
		}
		return d.errorf("%s: got no half of the product, want .lo, .hi or .wide", d.s.op)
	}
}

func signedOr(t string, signed, unsigned vop) vop {
	if t[0] == 's' {
		return signed
	}
	return unsigned
}

func mulHigh(a, b uint64, signed bool) uint64 {
	h, _ := bits.Mul64(a, b)
	if signed {
		if int64(a) < 0 {
			h -= b
		}
		if int64(b) < 0 {
			h -= a
		}
	}
	return h
}

func mul32(d, a, b, _ *lanes) {
	for i := range d {
		d[i] = uint64(uint32(a[i]) * uint32(b[i]))
	}
}

func mad32(d, a, b, c *lanes) {
	for i := range d {
		d[i] = uint64(uint32(a[i])*uint32(b[i]) + uint32(c[i]))
	}
}

func mul64(d, a, b, _ *lanes) {
	for i := range d {
		d[i] = a[i] * b[i]
	}
}

func mad64(d, a, b, c *lanes) {
	for i := range d {
		d[i] = a[i]*b[i] + c[i]
	}
}

func wideS32(d, a, b, _ *lanes) {
	for i := range d {
		d[i] = uint64(int64(int32(a[i])) * int64(int32(b[i])))
	}
}

func wideU32(d, a, b, _ *lanes) {
	for i := range d {
		d[i] = uint64(uint32(a[i])) * uint64(uint32(b[i]))
	}
}

func wideAddS32(d, a, b, c *lanes) {
	for i := range d {
		d[i] = uint64(int64(int32(a[i]))*int64(int32(b[i]))) + c[i]
	}
}

func wideAddU32(d, a, b, c *lanes) {
	for i := range d {
		d[i] = uint64(uint32(a[i]))*uint64(uint32(b[i])) + c[i]
	}
}

// product16 is the product of two values of 16 bits, with or without a sign.
func product16(t string, a, b uint64) uint32 {
	if t[0] == 's' {
		return uint32(int32(int16(a)) * int32(int16(b)))
	}
	return uint32(uint16(a)) * uint32(uint16(b))
}

func products16(t string) [3]vop {
	f := func(g func(p uint32) uint64) vop {
		return func(d, a, b, _ *lanes) {
			for i := range d {
				d[i] = g(product16(t, a[i], b[i]))
			}
		}
	}
	return [3]vop{
		f(func(p uint32) uint64 { return uint64(uint16(p)) }), f(func(p uint32) uint64 { return uint64(p >> 16) }),
		f(func(p uint32) uint64 { return uint64(p) }),
	}
}

func sums16(t string) [3]vop {
	f := func(g func(p uint32, c uint64) uint64) vop {
		return func(d, a, b, c *lanes) {
			for i := range d {
				d[i] = g(product16(t, a[i], b[i]), c[i])
			}
		}
	}
	return [3]vop{
		f(func(p uint32, c uint64) uint64 { return uint64(uint16(p) + uint16(c)) }),
		f(func(p uint32, c uint64) uint64 { return uint64(uint16(p>>16) + uint16(c)) }),
		f(func(p uint32, c uint64) uint64 { return uint64(p + uint32(c)) }),
	}
}

// products24 are products of the low 24 bits: their low 32 bits, or the bits from 16 on.
func products24(t string) [3]vop {
	f := func(shift uint) vop {
		return func(d, a, b, _ *lanes) {
			for i := range d {
				p := int64(a[i]&0xffffff) * int64(b[i]&0xffffff)
				if t == "s32" {
					p = int64(int32(a[i]<<8)>>8) * int64(int32(b[i]<<8)>>8)
				}
				d[i] = uint64(uint32(p >> shift))
			}
		}
	}
	return [3]vop{f(0), f(16), nil}
}
