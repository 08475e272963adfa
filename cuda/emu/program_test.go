package emu

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/half"
)

// A goodProgram is a body for program that leaves a word in a for each thread, where its index was.
type goodProgram struct {
	name, body string
	block      int // 32 where it is 0
	want       func(i uint32) uint32
}

var programs = []goodProgram{
	{"nothing", "", 0, func(i uint32) uint32 { return i }},
	{"branches join", "and.b32 %r9, %r2, 3;\nmov.u32 %r10, 0;\nL:\nsetp.ge.u32 %p1, %r10, %r9;\n@%p1 bra E;\nadd.u32 %r10, %r10, 1;\nbra L;\nE:\nactivemask.b32 %r11;\nadd.u32 %r11, %r11, %r10;\nst.global.u32 [%rd4], %r11;", 0,
		func(i uint32) uint32 { return i&3 - 1 }},
	{"far arm comes back", "and.b32 %r9, %r2, 1;\nsetp.eq.u32 %p1, %r9, 1;\n@%p1 bra FAR;\nB:\nbar.sync 0;\nactivemask.b32 %r9;\nst.global.u32 [%rd4], %r9;\nbra E;\nFAR:\nadd.u32 %r9, %r9, 1;\nbra B;\nE:", 0,
		func(uint32) uint32 { return full }},
	{"threads end before a barrier", "setp.gt.u32 %p1, %r2, 40;\n@%p1 bra END;\nbar.sync 0;\nst.global.u32 [%rd4], 7;\nEND:", 96,
		func(i uint32) uint32 {
			if i > 40 {
				return i
			}
			return 7
		}},
	{"exit", "setp.gt.u32 %p1, %r2, 4;\n@%p1 exit;\nst.global.u32 [%rd4], 9;", 0, func(i uint32) uint32 {
		if i > 4 {
			return i
		}
		return 9
	}},
	{"named barriers", "setp.lt.u32 %p1, %r2, 64;\n@!%p1 bra E;\nst.shared.u32 [%r8], %r2;\nbarrier.sync.aligned 3, 64;\nxor.b32 %r9, %r6, 128;\nadd.u32 %r9, %r9, %r7;\nld.shared.u32 %r10, [%r9];\nst.global.u32 [%rd4], %r10;\nE:", 96,
		func(i uint32) uint32 {
			if i >= 64 {
				return i
			}
			return i ^ 32
		}},
	{"producer and consumer", "setp.lt.u32 %p1, %r2, 32;\n@%p1 bra C;\nst.shared.u32 [%r8], %r2;\nbar.arrive 1, 64;\nbra E;\nC:\nbar.sync 1, 64;\nld.shared.u32 %r9, [%r8+128];\nst.global.u32 [%rd4], %r9;\nE:", 64,
		func(i uint32) uint32 { return i | 32 }},
	{"barrier reduces", "setp.gt.u32 %p1, %r2, 10;\nbar.red.popc.u32 %r9, 0, %p1;\nbar.red.and.pred %p2, 0, %p1;\nbar.red.or.pred %p3, 0, !%p1;\nselp.u32 %r10, 1000, 0, %p2;\nadd.u32 %r9, %r9, %r10;\nselp.u32 %r10, 100, 0, %p3;\nadd.u32 %r9, %r9, %r10;\nst.global.u32 [%rd4], %r9;", 64,
		func(uint32) uint32 { return 153 }},
	{"matching", "cvt.u64.u32 %rd6, %r2;\nand.b64 %rd6, %rd6, 3;\nmatch.any.sync.b64 %r9, %rd6, -1;\nst.global.u32 [%rd4], %r9;", 0, func(i uint32) uint32 { return 0x11111111 << (i & 3) }},
	{"reduction of bits", "shl.b32 %r9, 1, %r2;\nredux.sync.or.b32 %r10, %r9, -1;\nredux.sync.and.b32 %r11, %r10, -1;\nredux.sync.xor.b32 %r12, %r2, -1;\nadd.u32 %r10, %r11, %r12;\nredux.sync.min.s32 %r11, %r2, -1;\nadd.u32 %r10, %r10, %r11;\nst.global.u32 [%rd4], %r10;", 0,
		func(uint32) uint32 { return full }},
	{"election", "elect.sync %r9|%p1, -1;\n@%p1 add.u32 %r9, %r9, 50;\nst.global.u32 [%rd4], %r9;", 0, func(i uint32) uint32 {
		if i == 0 {
			return 50
		}
		return 0
	}},
	{"half of a warp shuffles", "setp.gt.u32 %p1, %r2, 15;\n@%p1 bra E;\nshfl.sync.bfly.b32 %r9, %r2, 1, 31, 0xffff;\nst.global.u32 [%rd4], %r9;\nE: bar.warp.sync -1;", 0,
		func(i uint32) uint32 {
			if i > 15 {
				return i
			}
			return i ^ 1
		}},
	{"spaces", "mov.u64 %rd6, tile;\ncvta.shared.u64 %rd6, %rd6;\nisspacep.shared %p1, %rd6;\nisspacep.global %p2, %rd1;\nmov.u64 %rd7, own;\ncvta.local.u64 %rd7, %rd7;\nisspacep.local %p3, %rd7;\nst.u32 [%rd7+4], %r2;\nld.u32 %r9, [%rd7+4];\n@%p1 add.u32 %r9, %r9, 100;\n@%p2 add.u32 %r9, %r9, 1000;\n@%p3 add.u32 %r9, %r9, 10000;\nadd.u64 %rd8, %rd6, %rd3;\nst.u32 [%rd8], %r9;\nld.shared.u32 %r10, [%r8];\nst.u32 [%rd4], %r10;", 0,
		func(i uint32) uint32 { return i + 11100 }},
	{"mixed generic addresses", "mov.u64 %rd6, tile;\ncvta.shared.u64 %rd6, %rd6;\nadd.u64 %rd6, %rd6, %rd3;\nsetp.lt.u32 %p1, %r2, 8;\nselp.b64 %rd7, %rd6, %rd4, %p1;\nst.u32 [%rd7], 5;\nld.u32 %r9, [%rd7];\natom.add.u32 %r10, [%rd7], %r9;\nld.u32 %r9, [%rd7];\nst.u32 [%rd4], %r9;", 0, func(uint32) uint32 { return 10 }},
	{"atomic sums of subnormals", "mov.u32 %r9, 0x400000;\nmov.b32 %f1, %r9;\nst.shared.u32 [%r8], %r9;\nred.shared.add.f32 [%r8], %f1;\nst.global.u32 [%rd4], %r9;\nred.global.add.f32 [%rd4], %f1;\nld.shared.u32 %r10, [%r8];\nld.global.u32 %r11, [%rd4];\nadd.u32 %r10, %r10, %r11;\nst.global.u32 [%rd4], %r10;", 0, func(uint32) uint32 { return 0x800000 }},
	{"signed bytes", "sub.u32 %r9, 0, %r2;\nst.shared.u8 [%r8], %r9;\nld.shared.s8 %r10, [%r8];\nst.global.u32 [%rd4], %r10;", 0, func(i uint32) uint32 { return -i }},
	{"signed halves", "sub.u32 %r9, 0, %r2;\nst.shared.u16 [%r8], %r9;\nld.shared.s16 %rd6, [%r8];\nshr.u64 %rd6, %rd6, 32;\nst.global.u32 [%rd4], %rd6;", 0, func(i uint32) uint32 {
		if i == 0 {
			return 0
		}
		return full
	}},
	{"vectors", "mov.u32 %r9, 3;\nst.shared.v2.u32 [%r7], {%r9, %r1};\nld.shared.v2.u32 {%r10, %r11}, [%r7];\nadd.u32 %r10, %r10, %r11;\nst.global.u32 [%rd4], %r10;", 0, func(uint32) uint32 { return 35 }},
	{"copies of all sizes", "mul.lo.u32 %r9, %r2, 16;\nadd.u32 %r9, %r9, %r7;\nand.b64 %rd6, %rd4, -16;\ncp.async.cg.shared.global [%r9], [%rd6], 16;\ncp.async.wait_all;\nld.shared.v4.u32 {%r10,%r11,%r12,%r13}, [%r9];\ncp.async.ca.shared.global [%r9], [%rd6], 8, 4;\ncp.async.commit_group;\ncp.async.wait_group 0;\nld.shared.v2.u32 {%r14,%r15}, [%r9];\nadd.u32 %r13, %r13, %r15;\nadd.u32 %r13, %r13, %r14;\nst.global.u32 [%rd4], %r13;", 0,
		func(i uint32) uint32 { return (i | 3) + i&^3 }},
	{"hints", "prefetch.global.L2 [%rd1];\nfence.acq_rel.gpu;\nnanosleep.u32 20;\nld.global.L1::no_allocate.L2::128B.u32 %r9, [%rd4];\nst.global.wt.u32 [%rd4], %r9;", 0, func(i uint32) uint32 { return i }},
	{"clock", "mov.u32 %r9, %clock;\nmov.u32 %r10, %clock;\nsetp.gt.u32 %p1, %r10, %r9;\nselp.u32 %r9, 1, 0, %p1;\nst.global.u32 [%rd4], %r9;", 0, func(uint32) uint32 { return 1 }},
	{"masks", "mov.u32 %r9, %lanemask_lt;\nmov.u32 %r10, %lanemask_ge;\nxor.b32 %r9, %r9, %r10;\nmov.u32 %r10, %lanemask_le;\nxor.b32 %r9, %r9, %r10;\nmov.u32 %r10, %lanemask_gt;\nxor.b32 %r9, %r9, %r10;\nmov.u32 %r10, %lanemask_eq;\nadd.u32 %r9, %r9, %r10;\nst.global.u32 [%rd4], %r9;", 0, func(i uint32) uint32 { return 1 << i }},
	{"scopes", "{\n.reg .b32 %r9;\n.reg .pred q;\nmov.u32 %r9, 5;\nsetp.eq.u32 q, %r9, 5;\n@!q bra X;\nst.global.u32 [%rd4], %r9;\nX:\n}\n{\n.reg .pred q;\nX:\nsetp.eq.u32 q, %r2, 9;\n@q st.global.u32 [%rd4], 1;\n}", 0, func(i uint32) uint32 {
		if i == 9 {
			return 1
		}
		return 5
	}},
	{"local memory", "mov.u64 %rd6, own;\nst.local.v2.u32 [%rd6], {%r2, %r1};\nld.local.u32 %r9, [%rd6+4];\nst.global.u32 [%rd4], %r9;", 0, func(uint32) uint32 { return 32 }},
}

