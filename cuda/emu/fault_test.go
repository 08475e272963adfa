package emu

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pkg/errors"
)

// program wraps the body of a kernel named k with the parameters a and b (addresses) and n.
func program(body string) string {
	return `.version 8.0
.target sm_80
.address_size 64
.extern .shared .align 16 .b8 dyn[];
.visible .entry k(.param .u64 a, .param .u64 b, .param .u32 n)
{
	.reg .pred %p<8>;
	.reg .b16 %h<8>;
	.reg .b32 %r<20>;
	.reg .f32 %f<20>;
	.reg .b64 %rd<20>;
	.reg .f64 %d<8>;
	.shared .align 16 .b8 tile[512];
	.local .align 8 .b8 own[16];
	ld.param.u64 %rd1, [a];
	ld.param.u64 %rd2, [b];
	ld.param.u32 %r1, [n];
	mov.u32 %r2, %tid.x;
	mov.u32 %r3, %ctaid.x;
	mov.u32 %r4, %ntid.x;
	mad.lo.s32 %r5, %r3, %r4, %r2;
	mul.wide.u32 %rd3, %r5, 4;
	add.s64 %rd4, %rd1, %rd3; // own word of a
	add.s64 %rd5, %rd2, %rd3; // own word of b
	shl.b32 %r6, %r2, 2;
	mov.u32 %r7, tile;
	add.s32 %r8, %r7, %r6; // own word of tile
` + body + "\n	ret;\n}\n"
}

// A faulty program and what is found in it. The instruction at fault is the one marked with "// here".
type faulty struct {
	name, kind  string
	body        string
	grid, block int // 1 and 32 where they are 0
	thread      int
	detail      string // a part of it
}

