package emu

import (
	"math"
	"math/big"
	"slices"
	"sort"
	"strings"

	"github.com/ceto-ml/ceto/internal/half"
)

// A real is an exact value. Its float64 form tells of infinity, NaN and the sign of zero.
type real struct {
	rat *big.Rat
	f   float64
}

func big64(f float64) real {
	if !finite(f) {
		return real{nil, f}
	}
	return real{rat(f), f}
}

func (x real) add(y real) real {
	if x.rat == nil || y.rat == nil {
		return real{nil, x.f + y.f}
	}
	return real{new(big.Rat).Add(x.rat, y.rat), x.f + y.f}
}

func (x real) mul(y real) real {
	if x.rat == nil || y.rat == nil {
		return real{nil, x.f * y.f}
	}
	return real{new(big.Rat).Mul(x.rat, y.rat), x.f * y.f}
}

func from16(b uint64, brain bool) float64 {
	if brain {
		return float64(half.BF16(uint16(b)))
	}
	return float64(half.F16(uint16(b)))
}

// values16 are the finite values that are not negative, in the order of their bits.
var values16 = map[bool][]float64{false: values(false, 0x7c00), true: values(true, 0x7f80)}

func values(brain bool, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = from16(uint64(i), brain)
	}
	return v
}

// to16 rounds to nearest by looking up the neighbours.
func to16(x real, brain bool) uint64 { return to16By(x, brain, "rn") }

func to16By(x real, brain bool, mode string) uint64 {
	list := values16[brain]
	inf := uint64(len(list))
	if x.f != x.f {
		return 0x7fff
	}
	negative := math.Signbit(x.f)
	sign := yes(negative) << 15
	if x.rat == nil {
		return sign | inf
	}
	if x.rat.Sign() != 0 {
		negative = x.rat.Sign() < 0
		sign = yes(negative) << 15
	}
	m := new(big.Rat).Abs(x.rat)
	i := sort.Search(len(list), func(i int) bool { return rat(list[i]).Cmp(m) > 0 }) - 1
	if rat(list[i]).Cmp(m) == 0 {
		return sign | uint64(i)
	}
	next := new(big.Rat)
	if i+1 < len(list) {
		next.SetFloat64(list[i+1])
	} else { // where the next would be
		next.Sub(next.Mul(big.NewRat(2, 1), rat(list[i])), rat(list[i-1]))
	}
	up := mode == "rp" && !negative || mode == "rm" && negative
	if mode == "rn" {
		middle := new(big.Rat).Quo(new(big.Rat).Add(next, rat(list[i])), big.NewRat(2, 1))
		c := m.Cmp(middle)
		up = c > 0 || c == 0 && i&1 == 1
	}
	return sign | uint64(i) + yes(up)
}

func halfCases() (list []opCase) {
	for _, t := range []string{"f16", "bf16"} {
		brain := t == "bf16"
		add := func(op string, n int, f func(x []real) real) {
			one := func(x []uint64) uint64 {
				v := make([]real, len(x))
				for i, b := range x {
					v[i] = big64(from16(b&0xffff, brain))
				}
				return to16(f(v), brain)
			}
			list = append(list, both(op, t, n, one)...)
		}
		add("add.rn", 2, func(x []real) real { return x[0].add(x[1]) })
		add("sub", 2, func(x []real) real { return x[0].add(x[1].mul(big64(-1))) })
		add("mul.rn", 2, func(x []real) real { return x[0].mul(x[1]) })
		add("fma.rn", 3, func(x []real) real { return x[0].mul(x[1]).add(x[2]) })
		add("mul.sat", 2, func(x []real) real {
			r := x[0].mul(x[1])
			switch {
			case !(r.f > 0):
				return big64(0)
			case r.f > 1:
				return big64(1)
			}
			return r
		})
		for op, f := range map[string]func(a, b float64) float64{"min.NaN": math.Min, "max.NaN": math.Max} {
			list = append(list, both(op, t, 2, func(x []uint64) uint64 {
				a, b := from16(x[0]&0xffff, brain), from16(x[1]&0xffff, brain)
				if a != a || b != b {
					return 0x7fff
				}
				return to16(big64(f(a, b)), brain)
			})...)
		}
		for op, f := range map[string]func(a, b float64) float64{"min": math.Min, "max": math.Max} {
			list = append(list, both(op, t, 2, func(x []uint64) uint64 {
				a, b := from16(x[0]&0xffff, brain), from16(x[1]&0xffff, brain)
				switch {
				case a != a && b == b:
					return x[1] & 0xffff
				case b != b && a == a:
					return x[0] & 0xffff
				}
				return to16(big64(f(a, b)), brain)
			})...)
		}
		list = append(list, both("neg", t, 1, func(x []uint64) uint64 { return x[0]&0xffff ^ 0x8000 })...)
		list = append(list, both("abs", t, 1, func(x []uint64) uint64 { return x[0] & 0x7fff })...)
	}
	return list
}

