//go:build gpu

package ext

// #include <dlfcn.h>
// #include <stdlib.h>
// #include "ext.h"
import "C"

import (
	"maps"
	"os"
	"sync"
	"unsafe"

	"github.com/ceto-ml/ceto/cuda/internal/link"
	"github.com/pkg/errors"
)

// refused is the error of a call of the library.
func refused(call string, code C.int) error {
	if code == 0 {
		return nil
	}
	return errors.Wrap(Status(code), "ext: "+call)
}

// Lt is the library cuBLASLt with a handle of the current context.
type Lt struct{ handle C.handle }

// library is what LoadLt has found.
var library struct {
	sync.Mutex
	table    map[string]unsafe.Pointer // what stands in for the library; nil: nothing
	searched bool
	path     string
	tried    []string
	err      error
}

// OverrideLt makes functions of C the library, by name. An empty table hides the library; nil gives it back.
func OverrideLt(table map[string]unsafe.Pointer) {
	library.Lock()
	defer library.Unlock()
	library.table, library.searched = table, false
	if table != nil {
		library.table = maps.Clone(table)
	}
}

// LoadLt finds the library, and returns its file and the places tried, each with what came of it. The driver's version
// says which libraries it can run.
func LoadLt() (path string, tried []string, err error) {
	library.Lock()
	defer library.Unlock()
	if !library.searched {
		library.searched, library.path, library.tried = true, "", nil
		library.err = load()
	}
	return library.path, library.tried, library.err
}

// newest is the CUDA version of the newest library that is sought.
const newest = 13000

// load fills the table of functions. The lock is held.
func load() error {
	if library.table != nil {
		if len(library.table) == 0 {
			return errors.New("ext: cuBLASLt is hidden")
		}
		library.path = "the stand-in"
		return take(func(name string) unsafe.Pointer { return library.table[name] })
	}
	version, err := link.Version()
	if err != nil {
		version = newest // no driver: what lies here is found all the same
	}
	for _, place := range ltPlaces(os.Getenv, version) {
		c := C.CString(place)
		lib := C.dlopen(c, C.RTLD_NOW|C.RTLD_LOCAL)
		C.free(unsafe.Pointer(c))
		if lib == nil {
			library.tried = append(library.tried, link.Attempt(place, C.GoString(C.dlerror())))
			continue
		}
		library.tried, library.path = append(library.tried, link.Attempt(place, "found")), place
		return take(func(name string) unsafe.Pointer {
			c := C.CString(name)
			defer C.free(unsafe.Pointer(c))
			return C.dlsym(lib, c)
		})
	}
	return errors.Errorf("ext: no cuBLASLt; tried %s", link.Places(library.tried))
}

// take fills the table of functions.
func take(find func(name string) unsafe.Pointer) error {
	for i := range C.ext_lt_count() {
		name := C.GoString(C.ext_lt_name(i))
		at := find(name)
		if at == nil {
			return errors.Errorf("ext: %s lacks %s", library.path, name)
		}
		C.ext_lt_set(i, at)
	}
	return nil
}

// OpenLt opens the library for the current context. Close gives the handle back.
func OpenLt() (*Lt, error) {
	if _, _, err := LoadLt(); err != nil {
		return nil, err
	}
	b := &Lt{}
	if err := refused("cublasLtCreate", C.ext_lt_create(&b.handle)); err != nil {
		return nil, err
	}
	return b, nil
}

// LtVersion is the version of the library that LoadLt has found, such as 130100.
func LtVersion() int { return int(C.ext_lt_version()) }

// Close gives the handle back.
func (b *Lt) Close() error { return refused("cublasLtDestroy", C.ext_lt_destroy(b.handle)) }
