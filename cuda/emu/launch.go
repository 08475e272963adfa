package emu

import (
	"bytes"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/pkg/errors"
)

// A run is a launch under way.
type run struct {
	d       *Device
	l       Launch
	code    *code
	windows []window
	checked bool
	traced  bool         // races are looked for
	causal  bool         // by what fences order
	alone   bool         // one goroutine runs all blocks
	shared  int          // bytes of a block, dynamic ones included
	threads int          // of a block
	warps   int          // of a block
	blocks  int64        // of the grid
	unit    uint         // log₂ of the bytes of a cell of a raceMap
	epoch   uint64       // of the launch, where a cell of a raceMap has it
	next    atomic.Int64 // block
	left    atomic.Int64 // of the budget

	mu        sync.Mutex          // held by atomic operations on global memory, and for what follows
	posts     map[uint64]*post    // by address
	histories map[uint64]*history // by address, in cells
	err       *Fault
	failed    atomic.Int64 // the lowest block with a fault
	stats     Stats
}

// The limits of hardware.
const (
	maxThreads   = 1024
	maxBlockZ    = 64
	maxGridX     = 1<<31 - 1
	maxGridYZ    = 65535
	plainShared  = 48 << 10 // without the function's attribute
	maxRegisters = 65536
)

// mostShared is the shared memory of a block, by compute capability.
func mostShared(capability [2]int) int {
	switch capability {
	case [2]int{8, 0}, [2]int{8, 7}:
		return 163 << 10
	case [2]int{8, 6}, [2]int{8, 9}, [2]int{12, 0}, [2]int{12, 1}:
		return 99 << 10
	}
	return 227 << 10
}

// Launch runs a kernel to its end. The error is a *[Fault] where the kernel does what it must not.
func (d *Device) Launch(l Launch) (Stats, error) {
	if l.Kernel == nil || l.Kernel.m.d != d {
		return Stats{}, errors.New("emu: a launch has no kernel of this device")
	}
	if err := d.check(&l); err != nil {
		return Stats{}, err
	}
	r := &run{d: d, l: l, code: l.Kernel.code, checked: !d.o.Unchecked, posts: map[uint64]*post{}, histories: map[uint64]*history{}}
	r.shared = r.code.shared + l.Shared
	r.threads = l.Block.X * l.Block.Y * l.Block.Z
	r.warps = (r.threads + 31) / 32
	r.blocks = int64(l.Grid.X) * int64(l.Grid.Y) * int64(l.Grid.Z)
	r.traced = r.checked && (r.blocks > 1 || r.warps > 1)
	r.causal = r.traced && r.code.fences
	r.left.Store(d.o.Budget)
	r.failed.Store(r.blocks)
	if err := r.open(); err != nil {
		return Stats{}, err
	}
	var group sync.WaitGroup
	workers := min(int64(d.o.Workers), r.blocks)
	r.alone = workers == 1
	for range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			r.work()
		}()
	}
	group.Wait()
	if r.err != nil {
		return r.stats, r.err
	}
	return r.stats, nil
}

// check refuses what hardware would refuse.
func (d *Device) check(l *Launch) error {
	k, g, b := l.Kernel, l.Grid, l.Block
	for _, n := range []int{g.X, g.Y, g.Z, b.X, b.Y, b.Z} {
		if n < 1 {
			return l.limit("grid %s, block %s: every extent is at least 1", g, b)
		}
	}
	most := mostShared(d.o.Capability)
	switch n := b.X * b.Y * b.Z; {
	case g.X > maxGridX || g.Y > maxGridYZ || g.Z > maxGridYZ:
		return l.limit("grid %s, want at most %d, %d, %d", g, maxGridX, maxGridYZ, maxGridYZ)
	case b.X > maxThreads || b.Y > maxThreads || b.Z > maxBlockZ || n > maxThreads:
		return l.limit("block %s, want at most %d threads, and %d in z", b, maxThreads, maxBlockZ)
	case k.exact && b != k.limit:
		return l.limit("block %s, the kernel has .reqntid %s", b, k.limit)
	case k.limit.X > 0 && n > k.limit.X*k.limit.Y*k.limit.Z:
		return l.limit("a block of %d threads, the kernel has .maxntid %s", n, k.limit)
	case k.registers > 0 && roundUp(n, 32)*roundUp(k.registers, 8) > maxRegisters:
		return l.limit("%d threads of %d registers, want at most %d registers in a block", n, k.registers, maxRegisters)
	case len(l.Params) != k.bytes:
		return l.limit("got %d bytes of parameters, want %d", len(l.Params), k.bytes)
	case l.Shared < 0 || k.code.shared > plainShared:
		return l.limit("shared memory: %d bytes of the kernel's own, want at most %d; %d dynamic", k.code.shared, plainShared, l.Shared)
	case k.code.shared+l.Shared > plainShared && l.MaxShared == 0:
		return l.limit("shared memory: %d + %d dynamic bytes, want at most %d without the attribute", k.code.shared, l.Shared, plainShared)
	case k.code.shared+l.Shared > most || k.code.shared+l.MaxShared > most:
		return l.limit("shared memory: %d + %d dynamic bytes of at most %d, want at most %d", k.code.shared, l.Shared, l.MaxShared, most)
	case l.MaxShared > 0 && k.code.shared+l.Shared > max(l.MaxShared+k.code.shared, plainShared):
		return l.limit("shared memory: %d dynamic bytes, the attribute allows %d", l.Shared, l.MaxShared)
	}
	return nil
}