// both are the cases of an operation alone and in pairs.
func both(op, t string, n int, f func(x []uint64) uint64) []opCase {
	low := func(x []uint64) uint64 { return f(x) & 0xffff }
	return []opCase{{op + "." + t, strings.Repeat("b16 ", n+1), low}, {op + "." + t + "x2", strings.Repeat("b32 ", n+1), func(x []uint64) uint64 {
		up := slices.Clone(x)
		for i := range up {
			up[i] >>= 16
		}
		return low(x) | low(up)<<16
	}}}
}

func convertCases() (list []opCase) {
	ints := append([]intType{{"s8", 8, true}, {"u8", 8, false}}, intTypes...)
	floats := map[string]func(b uint64) float64{"f32": float32Of, "f64": math.Float64frombits,
		"f16": func(b uint64) float64 { return from16(b, false) }, "bf16": func(b uint64) float64 { return from16(b, true) }}
	for _, to := range ints {
		wide := to
		wide.n = max(wide.n, 16)
		for _, from := range ints {
			list = append(list, opCase{"cvt." + to.name + "." + from.name, to.name + " " + from.name, func(x []uint64) uint64 {
				return wide.bits(to.value(to.bits(from.value(x[0]))))
			}}, opCase{"cvt.sat." + to.name + "." + from.name, to.name + " " + from.name, func(x []uint64) uint64 {
				return wide.bits(clampTo(to, from.value(x[0])))
			}})
		}
		for t, get := range floats {
			for mode, whole := range wholes {
				list = append(list, opCase{"cvt." + mode + "." + to.name + "." + t, to.name + " " + t, func(x []uint64) uint64 {
					v := whole(get(x[0]))
					switch {
					case v != v:
						return 0
					case math.IsInf(v, 0):
						v = math.Copysign(0x1p70, v)
					}
					n, _ := big.NewFloat(v).Int(nil)
					return wide.bits(clampTo(to, n))
				}})
			}
			if t == "bf16" {
				continue
			}
			for _, mode := range []string{"rn", "rz", "rm", "rp"} {
				list = append(list, opCase{"cvt." + mode + "." + t + "." + to.name, t + " " + to.name, func(x []uint64) uint64 {
					return roundTo(t, real{new(big.Rat).SetInt(to.value(x[0])), 0}, mode)
				}})
			}
		}
	}
	return append(append(list, narrowCases(floats)...), pairCases()...)
}

var wholes = map[string]func(v float64) float64{"rni": math.RoundToEven, "rzi": math.Trunc, "rmi": math.Floor, "rpi": math.Ceil}

func clampTo(t intType, v *big.Int) *big.Int {
	lo, hi := limits(t.name)
	switch {
	case v.Cmp(lo) < 0:
		return lo
	case v.Cmp(hi) > 0:
		return hi
	}
	return v
}

// roundTo rounds to a float of some type.
func roundTo(t string, v real, mode string) uint64 {
	switch {
	case t == "f16" || t == "bf16":
		return to16By(v, t == "bf16", mode)
	case v.rat == nil && t == "f32":
		return bits32(float32(v.f))
	case v.rat == nil:
		return bits64(v.f)
	case t == "f32":
		return bits32(round32(v.rat, mode, math.Signbit(v.f)))
	}
	return bits64(round64(v.rat, mode, math.Signbit(v.f)))
}

