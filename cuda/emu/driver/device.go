package driver

import "github.com/ceto-ml/ceto/cuda/emu"

// Init is cuInit.
func (d *Driver) Init() Result { return d.begin("cuInit") }

// DeviceCount is cuDeviceGetCount.
func (d *Driver) DeviceCount() (int, Result) { return 1, d.begin("cuDeviceGetCount") }

// DeviceName is cuDeviceGetName.
func (d *Driver) DeviceName(device int) (string, Result) {
	r := d.begin("cuDeviceGetName", device)
	if r == Success && device != 0 {
		r = InvalidDevice
	}
	return "emulated GPU", r
}

// TotalMem is cuDeviceTotalMem.
func (d *Driver) TotalMem(device int) (uint64, Result) {
	r := d.begin("cuDeviceTotalMem", device)
	if r == Success && device != 0 {
		r = InvalidDevice
	}
	return uint64(d.o.Bytes), r
}

// attributes are those of a device, by the numbers of cuda.h.
var attributes = map[int]int{
	1: 1024, 2: 1024, 3: 1024, 4: 64, 5: 1<<31 - 1, 6: 65535, 7: 65535, // threads of a block, its extents, those of a grid
	8: 48 << 10, 10: 32, 12: 65536, 13: 1_000_000, 14: 512, 16: 4, // shared memory, warp, registers, clock, alignment, processors
	36: 1_000_000, 37: 4096, 38: 50 << 20, 39: 2048, 41: 1, // memory clock, bus, cache, threads of a processor, unified addresses
	81: 228 << 10, 82: 65536, 97: 227 << 10, // shared memory and registers of a processor, shared memory that a function may ask for
}

// Attribute is cuDeviceGetAttribute.
func (d *Driver) Attribute(attribute, device int) (int, Result) {
	r := d.begin("cuDeviceGetAttribute", attribute, device)
	if r == Success && device != 0 {
		r = InvalidDevice
	}
	switch attribute {
	case 75:
		return d.o.Capability[0], r
	case 76:
		return d.o.Capability[1], r
	}
	return attributes[attribute], r
}

// MemInfo is cuMemGetInfo.
func (d *Driver) MemInfo() (free, total uint64, r Result) {
	r = d.begin("cuMemGetInfo")
	_, used := d.dev.Allocations()
	return uint64(d.o.Bytes - used), uint64(d.o.Bytes), r
}

// MemAlloc is cuMemAlloc.
func (d *Driver) MemAlloc(n int) (emu.Ptr, Result) {
	if r := d.begin("cuMemAlloc", n); r != Success {
		return 0, r
	}
	d.allocs++
	if n <= 0 {
		return 0, InvalidValue
	}
	if d.set.FailAlloc == d.allocs {
		return 0, OutOfMemory
	}
	p, err := d.dev.Alloc(n)
	if err != nil {
		return 0, OutOfMemory
	}
	return p, Success
}

// MemFree is cuMemFree, which waits for all work first.
func (d *Driver) MemFree(p emu.Ptr) Result {
	if r := d.begin("cuMemFree", p); r != Success {
		return r
	}
	d.drain(nil) // a fault is told by the next call for work
	if err := d.dev.Free(p); err != nil {
		return InvalidValue
	}
	return Success
}

// MemAllocHost is cuMemAllocHost: it notes pinned memory that lies at an address of the host.
func (d *Driver) MemAllocHost(at uint64, n int) Result {
	r := d.begin("cuMemAllocHost", n)
	if r == Success {
		d.pinned[at] = n
	}
	return r
}

// MemFreeHost is cuMemFreeHost.
func (d *Driver) MemFreeHost(at uint64) Result {
	if r := d.begin("cuMemFreeHost"); r != Success {
		return r
	}
	d.drain(nil)
	if _, ok := d.pinned[at]; !ok {
		return InvalidValue
	}
	delete(d.pinned, at)
	return Success
}
