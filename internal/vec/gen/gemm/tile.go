package main

import "fmt"

// Registers of the tile kernel:
//
//	DI          tile
//	SI, AX      first and eighth row of A at the current k
//	BX, CX, DX  B, k, the strip's C
//	R8, R9, R10 once, three and five times A's row step
//	R11         A's column step
//	R12, R13    row steps of B and of C
//	R14         rows left
//
// Vectors: the sums of row i in 2i and 2i+1, then two of B, then one of A.

// kernel writes the kernel k:
//
//	C = α·A·B (+ bias over columns) (+ C)
func (a *text) kernel(k kernel) {
	a.fn(k.name, fmt.Sprintf("is the tile kernel for strips of %d rows and panels of %d columns.", k.mr, 2*k.bytes/k.size), "t *tile", 8, 8)
	a.ins("MOVQ t+0(FP), DI")
	for _, f := range []struct{ field, reg string }{
		{"ar", "R8"}, {"ac", "R11"}, {"br", "R12"}, {"cr", "R13"}, {"m", "R14"}, {"c", "DX"}, {"a", "SI"},
	} {
		a.ins("MOVQ tile_%s(DI), %s", f.field, f.reg)
	}
	a.ins("LEAQ (R8)(R8*2), R9")
	a.ins("LEAQ (R8)(R8*4), R10")
	if k.reg == "Z" {
		a.laneMasks512(k)
	}
	a.label("strip")
	a.ins("MOVQ SI, a-8(SP)")
	a.ins("MOVQ tile_b(DI), BX")
	a.ins("MOVQ tile_k(DI), CX")
	a.ins("CMPQ R14, $%d", k.mr)
	a.ins("JGE high%d", k.mr)
	for h := k.mr - 1; h > 1; h-- {
		a.ins("CMPQ R14, $%d", h)
		a.ins("JEQ high%d", h)
	}
	for h := 1; h < k.mr; h++ {
		a.strip(k, h)
		a.ins("VZEROUPPER")
		a.ins("RET")
	}
	a.strip(k, k.mr)
	a.ins("MOVQ a-8(SP), SI")
	a.ins("ADDQ tile_as(DI), SI")
	a.ins("SUBQ $%d, R14", k.mr)
	a.ins("JG strip")
	a.ins("VZEROUPPER")
	a.ins("RET")
}

// laneMasks512 sets K1 and K2 to the masks of the first n lanes of the two vectors.
func (a *text) laneMasks512(k kernel) {
	a.ins("MOVQ tile_n(DI), CX")
	a.ins("MOVQ $1, AX")
	a.ins("SHLQ CX, AX")
	a.ins("DECQ AX")
	a.ins("KMOVW AX, K1")
	a.ins("SHRQ $%d, AX", k.bytes/k.size)
	a.ins("KMOVW AX, K2")
}

// strip writes the loop for h rows and what follows it; after it DX is at the C of the next strip.
func (a *text) strip(k kernel, h int) {
	a.label("high%d", h)
	a.prefetchC(k, h)
	if h > 7 {
		a.ins("LEAQ (SI)(R8*4), AX")
		a.ins("ADDQ R9, AX")
	}
	for i := range 2 * h {
		a.zero(k, i)
	}
	unroll := 128 / k.bytes
	a.ins("SUBQ $%d, CX", unroll)
	a.ins("JLT rest%d", h)
	a.raw("\tPCALIGN $32\n")
	a.label("loop%d", h)
	for range unroll {
		a.step(k, h)
	}
	a.ins("SUBQ $%d, CX", unroll)
	a.ins("JGE loop%d", h)
	a.label("rest%d", h)
	a.ins("ADDQ $%d, CX", unroll)
	a.ins("JZ sum%d", h)
	a.label("one%d", h)
	a.step(k, h)
	a.ins("DECQ CX")
	a.ins("JNZ one%d", h)
	a.label("sum%d", h)
	a.scale(k, h)
	a.ins("CMPQ tile_n(DI), $%d", 2*k.bytes/k.size)
	a.ins("JLT edge%d", h)
	a.finish(k, h, false)
	a.ins("JMP end%d", h)
	a.label("edge%d", h)
	a.finish(k, h, true)
	a.label("end%d", h)
}

// zero clears register r.
func (a *text) zero(k kernel, r int) {
	if k.reg == "Y" {
		a.ins("VXORPS Y%[1]d, Y%[1]d, Y%[1]d", r)
		return
	}
	a.ins("VPXORD Z%[1]d, Z%[1]d, Z%[1]d", r)
}

// prefetchC brings the rows of C near while the sums run.
func (a *text) prefetchC(k kernel, h int) {
	a.ins("MOVQ DX, AX")
	for range h {
		a.ins("PREFETCHT0 (AX)")
		if k.bytes == 64 {
			a.ins("PREFETCHT0 64(AX)")
		}
		a.ins("PREFETCHT0 %d(AX)", 2*k.bytes-1)
		a.ins("ADDQ R13, AX")
	}
}

