package emu

import (
	"math"
	"math/big"
)

func floatCases() (list []opCase) {
	for _, mode := range []string{"rn", "rz", "rm", "rp"} {
		for _, mods := range []string{"", ".ftz", ".sat", ".ftz.sat"} {
			add := func(op string, operands int, f func(x []float64) float32) {
				sig := "f32"
				for range operands {
					sig += " f32"
				}
				list = append(list, opCase{op + "." + mode + mods + ".f32", sig, func(x []uint64) uint64 { return applied32(x, mods, f) }})
			}
			add("add", 2, func(x []float64) float32 { return exactSum(mode, 1, x[0], x[1]) })
			add("sub", 2, func(x []float64) float32 { return exactSum(mode, 1, x[0], -x[1]) })
			add("mul", 2, func(x []float64) float32 {
				if !finite(x...) {
					return float32(x[0] * x[1])
				}
				return round32(new(big.Rat).Mul(rat(x[0]), rat(x[1])), mode, math.Signbit(x[0]) != math.Signbit(x[1]))
			})
			add("fma", 3, func(x []float64) float32 { return exactSum(mode, x[0], x[1], x[2]) })
			if mods == ".sat" || mods == ".ftz.sat" {
				continue
			}
			add("div", 2, func(x []float64) float32 { return exactQuotient(mode, x[0], x[1]) })
			add("rcp", 1, func(x []float64) float32 { return exactQuotient(mode, 1, x[0]) })
			add("sqrt", 1, func(x []float64) float32 {
				if !finite(x...) || x[0] <= 0 {
					return float32(math.Sqrt(x[0]))
				}
				root, _ := new(big.Float).SetPrec(300).Sqrt(new(big.Float).SetPrec(300).SetFloat64(x[0])).Rat(nil)
				return round32(root, mode, false)
			})
		}
	}
	return append(append(list, signCases()...), opCase{"mad.rn.f32", "f32 f32 f32 f32", func(x []uint64) uint64 {
		return applied32(x, "", func(x []float64) float32 { return exactSum("rn", x[0], x[1], x[2]) })
	}})
}

// applied32 applies f to float32 operands, with the modifiers .ftz and .sat.
func applied32(x []uint64, mods string, f func(x []float64) float32) uint64 {
	v := make([]float64, len(x))
	ftz := len(mods) >= 4 && mods[:4] == ".ftz"
	for i, b := range x {
		if v[i] = float32Of(b); ftz && math.Abs(v[i]) < 0x1p-126 {
			v[i] = math.Copysign(0, v[i])
		}
	}
	r := f(v)
	if len(mods) >= 4 && mods[len(mods)-4:] == ".sat" {
		switch {
		case !(r > 0):
			r = 0
		case r > 1:
			r = 1
		}
	}
	if ftz && math.Abs(float64(r)) < 0x1p-126 {
		r = float32(math.Copysign(0, float64(r)))
	}
	return bits32(r)
}

// exactSum is a·b + c, rounded once.
func exactSum(mode string, a, b, c float64) float32 {
	if !finite(a, b, c) {
		return float32(a*b + c)
	}
	p := math.Signbit(a) != math.Signbit(b)
	negative := p && math.Signbit(c)
	if sum := new(big.Rat).Mul(rat(a), rat(b)); mode == "rm" && (a*b == 0) == (c == 0) {
		negative = p || math.Signbit(c)
		return round32(sum.Add(sum, rat(c)), mode, negative)
	}
	sum := new(big.Rat).Mul(rat(a), rat(b))
	return round32(sum.Add(sum, rat(c)), mode, negative)
}

func exactQuotient(mode string, a, b float64) float32 {
	if !finite(a, b) || b == 0 {
		return float32(a / b)
	}
	return round32(new(big.Rat).Quo(rat(a), rat(b)), mode, math.Signbit(a) != math.Signbit(b))
}

