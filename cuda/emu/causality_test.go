package emu

import "testing"

// Parts of programs in which each block writes its word of a, takes a ticket at word 31, and the last block reads all
// words. The tests below differ in what comes between.
const (
	ownWord = "mul.wide.u32 %rd6, %r3, 4;\nadd.u64 %rd6, %rd6, %rd1;\nsetp.eq.u32 %p2, %r2, 0;\nmov.u32 %r9, 0;\n"
	write0  = "@%p2 st.global.u32 [%rd6], 5;\n"
	write5  = "setp.eq.u32 %p1, %r2, 5;\n@%p1 st.global.u32 [%rd6], 5;\n"
	write40 = "setp.eq.u32 %p1, %r2, 40;\n@%p1 st.global.u32 [%rd6], 5;\n"
	ticket  = "@%p2 atom.global.add.u32 %r9, [%rd1+124], 1;\n"
	isLast  = "setp.eq.u32 %p3, %r9, 2;\n@!%p3 bra E;\n"
	gather  = "ld.global.u32 %r10, [%rd1]; // here\nld.global.u32 %r10, [%rd1+4];\nld.global.u32 %r10, [%rd1+8];\nE:"
	acqRel  = "fence.acq_rel.gpu;\n"
)

// causalRaces are programs that order too little.
var causalRaces = []faulty{
	{name: "fences: another warp's write", kind: Race, grid: 3, block: 64, body: ownWord + write40 + "@%p2 " + acqRel + ticket + acqRel + isLast + gather,
		detail: `at byte 0 of "argument 0" with 128 bytes: thread 40,0,0 of block 0,0,0 touches them too, and no fence of that thread`},
	{name: "fences: another lane's write", kind: Race, grid: 3, body: ownWord + write5 + "@%p2 " + acqRel + ticket + acqRel + isLast + gather, detail: "thread 5,0,0 of block 0,0,0"},
	{name: "fences: write behind the fence", kind: Race, grid: 3, body: ownWord + acqRel + write0 + ticket + acqRel + isLast + gather, detail: "thread 0,0,0 of block 0,0,0"},
	{name: "fences: none by the reader", kind: Race, grid: 3, body: ownWord + write0 + acqRel + ticket + isLast + gather},
	{name: "fences: for the block alone", kind: Race, grid: 3, body: ownWord + write0 + "fence.acq_rel.cta;\n" + ticket + acqRel + isLast + gather},
	{name: "fences: the reader's for the block alone", kind: Race, grid: 3, body: ownWord + write0 + acqRel + ticket + "fence.acq_rel.cta;\n" + isLast + gather},
	{name: "fences: before the barrier", kind: Race, grid: 3, block: 64, body: ownWord + write40 + "@%p2 " + acqRel + "bar.sync 0;\n" + ticket + acqRel + isLast + gather},
	{name: "fences: of the writer, ticket of another thread", kind: Race, grid: 3, block: 64, body: ownWord + write40 + acqRel + "bar.sync 0;\n" + ticket + acqRel + isLast + gather},
	{name: "fences: fence.sc of the writer alone", kind: Race, grid: 3, block: 64, body: ownWord + write40 + "membar.gl;\nbar.sync 0;\n" + ticket + acqRel + isLast + gather},
	{name: "fences: fence.sc of the reader alone", kind: Race, grid: 3, block: 64, body: ownWord + write40 + acqRel + "bar.sync 0;\n" + ticket + "membar.gl;\n" + isLast + gather},
	{name: "fences: fence.sc with no flag between", kind: Race, grid: 3, body: ownWord + write0 + "membar.gl;\nsetp.eq.u32 %p3, %r5, 64;\n@!%p3 bra E;\n" + gather},
	{name: "fences: release only by the reader", kind: Race, grid: 3, body: ownWord + write0 + acqRel + ticket + "fence.release.gpu;\n" + isLast + gather},
	{name: "fences: acquire only by the writer", kind: Race, grid: 3, body: ownWord + write0 + "fence.acquire.gpu;\n" + ticket + acqRel + isLast + gather},
	{name: "fences: a reduction acquires nothing", kind: Race, grid: 3, body: ownWord + write0 + acqRel + "@%p2 red.global.add.u32 [%rd1+124], 1;\n" + acqRel + "setp.eq.u32 %p3, %r3, 2;\n@!%p3 bra E;\n" + gather},
	{name: "fences: another address", kind: Race, grid: 3, body: ownWord + write0 + acqRel + "@%p2 atom.global.add.u32 %r9, [%rd6+64], 1;\n" + acqRel + "setp.eq.u32 %p3, %r3, 2;\n@!%p3 bra E;\n" + gather},
	{name: "fences: a store ends what was released", kind: Race, grid: 3, body: ownWord + write0 + "setp.eq.u32 %p4, %r3, 0;\n@%p4 " + acqRel + "@%p4 st.relaxed.gpu.global.u32 [%rd1+124], 1;\n@!%p4 st.relaxed.gpu.global.u32 [%rd1+124], 2;\nld.acquire.gpu.global.u32 %r9, [%rd1+124];\n" + isLast + gather},
	{name: "fences: acquired before the release", kind: Race, grid: 2, body: "setp.eq.u32 %p1, %r3, 0;\nsetp.ne.u32 %p2, %r2, 0;\n@%p2 bra E;\nld.acquire.gpu.global.u32 %r9, [%rd1+124];\n@%p1 st.global.u32 [%rd1], 1;\n@!%p1 ld.global.u32 %r10, [%rd1]; // here\nE:"},
	{name: "fences: writes what another block read", kind: Race, grid: 2, body: acqRel + "setp.ne.u32 %p2, %r2, 0;\n@%p2 bra E;\nld.global.u32 %r9, [%rd1];\nsetp.eq.u32 %p1, %r3, 1;\n@%p1 st.global.u32 [%rd1], 1; // here\nE:"},
	{name: "fences: writes what another looked at", kind: Race, grid: 2, body: acqRel + "setp.ne.u32 %p2, %r2, 0;\n@%p2 bra E;\nld.relaxed.gpu.global.u32 %r9, [%rd1];\nsetp.eq.u32 %p1, %r3, 1;\n@%p1 st.global.u32 [%rd1], 1; // here\nE:"},
	{name: "fences: a look before the write", kind: Race, grid: 3, body: "setp.ne.u32 %p2, %r2, 0;\n@%p2 bra E;\nsetp.eq.u32 %p1, %r3, 0;\n@%p1 ld.relaxed.gpu.global.u32 %r9, [%rd1];\n@%p1 st.release.gpu.global.u32 [%rd1+4], 1;\nsetp.eq.u32 %p3, %r3, 1;\n@%p3 st.relaxed.gpu.global.u32 [%rd1], 1;\nsetp.eq.u32 %p4, %r3, 2;\n@%p4 ld.acquire.gpu.global.u32 %r9, [%rd1+4];\n@%p4 ld.global.u32 %r9, [%rd1]; // here\nE:"},
	{name: "fences: two warps, no flag", kind: Race, block: 64, body: "setp.lt.u32 %p1, %r2, 32;\n@%p1 st.global.u32 [%rd1], 1;\nfence.acq_rel.cta;\n@!%p1 ld.global.u32 %r9, [%rd1]; // here", thread: 32, detail: "warp 1 here and warp 0 touch them"},
	{name: "fences: copy with no flag", kind: Race, block: 64, body: "setp.lt.u32 %p1, %r2, 32;\n@%p1 st.global.u32 [%rd1], 1;\nfence.acq_rel.cta;\n@!%p1 cp.async.ca.shared.global [%r8], [%rd1], 4; // here", thread: 32},
	{name: "fences: two warps, flag without a fence", kind: Race, block: 64, body: "setp.lt.u32 %p1, %r2, 32;\n@%p1 st.global.u32 [%rd1], 1;\n@%p1 st.volatile.global.u32 [%rd1+4], 1;\n@!%p1 ld.volatile.global.u32 %r9, [%rd1+4];\nfence.acq_rel.cta;\n@!%p1 ld.global.u32 %r9, [%rd1]; // here", thread: 32},
	{name: "fences: of proxies", kind: Race, block: 64, body: "setp.lt.u32 %p1, %r2, 32;\n@%p1 st.global.u32 [%rd1], 1;\nfence.proxy.async;\n@%p1 st.volatile.global.u32 [%rd1+4], 1;\n@!%p1 ld.volatile.global.u32 %r9, [%rd1+4];\nfence.acq_rel.cta;\n@!%p1 ld.global.u32 %r9, [%rd1]; // here", thread: 32},
}

