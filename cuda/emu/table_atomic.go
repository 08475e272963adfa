package emu

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// An update returns what an atomic operation makes of the old value.
type update func(old, a, b uint64) uint64

// atomicRows are atomic operations.
func atomicRows() map[string]opcode {
	return map[string]opcode{"atom": {"*", atom}, "red": {"*", atom}}
}

// updates are the atomic operations by name and type.
var updates = map[string]update{}

func init() {
	set := func(name string, f update, types ...string) {
		for _, t := range types {
			updates[name+"."+t] = f
		}
	}
	set("add", func(old, a, _ uint64) uint64 { return old + a }, "u32", "s32", "u64", "s64")
	set("and", func(old, a, _ uint64) uint64 { return old & a }, "b32", "b64")
	set("or", func(old, a, _ uint64) uint64 { return old | a }, "b32", "b64")
	set("xor", func(old, a, _ uint64) uint64 { return old ^ a }, "b32", "b64")
	set("exch", func(_, a, _ uint64) uint64 { return a }, "b32", "b64")
	set("cas", func(old, a, b uint64) uint64 {
		if old == a {
			return b
		}
		return old
	}, "b16", "b32", "b64")
	set("inc", func(old, a, _ uint64) uint64 {
		if old >= a {
			return 0
		}
		return old + 1
	}, "u32")
	set("dec", func(old, a, _ uint64) uint64 {
		if old == 0 || old > a {
			return a
		}
		return old - 1
	}, "u32")
	set("min", func(old, a, _ uint64) uint64 { return min(old, a) }, "u32", "u64")
	set("max", func(old, a, _ uint64) uint64 { return max(old, a) }, "u32", "u64")
	set("min", func(old, a, _ uint64) uint64 { return uint64(min(int32(old), int32(a))) }, "s32")
	set("max", func(old, a, _ uint64) uint64 { return uint64(max(int32(old), int32(a))) }, "s32")
	set("min", func(old, a, _ uint64) uint64 { return uint64(min(int64(old), int64(a))) }, "s64")
	set("max", func(old, a, _ uint64) uint64 { return uint64(max(int64(old), int64(a))) }, "s64")
	set("add", func(old, a, _ uint64) uint64 { // hardware flushes subnormals in global memory
		v := flush(math.Float32bits(f32(uint64(flush(uint32(old)))) + f32(uint64(flush(uint32(a))))))
		return canonical(math.Float32frombits(v))
	}, "f32")
	set("add", func(old, a, _ uint64) uint64 { return canonical(f32(old) + f32(a)) }, "f32.shared")
	set("add", func(old, a, _ uint64) uint64 { return canonical64(f64(old) + f64(a)) }, "f64")
	for t, f := range formats {
		one := func(a, b uint64) uint64 {
			return uint64(f.narrow(sumOdd(f.wide(uint16(a)), f.wide(uint16(b))), nearest))
		}
		set("add", func(old, a, _ uint64) uint64 { return one(old, a) }, t)
		set("add", func(old, a, _ uint64) uint64 { return one(old, a) | one(old>>16, a>>16)<<16 }, t+"x2")
	}
}

// atom decodes atom and red.
func atom(d *decoder, in *inst) (err error) {
	if len(d.types) != 1 {
		return d.errorf("%s: want one type", d.s.op)
	}
	t := d.types[0]
	var f, inShared update
	mods := d.mods[:0:0]
	for _, mod := range d.mods {
		if u, ok := updates[mod+"."+t]; ok && f == nil {
			f, inShared = u, u
			if s, ok := updates[mod+"."+t+".shared"]; ok {
				inShared = s
			}
			in.b = -1
			if mod == "cas" {
				in.b = 0
			}
		} else if mod != "noftz" && mod != "acq_rel" {
			mods = append(mods, mod)
		}
	}
	if f == nil {
		return d.errorf("unknown operation of %s", d.s.op)
	}
	args := d.s.args
	in.d = scratch
	if d.s.op[:4] == "atom" {
		if len(args) == 0 {
			return d.want(3)
		}
		if in.d, err = d.dst(args[0]); err != nil {
			return err
		}
		args = args[1:]
	}
	if n := 3 + int(in.b); len(args) != n {
		return d.errorf("%s: got %d operands behind the result, want %d", d.s.op, len(args), n)
	}
	acquire, release := d.has("acq_rel") || d.has("acquire"), d.has("acq_rel") || d.has("release")
	d.mods = mods
	if err = d.memory(in, args[0]); err != nil {
		return err
	}
	in.mem.kind, in.mode, in.size = atomicOne, updating, uint8(sizes[t])
	in.mem.order.acquire, in.mem.order.release, in.mem.blind = acquire, release, d.s.op[:3] == "red"
	d.c.fences = d.c.fences || acquire || release
	d.unit(in)
	for i, o := range args[1:] {
		if r, err := d.src(o, t); err != nil {
			return err
		} else if i == 0 {
			in.a = r
		} else {
			in.b = r
		}
	}
	in.do = func(w *warp, in *inst, on uint32) { w.atomic(in, on, f, inShared) }
	return nil
}

// atomic runs an atomic operation, lane by lane.
func (w *warp) atomic(in *inst, on uint32, inGlobal, inShared update) {
	at := *w.addresses(in.mem)
	n := uint64(in.size)
	out := &lanes{}
	locked := false
	for left := on; left != 0 && w.state == running; left &= left - 1 {
		i := bits.TrailingZeros32(left)
		space, addr := in.mem.space, at[i]
		if space == generic {
			switch {
			case addr-sharedBase < spaceSize:
				space, addr = shared, addr-sharedBase
			default:
				space = global
			}
		}
		var b []byte
		f := inGlobal
		if space == shared {
			f = inShared
			b = w.sharedBytes(in, i, addr, n)
		} else if space == global {
			if !locked {
				w.block.run.mu.Lock()
				locked = true
			}
			b = w.globalBytes(in, i, addr, n)
		}
		if b == nil {
			continue
		}
		out[i] = w.update(in, i, b, f)
	}
	if locked {
		w.block.run.mu.Unlock()
		w.countSectors(&at, on, n)
	}
	if w.state == running {
		w.set(in.d, out, on)
	}
}

// update changes the bytes and returns the old value.
func (w *warp) update(in *inst, lane int, b []byte, f update) uint64 {
	second := uint64(0)
	if in.b >= 0 {
		second = w.r[in.b][lane]
	}
	var v [8]byte
	copy(v[:], b)
	old := binary.LittleEndian.Uint64(v[:])
	binary.LittleEndian.PutUint64(v[:], f(old, w.r[in.a][lane], second))
	copy(b, v[:in.size])
	return old
}

// globalBytes returns bytes of global memory for an atomic operation, or nil. The lock of the run is held.
func (w *warp) globalBytes(in *inst, lane int, addr, n uint64) []byte {
	v := w.find(in.mem.site, addr, n, Reads|Writes)
	if v == nil {
		if w.block.run.checked {
			w.outside(in, lane, addr, n, Reads|Writes)
		}
		return nil
	}
	if w.block.run.causal {
		w.strong(in, lane, addr)
	}
	if w.block.run.checked && !w.allowed(in, v, lane, addr, n, Reads) {
		return nil
	}
	off := addr - v.lo
	return v.data[off : off+n]
}
