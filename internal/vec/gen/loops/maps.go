package main

import "math"

// The constants are those of loops_scalar.go in vec, which says what they are.
const (
	expLo     = -87.3365
	expHi     = 89
	expTop    = 87
	log2e     = 1 / math.Ln2
	ln2hi     = 0.693359375
	ln2lo     = math.Ln2 - ln2hi
	round127  = 3<<22 + 127
	round126  = 3<<22 + 126
	erfcP     = 0.27
	rsqrt2pi  = 0.398942280401432677939946059934381868
	geluK     = 2 * 0.797884560802865355879892119868763737
	geluC     = geluK * 0.044715
	geluEdge  = 16
	siluEdge  = 104
	tanhEdge  = 10
	signBit   = 0x80000000
	otherBits = 0x7fffffff
)

var expQ = []float64{0.500000006, 0.16666543, 0.041666282, 0.00836658395, 0.0013946451}

var erfcT = []float64{0.10771922308519419, 0.10756573913416739, 0.10165726427550695, 0.0726156153399917,
	0.10656498216421093, -0.06747143190325197, 0.16833077825389484, -0.1258089961650371, 0.02882683732209287}

var maps = []loop{
	{"exp", "y = exp(x).", "y x", "", "", map1((*gen).exp)},
	{"tanh", "y = tanh(x).", "y x", "", "", map1((*gen).tanh)},
	{"sigmoid", "y = 1/(1 + exp(−x)).", "y x", "", "", map1((*gen).sigmoid)},
	{"gelu", "y = x·σ(2u), GELU by tanh.", "y x", "", "", map1((*gen).gelu)},
	{"geluErf", "y = x·Φ(x).", "y x", "", "", map1((*gen).geluErf)},
	{"silu", "y = x·σ(x).", "y x", "", "", map1((*gen).silu)},
	{"relu", "y = max(x, 0).", "y x", "", "", light(func(g *gen) string {
		return g.op("VMAXPS", g.source("x"), g.reg(g.k(0)))
	})},
	{"geluGrad", "dx = dy·y′(x) of gelu.", "dx x dy", "", "", grad((*gen).geluGrad)},
	{"geluErfGrad", "dx = dy·y′(x) of geluErf.", "dx x dy", "", "", grad((*gen).geluErfGrad)},
	{"siluGrad", "dx = dy·y′(x) of silu.", "dx x dy", "", "", grad((*gen).siluGrad)},
	{"reluGrad", "dx = dy where x > 0, else 0.", "dx x dy", "", "", grad(func(g *gen, x string) string {
		return g.keep(g.load("dy"), g.cmp(greater, x, g.k(0)))
	})},
	{"add", "y = a + b.", "y a b", "", "", binary("VADDPS")},
	{"sub", "y = a − b.", "y a b", "", "", binary("VSUBPS")},
	{"mul", "y = a·b.", "y a b", "", "", binary("VMULPS")},
	{"div", "y = a/b.", "y a b", "", "", binary("VDIVPS")},
	{"affine", "y = k·x + c.", "y x", "k c", "", light(func(g *gen) string {
		x := g.load("x")
		g.in("VFMADD213PS", g.arg("c"), g.arg("k"), x)
		return x
	})},
	{"axpy", "y += k·x.", "y x", "k", "", light(func(g *gen) string {
		y := g.load("y")
		g.in("VFMADD231PS", g.source("x"), g.arg("k"), y)
		return y
	})},
	{"fill", "y = c.", "y", "c", "", light(func(g *gen) string { return g.arg("c") })},
}

// map1 is the loop y = f(x) of a long f: the processor overlaps its steps by itself.
func map1(f func(g *gen, x string) string) func(*gen) {
	return func(g *gen) {
		g.loop(1, func() { g.store(f(g, g.load("x")), "y") })
	}
}

// grad is the loop dx = f(x), which loads dy.
func grad(f func(g *gen, x string) string) func(*gen) {
	return func(g *gen) {
		g.loop(1, func() { g.store(f(g, g.load("x")), "dx") })
	}
}

// light is the loop y = f of a short f.
func light(f func(g *gen) string) func(*gen) {
	return func(g *gen) {
		g.loop(4, func() { g.store(f(g), "y") })
	}
}

func binary(op string) func(*gen) {
	return light(func(g *gen) string {
		a := g.load("a")
		return g.op(op, g.source("b"), a)
	})
}

// horner is the polynomial of coefficients c at x.
func (g *gen) horner(c []float64, x string) string {
	p := g.copy(g.k(c[len(c)-1]))
	for i := len(c) - 2; i >= 0; i-- {
		g.in("VFMADD213PS", g.k(c[i]), x, p)
	}
	return p
}

// atMost and atLeast are min(x, v) and max(x, v), in place. Where x is NaN they give NaN. The second source in
// Intel's order is the result then, which is the first one here.
func (g *gen) atMost(x string, v float64) {
	g.scope(func() { g.in("VMINPS", x, g.reg(g.k(v)), x) })
}
func (g *gen) atLeast(x string, v float64) {
	g.scope(func() { g.in("VMAXPS", x, g.reg(g.k(v)), x) })
}

// reduce turns x into the r of x = n·ln2 + r, and returns n, offset by round.
func (g *gen) reduce(x string, round float64) (t string) {
	t = g.copy(g.k(round))
	g.in("VFMADD231PS", g.k(log2e), x, t)
	g.scope(func() {
		n := g.op("VSUBPS", g.k(round), t)
		g.in("VFNMADD231PS", g.k(ln2hi), n, x)
		g.in("VFNMADD231PS", g.k(ln2lo), n, x)
	})
	return t
}

