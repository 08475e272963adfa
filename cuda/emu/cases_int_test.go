package emu

import (
	"math/big"
	"math/bits"
	"slices"
)

func allCases() []opCase {
	return slices.Concat(intCases(), productCases(), bitCases(), carryCases(), floatCases(), doubleCases(), approxCases(), halfCases(),
		convertCases(), compareCases(), moveCases())
}

// An intType is an integer type of the tests.
type intType struct {
	name   string
	n      int
	signed bool
}

var intTypes = []intType{{"s16", 16, true}, {"u16", 16, false}, {"s32", 32, true}, {"u32", 32, false}, {"s64", 64, true}, {"u64", 64, false}}

// value is what bits mean.
func (t intType) value(b uint64) *big.Int {
	v := new(big.Int).SetUint64(t.cut(b))
	if t.signed && b>>(t.n-1)&1 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(t.n)))
	}
	return v
}

func (t intType) cut(b uint64) uint64 { return b & (^uint64(0) >> (64 - t.n)) }

// bits are the low bits of a number.
func (t intType) bits(v *big.Int) uint64 {
	m := new(big.Int).And(v, new(big.Int).SetUint64(^uint64(0)>>(64-t.n)))
	return m.Uint64()
}

func (t intType) two(f func(a, b *big.Int) *big.Int) func(x []uint64) uint64 {
	return func(x []uint64) uint64 { return t.bits(f(t.value(x[0]), t.value(x[1]))) }
}

func same2(t string) string { return t + " " + t + " " + t }

func intCases() (list []opCase) {
	i := func() *big.Int { return new(big.Int) }
	for _, t := range intTypes {
		add := func(op string, f func(a, b *big.Int) *big.Int) {
			list = append(list, opCase{op + "." + t.name, same2(t.name), t.two(f)})
		}
		add("add", func(a, b *big.Int) *big.Int { return i().Add(a, b) })
		add("sub", func(a, b *big.Int) *big.Int { return i().Sub(a, b) })
		add("mul.lo", func(a, b *big.Int) *big.Int { return i().Mul(a, b) })
		add("mul.hi", func(a, b *big.Int) *big.Int { return i().Rsh(i().Mul(a, b), uint(t.n)) })
		add("min", func(a, b *big.Int) *big.Int { return map[bool]*big.Int{true: a, false: b}[a.Cmp(b) < 0] })
		add("max", func(a, b *big.Int) *big.Int { return map[bool]*big.Int{true: a, false: b}[a.Cmp(b) > 0] })
		add("div", func(a, b *big.Int) *big.Int {
			if b.Sign() == 0 {
				return big.NewInt(-1)
			}
			return i().Quo(a, b)
		})
		add("rem", func(a, b *big.Int) *big.Int {
			if b.Sign() == 0 {
				return a
			}
			return i().Rem(a, b)
		})
		shift := func(x []uint64) uint64 { return t.bits(i().Rsh(t.value(x[0]), uint(min(uint32(x[1]), 100)))) }
		list = append(list, opCase{"shr." + t.name, t.name + " " + t.name + " u32#", shift})
		if t.signed {
			one := func(op string, f func(a *big.Int) *big.Int) {
				list = append(list, opCase{op + "." + t.name, t.name + " " + t.name, func(x []uint64) uint64 { return t.bits(f(t.value(x[0]))) }})
			}
			one("neg", func(a *big.Int) *big.Int { return i().Neg(a) })
			one("abs", func(a *big.Int) *big.Int { return i().Abs(a) })
		} else {
			b := "b" + t.name[1:]
			list = append(list, opCase{"shr." + b, b + " " + b + " u32#", shift},
				opCase{"shl." + b, b + " " + b + " u32#", func(x []uint64) uint64 {
					return t.bits(i().Lsh(t.value(x[0]), uint(min(uint32(x[1]), 100))))
				}})
		}
		if t.n == 32 {
			list = append(list, opCase{"sad." + t.name, same2(t.name) + " " + t.name, func(x []uint64) uint64 {
				return t.bits(i().Add(i().Abs(i().Sub(t.value(x[0]), t.value(x[1]))), t.value(x[2])))
			}})
		}
	}
	s32 := intTypes[2]
	for op, f := range map[string]func(a, b *big.Int) *big.Int{"add": i().Add, "sub": i().Sub} {
		list = append(list, opCase{op + ".sat.s32", same2("s32"), func(x []uint64) uint64 {
			v := f(s32.value(x[0]), s32.value(x[1])).Int64()
			return uint64(uint32(min(max(v, -1<<31), 1<<31-1)))
		}})
	}
	return list
}

