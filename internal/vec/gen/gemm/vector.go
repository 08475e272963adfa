package main

// transpose writes the packing of eight rows of float32 into eight columns.
func (a *text) transpose() {
	a.fn("packColumns", `writes the transpose of 8 rows of 8·k8 float32, ld bytes apart, as rows of 8, step bytes apart.`,
		"dst, src unsafe.Pointer, k8, ld, step int", 0, 40)
	for _, f := range []string{"dst+0(FP), DI", "src+8(FP), SI", "k8+16(FP), CX", "ld+24(FP), R8", "step+32(FP), R12"} {
		a.ins("MOVQ %s", f)
	}
	a.steps()
	a.ins("LEAQ (R9)(R8*4), R11") // seven times
	a.label("block")
	for i := range 7 {
		a.ins("VMOVUPS "+rowA[i]+", Y%d", "SI", i)
	}
	a.ins("VMOVUPS (SI)(R11*1), Y7")
	for i := 0; i < 8; i += 2 { // pairs of rows
		a.ins("VUNPCKLPS Y%d, Y%d, Y%d", i+1, i, 8+i)
		a.ins("VUNPCKHPS Y%d, Y%d, Y%d", i+1, i, 9+i)
	}
	for i, r := range []int{8, 9, 12, 13} { // fours: columns 0|4, 1|5, 2|6, 3|7 of rows 0 to 3, then of 4 to 7
		a.ins("VSHUFPS $0x44, Y%d, Y%d, Y%d", r+2, r, 2*i)
		a.ins("VSHUFPS $0xee, Y%d, Y%d, Y%d", r+2, r, 2*i+1)
	}
	for i := range 8 {
		imm := []string{"$0x20", "$0x31"}[i/4]
		a.ins("VPERM2F128 %s, Y%d, Y%d, Y8", imm, 4+i%4, i%4)
		a.ins("VMOVUPS Y8, (DI)")
		a.ins("ADDQ R12, DI")
	}
	a.ins("ADDQ $32, SI")
	a.ins("DECQ CX")
	a.ins("JNZ block")
	a.ins("VZEROUPPER")
	a.ins("RET")
}

// runs writes the copying of rows into panels or strips side by side, for all widths of these.
func (a *text) runs() {
	a.fn("packRuns", `copies from each of k rows, ld bytes apart, n runs of the given bytes to panels or strips, step bytes apart.`,
		"dst, src unsafe.Pointer, k, ld, n, step, bytes int", 0, 56)
	for _, f := range []string{"dst+0(FP), DI", "src+8(FP), SI", "k+16(FP), CX", "ld+24(FP), R8", "step+40(FP), R12", "bytes+48(FP), R13"} {
		a.ins("MOVQ %s", f)
	}
	done := map[int]bool{}
	for _, k := range kernels {
		for _, bytes := range []int{2 * k.bytes, k.mr * k.size} {
			if !done[bytes] {
				a.run(bytes)
			}
			done[bytes] = true
		}
	}
	a.ins("INT $3") // no kernel has this width
	a.ins("RET")
}

// run is the loop for runs of the given bytes.
func (a *text) run(bytes int) {
	a.ins("CMPQ R13, $%d", bytes)
	a.ins("JNE not%d", bytes)
	a.label("row%d", bytes)
	a.ins("MOVQ DI, DX")
	a.ins("MOVQ SI, BX")
	a.ins("MOVQ n+32(FP), R11")
	a.label("run%d", bytes)
	for off := 0; off < bytes; off += 64 { // of the row four rows on: rows lie on pages of their own
		a.ins("PREFETCHT0 %d(BX)(R8*4)", off)
	}
	for _, form := range []string{"%s %d(BX), %s%d", "%[1]s %[3]s%[4]d, %[2]d(DX)"} {
		for off, r := 0, 0; off < bytes; r++ {
			switch left := bytes - off; {
			case left >= 32:
				a.ins(form, "VMOVUPS", off, "Y", r)
				off += 32
			case left >= 16:
				a.ins(form, "VMOVUPS", off, "X", r)
				off += 16
			default:
				a.ins(form, "VMOVSD", off, "X", r)
				off += 8
			}
		}
	}
	a.ins("ADDQ $%d, BX", bytes)
	a.ins("ADDQ R12, DX")
	a.ins("DECQ R11")
	a.ins("JNZ run%d", bytes)
	a.ins("ADDQ R8, SI")
	a.ins("ADDQ R13, DI")
	a.ins("DECQ CX")
	a.ins("JNZ row%d", bytes)
	a.ins("VZEROUPPER")
	a.ins("RET")
	a.label("not%d", bytes)
}

