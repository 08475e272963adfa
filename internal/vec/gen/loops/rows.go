package main

import "fmt"

var rows = []loop{
	{"sum", "Σx.", "x", "", "s", func(g *gen) {
		g.total(2, []string{"s"}, func() [][2]string { return [][2]string{g.split(g.load("x"))} })
	}},
	{"sumSq", "Σx².", "x", "", "s", func(g *gen) {
		g.total(2, []string{"s"}, func() [][2]string { x := g.split(g.load("x")); return [][2]string{g.times(x, x)} })
	}},
	{"sumSqDev", "Σ(x − mean)².", "x", "mean", "s", func(g *gen) {
		g.groups(4, []string{"s"}, func() []string {
			x := g.load("x")
			g.in("VSUBPS", g.arg("mean"), x, x)
			g.inside(x)
			g.in("VMULPS", x, x, x)
			return []string{x}
		})
	}},
	{"dot", "Σx·y.", "x y", "", "s", func(g *gen) {
		g.groups(4, []string{"s"}, func() []string {
			x := g.load("x")
			g.in("VMULPS", g.source("y"), x, x)
			return []string{x}
		})
	}},
	{"max", "the largest x, NaN if one is NaN.", "x", "", "m~", (*gen).max},
	{"expSum", "y = exp(x − max) and Σy.", "y x", "max", "s", func(g *gen) { g.expSum(true) }},
	{"sumExp", "Σexp(x − max).", "x", "max", "s", func(g *gen) { g.expSum(false) }},
	{"softmaxGrad", "dx = y·(dy − s).", "dx y dy", "s", "", func(g *gen) {
		g.loop(4, func() {
			dy := g.load("dy")
			g.in("VSUBPS", g.arg("s"), dy, dy)
			g.in("VMULPS", g.source("y"), dy, dy)
			g.store(dy, "dx")
		})
	}},
}

// split is a vector of float32 as two of float64, the lower half in place.
func (g *gen) split(v string) [2]string {
	hi := g.t()
	if g.wide() {
		g.in("VEXTRACTF64X4", "$1", v, g.half(hi))
	} else {
		g.in("VEXTRACTF128", "$1", v, g.half(hi))
	}
	g.in("VCVTPS2PD", g.half(hi), hi)
	g.in("VCVTPS2PD", g.half(v), v)
	return [2]string{v, hi}
}

// times is a·b of float64, in place of a.
func (g *gen) times(a, b [2]string) [2]string {
	for i := range a {
		g.in("VMULPD", b[i], a[i], a[i])
	}
	return a
}

// total stores the sums over the loop of the pairs that body gives, one for each name. Each vector of an unrolled step
// has sums of its own, which are added in order at the end.
func (g *gen) total(unroll int, names []string, body func() [][2]string) {
	sums := g.sums(unroll, names)
	g.loop(unroll, func() { g.addTo(sums, body()) })
	g.storeSums(sums, names)
}

// sums are the registers of the sums, at zero: by vector of an unrolled step, then by name.
func (g *gen) sums(unroll int, names []string) (sums [][][2]string) {
	for range unroll {
		var unit [][2]string
		for range names {
			unit = append(unit, [2]string{g.zero(), g.zero()})
		}
		sums = append(sums, unit)
	}
	return sums
}

// groups stores the sums over the loop of the vectors that body gives, one for each name. Those of an unrolled step
// are added in float32, and the groups in float64.
func (g *gen) groups(unroll int, names []string, body func() []string) {
	sums := g.sums(1, names)
	g.loop(unroll, g.grouped(g.groupOf(names), sums, body))
	g.storeSums(sums, names)
}

// groupOf is a register for each name.
func (g *gen) groupOf(names []string) (group []string) {
	for range names {
		group = append(group, g.t())
	}
	return group
}

