//go:build gpu

package ext

// #include "ext.h"
import "C"

import (
	"time"

	"github.com/ceto-ml/ceto/cuda/internal/link"
	"github.com/pkg/errors"
)

// Stream is a queue of work; 0 is the default one, which waits for all others.
type Stream uintptr

// NewStream makes a stream that does not wait for the default one.
func NewStream() (Stream, error) {
	var s C.handle
	err := failed("cuStreamCreate", C.ext_stream_create(&s, 1))
	return Stream(s), err
}

// Destroy gives the stream back once its work is done.
func (s Stream) Destroy() error {
	return failed("cuStreamDestroy", C.ext_stream_destroy(C.handle(s)))
}

// Sync waits until all work of the stream is done.
func (s Stream) Sync() error { return failed("cuStreamSynchronize", C.ext_stream_sync(C.handle(s))) }

// Await lets what is enqueued from here on wait for an event.
func (s Stream) Await(e Event) error {
	return failed("cuStreamWaitEvent", C.ext_stream_await(C.handle(s), C.handle(e)))
}

// BeginCapture records what this thread enqueues from here on, and runs none of it.
func (s Stream) BeginCapture() error {
	return failed("cuStreamBeginCapture", C.ext_stream_begin_capture(C.handle(s), 1)) // of this thread alone
}

// EndCapture returns what was recorded.
func (s Stream) EndCapture() (Graph, error) {
	var g C.handle
	err := failed("cuStreamEndCapture", C.ext_stream_end_capture(C.handle(s), &g))
	return Graph(g), err
}

// Graph is recorded work.
type Graph uintptr

// Nodes is the number of its operations.
func (g Graph) Nodes() (int, error) {
	var n C.size_t
	err := failed("cuGraphGetNodes", C.ext_graph_nodes(C.handle(g), &n))
	return int(n), err
}

// Executable makes of a graph what can be launched.
func (g Graph) Executable() (Executable, error) {
	var x C.handle
	err := failed("cuGraphInstantiate", C.ext_graph_instantiate(&x, C.handle(g)))
	return Executable(x), err
}

// Destroy gives the graph back. Its executables stay.
func (g Graph) Destroy() error { return failed("cuGraphDestroy", C.ext_graph_destroy(C.handle(g))) }

// Executable is a graph that the device can run.
type Executable uintptr

// Launch enqueues the whole graph.
func (x Executable) Launch(s Stream) error {
	return failed("cuGraphLaunch", C.ext_executable_launch(C.handle(x), C.handle(s)))
}

// Destroy gives it back.
func (x Executable) Destroy() error {
	return failed("cuGraphExecDestroy", C.ext_executable_destroy(C.handle(x)))
}

// Event is a point in a stream.
type Event uintptr

// disableTiming makes an event cheaper.
const disableTiming = 2

// NewEvent makes an event. Since needs two with timing.
func NewEvent(timing bool) (Event, error) {
	flags := C.uint(disableTiming)
	if timing {
		flags = 0
	}
	var e C.handle
	err := failed("cuEventCreate", C.ext_event_create(&e, flags))
	return Event(e), err
}

// Destroy gives the event back.
func (e Event) Destroy() error { return failed("cuEventDestroy", C.ext_event_destroy(C.handle(e))) }

// Record moves the event behind what the stream has to do so far.
func (e Event) Record(s Stream) error {
	return failed("cuEventRecord", C.ext_event_record(C.handle(e), C.handle(s)))
}

// Sync waits until the event has come.
func (e Event) Sync() error { return failed("cuEventSynchronize", C.ext_event_sync(C.handle(e))) }

// Done tells whether the event has come.
func (e Event) Done() (bool, error) {
	err := failed("cuEventQuery", C.ext_event_query(C.handle(e)))
	if errors.Is(err, link.NotReady) {
		return false, nil
	}
	return err == nil, err
}

// Since is the time of the device from another event to this one. Both have come.
func (e Event) Since(from Event) (time.Duration, error) {
	var ms C.float
	err := failed("cuEventElapsedTime", C.ext_event_elapsed(&ms, C.handle(from), C.handle(e)))
	return time.Duration(float64(ms) * float64(time.Millisecond)), err
}
