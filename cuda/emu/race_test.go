package emu

import "testing"

// globalRaces are programs whose warps touch global memory, as [faulty] has them. The words of b are unwritten.
var globalRaces = []faulty{
	{name: "global: reads what another warp wrote", kind: Race, block: 64, body: "setp.lt.u32 %p1, %r2, 32;\n@%p1 st.global.u32 [%rd1], 1;\n@!%p1 ld.global.u32 %r9, [%rd1]; // here",
		thread: 32, detail: `at byte 0 of "argument 0" with 128 bytes: warp 1 here and warp 0 touch them, with no barrier between`},
	{name: "global: two warps write the same", kind: Race, block: 64, body: "st.global.u32 [%rd1], 1; // here", thread: 32, detail: "warp 1 here and warp 0"},
	{name: "global: writes what another warp read", kind: Race, block: 64, body: "setp.lt.u32 %p1, %r2, 32;\n@%p1 ld.global.u32 %r9, [%rd1];\n@!%p1 st.global.u32 [%rd1], 1; // here", thread: 32, detail: "warp 1 here and warp 0"},
	{name: "global: writes what all warps read", kind: Race, block: 96, body: "ld.global.u32 %r9, [%rd1];\nsetp.eq.u32 %p1, %r2, 70;\n@%p1 st.global.u32 [%rd1], 5; // here", thread: 70, detail: "warp 2 here and warp 0"},
	{name: "global: after the next barrier", kind: Race, block: 64, body: "setp.eq.u32 %p1, %r2, 0;\n@%p1 st.global.u32 [%rd1], 1;\nbar.sync 0;\nld.global.u32 %r9, [%rd1];\nbar.sync 0;\nld.global.u32 %r9, [%rd1];\nsetp.eq.u32 %p1, %r2, 33;\n@%p1 st.global.u32 [%rd1], 1; // here", thread: 33},
	{name: "global: rows of warps", kind: Race, block: 64, body: "and.b32 %r9, %r2, 31;\nmul.wide.u32 %rd6, %r9, 4;\nadd.u64 %rd6, %rd1, %rd6;\nst.global.u32 [%rd6], %r9; // here", thread: 32},
	{name: "global: vectors", kind: Race, block: 64, body: "setp.eq.u32 %p1, %r2, 0;\nsetp.eq.u32 %p2, %r2, 32;\n@%p1 st.global.v4.u32 [%rd1], {%r1,%r1,%r1,%r1};\n@%p2 ld.global.v2.u32 {%r9,%r10}, [%rd1+8]; // here", thread: 32, detail: "at byte 8"},
	{name: "global: bytes of a word that bytes share", kind: Race, block: 64, body: "setp.eq.u32 %p1, %r2, 0;\nsetp.eq.u32 %p2, %r2, 32;\n@%p1 st.global.u8 [%rd1+1], %r1;\n@%p2 ld.global.u16 %h1, [%rd1]; // here", thread: 32},
	{name: "global: generic address", kind: Race, block: 64, body: "setp.lt.u32 %p1, %r2, 32;\n@%p1 st.u32 [%rd1], 1;\n@!%p1 ld.u32 %r9, [%rd1]; // here", thread: 32},
	{name: "global: copy of what another warp wrote", kind: Race, block: 64, body: "setp.lt.u32 %p1, %r2, 32;\n@%p1 st.global.u32 [%rd1], 1;\n@!%p1 cp.async.ca.shared.global [%r8], [%rd1], 4; // here", thread: 32},
	{name: "global: atomic and plain", kind: Race, block: 64, body: "setp.lt.u32 %p1, %r2, 32;\n@%p1 red.global.add.u32 [%rd1], 1;\n@!%p1 ld.global.u32 %r9, [%rd1]; // here", thread: 32},
	{name: "global: plain and atomic", kind: Race, block: 64, body: "setp.eq.u32 %p1, %r2, 0;\n@%p1 st.global.u32 [%rd1], 1;\nred.global.add.u32 [%rd1], 1; // here", thread: 32},
	{name: "global: two warps of many blocks", kind: Race, block: 64, grid: 3, body: "mul.wide.u32 %rd6, %r3, 4;\nadd.u64 %rd6, %rd6, %rd1;\nsetp.ne.u32 %p2, %r3, 1;\n@%p2 ret;\nst.global.u32 [%rd6], %r3; // here", thread: 32, detail: "at byte 4"},
	{name: "global: read and atomic of two blocks", kind: Race, grid: 2, body: "setp.ne.u32 %p1, %r2, 0;\n@%p1 ret;\nsetp.eq.u32 %p2, %r3, 0;\n@%p2 ld.global.u32 %r9, [%rd1];\nred.global.add.u32 [%rd1], 1; // here"},
}

func TestGlobalRaces(t *testing.T) {
	for _, c := range globalRaces {
		c.test(t)
	}
}

// globalOrders are programs whose warps touch the same global memory in an order, or need none.
var globalOrders = []goodProgram{
	{"barrier", "xor.b32 %r9, %r2, 32;\nmul.wide.u32 %rd6, %r9, 4;\nadd.u64 %rd6, %rd1, %rd6;\nst.global.u32 [%rd4], 7;\nbar.sync 0;\nld.global.u32 %r10, [%rd6];\nbar.sync 0;\nadd.u32 %r10, %r10, %r9;\nst.global.u32 [%rd6], %r10;", 64,
		func(i uint32) uint32 { return i + 7 }},
	{"all read", "ld.global.u32 %r9, [%rd1];\nbar.sync 0;\nadd.u32 %r9, %r9, 3;\nst.global.u32 [%rd4], %r9;", 96, func(uint32) uint32 { return 3 }},
	{"atomic operations of all warps", "red.global.add.u32 [%rd1], 1;\nbar.sync 0;\nld.global.u32 %r9, [%rd1];\nbar.sync 0;\nst.global.u32 [%rd4], %r9;", 96,
		func(uint32) uint32 { return 96 }},
	{"a warp for itself", "and.b32 %r9, %r2, -32;\nmul.wide.u32 %rd6, %r9, 4;\nadd.u64 %rd6, %rd1, %rd6;\nst.global.u32 [%rd6], 4;\nld.global.u32 %r10, [%rd6];\nst.global.u32 [%rd4], %r10;", 64,
		func(uint32) uint32 { return 4 }},
	{"bytes side by side", "cvt.u64.u32 %rd6, %r2;\nadd.u64 %rd6, %rd6, %rd2;\nst.global.u8 [%rd6], 1;\nld.global.u8 %r9, [%rd6];\nst.global.u32 [%rd4], %r9;", 96,
		func(uint32) uint32 { return 1 }},
}

func TestGlobalOrders(t *testing.T) {
	for _, c := range globalOrders {
		c.test(t)
	}
}
