package emu

import "math"

// halfRows are the arithmetic of f16 and bf16, alone and in pairs.
func halfRows() map[string]opcode {
	rows := map[string]opcode{}
	for t, f := range formats {
		ops2 := map[string]func(a, b float64) float64{
			"add": sumOdd, "sub": func(a, b float64) float64 { return sumOdd(a, -b) }, "mul": func(a, b float64) float64 { return a * b },
		}
		for name, op := range ops2 {
			halfOp(rows, name, t, "rn sat", 2, func(a, b, _ uint16) uint64 { return uint64(f.narrow(op(f.wide(a), f.wide(b)), nearest)) })
		}
		halfOp(rows, "fma", t, "rn", 3, func(a, b, c uint16) uint64 {
			return uint64(f.narrow(sumOdd(f.wide(a)*f.wide(b), f.wide(c)), nearest))
		})
		halfOp(rows, "neg", t, "", 1, func(a, _, _ uint16) uint64 { return uint64(a ^ 0x8000) })
		halfOp(rows, "abs", t, "", 1, func(a, _, _ uint16) uint64 { return uint64(a &^ 0x8000) })
		halfOp(rows, "min", t, "NaN", 2, func(a, b, _ uint16) uint64 { return uint64(extreme16(f, a, b, true)) })
		halfOp(rows, "max", t, "NaN", 2, func(a, b, _ uint16) uint64 { return uint64(extreme16(f, a, b, false)) })
	}
	return rows
}

// halfOp adds the rows of an operation on n operands: alone, and in pairs.
func halfOp(rows map[string]opcode, name, t, mods string, n int, f func(a, b, c uint16) uint64) {
	one, pair := []string{"", sig1("b16"), sig2("b16"), sig3("b16")}[n], []string{"", sig1("b32"), sig2("b32"), sig3("b32")}[n]
	strict := func(d *decoder) func(a, b, c uint16) uint64 {
		if to := formats[t]; d.has("NaN") {
			return func(a, b, c uint16) uint64 {
				if x := to.wide(a) + to.wide(b); x != x && (uint64(a&0x7fff) > to.infinity || uint64(b&0x7fff) > to.infinity) {
					return to.nan
				}
				return f(a, b, c)
			}
		}
		return f
	}
	finish := func(d *decoder) func(v uint64) uint64 {
		if !d.has("sat") {
			return func(v uint64) uint64 { return v }
		}
		to := formats[t]
		return func(v uint64) uint64 { return uint64(to.narrow(saturate64(to.wide(uint16(v))), nearest)) }
	}
	rows[name+"."+t] = opcode{mods, func(d *decoder, in *inst) error {
		end, f := finish(d), strict(d)
		return ops(one, func(d, a, b, c *lanes) {
			for i := range d {
				d[i] = end(f(uint16(a[i]), uint16(b[i]), uint16(c[i])))
			}
		})(d, in)
	}}
	rows[name+"."+t+"x2"] = opcode{mods, func(d *decoder, in *inst) error {
		end, f := finish(d), strict(d)
		return ops(pair, func(d, a, b, c *lanes) {
			for i := range d {
				lo := end(f(uint16(a[i]), uint16(b[i]), uint16(c[i])))
				d[i] = lo | end(f(uint16(a[i]>>16), uint16(b[i]>>16), uint16(c[i]>>16)))<<16
			}
		})(d, in)
	}}
}

func extreme16(f format, a, b uint16, least bool) uint16 {
	x, y := f.wide(a), f.wide(b)
	switch {
	case x != x && y != y:
		return uint16(f.nan)
	case x != x:
		return b
	case y != y:
		return a
	case x == y && math.Signbit(x) != math.Signbit(y):
		if least {
			return 0x8000
		}
		return 0
	case x < y == least:
		return a
	}
	return b
}
