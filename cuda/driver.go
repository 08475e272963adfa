package cuda

import (
	"time"

	"github.com/ceto-ml/ceto/cuda/internal/ext"
)

// An addr is an address in the memory of a device; 0 is none.
type addr uint64

// A driver is a GPU as the executor needs it. All calls come from one thread. Work goes to one of two streams and is
// done in the order of the stream; record and await tie the streams together.
type driver interface {
	about() about
	free() (bytes uint64, err error)

	alloc(name string, n int) (addr, error) // 256-aligned, with any content
	release(a addr) error
	pin(n int) ([]byte, error) // memory of the host that asynchronous copies may use
	unpin(b []byte) error

	load(ptx string) error // adds the kernels of a module
	find(kernel string) (function, error)

	library() string                                       // the name and version of cuBLASLt, "" where there is none
	prepare(p ext.Product) (prepared, error)               // close gives it back
	algorithms(q prepared, n int) ([]ext.Algorithm, error) // at most n, the fastest first
	multiply(q prepared, l bound) error                    // on the stream compute

	launch(f function, l bound) error             // on the stream compute
	fill(to addr, word uint32, words int) error   // on the stream compute
	move(to, from addr, n int) error              // on the stream compute
	copyIn(s stream, to addr, from []byte) error  // from pinned memory
	copyOut(s stream, to []byte, from addr) error // to pinned memory
	event() (event, error)                        // a new one
	drop(e event) error
	record(s stream, e event) error // when all work before is done
	await(s stream, e event) error  // the stream waits
	wait(e event) error             // the host waits
	sync() error                    // the host waits for all
	since(from, to event) (time.Duration, error)
	mark(text string) // for a driver that keeps a record of its calls
	close() error
}

// A stream is a queue of work.
type stream uint8

const (
	compute stream = iota
	copying
)

// A function is a kernel as the driver knows it, an event a point in a stream, prepared a product of the library.
type (
	function any
	event    any
	prepared any
)

// about is what a driver says of its device.
type about struct {
	kind       string // "cuda" or "emulated"
	name       string
	capability [2]int
	driver     string // its version
	total      uint64
}

// A bound launch has all that the driver needs.
type bound struct {
	kernel      string
	grid, block dim
	shared      int
	params      []byte // laid out as the kernel's parameter list says
	offsets     []int  // of each parameter in params
	what        string // scope and op, for errors
	ranges      []span // what it may touch: for an emulated device
	product     *multiplication
}

// A span is memory that a launch may touch.
type span struct {
	name        string
	at          addr
	bytes       int
	row, stride int // in bytes; 0 where it is contiguous
	access      access
}

// An access says how.
type access uint8

const (
	reads access = 1 << iota
	writes
	fresh // holds nothing yet
)
