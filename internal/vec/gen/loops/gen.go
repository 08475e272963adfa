package main

import (
	"bytes"
	"fmt"
	"log"
	"math"
	"strings"
)

// gen prints one function. Operands are in the order of the Go assembler: sources first, the destination last.
//
// General registers: one for each pointer, AX the index of the element, R12 n, and CX scratch. R13 is the last index
// at which a whole step fits.
//
// Vector registers: temporaries from 0 up, and constants from the top down. Under AVX2 the last one has the mask of
// the tail; under AVX-512 that is K1.
type gen struct {
	fn        string
	signature string
	lanes     int
	args      []string // loads of the arguments
	results   map[string]int
	size      int // bytes of arguments and results
	body      bytes.Buffer
	ptr       map[string]string // register of a pointer
	tail      bool              // the code is for the masked tail
	unit      int               // which vector of an unrolled step the code is for
	units     int               // of how many
	next      int               // first free temporary
	temps     int               // how many there are
	full      bool              // there were too few
	top       int               // the constants take the registers from top up
	consts    *constants
	hoisted   map[string]string // constant or parameter to its register
	labels    int
}

var pointerRegs = []string{"DI", "SI", "DX", "R8", "R9", "R10", "R11"}

func newGen(l loop, path string, lanes, temps int, k *constants) *gen {
	g := &gen{fn: l.name + path, lanes: lanes, consts: k, temps: temps, top: 15,
		ptr: map[string]string{}, hoisted: map[string]string{}, results: map[string]int{}}
	if g.wide() {
		g.top = 32
	}
	sig := []string{}
	for i, p := range fields(l.ptrs) {
		g.ptr[p] = pointerRegs[i]
		g.args = append(g.args, fmt.Sprintf("MOVQ %s+%d(FP), %s", p, g.size, pointerRegs[i]))
		sig = append(sig, p+" *float32")
		g.size += 8
	}
	g.args = append(g.args, fmt.Sprintf("MOVQ n+%d(FP), R12", g.size))
	sig = append(sig, "n int")
	g.size += 8
	for _, s := range fields(l.scalars) {
		name, integer := strings.CutSuffix(s, "#")
		kind := " float32"
		if integer {
			kind = " uint32"
		}
		r := g.hoist(name)
		g.args = append(g.args, fmt.Sprintf("VBROADCASTSS %s+%d(FP), %s", name, g.size, r))
		sig = append(sig, name+kind)
		g.size += 4
	}
	if l.results != "" {
		g.size = (g.size + 7) &^ 7
	}
	out := []string{}
	for _, s := range fields(l.results) {
		name, short := strings.CutSuffix(s, "~")
		g.results[name] = g.size
		if short {
			out, g.size = append(out, name+" float32"), g.size+4
		} else {
			out, g.size = append(out, name+" float64"), g.size+8
		}
	}
	g.signature = "(" + strings.Join(sig, ", ") + ")"
	if len(out) > 0 {
		g.signature += " (" + strings.Join(out, ", ") + ")"
	}
	return g
}

// wide says that the vectors are those of AVX-512.
func (g *gen) wide() bool { return g.lanes == 16 }

func (g *gen) vec(i int) string {
	if g.wide() {
		return fmt.Sprintf("Z%d", i)
	}
	return fmt.Sprintf("Y%d", i)
}

// half and quarter are the lower half of a vector register, and its lowest 16 bytes.
func (g *gen) half(r string) string {
	if g.wide() {
		return "Y" + r[1:]
	}
	return "X" + r[1:]
}
func quarter(r string) string { return "X" + r[1:] }

// in prints one instruction. Under AVX-512 a constant in memory is one element, which the instruction broadcasts.
func (g *gen) in(op string, operands ...string) {
	for _, o := range operands {
		if g.wide() && strings.HasPrefix(o, constTable) {
			if op == "VMOVUPS" {
				op = "VBROADCASTSS"
			} else {
				op += ".BCST"
			}
		}
	}
	fmt.Fprintf(&g.body, "\t%s %s\n", op, strings.Join(operands, ", "))
}

