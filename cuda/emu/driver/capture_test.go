package driver_test

import (
	"fmt"
	"testing"

	"github.com/ceto-ml/ceto/cuda/emu/driver"
)

// capture records what f asks of a stream.
func (r *rig) capture(s uint64, f func()) uint64 {
	r.t.Helper()
	r.ok(r.StreamBeginCapture(s, 1))
	f()
	g, res := r.StreamEndCapture(s)
	r.ok(res)
	return g
}

// TestGraph: what is captured does not run, and each launch runs all of it.
func TestGraph(t *testing.T) {
	r := newRig(t, "")
	s := r.streams(1, 1)[0]
	r.ok(r.CopyHtoD(r.x, floats(1, r.n), s, true))
	_, before := r.Counts()
	g := r.capture(s, func() {
		if n, res := r.StreamIsCapturing(s); n != 1 || res != driver.Success {
			t.Errorf("capturing %d, result %d", n, res)
		}
		r.ok(r.add(r.y, r.x, s))
		r.ok(r.add(r.x, r.y, s))
	})
	if n, res := r.GraphGetNodes(g); n != 2 || res != driver.Success {
		t.Errorf("%d nodes, result %d", n, res)
	}
	r.ok(r.StreamSynchronize(s))
	if v := r.read(r.x); v != 1 {
		t.Errorf("after the capture %g, want 1", v)
	}
	x, res := r.GraphInstantiate(g)
	r.ok(res)
	r.ok(r.GraphDestroy(g))
	for range 3 {
		r.ok(r.GraphLaunch(x, s))
	}
	r.ok(r.StreamSynchronize(s))
	if v := r.read(r.x); v != 7 {
		t.Errorf("after three launches %g, want 7", v)
	}
	if _, n := r.Counts(); n != before+6 {
		t.Errorf("%d launches, want 6", n-before)
	}
	r.ok(r.GraphExecDestroy(x))
	r.is("a graph that is gone", r.GraphLaunch(x, s), driver.InvalidHandle)
	_, res = r.GraphInstantiate(g)
	r.is("a graph that is gone", res, driver.InvalidHandle)
	r.is("a graph that is gone", r.GraphDestroy(g), driver.InvalidHandle)
}

// TestGraphTwice: a graph that is launched in two streams runs once at a time.
func TestGraphTwice(t *testing.T) {
	for seed := range 20 {
		r := newRig(t, fmt.Sprintf("order:%d", seed))
		s := r.streams(2, 1)
		r.ok(r.CopyHtoD(r.x, floats(1, r.n), 0, false))
		g := r.capture(s[0], func() { r.ok(r.add(r.y, r.x, s[0])); r.ok(r.add(r.x, r.y, s[0])) })
		x, res := r.GraphInstantiate(g)
		r.ok(res)
		r.ok(r.GraphLaunch(x, s[0]))
		r.ok(r.GraphLaunch(x, s[1]))
		r.ok(r.Synchronize())
		if v := r.read(r.x); v != 5 {
			t.Fatalf("seed %d: %g, want 5", seed, v)
		}
	}
}

// TestFork: streams of a graph run side by side, in all orders that its events permit.
func TestFork(t *testing.T) {
	for _, joins := range []bool{false, true} {
		got := map[float32]bool{}
		for seed := range 20 {
			r := newRig(t, fmt.Sprintf("order:%d", seed))
			s := r.streams(2, 1)
			r.ok(r.CopyHtoD(r.x, floats(1, r.n), 0, false))
			r.ok(r.CopyHtoD(r.y, floats(0, r.n), 0, false))
			fork, mid, join := r.event(), r.event(), r.event()
			g := r.capture(s[0], func() {
				r.ok(r.EventRecord(fork, s[0]))
				r.ok(r.StreamWaitEvent(s[1], fork))
				r.ok(r.add(r.x, r.x, s[1]))
				r.ok(r.EventRecord(mid, s[1]))
				if joins {
					r.ok(r.StreamWaitEvent(s[0], mid))
				}
				r.ok(r.add(r.y, r.x, s[0]))
				r.ok(r.EventRecord(join, s[1]))
				r.ok(r.StreamWaitEvent(s[0], join))
			})
			x, res := r.GraphInstantiate(g)
			r.ok(res)
			r.ok(r.GraphLaunch(x, s[0]))
			r.ok(r.Synchronize())
			got[r.read(r.y)] = true
		}
		if want := map[bool]int{false: 2, true: 1}[joins]; len(got) != want {
			t.Errorf("joined %v: results %v, want %d", joins, got, want)
		}
	}
}

