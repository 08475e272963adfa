package emu

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// An opCase is an opcode and what it computes: sig has the types of the result and the operands, which come as bits.
// Operands whose type ends with # are shifts and places, small as a rule.
type opCase struct {
	op, sig string
	want    func(x []uint64) uint64
}

// opProgram is a kernel that applies an opcode to its operands, 8 bytes each, and stores the result.
func opProgram(op, sig string) string {
	types := strings.Fields(sig)
	var b strings.Builder
	b.WriteString(".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 y, .param .u64 x)\n{\n")
	b.WriteString(".reg .pred %p<9>;\n.reg .b32 %t<9>;\n.reg .b64 %rd<9>;\n")
	names := []string{"d"}
	for i, t := range types {
		t = strings.TrimSuffix(t, "#")
		if t == "pred" {
			fmt.Fprintf(&b, ".reg .pred r%d;\n", i)
		} else {
			fmt.Fprintf(&b, ".reg .%s r%d;\n", map[int]string{1: "b16", 2: "b16", 4: "b32", 8: "b64"}[sizes[t]], i)
		}
	}
	fmt.Fprintf(&b, "mov.u32 %%t1, %%ctaid.x;\nmov.u32 %%t2, %%ntid.x;\nmov.u32 %%t3, %%tid.x;\nmad.lo.u32 %%t1, %%t1, %%t2, %%t3;\n")
	fmt.Fprintf(&b, "ld.param.u64 %%rd1, [y];\nld.param.u64 %%rd2, [x];\nmad.wide.u32 %%rd1, %%t1, 8, %%rd1;\nmad.wide.u32 %%rd2, %%t1, %d, %%rd2;\n", 8*(len(types)-1))
	names = names[:0]
	for i, t := range types {
		names = append(names, fmt.Sprintf("r%d", i))
		if i == 0 {
			continue
		}
		at := fmt.Sprintf("[%%rd2+%d]", 8*(i-1))
		if t = strings.TrimSuffix(t, "#"); t == "pred" {
			fmt.Fprintf(&b, "ld.global.u32 %%t4, %s;\nsetp.ne.u32 r%d, %%t4, 0;\n", at, i)
		} else {
			fmt.Fprintf(&b, "ld.global.b%d r%d, %s;\n", 8*max(sizes[t], 2), i, at)
		}
	}
	ops := op
	if !strings.Contains(op, "$") {
		ops = op + " $0"
		for i := 1; i < len(types); i++ {
			ops += fmt.Sprintf(", $%d", i)
		}
	}
	for i := range names {
		ops = strings.ReplaceAll(ops, fmt.Sprintf("$%d", i), names[i])
	}
	b.WriteString(ops + ";\nmov.u64 %rd3, 0;\nst.global.u64 [%rd1], %rd3;\n")
	if types[0] == "pred" {
		b.WriteString("selp.u32 %t4, 1, 0, r0;\nst.global.u32 [%rd1], %t4;\n")
	} else {
		fmt.Fprintf(&b, "st.global.b%d [%%rd1], r0;\n", 8*max(sizes[types[0]], 2))
	}
	b.WriteString("ret;\n}\n")
	return b.String()
}

// corners are operands that are worth a try, by width in bytes.
var corners = map[int][]uint64{
	2: {0, 1, 0x8000, 0x7fff, 0xffff, 0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x7e00, 0x0001, 0x03ff, 0x0400, 0x7bff, 0x3f80, 0x7f80, 0xff80, 0x7fc0, 0x7f7f, 0x80},
	4: {0, 1, 0x80000000, 0x7fffffff, 0xffffffff, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff,
		0xff7fffff, 0x3f000000, 0x40200000, 0x4f000000, 0xcf000000, 0x5f000000, 0x3f7fffff, 0x33800000, 0x477fe000, 0x477ff000, 0x38800000, 0xff, 0x80, 31, 32},
	8: {0, 1, 1 << 63, 1<<63 - 1, math.MaxUint64, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 1,
		0x800fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0x3fe0000000000000, 0x4004000000000000, 0x41e0000000000000, 0x43e0000000000000, 0xc3e0000000000000,
		0x3ca0000000000000, 0x36a0000000000000, 0x47efffffe0000000, 0x47efffffefffffff, 0xffffffff, 1 << 32},
}

