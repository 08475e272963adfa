// Package blas stands in for cuBLASLt, the library of matrix products, on an emulated GPU. It has the functions that a
// program needs to describe a product, to ask for algorithms and to run one. Numbers of types, attributes and statuses
// are those of cublasLt.h. Matrices lie by columns, as the library has them.
//
//	D = epilogue(α·op(A)·op(B) + β·C)
//
// with op(A) (M,K), op(B) (K,N), C and D (M,N). Elements are float32, or bfloat16 with sums in float32. The library
// refuses what the true one refuses: matrices and addresses off their alignment, algorithms of another product,
// epilogues that it lacks. What it reads and writes goes through checked memory.
//
// A call returns a [Status]; [Library.Err] says in words what was refused.
package blas

import (
	"slices"

	"github.com/pkg/errors"
)

// Status is what a call returns: a cublasStatus_t.
type Status int

// The statuses, with their numbers of cublas_api.h.
const (
	Success         Status = 0
	NotInitialized  Status = 1
	AllocFailed     Status = 3
	InvalidValue    Status = 7
	ExecutionFailed Status = 13
	InternalError   Status = 14
	NotSupported    Status = 15
)

// Version is that of the library: the one of CUDA 12.0.
const Version = 120001

// Library holds descriptions by handle. It is for one goroutine at a time.
type Library struct {
	next    func() uint64
	refuses []string
	err     error

	handles     map[uint64]bool
	products    map[uint64]*desc
	layouts     map[uint64]*layout
	preferences map[uint64]*preference
}

// New returns a library that takes its handles from next. It has no algorithms for the epilogues that refuses names:
// bias, bgrad, gelu_aux, dgelu.
func New(next func() uint64, refuses ...string) *Library {
	return &Library{next: next, refuses: slices.Clone(refuses), handles: map[uint64]bool{}, products: map[uint64]*desc{},
		layouts: map[uint64]*layout{}, preferences: map[uint64]*preference{}}
}

// Err says what the last refused call did wrong; nil where none was refused.
func (l *Library) Err() error { return l.err }

// refuse keeps the reason of a refusal.
func (l *Library) refuse(s Status, format string, args ...any) Status {
	l.err = errors.Errorf("cublasLt: "+format, args...)
	return s
}

// refused is what became of a check.
func (l *Library) refused(r *refusal) Status {
	if r == nil {
		return Success
	}
	return l.refuse(r.status, "%s", r.reason)
}

// A refusal is a status with its reason.
type refusal struct {
	status Status
	reason string
}

// Left counts the handles that were not destroyed.
func (l *Library) Left() int {
	return len(l.handles) + len(l.products) + len(l.layouts) + len(l.preferences)
}

// made keeps a new thing under a new handle.
func made[T any](l *Library, m map[uint64]T, v T) (uint64, Status) {
	h := l.next()
	m[h] = v
	return h, Success
}

// gone drops what a handle stands for.
func gone[T any](l *Library, m map[uint64]T, h uint64, what string) Status {
	if _, ok := m[h]; !ok {
		return l.refuse(InvalidValue, "%d is no handle of a %s", h, what)
	}
	delete(m, h)
	return Success
}

// Create is cublasLtCreate.
func (l *Library) Create() (uint64, Status) { return made(l, l.handles, true) }

// Destroy is cublasLtDestroy.
func (l *Library) Destroy(h uint64) Status { return gone(l, l.handles, h, "library") }

// MatmulDescCreate is cublasLtMatmulDescCreate.
func (l *Library) MatmulDescCreate(compute, scale int) (uint64, Status) {
	d := newDesc(compute, scale)
	if d == nil {
		return 0, l.refuse(InvalidValue, "compute type %d with scale type %d; there are 68, 69 and 77 with 0", compute, scale)
	}
	return made(l, l.products, d)
}

// MatmulDescDestroy is cublasLtMatmulDescDestroy.
func (l *Library) MatmulDescDestroy(h uint64) Status { return gone(l, l.products, h, "product") }

// MatmulDescSetAttribute is cublasLtMatmulDescSetAttribute; value has the bytes of the attribute.
func (l *Library) MatmulDescSetAttribute(h uint64, attribute int, value []byte) Status {
	return set(l, l.products, descFields, h, attribute, value)
}

// MatmulDescGetAttribute is cublasLtMatmulDescGetAttribute.
func (l *Library) MatmulDescGetAttribute(h uint64, attribute int) ([]byte, Status) {
	return get(l, l.products, descFields, h, attribute)
}

// MatrixLayoutCreate is cublasLtMatrixLayoutCreate.
func (l *Library) MatrixLayoutCreate(kind int, rows, cols uint64, ld int64) (uint64, Status) {
	m := &layout{kind: int32(kind), rows: rows, cols: cols, ld: ld, batch: 1}
	if r := m.check(); r != nil {
		return 0, l.refused(r)
	}
	return made(l, l.layouts, m)
}

// MatrixLayoutDestroy is cublasLtMatrixLayoutDestroy.
func (l *Library) MatrixLayoutDestroy(h uint64) Status { return gone(l, l.layouts, h, "layout") }

// MatrixLayoutSetAttribute is cublasLtMatrixLayoutSetAttribute.
func (l *Library) MatrixLayoutSetAttribute(h uint64, attribute int, value []byte) Status {
	return set(l, l.layouts, layoutFields, h, attribute, value)
}

// MatmulPreferenceCreate is cublasLtMatmulPreferenceCreate.
func (l *Library) MatmulPreferenceCreate() (uint64, Status) {
	p := newPreference()
	return made(l, l.preferences, &p)
}

// MatmulPreferenceDestroy is cublasLtMatmulPreferenceDestroy.
func (l *Library) MatmulPreferenceDestroy(h uint64) Status {
	return gone(l, l.preferences, h, "preference")
}

// MatmulPreferenceSetAttribute is cublasLtMatmulPreferenceSetAttribute.
func (l *Library) MatmulPreferenceSetAttribute(h uint64, attribute int, value []byte) Status {
	return set(l, l.preferences, preferenceFields, h, attribute, value)
}
