package plan

import (
	"fmt"
	"time"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// ErrUnsupported says that an executor has no kernel for an op.
var ErrUnsupported = errors.New("plan: the executor does not support the op")

// ErrName says that no input, output or state has the name asked for.
var ErrName = errors.New("plan: no such name")

// Executor runs plans on one device.
type Executor interface {
	// NewState returns a state without values; Compile adds what a plan needs.
	NewState() State
	// Compile binds p to s. States that s lacks are added, zeroed, one allocation a region.
	Compile(p *Plan, s State) (Program, error)
	// Threads is the number of worker threads of a CPU, 0 on other devices.
	Threads() int
	// String names the device and how it computes.
	String() string
	// Close frees the device. Programs and states must not be used after it.
	Close() error
}

// State owns the values that outlive a run: parameters, moments, statistics, caches. Not safe for concurrent use.
type State interface {
	// Names lists the values of one kind in the order they were added.
	Names(k graph.Kind) []string
	// Meta returns dtype, shape and kind of a value.
	Meta(name string) (graph.Meta, graph.Kind, error)
	// Read returns a copy of a value.
	Read(name string) (*tensor.Dense, error)
	// Write replaces a value by one of the same dtype and number of elements.
	Write(name string, v *tensor.Dense) error
	// Fill replaces a value by what f writes to b, contiguous memory of the value's meta with any content: on the CPU
	// the value's own, so that nothing is copied twice. After an error the value is undefined.
	Fill(name string, f func(b graph.Buf) error) error
	// Share returns a state that has the values of one kind in common with s, those added later too, and starts
	// without values of the others.
	Share(k graph.Kind) State
}

// Program is a plan bound to a state on a device. Not safe for concurrent use.
type Program interface {
	// Run runs every step once. Inputs are slices ([]float32, []float64 or []int32) or *tensor.Dense by name, all that
	// the plan declares, and are copied. If a guard is not finite no state changes and the error is a *NotFiniteError
	// that names the guard. Nothing is allocated after the first run.
	Run(in map[string]any, s graph.Scalars) error
	// Trace runs every step but the guarded ones and tests each result: the error is a *NotFiniteError that names the
	// first step with a result that is not finite, nil where there is none. Made for a plan without fusion and aliasing.
	Trace(in map[string]any, s graph.Scalars) error
	// Time is Run that returns how long each step of the plan took.
	Time(in map[string]any, s graph.Scalars) ([]time.Duration, error)
	// Read returns a copy of an output or state; another name is ErrName.
	Read(name string) (*tensor.Dense, error)
	// Scalar returns an output of one element.
	Scalar(name string) (float64, error)
	// Plan returns what was compiled.
	Plan() *Plan
}

// NotFiniteError says that a value is NaN or infinite: a guard's in Run, a step's in Trace.
type NotFiniteError struct {
	Op, Scope string
	Value     float64
}

func (e *NotFiniteError) Error() string {
	return fmt.Sprintf("%s: %s gives %g", e.Scope, e.Op, e.Value)
}
