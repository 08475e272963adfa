package emu

// An event is an access of a thread to a cell.
type event struct {
	thread int64  // as [warp.thread] numbers them
	at     moment // step 0: there was none
	strong uint32 // how many strong writes the cell had seen
}

// A crowd holds the last event of each thread.
type crowd struct {
	last   event
	others map[int64]event
}

func (c *crowd) add(e event) {
	if c.last.at.step > 0 && c.last.thread != e.thread {
		if c.others == nil {
			c.others = map[int64]event{}
		}
		c.others[c.last.thread] = c.last
	}
	c.last = e
}

// find returns an event for which f holds.
func (c *crowd) find(f func(e event) bool) (event, bool) {
	if c.last.at.step > 0 && f(c.last) {
		return c.last, true
	}
	for _, e := range c.others {
		if f(e) {
			return e, true
		}
	}
	return event{}, false
}

// A history has the accesses to a cell that a later one may be in a race with. Strong ones are in no race with one
// another (PTX ISA 9.0, section 8.7.1).
type history struct {
	write, strong event // the last ones
	reads, looks  crowd // plain and strong
	strongs       uint32
}

// rival returns an access that a new one of a lane is in a race with.
func (h *history) rival(w *warp, lane int, kind uint64, writes bool) (event, bool) {
	unknown := func(e event) bool { return e.at.step > 0 && !w.knows(lane, e) }
	if unknown(h.write) {
		return h.write, true
	}
	if writes {
		if e, ok := h.reads.find(unknown); ok {
			return e, true
		}
	}
	if kind == atomicOne {
		return event{}, false
	}
	// Who comes after a strong read comes after the write that it saw (section 8.9.5). So of strong writes it is
	// enough to know the last, or a look at it.
	if unknown(h.strong) {
		look := func(e event) bool { return e.strong == h.strongs && w.knows(lane, e) }
		if _, ok := h.looks.find(look); !ok {
			return h.strong, true
		}
	}
	if writes {
		return h.looks.find(unknown)
	}
	return event{}, false
}

// add notes an access that is in no race.
func (h *history) add(e event, kind uint64, writes bool) {
	switch {
	case kind == atomicOne && writes:
		h.strongs++
		h.strong = e
	case kind == atomicOne:
		e.strong = h.strongs
		h.looks.add(e)
	case writes:
		*h = history{write: e}
	default:
		h.reads.add(e)
	}
}

// follow notes an access of a lane where a kernel has fences. It returns who else touches the bytes without order, or
// nil. The lock of the run is held.
func (w *warp) follow(in *inst, lane int, addr, n uint64) *rival {
	r := w.block.run
	kind, writes := in.mem.kind, in.mode != loading
	now := event{thread: w.thread(lane), at: moment{w.block.epoch, w.witnesses[lane].step}}
	for c := addr >> r.unit; c <= (addr+n-1)>>r.unit; c++ {
		h := r.histories[c]
		if h == nil {
			h = &history{}
			r.histories[c] = h
		}
		if e, ok := h.rival(w, lane, kind, writes); ok {
			return &rival{block: e.thread >> 10, warp: int(e.thread&1023) / 32, thread: int(e.thread & 1023)}
		}
		h.add(now, kind, writes)
	}
	return nil
}

// note notes an access to global memory. It returns who else touches the bytes without order, or nil.
func (w *warp) note(in *inst, v *window, lane int, addr, n uint64) *rival {
	if v.causal {
		return w.follow(in, lane, addr, n)
	}
	return w.block.touch(v, addr-v.lo, n, in.mem.kind, w.index)
}