// steps sets R9 and R10 to three and five times R8.
func (a *text) steps() {
	a.ins("LEAQ (R8)(R8*2), R9")
	a.ins("LEAQ (R8)(R8*4), R10")
}

// args loads the arguments that rows and dots share.
func (a *text) args() {
	for _, f := range []string{"y+0(FP), DI", "x+8(FP), SI", "b+16(FP), BX", "n+24(FP), R11", "k+32(FP), CX", "ld+40(FP), R8"} {
		a.ins("MOVQ %s", f)
	}
	a.steps()
}

// mask loads the mask of the first CX%8 lanes, CX > 0, into register r; it spoils AX and CX.
func (a *text) mask(r int) {
	a.ins("SHLQ $2, CX")
	a.ins("LEAQ ·laneMask<>+64(SB), AX")
	a.ins("SUBQ CX, AX")
	a.ins("VMOVDQU (AX), Y%d", r)
}

// rows writes a row vector times a matrix of rows, four rows at a time.
func (a *text) rows() {
	const high = 4
	a.fn("addRows", "is y[j] += Σᵢ x[i]·b[i·ld+j] of float32 for j < n, i < k; ld is in bytes.",
		"y, x, b unsafe.Pointer, n, k, ld int", 0, 48)
	a.args()
	a.label("group")
	for h := high; h > 0; h-- {
		a.ins("CMPQ CX, $%d", h)
		a.ins("JGE high%d", h)
	}
	a.ins("VZEROUPPER")
	a.ins("RET")
	for h := 1; h <= high; h++ {
		a.label("high%d", h)
		for i := range h {
			a.ins("VBROADCASTSS %d(SI), Y%d", 4*i, 8+i)
		}
		a.ins("MOVQ DI, DX")
		a.ins("MOVQ BX, R12")
		a.ins("MOVQ R11, R13")
		a.ins("MOVQ CX, R14")
		for _, width := range []int{2, 1} {
			a.ins("SUBQ $%d, R13", 8*width)
			a.ins("JLT narrow%d_%d", h, width)
			a.label("wide%d_%d", h, width)
			a.addRow(h, width)
			a.ins("SUBQ $%d, R13", 8*width)
			a.ins("JGE wide%d_%d", h, width)
			a.label("narrow%d_%d", h, width)
			a.ins("ADDQ $%d, R13", 8*width)
		}
		a.ins("JZ next%d", h)
		a.ins("MOVQ R13, CX")
		a.mask(7)
		a.ins("VMASKMOVPS (DX), Y7, Y0")
		for i := range h {
			a.ins("VMASKMOVPS "+rowA[i]+", Y7, Y1", "R12")
			a.ins("VFMADD231PS Y1, Y%d, Y0", 8+i)
		}
		a.ins("VMASKMOVPS Y0, Y7, (DX)")
		a.label("next%d", h)
		a.ins("ADDQ $%d, SI", 4*h)
		for range h {
			a.ins("ADDQ R8, BX")
		}
		a.ins("MOVQ R14, CX")
		a.ins("SUBQ $%d, CX", h)
		a.ins("JMP group")
	}
}

// addRow adds h rows to width vectors of y.
func (a *text) addRow(h, width int) {
	for v := range width {
		a.ins("VMOVUPS %d(DX), Y%d", 32*v, v)
	}
	for i := range h {
		for v := range width {
			a.ins("VFMADD231PS %d"+rowA[i]+", Y%d, Y%d", 32*v, "R12", 8+i, v)
		}
	}
	for v := range width {
		a.ins("VMOVUPS Y%d, %d(DX)", v, 32*v)
	}
	a.ins("ADDQ $%d, DX", 32*width)
	a.ins("ADDQ $%d, R12", 32*width)
}

