package emu

import "math/bits"

// pending marks shared memory that an asynchronous copy will write.
const pending = 2

// async holds the asynchronous copies of a warp that are under way.
type async struct {
	copies  []asyncCopy
	commits [32]int32 // groups that each lane has closed
}

type asyncCopy struct {
	lane  int
	group int32 // of the lane
	to    uint64
	n     uint64
	data  [16]byte
	in    *inst
}

func (a *async) reset() { a.copies, a.commits = a.copies[:0], [32]int32{} }

// asyncRows are asynchronous copies to shared memory.
func asyncRows() map[string]opcode {
	return map[string]opcode{
		"cp": {"*", copyAsync},
		"cp.async.commit_group": {"", func(d *decoder, in *inst) error {
			in.do = func(w *warp, _ *inst, on uint32) {
				for i := range w.async.commits {
					w.async.commits[i] += int32(on >> i & 1)
				}
			}
			return d.want(0)
		}},
		"cp.async.wait_all": {"", func(d *decoder, in *inst) error {
			in.do = func(w *warp, _ *inst, on uint32) { w.land(on, -1) }
			return d.want(0)
		}},
		"cp.async.wait_group": {"", func(d *decoder, in *inst) error {
			if err := d.want(1); err != nil {
				return err
			}
			if d.s.args[0].kind != opNumber || d.s.args[0].value > 1<<20 {
				return d.errorf("%s: want a number of groups", d.s.op)
			}
			n := int32(d.s.args[0].value)
			in.do = func(w *warp, _ *inst, on uint32) { w.land(on, n) }
			return nil
		}},
	}
}

// copyAsync decodes cp.async.
func copyAsync(d *decoder, in *inst) (err error) {
	mods := d.mods
	for _, want := range []string{"async", "shared", "global"} {
		if !d.has(want) && !(want == "shared" && d.has("shared::cta")) {
			return d.errorf("unknown opcode %s", d.s.op)
		}
	}
	if err = d.want(3, 4); err != nil {
		return err
	}
	size := d.s.args[2]
	if size.kind != opNumber || size.value != 16 && (size.value != 4 && size.value != 8 || d.has("cg")) {
		return d.errorf("%s: want 4, 8 or 16 bytes, and 16 with .cg", d.s.op)
	}
	keep := mods[:0:0]
	for _, mod := range mods {
		if mod != "async" && mod != "global" && mod != "shared" && mod != "shared::cta" {
			keep = append(keep, mod)
		}
	}
	d.mods = append(keep, "global")
	if err = d.memory(in, d.s.args[1]); err != nil {
		return err
	}
	from := in.mem
	d.mods = append(keep, "shared")
	if err = d.memory(in, d.s.args[0]); err != nil {
		return err
	}
	in.mem.kind, in.mode, in.size = wrote, storing, uint8(size.value)
	d.unit(in)
	in.a = d.constant(size.value)
	if len(d.s.args) == 4 {
		if in.a, err = d.src(d.s.args[3], "u32"); err != nil {
			return err
		}
	}
	in.do = func(w *warp, in *inst, on uint32) { w.copyAsync(in, from, on) }
	return nil
}

// copyAsync starts asynchronous copies.
func (w *warp) copyAsync(in *inst, from *memory, on uint32) {
	to := *w.addresses(in.mem)
	at := *w.addresses(from)
	n := uint64(in.size)
	if r := w.block.run; r.causal {
		r.mu.Lock()
		defer r.mu.Unlock()
	}
	source := inst{line: in.line, size: in.size, mem: from}
	w.countSectors(&at, on, n)
	w.countBanks(&to, on, n)
	for left := on; left != 0; left &= left - 1 {
		i := bits.TrailingZeros32(left)
		c := asyncCopy{lane: i, group: w.async.commits[i], to: to[i], n: n, in: in}
		if take := min(uint32(w.r[in.a][i]), uint32(n)); take > 0 {
			b := w.sourceBytes(&source, i, at[i], n, uint64(take))
			if w.state == faulted {
				return
			}
			copy(c.data[:take], b)
		}
		if w.sharedBytes(in, i, to[i], n) == nil {
			if w.state == faulted {
				return
			}
			continue
		}
		if w.block.run.checked {
			mark(w.block.shadow[to[i]:to[i]+n], pending)
		}
		w.async.copies = append(w.async.copies, c)
	}
}

// sourceBytes returns what a lane copies from global memory.
func (w *warp) sourceBytes(in *inst, lane int, addr, n, take uint64) []byte {
	v := w.find(in.mem.site, addr, take, Reads)
	checked := w.block.run.checked
	switch {
	case v == nil && checked:
		w.outside(in, lane, addr, take, Reads)
		return nil
	case v == nil:
		return nil
	case checked && addr&(n-1) != 0:
		w.fault(in, lane, Misaligned, "copy of %d bytes from %#x, want a multiple of %d", n, addr, n)
		return nil
	}
	off := addr - v.lo
	if checked {
		if !allWritten(v.shadow[off : off+take]) {
			w.fault(in, lane, Unwritten, "copy of %d bytes from %#x: %s", take, addr, relative(addr, v.lo, v.size, v.label()))
			return nil
		}
		if other := w.note(in, v, lane, addr, take); other != nil {
			w.raced(in, v, lane, addr, take, other)
			return nil
		}
	}
	return v.data[off : off+take]
}

// land ends the copies of all groups but the last n that the lanes have closed; of all where n is negative.
func (w *warp) land(on uint32, n int32) {
	keep := w.async.copies[:0]
	for _, c := range w.async.copies {
		if on>>c.lane&1 == 0 || n >= 0 && c.group >= w.async.commits[c.lane]-n {
			keep = append(keep, c)
			continue
		}
		copy(w.block.shared[c.to:c.to+c.n], c.data[:c.n])
		if w.block.run.checked {
			mark(w.block.shadow[c.to:c.to+c.n], 1)
			if other := w.block.touchShared(c.to, c.n, w.index, wrote); other >= 0 {
				w.fault(c.in, c.lane, Race, "%d bytes at %#x of shared memory, copied here, which warp %d touches too", c.n, c.to, other)
				return
			}
		}
	}
	w.async.copies = keep
}
