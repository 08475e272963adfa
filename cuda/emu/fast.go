package emu

import "encoding/binary"

// The commonest accesses have ways of their own: 4 bytes for each lane. Each returns false, with nothing moved, where
// something is out of the ordinary; then the general way finds out what.

const written4 = 0x01010101

// A bankCount finds out whether lanes ask a bank for different words.
type bankCount struct {
	words            [32]uint32 // the word that each bank is asked for, plus 1
	conflict, double bool
}

func (c *bankCount) add(a uint64) {
	word := uint32(a>>2) + 1
	bank := &c.words[a>>2&31]
	if *bank != 0 {
		c.double = c.double || *bank == word
		c.conflict = c.conflict || *bank != word
	}
	*bank = word
}

// small4 moves 4 bytes of shared memory for each lane.
func (w *warp) small4(in *inst, at *lanes, on uint32) bool {
	b := w.block
	if b.run.checked && b.unit != 2 || len(b.shared) < 4 {
		return false
	}
	var c bankCount
	if in.mode != storing {
		if !w.load4(at, on, &c) {
			return false
		}
		in.mem.extend(&w.tmp)
		w.set(in.regs[0], &w.tmp, on)
	} else {
		if !w.store4(&w.r[in.regs[0]], at, on, &c) {
			return false
		}
		if b.run.checked && (c.double || c.conflict) {
			w.verify(in, at, on, 4, func(a uint64) []byte { return b.shared[a:] })
		}
	}
	if c.conflict {
		b.stats.BankConflicts += bankPasses(at, on, 4) - 1
	}
	return true
}

// extend extends the signs of what a load read, where the register is wider.
func (m *memory) extend(r *lanes) {
	if m.sign == 0 {
		return
	}
	for i := range r {
		r[i] = ((r[i] ^ m.sign) - m.sign) & m.mask
	}
}

// load4 reads 4 bytes for each lane into tmp.
func (w *warp) load4(at *lanes, on uint32, banks *bankCount) bool {
	b := w.block
	data, shadow, cells, checked, epoch := b.shared, b.shadow, b.cells, b.run.checked, b.epoch
	me := epoch<<cellShift | uint32(w.index)
	most := uint64(len(data) - 4)
	for i := range at {
		a := at[i]
		if on>>i&1 == 0 {
			continue
		}
		if a > most || a&3 != 0 {
			return false
		}
		if checked {
			c := &cells[a>>2]
			if binary.LittleEndian.Uint32(shadow[a:]) != written4 || c.write>>cellShift == epoch && c.write&^cellAtomic != me {
				return false
			}
			if c.read != me {
				c.noteRead(me, epoch)
			}
		}
		banks.add(a)
		w.tmp[i] = uint64(binary.LittleEndian.Uint32(data[a:]))
	}
	return true
}

// store4 writes 4 bytes of r for each lane. Where it stops half-way, the general way writes the same once more.
func (w *warp) store4(r, at *lanes, on uint32, banks *bankCount) bool {
	b := w.block
	data, shadow, cells, checked, epoch := b.shared, b.shadow, b.cells, b.run.checked, b.epoch
	me := epoch<<cellShift | uint32(w.index)
	most := uint64(len(data) - 4)
	for i := range at {
		a := at[i]
		if on>>i&1 == 0 {
			continue
		}
		if a > most || a&3 != 0 {
			return false
		}
		if checked {
			c, s := &cells[a>>2], shadow[a:]
			if c.write>>cellShift == epoch && c.write&^cellAtomic != me || c.read>>cellShift == epoch && c.read != me ||
				binary.LittleEndian.Uint32(s)&(pending*written4) != 0 {
				return false
			}
			c.write = me
			binary.LittleEndian.PutUint32(s, written4)
		}
		banks.add(a)
		binary.LittleEndian.PutUint32(data[a:], uint32(r[i]))
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

// global4 reads 4 bytes of global memory for each lane. Writes go the general way.
func (w *warp) global4(in *inst, at *lanes, on uint32, access Access) bool {
	v := w.sites[in.mem.site]
	if access != Reads || v == nil || v.causal || v.access&access != access || v.row != 0 || v.size < 4 {
		return false
	}
	most, checked := v.size-4, w.block.run.checked
	for i := range at {
		if on>>i&1 == 0 {
			continue
		}
		off := at[i] - v.lo
		if off > most || checked && (at[i]&3 != 0 || binary.LittleEndian.Uint32(v.shadow[off:]) != written4) {
			return false
		}
		if v.cells != nil && w.block.touch(v, off, 4, in.mem.kind, w.index) != nil {
			return false
		}
		w.tmp[i] = uint64(binary.LittleEndian.Uint32(v.data[off:]))
	}
	in.mem.extend(&w.tmp)
	w.set(in.regs[0], &w.tmp, on)
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