var faults = []faulty{
	{name: "past the end", kind: OutOfBounds, body: "ld.global.f32 %f1, [%rd4+128]; // here", detail: `0 bytes past the end of "argument 0" with 128 bytes`},
	{name: "before the start", kind: OutOfBounds, body: "st.global.f32 [%rd4+-4], %f1; // here", detail: `4 bytes before "argument 0"`},
	{name: "one thread too many", kind: OutOfBounds, body: "setp.gt.u32 %p1, %r5, %r1;\n@%p1 ret;\nst.global.u32 [%rd4], %r5; // here", block: 64, thread: 32},
	{name: "address 0", kind: OutOfBounds, body: "mov.u64 %rd6, 0;\nld.global.u32 %r9, [%rd6]; // here", detail: "next to 0"},
	{name: "vector over the end", kind: OutOfBounds, body: "setp.ne.u32 %p1, %r2, 31;\n@%p1 ret;\nld.global.v2.u32 {%r9,%r10}, [%rd4+4]; // here", thread: 31},
	{name: "shared past the end", kind: OutOfBounds, body: "st.shared.u32 [%r8+448], %r2; // here", thread: 16, detail: "shared memory with 512 bytes"},
	{name: "dynamic shared that is not there", kind: OutOfBounds, body: "mov.u32 %r9, dyn;\nst.shared.u32 [%r9], %r2; // here"},
	{name: "local past the end", kind: OutOfBounds, body: "mov.u64 %rd6, own;\nst.local.u32 [%rd6+16], %r2; // here"},
	{name: "generic shared past the end", kind: OutOfBounds, body: "mov.u64 %rd6, tile;\ncvta.shared.u64 %rd7, %rd6;\nst.u32 [%rd7+512], %r2; // here"},
	{name: "atomic past the end", kind: OutOfBounds, body: "atom.global.add.u32 %r9, [%rd4+4], 1; // here", thread: 31},
	{name: "copy from past the end", kind: OutOfBounds, body: "cp.async.ca.shared.global [%r8], [%rd4+8], 4; // here", thread: 30},
	{name: "jump table", kind: OutOfBounds, body: "tab: .branchtargets L1, L2;\nbrx.idx %r2, tab; // here\nL1:\nL2:", thread: 2},
	{name: "unwritten global", kind: Unwritten, body: "ld.global.u32 %r9, [%rd5]; // here", detail: `at byte 0 of "argument 1"`},
	{name: "unwritten in part", kind: Unwritten, body: "st.global.u8 [%rd5], %r2;\nst.global.u8 [%rd5+1], %r2;\nld.global.u32 %r9, [%rd5]; // here"},
	{name: "unwritten shared", kind: Unwritten, body: "setp.lt.u32 %p1, %r2, 5;\n@%p1 st.shared.u32 [%r8], %r2;\nld.shared.u32 %r9, [%r8]; // here", thread: 5},
	{name: "unwritten local", kind: Unwritten, body: "mov.u64 %rd6, own;\nld.local.u32 %r9, [%rd6+8]; // here"},
	{name: "unwritten atomic", kind: Unwritten, body: "red.global.add.u32 [%rd5], 1; // here"},
	{name: "copy not waited for", kind: Unwritten, body: "cp.async.ca.shared.global [%r8], [%rd4], 4;\ncp.async.commit_group;\nld.shared.u32 %r9, [%r8]; // here", detail: "asynchronous copy"},
	{name: "waits for one group too few", kind: Unwritten, body: "cp.async.ca.shared.global [%r8], [%rd4], 4;\ncp.async.commit_group;\ncp.async.ca.shared.global [%r8+128], [%rd4], 4;\ncp.async.commit_group;\ncp.async.wait_group 1;\nld.shared.u32 %r9, [%r8];\nld.shared.u32 %r9, [%r8+128]; // here"},
	{name: "copy from unwritten", kind: Unwritten, body: "cp.async.ca.shared.global [%r8], [%rd5], 4; // here"},
	{name: "ldmatrix of unwritten", kind: Unwritten, body: "shl.b32 %r9, %r2, 4;\nldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r10}, [%r9]; // here"},
	{name: "missing barrier", kind: Race, block: 64, body: "st.shared.u32 [%r8], %r2;\nbar.sync 0;\nst.shared.u32 [%r8], %r5; // here\nxor.b32 %r9, %r6, 128;\nadd.s32 %r9, %r9, %r7;\nld.shared.u32 %r10, [%r9];", thread: 0x20, detail: "no barrier between"},
	{name: "missing barrier, first write", kind: Unwritten, block: 64, body: "st.shared.u32 [%r8], %r2;\nxor.b32 %r9, %r6, 128;\nadd.s32 %r9, %r9, %r7;\nld.shared.u32 %r10, [%r9]; // here"},
	{name: "read then write", kind: Race, block: 64, body: "st.shared.u32 [%r8], %r2;\nbar.sync 0;\nld.shared.u32 %r9, [%r7+4];\nsetp.ne.s32 %p1, %r2, 33;\n@%p1 ret;\nst.shared.u32 [%r7+4], %r2; // here", thread: 33},
	{name: "two warps write", kind: Race, block: 64, body: "st.shared.u32 [%r7], %r1; // here", thread: 32},
	{name: "bytes of two warps", kind: Race, block: 64, body: "add.s32 %r9, %r7, 3;\nst.shared.u8 [%r9], %r1; // here", thread: 32},
	{name: "lanes write different values", kind: Race, body: "st.shared.u32 [%r7], %r2; // here"},
	{name: "lanes write different values to global", kind: Race, body: "st.global.u32 [%rd1], %r2; // here"},
	{name: "atomic and plain", kind: Race, block: 64, body: "setp.eq.u32 %p1, %r2, 0;\n@%p1 st.shared.u32 [%r7], 0;\nbar.sync 0;\nred.shared.add.u32 [%r7], 1; // here\nld.shared.u32 %r9, [%r7];", thread: 32},
	{name: "blocks write", kind: Race, grid: 2, body: "setp.eq.u32 %p1, %r2, 0;\n@%p1 st.global.u32 [%rd1], %r1; // here"},
	{name: "block reads what another wrote", kind: Race, grid: 2, body: "setp.ne.u32 %p1, %r2, 0;\n@%p1 ret;\nsetp.eq.u32 %p2, %r3, 0;\n@%p2 st.global.u32 [%rd1], 1;\n@!%p2 ld.global.u32 %r9, [%rd1]; // here"},
	{name: "block reads what another read and wrote", kind: Race, grid: 2, body: "setp.ne.u32 %p1, %r2, 0;\n@%p1 ret;\nsetp.eq.u32 %p2, %r3, 0;\nld.global.u32 %r9, [%rd1];\n@%p2 st.global.u32 [%rd1], 1;\n@!%p2 ld.global.u32 %r9, [%rd1];"},
	{name: "block writes what others read", kind: Race, grid: 3, body: "setp.ne.u32 %p1, %r2, 0;\n@%p1 ret;\nsetp.eq.u32 %p2, %r3, 2;\nld.global.u32 %r9, [%rd1];\n@%p2 st.global.u32 [%rd1], 1; // here"},
	{name: "block changes what another wrote", kind: Race, grid: 2, body: "setp.ne.u32 %p1, %r2, 0;\n@%p1 ret;\nsetp.eq.u32 %p2, %r3, 0;\n@%p2 st.global.u32 [%rd1], 1;\n@!%p2 red.global.add.u32 [%rd1], 1;"},
	{name: "reads what another warp wrote", kind: Race, block: 64, body: "st.shared.u32 [%r8], %r2;\nbar.sync 0;\nsetp.lt.u32 %p1, %r2, 32;\n@%p1 st.shared.u32 [%r8], %r5;\n@!%p1 ld.shared.u32 %r9, [%r8+-128]; // here", thread: 32},
	{name: "writes what two warps read", kind: Race, block: 64, body: "st.shared.u32 [%r8], %r2;\nbar.sync 0;\nld.shared.u32 %r9, [%r7];\nsetp.eq.u32 %p1, %r2, 40;\n@%p1 st.shared.u32 [%r7], 5; // here", thread: 40},
	{name: "writes 8 bytes that two warps read", kind: Race, block: 64, body: "st.shared.u32 [%r8], %r2;\nbar.sync 0;\nld.shared.u64 %rd9, [%r7];\nsetp.eq.u32 %p1, %r2, 40;\n@%p1 st.shared.u64 [%r7], 5; // here", thread: 40},
	{name: "shared memory of the block before", kind: Unwritten, grid: 3, body: "setp.lt.u32 %p1, %r3, 2;\n@%p1 st.shared.u32 [%r8], %r2;\nld.shared.u32 %r9, [%r8]; // here"},
	{name: "local memory of the block before", kind: Unwritten, grid: 3, body: "mov.u64 %rd6, own;\nsetp.lt.u32 %p1, %r3, 2;\n@%p1 st.local.u32 [%rd6], %r2;\nld.local.u32 %r9, [%rd6]; // here"},
	{name: "copy over a read", kind: Race, block: 64, body: "st.shared.u32 [%r8], %r2;\nbar.sync 0;\nld.shared.u32 %r9, [%r7];\nsetp.ne.u32 %p1, %r2, 32;\n@%p1 ret;\ncp.async.ca.shared.global [%r7], [%rd1], 4; // here", thread: 32},
	{name: "barrier in a part of a warp", kind: Divergent, body: "setp.lt.u32 %p1, %r2, 16;\n@!%p1 bra L;\nbar.sync 0; // here\nbra E;\nL:\nbar.sync 0;\nE:"},
	{name: "barrier under a predicate", kind: Divergent, body: "setp.lt.u32 %p1, %r2, 16;\n@%p1 bar.sync 0; // here"},
	{name: "warps at two barriers", kind: Divergent, block: 64, body: "setp.lt.u32 %p1, %r2, 32;\n@%p1 bra L;\nbar.sync 0;\nbra E;\nL:\nbar.sync 0;\nE:\n", thread: 32},
	{name: "warps wait in vain", kind: Divergent, block: 64, body: "setp.lt.u32 %p1, %r2, 32;\n@%p1 bra L;\nbar.sync 1, 64; \nbra E;\nL:\nbar.sync 2, 64; // here\nE:"},
	{name: "shuffle in a part of a warp", kind: Divergent, body: "setp.lt.u32 %p1, %r2, 16;\n@%p1 shfl.sync.bfly.b32 %r9, %r2, 1, 31, -1; // here"},
	{name: "shuffle of lanes that ended", kind: Divergent, body: "setp.gt.u32 %p1, %r2, 15;\n@%p1 ret;\nshfl.sync.bfly.b32 %r9, %r2, 1, 31, -1; // here"},
	{name: "shuffle of a small block", kind: Divergent, block: 20, body: "shfl.sync.bfly.b32 %r9, %r2, 1, 31, -1; // here"},
	{name: "lane outside the mask", kind: Divergent, body: "vote.sync.ballot.b32 %r9, %p1, 0xffff; // here", thread: 16},
	{name: "shuffle from outside the mask", kind: Divergent, body: "setp.gt.u32 %p1, %r2, 15;\n@%p1 bra E;\nshfl.sync.idx.b32 %r9, %r2, 20, 31, 0xffff; // here\nE:"},
	{name: "mma in a part of a warp", kind: Divergent, body: "setp.gt.u32 %p1, %r2, 15;\n@%p1 mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1,%f2,%f3,%f4}, {%r1,%r2,%r3,%r4}, {%r1,%r2}, {%f1,%f2,%f3,%f4}; // here", thread: 16},
	{name: "ldmatrix in a small block", kind: Divergent, block: 16, body: "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r10}, [%r7]; // here"},
	{name: "misaligned word", kind: Misaligned, body: "ld.global.u32 %r9, [%rd4+2]; // here"},
	{name: "misaligned vector", kind: Misaligned, body: "ld.global.v4.f32 {%f1,%f2,%f3,%f4}, [%rd1+8]; // here"},
	{name: "misaligned shared", kind: Misaligned, body: "st.shared.u64 [%r7+4], %rd1; // here"},
	{name: "misaligned copy", kind: Misaligned, body: "cp.async.cg.shared.global [%r7], [%rd1+8], 16; // here"},
	{name: "endless", kind: Endless, body: "L:\nbra L; // here"},
	{name: "trap", kind: Trap, body: "setp.eq.s32 %p1, %r2, 3;\n@%p1 trap; // here", thread: 3},
}