func operandFor(r *rand.Rand, typ string) uint64 {
	if strings.HasSuffix(typ, "#") {
		if r.IntN(8) == 0 {
			return r.Uint64() & 0xffffffff
		}
		return r.Uint64N(72)
	}
	if typ == "pred" {
		return r.Uint64N(2)
	}
	n := max(sizes[typ], 2)
	if r.IntN(3) == 0 {
		return corners[n][r.IntN(len(corners[n]))]
	}
	v := r.Uint64()
	switch k := r.IntN(4); {
	case typ == "f32" && k > 0:
		v = uint64(math.Float32bits(float32(r.NormFloat64() * math.Exp2(float64(r.IntN(41)-20)))))
	case typ == "f64" && k > 0:
		v = math.Float64bits(r.NormFloat64() * math.Exp2(float64(r.IntN(81)-40)))
	case k == 0:
		v = r.Uint64N(200)
	}
	return v & (^uint64(0) >> (64 - 8*n))
}

func TestOpcodes(t *testing.T) {
	const n = 512
	for k, c := range allCases() {
		types := strings.Fields(c.sig)
		r := rand.New(rand.NewPCG(uint64(k), 7))
		x := make([]uint64, 0, n*(len(types)-1))
		for range n {
			for _, typ := range types[1:] {
				x = append(x, operandFor(r, typ))
			}
		}
		y := make([]uint64, n)
		src := opProgram(c.op, c.sig)
		if _, err := Try(Options{Workers: 1}, src, Launch{Grid: one1(4), Block: one1(128)}, "k", Unset{y}, x); err != nil {
			t.Errorf("%s: %v", c.op, err)
			continue
		}
		for i, got := range y {
			args := x[i*(len(types)-1) : (i+1)*(len(types)-1)]
			if want := c.want(args); got != want {
				t.Errorf("%s %#x: got %#x, want %#x", c.op, args, got, want)
				break
			}
		}
	}
}

// TestTable checks that every row of the table is exercised: by an opCase, a kernel of testdata or a program of
// these tests.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	note := func(src string) {
		p, err := parse(src)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range p.order {
			for _, s := range f.body {
				key, _, _ := rowOf(s.op)
				seen[key] = true
			}
		}
	}
	for _, c := range allCases() {
		note(opProgram(c.op, c.sig))
	}
	for _, c := range faults {
		note(program(c.body))
	}
	for _, c := range programs {
		note(program(c.body))
	}
	for _, name := range []string{"basic", "gemm", "more"} {
		note(ptxFile(t, name))
	}
	for _, c := range mmas {
		seen["mma.sync.aligned."+c.name] = true // by TestMMA
	}
	for key := range table {
		if !seen[key] {
			t.Errorf("no test runs %s", key)
		}
	}
	t.Logf("%d rows, %d opcode cases, %d programs, %d faulty ones", len(table), len(allCases()), len(programs), len(faults))
}

// rat is the exact value of a float that is finite.
func rat(v float64) *big.Rat { return new(big.Rat).SetFloat64(v) }

// round32 rounds an exact value to float32. negative tells the sign of a zero.
func round32(x *big.Rat, mode string, negative bool) float32 {
	f, _ := x.Float32()
	if x.Sign() == 0 {
		if negative {
			return float32(math.Copysign(0, -1))
		}
		return 0
	}
	if mode == "rn" || finite(float64(f)) && rat(float64(f)).Cmp(x) == 0 {
		return f
	}
	above := math.IsInf(float64(f), 1) || !math.IsInf(float64(f), -1) && rat(float64(f)).Cmp(x) > 0
	switch lower := mode == "rm" || mode == "rz" && x.Sign() > 0; {
	case lower && above:
		return math.Nextafter32(f, float32(math.Inf(-1)))
	case !lower && !above:
		return math.Nextafter32(f, float32(math.Inf(1)))
	}
	return f
}

// round64 rounds an exact value to float64.
func round64(x *big.Rat, mode string, negative bool) float64 {
	f, _ := x.Float64()
	if x.Sign() == 0 {
		if negative {
			return math.Copysign(0, -1)
		}
		return 0
	}
	if mode == "rn" || finite(f) && rat(f).Cmp(x) == 0 {
		return f
	}
	above := math.IsInf(f, 1) || !math.IsInf(f, -1) && rat(f).Cmp(x) > 0
	switch lower := mode == "rm" || mode == "rz" && x.Sign() > 0; {
	case lower && above:
		return math.Nextafter(f, math.Inf(-1))
	case !lower && !above:
		return math.Nextafter(f, math.Inf(1))
	}
	return f
}

func finite(x ...float64) bool {
	for _, v := range x {
		if math.IsInf(v, 0) || v != v {
			return false
		}
	}
	return true
}

func bits32(v float32) uint64 {
	if v != v {
		return 0x7fffffff
	}
	return uint64(math.Float32bits(v))
}

func bits64(v float64) uint64 {
	if v != v {
		return 0x7ff8000000000000
	}
	return math.Float64bits(v)
}

func float32Of(b uint64) float64 { return float64(math.Float32frombits(uint32(b))) }
