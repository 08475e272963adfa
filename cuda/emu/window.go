package emu

import (
	"encoding/binary"
	"fmt"
)

// A window is global memory that a launch may touch.
type window struct {
	lo, size     uint64
	row, stride  uint64 // 0: contiguous
	data, shadow []byte
	cells        []uint64 // of the race map, from the cell that holds lo on
	skew         uint64   // of lo in that cell
	causal       bool     // accesses are noted by thread
	access       Access
	name         string
	alloc        *alloc
}

// window makes the window of a part of an allocation.
func (r *run) window(a *alloc, off, n int, access Access) window {
	w := window{
		lo: uint64(a.ptr) + uint64(off), size: uint64(n), data: a.data[off : off+n : off+n], shadow: a.shadow[off : off+n : off+n],
		access: access, alloc: a,
	}
	w.causal = r.causal
	if r.traced && !r.causal {
		m := a.race[r.unit].make(len(a.data), r.unit)
		w.cells = m[off>>r.unit:]
		w.skew = uint64(off) & (1<<r.unit - 1)
	}
	return w
}

// rows calls f for each part of the window's shadow.
func (w *window) rows(f func(b []byte)) {
	if w.row == 0 {
		f(w.shadow)
		return
	}
	for i := uint64(0); i < w.size; i += w.stride {
		f(w.shadow[i:min(i+w.row, w.size)])
	}
}

// holds tells whether n bytes from off on are in the window.
func (w *window) holds(off, n uint64) bool {
	return off < w.size && n <= w.size-off && (w.row == 0 || off%w.stride+n <= w.row)
}

func (w *window) label() string {
	if w.name != "" {
		return fmt.Sprintf("%q", w.name)
	}
	return w.alloc.label()
}

// find returns the window for an access, nil where there is none.
func (w *warp) find(site int32, addr, n uint64, access Access) *window {
	if v := w.sites[site]; v != nil && v.access&access == access && v.holds(addr-v.lo, n) {
		return v
	}
	windows := w.block.run.windows
	for i := range windows {
		if v := &windows[i]; v.access&access == access && v.holds(addr-v.lo, n) {
			w.sites[site] = v
			return v
		}
	}
	return nil
}

// outside is the fault of an access that no window allows.
func (w *warp) outside(in *inst, lane int, addr, n uint64, access Access) {
	what := "read"
	if access&Writes != 0 {
		what = "write"
	}
	windows := w.block.run.windows
	var near *window
	best := ^uint64(0)
	for i := range windows {
		v := &windows[i]
		if d := distance(addr, v); d < best {
			near, best = v, d
		}
	}
	head := fmt.Sprintf("%s of %d bytes at %#x: ", what, n, addr)
	switch {
	case addr < 1<<16:
		w.fault(in, lane, OutOfBounds, "%sthe address is next to 0", head)
	case near == nil || best > 1<<32:
		w.fault(in, lane, OutOfBounds, "%sno memory of the launch is near", head)
	case near.access&access != access && addr-near.lo < near.size:
		w.fault(in, lane, OutOfBounds, "%s%s, which is not there to %s", head, relative(addr, near.lo, near.size, near.label()), what)
	case near.row > 0 && addr-near.lo < near.size:
		w.fault(in, lane, OutOfBounds, "%sbyte %d of row %d of %s, whose rows have %d bytes", head, (addr-near.lo)%near.stride,
			(addr-near.lo)/near.stride, near.label(), near.row)
	case addr < near.lo:
		w.fault(in, lane, OutOfBounds, "%s%d bytes before %s", head, near.lo-addr, near.label())
	default:
		w.fault(in, lane, OutOfBounds, "%s%s", head, relative(addr, near.lo, near.size, near.label()))
	}
}

// distance says how far an address is from a window.
func distance(addr uint64, v *window) uint64 {
	switch {
	case addr < v.lo:
		return v.lo - addr
	case addr-v.lo >= v.size:
		return addr - v.lo - v.size
	}
	return 0
}

const ones = 0x0101010101010101

// allWritten tells whether every byte of a shadow is 1.
func allWritten(s []byte) bool {
	for len(s) >= 8 {
		if binary.LittleEndian.Uint64(s) != ones {
			return false
		}
		s = s[8:]
	}
	for _, b := range s {
		if b != 1 {
			return false
		}
	}
	return true
}
