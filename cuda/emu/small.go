package emu

import (
	"math/bits"
)

// moveSmall moves between registers and the memory of a block or a thread.
func (w *warp) moveSmall(in *inst, at *lanes, on uint32, space uint8) {
	n := uint64(in.size) * uint64(in.mem.count)
	if space == shared {
		if n == 4 && in.mem.count == 1 && in.mem.kind != atomicOne && w.small4(in, at, on) {
			return
		}
		w.countBanks(at, on, n)
	}
	for left := on; left != 0; left &= left - 1 {
		i := bits.TrailingZeros32(left)
		b := w.small(in, i, at[i], n, space)
		if b == nil {
			if w.state == faulted {
				return
			}
			w.missing(in, i)
			continue
		}
		w.element(in, i, b)
	}
	if space == shared && in.mode == storing && w.block.run.checked && on&(on-1) != 0 {
		w.verify(in, at, on, n, func(a uint64) []byte { return w.block.shared[a:] })
	}
}

// small returns n bytes that a lane may access, or nil.
func (w *warp) small(in *inst, lane int, addr, n uint64, space uint8) []byte {
	switch space {
	case shared:
		return w.sharedBytes(in, lane, addr, n)
	case local:
		size := uint64(w.block.run.code.local)
		if !w.inside(in, lane, addr, n, size, "local memory") {
			return nil
		}
		lo := uint64(lane)*size + addr
		if s := w.lwrite[lo : lo+n]; in.mode == storing {
			mark(s, 1)
		} else if w.block.run.checked && !allWritten(s) {
			w.fault(in, lane, Unwritten, "read of %d bytes at %#x of local memory", n, addr)
			return nil
		}
		return w.local[lo : lo+n]
	}
	if addr < frameBase {
		params := w.block.run.l.Params
		if !w.inside(in, lane, addr, n, uint64(len(params)), "the parameters") || in.mode == storing {
			return nil
		}
		return params[addr : addr+n]
	}
	size := uint64(w.block.run.code.frame)
	addr -= frameBase
	if !w.inside(in, lane, addr, n, size, "the parameters of a call") {
		return nil
	}
	lo := uint64(lane)*size + addr
	return w.frame[lo : lo+n]
}

// inside checks that n bytes are within a space, at a multiple of n.
func (w *warp) inside(in *inst, lane int, addr, n, size uint64, label string) bool {
	if addr >= size || n > size-addr {
		if w.block.run.checked {
			w.fault(in, lane, OutOfBounds, "%d bytes at %#x of %s with %d bytes", n, addr, label, size)
		}
		return false
	}
	if addr&(n-1) != 0 && w.block.run.checked {
		w.fault(in, lane, Misaligned, "%d bytes at %#x of %s, want a multiple of %d", n, addr, label, n)
		return false
	}
	return true
}

// sharedBytes returns n bytes of shared memory that a lane may access as the instruction says, or nil.
func (w *warp) sharedBytes(in *inst, lane int, addr, n uint64) []byte {
	b := w.block
	if !w.inside(in, lane, addr, n, uint64(len(b.shared)), "shared memory") {
		return nil
	}
	if b.run.checked && !w.sharedAllowed(in, lane, addr, n, in.mem.kind, in.mode != storing) {
		return nil
	}
	return b.shared[addr : addr+n]
}

// sharedAllowed checks that the bytes are written, where they are read, and that no other warp touches them.
func (w *warp) sharedAllowed(in *inst, lane int, addr, n uint64, kind uint64, reads bool) bool {
	b := w.block
	s := b.shadow[addr : addr+n]
	if reads && !allWritten(s) {
		for _, v := range s {
			if v == pending {
				w.fault(in, lane, Unwritten, "read of %d bytes at %#x of shared memory: an asynchronous copy to it is not waited for", n, addr)
				return false
			}
		}
		w.fault(in, lane, Unwritten, "read of %d bytes at %#x of shared memory", n, addr)
		return false
	}
	if other := b.touchShared(addr, n, w.index, kind); other >= 0 {
		w.fault(in, lane, Race, "%d bytes at %#x of shared memory: warp %d touches them too, with no barrier between", n, addr, other)
		return false
	}
	if kind != readOne {
		for i := range s {
			if s[i] == pending {
				w.fault(in, lane, Race, "write to %#x of shared memory: an asynchronous copy to it is under way", addr)
				return false
			}
			s[i] = 1
		}
	}
	return true
}

// countSectors counts the sectors of 32 bytes that a warp touches.
func (w *warp) countSectors(at *lanes, on uint32, n uint64) {
	s := &w.block.stats
	s.IdealSectors += int64((uint64(bits.OnesCount32(on))*n + 31) / 32)
	var seen [64]uint64
	last := ^uint64(0)
	for left := on; left != 0; left &= left - 1 {
		for sec, end := at[bits.TrailingZeros32(left)]>>5, (at[bits.TrailingZeros32(left)]+n-1)>>5; sec <= end; sec++ {
			if sec == last {
				continue
			}
			last = sec
			h := sec & 63
			for seen[h] != 0 && seen[h] != sec+1 {
				h = (h + 1) & 63
			}
			if seen[h] == 0 {
				seen[h] = sec + 1
				s.Sectors++
			}
		}
	}
}

// countBanks counts the passes beyond the first that shared memory needs: 32 banks of 4 bytes. Accesses of 8 and 16
// bytes take 2 and 4 groups of lanes, one after the other.
func (w *warp) countBanks(at *lanes, on uint32, n uint64) {
	group := 32
	if n > 4 {
		group = int(32 * 4 / n)
	}
	for from := 0; from < 32; from += group {
		part := on >> from & uint32(1<<group-1)
		if part == 0 {
			continue
		}
		w.block.stats.BankConflicts += bankPasses(at, part<<from, n) - 1
	}
}

// bankPasses counts how often the busiest bank is asked for another word.
func bankPasses(at *lanes, on uint32, n uint64) int64 {
	var words [32][4]uint64 // the first words of each bank, plus 1
	var passes [32]int64
	most := int64(1)
	for left := on; left != 0; left &= left - 1 {
		i := bits.TrailingZeros32(left)
		for word := at[i] >> 2; word <= (at[i]+n-1)>>2; word++ {
			b := &words[word&31]
			if b[0] == word+1 || b[1] == word+1 || b[2] == word+1 || b[3] == word+1 {
				continue
			}
			b[passes[word&31]&3] = word + 1
			passes[word&31]++
			most = max(most, passes[word&31])
		}
	}
	return most
}
