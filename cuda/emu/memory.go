package emu

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"github.com/pkg/errors"
)

// An alloc is memory of the device: its bytes, and for each whether it was written.
type alloc struct {
	ptr    Ptr
	data   []byte
	shadow []byte // 1: written
	name   string
	static bool // variables of a module
	race   [3]raceMap
}

// Alloc returns n bytes of unwritten memory, at a multiple of 256 and with redzones around them, or [ErrMemory].
func (d *Device) Alloc(n int) (Ptr, error) {
	if n < 0 {
		return 0, errors.Errorf("emu: got an allocation of %d bytes, want at least 0", n)
	}
	size := (int64(n) + align - 1) / align * align
	if d.bytes+size > d.o.Bytes {
		return 0, errors.Wrapf(ErrMemory, "%d bytes, %d of %d are free", n, d.o.Bytes-d.bytes, d.o.Bytes)
	}
	a := d.reserve(n)
	d.bytes += size
	return a.ptr, nil
}

// reserve makes an allocation at the next address.
func (d *Device) reserve(n int) *alloc {
	a := &alloc{ptr: d.next, data: make([]byte, n), shadow: make([]byte, n)}
	d.next += (Ptr(n)+align-1)/align*align + redzone
	d.allocs = append(d.allocs, a)
	return a
}

// find returns the allocation that begins at or before p, and its index.
func (d *Device) find(p Ptr) (*alloc, int) {
	i := sort.Search(len(d.allocs), func(i int) bool { return d.allocs[i].ptr > p }) - 1
	if i < 0 {
		return nil, -1
	}
	return d.allocs[i], i
}

// part finds n bytes at p.
func (d *Device) part(p Ptr, n int) (a *alloc, off int, err error) {
	a, _ = d.find(p)
	if a == nil || n < 0 || p-a.ptr > Ptr(len(a.data)) || len(a.data)-int(p-a.ptr) < n {
		return nil, 0, errors.Errorf("emu: %d bytes at %#x are no part of an allocation: %s", n, uint64(p), d.near(uint64(p)))
	}
	return a, int(p - a.ptr), nil
}

// near describes the allocation closest to an address.
func (d *Device) near(addr uint64) string {
	a, i := d.find(Ptr(addr))
	if i+1 < len(d.allocs) {
		n := d.allocs[i+1]
		if a == nil || n.ptr-Ptr(addr) < Ptr(addr)-a.ptr-Ptr(min(len(a.data), int(Ptr(addr)-a.ptr))) {
			return fmt.Sprintf("%d bytes before %s", n.ptr-Ptr(addr), n.label())
		}
	}
	if a == nil {
		return "no allocation is near"
	}
	return relative(addr, uint64(a.ptr), uint64(len(a.data)), a.label())
}

// relative says where an address is, seen from n bytes at lo. The address is not below lo.
func relative(addr, lo, n uint64, label string) string {
	if addr-lo < n {
		return fmt.Sprintf("at byte %d of %s with %d bytes", addr-lo, label, n)
	}
	return fmt.Sprintf("%d bytes past the end of %s with %d bytes", addr-lo-n, label, n)
}

func (a *alloc) label() string {
	if a.name == "" {
		return fmt.Sprintf("the allocation at %#x", uint64(a.ptr))
	}
	return fmt.Sprintf("%q", a.name)
}

// Free gives back what Alloc returned.
func (d *Device) Free(p Ptr) error {
	a, i := d.find(p)
	if a == nil || a.ptr != p || a.static {
		return errors.Errorf("emu: got %#x to free, want what Alloc returned: %s", uint64(p), d.near(uint64(p)))
	}
	d.bytes -= (int64(len(a.data)) + align - 1) / align * align
	d.allocs = slices.Delete(d.allocs, i, i+1)
	return nil
}

// Name names an allocation, for the errors of launches.
func (d *Device) Name(p Ptr, name string) error {
	a, _ := d.find(p)
	if a == nil || a.ptr != p {
		return errors.Errorf("emu: got %#x to name, want what Alloc returned: %s", uint64(p), d.near(uint64(p)))
	}
	a.name = name
	return nil
}

// Allocations are the number of allocations and of their bytes.
func (d *Device) Allocations() (n int, bytes int64) {
	for _, a := range d.allocs {
		if !a.static {
			n++
			bytes += int64(len(a.data))
		}
	}
	return n, bytes
}

// Write copies b to the device. It marks the bytes as written.
func (d *Device) Write(p Ptr, b []byte) error {
	a, off, err := d.part(p, len(b))
	if err != nil {
		return err
	}
	copy(a.data[off:], b)
	mark(a.shadow[off:off+len(b)], 1)
	return nil
}

// Read copies from the device. A byte that was never written is an error.
func (d *Device) Read(b []byte, p Ptr) error {
	a, off, err := d.part(p, len(b))
	if err != nil {
		return err
	}
	if i := bytes.IndexByte(a.shadow[off:off+len(b)], 0); i >= 0 && !d.o.Unchecked {
		return errors.Errorf("emu: read of %d bytes: byte %d of %s was never written", len(b), off+i, a.label())
	}
	copy(b, a.data[off:])
	return nil
}

// Written counts the bytes from p on, up to n, that were written.
func (d *Device) Written(p Ptr, n int) (int, error) {
	a, off, err := d.part(p, n)
	if err != nil {
		return 0, err
	}
	if i := bytes.IndexByte(a.shadow[off:off+n], 0); i >= 0 {
		return i, nil
	}
	return n, nil
}

// Copy copies n bytes within the device, with what is known of them: unwritten bytes stay unwritten.
func (d *Device) Copy(dst, src Ptr, n int) error {
	to, i, err := d.part(dst, n)
	if err != nil {
		return err
	}
	from, j, err := d.part(src, n)
	if err != nil {
		return err
	}
	copy(to.data[i:i+n], from.data[j:j+n])
	copy(to.shadow[i:i+n], from.shadow[j:j+n])
	return nil
}

// Fill writes n 32-bit words.
func (d *Device) Fill(p Ptr, word uint32, n int) error {
	a, off, err := d.part(p, 4*n)
	if err != nil {
		return err
	}
	b := a.data[off : off+4*n]
	for i := 0; i < len(b); i += 4 {
		binary.LittleEndian.PutUint32(b[i:], word)
	}
	mark(a.shadow[off:off+4*n], 1)
	return nil
}

// Forget marks n bytes as unwritten.
func (d *Device) Forget(p Ptr, n int) error {
	a, off, err := d.part(p, n)
	if err != nil {
		return err
	}
	clear(a.shadow[off : off+n])
	return nil
}

// mark sets all bytes.
func mark(b []byte, v byte) {
	if len(b) == 0 {
		return
	}
	b[0] = v
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}
