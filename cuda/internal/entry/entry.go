//go:build gpu

// Package entry puts an emulated GPU in the driver's place: functions of C, by the names of libcuda and cuBLASLt, that
// call cuda/emu/driver. Package cu and the executor then run on it as they run on a GPU.
//
// Handles of the driver are memory of C that holds the number of a handle, since Go code keeps some of them as
// pointers. Handles of cuBLASLt are the numbers themselves. No Go code has them as pointers, and a program may make
// many thousands, which leaves nothing to free.
package entry

// #include "entry.h"
import "C"

import (
	"os"
	"sync"
	"syscall"
	"unsafe"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/driver"
	"github.com/ceto-ml/ceto/cuda/internal/ext"
	"github.com/ceto-ml/ceto/cuda/internal/link"
)

// now is the driver that stands in, nil where none does.
var now struct {
	sync.Mutex
	drv     *driver.Driver
	context *C.ceto_handle  // of the primary context
	pinned  map[uintptr]int // bytes by address
}

// users counts what Install began. Its lock is taken before that of now.
var users struct {
	sync.Mutex
	n int
}

// Install makes an emulated GPU the driver, with the faults and records that CETO_EMU asks for. Whoever calls it again
// shares that GPU. Each Install has a Release. Nothing may use a GPU of the machine meanwhile.
func Install() error {
	users.Lock()
	defer users.Unlock()
	if users.n == 0 {
		if err := install(); err != nil {
			return err
		}
	}
	users.n++
	return nil
}

func install() error {
	set, err := driver.ParseSetting(os.Getenv("CETO_EMU"))
	if err != nil {
		return err
	}
	d, err := driver.New(emu.Options{}, set)
	if err != nil {
		return err
	}
	put(d)
	ext.OverrideLt(libraryTable(d))
	if err = link.Override(table(C.ceto_driver_entries())); err == nil {
		err = ext.Open()
	}
	if err != nil {
		_ = restore() // the first error counts
	}
	return err
}

// put makes a driver the one that stands in.
func put(d *driver.Driver) {
	now.Lock()
	defer now.Unlock()
	now.drv, now.pinned, now.context = d, map[uintptr]int{}, C.ceto_handle_new(0)
}

// table has the functions of a list of C by name.
func table(e *C.ceto_entry) map[string]unsafe.Pointer {
	m := map[string]unsafe.Pointer{}
	for ; e.name != nil; e = (*C.ceto_entry)(unsafe.Add(unsafe.Pointer(e), unsafe.Sizeof(*e))) {
		m[C.GoString(e.name)] = e.address
	}
	return m
}

// libraryTable is what stands in for cuBLASLt. It is empty where CETO_EMU refuses the library, which hides that of the
// machine too.
func libraryTable(d *driver.Driver) map[string]unsafe.Pointer {
	if !d.HasLt() {
		return map[string]unsafe.Pointer{}
	}
	return table(C.ceto_library_entries())
}

// Release ends what Install began. The last one writes the report that CETO_EMU asks for to standard error, and gives
// the place back to the driver of the machine.
func Release() error {
	users.Lock()
	defer users.Unlock()
	if users.n--; users.n > 0 {
		return nil
	}
	return restore()
}

// restore takes the emulated GPU away.
func restore() error {
	_ = link.Override(nil) // there may be no driver
	ext.OverrideLt(nil)
	now.Lock()
	defer now.Unlock()
	if now.drv.Setting().Report {
		now.drv.Report(os.Stderr)
	}
	err := now.drv.Close()
	now.drv = nil
	C.ceto_handle_free_all()
	return err
}

// call calls f with the emulated driver. Where there is none it returns none.
func call[R ~int](none R, f func(d *driver.Driver) R) C.int {
	now.Lock()
	defer now.Unlock()
	if now.drv == nil {
		return C.int(none)
	}
	now.drv.Thread(uint64(syscall.Gettid())) // a context belongs to a thread
	return C.int(f(now.drv))
}

// with calls f for a function of the driver.
func with(f func(d *driver.Driver) driver.Result) C.int { return call(driver.NotInitialized, f) }

// Annotate says what the next launch or product may touch, and who asks for it.
func Annotate(ranges []emu.Range, what string) {
	with(func(d *driver.Driver) driver.Result {
		d.Annotate(ranges, what)
		return driver.Success
	})
}

// Name names an allocation, for the errors of launches.
func Name(at uint64, name string) {
	with(func(d *driver.Driver) driver.Result {
		_ = d.Device().Name(emu.Ptr(at), name) // an allocation that is gone needs no name
		return driver.Success
	})
}

// Mark writes a line to the record of calls.
func Mark(text string) {
	with(func(d *driver.Driver) driver.Result {
		d.Mark(text)
		return driver.Success
	})
}

// Fault is the error of the first kernel that did what it must not, or of the loss of the device. It is nil elsewhere.
func Fault() (err error) {
	with(func(d *driver.Driver) driver.Result {
		err = d.Fault()
		return driver.Success
	})
	return err
}

// Refused says what the last call that failed did wrong, in words; nil where none has failed. It may be a call of the
// driver, or of cuBLASLt, such as a product with an address off its alignment. Ask right after the call, since a later
// one may replace it.
func Refused() (err error) {
	with(func(d *driver.Driver) driver.Result {
		err = d.LastFault()
		return driver.Success
	})
	return err
}