// narrowCases are conversions between floats.
func narrowCases(floats map[string]func(b uint64) float64) (list []opCase) {
	for from, get := range floats {
		for _, to := range []string{"f32", "f64", "f16", "bf16"} {
			for _, mode := range []string{"rn", "rz", "rm", "rp"} {
				list = append(list, opCase{"cvt." + mode + "." + to + "." + from, to + " " + from, func(x []uint64) uint64 {
					return roundTo(to, big64(get(x[0])), mode)
				}})
			}
			list = append(list, opCase{"cvt.rn.sat." + to + "." + from, to + " " + from, func(x []uint64) uint64 {
				v := get(x[0])
				if !(v > 0) {
					v = 0
				}
				return roundTo(to, big64(min(v, 1)), "rn")
			}})
			if to != from {
				continue
			}
			for mode, whole := range wholes {
				list = append(list, opCase{"cvt." + mode + "." + to + "." + from, to + " " + from, func(x []uint64) uint64 {
					return roundTo(to, big64(whole(get(x[0]))), "rn")
				}})
			}
		}
	}
	return append(list, opCase{"cvt.ftz.f64.f32", "f64 f32", func(x []uint64) uint64 {
		v := float32Of(x[0])
		if math.Abs(v) < 0x1p-126 {
			v = math.Copysign(0, v)
		}
		return bits64(v)
	}})
}

func pairCases() (list []opCase) {
	for _, t := range []string{"f16", "bf16"} {
		for _, mode := range []string{"rn", "rz"} {
			list = append(list, opCase{"cvt." + mode + "." + t + "x2.f32", "b32 f32 f32", func(x []uint64) uint64 {
				return roundTo(t, big64(float32Of(x[0])), mode)<<16 | roundTo(t, big64(float32Of(x[1])), mode)
			}}, opCase{"cvt." + mode + ".relu." + t + ".f32", "b16 f32", func(x []uint64) uint64 {
				v := float32Of(x[0])
				if v <= 0 {
					v = 0
				}
				return roundTo(t, big64(v), mode)
			}})
		}
	}
	return append(list, opCase{"cvt.rna.tf32.f32", "b32 f32", func(x []uint64) uint64 {
		v := float32Of(x[0])
		if !finite(v) {
			return bits32(float32(v))
		}
		m := math.Abs(v)
		e := max(math.Ilogb(m), -126)
		r := math.Ldexp(math.Floor(math.Ldexp(m, 10-e)+0.5), e-10)
		if m == 0 {
			r = 0
		}
		return bits32(float32(math.Copysign(r, v)))
	}})
}

// holds tells whether a comparison holds of what Cmp returned.
func holds(cmp string, c int) bool {
	switch cmp {
	case "eq", "equ":
		return c == 0
	case "ne", "neu":
		return c != 0
	case "lt", "ltu", "lo":
		return c < 0
	case "le", "leu", "ls":
		return c <= 0
	case "gt", "gtu", "hi":
		return c > 0
	}
	return c >= 0
}

func compareCases() (list []opCase) {
	add := func(cmp, t string, f func(x []uint64) bool) {
		sig := "pred " + t + " " + t
		list = append(list, opCase{"setp." + cmp + "." + t, sig, func(x []uint64) uint64 { return yes(f(x)) }},
			opCase{"setp." + cmp + ".and." + t + " $0, $1, $2, $3", sig + " pred", func(x []uint64) uint64 { return yes(f(x)) & x[2] }},
			opCase{"setp." + cmp + ".or." + t + " $0, $1, $2, !$3", sig + " pred", func(x []uint64) uint64 { return yes(f(x)) | (x[2] ^ 1) }},
			opCase{"setp." + cmp + ".xor." + t + " %p1|$0, $1, $2, $3", sig + " pred", func(x []uint64) uint64 { return yes(!f(x)) ^ x[2] }})
		if strings.HasSuffix(t, "f16") {
			return
		}
		list = append(list, opCase{"set." + cmp + ".u32." + t, "u32 " + t + " " + t, func(x []uint64) uint64 { return yes(f(x)) * 0xffffffff }},
			opCase{"set." + cmp + ".f32." + t, "f32 " + t + " " + t, func(x []uint64) uint64 { return yes(f(x)) * 0x3f800000 }})
	}
	for _, t := range append(slices.Clone(intTypes), intType{"b16", 16, false}, intType{"b32", 32, false}, intType{"b64", 64, false}) {
		for _, cmp := range []string{"eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs"} {
			if unsigned := cmp[0] == 'l' && cmp[1] != 't' && cmp[1] != 'e' || cmp[0] == 'h'; t.name[0] == 'b' && len(list) > 0 && cmp != "eq" && cmp != "ne" || unsigned && t.signed {
				continue
			}
			add(cmp, t.name, func(x []uint64) bool { return holds(cmp, t.value(x[0]).Cmp(t.value(x[1]))) })
		}
	}
	for t, get := range map[string]func(b uint64) float64{"f32": float32Of, "f64": math.Float64frombits,
		"f16": func(b uint64) float64 { return from16(b, false) }, "bf16": func(b uint64) float64 { return from16(b, true) }} {
		for _, cmp := range []string{"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"} {
			add(cmp, t, func(x []uint64) bool {
				a, b := get(x[0]), get(x[1])
				nan := a != a || b != b
				switch {
				case cmp == "num":
					return !nan
				case cmp == "nan":
					return nan
				case nan:
					return len(cmp) == 3
				}
				c := 0
				if a < b {
					c = -1
				} else if a > b {
					c = 1
				}
				return holds(cmp, c)
			})
		}
	}
	return list
}

