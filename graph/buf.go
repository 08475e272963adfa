package graph

import (
	"unsafe"

	"github.com/ceto-ml/ceto/internal/vec"
)

// Buf is a typed view of memory: the value of a node while a plan runs.
//
// Elements lie row-major. Where Stride is not 0 the value is rows of Row elements, row i starting at element i·Stride
// (a slice of a packed matrix); only ops that implement [Strider] meet one.
type Buf struct {
	Meta
	Mem         []byte
	Row, Stride int
}

// Data returns b's memory as elements, all of it: of a strided Buf from the first row to the end of the last.
// T must be b's dtype. A Buf that nothing reads has none.
func Data[T Elem](b Buf) []T {
	var t T
	if len(b.Mem) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b.Mem))), len(b.Mem)/int(unsafe.Sizeof(t)))
}

// NewBuf returns a zeroed, contiguous Buf.
func NewBuf(m Meta) Buf { return Buf{Meta: m, Mem: Alloc(m.Bytes())} }

// Empty reports whether nothing reads b, so that an Eval leaves it out.
func (b Buf) Empty() bool { return len(b.Mem) == 0 }

// Alloc returns n zeroed bytes that start at a multiple of 64.
func Alloc(n int) []byte {
	m := make([]byte, n+64)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(m))) & 63)
	return m[skip : skip+n : skip+n]
}

// Scalars are the numbers that change from step to step without a new plan.
type Scalars struct {
	Step  int64   // updates made, this one included: 1 at the first
	Micro int64   // micro-batches since the start of training; keys random ops
	LR    float64 // learning rate of this step
	Seed  uint64  // keys random ops
}

// Ctx is what an Eval may use besides its operands.
type Ctx struct {
	Pool    *vec.Pool
	Scratch []byte // as many bytes as the op's Scratch asked for, with any content
	Scalars *Scalars
	tasks   []runner
}

// NewCtx returns a context whose scratch is owned by the caller.
func NewCtx(p *vec.Pool, s *Scalars, scratch []byte) *Ctx {
	return &Ctx{Pool: p, Scalars: s, Scratch: scratch}
}

// ScratchOf returns the context's scratch as n elements from element off on.
func ScratchOf[T Elem](c *Ctx, off, n int) []T {
	return Data[T](Buf{Mem: c.Scratch})[off : off+n : off+n]
}
