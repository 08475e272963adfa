package emu

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/internal/half"
)

// matrixRows are the operations of tensor cores.
func matrixRows() map[string]opcode {
	rows := map[string]opcode{"ldmatrix": {"sync aligned m8n8 x1 x2 x4 trans shared shared::cta", loadMatrix}}
	for _, s := range []shape{
		{k: 16, types: "f32.bf16.bf16.f32", wide: half.BF16}, {k: 16, types: "f32.f16.f16.f32", wide: half.F16},
		{k: 16, types: "f16.f16.f16.f16", wide: half.F16}, {k: 8, types: "f32.bf16.bf16.f32", wide: half.BF16},
		{k: 8, types: "f32.f16.f16.f32", wide: half.F16}, {k: 8, types: "f16.f16.f16.f16", wide: half.F16},
		{k: 8, types: "f32.tf32.tf32.f32"}, {k: 4, types: "f32.tf32.tf32.f32"},
	} {
		name := map[int]string{4: "m16n8k4", 8: "m16n8k8", 16: "m16n8k16"}[s.k]
		rows["mma.sync.aligned."+name+".row.col."+s.types] = opcode{"", s.multiply}
	}
	return rows
}

// loadMatrix decodes ldmatrix: matrices of 8 rows with 8 elements of 16 bits. Lane i gives the address of row i%8 of
// matrix i/8, and gets two elements of row i/4.
func loadMatrix(d *decoder, in *inst) (err error) {
	if err = d.want(2); err != nil {
		return err
	}
	if len(d.types) != 1 || d.types[0] != "b16" {
		return d.errorf("%s: want the type b16", d.s.op)
	}
	n := 1
	trans := d.has("trans")
	keep := d.mods[:0:0]
	for _, mod := range d.mods {
		switch mod {
		case "x2":
			n = 2
		case "x4":
			n = 4
		case "shared", "shared::cta":
			keep = append(keep, mod)
		}
	}
	d.mods = keep
	if err = d.memory(in, d.s.args[1]); err != nil {
		return err
	}
	list := []operand{d.s.args[0]}
	if list[0].kind == opList {
		list = list[0].list
	}
	if len(list) != n {
		return d.errorf("%s: got %d registers, want %d", d.s.op, len(list), n)
	}
	for _, o := range list {
		r, err := d.dst(o)
		if err != nil {
			return err
		}
		in.regs = append(in.regs, r)
	}
	in.size, in.mode = 16, loading
	d.unit(in)
	in.do = func(w *warp, in *inst, on uint32) {
		if w.converged(in, on, full) {
			w.loadMatrix(in, trans)
		}
	}
	return nil
}

func (w *warp) loadMatrix(in *inst, trans bool) {
	at := *w.addresses(in.mem)
	if in.mem.space == generic {
		for i := range at {
			at[i] -= sharedBase
		}
	}
	var m [32][8]uint16
	for i := range 8 * len(in.regs) {
		b := w.sharedBytes(in, i, at[i], 16)
		if w.state == faulted {
			return
		}
		for j := 0; b != nil && j < 8; j++ {
			m[i][j] = binary.LittleEndian.Uint16(b[2*j:])
		}
	}
	for k, r := range in.regs {
		w.countBanks(&lanes{}, 0, 16)
		w.block.stats.BankConflicts += bankPasses(&at, 0xff<<(8*k), 16) - 1
		rows, d := m[8*k:8*k+8], &w.r[r]
		for i := range d {
			x, y := i/4, 2*(i%4)
			if trans {
				d[i] = uint64(rows[y][x]) | uint64(rows[y+1][x])<<16
			} else {
				d[i] = uint64(rows[x][y]) | uint64(rows[x][y+1])<<16
			}
		}
	}
}

// A shape is an mma of 16 rows and 8 columns.
type shape struct {
	k     int
	types string
	wide  func(b uint16) float32 // of an element of 16 bits; nil for tf32
}

// registers are the numbers of registers of D, A, B and C.
func (s shape) registers() [4]int {
	n := [4]int{4, s.k / 4, s.k / 8, 4}
	if s.wide == nil {
		n[1], n[2] = s.k/2, s.k/4
	}
	if strings.HasPrefix(s.types, "f16") {
		n[0], n[3] = 2, 2
	}
	return n
}