func (g *gen) label() string { g.labels++; return fmt.Sprintf("l%d", g.labels) }

func (g *gen) mark(label string) { fmt.Fprintf(&g.body, "%s:\n", label) }

// t is a new temporary. Those taken inside a loop's body are free again after it.
func (g *gen) t() string {
	g.full = g.full || g.next >= g.temps
	g.next++
	return g.vec(g.next - 1)
}

// hoist takes a register for the whole function.
func (g *gen) hoist(name string) string {
	g.top--
	g.full = g.full || g.top < g.temps
	g.hoisted[name] = g.vec(g.top)
	return g.hoisted[name]
}

// arg is the register of a scalar parameter.
func (g *gen) arg(name string) string {
	r, ok := g.hoisted[name]
	if !ok {
		log.Fatalf("%s: no parameter %s", g.fn, name)
	}
	return r
}

// k is a constant as a first source: a register while there are some, else memory.
func (g *gen) k(v float64) string { return g.bits(math.Float32bits(float32(v))) }

// bits is the constant of the given bits.
func (g *gen) bits(b uint32) string {
	m := g.consts.at(b)
	if r, ok := g.hoisted[m]; ok {
		return r
	}
	if g.top <= g.temps {
		return m
	}
	r := g.hoist(m)
	g.args = append(g.args, fmt.Sprintf("VBROADCASTSS %s, %s", m, r))
	return r
}

// reg is v in a register: itself, or a new temporary.
func (g *gen) reg(v string) string {
	if !strings.HasPrefix(v, constTable) {
		return v
	}
	r := g.t()
	g.in("VMOVUPS", v, r)
	return r
}

// copy is a new temporary that is v.
func (g *gen) copy(v string) string {
	r := g.t()
	g.in("VMOVUPS", v, r)
	return r
}

// op is a new temporary that is op of b and a, where a is in a register.
func (g *gen) op(op, b, a string) string {
	r := g.t()
	g.in(op, b, a, r)
	return r
}

// zero is a new temporary that is 0.
func (g *gen) zero() string {
	r := g.t()
	g.in("VXORPS", r, r, r)
	return r
}

// address is that of the current vector of pointer p.
func (g *gen) address(p string) string {
	return fmt.Sprintf("%d(%s)(AX*4)", 4*g.unit*g.lanes, g.ptr[p])
}

// load is the current vector of pointer p, zero past the end.
func (g *gen) load(p string) string {
	r := g.t()
	switch {
	case !g.tail:
		g.in("VMOVUPS", g.address(p), r)
	case g.wide():
		g.in("VMOVUPS.Z", g.address(p), "K1", r)
	default:
		g.in("VMASKMOVPS", g.address(p), "Y15", r)
	}
	return r
}

// source is the current vector of pointer p as a first source: memory but in the tail.
func (g *gen) source(p string) string {
	if g.tail {
		return g.load(p)
	}
	return g.address(p)
}

// store makes r the current vector of pointer p, up to the end.
func (g *gen) store(r, p string) {
	switch {
	case !g.tail:
		g.in("VMOVUPS", r, g.address(p))
	case g.wide():
		g.in("VMOVUPS", r, "K1", g.address(p))
	default:
		g.in("VMASKMOVPS", r, "Y15", g.address(p))
	}
}

// inside makes the lanes of r past the end 0, in place.
func (g *gen) inside(r string) {
	switch {
	case !g.tail:
	case g.wide():
		g.in("VMOVAPS.Z", r, "K1", r)
	default:
		g.in("VANDPS", "Y15", r, r)
	}
}

// A predicate of cmp.
const (
	greater   = "$30" // quiet, false where unordered
	notLess   = "$29" // quiet ≥, false where unordered
	unordered = "$3"
)

// cmp is the mask of the lanes where a pred b, until the next one.
func (g *gen) cmp(pred, a, b string) string {
	if g.wide() {
		g.in("VCMPPS", pred, b, a, "K2")
		return "K2"
	}
	m := g.t()
	g.in("VCMPPS", pred, b, a, m)
	return m
}