func TestPrograms(t *testing.T) {
	for _, c := range programs {
		c.test(t)
	}
}

// test runs the program with checks and without.
func (c goodProgram) test(t *testing.T) {
	n := max(c.block, 32)
	for _, unchecked := range []bool{false, true} {
		a := make([]uint32, n)
		for i := range a {
			a[i] = uint32(i)
		}
		_, err := Try(Options{Unchecked: unchecked}, program(c.body), Launch{Grid: one1(1), Block: one1(n)}, "k", a, make([]uint32, n), uint32(32))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for i, got := range a {
			if want := c.want(uint32(i)); got != want {
				t.Errorf("%s: thread %d: got %#x, want %#x", c.name, i, got, want)
				break
			}
		}
	}
}

// mmaProgram loads the registers of A, B and C of each lane, multiplies and stores those of D.
func mmaProgram(op string, n [4]int) string {
	var b strings.Builder
	b.WriteString(".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 d, .param .u64 x)\n{\n.reg .b32 %r<40>;\n.reg .b64 %rd<5>;\n")
	fmt.Fprintf(&b, "mov.u32 %%r39, %%tid.x;\nld.param.u64 %%rd1, [d];\nld.param.u64 %%rd2, [x];\nmad.wide.u32 %%rd1, %%r39, %d, %%rd1;\nmad.wide.u32 %%rd2, %%r39, %d, %%rd2;\n", 4*n[0], 4*(n[1]+n[2]+n[3]))
	reg, lists := 0, [4]string{}
	for k, count := range n {
		for i := range count {
			lists[k] += fmt.Sprintf(", %%r%d", reg)
			if k > 0 {
				fmt.Fprintf(&b, "ld.global.u32 %%r%d, [%%rd2+%d];\n", reg, 4*(reg-n[0]))
			}
			_ = i
			reg++
		}
	}
	fmt.Fprintf(&b, "%s {%s}, {%s}, {%s}, {%s};\n", op, lists[0][2:], lists[1][2:], lists[2][2:], lists[3][2:])
	for i := range n[0] {
		fmt.Fprintf(&b, "st.global.b32 [%%rd1+%d], %%r%d;\n", 4*i, i)
	}
	return b.String() + "ret;\n}\n"
}