func productCases() (list []opCase) {
	i := func() *big.Int { return new(big.Int) }
	for _, t := range intTypes {
		mul := func(x []uint64) *big.Int { return i().Mul(t.value(x[0]), t.value(x[1])) }
		list = append(list,
			opCase{"mad.lo." + t.name, same2(t.name) + " " + t.name, func(x []uint64) uint64 { return t.bits(i().Add(mul(x), t.value(x[2]))) }},
			opCase{"mad.hi." + t.name, same2(t.name) + " " + t.name, func(x []uint64) uint64 {
				return t.bits(i().Add(i().Rsh(mul(x), uint(t.n)), t.value(x[2])))
			}})
		if t.n < 64 {
			w := intType{t.name[:1] + map[int]string{16: "32", 32: "64"}[t.n], 2 * t.n, t.signed}
			list = append(list,
				opCase{"mul.wide." + t.name, w.name + " " + t.name + " " + t.name, func(x []uint64) uint64 { return w.bits(mul(x)) }},
				opCase{"mad.wide." + t.name, w.name + " " + t.name + " " + t.name + " " + w.name, func(x []uint64) uint64 {
					return w.bits(i().Add(mul(x), w.value(x[2])))
				}})
		}
	}
	for _, t := range intTypes[2:4] {
		mul := func(x []uint64) *big.Int {
			s := intType{"", 24, t.signed}
			return i().Mul(s.value(x[0]&0xffffff), s.value(x[1]&0xffffff))
		}
		list = append(list, opCase{"mul24.lo." + t.name, same2(t.name), func(x []uint64) uint64 { return t.bits(mul(x)) }},
			opCase{"mul24.hi." + t.name, same2(t.name), func(x []uint64) uint64 { return t.bits(i().Rsh(mul(x), 16)) }})
	}
	return list
}

func bitCases() (list []opCase) {
	for _, n := range []int{16, 32, 64} {
		t := intType{map[int]string{16: "b16", 32: "b32", 64: "b64"}[n], n, false}
		add := func(op, sig string, f func(x []uint64) uint64) {
			list = append(list, opCase{op + "." + t.name, sig, f})
		}
		add("and", same2(t.name), func(x []uint64) uint64 { return x[0] & x[1] })
		add("or", same2(t.name), func(x []uint64) uint64 { return x[0] | x[1] })
		add("xor", same2(t.name), func(x []uint64) uint64 { return x[0] ^ x[1] })
		add("not", t.name+" "+t.name, func(x []uint64) uint64 { return t.cut(^x[0]) })
		add("cnot", t.name+" "+t.name, func(x []uint64) uint64 { return map[bool]uint64{true: 1}[x[0] == 0] })
		if n == 16 {
			continue
		}
		add("popc", "u32 "+t.name, func(x []uint64) uint64 { return uint64(bits.OnesCount64(x[0])) })
		add("clz", "u32 "+t.name, func(x []uint64) uint64 { return uint64(bits.LeadingZeros64(x[0]) - 64 + n) })
		add("brev", t.name+" "+t.name, func(x []uint64) uint64 { return bits.Reverse64(x[0]) >> (64 - n) })
		add("bfi", t.name+" "+t.name+" "+t.name+" u32# u32#", func(x []uint64) uint64 {
			r := x[1]
			for k := range int(x[3] & 0xff) {
				if p := k + int(x[2]&0xff); p < n {
					r = r&^(1<<p) | x[0]>>k&1<<p
				}
			}
			return r
		})
	}
	for _, t := range intTypes[2:] {
		list = append(list, opCase{"bfe." + t.name, t.name + " " + t.name + " u32# u32#", func(x []uint64) uint64 { return fieldOf(t, x) }})
		find := func(x []uint64) uint64 {
			v := x[0]
			if t.signed && v>>(t.n-1)&1 != 0 {
				v = t.cut(^v)
			}
			for k := t.n - 1; k >= 0; k-- {
				if v>>k&1 != 0 {
					return uint64(k)
				}
			}
			return 0xffffffff
		}
		list = append(list, opCase{"bfind." + t.name, "u32 " + t.name, find}, opCase{"bfind.shiftamt." + t.name, "u32 " + t.name, func(x []uint64) uint64 {
			if k := find(x); k != 0xffffffff {
				return uint64(t.n-1) - k
			}
			return 0xffffffff
		}})
	}
	return append(list, permuteCases()...)
}

