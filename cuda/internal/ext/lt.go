//go:build gpu

package ext

// #include "ext.h"
import "C"

import (
	"unsafe"

	"github.com/pkg/errors"
)

// Prepared is a product as the library knows it. It is for one goroutine at a time.
type Prepared struct {
	lt         *Lt
	epilogue   Epilogue
	product    C.handle
	layouts    [4]C.handle
	preference C.handle
}

// The attributes: cublasLtMatmulDescAttributes_t, cublasLtMatrixLayoutAttribute_t,
// cublasLtMatmulPreferenceAttributes_t.
const (
	productTransA     = 3
	productTransB     = 4
	productEpilogue   = 7
	productVector     = 8
	productAux        = 11
	productAuxLD      = 12
	productAuxStride  = 13
	productAuxType    = 22
	productVectorType = 26

	layoutBatch  = 5
	layoutStride = 6

	preferenceWorkspace = 1
	preferenceAlign     = 5 // of A; those of B, C and D follow
)

// somewhere stands for the address of a vector or of aux while algorithms are sought: a multiple of 16 and no more.
const somewhere = 1<<20 + 16

// Prepare describes a product. Close gives it back.
func (b *Lt) Prepare(p Product) (*Prepared, error) {
	x := &Prepared{lt: b, epilogue: p.Epilogue}
	steps := []func(*Product) error{x.describe, x.layOut, x.prefer}
	for _, step := range steps {
		if err := step(&p); err != nil {
			return nil, errors.Wrapf(errorsOf(err, x.Close()), "%+v", p)
		}
	}
	return x, nil
}

// errorsOf is the first of two errors.
func errorsOf(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// set sets an attribute of a product.
func set[T int32 | int64 | uint64](x *Prepared, attribute C.int, value T) error {
	return refused("cublasLtMatmulDescSetAttribute", C.ext_lt_product_set(x.product, attribute, unsafe.Pointer(&value), C.size_t(unsafe.Sizeof(value))))
}

func (x *Prepared) describe(p *Product) error {
	err := refused("cublasLtMatmulDescCreate", C.ext_lt_product_create(&x.product, C.int(p.Compute), C.int(Float32)))
	for _, t := range []struct {
		attribute C.int
		is        bool
	}{{productTransA, p.TransA}, {productTransB, p.TransB}} {
		if err == nil && t.is {
			err = set(x, t.attribute, int32(1))
		}
	}
	if err == nil && p.Epilogue > None {
		err = set(x, productEpilogue, int32(p.Epilogue))
	}
	if err == nil && p.Epilogue.vector() {
		err = set(x, productVectorType, int32(p.VectorType))
	}
	if err == nil && p.Epilogue.aux() {
		err = errorsOf(set(x, productAuxType, int32(p.AuxType)), set(x, productAuxLD, int64(p.AuxLD)))
		if err == nil && p.D.Batch > 1 {
			err = set(x, productAuxStride, int64(p.AuxStride))
		}
	}
	if err == nil {
		err = x.point(somewhere, somewhere)
	}
	return err
}

// point sets the addresses of the vector and of aux, where the epilogue has them.
func (x *Prepared) point(vector, aux uint64) error {
	if x.epilogue.vector() {
		if err := set(x, productVector, vector); err != nil {
			return err
		}
	}
	if x.epilogue.aux() {
		return set(x, productAux, aux)
	}
	return nil
}

func (x *Prepared) layOut(p *Product) error {
	for i, l := range []Layout{p.A, p.B, p.C, p.D} {
		code := C.ext_lt_layout_create(&x.layouts[i], C.int(l.Type), C.uint64_t(l.Rows), C.uint64_t(l.Cols), C.int64_t(l.LD))
		if code == 0 && l.Batch > 1 {
			n, stride := int32(l.Batch), int64(l.Stride)
			code = C.ext_lt_layout_set(x.layouts[i], layoutBatch, unsafe.Pointer(&n), 4)
			if code == 0 {
				code = C.ext_lt_layout_set(x.layouts[i], layoutStride, unsafe.Pointer(&stride), 8)
			}
		}
		if err := refused("cublasLtMatrixLayout of "+string("ABCD"[i]), code); err != nil {
			return err
		}
	}
	return nil
}

func (x *Prepared) prefer(p *Product) error {
	code := C.ext_lt_preference_create(&x.preference)
	if bytes := uint64(p.Workspace); code == 0 {
		code = C.ext_lt_preference_set(x.preference, preferenceWorkspace, unsafe.Pointer(&bytes), 8)
	}
	for i, a := range p.Align {
		if n := uint32(a); code == 0 && a > 0 {
			code = C.ext_lt_preference_set(x.preference, preferenceAlign+C.int(i), unsafe.Pointer(&n), 4)
		}
	}
	return refused("cublasLtMatmulPreference", code)
}

// Algorithms asks for at most n algorithms, the one that the library expects to be fastest first. There are none where
// it does not have the epilogue, or not for these layouts.
func (x *Prepared) Algorithms(n int) ([]Algorithm, error) {
	found := make([]C.ext_algorithm, max(n, 1))
	var count C.int
	code := C.ext_lt_heuristic(x.lt.handle, x.product, &x.layouts[0], x.preference, C.int(len(found)), &found[0], &count)
	if code == C.int(NotSupported) {
		return nil, nil
	}
	if err := refused("cublasLtMatmulAlgoGetHeuristic", code); err != nil {
		return nil, err
	}
	var all []Algorithm
	for i := range found[:count] {
		if f := &found[i]; f.status == 0 {
			all = append(all, Algorithm{Data: *(*[64]byte)(unsafe.Pointer(&f.algorithm)), Workspace: int(f.workspace), Waves: float32(f.waves)})
		}
	}
	return all, nil
}

// Run enqueues the product. Two streams need two workspaces.
func (x *Prepared) Run(a Algorithm, o Operands, s Stream) error {
	if err := x.point(o.Vector, o.Aux); err != nil {
		return err
	}
	var way C.ext_algorithm
	*(*[64]byte)(unsafe.Pointer(&way.algorithm)) = a.Data
	at := [4]C.address{C.address(o.A), C.address(o.B), C.address(o.C), C.address(o.D)}
	return refused("cublasLtMatmul", C.ext_lt_run(x.lt.handle, x.product, &x.layouts[0], &at[0], C.float(o.Alpha), C.float(o.Beta),
		&way, C.address(o.Workspace), C.size_t(o.WorkspaceBytes), C.handle(s)))
}

// Close gives the description back.
func (x *Prepared) Close() error {
	code := C.int(0)
	first := func(c C.int) {
		if code == 0 {
			code = c
		}
	}
	if x.preference != 0 {
		first(C.ext_lt_preference_destroy(x.preference))
	}
	for _, l := range x.layouts {
		if l != 0 {
			first(C.ext_lt_layout_destroy(l))
		}
	}
	if x.product != 0 {
		first(C.ext_lt_product_destroy(x.product))
	}
	x.preference, x.layouts, x.product = 0, [4]C.handle{}, 0
	return refused("cublasLt…Destroy", code)
}