// expTo is exp(x) for x at most hi. It overwrites x.
func (g *gen) expTo(x string, hi float64) string {
	g.atMost(x, hi)
	g.atLeast(x, expLo)
	t := g.reduce(x, round126)
	y := g.horner(append([]float64{1, 1}, expQ...), x)
	g.in("VPSLLD", "$23", t, t)
	g.in("VMULPS", t, y, y)
	g.in("VADDPS", y, y, y)
	return y
}

func (g *gen) exp(x string) string { return g.expTo(x, expHi) }

// negative is −x.
func (g *gen) negative(x string) string { return g.op("VXORPS", g.bits(signBit), x) }

// over is v/(1 + e), in place of e.
func (g *gen) over(v, e string) string {
	g.in("VADDPS", g.k(1), e, e)
	g.scope(func() { g.in("VDIVPS", e, g.reg(v), e) })
	return e
}

func (g *gen) tanh(x string) string {
	a := g.op("VANDPS", g.bits(otherBits), x)
	g.atMost(a, tanhEdge)
	g.in("VADDPS", a, a, a)
	t := g.reduce(a, round127)
	e := g.horner(expQ, a)
	g.scope(func() {
		r2 := g.op("VMULPS", a, a)
		g.in("VFMADD213PS", a, r2, e)
	})
	g.in("VPSLLD", "$23", t, t)
	g.in("VSUBPS", g.k(1), t, a)
	g.in("VFMADD213PS", a, t, e)
	g.in("VADDPS", g.k(2), e, a)
	g.in("VDIVPS", a, e, e)
	g.in("VANDPS", g.bits(signBit), x, x)
	g.in("VORPS", x, e, e)
	return e
}

func (g *gen) sigmoid(x string) string { return g.over(g.k(1), g.exp(g.negative(x))) }

func (g *gen) gelu(x string) string {
	g.atLeast(x, -geluEdge)
	u := g.op("VMULPS", x, x)
	g.in("VFMADD213PS", g.k(-geluK), g.reg(g.k(-geluC)), u)
	g.in("VMULPS", x, u, u)
	return g.over(x, g.exp(u))
}

// sigmoids is σ(x) and 1 − σ(x) from −x, which it overwrites.
func (g *gen) sigmoids(x string) (s, c string) {
	e := g.expTo(x, expTop)
	s = g.over(g.k(1), g.copy(e))
	g.in("VMULPS", s, e, e)
	return s, e
}

func (g *gen) geluGrad(x string) string {
	g.atMost(x, geluEdge)
	g.atLeast(x, -geluEdge)
	x2 := g.op("VMULPS", x, x)
	u := g.copy(x2)
	g.in("VFMADD213PS", g.k(-geluK), g.reg(g.k(-geluC)), u)
	g.in("VMULPS", x, u, u)
	s, c := g.sigmoids(u)
	g.in("VFMADD213PS", g.k(geluK), g.reg(g.k(3*geluC)), x2)
	g.in("VMULPS", x, c, c)
	g.in("VFMADD213PS", g.k(1), x2, c)
	g.in("VMULPS", c, s, s)
	g.in("VMULPS", g.source("dy"), s, s)
	return s
}

func (g *gen) silu(x string) string {
	g.atLeast(x, -siluEdge)
	return g.over(x, g.exp(g.negative(x)))
}

func (g *gen) siluGrad(x string) string {
	g.atMost(x, expTop)
	g.atLeast(x, -expTop)
	s, c := g.sigmoids(g.negative(x))
	g.in("VFMADD213PS", g.k(1), x, c)
	g.in("VMULPS", c, s, s)
	g.in("VMULPS", g.source("dy"), s, s)
	return s
}

// normal is erfcx(a/√2)/2 and exp(−a²/2): their product is Φ(−a).
func (g *gen) normal(a string) (h, e string) {
	q := g.op("VMULPS", a, a)
	g.in("VMULPS", g.k(-0.5), q, q)
	e = g.exp(q)
	t := g.copy(g.k(erfcP))
	g.in("VFMADD213PS", g.k(1), a, t)
	g.scope(func() { g.in("VDIVPS", t, g.reg(g.k(1)), t) })
	h = g.horner(erfcT, t)
	g.in("VMULPS", t, h, h)
	return h, e
}

// magnitude is |x|, at most geluEdge.
func (g *gen) magnitude(x string) string {
	a := g.op("VANDPS", g.bits(otherBits), x)
	g.atMost(a, geluEdge)
	return a
}

func (g *gen) geluErf(x string) string {
	a := g.magnitude(x)
	h, e := g.normal(a)
	g.in("VMULPS", e, h, h)
	g.in("VXORPS", e, e, e)
	g.in("VMAXPS", x, e, x)
	g.in("VFNMADD231PS", h, a, x)
	return x
}

func (g *gen) geluErfGrad(x string) string {
	a := g.magnitude(x)
	h, e := g.normal(a)
	g.in("VFNMADD231PS", g.k(rsqrt2pi), a, h)
	g.in("VMULPS", e, h, h)
	g.scope(func() { g.in("VSUBPS", h, g.reg(g.k(1)), a) })
	y := g.choose(g.cmp(notLess, x, g.k(0)), a, h)
	g.in("VMULPS", g.source("dy"), y, y)
	return y
}