// multiply decodes an mma.
func (s shape) multiply(d *decoder, in *inst) error {
	if err := d.want(4); err != nil {
		return err
	}
	n := s.registers()
	for i, o := range d.s.args {
		list := []operand{o}
		if o.kind == opList {
			list = o.list
		}
		if len(list) != n[i] {
			return d.errorf("%s: operand %d has %d registers, want %d", d.s.op, i+1, len(list), n[i])
		}
		for _, e := range list {
			r, err := d.dst(e)
			if i > 0 {
				r, err = d.src(e, "b32")
			}
			if err != nil {
				return err
			}
			in.regs = append(in.regs, r)
		}
	}
	back := d.m.d.o.Approx != 0
	in.do = func(w *warp, in *inst, on uint32) {
		if w.converged(in, on, full) {
			s.run(w, in.regs, n, back)
		}
	}
	return nil
}

// run computes D = A·B + C. Lane 4·g + t holds parts of rows g and g+8 of A, and of column g of B. It
// holds columns 2t and 2t+1 of rows g and g+8 of C and D.
//
// The manual leaves open the order of the sum, how it is rounded, and what becomes of subnormal operands (PTX ISA 9.0,
// section 9.7.14.5.14). Here sums are in float32, of the products from the first to
// the last, or back, and then C.
func (s shape) run(w *warp, regs []int32, n [4]int, back bool) {
	var a [16][16]float32
	var b [16][8]float32
	ra, rb := regs[n[0]:][:n[1]], regs[n[0]+n[1]:][:n[2]]
	rc := regs[n[0]+n[1]+n[2]:]
	for lane := range 32 {
		g, t := lane/4, lane%4
		for i, r := range ra {
			v := uint32(w.r[r][lane])
			if s.wide == nil {
				a[g+8*(i&1)][t+4*(i/2)] = math.Float32frombits(v &^ 0x1fff)
				continue
			}
			row := &a[g+8*(i&1)]
			row[2*t+8*(i/2)], row[2*t+1+8*(i/2)] = s.wide(uint16(v)), s.wide(uint16(v>>16))
		}
		for i, r := range rb {
			v := uint32(w.r[r][lane])
			if s.wide == nil {
				b[t+4*i][g] = math.Float32frombits(v &^ 0x1fff)
				continue
			}
			b[2*t+8*i][g], b[2*t+1+8*i][g] = s.wide(uint16(v)), s.wide(uint16(v>>16))
		}
	}
	if back {
		slices.Reverse(b[:s.k])
		for i := range a {
			slices.Reverse(a[i][:s.k])
		}
	}
	narrow := n[0] == 2
	var d [16][8]float32
	for row := range d {
		dot8(&d[row], &a[row], &b, s.k)
	}
	for lane := range 32 {
		g, t := lane/4, lane%4
		if narrow {
			for i := range 2 {
				c := uint32(w.r[rc[i]][lane])
				lo, hi := half.F16(uint16(c))+d[g+8*i][2*t], half.F16(uint16(c>>16))+d[g+8*i][2*t+1]
				w.r[regs[i]][lane] = uint64(half16.narrow(float64(lo), nearest)) | uint64(half16.narrow(float64(hi), nearest))<<16
			}
			continue
		}
		for i := range 4 {
			w.r[regs[i]][lane] = canonical(f32(w.r[rc[i]][lane]) + d[g+8*(i/2)][2*t+i&1])
		}
	}
}

// dot8 multiplies a row with k rows of 8 columns.
func dot8(d *[8]float32, a *[16]float32, b *[16][8]float32, k int) {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for i, x := range a[:k] {
		r := &b[i]
		s0 += float32(x * r[0])
		s1 += float32(x * r[1])
		s2 += float32(x * r[2])
		s3 += float32(x * r[3])
		s4 += float32(x * r[4])
		s5 += float32(x * r[5])
		s6 += float32(x * r[6])
		s7 += float32(x * r[7])
	}
	*d = [8]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}
