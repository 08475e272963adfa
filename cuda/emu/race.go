package emu

import "sync/atomic"

// A raceMap says for each cell of an allocation which block touched it in which launch, and which warp since which
// barrier of that block. A cell has two parts of an epoch, a kind and an owner. The upper part has 15 bits of the
// launch, 3 of the kind and 18 of the block. The lower has 20 of the barriers, 3 of the kind and 5 of the warp.
type raceMap []uint64

const (
	launchShift  = 49
	maxLaunch    = 1 << 15
	kindShift    = 46
	blockShift   = 28
	blockMask    = 1<<18 - 1
	barrierShift = 8
	barrierMask  = 1<<20 - 1
	inKindShift  = 5
	warpMask     = 1<<5 - 1
	kindMask     = 7
	lowerMask    = 1<<blockShift - 1
)

// The kinds of touch.
const (
	readOne uint64 = iota + 1
	readMany
	wrote // or one owner did several things
	atomicOne
	atomicMany
)

// A rival is who else touched memory, in no order: another block, or a warp of the same block.
type rival struct {
	block  int64
	warp   int // −1: not known, of another block
	thread int // of another block, where the warp is known
}

// make gives the map its cells.
func (m *raceMap) make(bytes int, unit uint) []uint64 {
	if *m == nil {
		*m = make([]uint64, bytes>>unit+1)
	}
	return *m
}

// touch notes an access of n bytes by a warp. It returns who else touches them without order, or nil.
func (b *block) touch(w *window, off, n uint64, kind uint64, warp int) *rival {
	if w.cells == nil {
		return nil
	}
	r := b.run
	off += w.skew
	me := r.epoch | kind<<kindShift | uint64(b.id)&blockMask<<blockShift |
		uint64(b.epoch)&barrierMask<<barrierShift | kind<<inKindShift | uint64(warp)
	cells := w.cells[off>>r.unit : (off+n-1)>>r.unit+1]
	for i := range cells {
		c := &cells[i]
		for old := atomic.LoadUint64(c); old != me; old = atomic.LoadUint64(c) {
			now := me
			if old>>launchShift == me>>launchShift {
				var other *rival
				if now, other = after(old, me); other != nil {
					return other
				}
			}
			if r.alone {
				*c = now
				break
			}
			if now == old || atomic.CompareAndSwapUint64(c, old, now) {
				break
			}
		}
	}
	return nil
}

// after returns what a cell says when an access follows others of the launch, or whom it conflicts with.
func after(old, me uint64) (now uint64, other *rival) {
	was, who := old>>kindShift&kindMask, old>>blockShift&blockMask
	same := who == me>>blockShift&blockMask
	kind := combine(was, me>>kindShift&kindMask, same)
	if kind == 0 {
		return old, &rival{block: int64(who), warp: -1}
	}
	now = old&^(kindMask<<kindShift) | kind<<kindShift
	switch {
	case !same || kind == readMany || kind == atomicMany: // a conflict of warps is one of blocks too
		return now, nil
	case (old^me)>>barrierShift&barrierMask != 0:
		return now&^lowerMask | me&lowerMask, nil
	}
	warp := old & warpMask
	if kind = combine(old>>inKindShift&kindMask, me>>inKindShift&kindMask, warp == me&warpMask); kind == 0 {
		return old, &rival{block: int64(who), warp: int(warp)}
	}
	return now&^(kindMask<<inKindShift) | kind<<inKindShift, nil
}

// combine returns the kind of two touches, by the same owner or by two; 0 where they conflict.
func combine(was, kind uint64, same bool) uint64 {
	switch {
	case was == readMany || was == atomicMany:
		if kind+1 == was {
			return was
		}
		return 0
	case same && was == kind:
		return kind
	case same:
		return wrote
	case was == kind && kind != wrote:
		return kind + 1
	}
	return 0
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
func (b *block) touchShared(off, n uint64, warp int, kind uint64) int {
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
