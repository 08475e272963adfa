package driver_test

import (
	"fmt"
	"testing"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/driver"
)

// streams makes n streams.
func (r *rig) streams(n int, flags uint32) []uint64 {
	r.t.Helper()
	var list []uint64
	for range n {
		s, res := r.StreamCreateWithFlags(flags)
		r.ok(res)
		list = append(list, s)
	}
	return list
}

func (r *rig) event() uint64 {
	r.t.Helper()
	e, res := r.EventCreate()
	r.ok(res)
	return e
}

// TestPinned: a buffer that is filled again before its copy ran gives the wrong number in some orders. It does not
// where the host waits for the copy.
func TestPinned(t *testing.T) {
	for _, waits := range []bool{false, true} {
		wrong := 0
		for seed := range 20 {
			r := newRig(t, fmt.Sprintf("order:%d", seed))
			s := r.streams(2, 1)
			host, copied := floats(1, r.n), r.event()
			r.ok(r.CopyHtoD(r.x, host, s[1], true))
			r.ok(r.EventRecord(copied, s[1]))
			r.ok(r.MemsetD32(r.y, 0, r.n, s[0], true))
			if waits {
				r.ok(r.EventSynchronize(copied))
			} else {
				r.ok(r.StreamSynchronize(s[0])) // not the stream of the copy
			}
			copy(host, floats(5, r.n))
			r.ok(r.StreamWaitEvent(s[0], copied))
			r.ok(r.add(r.y, r.x, s[0]))
			r.ok(r.StreamSynchronize(s[0]))
			if r.read(r.y) != 2 {
				wrong++
			}
		}
		if (wrong > 0) == waits {
			t.Errorf("waited for the copy %v: %d of 20 orders are wrong", waits, wrong)
		}
	}
}

// TestSyncCopy: a copy that waits does not wait for streams that stand beside stream 0.
func TestSyncCopy(t *testing.T) {
	for flags, want := range map[uint32]bool{1: true, 0: false} {
		stale := false
		for seed := range 20 {
			r := newRig(t, fmt.Sprintf("order:%d", seed))
			s := r.streams(1, flags)[0]
			r.ok(r.CopyHtoD(r.x, floats(1, r.n), 0, false))
			r.ok(r.CopyHtoD(r.y, floats(0, r.n), 0, false))
			r.ok(r.add(r.y, r.x, s))
			stale = stale || r.read(r.y) == 0
		}
		if stale != want {
			t.Errorf("flags %d: a copy of stream 0 came before the stream's work: %v, want %v", flags, stale, want)
		}
	}
}

// TestLegacy: stream 0 waits for blocking streams and they for it.
func TestLegacy(t *testing.T) {
	for seed := range 20 {
		r := newRig(t, fmt.Sprintf("order:%d", seed))
		s := r.streams(2, 0)
		r.ok(r.CopyHtoD(r.x, floats(1, r.n), s[0], true))
		r.ok(r.add(r.y, r.x, 0)) // 2
		r.ok(r.add(r.x, r.y, s[1]))
		r.ok(r.StreamSynchronize(s[1]))
		if v := r.read(r.x); v != 3 {
			t.Fatalf("seed %d: %g, want 3", seed, v)
		}
	}
}

// TestQuery: a query does not wait, but whoever asks on and on sees the work done.
func TestQuery(t *testing.T) {
	r := newRig(t, "order:3")
	s := r.streams(2, 1)
	e := r.event()
	r.is("an event that was not recorded", r.EventQuery(e), driver.Success)
	r.ok(r.CopyHtoD(r.x, floats(1, r.n), s[0], true))
	r.ok(r.EventRecord(e, s[0]))
	r.ok(r.MemsetD32(r.y, 0, r.n, s[1], true))
	r.is("the first query", r.EventQuery(e), driver.NotReady)
	polls := 0
	for r.EventQuery(e) == driver.NotReady {
		if polls++; polls > 100 {
			t.Fatal("polled without end")
		}
	}
	for r.StreamQuery(s[1]) == driver.NotReady {
		if polls++; polls > 100 {
			t.Fatal("polled without end")
		}
	}
	r.is("a stream without work", r.StreamQuery(s[0]), driver.Success)
	r.is("no stream", r.StreamQuery(999), driver.InvalidHandle)
	r.is("no event", r.EventQuery(999), driver.InvalidHandle)
}