// open prepares the memory of the launch.
func (r *run) open() error {
	d := r.d
	d.epoch++
	if d.epoch == maxLaunch {
		d.epoch = 1
		for _, a := range d.allocs {
			a.race = [3]raceMap{}
		}
	}
	r.epoch = uint64(d.epoch) << launchShift
	r.unit = uint(bits.TrailingZeros(uint(r.code.globalUnit)))
	if r.l.Ranges == nil || !r.checked {
		for _, a := range d.allocs {
			r.windows = append(r.windows, r.window(a, 0, len(a.data), Reads|Writes))
		}
		return nil
	}
	for _, g := range r.l.Ranges {
		a, off, err := d.part(g.Ptr, g.Bytes)
		if err != nil {
			return errors.WithMessagef(err, "range %q", g.Name)
		}
		if g.Row < 0 || g.Stride < g.Row || (g.Stride > 0) != (g.Row > 0) {
			return errors.Errorf("emu: range %q: got rows of %d bytes each %d, want 0 ≤ row ≤ stride", g.Name, g.Row, g.Stride)
		}
		w := r.window(a, off, g.Bytes, g.Access)
		w.name = g.Name
		if g.Row < g.Stride {
			w.row, w.stride = uint64(g.Row), uint64(g.Stride)
		}
		r.windows = append(r.windows, w)
	}
	for _, a := range d.allocs {
		if a == r.l.Kernel.m.statics {
			r.windows = append(r.windows, r.window(a, 0, len(a.data), Reads|Writes))
		}
	}
	r.forget()
	for i := range r.windows { // what nothing writes has no races
		if w := &r.windows[i]; w.access == Reads && !r.overlaps(w, Writes) {
			w.cells, w.causal = nil, false
		}
	}
	return nil
}

// drops tells whether a range holds nothing before the launch.
func (a Access) drops() bool { return a&Fresh != 0 || a&(Reads|Writes) == Writes }

// forget marks what the launch may only write as unwritten, but for bytes that another range lets it read.
func (r *run) forget() {
	var kept [][2][]byte
	for i := range r.windows {
		if w := &r.windows[i]; w.access.drops() {
			for j := range r.windows {
				if v := &r.windows[j]; v.access&Reads != 0 && !v.access.drops() && v.lo < w.lo+w.size && w.lo < v.lo+v.size {
					kept = append(kept, [2][]byte{v.shadow, bytes.Clone(v.shadow)})
				}
			}
		}
	}
	for i := range r.windows {
		if w := &r.windows[i]; w.access.drops() {
			w.rows(func(b []byte) { clear(b) })
		}
	}
	for _, k := range kept {
		copy(k[0], k[1])
	}
}

// overlaps tells whether another window with an access shares bytes with one.
func (r *run) overlaps(w *window, access Access) bool {
	for i := range r.windows {
		if v := &r.windows[i]; v != w && v.access&access != 0 && v.lo < w.lo+w.size && w.lo < v.lo+v.size {
			return true
		}
	}
	return false
}

// work runs blocks until none is left.
func (r *run) work() {
	r.mu.Lock()
	b := r.block()
	r.mu.Unlock()
	for {
		id := r.next.Add(1) - 1
		if id >= r.failed.Load() {
			break
		}
		if f := b.exec(id); f != nil {
			r.mu.Lock()
			if id < r.failed.Load() {
				r.failed.Store(id)
				r.err = f
			}
			r.mu.Unlock()
		}
	}
	r.mu.Lock()
	r.stats.add(b.stats)
	r.l.Kernel.idle = append(r.l.Kernel.idle, b)
	r.mu.Unlock()
}
