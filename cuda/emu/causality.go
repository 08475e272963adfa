package emu

import (
	"maps"
	"math/bits"
)

// A moment is when a thread did something: how many barriers its block had passed, and how many steps the thread. A
// thread takes a step where it tells others what it has done.
type moment struct{ barriers, step uint32 }

// A past is what is known of a block: all before one of its barriers, and what single threads did up to a step.
type past struct {
	barriers uint32
	steps    map[int64]uint32
}

// before tells whether a past has an event.
func (p *past) before(e event) bool {
	return p != nil && (e.at.barriers < p.barriers || e.at.step <= p.steps[e.thread])
}

// A lore is what a thread knows of each block: what comes before its next access in causality order. That order is of
// the memory model (PTX ISA 9.0, section 8.9.5). No lore changes once it is made.
type lore struct{ of map[int64]*past }

// join returns what either knows.
func (l *lore) join(o *lore) *lore {
	switch {
	case o == nil || l == o:
		return l
	case l == nil:
		return o
	}
	all := maps.Clone(l.of)
	for block, p := range o.of {
		was := all[block]
		if was == nil || was == p {
			all[block] = p
			continue
		}
		steps := maps.Clone(was.steps)
		for thread, step := range p.steps {
			steps[thread] = max(steps[thread], step)
		}
		all[block] = &past{barriers: max(was.barriers, p.barriers), steps: steps}
	}
	return &lore{all}
}

// A witness is what a thread knows, and what its accesses tell. A strong read shows what a fence makes known; a strong
// write tells what a fence knew (section 8.8). What a fence.cta knew is for the threads of the block.
type witness struct {
	step             uint32
	known            *lore
	seen, seenIn     *lore
	fenced, fencedIn *lore
	// A fence.sc comes before another where a strong read between them has seen a strong write, whoever fenced
	// (sections 8.9.4 and 8.10.2). Barriers pass on both.
	sc, scSeen *lore
}

// A post is what strong writes to an address have told: to all, to a block, and to those that have a fence.sc.
type post struct {
	all, sc *lore
	in      map[int64]*lore
}

// thread numbers the threads of the launch.
func (w *warp) thread(lane int) int64 { return w.block.id<<10 | int64(w.first+lane) }

// tell returns what some threads of the warp know together, and their own past. Each of them takes a step.
func (w *warp) tell(on uint32) *lore {
	own := &past{barriers: w.block.epoch, steps: map[int64]uint32{}}
	all := &lore{map[int64]*past{w.block.id: own}}
	for left := on; left != 0; left &= left - 1 {
		i := bits.TrailingZeros32(left)
		t := &w.witnesses[i]
		own.steps[w.thread(i)] = t.step
		t.step++
	}
	for left := on; left != 0; left &= left - 1 {
		all = all.join(w.witnesses[bits.TrailingZeros32(left)].known)
	}
	return all
}

// A fencing is what a fence does: inside is that of .cta.
type fencing struct{ inside, acquire, release, sc bool }

// fence notes a fence of each lane.
func (w *warp) fence(on uint32, f fencing) {
	for left := on; left != 0; left &= left - 1 {
		i := bits.TrailingZeros32(left)
		t := &w.witnesses[i]
		if f.acquire {
			t.acquire(f)
		}
		if !f.release {
			continue
		}
		t.fencedIn = w.tell(1 << i)
		if !f.inside {
			t.fenced = t.fencedIn
		}
		if !f.inside && f.sc {
			t.sc = t.fencedIn
		}
	}
}

// acquire makes known what strong reads have seen.
func (t *witness) acquire(f fencing) {
	t.known = t.known.join(t.seenIn)
	if !f.inside {
		t.known = t.known.join(t.seen)
	}
	if !f.inside && f.sc {
		t.known = t.known.join(t.scSeen)
	}
}

// strong notes a strong operation of a lane at an address. The lock of the run is held.
func (w *warp) strong(in *inst, lane int, addr uint64) {
	b, t := w.block, &w.witnesses[lane]
	f := in.mem.order
	p := b.run.posts[addr]
	if p == nil {
		p = &post{in: map[int64]*lore{}}
		b.run.posts[addr] = p
	}
	if in.mode != storing && !in.mem.blind {
		t.seenIn = t.seenIn.join(p.in[b.id])
		if !f.inside {
			t.seen, t.scSeen = t.seen.join(p.all), t.scSeen.join(p.sc)
		}
		if f.acquire {
			t.acquire(f)
		}
	}
	if in.mode == loading {
		return
	}
	all, own := t.fenced, t.fencedIn
	if f.release {
		own = w.tell(1 << lane)
		all = own
	}
	if in.mode == storing { // readers of the new value see this write, not those before it
		*p = post{in: map[int64]*lore{}}
	}
	p.in[b.id] = p.in[b.id].join(own)
	if !f.inside {
		p.all, p.sc = p.all.join(all), p.sc.join(t.sc)
	}
}

// meet notes a barrier of some lanes of the warp.
func (w *warp) meet(on uint32) {
	all := w.tell(on)
	var sc, seen *lore
	for left := on; left != 0; left &= left - 1 {
		t := &w.witnesses[bits.TrailingZeros32(left)]
		sc, seen = sc.join(t.sc), seen.join(t.scSeen)
	}
	for left := on; left != 0; left &= left - 1 {
		t := &w.witnesses[bits.TrailingZeros32(left)]
		t.known, t.sc, t.scSeen = all, sc, seen
	}
}

// meet notes a barrier of the block.
func (b *block) meet() {
	var known, sc, seen *lore
	for _, w := range b.warps {
		for i := range w.witnesses {
			t := &w.witnesses[i]
			known, sc, seen = known.join(t.known), sc.join(t.sc), seen.join(t.scSeen)
		}
	}
	for _, w := range b.warps {
		for i := range w.witnesses {
			t := &w.witnesses[i]
			t.known, t.sc, t.scSeen = known, sc, seen
		}
	}
}

// knows tells whether an event comes before the next access of a lane. A warp is in order with itself.
func (w *warp) knows(lane int, e event) bool {
	b := w.block
	block := e.thread >> 10
	if block == b.id && (e.at.barriers < b.epoch || int(e.thread&1023)/32 == w.index) {
		return true
	}
	l := w.witnesses[lane].known
	return l != nil && l.of[block].before(e)
}