// fieldOf is bfe, as the manual's pseudocode has it.
func fieldOf(t intType, x []uint64) uint64 {
	pos, length := int(x[1]&0xff), int(x[2]&0xff)
	var sign uint64
	if t.signed && length > 0 {
		sign = x[0] >> min(pos+length-1, t.n-1) & 1
	}
	var d uint64
	for k := range t.n {
		if k < length && pos+k < t.n {
			d |= x[0] >> (pos + k) & 1 << k
		} else {
			d |= sign << k
		}
	}
	return d
}

func permuteCases() (list []opCase) {
	b := same2("b32") + " b32"
	pick := map[string]func(c, i uint64) uint64{
		"": func(c, i uint64) uint64 { return c >> (4 * i) & 7 }, ".f4e": func(c, i uint64) uint64 { return (c&3 + i) & 7 },
		".b4e": func(c, i uint64) uint64 { return (c&3 - i) & 7 }, ".rc8": func(c, _ uint64) uint64 { return c & 3 },
		".ecl": func(c, i uint64) uint64 { return max(c&3, i) }, ".ecr": func(c, i uint64) uint64 { return min(c&3, i) },
		".rc16": func(c, i uint64) uint64 { return c&1<<1 | i&1 },
	}
	for mode, f := range pick {
		list = append(list, opCase{"prmt.b32" + mode, b, func(x []uint64) (d uint64) {
			for i := range uint64(4) {
				v := (x[1]<<32 | x[0]) >> (8 * f(x[2], i)) & 0xff
				if mode == "" && x[2]>>(4*i+3)&1 != 0 {
					v = map[bool]uint64{true: 0xff}[v&0x80 != 0]
				}
				d |= v << (8 * i)
			}
			return d
		}})
	}
	return append(list, funnelCases()...)
}

func funnelCases() (list []opCase) {
	b := same2("b32") + " b32"
	for _, mode := range []string{"wrap", "clamp"} {
		amount := func(c uint64) uint {
			if mode == "wrap" {
				return uint(c & 31)
			}
			return uint(min(c, 32))
		}
		list = append(list, opCase{"shf.l." + mode + ".b32", same2("b32") + " u32#", func(x []uint64) uint64 { return (x[1]<<32 | x[0]) << amount(x[2]) >> 32 }},
			opCase{"shf.r." + mode + ".b32", same2("b32") + " u32#", func(x []uint64) uint64 { return (x[1]<<32 | x[0]) >> amount(x[2]) & 0xffffffff }})
	}
	for _, truth := range []uint64{0x96, 0xe8, 0x1b, 0xc0} {
		list = append(list, opCase{"lop3.b32 $0, $1, $2, $3, " + big.NewInt(int64(truth)).String(), b, func(x []uint64) (d uint64) {
			for i := range 32 {
				d |= truth >> (x[0]>>i&1<<2 | x[1]>>i&1<<1 | x[2]>>i&1) & 1 << i
			}
			return d
		}})
	}
	return append(append(list, dotCases()...), maskCases()...)
}