var mmas = []struct {
	name  string
	k     int
	kind  string // of A and B
	halfD bool
}{
	{"m16n8k16.row.col.f32.bf16.bf16.f32", 16, "bf16", false}, {"m16n8k16.row.col.f32.f16.f16.f32", 16, "f16", false},
	{"m16n8k16.row.col.f16.f16.f16.f16", 16, "f16", true}, {"m16n8k8.row.col.f32.bf16.bf16.f32", 8, "bf16", false},
	{"m16n8k8.row.col.f32.f16.f16.f32", 8, "f16", false}, {"m16n8k8.row.col.f16.f16.f16.f16", 8, "f16", true},
	{"m16n8k8.row.col.f32.tf32.tf32.f32", 8, "tf32", false}, {"m16n8k4.row.col.f32.tf32.tf32.f32", 4, "tf32", false},
}

// An mmaCase has the matrices of one mma: A (16, k), B (k, 8) and C (16, 8).
type mmaCase struct {
	k       int
	kind    string
	halfD   bool
	a, b, c []float32
}

// bits are those of element e of a fragment of A or B, or of two elements where they have 16 bits.
func (m mmaCase) bits(get func(e int) float32, e int) uint32 {
	switch m.kind {
	case "tf32":
		return math.Float32bits(get(e))
	case "f16":
		return uint32(half.ToF16(get(2*e))) | uint32(half.ToF16(get(2*e+1)))<<16
	}
	return uint32(half.ToBF16(get(2*e))) | uint32(half.ToBF16(get(2*e+1)))<<16
}

