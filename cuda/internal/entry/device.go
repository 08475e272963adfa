//go:build gpu

package entry

// #include <stdlib.h>
// #include "entry.h"
import "C"

import (
	"unsafe"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/driver"
)

//export emuInit
func emuInit(C.uint) C.int { return with((*driver.Driver).Init) }

//export emuVersion
func emuVersion(v *C.int) C.int {
	*v = driver.Version
	return 0
}

//export emuDeviceGetCount
func emuDeviceGetCount(n *C.int) C.int {
	return with(func(d *driver.Driver) driver.Result {
		count, r := d.DeviceCount()
		*n = C.int(count)
		return r
	})
}

//export emuDeviceGet
func emuDeviceGet(device *C.int, ordinal C.int) C.int {
	if ordinal != 0 {
		return C.int(driver.InvalidDevice)
	}
	*device = 0
	return 0
}

//export emuDeviceGetName
func emuDeviceGetName(to *C.char, n, device C.int) C.int {
	return with(func(d *driver.Driver) driver.Result {
		name, r := d.DeviceName(int(device))
		if r == driver.Success && n > 0 {
			b := unsafe.Slice((*byte)(unsafe.Pointer(to)), n)
			b[copy(b[:n-1], name)] = 0
		}
		return r
	})
}

//export emuDeviceGetUuid
func emuDeviceGetUuid(to unsafe.Pointer, device C.int) C.int {
	return with(func(d *driver.Driver) driver.Result {
		id, r := d.UUID(int(device))
		if r == driver.Success {
			*(*[16]byte)(to) = id
		}
		return r
	})
}

//export emuDeviceTotalMem
func emuDeviceTotalMem(bytes *C.size_t, device C.int) C.int {
	return with(func(d *driver.Driver) driver.Result {
		n, r := d.TotalMem(int(device))
		*bytes = C.size_t(n)
		return r
	})
}

//export emuDeviceGetAttribute
func emuDeviceGetAttribute(value *C.int, attribute, device C.int) C.int {
	return with(func(d *driver.Driver) driver.Result {
		v, r := d.Attribute(int(attribute), int(device))
		*value = C.int(v)
		return r
	})
}

//export emuContextRetain
func emuContextRetain(context **C.ceto_handle, device C.int) C.int {
	return with(func(d *driver.Driver) driver.Result {
		h, r := d.PrimaryCtxRetain(int(device))
		if r == driver.Success {
			now.context.number, *context = C.uint64_t(h), now.context
		}
		return r
	})
}

//export emuContextRelease
func emuContextRelease(device C.int) C.int {
	return with(func(d *driver.Driver) driver.Result { return d.PrimaryCtxRelease(int(device)) })
}

//export emuContextSet
func emuContextSet(context *C.ceto_handle) C.int { return on(context, (*driver.Driver).CtxSetCurrent) }

//export emuContextGet
func emuContextGet(context **C.ceto_handle) C.int {
	return with(func(d *driver.Driver) driver.Result {
		h, r := d.CtxGetCurrent()
		if *context = nil; h != 0 {
			*context = now.context
		}
		return r
	})
}

//export emuSynchronize
func emuSynchronize() C.int { return with((*driver.Driver).Synchronize) }

//export emuMemGetInfo
func emuMemGetInfo(free, total *C.size_t) C.int {
	return with(func(d *driver.Driver) driver.Result {
		f, t, r := d.MemInfo()
		*free, *total = C.size_t(f), C.size_t(t)
		return r
	})
}

//export emuMemAlloc
func emuMemAlloc(to *C.uint64_t, n C.size_t) C.int {
	return with(func(d *driver.Driver) driver.Result {
		p, r := d.MemAlloc(int(n))
		*to = C.uint64_t(p)
		return r
	})
}

//export emuMemFree
func emuMemFree(p C.uint64_t) C.int {
	return with(func(d *driver.Driver) driver.Result { return d.MemFree(emu.Ptr(p)) })
}

//export emuMemGetAddressRange
func emuMemGetAddressRange(base *C.uint64_t, bytes *C.size_t, at C.uint64_t) C.int {
	return with(func(d *driver.Driver) driver.Result {
		p, n, r := d.MemGetAddressRange(emu.Ptr(at))
		if base != nil {
			*base = C.uint64_t(p)
		}
		if bytes != nil {
			*bytes = C.size_t(n)
		}
		return r
	})
}

//export emuMemAllocHost
func emuMemAllocHost(to *unsafe.Pointer, n C.size_t) C.int {
	return with(func(d *driver.Driver) driver.Result {
		p := C.ceto_pages(n)
		if p == nil {
			return driver.OutOfMemory
		}
		r := d.MemAllocHost(uint64(uintptr(p)), int(n))
		if r != driver.Success {
			C.free(p)
			return r
		}
		now.pinned[uintptr(p)] = int(n)
		*to = p
		return r
	})
}

//export emuMemFreeHost
func emuMemFreeHost(p unsafe.Pointer) C.int {
	return with(func(d *driver.Driver) driver.Result {
		r := d.MemFreeHost(uint64(uintptr(p)))
		if _, ours := now.pinned[uintptr(p)]; ours { // also where the device is lost
			delete(now.pinned, uintptr(p))
			C.free(p)
		}
		return r
	})
}