// rowA are the addresses of rows 0 to 13 of A: seven from each of two pointers.
var rowA = [7]string{"(%s)", "(%s)(R8*1)", "(%s)(R8*2)", "(%s)(R9*1)", "(%s)(R8*4)", "(%s)(R10*1)", "(%s)(R9*2)"}

// step adds one k to the sums of h rows.
func (a *text) step(k kernel, h int) {
	b0, b1, v := 2*k.mr, 2*k.mr+1, 2*k.mr+2
	a.ins("VMOVUP%s (BX), %s%d", k.d, k.reg, b0)
	a.ins("VMOVUP%s %d(BX), %s%d", k.d, k.bytes, k.reg, b1)
	a.ins("ADDQ R12, BX")
	for i := range h {
		p := "SI"
		if i >= 7 {
			p = "AX"
		}
		r := v + i%(k.regs-v)
		a.ins("VBROADCASTS%s "+rowA[i%7]+", %s%d", k.d, p, k.reg, r)
		a.ins("VFMADD231P%[1]s %[2]s%[3]d, %[2]s%[4]d, %[2]s%[5]d", k.d, k.reg, b0, r, 2*i)
		a.ins("VFMADD231P%[1]s %[2]s%[3]d, %[2]s%[4]d, %[2]s%[5]d", k.d, k.reg, b1, r, 2*i+1)
	}
	a.ins("ADDQ R11, SI")
	if h > 7 {
		a.ins("ADDQ R11, AX")
	}
}

// scale multiplies the sums by α.
func (a *text) scale(k kernel, h int) {
	a.ins("MOVQ tile_alpha(DI), SI")
	a.ins("VBROADCASTS%s (SI), %s%d", k.d, k.reg, 2*k.mr)
	for i := range 2 * h {
		a.ins("VMULP%[1]s %[2]s%[3]d, %[2]s%[4]d, %[2]s%[4]d", k.d, k.reg, 2*k.mr, i)
	}
}

// finish adds the bias and C to the sums where asked and stores them, moving DX past the strip.
func (a *text) finish(k kernel, h int, edge bool) {
	e := "full"
	if edge {
		e = "edge"
	}
	b := [2]int{2 * k.mr, 2*k.mr + 1}
	if edge && k.reg == "Y" {
		a.ins("MOVQ tile_n(DI), CX")
		a.ins("SHLQ $%d, CX", map[int]int{4: 2, 8: 3}[k.size])
		a.ins("LEAQ ·laneMask<>+64(SB), AX")
		a.ins("SUBQ CX, AX")
		a.ins("VMOVDQU (AX), Y14")
		a.ins("VMOVDQU 32(AX), Y15")
	}
	a.ins("MOVQ tile_bias(DI), AX")
	a.ins("TESTQ AX, AX")
	a.ins("JZ %splain%d", e, h)
	for v := range 2 {
		a.load(k, edge, v, "AX", b[v])
	}
	for i := range 2 * h {
		a.ins("VADDP%[1]s %[2]s%[3]d, %[2]s%[4]d, %[2]s%[4]d", k.d, k.reg, b[i%2], i)
	}
	a.label("%splain%d", e, h)
	a.ins("CMPQ tile_add(DI), $0")
	a.ins("JEQ %sstore%d", e, h)
	a.ins("MOVQ DX, SI")
	for i := range h {
		for v := range 2 {
			a.load(k, edge, v, "SI", b[v])
			a.ins("VADDP%[1]s %[2]s%[3]d, %[2]s%[4]d, %[2]s%[4]d", k.d, k.reg, b[v], 2*i+v)
		}
		a.ins("ADDQ R13, SI")
	}
	a.label("%sstore%d", e, h)
	for i := range h {
		for v := range 2 {
			a.store(k, edge, v, 2*i+v, "DX")
		}
		a.ins("ADDQ R13, DX")
	}
}

// load fills register r with vector v at p; at an edge the lanes past it are zero and their memory is not touched.
func (a *text) load(k kernel, edge bool, v int, p string, r int) {
	switch {
	case !edge:
		a.ins("VMOVUP%s %d(%s), %s%d", k.d, v*k.bytes, p, k.reg, r)
	case k.reg == "Y":
		a.ins("VMASKMOVP%s %d(%s), Y%d, Y%d", k.d, v*k.bytes, p, 14+v, r)
	default:
		a.ins("VMOVUP%s.Z %d(%s), K%d, Z%d", k.d, v*k.bytes, p, 1+v, r)
	}
}

// store is the reverse of load.
func (a *text) store(k kernel, edge bool, v, r int, p string) {
	switch {
	case !edge:
		a.ins("VMOVUP%s %s%d, %d(%s)", k.d, k.reg, r, v*k.bytes, p)
	case k.reg == "Y":
		a.ins("VMASKMOVP%s Y%d, Y%d, %d(%s)", k.d, r, 14+v, v*k.bytes, p)
	default:
		a.ins("VMOVUP%s Z%d, K%d, %d(%s)", k.d, r, 1+v, v*k.bytes, p)
	}
}