// lane packs the registers of one lane as the manual draws them, element by element: sections 9.7.14.5.7 and
// 9.7.14.5.8.
func (m mmaCase) lane(lane int, n [4]int) (x []uint32) {
	g, tid := lane>>2, lane&3
	for e := range n[1] {
		x = append(x, m.bits(func(i int) float32 {
			row, col := g, 2*tid+i&1
			if m.kind == "tf32" {
				row, col = g+8*(i&1), tid+4*(i>>1)
			} else {
				if i >= 2 && i < 4 || i >= 6 {
					row += 8
				}
				if i >= 4 {
					col += 8
				}
			}
			return m.a[row*m.k+col]
		}, e))
	}
	for e := range n[2] {
		x = append(x, m.bits(func(i int) float32 {
			row := 2*tid + i&1 + i/2*8
			if m.kind == "tf32" {
				row = tid + 4*i
			}
			return m.b[row*8+g]
		}, e))
	}
	at := func(i int) float32 { return m.c[(g+i/2*8)*8+2*tid+i&1] }
	for e := range n[3] {
		if m.halfD {
			x = append(x, uint32(half.ToF16(at(2*e)))|uint32(half.ToF16(at(2*e+1)))<<16)
		} else {
			x = append(x, math.Float32bits(at(e)))
		}
	}
	return x
}

func TestMMA(t *testing.T) {
	for _, c := range mmas {
		round := map[string]func(f float32) float32{
			"bf16": func(f float32) float32 { return half.BF16(half.ToBF16(f)) }, "f16": func(f float32) float32 { return half.F16(half.ToF16(f)) },
			"tf32": func(f float32) float32 { return math.Float32frombits(math.Float32bits(f) &^ 0x1fff) },
		}[c.kind]
		m := mmaCase{c.k, c.kind, c.halfD, randoms(16*c.k, 1), randoms(c.k*8, 2), randoms(16*8, 3)}
		for i := range m.a {
			m.a[i] = round(m.a[i])
		}
		for i := range m.b {
			m.b[i] = round(m.b[i])
		}
		n := [4]int{4, c.k / 4, c.k / 8, 4}
		if c.kind == "tf32" {
			n[1], n[2] = c.k/2, c.k/4
		}
		if c.halfD {
			n[0], n[3] = 2, 2
		}
		var x []uint32
		for lane := range 32 {
			x = append(x, m.lane(lane, n)...)
		}
		d := make([]uint32, 32*n[0])
		Run(t, mmaProgram("mma.sync.aligned."+c.name, n), "k", one1(1), one1(32), Unset{d}, x)
		for i := range 128 {
			lane, e := i/4, i%4
			row, col := lane>>2+e/2*8, 2*(lane&3)+e&1
			want := float64(m.c[row*8+col])
			for l := range c.k {
				want += float64(m.a[row*c.k+l]) * float64(m.b[l*8+col])
			}
			got, tolerance := float64(math.Float32frombits(d[i%len(d)])), 1e-5
			if c.halfD { // rounded to half of 2⁻¹⁰
				got, tolerance = float64(half.F16(uint16(d[lane*2+e/2]>>(16*(e&1))))), 2e-3
			}
			near(t, fmt.Sprintf("%s row %d, column %d", c.name, row, col), got, want, tolerance)
		}
	}
}