func dotCases() (list []opCase) {
	b := same2("b32") + " b32"
	for _, a := range []string{"s32", "u32"} {
		for _, c := range []string{"s32", "u32"} {
			part := func(v uint64, n int, signed bool) int64 {
				return intType{"", n, signed}.value(v & (1<<n - 1)).Int64()
			}
			list = append(list, opCase{"dp4a." + a + "." + c, b, func(x []uint64) uint64 {
				s := int64(x[2])
				for i := range 4 {
					s += part(x[0]>>(8*i), 8, a == "s32") * part(x[1]>>(8*i), 8, c == "s32")
				}
				return uint64(uint32(s))
			}})
			for k, half := range []string{"lo", "hi"} {
				list = append(list, opCase{"dp2a." + half + "." + a + "." + c, b, func(x []uint64) uint64 {
					s := int64(x[2])
					for i := range 2 {
						s += part(x[0]>>(16*i), 16, a == "s32") * part(x[1]>>(16*k+8*i), 8, c == "s32")
					}
					return uint64(uint32(s))
				}})
			}
		}
	}
	return list
}

func maskCases() (list []opCase) {
	for _, mode := range []string{"clamp", "wrap"} {
		list = append(list, opCase{"bmsk." + mode + ".b32", "b32 u32# u32#", func(x []uint64) (d uint64) {
			a, n := x[0], x[1]
			if mode == "wrap" {
				a, n = a&31, n&31
			}
			for i := range uint64(32) {
				if i >= a && i-a < n {
					d |= 1 << i
				}
			}
			return d
		}})
	}
	return append(list, opCase{"fns.b32 $0, $1, $2, 2", "b32 b32 u32#", func(x []uint64) uint64 {
		n := 0
		for p := x[1] & 31; p < 32; p++ {
			if n += int(x[0] >> p & 1); n == 2 {
				return p
			}
		}
		return 0xffffffff
	}})
}

func carryCases() (list []opCase) {
	for _, n := range []int{32, 64} {
		for _, kind := range []string{"b", "u", "s"} {
			t := intType{kind + map[int]string{32: "32", 64: "64"}[n], n, kind == "s"}
			if kind == "b" {
				continue
			}
			wide := func(lo, hi uint64) *big.Int {
				return new(big.Int).Or(new(big.Int).SetUint64(t.cut(lo)), new(big.Int).Lsh(new(big.Int).SetUint64(t.cut(hi)), uint(n)))
			}
			high := func(v *big.Int) uint64 { return intType{"", n, false}.bits(new(big.Int).Rsh(v, uint(n))) }
			four := t.name + " " + t.name + " " + t.name + " " + t.name + " " + t.name
			list = append(list, opCase{"add.cc." + t.name + " $0, $1, $2;\naddc." + t.name + " $0, $3, $4", four, func(x []uint64) uint64 {
				return high(new(big.Int).Add(wide(x[0], x[2]), wide(x[1], x[3])))
			}}, opCase{"sub.cc." + t.name + " $0, $1, $2;\nsubc.cc." + t.name + " $0, $3, $4", four, func(x []uint64) uint64 {
				return high(new(big.Int).Sub(wide(x[0], x[2]), wide(x[1], x[3])))
			}})
			three := t.name + " " + t.name + " " + t.name + " " + t.name
			for _, cc := range []string{"", "cc."} {
				list = append(list, opCase{"mad.lo.cc." + t.name + " $0, $1, $2, $3;\nmadc.hi." + cc + t.name + " $0, $1, $2, 0", three, func(x []uint64) uint64 {
					a, b := t.value(x[0]), t.value(x[1])
					return high(new(big.Int).Add(new(big.Int).Mul(a, b), intType{"", n, false}.value(x[2])))
				}}, opCase{"mad.hi.cc." + t.name + " $0, $1, $2, $3;\nmadc.lo." + cc + t.name + " $0, $1, $2, 0", three, func(x []uint64) uint64 {
					p := new(big.Int).Mul(t.value(x[0]), t.value(x[1]))
					sum := new(big.Int).Add(new(big.Int).SetUint64(high(p)), new(big.Int).SetUint64(t.cut(x[2])))
					return t.bits(new(big.Int).Add(p, new(big.Int).Rsh(sum, uint(n))))
				}})
			}
		}
	}
	return list
}