func TestFaults(t *testing.T) {
	for _, c := range faults {
		c.test(t)
	}
}

// test runs the program with one goroutine, with two, and without checks.
func (c faulty) test(t *testing.T) {
	t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
		src := program(c.body)
		l := Launch{Grid: one1(max(c.grid, 1)), Block: one1(max(c.block, 32)), What: "a test"}
		if c.block > 0 {
			l.Block = one1(c.block)
		}
		out := Unset{make([]uint32, 32)}
		_, err := Try(Options{Budget: 1 << 18, Workers: 1}, src, l, "k", make([]uint32, 32), out, uint32(32))
		var f *Fault
		if _, err := Try(Options{Budget: 1 << 18, Workers: 2}, src, l, "k", make([]uint32, 32), out, uint32(32)); !errors.As(err, &f) || f.Kind != c.kind {
			t.Errorf("two workers: got %v, want %s", err, c.kind)
		}
		if !errors.As(err, &f) {
			t.Fatalf("got error %v, want a fault", err)
		}
		line := 0
		for i, s := range strings.Split(src, "\n") {
			if strings.Contains(s, "// here") {
				line = i + 1
			}
		}
		if f.Kind != c.kind || line > 0 && f.Line != line || f.Thread != (Dim{c.thread, 0, 0}) || !strings.Contains(f.Detail, c.detail) {
			t.Errorf("got %q in thread %d, want %s in line %d, thread %d, with %q", f, f.Thread.X, c.kind, line, c.thread, c.detail)
		}
		if f.Kernel != "k" || f.What != "a test" || !strings.Contains(f.Error(), "kernel k (a test)") {
			t.Errorf("got %q, want the names of kernel and launch", f)
		}
		// Without checks nothing is found but what cannot go on, and no memory of Go is touched.
		if _, err := Try(Options{Budget: 1 << 18, Unchecked: true}, src, l, "k", make([]uint32, 32), out, uint32(32)); err != nil && !errors.As(err, &f) {
			t.Errorf("unchecked: %v", err)
		}
	})
}

