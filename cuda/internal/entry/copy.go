//go:build gpu

package entry

// #include "entry.h"
import "C"

import (
	"unsafe"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/driver"
)

// late tells whether memory of the host is pinned, so that a copy of it may run after the call. As with a GPU, a copy
// of other memory is done with it when the call returns.
func late(host unsafe.Pointer, n C.size_t) bool {
	for at, bytes := range now.pinned {
		if p := uintptr(host); at <= p && p+uintptr(n) <= at+uintptr(bytes) {
			return true
		}
	}
	return false
}

//export emuCopyHtoDAsync
func emuCopyHtoDAsync(to C.uint64_t, from unsafe.Pointer, n C.size_t, stream *C.ceto_handle) C.int {
	return with(func(d *driver.Driver) driver.Result {
		return d.CopyHtoD(emu.Ptr(to), unsafe.Slice((*byte)(from), n), number(stream), late(from, n))
	})
}

//export emuCopyDtoHAsync
func emuCopyDtoHAsync(to unsafe.Pointer, from C.uint64_t, n C.size_t, stream *C.ceto_handle) C.int {
	return with(func(d *driver.Driver) driver.Result {
		return d.CopyDtoH(unsafe.Slice((*byte)(to), n), emu.Ptr(from), number(stream), late(to, n))
	})
}

//export emuCopyDtoDAsync
func emuCopyDtoDAsync(to, from C.uint64_t, n C.size_t, stream *C.ceto_handle) C.int {
	return with(func(d *driver.Driver) driver.Result {
		return d.CopyDtoD(emu.Ptr(to), emu.Ptr(from), int(n), number(stream), true)
	})
}

//export emuCopyHtoD
func emuCopyHtoD(to C.uint64_t, from unsafe.Pointer, n C.size_t) C.int {
	return with(func(d *driver.Driver) driver.Result {
		return d.CopyHtoD(emu.Ptr(to), unsafe.Slice((*byte)(from), n), 0, false)
	})
}

//export emuCopyDtoH
func emuCopyDtoH(to unsafe.Pointer, from C.uint64_t, n C.size_t) C.int {
	return with(func(d *driver.Driver) driver.Result {
		return d.CopyDtoH(unsafe.Slice((*byte)(to), n), emu.Ptr(from), 0, false)
	})
}

//export emuCopyDtoD
func emuCopyDtoD(to, from C.uint64_t, n C.size_t) C.int {
	return with(func(d *driver.Driver) driver.Result {
		return d.CopyDtoD(emu.Ptr(to), emu.Ptr(from), int(n), 0, false)
	})
}

// fill writes n words.
func fill(to C.uint64_t, word uint32, n int, stream uint64, async bool) C.int {
	return with(func(d *driver.Driver) driver.Result { return d.MemsetD32(emu.Ptr(to), word, n, stream, async) })
}

// fill8 writes n bytes.
func fill8(to C.uint64_t, value C.uchar, n C.size_t, stream uint64, async bool) C.int {
	return with(func(d *driver.Driver) driver.Result {
		return d.MemsetD8(emu.Ptr(to), byte(value), int(n), stream, async)
	})
}

//export emuSet8
func emuSet8(to C.uint64_t, value C.uchar, n C.size_t) C.int { return fill8(to, value, n, 0, false) }

//export emuSet8Async
func emuSet8Async(to C.uint64_t, value C.uchar, n C.size_t, stream *C.ceto_handle) C.int {
	return fill8(to, value, n, number(stream), true)
}

//export emuSet32
func emuSet32(to C.uint64_t, word C.uint, n C.size_t) C.int {
	return fill(to, uint32(word), int(n), 0, false)
}

//export emuSet32Async
func emuSet32Async(to C.uint64_t, word C.uint, n C.size_t, stream *C.ceto_handle) C.int {
	return fill(to, uint32(word), int(n), number(stream), true)
}