// TestTimes: the time between two events is that of the work between them.
func TestTimes(t *testing.T) {
	r := newRig(t, "")
	a, b, never := r.event(), r.event(), r.event()
	untimed, res := r.EventCreateWithFlags(2)
	r.ok(res)
	r.ok(r.MemsetD32(r.x, 0, r.n, 0, true))
	for _, e := range []uint64{a, untimed} {
		r.ok(r.EventRecord(e, 0))
	}
	r.ok(r.add(r.y, r.x, 0))
	r.ok(r.EventRecord(b, 0))
	_, res = r.EventElapsedTime(a, b)
	r.is("before it is done", res, driver.NotReady)
	r.ok(r.Synchronize())
	if ms, res := r.EventElapsedTime(a, b); res != driver.Success || ms <= 0 || ms > 1 {
		t.Errorf("%g ms, result %d", ms, res)
	}
	for _, e := range []uint64{never, untimed, 999} {
		_, res = r.EventElapsedTime(a, e)
		r.is("no time", res, driver.InvalidHandle)
	}
}

// TestStreams: making and destroying them.
func TestStreams(t *testing.T) {
	r := newRig(t, "")
	least, greatest, res := r.StreamPriorityRange()
	if r.ok(res); least <= greatest {
		t.Errorf("priorities from %d to %d", least, greatest)
	}
	s, res := r.StreamCreateWithPriority(1, -1)
	r.ok(res)
	r.ok(r.MemsetD8(r.x, 1, 4, s, true))
	r.ok(r.StreamDestroy(s))
	if n, err := r.Device().Written(r.x, 4); n != 4 || err != nil {
		t.Error("the work of a stream that is destroyed is not done")
	}
	r.is("its work", r.MemsetD8(r.x, 1, 4, s, true), driver.InvalidHandle)
	r.is("its launch", r.add(r.y, r.x, s), driver.InvalidHandle)
	r.is("stream 0", r.StreamDestroy(0), driver.InvalidHandle)
	_, res = r.StreamCreateWithFlags(2)
	r.is("flags", res, driver.InvalidValue)
	_, res = r.EventCreateWithFlags(8)
	r.is("flags", res, driver.InvalidValue)
	e := r.event()
	r.ok(r.EventDestroy(e))
	r.is("an event that is gone", r.EventRecord(e, 0), driver.InvalidHandle)
	r.is("its wait", r.StreamWaitEvent(0, e), driver.InvalidHandle)
}

// TestOrders: a correct program with copies, two streams and reused buffers has one result in every order.
func TestOrders(t *testing.T) {
	for seed := range 20 {
		r := newRig(t, fmt.Sprintf("order:%d", seed))
		s := r.streams(2, 1)
		host, out := floats(0, r.n), floats(0, r.n)
		copied, used := r.event(), r.event()
		r.ok(r.MemsetD32(r.y, 0, r.n, s[0], true))
		sum := float32(0)
		for step := range 5 {
			r.ok(r.EventSynchronize(copied)) // the buffer is free again
			copy(host, floats(float32(step), r.n))
			r.ok(r.StreamWaitEvent(s[1], used)) // and so is x
			r.ok(r.CopyHtoD(r.x, host, s[1], true))
			r.ok(r.EventRecord(copied, s[1]))
			r.ok(r.StreamWaitEvent(s[0], copied))
			r.ok(r.add(r.y, r.x, s[0]))
			r.ok(r.EventRecord(used, s[0]))
			r.ok(r.CopyDtoH(out, r.y, s[0], true))
			r.ok(r.StreamSynchronize(s[0]))
			sum = sum*3 + r.first(out)
		}
		if sum != 179 { // ((((1·3+2)·3+3)·3+4)·3+5
			t.Fatalf("seed %d: %g", seed, sum)
		}
	}
}

// TestParams: the parameters of a launch are those at the call.
func TestParams(t *testing.T) {
	r := newRig(t, "")
	r.ok(r.CopyHtoD(r.x, floats(1, r.n), 0, true))
	p := r.params(r.y, r.x)
	r.ok(r.LaunchKernel(r.f, emu.Dim{X: 2, Y: 1, Z: 1}, emu.Dim{X: 32, Y: 1, Z: 1}, 0, 0, p))
	clear(p)
	if v := r.read(r.y); v != 2 {
		t.Errorf("%g, want 2", v)
	}
}

// TestFreeWaits: memory that is freed is not used any more.
func TestFreeWaits(t *testing.T) {
	r := newRig(t, "")
	s := r.streams(1, 1)[0]
	r.ok(r.CopyHtoD(r.x, floats(1, r.n), s, true))
	r.ok(r.add(r.y, r.x, s))
	for _, p := range []emu.Ptr{r.x, r.y} {
		r.ok(r.MemFree(p))
	}
	r.ok(r.Synchronize())
}