func TestCausalRaces(t *testing.T) {
	for _, c := range causalRaces {
		c.test(t)
	}
}

// causalOrders are programs that order enough.
var causalOrders = []faulty{
	{name: "the writer's fence", grid: 3, body: ownWord + write0 + acqRel + ticket + acqRel + isLast + gather},
	{name: "barrier, then a fence", grid: 3, block: 64, body: ownWord + write40 + "bar.sync 0;\n@%p2 " + acqRel + ticket + acqRel + isLast + gather},
	{name: "barrier of a warp, then a fence", grid: 3, body: ownWord + write5 + "bar.warp.sync -1;\n@%p2 " + acqRel + ticket + acqRel + isLast + gather},
	{name: "fence.sc of the writer, ticket of another thread", grid: 3, block: 64, body: ownWord + write40 + "membar.gl;\nbar.sync 0;\n" + ticket + "membar.gl;\n" + isLast + gather},
	{name: "fence.sc of the writer, then a barrier of the warp", grid: 3, body: ownWord + write5 + "fence.sc.gpu;\nbar.warp.sync -1;\n" + ticket + "fence.sc.gpu;\n" + isLast + gather},
	{name: "the reader's fence, then a barrier", grid: 3, block: 64, body: ownWord + write40 + "bar.sync 0;\n@%p2 " + acqRel + ticket + acqRel + "@%p2 st.shared.u32 [%r7], %r9;\nbar.sync 0;\nld.shared.u32 %r9, [%r7];\n" + isLast + gather},
	{name: "atom.acq_rel", grid: 3, block: 64, body: ownWord + write40 + "bar.sync 0;\n@%p2 atom.acq_rel.gpu.global.add.u32 %r9, [%rd1+124], 1;\n" + isLast + gather},
	{name: "the ticket begins anew", grid: 3, body: ownWord + write0 + acqRel + ticket + isLast + "st.global.u32 [%rd1+124], 0;\nE:"},
	{name: "release and acquire", grid: 3, body: ownWord + "setp.eq.u32 %p1, %r5, 0;\n@%p1 st.global.u32 [%rd1], 3;\n@%p1 st.release.gpu.global.u32 [%rd1+124], 1;\n@!%p2 bra E;\nL:\nld.acquire.gpu.global.u32 %r9, [%rd1+124];\nsetp.eq.u32 %p4, %r9, 0;\n@%p4 bra L;\nld.global.u32 %r10, [%rd1];\nE:"},
	{name: "block after block", grid: 3, body: ownWord + "@!%p2 bra E;\nL:\nld.relaxed.gpu.global.u32 %r9, [%rd1+124];\nsetp.ne.u32 %p4, %r9, %r3;\n@%p4 bra L;\nfence.acq_rel.gpu;\nld.global.u32 %r9, [%rd1];\nst.global.u32 [%rd1], 1;\nadd.u32 %r10, %r3, 1;\nfence.acq_rel.gpu;\nst.relaxed.gpu.global.u32 [%rd1+124], %r10;\nE:"},
	{name: "flag between warps", block: 64, body: "setp.lt.u32 %p1, %r2, 32;\n@%p1 st.global.u32 [%rd1], 1;\nfence.acq_rel.cta;\n@%p1 st.volatile.global.u32 [%rd1+4], 1;\n@%p1 bra E;\nL:\nld.volatile.global.u32 %r9, [%rd1+4];\nsetp.eq.u32 %p2, %r9, 0;\n@%p2 bra L;\nfence.acq_rel.cta;\nld.global.u32 %r9, [%rd1];\nst.global.u32 [%rd1+4], 0;\nE:"},
	{name: "plain reads of many", grid: 3, block: 64, body: acqRel + "ld.global.u32 %r9, [%rd1];\nld.volatile.global.u32 %r9, [%rd1];"},
	{name: "strong accesses of many", grid: 3, block: 64, body: acqRel + "st.relaxed.gpu.global.u32 [%rd1], %r1;\nld.relaxed.gpu.global.u32 %r9, [%rd1];\nred.global.add.u32 [%rd1], 0;"},
	{name: "barriers", block: 64, body: acqRel + "setp.eq.u32 %p1, %r2, 3;\n@%p1 st.global.u32 [%rd1], 1;\nbar.sync 0;\nld.global.u32 %r9, [%rd1];\nbar.sync 0;\nsetp.eq.u32 %p1, %r2, 40;\n@%p1 st.global.u32 [%rd1], 1;"},
}

func TestCausalOrders(t *testing.T) {
	for _, c := range causalOrders {
		for _, o := range []Options{{Workers: 1}, {Workers: 2}, {Workers: 3}, {Unchecked: true}} {
			l := Launch{Grid: one1(max(c.grid, 1)), Block: one1(max(c.block, 32))}
			if _, err := Try(o, program(c.body), l, "k", make([]uint32, 32), make([]uint32, 32), uint32(32)); err != nil {
				t.Errorf("%s, %d workers: %v", c.name, o.Workers, err)
			}
		}
	}
}
