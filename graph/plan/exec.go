package plan

import (
	"fmt"
	"time"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// ErrUnsupported says that an executor has no kernel for an op; see [Options].Supports.
var ErrUnsupported = errors.New("plan: the executor does not support the op")

// ErrName says that no input, output or state has the name asked for.
var ErrName = errors.New("plan: no such name")

// ErrClosed says that a program or state was used after its Close, or after that of what it needs.
var ErrClosed = errors.New("plan: closed")

// Executor runs plans on one device.
//
// An executor, its states and its programs belong to one goroutine at a time: none of them is safe for concurrent use.
// Programs are closed before their state, states before the executor.
type Executor interface {
	// Device says what the plans run on. The memory is that of the moment of the call.
	Device() Device
	// Peak is the rate that no product of float32 matrices can exceed, in GFLOP/s (10⁹ additions and
	// multiplications a second). An executor that measures it takes about the time d. 0 says that it is not known.
	Peak(d time.Duration) float64
	// Options proposes how plans for this executor are made. A caller changes what it must and gives them to [New].
	Options() Options
	// NewState returns a state without values; Compile adds what a plan needs.
	NewState() State
	// Compile binds p to s, which may be wrapped: see [Unwrap]. Values that s lacks are added, zeroed, one allocation
	// a region. A step whose op has no kernel is an error that wraps [ErrUnsupported].
	Compile(p *Plan, s State) (Program, error)
	// Close frees the device. A second Close does nothing. Any other use after it that gives an error gives
	// [ErrClosed].
	Close() error
}

// Chooser is an executor that chooses between kernels of one op, by shape, when it compiles a plan. Kernels differ in
// their last bits. So a run keeps what was chosen, and takes it again where it is resumed.
type Chooser interface {
	// Choices returns what was chosen so far, as JSON that names the device, and how many choices that are.
	Choices() (b []byte, n int, err error)
	// Choose takes what Choices has returned. On another device it takes nothing, and says what differs.
	Choose(b []byte) (differs string, err error)
}

// Device describes what an executor runs on.
type Device struct {
	Kind    string // "cpu"
	Name    string // its model; for a CPU the instructions that its loops use: "avx512"
	Workers int    // threads of a CPU, 0 on other devices
	Free    uint64 // bytes of memory that a new plan may take; 0 where that is not known
	Total   uint64 // bytes of memory; 0 where that is not known
}

// State owns the values that outlive a run: parameters, moments, statistics, caches. Read, Write, Fill and Close wait
// for the runs before them, and report a failed one as [Program].Run says.
type State interface {
	// Names lists the values of one kind in the order they were added; none after Close.
	Names(k graph.Kind) []string
	// Meta returns dtype, shape and kind of a value.
	Meta(name string) (graph.Meta, graph.Kind, error)
	// Read returns a copy of a value.
	Read(name string) (*tensor.Dense, error)
	// Write replaces a value by one of the same dtype and number of elements.
	Write(name string, v *tensor.Dense) error
	// Fill replaces a value by what f writes to b: contiguous memory of the value's meta, with any content. On the
	// CPU it is the value's own memory, so that nothing is copied twice. f must not keep b. After an error the value
	// is undefined.
	Fill(name string, f func(b graph.Buf) error) error
	// Share returns a state that has the values of one kind in common with s, those added later too. It starts
	// without values of the other kinds, and is closed by itself, before s. Where s is closed it is closed too.
	Share(k graph.Kind) State
	// Close frees the values, but not those of a state that this one shares with. A second Close does nothing. Any
	// other use after it is [ErrClosed], that of a program of the state too.
	Close() error
}

// Program is a plan bound to a state on a device.
type Program interface {
	// Run runs every step once. Inputs are slices ([]float32, []float64 or []int32) or *tensor.Dense by name, all
	// that the plan declares. They are copied before Run returns. Nothing is allocated after the first run.
	//
	// If a guard is not finite no state changes, and the error is a *NotFiniteError that names the guard.
	//
	// Run may return before the work is done. Where such a run fails, a later call on its state, or on a program of
	// that state, returns the error, a *LateError. This is the next call that waits for the work: any but Run, Names,
	// Meta and Plan. A Run in between may return it too; if not, it has no effect, as if it had not been called. So
	// values are as before the failed run, and the scalars of its program are its own. The call that returns the error
	// does nothing else; only Close closes all the same. Each failed run is reported once.
	Run(in map[string]any, s graph.Scalars) error
	// Trace runs every step but the guarded ones, and tests each result. The error is a *NotFiniteError that names
	// the first step with a result that is not finite; nil says that there is none. It is made for a plan without
	// fusion and aliasing. Trace and Time return when the work is done.
	Trace(in map[string]any, s graph.Scalars) error
	// Time is Run that returns how long each step of the plan took.
	Time(in map[string]any, s graph.Scalars) ([]time.Duration, error)
	// Read returns a copy of an output or state; another name is [ErrName]. An output is that of the last run.
	Read(name string) (*tensor.Dense, error)
	// Scalar returns an output of one element.
	Scalar(name string) (float64, error)
	// Scalars puts several outputs of one element into v, which is as long as names. They are read together, so that
	// a device is waited for once. It allocates nothing.
	Scalars(v []float64, names ...string) error
	// Plan returns what was compiled, after Close too.
	Plan() *Plan
	// Close frees what the program has, not the state. A second Close does nothing. Any other use after it is
	// [ErrClosed].
	Close() error
}

// Pipelined is a Program whose Run leaves its run under way, and waits for the one before it.
type Pipelined interface {
	Program
	// Before is Scalars without waiting. The values are those of the newest run that is done: after a Run, of the
	// run before it.
	Before(v []float64, names ...string) error
}

// Unwrap returns the executor's own state that s wraps, layer by layer, by methods Unwrap. It is s itself where s
// wraps none.
func Unwrap(s State) State {
	for {
		w, ok := s.(interface{ Unwrap() State })
		if !ok {
			return s
		}
		s = w.Unwrap()
	}
}

// NotFiniteError says that a value is NaN or infinite: a guard's in Run, a step's in Trace.
type NotFiniteError struct {
	Op, Scope string
	Value     float64
}

func (e *NotFiniteError) Error() string {
	return fmt.Sprintf("%s: %s gives %g", e.Scope, e.Op, e.Value)
}

// MemoryError says that a device has too little memory for what an executor needs.
type MemoryError struct {
	Region string // what for: a region of a plan, or memory of the executor's own
	Bytes  int
	Err    error
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("%d bytes for %s: %v", e.Bytes, e.Region, e.Err)
}

// Unwrap returns the error of the allocation.
func (e *MemoryError) Unwrap() error { return e.Err }

// LateError is the error of a run that a later call reports: the run of a program with these scalars failed.
type LateError struct {
	Program Program
	Scalars graph.Scalars
	Err     error
}

func (e *LateError) Error() string {
	return fmt.Sprintf("plan: run of step %d, micro-batch %d: %v", e.Scalars.Step, e.Scalars.Micro, e.Err)
}

// Unwrap returns the error of the run.
func (e *LateError) Unwrap() error { return e.Err }
