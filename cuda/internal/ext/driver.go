//go:build gpu

package ext

// #include <stdlib.h>
// #include "ext.h"
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/ceto-ml/ceto/cuda/internal/link"
	"github.com/pkg/errors"
)

// Open finds the functions of the driver that is linked. It is called again after link.Override.
func Open() error {
	if err := link.Err(); err != nil {
		return err
	}
	for i := range C.ext_driver_count() {
		C.ext_driver_set(i, link.Symbol(C.GoString(C.ext_driver_name(i)))) // a missing one fails when it is called
	}
	return nil
}

// failed is the error of a call.
func failed(call string, code C.int) error {
	if code == 0 {
		return nil
	}
	return errors.Wrap(link.Result(code), "ext: "+call)
}

// Pin returns n bytes of host memory that copies of a stream may use while the caller goes on. Unpin gives it back.
func Pin(n int) ([]byte, error) {
	if n <= 0 {
		return nil, errors.Errorf("ext: %d bytes of pinned memory; want more than 0", n)
	}
	var p unsafe.Pointer
	if err := failed(fmt.Sprintf("cuMemAllocHost of %d bytes", n), C.ext_host_alloc(&p, C.size_t(n))); err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(p), n), nil
}

// Unpin gives back what Pin returned.
func Unpin(b []byte) error {
	return failed("cuMemFreeHost", C.ext_host_free(unsafe.Pointer(unsafe.SliceData(b))))
}

// Module is PTX that the driver has compiled.
type Module uintptr

// logBytes are those of the log of the driver's compiler.
const logBytes = 8 << 10

// Load compiles a text of PTX. The error has what the driver's compiler says.
func Load(ptx string) (Module, error) {
	text := C.CString(ptx)
	defer C.free(unsafe.Pointer(text))
	log := (*C.char)(C.calloc(logBytes, 1))
	defer C.free(unsafe.Pointer(log))
	var m C.handle
	err := failed("cuModuleLoadDataEx", C.ext_module_load(&m, text, log, logBytes-1))
	if s := C.GoString(log); err != nil && s != "" {
		err = errors.WithMessage(err, s)
	}
	return Module(m), err
}

// Unload gives a module back.
func (m Module) Unload() error { return failed("cuModuleUnload", C.ext_module_unload(C.handle(m))) }

// Function finds a kernel.
func (m Module) Function(name string) (Function, error) {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	var f C.handle
	err := failed("cuModuleGetFunction of "+name, C.ext_module_function(&f, C.handle(m), c))
	return Function(f), err
}

// Function is a kernel.
type Function uintptr

// Attribute is a property of a function: CUfunction_attribute.
type Attribute int

// The attributes that Ceto asks for and sets. Sizes are bytes.
const (
	MaxThreads       Attribute = 0 // of a block
	StaticShared     Attribute = 1
	LocalBytes       Attribute = 3 // of a thread
	Registers        Attribute = 4 // of a thread
	MaxDynamicShared Attribute = 8 // above 48 KiB it has to be set
	SharedCarveout   Attribute = 9 // percent of the cache that shared memory takes
)

// Get asks for an attribute.
func (f Function) Get(a Attribute) (int, error) {
	var v C.int
	err := failed("cuFuncGetAttribute", C.ext_function_get(&v, C.int(a), C.handle(f)))
	return int(v), err
}

// Set sets an attribute.
func (f Function) Set(a Attribute, value int) error {
	return failed("cuFuncSetAttribute", C.ext_function_set(C.handle(f), C.int(a), C.int(value)))
}

// MaxParams is the largest number of parameters of a launch.
const MaxParams = 64

// Launch enqueues a kernel. Each parameter lies in params at its offset; nothing of them is kept. The driver reads as
// many bytes of each as the kernel's list of parameters says, which is not checked here.
func (f Function) Launch(grid, block [3]uint32, shared int, s Stream, params []byte, offsets []int) error {
	if len(offsets) > MaxParams {
		return errors.Errorf("ext: a launch with %d parameters, at most %d", len(offsets), MaxParams)
	}
	code := C.ext_launch(C.handle(f), (*C.uint)(&grid[0]), (*C.uint)(&block[0]), C.uint(shared), C.handle(s),
		(*C.char)(unsafe.Pointer(unsafe.SliceData(params))), (*C.intptr_t)(unsafe.Pointer(unsafe.SliceData(offsets))), C.int(len(offsets)))
	if code == 0 {
		return nil
	}
	return failed(fmt.Sprintf("cuLaunchKernel of grid %d, block %d, %d bytes of shared memory", grid, block, shared), code)
}

// CopyIn enqueues a copy to the device. The bytes are pinned, and stay as they are until the stream has done it.
func CopyIn(to uint64, from []byte, s Stream) error {
	return failed("cuMemcpyHtoDAsync", C.ext_copy_in(C.address(to), unsafe.Pointer(unsafe.SliceData(from)), C.size_t(len(from)), C.handle(s)))
}

// CopyOut enqueues a copy from the device to pinned bytes.
func CopyOut(to []byte, from uint64, s Stream) error {
	return failed("cuMemcpyDtoHAsync", C.ext_copy_out(unsafe.Pointer(unsafe.SliceData(to)), C.address(from), C.size_t(len(to)), C.handle(s)))
}

// Copy enqueues a copy of n bytes within the device.
func Copy(to, from uint64, n int, s Stream) error {
	return failed("cuMemcpyDtoDAsync", C.ext_copy(C.address(to), C.address(from), C.size_t(n), C.handle(s)))
}

// Set8 enqueues the writing of n bytes of one value.
func Set8(to uint64, value byte, n int, s Stream) error {
	return failed("cuMemsetD8Async", C.ext_set8(C.address(to), C.uchar(value), C.size_t(n), C.handle(s)))
}

// Set32 enqueues the writing of n words of one value; to is a multiple of 4.
func Set32(to uint64, value uint32, n int, s Stream) error {
	return failed("cuMemsetD32Async", C.ext_set32(C.address(to), C.uint(value), C.size_t(n), C.handle(s)))
}