func TestLimits(t *testing.T) {
	d := New(Options{})
	load := func(head string) *Kernel {
		m, err := d.Load(strings.Replace(program(""), ".param .u32 n)\n", ".param .u32 n) "+head+"\n", 1))
		if err != nil {
			t.Fatal(err)
		}
		k, err := m.Kernel("k")
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	many := load("")
	many.SetRegisters(128)
	params := make([]byte, 20)
	for _, c := range []struct {
		detail string
		l      Launch
	}{
		{"", Launch{Kernel: load(""), Grid: one1(1), Block: one1(1024), Params: params}},
		{"at least 1", Launch{Kernel: load(""), Grid: Dim{1, 0, 1}, Block: one1(1), Params: params}},
		{"at most 1024 threads", Launch{Kernel: load(""), Grid: one1(1), Block: Dim{33, 32, 1}, Params: params}},
		{"64 in z", Launch{Kernel: load(""), Grid: one1(1), Block: Dim{1, 1, 65}, Params: params}},
		{"65535", Launch{Kernel: load(""), Grid: Dim{1, 65536, 1}, Block: one1(1), Params: params}},
		{"65535", Launch{Kernel: load(""), Grid: Dim{1, 1, 65536}, Block: one1(1), Params: params}},
		{"want 20", Launch{Kernel: load(""), Grid: one1(1), Block: one1(1), Params: params[:16]}},
		{"without the attribute", Launch{Kernel: load(""), Grid: one1(1), Block: one1(1), Params: params, Shared: 48<<10 - 511}},
		{"", Launch{Kernel: load(""), Grid: one1(1), Block: one1(1), Params: params, Shared: 48<<10 - 512}},
		{"", Launch{Kernel: load(""), Grid: one1(1), Block: one1(1), Params: params, Shared: 200 << 10, MaxShared: 200 << 10}},
		{"the attribute allows", Launch{Kernel: load(""), Grid: one1(1), Block: one1(1), Params: params, Shared: 201 << 10, MaxShared: 200 << 10}},
		{"want at most 232448", Launch{Kernel: load(""), Grid: one1(1), Block: one1(1), Params: params, Shared: 227 << 10, MaxShared: 227 << 10}},
		{"65536 registers", Launch{Kernel: many, Grid: one1(1), Block: one1(513), Params: params}},
		{"", Launch{Kernel: many, Grid: one1(1), Block: one1(512), Params: params}},
		{".maxntid", Launch{Kernel: load(".maxntid 64, 1, 1"), Grid: one1(1), Block: one1(65), Params: params}},
		{".reqntid", Launch{Kernel: load(".reqntid 64"), Grid: one1(1), Block: one1(32), Params: params}},
	} {
		_, err := d.Launch(c.l)
		var f *Fault
		switch {
		case c.detail == "" && err != nil:
			t.Errorf("block %s: %v", c.l.Block, err)
		case c.detail != "" && (!errors.As(err, &f) || f.Kind != Limit || !strings.Contains(f.Detail, c.detail)):
			t.Errorf("block %s, grid %s: got %v, want %q", c.l.Block, c.l.Grid, err, c.detail)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{strings.Replace(program(""), "8.0", "9.1", 1), "line 1: version 9.1 is newer than 9.0"},
		{program("frob.b32 %r1, %r2;"), "line 28: unknown opcode frob.b32"},
		{program("add.rx.f32 %f1, %f2, %f3;"), "line 28: unknown modifier .rx of add.rx.f32"},
		{program("add.f32 %f1, %f2;"), "line 28: add.f32 has 2 operands, want 3"},
		{program("add.f32 %f1, %f2, %f99;"), "line 28: unknown register %f99"},
		{program("add.f64 %d1, %d2, %f1;"), "line 28: add.f64: the register %f1 is of type f32, want at least f64"},
		{program("bra nowhere;"), "line 28: no label nowhere"},
		{program("call.uni (%r1), f, ();"), `line 28: call of "f"`},
		{program("cp.async.bulk.shared.global [%r1], [%rd1], 4;"), "line 28: unknown modifier .bulk"},
		{program("ld.global.u32 %r1, %r2;"), "line 28: ld.global.u32: want an address"},
		{program("x: x: ret;"), "line 28: label x is there twice"},
		{".version 8.0\n#", "line 2: the character"},
		{"", "no .version"},
	} {
		if _, err := New(Options{}).Load(c.src); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want %q", err, c.want)
		}
	}
	if _, err := New(Options{}).Load(fmt.Sprint(program(""), program("")[60:])); err == nil {
		t.Error("a kernel that is there twice is no error")
	}
}
