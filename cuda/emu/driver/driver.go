// Package driver does what NVIDIA's driver does, on an emulated GPU: devices, memory, modules, streams, events and
// launches, call by call. Its streams are lazy. Work that was asked for runs when something waits for it, in an order
// that a seed draws from those that streams and events permit. So a buffer that is used again too early, or an event
// that is missing, gives wrong numbers in some order.
//
// Methods are called as the functions of the driver that they stand for. Handles are numbers. A call returns a
// [Result], which is CUresult; [Driver.Fault] tells what a kernel did wrong.
package driver

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/pkg/errors"
)

// Result is what a call returns: a CUresult.
type Result int

// The results, with the numbers of cuda.h.
const (
	Success        Result = 0
	InvalidValue   Result = 1
	OutOfMemory    Result = 2
	NotInitialized Result = 3
	InvalidDevice  Result = 101
	InvalidContext Result = 201
	InvalidPTX     Result = 218
	InvalidHandle  Result = 400
	NotFound       Result = 500
	NotReady       Result = 600
	IllegalAddress Result = 700
	LaunchFailed   Result = 719
	Unknown        Result = 999
)

// Version is the driver's: CUDA 12.0.
const Version = 12000

// Driver is a driver with one device. It is for one thread at a time.
type Driver struct {
	set    Setting
	dev    *emu.Device
	o      emu.Options
	order  *rand.Rand
	trace  io.WriteCloser
	calls  map[string]int
	n      int // calls so far
	allocs int
	starts int // launches
	fault  error
	sticky Result
	lost   bool
	next   uint64  // the last handle
	now    float64 // milliseconds of the device

	modules   map[uint64]*emu.Module
	functions map[uint64]*function
	streams   map[uint64]*stream
	events    map[uint64]*event
	pinned    map[uint64]int
	stats     map[string]*kernelStats
	ranges    []emu.Range
	what      string
}

// New returns a driver of a device.
func New(o emu.Options, set Setting) (*Driver, error) {
	if o.Bytes == 0 {
		o.Bytes = 1 << 30
	}
	if o.Capability == [2]int{} {
		o.Capability = [2]int{9, 0}
	}
	d := &Driver{set: set, dev: emu.New(o), o: o, order: rand.New(rand.NewPCG(set.Order, 1)), calls: map[string]int{},
		modules: map[uint64]*emu.Module{}, functions: map[uint64]*function{}, events: map[uint64]*event{},
		streams: map[uint64]*stream{0: {}}, pinned: map[uint64]int{}, stats: map[string]*kernelStats{}}
	if set.Trace != "" {
		f, err := os.Create(set.Trace)
		if err != nil {
			return nil, errors.Wrap(err, "emu: trace")
		}
		d.trace = f
	}
	return d, nil
}

// Device is the emulated GPU.
func (d *Driver) Device() *emu.Device { return d.dev }

// Setting is what the driver was made with.
func (d *Driver) Setting() Setting { return d.set }

// Fault is the error of the first kernel that did what it must not; nil where none has.
func (d *Driver) Fault() error { return d.fault }

// Mark writes a line to the record of calls.
func (d *Driver) Mark(text string) {
	if d.trace != nil {
		fmt.Fprintf(d.trace, "mark %s\n", text)
	}
}

// handle is a new handle.
func (d *Driver) handle() uint64 {
	d.next++
	return d.next
}

// begin notes a call, and returns what keeps it from being done.
func (d *Driver) begin(name string, args ...any) Result {
	d.n++
	d.calls[name]++
	if d.trace != nil {
		fmt.Fprintf(d.trace, "%d %s%v\n", d.n, name, args)
	}
	if d.set.Lost > 0 && d.n >= d.set.Lost && !d.lost {
		d.lose()
	}
	if d.lost {
		return Unknown
	}
	return Success
}

// lose makes the device fall off the bus, with all that it holds.
func (d *Driver) lose() {
	d.lost = true
	d.dev = emu.New(d.o)
	for id := range d.streams {
		d.streams[id] = &stream{}
	}
	clear(d.pinned)
}

// work begins a call that does work on the device: not after a fault.
func (d *Driver) work(name string, args ...any) Result {
	if r := d.begin(name, args...); r != Success {
		return r
	}
	return d.sticky
}

// failed keeps the first fault. Every call for work after it returns the same result.
func (d *Driver) failed(err error) Result {
	if d.fault == nil {
		d.fault = err
	}
	var f *emu.Fault
	r := IllegalAddress
	if errors.As(err, &f) && !slices.Contains([]string{"out of bounds", "unwritten", "misaligned"}, f.Kind) {
		r = LaunchFailed
	}
	if d.sticky == Success {
		d.sticky = r
	}
	return d.sticky
}

// Close ends the record of calls.
func (d *Driver) Close() error {
	if d.trace == nil {
		return nil
	}
	return errors.WithStack(d.trace.Close())
}
