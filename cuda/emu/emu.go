// Package emu is an emulated GPU: it runs kernels in PTX, the assembly that NVIDIA's drivers load, and checks every
// access. It finds what a GPU hides: memory that is read before it is written, accesses past a value and races. It
// finds barriers that a part of a block reaches, and refuses launches that the hardware would refuse.
//
// It knows nothing of who runs on it. A test of a kernel needs no more than [Run].
package emu

import (
	"runtime"

	"github.com/pkg/errors"
)

// Newest is the newest version of PTX that [Device.Load] takes.
var Newest = [2]int{9, 0}

// Ptr is an address in the memory of a device; 0 is none.
type Ptr uint64

// Dim is the extent of a grid or a block, or a place in it.
type Dim struct{ X, Y, Z int }

// Options say what a device is like. The zero value is a GPU of compute capability 9.0 with 1 GiB.
type Options struct {
	Bytes      int64  // of memory
	Capability [2]int // compute capability, such as {9, 0}
	Workers    int    // goroutines that run blocks; 0: one for each processor
	Unchecked  bool   // runs kernels without the checks, for what the numbers alone tell
	// Approx moves the result of an approximate operation by the largest error of the manual: −1 down, 1 up. Either
	// also makes matrix operations add their products from the last to the first.
	Approx int
	Budget int64 // instructions of warps that a launch may run; 0: 2³⁰
}

// Device is an emulated GPU. A Device is for one goroutine at a time.
type Device struct {
	o      Options
	allocs []*alloc // by address
	next   Ptr
	bytes  int64 // in use
	epoch  uint32
}

const (
	firstAddress = Ptr(1) << 46
	redzone      = 1 << 16 // addresses between allocations that belong to none
	align        = 256
)

// New returns a device.
func New(o Options) *Device {
	if o.Bytes == 0 {
		o.Bytes = 1 << 30
	}
	if o.Capability == [2]int{} {
		o.Capability = [2]int{9, 0}
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Budget <= 0 {
		o.Budget = 1 << 30
	}
	return &Device{o: o, next: firstAddress}
}

// Options returns what the device is like, with no value left out.
func (d *Device) Options() Options { return d.o }

// ErrMemory says that the device has too little memory left.
var ErrMemory = errors.New("emu: out of memory")

// Access says what a kernel may do with a range.
type Access uint8

// The ways to touch a range.
const (
	Reads  Access = 1 << iota // the bytes may be read
	Writes                    // the bytes may be written; alone it means Fresh too
	Fresh                     // the bytes hold nothing yet: they are marked as unwritten before the launch
)

// Range is a part of memory that a launch may touch. With Row and Stride it is rows of Row bytes, one each Stride
// bytes.
type Range struct {
	Name        string
	Ptr         Ptr
	Bytes       int // from the first to the last byte
	Row, Stride int // bytes; 0: contiguous
	Access      Access
}

// Launch is one run of a kernel.
type Launch struct {
	Kernel      *Kernel
	Grid, Block Dim
	Shared      int    // bytes of dynamic shared memory
	MaxShared   int    // what the function's attribute allows of it; 0: 48 KiB
	Params      []byte // laid out as [Kernel.Params] says
	What        string // for errors: who launches it, such as "h.3.attn: MatMul"
	// Ranges are what the launch may touch; nil: every allocation as a whole.
	Ranges []Range
}

// Stats are counts of one launch.
type Stats struct {
	Instructions  int64 // of warps
	Sectors       int64 // of 32 bytes that global accesses touched
	IdealSectors  int64 // those that the bytes asked for would fill
	BankConflicts int64 // extra passes of shared accesses
}

func (s *Stats) add(o Stats) {
	s.Instructions += o.Instructions
	s.Sectors += o.Sectors
	s.IdealSectors += o.IdealSectors
	s.BankConflicts += o.BankConflicts
}
