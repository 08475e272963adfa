package emu

import (
	"math"
	"math/big"
)

// nan64 is the only NaN that arithmetic gives.
const nan64 = 0x7ff8000000000000

func canonical64(v float64) uint64 {
	if v != v {
		return nan64
	}
	return math.Float64bits(v)
}

// doubleRows are the arithmetic of float64.
func doubleRows() map[string]opcode {
	const mods = "rn rz rm rp"
	sum := func(a, b, c *big.Float) *big.Float { return newBig().Add(a, b) }
	difference := func(a, b, c *big.Float) *big.Float { return newBig().Sub(a, b) }
	times := func(a, b, c *big.Float) *big.Float { return newBig().Mul(a, b) }
	fused := func(a, b, c *big.Float) *big.Float { return newBig().Add(newBig().Mul(a, b), c) }
	return map[string]opcode{
		"add.f64": {mods, double(2, func(a, b, _ float64) float64 { return a + b }, sum)},
		"sub.f64": {mods, double(2, func(a, b, _ float64) float64 { return a - b }, difference)},
		"mul.f64": {mods, double(2, func(a, b, _ float64) float64 { return a * b }, times)},
		"fma.f64": {mods, double(3, math.FMA, fused)},
		"mad.f64": {mods, double(3, math.FMA, fused)},
		// For a quotient or a root it is enough to compare the product with the operand.
		"div.f64":      {mods, double(2, func(a, b, _ float64) float64 { return a / b }, nil)},
		"rcp.f64":      {mods + " approx ftz", double(1, func(a, _, _ float64) float64 { return 1 / a }, nil)},
		"sqrt.f64":     {mods, double(1, func(a, _, _ float64) float64 { return math.Sqrt(a) }, nil)},
		"neg.f64":      {"", ops("f64 f64", one(func(a uint64) uint64 { return a ^ 1<<63 }))},
		"abs.f64":      {"", ops("f64 f64", one(func(a uint64) uint64 { return a &^ (1 << 63) }))},
		"copysign.f64": {"", ops("f64 f64 f64", two(func(a, b uint64) uint64 { return b&^(1<<63) | a&(1<<63) }))},
		"min.f64":      {"", ops("f64 f64 f64", two(func(a, b uint64) uint64 { return extreme64(a, b, true) }))},
		"max.f64":      {"", ops("f64 f64 f64", two(func(a, b uint64) uint64 { return extreme64(a, b, false) }))},
	}
}

func newBig() *big.Float { return new(big.Float).SetPrec(4400) }

// double decodes an operation on n float64. Directed roundings compare the result to nearest with the exact one.
// Where exact is nil, the operation is a quotient or a root.
func double(n int, f func(a, b, c float64) float64, exact func(a, b, c *big.Float) *big.Float) func(d *decoder, in *inst) error {
	sig := []string{"", sig1("f64"), sig2("f64"), sig3("f64")}[n]
	return func(d *decoder, in *inst) error {
		mode, op := d.mode(), d.s.op[0] // a, s, m, f, d, r
		return ops(sig, func(d, a, b, c *lanes) {
			for i := range d {
				x, y, z := f64(a[i]), f64(b[i]), f64(c[i])
				r := f(x, y, z)
				if mode != nearest {
					r = directed64(r, x, y, z, mode, op, exact)
				}
				d[i] = canonical64(r)
			}
		})(d, in)
	}
}

// directed64 moves a result from the nearest number to that of another rounding.
func directed64(r, x, y, z float64, mode rounding, op byte, exact func(a, b, c *big.Float) *big.Float) float64 {
	root, inverse := exact == nil && op == 's', exact == nil && op == 'r'
	for _, v := range []float64{x, y, z} {
		if math.IsInf(v, 0) || v != v {
			return r
		}
	}
	switch {
	case r != r, exact == nil && op == 'd' && y == 0, inverse && x == 0:
		return r
	case inverse:
		x, y = 1, x
	}
	side := 0 // of the exact result, seen from r
	big64 := func(v float64) *big.Float { return newBig().SetFloat64(v) }
	negative := r < 0
	if exact != nil {
		e := exact(big64(x), big64(y), big64(z))
		negative = e.Sign() < 0
		if e.Sign() == 0 {
			return zero64(r, mode, op, x, y, z)
		}
		side = compareBig(e, r)
	} else if root {
		side = big64(x).Cmp(newBig().Mul(big64(r), big64(r)))
	} else {
		negative = (x < 0) != (y < 0)
		if math.IsInf(r, 0) {
			side = -1
			if negative {
				side = 1
			}
		} else if side = big64(x).Cmp(newBig().Mul(big64(r), big64(y))); y < 0 {
			side = -side
		}
	}
	if mode == toZero {
		mode = down
		if negative {
			mode = up
		}
	}
	switch {
	case mode == down && side < 0:
		return math.Nextafter(r, math.Inf(-1))
	case mode == up && side > 0:
		return math.Nextafter(r, math.Inf(1))
	}
	return r
}

func compareBig(e *big.Float, r float64) int {
	switch {
	case math.IsInf(r, 1):
		return -1
	case math.IsInf(r, -1):
		return 1
	}
	return e.Cmp(newBig().SetFloat64(r))
}

// zero64 is an exact 0: a sum of terms that are not both +0 is −0 where it is rounded down.
func zero64(r float64, mode rounding, op byte, x, y, z float64) float64 {
	negative := false
	switch op {
	case 'a':
		negative = math.Signbit(x) || math.Signbit(y)
	case 's':
		negative = math.Signbit(x) || !math.Signbit(y)
	case 'f':
		negative = math.Signbit(x) != math.Signbit(y) || math.Signbit(z)
	default: // a product
		return r
	}
	if r == 0 && mode == down && negative {
		return math.Copysign(0, -1)
	}
	return r
}

func extreme64(a, b uint64, least bool) uint64 {
	x, y := f64(a), f64(b)
	switch {
	case x != x && y != y:
		return nan64
	case x != x:
		return b
	case y != y:
		return a
	case x == y:
		if least {
			return a | b
		}
		return a & b
	case x < y == least:
		return a
	}
	return b
}
