package emu

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// A memory operand says where an instruction reads or writes.
type memory struct {
	space  uint8
	base   int32 // register, −1 for none
	offset uint64
	symbol string // a variable in dynamic shared memory, whose place is added to offset
	site   int32
	count  int     // elements of a vector
	sign   uint64  // the sign bit of an element that is extended
	mask   uint64  // of the registers that take it
	kind   uint64  // readOne, wrote or atomicOne, for races
	order  fencing // acquire and release; inside where the scope is a block
	blind  bool    // the result is not looked at, as of red
}

// The spaces of memory.
const (
	generic uint8 = iota
	global
	shared
	local
	param // of the kernel, and behind frameBase of calls
)

// Where spaces lie among generic addresses, and the parameters of calls among those of the kernel.
const (
	sharedBase = uint64(1) << 40
	localBase  = uint64(1) << 41
	spaceSize  = uint64(1) << 32
	frameBase  = uint64(1) << 16
)

// addresses computes the address of each lane.
func (w *warp) addresses(m *memory) *lanes {
	if m.base < 0 {
		for i := range w.addr {
			w.addr[i] = m.offset
		}
		return &w.addr
	}
	r := &w.r[m.base]
	if m.offset == 0 {
		return r
	}
	off := m.offset
	if m.space == shared || m.space == local {
		for i := range r {
			w.addr[i] = (r[i] + off) & 0xffffffff
		}
		return &w.addr
	}
	for i := range r {
		w.addr[i] = r[i] + off
	}
	return &w.addr
}

// move runs a load or a store.
func move(w *warp, in *inst, on uint32) {
	m := in.mem
	if m.space == param && in.mode == loading && w.parameter(in, on) {
		return
	}
	at := w.addresses(m)
	switch m.space {
	case global:
		w.moveGlobal(in, at, on)
	case generic:
		w.moveGeneric(in, at, on)
	default:
		w.moveSmall(in, at, on, m.space)
	}
}

// moveGeneric finds out in which space each lane's address is.
func (w *warp) moveGeneric(in *inst, at *lanes, on uint32) {
	var in3 [3]uint32 // global, shared, local
	a := *at
	for i := range a {
		if on>>i&1 != 0 {
			switch {
			case a[i]-sharedBase < spaceSize:
				in3[1] |= 1 << i
				a[i] -= sharedBase
			case a[i]-localBase < spaceSize:
				in3[2] |= 1 << i
				a[i] -= localBase
			default:
				in3[0] |= 1 << i
			}
		}
	}
	if in3[0] != 0 {
		w.moveGlobal(in, &a, in3[0])
	}
	if in3[1] != 0 && w.state == running {
		w.moveSmall(in, &a, in3[1], shared)
	}
	if in3[2] != 0 && w.state == running {
		w.moveSmall(in, &a, in3[2], local)
	}
}

