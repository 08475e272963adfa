package emu

import "sync/atomic"

// A raceMap says for each cell of an allocation which block touched it, and how, in which launch. A cell has 11
// bits of the launch, 3 of the kind and 18 of the block.
type raceMap []uint32

const (
	epochShift = 21
	maxEpoch   = 1 << 11
	kindShift  = 18
	blockMask  = 1<<kindShift - 1
)

// The kinds of touch.
const (
	readOne uint32 = 1 << kindShift * (iota + 1)
	readMany
	wrote
	atomicOne
	atomicMany
	kindMask = 7 << kindShift
)

// make gives the map its cells.
func (m *raceMap) make(bytes int, unit uint) []uint32 {
	if *m == nil {
		*m = make([]uint32, bytes>>unit+1)
	}
	return *m
}

// touch notes an access of n bytes. It returns another block that touches them without order, or −1.
func (b *block) touch(w *window, off, n uint64, kind uint32) int64 {
	if w.cells == nil {
		return -1
	}
	unit := b.run.unit
	off += w.skew
	for i := off >> unit; i <= (off+n-1)>>unit; i++ {
		c := &w.cells[i]
		for {
			old := atomic.LoadUint32(c)
			now, other := b.after(old, kind)
			if other >= 0 {
				return other
			}
			if b.run.alone && now != old {
				*c = now
				break
			}
			if now == old || atomic.CompareAndSwapUint32(c, old, now) {
				break
			}
		}
	}
	return -1
}

// after returns what a cell says after an access, or the block that it conflicts with.
func (b *block) after(old, kind uint32) (now uint32, other int64) {
	id := uint32(b.id) & blockMask
	epoch := b.run.epoch
	mine := epoch | kind | id
	if old>>epochShift != epoch>>epochShift || old&kindMask == 0 {
		return mine, -1
	}
	was, who := old&kindMask, old&blockMask
	same := who == id && was != readMany && was != atomicMany
	switch {
	case same && (was == kind || was == wrote || kind == readOne):
		return old, -1
	case same || b.knows(int64(who), was):
		return mine, -1
	case kind == readOne && (was == readOne || was == readMany):
		return epoch | readMany, -1
	case kind == atomicOne && (was == atomicOne || was == atomicMany):
		return epoch | atomicMany, -1
	}
	return old, int64(who)
}

// A blockSet holds blocks whose writes are known.
type blockSet []uint64

func (s blockSet) has(id int64) bool { return int(id/64) < len(s) && s[id/64]>>(id%64)&1 != 0 }

// join returns the union of two sets.
func (s blockSet) join(o blockSet) blockSet {
	for len(s) < len(o) {
		s = append(s, 0)
	}
	for i, v := range o {
		s[i] |= v
	}
	return s
}

func (s blockSet) add(id int64) blockSet {
	for int(id/64) >= len(s) {
		s = append(s, 0)
	}
	s[id/64] |= 1 << (id % 64)
	return s
}

// knows tells whether fences and atomic operations put the accesses of another block before this one. Where
// many blocks touched a cell, it is enough to know some.
func (b *block) knows(who int64, was uint32) bool {
	if b.known == nil {
		return false
	}
	return was == readMany || was == atomicMany || b.known.has(who)
}

// order notes an atomic operation at an address. What a block did before a fence is known to the blocks that come
// to the same address later. The lock of the run is held.
func (b *block) order(addr uint64) {
	if !b.run.code.fences {
		return
	}
	set := b.run.orders[addr]
	before := append(blockSet(nil), set...)
	if b.fenced {
		set = set.join(b.known).add(b.id & blockMask)
		b.run.orders[addr] = set
	}
	if len(before) > 0 {
		b.known = b.known.join(before)
	}
}

// A cell is what is known of some bytes of shared memory: epoch of barriers and warp of the last write and read.
type cell struct{ write, read uint32 }

const (
	cellMany   = 1 << 5 // more than one warp
	cellAtomic = 1 << 6
	cellShift  = 7
	cellWarp   = 1<<5 - 1
)

// touchShared notes an access of n bytes. It returns another warp that touches them between the same barriers, or −1.
func (b *block) touchShared(off, n uint64, warp int, kind uint32) int {
	now := b.epoch<<cellShift | uint32(warp)
	for i := off >> b.unit; i <= (off+n-1)>>b.unit; i++ {
		c := &b.cells[i]
		same := c.write>>cellShift == b.epoch
		if same && c.write&cellWarp != uint32(warp) || same && c.write&cellMany != 0 {
			if kind != atomicOne || c.write&cellAtomic == 0 {
				return int(c.write & cellWarp)
			}
		}
		if kind == readOne {
			if c.read>>cellShift == b.epoch && c.read&cellWarp != uint32(warp) {
				c.read |= cellMany
			} else if c.read != now|cellMany {
				c.read = now
			}
			continue
		}
		if c.read>>cellShift == b.epoch && (c.read&cellWarp != uint32(warp) || c.read&cellMany != 0) {
			return int(c.read & cellWarp)
		}
		switch {
		case kind != atomicOne:
			c.write = now
		case !same:
			c.write = now | cellAtomic
		case c.write&cellWarp != uint32(warp):
			c.write |= cellMany
		}
	}
	return -1
}
