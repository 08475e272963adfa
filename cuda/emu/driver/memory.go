package driver

import (
	"bytes"
	"fmt"

	"github.com/ceto-ml/ceto/cuda/emu"
)

// MemInfo is cuMemGetInfo.
func (d *Driver) MemInfo() (free, total uint64, r Result) {
	r = d.work("cuMemGetInfo")
	_, used := d.dev.Allocations()
	return uint64(max(d.o.Bytes-used, 0)), uint64(d.o.Bytes), r
}

// MemAlloc is cuMemAlloc.
func (d *Driver) MemAlloc(n int) (emu.Ptr, Result) {
	if r := d.work("cuMemAlloc", "bytes", n); r != Success {
		return 0, r
	}
	if r := d.unsafeInCapture("cuMemAlloc"); r != Success {
		return 0, r
	}
	d.allocs++
	if n <= 0 {
		return 0, d.refuse(InvalidValue, "an allocation of %d bytes", n)
	}
	if d.set.FailAlloc == d.allocs {
		return 0, d.refuse(OutOfMemory, "allocation %d has no memory, as CETO_EMU asks", d.allocs)
	}
	p, err := d.dev.Alloc(n)
	if err != nil {
		d.last = err
		return 0, OutOfMemory
	}
	d.sizes[p] = n
	return p, Success
}

// MemFree is cuMemFree, which waits for all work first. A fault of that work is told by the next call for work.
func (d *Driver) MemFree(p emu.Ptr) Result {
	if r := d.back("cuMemFree", "bytes", d.sizes[p], "at", fmt.Sprintf("%#x", uint64(p))); r != Success {
		return r
	}
	if p == 0 {
		return Success
	}
	if r := d.unsafeInCapture("cuMemFree"); r != Success {
		return r
	}
	d.all()
	if err := d.dev.Free(p); err != nil {
		d.last = err
		return InvalidValue
	}
	delete(d.sizes, p)
	return Success
}

// MemGetAddressRange is cuMemGetAddressRange: the allocation in which an address lies.
func (d *Driver) MemGetAddressRange(at emu.Ptr) (base emu.Ptr, n int, r Result) {
	if r := d.work("cuMemGetAddressRange", "at", fmt.Sprintf("%#x", uint64(at))); r != Success {
		return 0, 0, r
	}
	for p, n := range d.sizes {
		if p <= at && at < p+emu.Ptr(n) {
			return p, n, Success
		}
	}
	return 0, 0, d.refuse(NotFound, "no allocation holds %#x", uint64(at))
}

// MemAllocHost is cuMemAllocHost: it notes pinned memory that lies at an address of the host.
func (d *Driver) MemAllocHost(at uint64, n int) Result {
	r := d.work("cuMemAllocHost", "bytes", n)
	if r == Success {
		r = d.unsafeInCapture("cuMemAllocHost")
	}
	if r == Success {
		d.pinned[at] = n
	}
	return r
}

// MemFreeHost is cuMemFreeHost, which waits for all work first.
func (d *Driver) MemFreeHost(at uint64) Result {
	if r := d.back("cuMemFreeHost", "bytes", d.pinned[at]); r != Success {
		return r
	}
	d.all()
	if _, ok := d.pinned[at]; !ok {
		return d.refuse(InvalidValue, "no pinned memory lies there")
	}
	delete(d.pinned, at)
	return Success
}

// A transfer is a copy or a filling of memory of the device.
type transfer struct {
	name  string // of the call that waits; the other has Async behind it
	id    uint64 // stream
	async bool
	waits bool // the call that is not asynchronous waits for it
	n     int  // bytes
	at    []emu.Ptr
	run   func() error
}

// transfer asks for a transfer on a stream. Where it waits, it is done when the call returns. What was asked for in
// other streams may be done then or not.
func (d *Driver) transfer(t transfer) Result {
	if t.async {
		t.name += "Async"
	}
	if r := d.work(t.name, "bytes", t.n, "stream", t.id); r != Success {
		return r
	}
	if !t.async {
		if r := d.unsafeInCapture(t.name); r != Success {
			return r
		}
	}
	if t.n == 0 {
		return Success
	}
	for _, p := range t.at {
		if _, err := d.dev.Written(p, t.n); err != nil { // not a part of memory
			return d.refuse(InvalidValue, "%s: %v", t.name, err)
		}
	}
	j, r := d.add(t.id, func() error {
		d.now += float64(t.n) / copyRate
		return t.run()
	})
	if r != Success || t.async || !t.waits {
		return r
	}
	return d.waitFor(j)
}

// copyRate are the bytes that the emulated GPU copies in a millisecond.
const copyRate = 1e7

// CopyHtoD is cuMemcpyHtoD, and cuMemcpyHtoDAsync where async. The host's memory is read when the copy runs.
func (d *Driver) CopyHtoD(to emu.Ptr, from []byte, id uint64, async bool) Result {
	return d.transfer(transfer{name: "cuMemcpyHtoD", id: id, async: async, waits: true, n: len(from), at: []emu.Ptr{to},
		run: func() error { return d.dev.Write(to, from) }})
}

// CopyDtoH is cuMemcpyDtoH, and cuMemcpyDtoHAsync where async. The host's memory is written when the copy runs.
func (d *Driver) CopyDtoH(to []byte, from emu.Ptr, id uint64, async bool) Result {
	return d.transfer(transfer{name: "cuMemcpyDtoH", id: id, async: async, waits: true, n: len(to), at: []emu.Ptr{from},
		run: func() error { return d.dev.Read(to, from) }})
}

// CopyDtoD is cuMemcpyDtoD, and cuMemcpyDtoDAsync where async. As on hardware, the host waits for neither.
func (d *Driver) CopyDtoD(to, from emu.Ptr, n int, id uint64, async bool) Result {
	return d.transfer(transfer{name: "cuMemcpyDtoD", id: id, async: async, n: n, at: []emu.Ptr{to, from},
		run: func() error { return d.dev.Copy(to, from, n) }})
}

// MemsetD8 is cuMemsetD8, and cuMemsetD8Async where async, of n bytes. The host waits for neither.
func (d *Driver) MemsetD8(to emu.Ptr, value byte, n int, id uint64, async bool) Result {
	return d.transfer(transfer{name: "cuMemsetD8", id: id, async: async, n: n, at: []emu.Ptr{to},
		run: func() error { return d.dev.Write(to, bytes.Repeat([]byte{value}, n)) }})
}

// MemsetD32 is cuMemsetD32, and cuMemsetD32Async where async, of n words. The host waits for neither.
func (d *Driver) MemsetD32(to emu.Ptr, word uint32, n int, id uint64, async bool) Result {
	if to%4 != 0 {
		return d.refuse(InvalidValue, "words at %#x", uint64(to))
	}
	return d.transfer(transfer{name: "cuMemsetD32", id: id, async: async, n: 4 * n, at: []emu.Ptr{to},
		run: func() error { return d.dev.Fill(to, word, n) }})
}