// moveGlobal moves between registers and global memory.
func (w *warp) moveGlobal(in *inst, at *lanes, on uint32) {
	r := w.block.run
	if !r.causal {
		w.moveLanes(in, at, on)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if in.mem.kind == atomicOne {
		for left := on; left != 0; left &= left - 1 {
			i := bits.TrailingZeros32(left)
			w.strong(in, i, at[i])
		}
	}
	w.moveLanes(in, at, on)
}

// moveLanes moves 32 lanes side by side, or one after the other.
func (w *warp) moveLanes(in *inst, at *lanes, on uint32) {
	n := uint64(in.size) * uint64(in.mem.count)
	access := Reads
	if in.mode == storing {
		access = Writes
	}
	if on == full && w.moveRow(in, at, n, access) {
		return
	}
	w.countSectors(at, on, n)
	if n == 4 && in.mem.count == 1 && w.global4(in, at, on, access) {
		return
	}
	for left := on; left != 0; left &= left - 1 {
		i := bits.TrailingZeros32(left)
		v := w.find(in.mem.site, at[i], n, access)
		if v == nil {
			if w.block.run.checked {
				w.outside(in, i, at[i], n, access)
				return
			}
			w.missing(in, i)
			continue
		}
		off := at[i] - v.lo
		if w.block.run.checked && !w.allowed(in, v, i, at[i], n, access) {
			return
		}
		w.element(in, i, v.data[off:off+n])
	}
	if in.mode == storing && w.block.run.checked && on&(on-1) != 0 {
		w.verify(in, at, on, n, func(a uint64) []byte {
			if v := w.find(in.mem.site, a, n, Writes); v != nil {
				return v.data[a-v.lo:]
			}
			return nil
		})
	}
}

// allowed checks one lane's access to a window, and notes it.
func (w *warp) allowed(in *inst, v *window, lane int, addr, n uint64, access Access) bool {
	if addr&(n-1) != 0 {
		w.fault(in, lane, Misaligned, "%d bytes at %#x (%s), want a multiple of %d", n, addr, relative(addr, v.lo, v.size, v.label()), n)
		return false
	}
	off := addr - v.lo
	if access == Reads {
		if s := v.shadow[off : off+n]; !allWritten(s) {
			w.fault(in, lane, Unwritten, "read of %d bytes at %#x: %s", n, addr, relative(addr, v.lo, v.size, v.label()))
			return false
		}
	}
	if other := w.note(in, v, lane, addr, n); other != nil {
		w.raced(in, v, lane, addr, n, other)
		return false
	}
	if access == Writes {
		s := v.shadow[off : off+n]
		for i := range s {
			s[i] = 1
		}
	}
	return true
}

// raced is the fault of an access that another warp or block does not come before or after.
func (w *warp) raced(in *inst, v *window, lane int, addr, n uint64, other *rival) {
	where := relative(addr, v.lo, v.size, v.label())
	switch place := w.block.run.place(other.block); {
	case other.warp < 0:
		w.fault(in, lane, Race, "%d bytes at %#x: %s: block %s touches them too, in no order", n, addr, where, place)
		return
	case other.block != w.block.id && other.block != w.block.id&blockMask:
		w.fault(in, lane, Race, "%d bytes at %#x: %s: thread %s of block %s touches them too, and no fence of that thread, "+
			"or behind a barrier, comes before this", n, addr, where, w.block.thread(other.thread), place)
		return
	}
	who := fmt.Sprintf("warp %d", other.warp)
	if other.warp == w.index { // the first of several that read
		who = "another warp"
	}
	w.fault(in, lane, Race, "%d bytes at %#x: %s: warp %d here and %s touch them, with no barrier between", n, addr, where,
		w.index, who)
}

// place is where a block is in the grid.
func (r *run) place(id int64) Dim {
	g := r.l.Grid
	return Dim{int(id % int64(g.X)), int(id / int64(g.X) % int64(g.Y)), int(id / int64(g.X) / int64(g.Y))}
}

// moveRow moves what 32 lanes access side by side. It returns false where they do not, or where something is wrong.
func (w *warp) moveRow(in *inst, at *lanes, n uint64, access Access) bool {
	lo := at[0]
	for i := range at {
		if at[i] != lo+uint64(i)*n {
			return false
		}
	}
	v := w.find(in.mem.site, lo, 32*n, access)
	if v == nil || v.causal || lo&(n-1) != 0 {
		return false
	}
	off := lo - v.lo
	s := v.shadow[off : off+32*n]
	checked := w.block.run.checked
	if checked && (access == Reads && !allWritten(s) || w.block.touch(v, off, 32*n, in.mem.kind, w.index) != nil) {
		return false
	}
	if access == Writes && checked {
		for i := 0; i < len(s); i += 32 { // 32·n bytes
			*(*[32]byte)(s[i:]) = ones32
		}
	}
	w.block.stats.IdealSectors += int64(n)
	w.block.stats.Sectors += int64((lo+32*n-1)>>5 - lo>>5 + 1)
	w.elements(in, v.data[off:off+32*n], n)
	return true
}

var ones32 = [32]byte{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}

// elements moves 32 lanes that lie n bytes apart.
func (w *warp) elements(in *inst, data []byte, n uint64) {
	r := &w.r[in.regs[0]]
	switch load := in.mode != storing; {
	case in.mem.count > 1 || in.size < 4:
	case in.size == 4 && load:
		data = data[:128]
		for i := range r {
			r[i] = uint64(binary.LittleEndian.Uint32(data[4*i:]))
		}
		in.mem.extend(r)
		return
	case in.size == 4:
		data = data[:128]
		for i := range r {
			binary.LittleEndian.PutUint32(data[4*i:], uint32(r[i]))
		}
		return
	case load:
		for i := range r {
			r[i] = binary.LittleEndian.Uint64(data[8*i:])
		}
		return
	}
	for i := range 32 {
		w.element(in, i, data[uint64(i)*n:])
	}
}

// element moves one lane.
func (w *warp) element(in *inst, lane int, data []byte) {
	m := in.mem
	size := int(in.size)
	for k, reg := range in.regs {
		b := data[k*size:]
		if in.mode == storing {
			v := w.r[reg][lane]
			switch size {
			case 1:
				b[0] = byte(v)
			case 2:
				binary.LittleEndian.PutUint16(b, uint16(v))
			case 4:
				binary.LittleEndian.PutUint32(b, uint32(v))
			default:
				binary.LittleEndian.PutUint64(b, v)
			}
			continue
		}
		var v uint64
		switch size {
		case 1:
			v = uint64(b[0])
		case 2:
			v = uint64(binary.LittleEndian.Uint16(b))
		case 4:
			v = uint64(binary.LittleEndian.Uint32(b))
		default:
			v = binary.LittleEndian.Uint64(b)
		}
		if m.sign != 0 {
			v = (v ^ m.sign) - m.sign
			v &= m.mask
		}
		w.r[reg][lane] = v
	}
}

// missing reads 0 for memory that is not there, where nothing is checked.
func (w *warp) missing(in *inst, lane int) {
	if in.mode != storing {
		for _, reg := range in.regs {
			w.r[reg][lane] = 0
		}
	}
}

// verify looks for lanes that wrote different values to one place: what lies there must be what each wrote.
func (w *warp) verify(in *inst, at *lanes, on uint32, n uint64, find func(addr uint64) []byte) {
	for left := on; left != 0; left &= left - 1 {
		i := bits.TrailingZeros32(left)
		b := find(at[i])
		for k, reg := range in.regs {
			if b == nil {
				continue
			}
			var v [8]byte
			binary.LittleEndian.PutUint64(v[:], w.r[reg][i])
			size := int(in.size)
			if string(b[k*size:(k+1)*size]) != string(v[:size]) {
				w.fault(in, i, Race, "lanes of one warp write different values to %#x, %d bytes each", at[i], n)
				return
			}
		}
	}
}
