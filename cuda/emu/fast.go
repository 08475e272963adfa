package emu

import "encoding/binary"

// The commonest accesses have ways of their own: 4 bytes for each lane. Each returns false, with nothing moved, where
// something is out of the ordinary; then the general way finds out what.

const written4 = 0x01010101

// small4 moves 4 bytes of shared memory for each lane.
func (w *warp) small4(in *inst, at *lanes, on uint32) bool {
	b := w.block
	if b.run.checked && (b.unit != 2 || !w.check4(in.mode == storing, at, on)) {
		return false
	}
	data, size := b.shared, uint64(len(b.shared))
	var words [32]uint32 // the word that each bank is asked for, plus 1
	conflict, double := false, false
	for i := range at {
		a := at[i]
		if on>>i&1 == 0 {
			continue
		}
		if a >= size || size-a < 4 {
			return false
		}
		word := uint32(a>>2) + 1
		bank := &words[a>>2&31]
		double = double || *bank == word
		conflict = conflict || *bank != 0 && *bank != word
		*bank = word
	}
	if conflict {
		b.stats.BankConflicts += bankPasses(at, on, 4) - 1
	}
	r := &w.r[in.regs[0]]
	if in.mode != storing {
		for i := range at {
			if on>>i&1 != 0 {
				r[i] = uint64(binary.LittleEndian.Uint32(data[at[i]:]))
			}
		}
		return true
	}
	for i := range at {
		if on>>i&1 != 0 {
			binary.LittleEndian.PutUint32(data[at[i]:], uint32(r[i]))
		}
	}
	if b.run.checked && (double || conflict) {
		w.verify(in, at, on, 4, func(a uint64) []byte { return b.shared[a:] })
	}
	return true
}

// check4 checks accesses to shared memory and notes them.
func (w *warp) check4(store bool, at *lanes, on uint32) bool {
	b := w.block
	me := b.epoch<<cellShift | uint32(w.index)
	size := uint64(len(b.shared))
	for i := range at {
		a := at[i]
		if on>>i&1 == 0 {
			continue
		}
		if a >= size || size-a < 4 || a&3 != 0 {
			return false
		}
		s := b.shadow[a : a+4 : a+4]
		c := &b.cells[a>>2]
		if c.write>>cellShift == b.epoch && c.write&^cellAtomic != me {
			return false
		}
		v := binary.LittleEndian.Uint32(s)
		if !store {
			if v != written4 {
				return false
			}
			if c.read != me {
				c.noteRead(me, b.epoch)
			}
			continue
		}
		if c.read>>cellShift == b.epoch && c.read != me || v&(pending*written4) != 0 {
			return false
		}
		c.write = me
		binary.LittleEndian.PutUint32(s, written4)
	}
	return true
}

// noteRead notes a read by a warp.
func (c *cell) noteRead(me, epoch uint32) {
	switch {
	case c.read == me|cellMany:
	case c.read>>cellShift == epoch:
		c.read |= cellMany
	default:
		c.read = me
	}
}

// global4 moves 4 bytes of global memory for each lane.
func (w *warp) global4(in *inst, at *lanes, on uint32, access Access) bool {
	v := w.sites[in.mem.site]
	if v == nil || v.access&access != access || v.row != 0 || v.size < 4 {
		return false
	}
	most := v.size - 4
	load := access == Reads
	for i := range at {
		if on>>i&1 == 0 {
			continue
		}
		off := at[i] - v.lo
		if off > most || at[i]&3 != 0 || load && binary.LittleEndian.Uint32(v.shadow[off:]) != written4 {
			return false
		}
		if v.cells != nil && w.block.touch(v, off, 4, in.mem.kind) >= 0 {
			return false
		}
	}
	r := &w.r[in.regs[0]]
	for i := range at {
		if on>>i&1 == 0 {
			continue
		}
		off := at[i] - v.lo
		if load {
			r[i] = uint64(binary.LittleEndian.Uint32(v.data[off:]))
			continue
		}
		binary.LittleEndian.PutUint32(v.shadow[off:], written4)
		binary.LittleEndian.PutUint32(v.data[off:], uint32(r[i]))
	}
	return true
}

// parameter loads what all lanes share: a parameter of the kernel.
func (w *warp) parameter(in *inst, on uint32) bool {
	m := in.mem
	params := w.block.run.l.Params
	n := uint64(in.size)
	if m.base >= 0 || m.count != 1 || m.sign != 0 || m.offset+n > uint64(len(params)) || m.offset%n != 0 {
		return false
	}
	var b [8]byte
	copy(b[:n], params[m.offset:])
	w.set(in.regs[0], w.broadcast(binary.LittleEndian.Uint64(b[:])), on)
	return true
}