// keep is r in the lanes of mask m, else 0.
func (g *gen) keep(r, m string) string {
	if !g.wide() {
		return g.op("VANDPS", m, r)
	}
	y := g.t()
	g.in("VMOVAPS.Z", r, m, y)
	return y
}

// choose is yes in the lanes of mask m, else no.
func (g *gen) choose(m, yes, no string) string {
	y := g.t()
	if g.wide() {
		g.in("VBLENDMPS", yes, no, m, y)
	} else {
		g.in("VBLENDVPS", m, yes, no, y)
	}
	return y
}

// loop prints body for steps of unroll vectors, then of one vector, then for the tail.
func (g *gen) loop(unroll int, body func()) {
	g.in("XORL", "AX", "AX")
	for _, u := range []int{unroll, 1} {
		again, done := g.label(), g.label()
		g.in("MOVQ", "R12", "R13")
		g.in("SUBQ", fmt.Sprintf("$%d", u*g.lanes), "R13")
		g.in("CMPQ", "AX", "R13")
		g.in("JGT", done)
		g.mark(again)
		g.units = u
		for g.unit = range u {
			g.scope(body)
		}
		g.unit, g.units = 0, 1
		g.in("ADDQ", fmt.Sprintf("$%d", u*g.lanes), "AX")
		g.in("CMPQ", "AX", "R13")
		g.in("JLE", again)
		g.mark(done)
		if unroll == 1 {
			break
		}
	}
	done := g.label()
	g.in("MOVQ", "R12", "CX")
	g.in("SUBQ", "AX", "CX")
	g.in("JLE", done)
	if g.wide() {
		g.in("MOVL", "$1", "R13")
		g.in("SHLL", "CX", "R13")
		g.in("DECL", "R13")
		g.in("KMOVW", "R13", "K1")
	} else {
		g.in("LEAQ", "loopMask<>(SB)", "R13")
		g.in("NEGQ", "CX")
		g.in("VMOVUPS", "32(R13)(CX*4)", "Y15")
	}
	g.tail = true
	g.scope(body)
	g.tail = false
	g.mark(done)
}

// scope prints body, whose temporaries are free after it.
func (g *gen) scope(body func()) {
	next := g.next
	body()
	g.next = next
}

// finish prints the whole function.
func (g *gen) finish(w *bytes.Buffer) {
	fmt.Fprintf(w, "\n// func %s%s\nTEXT ·%s(SB), NOSPLIT, $0-%d\n", g.fn, g.signature, g.fn, g.size)
	for _, a := range g.args {
		fmt.Fprintf(w, "\t%s\n", a)
	}
	w.Write(g.body.Bytes())
	w.WriteString("\tVZEROUPPER\n\tRET\n")
}

// constants is the table of the constants in memory, each over a vector of AVX2.
type constants struct{ list []uint32 }

const constTable = "loopConst<>"

// at is the memory of the constant b.
func (k *constants) at(b uint32) string {
	i := 0
	for i < len(k.list) && k.list[i] != b {
		i++
	}
	if i == len(k.list) {
		k.list = append(k.list, b)
	}
	return fmt.Sprintf("%s+%d(SB)", constTable, 32*i)
}

func (k *constants) data() string {
	var w strings.Builder
	for i := range 16 {
		v := "0xffffffff"
		if i >= 8 {
			v = "0"
		}
		fmt.Fprintf(&w, "DATA loopMask<>+%d(SB)/4, $%s\n", 4*i, v)
	}
	w.WriteString("GLOBL loopMask<>(SB), RODATA|NOPTR, $64\n")
	for i := range 16 {
		fmt.Fprintf(&w, "DATA loopIota<>+%d(SB)/4, $%d\n", 4*i, i)
	}
	w.WriteString("GLOBL loopIota<>(SB), RODATA|NOPTR, $64\n")
	for i, b := range k.list {
		for j := range 4 {
			fmt.Fprintf(&w, "DATA %s+%d(SB)/8, $0x%08x%08x\n", constTable, 32*i+8*j, b, b)
		}
	}
	fmt.Fprintf(&w, "GLOBL %s(SB), RODATA|NOPTR, $%d\n", constTable, 32*len(k.list))
	return w.String()
}
