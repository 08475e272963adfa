//go:build gpu

package entry

// #include "entry.h"
import "C"

import (
	"unsafe"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/driver"
)

// number is that of a handle; the default stream is NULL.
func number(h *C.ceto_handle) uint64 {
	if h == nil {
		return 0
	}
	return uint64(h.number)
}

// made returns a new handle to C.
func made(to **C.ceto_handle, f func(d *driver.Driver) (uint64, driver.Result)) C.int {
	return with(func(d *driver.Driver) driver.Result {
		n, r := f(d)
		if r != driver.Success {
			return r
		}
		if *to = C.ceto_handle_new(C.uint64_t(n)); *to == nil {
			return driver.OutOfMemory
		}
		return r
	})
}

// on calls a function of the driver with a handle.
func on(h *C.ceto_handle, f func(*driver.Driver, uint64) driver.Result) C.int {
	return with(func(d *driver.Driver) driver.Result { return f(d, number(h)) })
}

// onTwo calls a function of the driver with two handles.
func onTwo(a, b *C.ceto_handle, f func(d *driver.Driver, a, b uint64) driver.Result) C.int {
	return with(func(d *driver.Driver) driver.Result { return f(d, number(a), number(b)) })
}

//export emuModuleLoadData
func emuModuleLoadData(module **C.ceto_handle, ptx *C.char) C.int {
	text := C.GoString(ptx)
	return made(module, func(d *driver.Driver) (uint64, driver.Result) { return d.ModuleLoadData(text) })
}

//export emuModuleLoadDataEx
func emuModuleLoadDataEx(module **C.ceto_handle, ptx *C.char, n C.uint, options *C.int, values *unsafe.Pointer) C.int {
	return emuModuleLoadData(module, ptx)
}

//export emuModuleUnload
func emuModuleUnload(module *C.ceto_handle) C.int { return on(module, (*driver.Driver).ModuleUnload) }

//export emuModuleGetFunction
func emuModuleGetFunction(function **C.ceto_handle, module *C.ceto_handle, name *C.char) C.int {
	text := C.GoString(name)
	return made(function, func(d *driver.Driver) (uint64, driver.Result) { return d.ModuleGetFunction(number(module), text) })
}

//export emuFuncGetAttribute
func emuFuncGetAttribute(value *C.int, attribute C.int, function *C.ceto_handle) C.int {
	return with(func(d *driver.Driver) driver.Result {
		v, r := d.FuncGetAttribute(number(function), int(attribute))
		*value = C.int(v)
		return r
	})
}

//export emuFuncSetAttribute
func emuFuncSetAttribute(function *C.ceto_handle, attribute, value C.int) C.int {
	return with(func(d *driver.Driver) driver.Result {
		return d.FuncSetAttribute(number(function), int(attribute), int(value))
	})
}

//export emuLaunchKernel
func emuLaunchKernel(function *C.ceto_handle, gx, gy, gz, bx, by, bz, shared C.uint, stream *C.ceto_handle, params, extra *unsafe.Pointer) C.int {
	return with(func(d *driver.Driver) driver.Result {
		list, r := d.Params(number(function))
		if r != driver.Success {
			return r
		}
		if extra != nil || params == nil && len(list) > 0 {
			return driver.InvalidValue // parameters come one by one
		}
		var packed []byte
		for i, p := range unsafe.Slice(params, len(list)) {
			packed = append(packed, make([]byte, list[i].Offset-len(packed))...)
			packed = append(packed, unsafe.Slice((*byte)(p), list[i].Bytes)...)
		}
		return d.LaunchKernel(number(function), emu.Dim{X: int(gx), Y: int(gy), Z: int(gz)}, emu.Dim{X: int(bx), Y: int(by), Z: int(bz)},
			int(shared), number(stream), packed)
	})
}

//export emuStreamCreate
func emuStreamCreate(stream **C.ceto_handle, flags C.uint) C.int {
	return made(stream, func(d *driver.Driver) (uint64, driver.Result) {
		return d.StreamCreateWithFlags(uint32(flags))
	})
}

//export emuStreamDestroy
func emuStreamDestroy(stream *C.ceto_handle) C.int { return on(stream, (*driver.Driver).StreamDestroy) }

//export emuStreamSynchronize
func emuStreamSynchronize(stream *C.ceto_handle) C.int {
	return on(stream, (*driver.Driver).StreamSynchronize)
}

//export emuStreamQuery
func emuStreamQuery(stream *C.ceto_handle) C.int { return on(stream, (*driver.Driver).StreamQuery) }

//export emuStreamWaitEvent
func emuStreamWaitEvent(stream, event *C.ceto_handle, _ C.uint) C.int {
	return onTwo(stream, event, (*driver.Driver).StreamWaitEvent)
}

//export emuEventCreate
func emuEventCreate(event **C.ceto_handle, flags C.uint) C.int {
	return made(event, func(d *driver.Driver) (uint64, driver.Result) {
		return d.EventCreateWithFlags(uint32(flags))
	})
}

//export emuEventDestroy
func emuEventDestroy(event *C.ceto_handle) C.int { return on(event, (*driver.Driver).EventDestroy) }

//export emuEventRecord
func emuEventRecord(event, stream *C.ceto_handle) C.int {
	return onTwo(event, stream, (*driver.Driver).EventRecord)
}

//export emuEventSynchronize
func emuEventSynchronize(event *C.ceto_handle) C.int {
	return on(event, (*driver.Driver).EventSynchronize)
}

//export emuEventQuery
func emuEventQuery(event *C.ceto_handle) C.int { return on(event, (*driver.Driver).EventQuery) }

//export emuEventElapsedTime
func emuEventElapsedTime(ms *C.float, from, to *C.ceto_handle) C.int {
	return onTwo(from, to, func(d *driver.Driver, a, b uint64) driver.Result {
		t, r := d.EventElapsedTime(a, b)
		*ms = C.float(t)
		return r
	})
}