func signCases() (list []opCase) {
	list = append(list,
		opCase{"neg.f32", "f32 f32", func(x []uint64) uint64 { return x[0] ^ 1<<31 }},
		opCase{"abs.f32", "f32 f32", func(x []uint64) uint64 { return x[0] &^ (1 << 31) }},
		opCase{"abs.ftz.f32", "f32 f32", func(x []uint64) uint64 {
			if x[0]&0x7f800000 == 0 {
				return 0
			}
			return x[0] &^ (1 << 31)
		}},
		opCase{"neg.f64", "f64 f64", func(x []uint64) uint64 { return x[0] ^ 1<<63 }},
		opCase{"abs.f64", "f64 f64", func(x []uint64) uint64 { return x[0] &^ (1 << 63) }},
		opCase{"copysign.f32", "f32 f32 f32", func(x []uint64) uint64 { return x[1]&0x7fffffff | x[0]&0x80000000 }},
		opCase{"copysign.f64", "f64 f64 f64", func(x []uint64) uint64 { return x[1]&^(1<<63) | x[0]&(1<<63) }},
	)
	least := func(a, b float64) float64 {
		if a != a {
			return b
		}
		if b != b {
			return a
		}
		return math.Min(a, b)
	}
	most := func(a, b float64) float64 { return -least(-a, -b) }
	for op, f := range map[string]func(a, b float64) float64{"min": least, "max": most} {
		list = append(list,
			opCase{op + ".f32", "f32 f32 f32", func(x []uint64) uint64 { return bits32(float32(f(float32Of(x[0]), float32Of(x[1])))) }},
			opCase{op + ".ftz.f32", "f32 f32 f32", func(x []uint64) uint64 {
				return applied32(x, ".ftz", func(v []float64) float32 { return float32(f(v[0], v[1])) })
			}},
			opCase{op + ".NaN.f32", "f32 f32 f32", func(x []uint64) uint64 {
				a, b := float32Of(x[0]), float32Of(x[1])
				if a != a || b != b {
					return 0x7fffffff
				}
				return bits32(float32(f(a, b)))
			}},
			opCase{op + ".xorsign.abs.f32", "f32 f32 f32", func(x []uint64) uint64 {
				a, b := float32Of(x[0]), float32Of(x[1])
				r := bits32(float32(f(math.Abs(a), math.Abs(b))))
				if r != 0x7fffffff {
					r |= (x[0] ^ x[1]) & (1 << 31)
				}
				return r
			}},
			opCase{op + ".f64", "f64 f64 f64", func(x []uint64) uint64 {
				return bits64(f(math.Float64frombits(x[0]), math.Float64frombits(x[1])))
			}})
	}
	return append(list, kindCases()...)
}

func kindCases() (list []opCase) {
	for kind, f := range map[string]func(v, tiny float64) bool{
		"finite": func(v, _ float64) bool { return finite(v) }, "infinite": func(v, _ float64) bool { return math.IsInf(v, 0) },
		"number": func(v, _ float64) bool { return v == v }, "notanumber": func(v, _ float64) bool { return v != v },
		"normal":    func(v, tiny float64) bool { return finite(v) && math.Abs(v) >= tiny },
		"subnormal": func(v, tiny float64) bool { return v != 0 && math.Abs(v) < tiny },
	} {
		list = append(list,
			opCase{"testp." + kind + ".f32", "pred f32", func(x []uint64) uint64 { return yes(f(float32Of(x[0]), 0x1p-126)) }},
			opCase{"testp." + kind + ".f64", "pred f64", func(x []uint64) uint64 { return yes(f(math.Float64frombits(x[0]), 0x1p-1022)) }})
	}
	return list
}

