//go:build gpu

package link

// #cgo LDFLAGS: -L${SRCDIR}/lib -Wl,--as-needed -ldl
// #include <stdlib.h>
// #include "link.h"
import "C"

import (
	"strings"
	"unsafe"

	"github.com/pkg/errors"
)

// MinVersion is the oldest driver that the kernels load on: CUDA 12.0, whose first driver is 525.
const MinVersion = 12000

// required are the functions without which nothing runs. All are in the drivers since 525.
var required = []string{
	"cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName", "cuDeviceTotalMem_v2", "cuDeviceGetAttribute",
	"cuDevicePrimaryCtxRetain", "cuDevicePrimaryCtxRelease_v2", "cuCtxSetCurrent", "cuCtxSynchronize",
	"cuMemGetInfo_v2", "cuMemAlloc_v2", "cuMemFree_v2", "cuMemAllocHost_v2", "cuMemFreeHost",
	"cuModuleLoadDataEx", "cuModuleUnload", "cuModuleGetFunction", "cuFuncSetAttribute", "cuLaunchKernel",
	"cuStreamCreate", "cuStreamDestroy_v2", "cuStreamSynchronize", "cuStreamWaitEvent",
	"cuEventCreate", "cuEventDestroy_v2", "cuEventRecord", "cuEventSynchronize", "cuEventQuery", "cuEventElapsedTime",
	"cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemcpyDtoDAsync_v2", "cuMemsetD8Async", "cuMemsetD32Async",
}

// Err opens the driver at first use and says why there is none, with the places tried. It is nil where there is one.
func Err() error {
	code := int(C.ceto_link_init())
	if code == -1 {
		return errors.Errorf("link: no CUDA driver; tried %s", Places(Tried()))
	}
	if code == -2 {
		return errors.Errorf("link: %s lacks cuInit; it is no CUDA driver", Library())
	}
	if code != 0 {
		return errors.Wrapf(Result(code), "link: cuInit of %s", Library())
	}
	v, err := Version()
	if err != nil {
		return err
	}
	if v < MinVersion {
		return errors.Errorf("link: %s is a driver for CUDA %s; Ceto needs one for %s or newer, which is 525 and up",
			Library(), VersionString(v), VersionString(MinVersion))
	}
	for _, name := range required {
		if Symbol(name) == nil {
			return errors.Errorf("link: %s lacks %s", Library(), name)
		}
	}
	return nil
}

// Tried lists the places where a driver was looked for, each with what came of it.
func Tried() []string {
	var list []string
	for line := range strings.Lines(C.GoString(C.ceto_link_tried())) {
		place, said, _ := strings.Cut(strings.TrimSpace(line), ": ")
		list = append(list, Attempt(place, said))
	}
	return list
}

// Library is the file of the driver, or a word for what stands in for it; "" where there is none.
func Library() string {
	if overridden {
		return "the stand-in"
	}
	return C.GoString(C.ceto_link_library())
}

// Version is the CUDA version of the driver: 13000 is 13.0.
func Version() (int, error) {
	var v C.int
	if code := Result(C.ceto_link_version(&v)); code != 0 {
		return 0, errors.Wrapf(code, "link: cuDriverGetVersion of %s", Library())
	}
	return int(v), nil
}

// Symbol is the address of a function of the driver, nil where it has none of that name. The name is that of the
// binary interface, such as cuMemAlloc_v2.
func Symbol(name string) unsafe.Pointer {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	return C.ceto_link_symbol(c)
}

// overridden tells that a table stands in for the driver.
var overridden bool

// Override makes functions of C the driver, by name, and forgets what was opened before; an empty table gives it back
// to the library. What is not in the table is missing. Nothing else may use the driver meanwhile, and handles of the
// driver before mean nothing to the new one.
func Override(table map[string]unsafe.Pointer) error {
	var names []*C.char
	var addresses []unsafe.Pointer
	for name, at := range table {
		names = append(names, C.CString(name))
		addresses = append(addresses, at)
	}
	defer func() {
		for _, n := range names {
			C.free(unsafe.Pointer(n))
		}
	}()
	overridden = len(table) > 0
	var ok C.int
	if !overridden {
		ok = C.ceto_link_override(0, nil, nil)
	} else {
		ok = C.ceto_link_override(C.int(len(names)), &names[0], &addresses[0])
	}
	if ok == 0 {
		return errors.New("link: no memory for the table of the stand-in")
	}
	return Err()
}