// grouped is the body of a loop that adds what body gives to group, and after the last vector of a step group to sums.
func (g *gen) grouped(group []string, sums [][][2]string, body func() []string) func() {
	return func() {
		for i, v := range body() {
			if g.unit == 0 {
				g.in("VMOVUPS", v, group[i])
			} else {
				g.in("VADDPS", v, group[i], group[i])
			}
			if g.unit == g.units-1 {
				g.scope(func() { g.addPair(sums[0][i], g.split(group[i])) })
			}
		}
	}
}

func (g *gen) addPair(sum, pair [2]string) {
	for j, v := range pair {
		g.in("VADDPD", v, sum[j], sum[j])
	}
}

func (g *gen) addTo(sums [][][2]string, pairs [][2]string) {
	for i, p := range pairs {
		g.addPair(sums[g.unit][i], p)
	}
}

func (g *gen) storeSums(sums [][][2]string, names []string) {
	for i, name := range names {
		s := sums[0][i]
		for _, u := range sums[1:] {
			g.in("VADDPD", u[i][0], s[0], s[0])
			g.in("VADDPD", u[i][1], s[1], s[1])
		}
		g.in("VADDPD", s[1], s[0], s[0])
		g.fold("VADDPD", s[0], s[1])
		g.in("VPERMILPD", "$1", quarter(s[0]), quarter(s[1]))
		g.in("VADDSD", quarter(s[1]), quarter(s[0]), quarter(s[0]))
		g.in("VMOVSD", quarter(s[0]), fmt.Sprintf("%s+%d(FP)", name, g.results[name]))
	}
}

// fold joins the quarters of r into the lowest by op; u is scratch.
func (g *gen) fold(op, r, u string) {
	if g.wide() {
		g.in("VEXTRACTF64X4", "$1", r, "Y"+u[1:])
		g.in(op, "Y"+u[1:], "Y"+r[1:], "Y"+r[1:])
	}
	g.in("VEXTRACTF128", "$1", "Y"+r[1:], quarter(u))
	g.in(op, quarter(u), quarter(r), quarter(r))
}

func (g *gen) max() {
	const unroll = 2
	low := g.bits(0xff800000) // −Inf
	var m []string
	for range unroll {
		m = append(m, g.copy(low))
	}
	nan := g.zero()
	if g.wide() {
		g.in("KXORW", "K3", "K3", "K3")
	}
	g.loop(unroll, func() {
		x := g.load("x")
		if g.tail && g.wide() {
			g.in("VBLENDMPS", x, low, "K1", x)
		} else if g.tail {
			g.in("VBLENDVPS", "Y15", x, low, x)
		}
		g.in("VMAXPS", x, m[g.unit], m[g.unit])
		if c := g.cmp(unordered, x, x); g.wide() {
			g.in("KORW", c, "K3", "K3")
		} else {
			g.in("VORPS", c, nan, nan)
		}
	})
	if g.wide() {
		g.in("KMOVW", "K3", "CX")
	} else {
		g.in("VMOVMSKPS", nan, "CX")
	}
	for _, v := range m[1:] {
		g.in("VMAXPS", v, m[0], m[0])
	}
	g.fold("VMAXPS", m[0], m[1])
	x, u := quarter(m[0]), quarter(m[1])
	g.in("VPERMILPS", "$0x4e", x, u) // 2 3 0 1
	g.in("VMAXPS", u, x, x)
	g.in("VPERMILPS", "$0xb1", x, u) // 1 0 3 2
	g.in("VMAXPS", u, x, x)
	out, done := fmt.Sprintf("m+%d(FP)", g.results["m"]), g.label()
	g.in("VMOVSS", x, out)
	g.in("TESTL", "CX", "CX")
	g.in("JEQ", done)
	g.in("MOVL", "$0x7fc00000", out)
	g.mark(done)
}

func (g *gen) expSum(store bool) {
	g.groups(4, []string{"s"}, func() []string {
		x := g.load("x")
		g.in("VSUBPS", g.arg("max"), x, x)
		y := g.exp(x)
		if store {
			g.store(y, "y")
		}
		g.inside(y)
		return []string{y}
	})
}