func yes(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func doubleCases() (list []opCase) {
	for _, mode := range []string{"rn", "rz", "rm", "rp"} {
		add := func(op string, operands int, f func(x []float64) float64) {
			sig := "f64"
			for range operands {
				sig += " f64"
			}
			list = append(list, opCase{op + "." + mode + ".f64", sig, func(x []uint64) uint64 {
				v := make([]float64, len(x))
				for i, b := range x {
					v[i] = math.Float64frombits(b)
				}
				return bits64(f(v))
			}})
		}
		sum := func(a, b, c float64) float64 {
			if !finite(a, b, c) {
				return math.FMA(a, b, c)
			}
			p := math.Signbit(a) != math.Signbit(b)
			negative := p && math.Signbit(c)
			if zero := a == 0 || b == 0; mode == "rm" && zero == (c == 0) {
				negative = p || math.Signbit(c)
			}
			r := new(big.Rat).Mul(rat(a), rat(b))
			return round64(r.Add(r, rat(c)), mode, negative)
		}
		quotient := func(a, b float64) float64 {
			if !finite(a, b) || b == 0 {
				return a / b
			}
			return round64(new(big.Rat).Quo(rat(a), rat(b)), mode, math.Signbit(a) != math.Signbit(b))
		}
		add("add", 2, func(x []float64) float64 { return sum(1, x[0], x[1]) })
		add("sub", 2, func(x []float64) float64 { return sum(1, x[0], -x[1]) })
		add("mul", 2, func(x []float64) float64 {
			if !finite(x...) {
				return x[0] * x[1]
			}
			return round64(new(big.Rat).Mul(rat(x[0]), rat(x[1])), mode, math.Signbit(x[0]) != math.Signbit(x[1]))
		})
		add("fma", 3, func(x []float64) float64 { return sum(x[0], x[1], x[2]) })
		add("div", 2, func(x []float64) float64 { return quotient(x[0], x[1]) })
		add("rcp", 1, func(x []float64) float64 { return quotient(1, x[0]) })
		add("sqrt", 1, func(x []float64) float64 {
			if !finite(x...) || x[0] <= 0 {
				return math.Sqrt(x[0])
			}
			root, _ := new(big.Float).SetPrec(400).Sqrt(new(big.Float).SetPrec(400).SetFloat64(x[0])).Rat(nil)
			return round64(root, mode, false)
		})
		if mode == "rn" {
			add("mad", 3, func(x []float64) float64 { return sum(x[0], x[1], x[2]) })
		}
	}
	return list
}

// approxCases are operations that are rounded from float64 where nothing moves them.
func approxCases() (list []opCase) {
	for op, f := range map[string]func(x float64) float64{
		"ex2": math.Exp2, "lg2": math.Log2, "sin": math.Sin, "cos": math.Cos, "tanh": math.Tanh, "sqrt": math.Sqrt,
		"rcp": func(x float64) float64 { return 1 / x }, "rsqrt": func(x float64) float64 { return 1 / math.Sqrt(x) },
	} {
		g := func(v []float64) float32 { return float32(f(v[0])) }
		list = append(list, opCase{op + ".approx.f32", "f32 f32", func(x []uint64) uint64 { return applied32(x, "", g) }})
		if op != "tanh" {
			list = append(list, opCase{op + ".approx.ftz.f32", "f32 f32", func(x []uint64) uint64 { return applied32(x, ".ftz", g) }})
		}
	}
	list = append(list, opCase{"rsqrt.approx.f64", "f64 f64", func(x []uint64) uint64 { return bits64(1 / math.Sqrt(math.Float64frombits(x[0]))) }})
	for _, c := range []struct {
		op string
		f  func(x float64) float64
	}{{"ex2.approx.f16", math.Exp2}, {"tanh.approx.f16", math.Tanh}, {"tanh.approx.bf16", math.Tanh}} {
		brain := c.op == "tanh.approx.bf16"
		list = append(list, opCase{c.op, "b16 b16", func(x []uint64) uint64 { return to16(big64(c.f(from16(x[0], brain))), brain) }})
	}
	divide := func(v []float64) float32 {
		if a := math.Abs(v[1]); a > 0x1p126 && !math.IsInf(a, 0) {
			return float32(math.NaN())
		}
		return float32(v[0] / v[1])
	}
	list = append(list, opCase{"div.full.f32", "f32 f32 f32", func(x []uint64) uint64 {
		return applied32(x, "", func(v []float64) float32 { return float32(v[0] / v[1]) })
	}}, opCase{"div.approx.f32", "f32 f32 f32", func(x []uint64) uint64 {
		a, b := float32Of(x[0]), float32Of(x[1])
		if math.Abs(b) > 0x1p126 && !math.IsInf(b, 0) {
			if !finite(a) {
				return 0x7fffffff
			}
			return bits32(float32(math.Copysign(0, a*math.Copysign(1, b))))
		}
		return applied32(x, "", divide)
	}})
	return list
}
