// Package emu is an emulated GPU: it runs kernels in PTX, the assembly that NVIDIA's drivers load, and checks every
// access. It finds what a GPU hides: memory that is read before it is written, accesses past a value, races, barriers
// that a part of a block reaches, and launches that the hardware would refuse.
//
// It knows nothing of who runs on it. A test of a kernel needs no more than [Run].
package emu

import "github.com/pkg/errors"

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
}

// Device is an emulated GPU. A Device is for one goroutine at a time.
type Device struct{}

// New returns a device.
func New(o Options) *Device { return &Device{} }

var errStub = errors.New("emu: not built yet")

// ErrMemory says that the device has too little memory left.
var ErrMemory = errors.New("emu: out of memory")

// Alloc returns n bytes of unwritten memory, at a multiple of 256 and with redzones around them, or [ErrMemory].
func (d *Device) Alloc(n int) (Ptr, error) { return 0, errStub }

// Free gives back what Alloc returned.
func (d *Device) Free(p Ptr) error { return errStub }

// Name names an allocation, for the errors of launches.
func (d *Device) Name(p Ptr, name string) error { return errStub }

// Allocations are the number of allocations and of their bytes.
func (d *Device) Allocations() (n int, bytes int64) { return 0, 0 }

// Write copies b to the device. It marks the bytes as written.
func (d *Device) Write(p Ptr, b []byte) error { return errStub }

// Read copies from the device. A byte that was never written is an error.
func (d *Device) Read(b []byte, p Ptr) error { return errStub }

// Copy copies n bytes within the device, with what is known of them: unwritten bytes stay unwritten.
func (d *Device) Copy(dst, src Ptr, n int) error { return errStub }

// Fill writes n 32-bit words.
func (d *Device) Fill(p Ptr, word uint32, n int) error { return errStub }

// Forget marks n bytes as unwritten.
func (d *Device) Forget(p Ptr, n int) error { return errStub }

// Module is a loaded PTX text.
type Module struct{}

// Load reads a PTX text. An unknown opcode, or a version above the newest that this package knows, is an error with its
// line.
func (d *Device) Load(ptx string) (*Module, error) { return nil, errStub }

// Kernel finds a kernel (an .entry) by name.
func (m *Module) Kernel(name string) (*Kernel, error) { return nil, errStub }

// Kernel is an entry point of a module.
type Kernel struct{}

// Param is a parameter of a kernel: Bytes at Offset of the parameter memory.
type Param struct {
	Name          string
	Offset, Bytes int
}

// Params are the parameters in order.
func (k *Kernel) Params() []Param { return nil }

// Access says what a kernel may do with a range.
type Access uint8

// The ways to touch a range.
const (
	Reads  Access = 1 << iota // the bytes may be read
	Writes                    // the bytes may be written
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

// Launch runs a kernel to its end. The error is a *[Fault] where the kernel does what it must not.
func (d *Device) Launch(l Launch) (Stats, error) { return Stats{}, errStub }

// Fault is what a kernel did wrong, and where.
type Fault struct {
	Kind   string // "out of bounds", "unwritten", "race", "divergent", "misaligned", "limit", …
	Kernel string
	What   string // of the launch
	Block  Dim
	Thread Dim
	Line   int    // of the PTX text
	Text   string // the instruction
	Detail string // addresses, the range or allocation by name
}

func (f *Fault) Error() string { return f.Kind }
