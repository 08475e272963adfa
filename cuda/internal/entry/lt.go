//go:build gpu

package entry

// #include "entry.h"
import "C"

import (
	"bytes"
	"unsafe"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/blas"
	"github.com/ceto-ml/ceto/cuda/emu/driver"
)

// library calls f for a function of cuBLASLt.
func library(f func(d *driver.Driver) blas.Status) C.int { return call(blas.NotInitialized, f) }

// madeLt returns a new handle to C.
func madeLt(to *C.uint64_t, f func(d *driver.Driver) (uint64, blas.Status)) C.int {
	return library(func(d *driver.Driver) blas.Status {
		h, s := f(d)
		if s == blas.Success {
			*to = C.uint64_t(h)
		}
		return s
	})
}

// onLt calls a function of the library with a handle.
func onLt(h C.uint64_t, f func(*driver.Driver, uint64) blas.Status) C.int {
	return library(func(d *driver.Driver) blas.Status { return f(d, uint64(h)) })
}

// attribute sets an attribute of n bytes.
func attribute(h C.uint64_t, which C.int, value unsafe.Pointer, n C.size_t,
	set func(*driver.Driver, uint64, int, []byte) blas.Status) C.int {
	return library(func(d *driver.Driver) blas.Status { return set(d, uint64(h), int(which), clone(value, int(n))) })
}

// clone copies n bytes; NULL has none.
func clone(p unsafe.Pointer, n int) []byte {
	if p == nil {
		return nil
	}
	return bytes.Clone(unsafe.Slice((*byte)(p), n))
}

//export emuLtGetVersion
func emuLtGetVersion() C.size_t { return blas.Version }

//export emuLtCreate
func emuLtCreate(to *C.uint64_t) C.int { return madeLt(to, (*driver.Driver).LtCreate) }

//export emuLtDestroy
func emuLtDestroy(lt C.uint64_t) C.int { return onLt(lt, (*driver.Driver).LtDestroy) }

//export emuLtMatmulDescCreate
func emuLtMatmulDescCreate(to *C.uint64_t, compute, scale C.int) C.int {
	return madeLt(to, func(d *driver.Driver) (uint64, blas.Status) {
		return d.LtMatmulDescCreate(int(compute), int(scale))
	})
}

//export emuLtMatmulDescDestroy
func emuLtMatmulDescDestroy(product C.uint64_t) C.int {
	return onLt(product, (*driver.Driver).LtMatmulDescDestroy)
}

//export emuLtMatmulDescSetAttribute
func emuLtMatmulDescSetAttribute(product C.uint64_t, which C.int, value unsafe.Pointer, n C.size_t) C.int {
	return attribute(product, which, value, n, (*driver.Driver).LtMatmulDescSetAttribute)
}

//export emuLtMatrixLayoutCreate
func emuLtMatrixLayoutCreate(to *C.uint64_t, kind C.int, rows, cols C.uint64_t, ld C.int64_t) C.int {
	return madeLt(to, func(d *driver.Driver) (uint64, blas.Status) {
		return d.LtMatrixLayoutCreate(int(kind), uint64(rows), uint64(cols), int64(ld))
	})
}

//export emuLtMatrixLayoutDestroy
func emuLtMatrixLayoutDestroy(layout C.uint64_t) C.int {
	return onLt(layout, (*driver.Driver).LtMatrixLayoutDestroy)
}

//export emuLtMatrixLayoutSetAttribute
func emuLtMatrixLayoutSetAttribute(layout C.uint64_t, which C.int, value unsafe.Pointer, n C.size_t) C.int {
	return attribute(layout, which, value, n, (*driver.Driver).LtMatrixLayoutSetAttribute)
}

//export emuLtMatmulPreferenceCreate
func emuLtMatmulPreferenceCreate(to *C.uint64_t) C.int {
	return madeLt(to, (*driver.Driver).LtMatmulPreferenceCreate)
}

//export emuLtMatmulPreferenceDestroy
func emuLtMatmulPreferenceDestroy(preference C.uint64_t) C.int {
	return onLt(preference, (*driver.Driver).LtMatmulPreferenceDestroy)
}

//export emuLtMatmulPreferenceSetAttribute
func emuLtMatmulPreferenceSetAttribute(preference C.uint64_t, which C.int, value unsafe.Pointer, n C.size_t) C.int {
	return attribute(preference, which, value, n, (*driver.Driver).LtMatmulPreferenceSetAttribute)
}

//export emuLtMatmulAlgoGetHeuristic
func emuLtMatmulAlgoGetHeuristic(lt, product, a, b, c, d, preference C.uint64_t, n C.int, to *C.ceto_heuristic,
	count *C.int) C.int {
	layouts := [4]uint64{uint64(a), uint64(b), uint64(c), uint64(d)}
	return library(func(d *driver.Driver) blas.Status {
		found, s := d.LtMatmulAlgoGetHeuristic(uint64(lt), uint64(product), layouts, uint64(preference), int(n))
		*count = C.int(len(found))
		list := unsafe.Slice(to, len(found))
		for i, f := range found {
			list[i] = C.ceto_heuristic{workspace: C.size_t(f.Workspace), waves: C.float(f.Waves)}
			*(*[64]byte)(unsafe.Pointer(&list[i].algorithm)) = f.Algorithm
		}
		return s
	})
}

// emuLtMatmul takes α and β from the host. Without an algorithm the library chooses.
//
//export emuLtMatmul
func emuLtMatmul(lt, product C.uint64_t, alpha *C.float, a, la, b, lb C.uint64_t, beta *C.float,
	c, lc, d, ld C.uint64_t, algorithm unsafe.Pointer, workspace C.uint64_t, n C.size_t,
	stream *C.ceto_handle) C.int {
	if alpha == nil || beta == nil {
		return C.int(blas.InvalidValue)
	}
	p := blas.Call{Product: uint64(product), Layouts: [4]uint64{uint64(la), uint64(lb), uint64(lc), uint64(ld)},
		At:    [4]emu.Ptr{emu.Ptr(a), emu.Ptr(b), emu.Ptr(c), emu.Ptr(d)},
		Alpha: float32(*alpha), Beta: float32(*beta), Workspace: emu.Ptr(workspace), Bytes: int(n)}
	p.Algorithm = clone(algorithm, len(blas.Heuristic{}.Algorithm))
	return library(func(d *driver.Driver) blas.Status { return d.LtMatmul(uint64(lt), p, number(stream)) })
}