// dots writes a matrix of rows times a vector, four rows at a time. The order of a sum is the same in any group:
// even and odd vectors apart, what remains to the odd ones.
func (a *text) dots() {
	a.fn("addDots", "is y[j] += Σᵢ x[i]·b[j·ld+i] of float32 for j < n, i < k; ld is in bytes.",
		"y, x, b unsafe.Pointer, n, k, ld int", 0, 48)
	a.args()
	a.label("group")
	for h := 4; h > 0; h-- {
		a.ins("CMPQ R11, $%d", h)
		a.ins("JGE high%d", h)
	}
	a.ins("VZEROUPPER")
	a.ins("RET")
	for h := 1; h <= 4; h++ {
		a.label("high%d", h)
		for i := range h {
			a.ins("VXORPS Y%[1]d, Y%[1]d, Y%[1]d", i)
			a.ins("VXORPS Y%[1]d, Y%[1]d, Y%[1]d", 4+i)
		}
		a.ins("MOVQ SI, DX")
		a.ins("MOVQ BX, R12")
		a.ins("MOVQ k+32(FP), CX")
		for _, width := range []int{2, 1} {
			a.ins("SUBQ $%d, CX", 8*width)
			a.ins("JLT short%d_%d", h, width)
			a.label("long%d_%d", h, width)
			a.addDot(h, width)
			a.ins("SUBQ $%d, CX", 8*width)
			a.ins("JGE long%d_%d", h, width)
			a.label("short%d_%d", h, width)
			a.ins("ADDQ $%d, CX", 8*width)
		}
		a.ins("JZ sum%d", h)
		a.mask(10)
		a.ins("VMASKMOVPS (DX), Y10, Y8")
		for i := range h {
			a.ins("VMASKMOVPS "+rowA[i]+", Y10, Y9", "R12")
			a.ins("VFMADD231PS Y9, Y8, Y%d", 4+i)
		}
		a.label("sum%d", h)
		for i := range h {
			a.sum(i)
			a.ins("VADDSS %d(DI), X%d, X%d", 4*i, i, i)
			a.ins("VMOVSS X%d, %d(DI)", i, 4*i)
			a.ins("ADDQ R8, BX")
		}
		a.ins("ADDQ $%d, DI", 4*h)
		a.ins("SUBQ $%d, R11", h)
		a.ins("JMP group")
	}
}

// addDot adds width vectors to the sums of h rows.
func (a *text) addDot(h, width int) {
	for v := range width {
		a.ins("VMOVUPS %d(DX), Y%d", 32*v, 8+v)
	}
	for i := range h {
		for v := range width {
			a.ins("VFMADD231PS %d"+rowA[i]+", Y%d, Y%d", 32*v, "R12", 8+v, i+4*v)
		}
	}
	a.ins("ADDQ $%d, DX", 32*width)
	a.ins("ADDQ $%d, R12", 32*width)
}

// sum adds the lanes of registers i and 4+i into the lowest of i.
func (a *text) sum(i int) {
	a.ins("VADDPS Y%d, Y%d, Y%d", 4+i, i, i)
	a.ins("VEXTRACTF128 $1, Y%d, X9", i)
	a.ins("VADDPS X9, X%d, X%d", i, i)
	a.ins("VHADDPS X%[1]d, X%[1]d, X%[1]d", i)
	a.ins("VHADDPS X%[1]d, X%[1]d, X%[1]d", i)
}

// peak writes a loop of multiply-adds that touches no memory.
func (a *text) peak(k kernel) {
	name := "peak" + k.name[len("tile"):]
	a.fn(name, "runs n rounds of multiply-adds in registers.", "n int", 0, 8)
	a.ins("MOVQ n+0(FP), CX")
	for i := range k.regs {
		a.zero(k, i)
	}
	a.label("loop")
	for range peakUnroll {
		for i := range 2 * k.mr {
			a.ins("VFMADD231P%[1]s %[2]s%[3]d, %[2]s%[4]d, %[2]s%[5]d", k.d, k.reg, 2*k.mr, 2*k.mr+1, i)
		}
	}
	a.ins("DECQ CX")
	a.ins("JNZ loop")
	a.ins("VZEROUPPER")
	a.ins("RET")
}

// peakUnroll times 2·MR vectors is what a round of peak does, as peak.go counts it.
const peakUnroll = 4
