// Package driver does what NVIDIA's driver does, on an emulated GPU: devices, contexts, memory, modules, streams,
// events, launches and graphs, call by call. It stands in for cuBLASLt as well. Its streams are lazy. Work that was
// asked for runs when something waits for it, in an order that a seed draws from those that streams and events permit.
// So a buffer that is used again too early, or an event that is missing, gives wrong numbers in some order.
//
// Methods are called as the functions of the driver that they stand for. Handles are numbers. A call returns a
// [Result], which is CUresult; [Driver.Fault] tells what a kernel did wrong, and [Driver.LastFault] what the last call
// that was refused did.
package driver

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/blas"
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// Version is the driver's: CUDA 12.0.
const Version = 12000

// Driver is a driver with one device. It is for one thread at a time.
type Driver struct {
	set    Setting
	dev    *emu.Device
	o      emu.Options
	order  *rand.Rand
	trace  *record
	calls  map[string]int
	n      int // calls so far
	allocs int
	starts int   // launches
	fault  error // the first of a kernel, or that the device is lost
	last   error // of the last call that was refused
	sticky Result
	lost   bool
	next   uint64  // the last handle
	now    float64 // milliseconds of the device

	contexts   contexts
	sizes      map[emu.Ptr]int
	pinned     map[uint64]int
	modules    map[uint64]*emu.Module
	functions  map[uint64]*function
	streams    map[uint64]*stream
	events     map[uint64]*event
	graphs     map[uint64]*graph
	executable map[uint64]*graph
	loose      []*job // work of graphs, which lies in no stream
	host       clock  // what the host knows to be done
	gone       clock  // of streams that were destroyed
	capturing  int    // captures under way

	lt         *blas.Library
	pool       *vec.Pool
	workspaces map[workspace]use

	stats  map[string]*kernelStats
	ranges []emu.Range
	what   string
}

// A record is the file of calls.
type record struct {
	file *os.File
	*bufio.Writer
}

// New returns a driver of a device.
func New(o emu.Options, set Setting) (*Driver, error) {
	d := &Driver{set: set, dev: emu.New(o), order: rand.New(rand.NewPCG(set.Order, 1)), calls: map[string]int{},
		contexts: newContexts(), sizes: map[emu.Ptr]int{}, pinned: map[uint64]int{}, modules: map[uint64]*emu.Module{},
		functions: map[uint64]*function{}, streams: map[uint64]*stream{0: {blocking: true}}, events: map[uint64]*event{},
		graphs: map[uint64]*graph{}, executable: map[uint64]*graph{}, host: clock{}, gone: clock{}, workspaces: map[workspace]use{},
		stats: map[string]*kernelStats{}}
	d.o = d.dev.Options()
	d.lt = blas.New(d.handle, set.Refuse...)
	if set.Trace != "" {
		f, err := os.Create(set.Trace)
		if err != nil {
			return nil, errors.Wrap(err, "emu: trace")
		}
		d.trace = &record{f, bufio.NewWriter(f)}
	}
	return d, nil
}

// Device is the emulated GPU.
func (d *Driver) Device() *emu.Device { return d.dev }

// Setting is what the driver was made with.
func (d *Driver) Setting() Setting { return d.set }

// Fault is the error of the first kernel that did what it must not, or of the loss of the device. It is nil elsewhere.
func (d *Driver) Fault() error { return d.fault }

// LastFault is what the last call that failed did wrong, in words; nil where none has failed. A call that fails since
// an earlier kernel was at fault leaves it as it is.
func (d *Driver) LastFault() error { return d.last }

// Mark writes a line to the record of calls, and sees that all lines so far are in the file.
func (d *Driver) Mark(text string) {
	if d.trace != nil {
		fmt.Fprintf(d.trace, "mark %s\n", text)
		_ = d.trace.Flush() // Close tells the error
	}
}

// handle is a new handle.
func (d *Driver) handle() uint64 {
	d.next++
	return d.next
}

// note counts a call and writes it down. What it is called with comes as names and values in turn. A line is such as
//
//	5 cuMemcpyHtoDAsync[148 stream=2]
//
// where the number of bytes stands first, without a name.
func (d *Driver) note(name string, args ...any) {
	d.n++
	d.calls[name]++
	if d.trace == nil {
		return
	}
	fmt.Fprintf(d.trace, "%d %s[", d.n, name)
	for i := 0; i+1 < len(args); i += 2 {
		if i > 0 {
			fmt.Fprint(d.trace, " ")
		}
		if args[i] != "bytes" {
			fmt.Fprintf(d.trace, "%s=", args[i])
		}
		fmt.Fprint(d.trace, args[i+1])
	}
	fmt.Fprintln(d.trace, "]")
}

// begin notes a call that needs no context, and returns what keeps it from being done.
func (d *Driver) begin(name string, args ...any) Result {
	d.note(name, args...)
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
	d.last = errors.Errorf("emu: call %d: the device is lost, as CETO_EMU asks", d.n)
	if d.fault == nil {
		d.fault = d.last
	}
	d.dev = emu.New(d.o)
	for _, s := range d.streams {
		*s = stream{blocking: s.blocking}
	}
	d.loose, d.capturing = nil, 0
	clear(d.sizes)
	clear(d.pinned)
}

// back begins a call that gives something back: it is done after a fault too, so that what was forgotten can be told.
func (d *Driver) back(name string, args ...any) Result {
	if r := d.begin(name, args...); r != Success {
		return r
	}
	return d.contexts.check(d)
}

// work begins a call that asks for something: not after a fault.
func (d *Driver) work(name string, args ...any) Result {
	if r := d.back(name, args...); r != Success {
		return r
	}
	return d.sticky
}

// refuse keeps the reason for which a call fails.
func (d *Driver) refuse(r Result, format string, args ...any) Result {
	d.last = errors.Errorf("emu: "+format, args...)
	return r
}

// badHandle refuses a handle.
func (d *Driver) badHandle(h uint64, what string) Result {
	return d.refuse(InvalidHandle, "%d is no handle of %s", h, what)
}

// failed keeps the first fault. Every call for work after it returns the same result.
func (d *Driver) failed(err error) Result {
	d.last = err
	if d.fault == nil {
		d.fault = err
	}
	if d.sticky == Success {
		d.sticky = resultOf(err)
	}
	return d.sticky
}

// Close ends the record of calls and what the driver computes on.
func (d *Driver) Close() error {
	if d.pool != nil {
		d.pool.Close()
		d.pool = nil
	}
	if d.trace == nil {
		return nil
	}
	err := d.trace.Flush()
	if e := d.trace.file.Close(); err == nil {
		err = e
	}
	d.trace = nil
	return errors.Wrap(err, "emu: trace")
}

// workers are those of the stand-in for cuBLASLt.
func (d *Driver) workers() *vec.Pool {
	if d.pool == nil {
		d.pool = vec.NewPool(runtime.GOMAXPROCS(0))
	}
	return d.pool
}
