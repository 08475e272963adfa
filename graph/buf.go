package graph

import (
	"unsafe"

	"github.com/ceto-ml/ceto/internal/splitmix"
	"github.com/ceto-ml/ceto/internal/vec"
)

// Buf is a typed view of memory: the value of a node while a plan runs.
//
// Elements lie row-major. Where Stride is not 0 the value is rows of Row elements, and row i starts at element
// i·Stride: a slice of a packed matrix. Only ops that implement [Strider] meet such a value.
type Buf struct {
	Meta
	Mem         []byte
	Row, Stride int
}

// Data returns the memory of b as elements, all of it: of a strided Buf from the first row to the end of the last. T
// must be the element type of b's dtype. A Buf that nothing reads has no memory, and gives nil.
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

// Key returns the key from which a random op with the given stream draws in this run. With next(z) the number that
// SplitMix64 gives from state z, it is
//
//	Key = next(next(next(Seed) + Micro) + stream)
//	next(z): z += 0x9e3779b97f4a7c15
//	         z = (z ^ z>>30)·0xbf58476d1ce4e5b9
//	         z = (z ^ z>>27)·0x94d049bb133111eb
//	         z ^ z>>31
//
// All of it is in 64 bits without a sign, and wraps. Step and LR have no part in it. An op's numbers are a function
// of the key and of an element's index alone. So a kernel on any device can draw the same ones: see [Graph.Dropout].
// Source: Steele, Lea and Flood, OOPSLA 2014, figure 16.
func (s *Scalars) Key(stream uint64) uint64 {
	return splitmix.Next(splitmix.Next(splitmix.Next(s.Seed)+uint64(s.Micro)) + stream)
}

// Work is done in parts that do not depend on each other; see [Parted].
type Work = interface{ Part(i, worker int) }

// Workers run the parts of a work. An executor has some, made by [NewWorkers] or by itself; an op uses them through
// [Each] and [EachPart].
type Workers interface {
	// Workers is their number, 1 to MaxWorkers.
	Workers() int
	// Run calls w.Part(i, worker) for 0 ≤ i < n, each once, and returns when all have returned. Two calls with the
	// same worker, 0 ≤ worker < Workers(), never run at the same time. One goroutine at a time calls Run.
	Run(n int, w Work)
}

// NewWorkers starts n workers, at least 1 and at most [MaxWorkers]; the caller of Run is one of them. The others are
// goroutines, which the caller ends with stop. A matrix product uses all of them; Workers of another type run it on
// one.
func NewWorkers(n int) (w Workers, stop func()) {
	p := vec.NewPool(min(n, MaxWorkers))
	return p, p.Close
}

// Ctx is what an Eval may use besides its operands. Its workers are used through [Each] and [EachPart].
type Ctx struct {
	Scratch []byte // as many bytes as the op's Scratch asked for, with any content
	Scalars *Scalars
	workers Workers
	works   []Work // of Each and EachPart, kept for the next run
}

// NewCtx returns a context for the runs of one step. The caller owns w, s and scratch, and may change *s between runs.
func NewCtx(w Workers, s *Scalars, scratch []byte) *Ctx {
	return &Ctx{workers: w, Scalars: s, Scratch: scratch}
}

// Workers is the number of workers. A result must not depend on it.
func (c *Ctx) Workers() int { return c.workers.Workers() }

// pool is what matrix products run on, nil for the calling goroutine alone.
func (c *Ctx) pool() *vec.Pool {
	p, _ := c.workers.(*vec.Pool)
	return p
}

// ScratchOf returns the context's scratch as n elements from element off on.
func ScratchOf[T Elem](c *Ctx, off, n int) []T {
	return Data[T](Buf{Mem: c.Scratch})[off : off+n : off+n]
}
