package main

var steps = []loop{
	{"adamW", "one AdamW update; step is LR/Corr1, rcorr 1/√Corr2.", "po mo vo p m v grad",
		"gscale keep b1 c1 b2 c2 rcorr eps step", "", (*gen).adamW},
	{"dropout", "y = x·scale where the hash of first+i passes last, else 0.", "y x", "first# k0# k1# last# scale", "", (*gen).dropout},
}

func (g *gen) adamW() {
	g.loop(1, func() {
		d := g.load("grad")
		g.in("VMULPS", g.arg("gscale"), d, d)
		m := g.op("VMULPS", g.arg("c1"), d)
		g.scope(func() { g.in("VFMADD231PS", g.source("m"), g.arg("b1"), m) })
		g.store(m, "mo")
		v := g.op("VMULPS", g.arg("c2"), d)
		g.in("VMULPS", d, v, v)
		g.scope(func() { g.in("VFMADD231PS", g.source("v"), g.arg("b2"), v) })
		g.store(v, "vo")
		g.in("VSQRTPS", v, v)
		g.in("VFMADD213PS", g.arg("eps"), g.arg("rcorr"), v)
		g.in("VDIVPS", v, m, m)
		p := g.load("p")
		g.in("VMULPS", g.arg("keep"), p, p)
		g.in("VFNMADD231PS", g.arg("step"), m, p)
		g.store(p, "po")
	})
}

func (g *gen) dropout() {
	counter := g.op("VPADDD", "loopIota<>(SB)", g.arg("first"))
	step := g.bits(uint32(g.lanes))
	g.loop(1, func() {
		h := g.t()
		g.xor(g.arg("k0"), counter, h)
		if !g.tail {
			g.in("VPADDD", step, counter, counter)
		}
		g.mix(h)
		g.xor(g.arg("k1"), h, h)
		g.mix(h)
		g.in("VPSRLD", "$8", h, h)
		x := g.load("x")
		g.in("VMULPS", g.arg("scale"), x, x)
		m := h
		if g.wide() {
			m = "K2"
		}
		g.in("VPCMPGTD", g.arg("last"), h, m)
		g.store(g.keep(x, m), "y")
	})
}

// mix is mix32 of vec, in place.
func (g *gen) mix(h string) {
	t := g.t()
	for _, s := range []struct {
		shift string
		mul   uint32
	}{{"$16", 0x7feb352d}, {"$15", 0x846ca68b}, {"$16", 0}} {
		g.in("VPSRLD", s.shift, h, t)
		g.xor(t, h, h)
		if s.mul != 0 {
			g.in("VPMULLD", g.bits(s.mul), h, h)
		}
	}
}

func (g *gen) xor(b, a, to string) {
	if g.wide() {
		g.in("VPXORD", b, a, to)
	} else {
		g.in("VPXOR", b, a, to)
	}
}
