package emu

import (
	"math/bits"
	"strings"
)

// A block runs the blocks of a launch, one after the other.
type block struct {
	run    *run
	id     int64
	at     Dim
	warps  []*warp
	shared []byte
	shadow []byte // 1: written, 2: an asynchronous copy is under way
	cells  []cell
	unit   uint
	epoch  uint32 // of barriers, over all blocks that this value has run
	stats  Stats
	arrive [16]int // threads that have come to a barrier without waiting
	banks  [32]uint64
}

// slice is how many instructions a warp runs before the others have their turn.
const slice = 1 << 16

// block returns a value that runs blocks of the launch: one that an earlier launch of the kernel left, or a new
// one. The lock of the run is held.
func (r *run) block() *block {
	k := r.l.Kernel
	for n := len(k.idle); n > 0; n = len(k.idle) {
		b := k.idle[n-1]
		k.idle = k.idle[:n-1]
		if len(b.warps) == r.warps && len(b.shared) == r.shared {
			b.reuse(r)
			return b
		}
	}
	return newBlock(r)
}

// reuse makes a block ready for another launch. What its cells say of earlier epochs counts no more.
func (b *block) reuse(r *run) {
	b.run, b.stats = r, Stats{}
	if r.checked && (b.cells == nil || b.epoch > 1<<24) {
		b.cells, b.epoch = make([]cell, r.shared>>b.unit+1), 0
	}
	for _, w := range b.warps {
		clear(w.sites)
		w.count = 0
		w.constants()
	}
}

func newBlock(r *run) *block {
	c := r.code
	b := &block{run: r, shared: make([]byte, r.shared), shadow: make([]byte, r.shared)}
	b.unit = uint(bits.TrailingZeros(uint(c.sharedUnit)))
	if r.checked {
		b.cells = make([]cell, r.shared>>b.unit+1)
	}
	for i := range r.warps {
		w := &warp{
			block: b, code: c.insts, r: make([]lanes, c.regs), p: make([]uint32, c.preds), first: 32 * i, index: i,
			local: make([]byte, 32*c.local), lwrite: make([]byte, 32*c.local), frame: make([]byte, 32*c.frame),
			sites: make([]*window, c.sites),
		}
		for v, reg := range c.consts {
			w.fill(reg, v)
		}
		for on, p := range c.constPreds {
			if on {
				w.p[p] = full
			}
		}
		w.constants()
		b.warps = append(b.warps, w)
	}
	return b
}

// fill sets a register of all lanes.
func (w *warp) fill(reg int32, v uint64) {
	r := &w.r[reg]
	for i := range r {
		r[i] = v
	}
}

// constants sets the registers that stay as they are during a launch.
func (w *warp) constants() {
	c := w.block.run.code
	for name, reg := range c.dynamicRegs {
		w.fill(reg, uint64(c.sharedAt[name]))
	}
	for name, reg := range c.specials {
		specials[name](w, &w.r[reg])
	}
}

// thread is the place of a thread in its block.
func (b *block) thread(i int) Dim {
	n := b.run.l.Block
	return Dim{i % n.X, i / n.X % n.Y, i / n.X / n.Y}
}

// exec runs one block.
func (b *block) exec(id int64) *Fault {
	r := b.run
	g := r.l.Grid
	b.id, b.at = id, Dim{int(id % int64(g.X)), int(id / int64(g.X) % int64(g.Y)), int(id / int64(g.X) / int64(g.Y))}
	b.arrive = [16]int{}
	b.epoch++
	clear(b.shadow)
	for i, w := range b.warps {
		live := full
		if n := r.threads - 32*i; n < 32 {
			live = 1<<n - 1
		}
		for name, reg := range r.code.specials {
			if strings.HasPrefix(name, "%ctaid") { // the others stay
				specials[name](w, &w.r[reg])
			}
		}
		w.start(live)
	}
	return b.loop()
}

// loop runs the warps in turn until all have ended.
func (b *block) loop() *Fault {
	for {
		left, stuck := false, true
		for _, w := range b.warps {
			if w.state == waiting || w.state == ended {
				continue
			}
			if f := b.turn(w); f != nil {
				return f
			}
			left = left || w.state != ended
			stuck = stuck && w.state != running && w.state != rearrange
		}
		if left && !stuck {
			continue
		}
		if w := b.mixed(); w != nil {
			return w.err
		}
		some, free := b.release()
		if w := b.blocked(some, free); w != nil {
			return w.err
		}
		if !some {
			return nil
		}
	}
}

// turn runs a warp for a slice of the budget.
func (b *block) turn(w *warp) *Fault {
	from := w.count
	w.slice = from + min(slice, max(b.run.left.Load(), 0)+1)
	w.resume()
	used := w.count - from
	b.stats.Instructions += used
	if w.state == faulted {
		return w.err
	}
	if b.run.left.Add(-used) < 0 {
		pc := min(int(w.pc), len(w.code)-1)
		w.fault(&w.code[pc], bits.TrailingZeros32(w.live|1<<31), Endless, "the launch has run more than %d instructions", b.run.d.o.Budget)
		return w.err
	}
	return nil
}

// release lets the warps at full barriers go on. It tells whether warps wait, and whether some go on.
func (b *block) release() (some, free bool) {
	var threads, expect [16]int
	alive := 0
	for _, w := range b.warps {
		if w.state == ended {
			continue
		}
		alive += bits.OnesCount32(w.live)
		if w.state == waiting {
			some = true
			expect[w.barrier] = w.expect
			if w.expect > 0 { // a part of a warp counts as a whole one
				threads[w.barrier] += 32
			} else {
				threads[w.barrier] += bits.OnesCount32(w.live)
			}
		}
	}
	for i := range threads {
		want := expect[i]
		if want == 0 {
			want = alive // threads that have ended are not waited for
		}
		if threads[i] > 0 && threads[i]+b.arrive[i] >= want {
			free = true
			b.open(int32(i))
		}
	}
	return some, free
}

// open lets the warps of a barrier go on.
func (b *block) open(barrier int32) {
	b.epoch++
	if b.run.causal {
		b.meet()
	}
	b.arrive[barrier] = 0
	count, all, live := 0, true, 0
	for _, w := range b.warps {
		if w.state == waiting && w.barrier == barrier {
			count += bits.OnesCount32(w.reduceIn & w.live)
			live += bits.OnesCount32(w.live)
		}
	}
	all = count == live
	for _, w := range b.warps {
		if w.state == waiting && w.barrier == barrier {
			w.state = running
			w.reduced(count, all)
		}
	}
}

// blocked looks for warps that wait in vain or at two barriers that are one.
func (b *block) blocked(some, free bool) *warp {
	if !some || free {
		return nil
	}
	for _, w := range b.warps {
		if w.state == waiting {
			w.fault(&w.code[w.arrivePC], bits.TrailingZeros32(w.live), Divergent,
				"warp %d waits at barrier %d for threads that wait elsewhere", w.index, w.barrier)
			return w
		}
	}
	return nil
}

// mixed looks for warps that wait at one barrier in two places. Hardware lets them go on; the language does not.
func (b *block) mixed() *warp {
	var first [16]*warp
	for _, w := range b.warps {
		if w.state != waiting || w.expect > 0 {
			continue
		}
		f := first[w.barrier]
		if f == nil {
			first[w.barrier] = w
		} else if f.arrivePC != w.arrivePC {
			w.fault(&w.code[w.arrivePC], bits.TrailingZeros32(w.live), Divergent, "warp %d waits at the barrier here, warp %d at that of line %d",
				w.index, f.index, w.code[f.arrivePC].line)
			return w
		}
	}
	return nil
}