// TestSumOrder checks that the option turns the order in which an mma adds its products. In float32 1 + 2²⁴ − 2²⁴ is 0,
// and 1 from the end.
func TestSumOrder(t *testing.T) {
	n := [4]int{4, 4, 2, 4}
	m := mmaCase{16, "bf16", false, make([]float32, 16*16), make([]float32, 16*8), make([]float32, 16*8)}
	for i := range 3 * 8 { // the first three rows
		m.b[i] = 1
	}
	for row := range 16 {
		copy(m.a[16*row:], []float32{1, 0x1p24, -0x1p24})
	}
	var x []uint32
	for lane := range 32 {
		x = append(x, m.lane(lane, n)...)
	}
	for direction, want := range map[int]float32{-1: 1, 0: 0, 1: 1} {
		d := make([]uint32, 128)
		src, l := mmaProgram("mma.sync.aligned."+mmas[0].name, n), Launch{Grid: one1(1), Block: one1(32)}
		if _, err := Try(Options{Approx: direction}, src, l, "k", Unset{d}, x); err != nil {
			t.Fatal(err)
		}
		for i, b := range d {
			if got := math.Float32frombits(b); got != want {
				t.Errorf("direction %d: got %g at %d, want %g", direction, got, i, want)
				break
			}
		}
	}
}

// TestShuffles compares all ways of a shuffle with the manual's pseudocode, for random lanes, clamps and segments.
func TestShuffles(t *testing.T) {
	for _, way := range []string{"up", "down", "bfly", "idx"} {
		src := opProgram("shfl.sync."+way+".b32 $0|%p1, $1, $2, $3, -1;\n@!%p1 add.u32 $0, $0, 1000", "b32 b32 b32 b32")
		x, y := make([]uint64, 3*512), make([]uint64, 512)
		for i := range 512 {
			r := uint64(i)*0x9e3779b97f4a7c15 ^ uint64(i)<<7
			x[3*i], x[3*i+1], x[3*i+2] = uint64(i), r>>20&31, r>>30&0x1f1f
		}
		if _, err := Try(Options{}, src, Launch{Grid: one1(4), Block: one1(128)}, "k", Unset{y}, x); err != nil {
			t.Fatal(err)
		}
		for i, got := range y {
			lane, b, c := i&31, int(x[3*i+1]), int(x[3*i+2])
			segment, clamp := c>>8&31, c&31
			most, least := lane&segment|clamp&^segment, lane&segment
			var j int
			var p bool
			switch way {
			case "up":
				j = lane - b
				p = j >= most
			case "down":
				j = lane + b
				p = j <= most
			case "bfly":
				j = lane ^ b
				p = j <= most
			case "idx":
				j = least | b&^segment
				p = j <= most
			}
			want := uint64(i)
			if p {
				want = uint64(i&^31 | j)
			} else {
				want += 1000
			}
			if got != want {
				t.Fatalf("%s: lane %d, b %d, c %#x: got %d, want %d", way, lane, b, c, got, want)
			}
		}
	}
}

// TestFMAMidpoints rounds once where float64 lies half-way between two float32: a·b is half-way, and c decides.
func TestFMAMidpoints(t *testing.T) {
	var x []uint64
	for i := range 128 {
		a := math.Float32bits(1 + 0x1p-12*float32(1+2*(i%8)))
		c := math.Float32bits([]float32{0x1p-60, -0x1p-60, 0, 0x1p-100, -0x1p-140, 0x1p-149}[i%6])
		x = append(x, uint64(a), uint64(math.Float32bits(1+0x1p-12)), uint64(c))
	}
	y := make([]uint64, 128)
	if _, err := Try(Options{}, opProgram("fma.rn.f32", "f32 f32 f32 f32"), Launch{Grid: one1(1), Block: one1(128)}, "k", Unset{y}, x); err != nil {
		t.Fatal(err)
	}
	for i, got := range y {
		if want := bits32(exactSum("rn", float32Of(x[3*i]), float32Of(x[3*i+1]), float32Of(x[3*i+2]))); got != want {
			t.Errorf("%#x: got %#x, want %#x", x[3*i:3*i+3], got, want)
		}
	}
}