func moveCases() (list []opCase) {
	for _, t := range []string{"b16", "s16", "u16", "b32", "s32", "u32", "f32", "b64", "s64", "u64", "f64"} {
		list = append(list, opCase{"mov." + t, t + " " + t, func(x []uint64) uint64 { return x[0] }},
			opCase{"selp." + t + " $0, $1, $2, $3", t + " " + t + " " + t + " pred", func(x []uint64) uint64 { return x[1-x[2]] }},
			opCase{"selp." + t + " $0, $1, $2, !$3", t + " " + t + " " + t + " pred", func(x []uint64) uint64 { return x[x[2]] }},
			opCase{"slct." + t + ".s32", t + " " + t + " " + t + " s32", func(x []uint64) uint64 { return x[yes(int32(x[2]) < 0)] }},
			opCase{"slct." + t + ".f32", t + " " + t + " " + t + " f32", func(x []uint64) uint64 { return x[yes(!(float32Of(x[2]) >= 0))] }})
	}
	for op, f := range map[string]func(a, b uint64) uint64{"and": func(a, b uint64) uint64 { return a & b }, "or": func(a, b uint64) uint64 { return a | b },
		"xor": func(a, b uint64) uint64 { return a ^ b }} {
		list = append(list, opCase{op + ".pred", "pred pred pred", func(x []uint64) uint64 { return f(x[0], x[1]) }},
			opCase{op + ".pred $0, !$1, $2", "pred pred pred", func(x []uint64) uint64 { return f(x[0]^1, x[1]) }})
	}
	return append(list, opCase{"not.pred", "pred pred", func(x []uint64) uint64 { return x[0] ^ 1 }},
		opCase{"mov.pred", "pred pred", func(x []uint64) uint64 { return x[0] }},
		opCase{"mov.pred $0, -1;\nand.pred $0, $0, $1", "pred pred", func(x []uint64) uint64 { return x[0] }},
		opCase{"mov.pred $0, 0;\nor.pred $0, $0, $1", "pred pred", func(x []uint64) uint64 { return x[0] }},
		opCase{"mov.b64 $0, {$1, $2}", "b64 b32 b32", func(x []uint64) uint64 { return x[0] | x[1]<<32 }},
		opCase{"mov.b32 $0, {$1, $2}", "b32 b16 b16", func(x []uint64) uint64 { return x[0] | x[1]<<16 }},
		opCase{"mov.b64 {%t5, %t6}, $1;\nxor.b32 $0, %t5, %t6", "b32 b64", func(x []uint64) uint64 { return x[0]&0xffffffff ^ x[0]>>32 }},
		opCase{"mov.b64 {_, $0}, $1", "b32 b64", func(x []uint64) uint64 { return x[0] >> 32 }},
		opCase{"add.s32 $0, $1, -7", "s32 s32", func(x []uint64) uint64 { return uint64(uint32(x[0]) - 7) }},
		opCase{"add.s64 $0, $1, -7", "s64 s64", func(x []uint64) uint64 { return x[0] - 7 }},
		opCase{"add.s16 $0, $1, -7", "s16 s16", func(x []uint64) uint64 { return uint64(uint16(x[0]) - 7) }},
		opCase{"add.f32 $0, $1, 0f40490FDB", "f32 f32", func(x []uint64) uint64 { return bits32(float32(float32Of(x[0])) + math.Float32frombits(0x40490fdb)) }},
		opCase{"add.f64 $0, $1, 0dC000000000000000", "f64 f64", func(x []uint64) uint64 { return bits64(math.Float64frombits(x[0]) - 2) }})
}
