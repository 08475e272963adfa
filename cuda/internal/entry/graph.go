//go:build gpu

package entry

// #include "entry.h"
import "C"

import (
	"unsafe"

	"github.com/ceto-ml/ceto/cuda/emu/driver"
)

//export emuStreamBeginCapture
func emuStreamBeginCapture(stream *C.ceto_handle, mode C.int) C.int {
	return with(func(d *driver.Driver) driver.Result { return d.StreamBeginCapture(number(stream), int(mode)) })
}

//export emuStreamEndCapture
func emuStreamEndCapture(stream *C.ceto_handle, graph **C.ceto_handle) C.int {
	return made(graph, func(d *driver.Driver) (uint64, driver.Result) { return d.StreamEndCapture(number(stream)) })
}

//export emuStreamIsCapturing
func emuStreamIsCapturing(stream *C.ceto_handle, state *C.int) C.int {
	return with(func(d *driver.Driver) driver.Result {
		s, r := d.StreamIsCapturing(number(stream))
		*state = C.int(s)
		return r
	})
}

//export emuGraphInstantiate
func emuGraphInstantiate(executable **C.ceto_handle, graph *C.ceto_handle, flags C.ulonglong) C.int {
	if flags != 0 {
		return C.int(driver.InvalidValue) // the emulated GPU has none of them
	}
	return made(executable, func(d *driver.Driver) (uint64, driver.Result) { return d.GraphInstantiate(number(graph)) })
}

//export emuGraphGetNodes
func emuGraphGetNodes(graph *C.ceto_handle, nodes *unsafe.Pointer, n *C.size_t) C.int {
	if nodes != nil {
		return C.int(driver.InvalidValue) // nodes have no handles: they are counted
	}
	return with(func(d *driver.Driver) driver.Result {
		count, r := d.GraphGetNodes(number(graph))
		*n = C.size_t(count)
		return r
	})
}

//export emuGraphDestroy
func emuGraphDestroy(graph *C.ceto_handle) C.int { return on(graph, (*driver.Driver).GraphDestroy) }

//export emuGraphLaunch
func emuGraphLaunch(executable, stream *C.ceto_handle) C.int {
	return onTwo(executable, stream, (*driver.Driver).GraphLaunch)
}

//export emuGraphExecDestroy
func emuGraphExecDestroy(executable *C.ceto_handle) C.int {
	return on(executable, (*driver.Driver).GraphExecDestroy)
}