// TestFailInGraph: launches of a graph count each time.
func TestFailInGraph(t *testing.T) {
	r := newRig(t, "fail:launch:4")
	s := r.streams(1, 1)[0]
	r.ok(r.CopyHtoD(r.x, floats(1, r.n), s, true))
	g := r.capture(s, func() { r.ok(r.add(r.y, r.x, s)); r.ok(r.add(r.x, r.y, s)) })
	x, res := r.GraphInstantiate(g)
	r.ok(res)
	r.is("launches 1 and 2", r.GraphLaunch(x, s), driver.Success)
	r.is("launches 3 and 4", r.GraphLaunch(x, s), driver.LaunchFailed)
}

// TestCaptureRefused: what cannot be done while a stream is captured ends the capture in an error.
func TestCaptureRefused(t *testing.T) {
	for name, c := range map[string]struct {
		call func(r *rig, s []uint64) driver.Result
		want driver.Result
	}{
		"wait for the stream": {func(r *rig, s []uint64) driver.Result { return r.StreamSynchronize(s[0]) }, driver.CaptureUnsupported},
		"query":               {func(r *rig, s []uint64) driver.Result { return r.StreamQuery(s[0]) }, driver.CaptureUnsupported},
		"wait for all":        {func(r *rig, s []uint64) driver.Result { return r.Synchronize() }, driver.CaptureUnsupported},
		"allocate": {func(r *rig, s []uint64) driver.Result {
			_, res := r.MemAlloc(4)
			return res
		}, driver.CaptureUnsupported},
		"free":             {func(r *rig, s []uint64) driver.Result { return r.MemFree(r.x) }, driver.CaptureUnsupported},
		"copy that waits":  {func(r *rig, s []uint64) driver.Result { return r.CopyHtoD(r.x, []byte{1}, 0, false) }, driver.CaptureUnsupported},
		"an outside event": {func(r *rig, s []uint64) driver.Result { return r.StreamWaitEvent(s[0], s[2]) }, driver.CaptureIsolation},
	} {
		r := newRig(t, "")
		s := append(r.streams(2, 1), r.event())
		r.ok(r.EventRecord(s[2], s[1]))
		r.ok(r.StreamBeginCapture(s[0], 0))
		r.is(name, c.call(r, s), c.want)
		if n, _ := r.StreamIsCapturing(s[0]); n != 2 {
			t.Errorf("%s: capturing %d, want 2", name, n)
		}
		_, res := r.StreamEndCapture(s[0])
		r.is("the end after "+name, res, driver.CaptureInvalidated)
		r.is("what comes after "+name, r.Synchronize(), driver.Success)
	}
}

// TestCaptureStates: begins and ends that do not belong together.
func TestCaptureStates(t *testing.T) {
	r := newRig(t, "")
	s := r.streams(3, 1)
	blocking := r.streams(1, 0)[0]
	e := r.event()
	r.is("stream 0", r.StreamBeginCapture(0, 0), driver.CaptureUnsupported)
	r.is("mode 3", r.StreamBeginCapture(s[0], 3), driver.InvalidValue)
	_, res := r.StreamEndCapture(s[0])
	r.is("no capture", res, driver.IllegalState)
	r.ok(r.StreamBeginCapture(s[0], 0))
	r.is("twice", r.StreamBeginCapture(s[0], 0), driver.IllegalState)
	r.ok(r.EventRecord(e, s[0]))
	r.is("a query of its event", r.EventQuery(e), driver.CapturedEvent)
	r.ok(r.StreamWaitEvent(s[1], e))
	r.ok(r.MemsetD8(r.x, 0, 4, s[1], true))
	_, res = r.StreamEndCapture(s[0])
	r.is("a stream that was not joined", res, driver.CaptureUnjoined)
	r.is("an event of what has ended", r.StreamWaitEvent(s[2], e), driver.InvalidValue)

	r.ok(r.StreamBeginCapture(s[0], 0))
	r.ok(r.EventRecord(e, s[0]))
	r.ok(r.StreamBeginCapture(s[2], 0))
	r.is("two captures", r.StreamWaitEvent(s[2], e), driver.CaptureMerge)
	for _, i := range []int{0, 2} {
		_, res = r.StreamEndCapture(s[i])
		r.is("the end of either", res, driver.CaptureInvalidated)
	}

	r.ok(r.StreamBeginCapture(blocking, 0))
	r.is("stream 0 would wait", r.MemsetD8(r.x, 0, 4, 0, true), driver.Result(906))
	_, res = r.StreamEndCapture(blocking)
	r.is("the end", res, driver.CaptureInvalidated)

	r.ok(r.StreamBeginCapture(s[0], 0))
	r.ok(r.EventRecord(e, s[0]))
	r.ok(r.StreamWaitEvent(s[1], e))
	_, res = r.StreamEndCapture(s[1])
	r.is("another stream's end", res, driver.CaptureUnmatched)
}
