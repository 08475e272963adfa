package emu

import "math/bits"

// A warp runs 32 threads in step. Where their ways part, the warp splits; the part at the lowest place runs first,
// and parts that meet are one again.
type warp struct {
	block *block
	code  []inst
	r     []lanes
	p     []uint32 // predicates, a bit for each lane
	tmp   lanes
	addr  lanes
	pc    int32
	limit int32  // where the part meets another
	mask  uint32 // the lanes of the part that runs
	parts []part // the others
	live  uint32 // lanes that have not ended
	state state
	err   *Fault
	first int // thread of lane 0
	index int
	carry uint32
	count int64 // instructions
	slice int64 // the count at which to let other warps run

	calls  [][32]int32 // places to return to
	depth  [32]int8
	local  []byte // memory of the threads, one after the other
	lwrite []byte // 1: written
	frame  []byte // parameters of calls
	sites  []*window
	async  async
	// witnesses are what the lanes know, where a kernel has fences.
	witnesses []witness

	barrier   int32 // the one it waits at
	expect    int   // threads that the barrier waits for
	arrivePC  int32
	reduce    uint8
	reduceIn  uint32
	reduceDst int32
}

// A part of a warp waits to run.
type part struct {
	pc     int32
	mask   uint32
	parked bool // it waits for other lanes
}

// A state says why a warp stopped.
type state uint8

const (
	running   state = iota
	rearrange       // the parts changed
	waiting         // at a barrier
	ended
	faulted
)

const noLimit = int32(1<<31 - 1)

// start makes a warp ready for its block.
func (w *warp) start(live uint32) {
	w.pc, w.limit, w.mask, w.live = w.block.run.code.start, noLimit, live, live
	w.parts, w.state, w.err, w.depth = w.parts[:0], running, nil, [32]int8{}
	w.async.reset()
	w.witnesses = nil
	if w.block.run.causal {
		w.witnesses = make([]witness, 32)
		for i := range w.witnesses {
			w.witnesses[i].step = 1
		}
	}
	clear(w.lwrite)
}

// resume runs the warp until it waits, ends, faults or has used its slice.
func (w *warp) resume() {
	if w.state == waiting {
		w.state = running
	}
	for w.state <= rearrange && w.count < w.slice {
		if w.state == rearrange {
			w.arrange()
			continue
		}
		w.runPart()
	}
}

// runPart runs the current part until something changes.
func (w *warp) runPart() {
	for w.count < w.slice {
		if w.pc >= w.limit {
			w.state = rearrange
			return
		}
		in := &w.code[w.pc]
		on := w.mask
		if in.guard >= 0 {
			if in.not {
				on &^= w.p[in.guard]
			} else {
				on &= w.p[in.guard]
			}
		}
		w.pc++
		w.count++
		switch {
		case on == 0:
		case in.vec == nil:
			in.do(w, in, on)
			if w.state != running {
				return
			}
		case on == full:
			in.vec(&w.r[in.d], &w.r[in.a], &w.r[in.b], &w.r[in.c])
		default:
			in.vec(&w.tmp, &w.r[in.a], &w.r[in.b], &w.r[in.c])
			merge(&w.r[in.d], &w.tmp, on)
		}
	}
}

// merge copies the lanes that are on.
func merge(d, s *lanes, on uint32) {
	for i := range d {
		if on>>i&1 != 0 {
			d[i] = s[i]
		}
	}
}

// set stores a result in the lanes that are on.
func (w *warp) set(r int32, v *lanes, on uint32) {
	if on == full {
		w.r[r] = *v
		return
	}
	merge(&w.r[r], v, on)
}

// arrange joins parts that met and picks the one to run.
func (w *warp) arrange() {
	if w.mask != 0 {
		w.parts = append(w.parts, part{pc: w.pc, mask: w.mask})
		w.mask = 0
	}
	w.join()
	best := -1
	for i, p := range w.parts {
		if !p.parked && (best < 0 || p.pc < w.parts[best].pc) {
			best = i
		}
	}
	if best < 0 {
		w.stuck()
		return
	}
	p := w.parts[best]
	w.parts[best] = w.parts[len(w.parts)-1]
	w.parts = w.parts[:len(w.parts)-1]
	w.pc, w.mask, w.limit, w.state = p.pc, p.mask, noLimit, running
	for _, q := range w.parts {
		if q.pc > p.pc {
			w.limit = min(w.limit, q.pc)
		}
	}
}

// join makes parts at one place one.
func (w *warp) join() {
	for i := 0; i < len(w.parts); i++ {
		for j := len(w.parts) - 1; j > i; j-- {
			if w.parts[i].pc == w.parts[j].pc {
				w.parts[i].mask |= w.parts[j].mask
				w.parts[i].parked = false
				w.parts[j] = w.parts[len(w.parts)-1]
				w.parts = w.parts[:len(w.parts)-1]
			}
		}
	}
}

// stuck ends a warp whose parts all wait for one another, or that has none left.
func (w *warp) stuck() {
	if len(w.parts) == 0 {
		w.state = ended
		return
	}
	p := w.parts[0]
	for _, q := range w.parts {
		if q.pc < p.pc {
			p = q
		}
	}
	others := w.live &^ p.mask
	w.fault(&w.code[p.pc], bits.TrailingZeros32(p.mask), Divergent,
		"lanes %#x of the warp are here and wait for others; lanes %#x are elsewhere", p.mask, others)
}

// converged tells whether all lanes of need run the instruction together. Otherwise the part waits for them, or the
// warp faults where they cannot come.
func (w *warp) converged(in *inst, on, need uint32) bool {
	if need&^on == 0 {
		return true
	}
	if gone := need &^ w.live; gone != 0 {
		w.fault(in, bits.TrailingZeros32(on), Divergent, "lanes %#x take part, but have ended or never were", gone)
		return false
	}
	if off := need & w.mask &^ on; off != 0 {
		w.fault(in, bits.TrailingZeros32(on), Divergent, "lanes %#x take part, but their predicate is off", off)
		return false
	}
	w.parts = append(w.parts, part{pc: w.pc - 1, mask: w.mask, parked: true})
	w.mask, w.state = 0, rearrange
	return false
}

// end ends lanes.
func (w *warp) end(on uint32) {
	w.live &^= on
	w.mask &^= on
	for i := range w.parts {
		w.parts[i].parked = false
	}
	switch {
	case w.live == 0:
		w.state = ended
	case w.mask == 0:
		w.state = rearrange
	}
}

// jump sends lanes elsewhere.
func (w *warp) jump(on uint32, to int32) {
	if on == w.mask {
		w.pc = to
	} else {
		w.mask &^= on
		w.parts = append(w.parts, part{pc: to, mask: on})
	}
	if len(w.parts) > 0 {
		w.state = rearrange
	}
}
