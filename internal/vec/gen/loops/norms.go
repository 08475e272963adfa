package main

var norms = []loop{
	{"norm", "y = (x − mean)·rstd·w + b; w and b, or b, may be nil.", "y x w b", "mean rstd", "", (*gen).norm},
	{"normSums", "Σdy·w and Σdy·w·x̂, x̂ = (x − mean)·rstd; w may be nil.", "x dy w", "mean rstd", "a b", (*gen).normSums},
	{"normDx", "dx = rstd·(dy·w − a − b·x̂); w may be nil.", "dx x dy w", "mean rstd a b", "", (*gen).normDx},
	{"normDw", "dw += dy·x̂.", "dw x dy", "mean rstd", "", func(g *gen) {
		g.loop(2, func() {
			x := g.hat()
			y := g.load("dw")
			g.in("VFMADD231PS", g.source("dy"), x, y)
			g.store(y, "dw")
		})
	}},
}

// hat is x̂.
func (g *gen) hat() string {
	x := g.load("x")
	g.in("VSUBPS", g.arg("mean"), x, x)
	g.in("VMULPS", g.arg("rstd"), x, x)
	return x
}

// ifNil prints yes for where pointer p is nil, else no.
func (g *gen) ifNil(p string, yes, no func()) {
	other, done := g.label(), g.label()
	g.in("TESTQ", g.ptr[p], g.ptr[p])
	g.in("JNE", other)
	yes()
	g.in("JMP", done)
	g.mark(other)
	no()
	g.mark(done)
}

func (g *gen) norm() {
	with := func(w, b bool) func() {
		return func() {
			g.loop(2, func() {
				x := g.hat()
				switch {
				case b:
					y := g.load("b")
					g.in("VFMADD231PS", g.source("w"), x, y)
					x = y
				case w:
					g.in("VMULPS", g.source("w"), x, x)
				}
				g.store(x, "y")
			})
		}
	}
	g.ifNil("w", with(false, false), func() { g.ifNil("b", with(true, false), with(true, true)) })
}

// dyw is dy·w.
func (g *gen) dyw(w bool) string {
	y := g.load("dy")
	if w {
		g.in("VMULPS", g.source("w"), y, y)
	}
	return y
}

func (g *gen) normSums() {
	names := []string{"a", "b"}
	sums := g.sums(1, names)
	group := g.groupOf(names)
	with := func(w bool) func() {
		return func() {
			g.loop(4, g.grouped(group, sums, func() []string {
				x, y := g.hat(), g.dyw(w)
				g.in("VMULPS", y, x, x)
				return []string{y, x}
			}))
		}
	}
	g.ifNil("w", with(false), with(true))
	g.storeSums(sums, names)
}

func (g *gen) normDx() {
	with := func(w bool) func() {
		return func() {
			g.loop(2, func() {
				x, y := g.hat(), g.dyw(w)
				g.in("VSUBPS", g.arg("a"), y, y)
				g.in("VFNMADD231PS", g.arg("b"), x, y)
				g.in("VMULPS", g.arg("rstd"), y, y)
				g.store(y, "dx")
			})
		}
	}
	g.ifNil("w", with(false), with(true))
}
