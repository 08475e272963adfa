package blas

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// The types of elements, as cudaDataType has them.
const (
	float32Type  = 0
	bfloat16Type = 14
	sameType     = -1 // of a bias or of aux: that of D
)

// sizes are the bytes of an element.
var sizes = map[int32]int{float32Type: 4, bfloat16Type: 2}

// The ways to sum, as cublasComputeType_t has them.
const (
	compute32       = 68
	compute32Strict = 69
	computeTF32     = 77 // float32 operands are rounded to 10 bits
)

// A desc is cublasLtMatmulDesc_t.
type desc struct {
	compute, scale, pointerMode   int32
	transA, transB, transC, fill  int32
	epilogue                      int32
	bias, aux                     uint64
	biasStride, auxLD, auxStride  int64
	biasType, auxType, processors int32
}

func newDesc(compute, scale int) *desc {
	if !slices.Contains([]int{compute32, compute32Strict, computeTF32}, compute) || scale != float32Type {
		return nil
	}
	return &desc{compute: int32(compute), epilogue: noEpilogue, biasType: sameType, auxType: sameType}
}

// descFields are the attributes of cublasLtMatmulDescAttributes_t.
var descFields = map[int]func(*desc) any{
	0:  func(d *desc) any { return &d.compute },
	1:  func(d *desc) any { return &d.scale },
	2:  func(d *desc) any { return &d.pointerMode },
	3:  func(d *desc) any { return &d.transA },
	4:  func(d *desc) any { return &d.transB },
	5:  func(d *desc) any { return &d.transC },
	6:  func(d *desc) any { return &d.fill },
	7:  func(d *desc) any { return &d.epilogue },
	8:  func(d *desc) any { return &d.bias },
	10: func(d *desc) any { return &d.biasStride },
	11: func(d *desc) any { return &d.aux },
	12: func(d *desc) any { return &d.auxLD },
	13: func(d *desc) any { return &d.auxStride },
	15: func(d *desc) any { return &d.processors },
	22: func(d *desc) any { return &d.auxType },
	26: func(d *desc) any { return &d.biasType },
}

// A layout is cublasLtMatrixLayout_t: batch matrices by columns, each stride elements after the one before.
type layout struct {
	kind, order int32
	rows, cols  uint64
	ld          int64
	batch       int32
	stride      int64
}

// layoutFields are the attributes of cublasLtMatrixLayoutAttribute_t.
var layoutFields = map[int]func(*layout) any{
	0: func(m *layout) any { return &m.kind },
	1: func(m *layout) any { return &m.order },
	2: func(m *layout) any { return &m.rows },
	3: func(m *layout) any { return &m.cols },
	4: func(m *layout) any { return &m.ld },
	5: func(m *layout) any { return &m.batch },
	6: func(m *layout) any { return &m.stride },
}

// check refuses a layout that no matrix has.
func (m *layout) check() *refusal {
	const most = 1 << 31
	switch {
	case sizes[m.kind] == 0:
		return &refusal{NotSupported, fmt.Sprintf("a matrix of type %d; there are 0 and 14", m.kind)}
	case m.order != 0:
		return &refusal{NotSupported, fmt.Sprintf("a matrix in order %d; there is 0, by columns", m.order)}
	case m.rows == 0 || m.cols == 0 || m.rows >= most || m.cols >= most || m.ld >= most:
		return &refusal{InvalidValue, fmt.Sprintf("a matrix of %d rows and %d columns, ld %d", m.rows, m.cols, m.ld)}
	case m.ld < int64(m.rows):
		return &refusal{InvalidValue, fmt.Sprintf("ld %d of a matrix with %d rows", m.ld, m.rows)}
	case m.batch < 1 || m.stride < 0 || m.stride >= most:
		return &refusal{InvalidValue, fmt.Sprintf("%d matrices, each %d after the one before", m.batch, m.stride)}
	}
	return nil
}

// bytes are those from the first to the last element.
func (m *layout) bytes() int {
	return (int(m.batch-1)*int(m.stride) + int(m.cols-1)*int(m.ld) + int(m.rows)) * sizes[m.kind]
}

// dense tells whether the elements leave no gaps.
func (m *layout) dense() bool {
	return m.ld == int64(m.rows) && (m.batch == 1 || m.stride == int64(m.rows)*int64(m.cols))
}

// aligned tells whether every column begins at a multiple of n bytes where the matrix does.
func (m *layout) aligned(n int) bool {
	size := int64(sizes[m.kind])
	return m.ld*size%int64(n) == 0 && (m.batch == 1 || m.stride*size%int64(n) == 0)
}

// A preference is cublasLtMatmulPreference_t.
type preference struct {
	search    uint32
	workspace uint64
	schemes   uint32
	align     [4]uint32 // of A, B, C, D
	waves     float32
	impls     uint64
}

func newPreference() preference { return preference{align: [4]uint32{256, 256, 256, 256}} }

// preferenceFields are the attributes of cublasLtMatmulPreferenceAttributes_t.
var preferenceFields = map[int]func(*preference) any{
	0:  func(p *preference) any { return &p.search },
	1:  func(p *preference) any { return &p.workspace },
	3:  func(p *preference) any { return &p.schemes },
	5:  func(p *preference) any { return &p.align[0] },
	6:  func(p *preference) any { return &p.align[1] },
	7:  func(p *preference) any { return &p.align[2] },
	8:  func(p *preference) any { return &p.align[3] },
	9:  func(p *preference) any { return &p.waves },
	12: func(p *preference) any { return &p.impls },
}

// field finds an attribute of what a handle stands for.
func field[T any](l *Library, m map[uint64]*T, fields map[int]func(*T) any, h uint64, attribute int) (any, Status) {
	v, ok := m[h]
	if !ok {
		return nil, l.refuse(InvalidValue, "%d is no handle of what has attribute %d", h, attribute)
	}
	f, ok := fields[attribute]
	if !ok {
		return nil, l.refuse(InvalidValue, "the stand-in has no attribute %d of a %T", attribute, *v)
	}
	return f(v), Success
}

func set[T any](l *Library, m map[uint64]*T, fields map[int]func(*T) any, h uint64, attribute int, value []byte) Status {
	f, s := field(l, m, fields, h, attribute)
	if s != Success {
		return s
	}
	if binary.Size(f) != len(value) {
		return l.refuse(InvalidValue, "attribute %d has %d bytes, got %d", attribute, binary.Size(f), len(value))
	}
	switch p := f.(type) {
	case *int32:
		*p = int32(binary.LittleEndian.Uint32(value))
	case *uint32:
		*p = binary.LittleEndian.Uint32(value)
	case *float32:
		*p = math.Float32frombits(binary.LittleEndian.Uint32(value))
	case *int64:
		*p = int64(binary.LittleEndian.Uint64(value))
	case *uint64:
		*p = binary.LittleEndian.Uint64(value)
	}
	return Success
}

func get[T any](l *Library, m map[uint64]*T, fields map[int]func(*T) any, h uint64, attribute int) ([]byte, Status) {
	f, s := field(l, m, fields, h, attribute)
	if s != Success {
		return nil, s
	}
	b, err := binary.Append(nil, binary.LittleEndian, f)
	if err != nil {
		return nil, l.refuse(InternalError, "attribute %d: %v", attribute, err)
	}
	return b, Success
}
