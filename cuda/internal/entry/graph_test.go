//go:build gpu

package entry_test

import (
	"testing"

	"github.com/ceto-ml/ceto/cuda/internal/ext"
	"github.com/ceto-ml/ceto/cuda/internal/link"
	"gorgonia.org/cu"
)

// Results of the driver that the tests look for.
const (
	invalidValue       link.Result = 1
	invalidHandle      link.Result = 400
	captureUnsupported link.Result = 900
	captureInvalidated link.Result = 901
)

// scaler finds the kernel of scale.
func scaler(t *testing.T) ext.Function {
	t.Helper()
	mod, err := ext.Load(scale)
	ok(t, err)
	f, err := mod.Function("scale")
	ok(t, err)
	return f
}

// TestGraph: a launch that is captured does not run, and each launch of the graph runs it.
func TestGraph(t *testing.T) {
	install(t, "")
	f := scaler(t)
	s, err := ext.NewStream()
	ok(t, err)
	a := onDevice(t, []float32{1, 2})
	value := func() float32 {
		t.Helper()
		y := make([]float32, 2)
		ok(t, ext.CopyOut(bytesOf(y), a, s))
		return y[1]
	}
	ok(t, s.BeginCapture())
	ok(t, f.Launch([3]uint32{1, 1, 1}, [3]uint32{32, 1, 1}, 0, s, params(a, a, 3, 2), []int{0, 8, 16, 20}))
	g, err := s.EndCapture()
	ok(t, err)
	if n, err := g.Nodes(); n != 1 || err != nil {
		t.Errorf("%d operations, error %v", n, err)
	}
	x, err := g.Executable()
	ok(t, err)
	ok(t, g.Destroy())
	if v := value(); v != 2 {
		t.Errorf("after the capture %g, want 2", v)
	}
	for range 2 {
		ok(t, x.Launch(s))
	}
	if v := value(); v != 18 {
		t.Errorf("after two launches %g, want 18", v)
	}
	ok(t, x.Destroy())
	is(t, "an executable that is gone", x.Launch(s), invalidHandle)
	is(t, "a graph that is gone", g.Destroy(), invalidHandle)
}

// TestCaptureRefused: a stream that is captured cannot be waited for, which ends the capture.
func TestCaptureRefused(t *testing.T) {
	install(t, "")
	s, err := ext.NewStream()
	ok(t, err)
	is(t, "a capture of stream 0", ext.Stream(0).BeginCapture(), captureUnsupported)
	ok(t, s.BeginCapture())
	is(t, "a wait", s.Sync(), captureUnsupported)
	_, err = s.EndCapture()
	is(t, "the end", err, captureInvalidated)
}

// TestAttributes: attributes of functions are read and set.
func TestAttributes(t *testing.T) {
	install(t, "")
	f := scaler(t)
	for _, c := range []struct {
		attribute ext.Attribute
		want      int
	}{{ext.MaxThreads, 1024}, {ext.StaticShared, 0}, {ext.MaxDynamicShared, 48 << 10}, {ext.SharedCarveout, -1}} {
		if v, err := f.Get(c.attribute); v != c.want || err != nil {
			t.Errorf("attribute %d is %d, error %v; want %d", c.attribute, v, err, c.want)
		}
	}
	ok(t, f.Set(ext.MaxDynamicShared, 100<<10))
	if v, err := f.Get(ext.MaxDynamicShared); v != 100<<10 || err != nil {
		t.Errorf("%d bytes of shared memory, error %v", v, err)
	}
	_, err := f.Get(99)
	is(t, "attribute 99", err, invalidValue)
	is(t, "too much shared memory", f.Set(ext.MaxDynamicShared, 1<<20), invalidValue)
}

// TestUntimed: an event without timing comes, and has no time.
func TestUntimed(t *testing.T) {
	install(t, "")
	var events [3]ext.Event
	for i := range events {
		e, err := ext.NewEvent(i > 0)
		ok(t, err)
		ok(t, e.Record(0))
		ok(t, e.Sync())
		events[i] = e
	}
	_, err := events[2].Since(events[1])
	ok(t, err)
	_, err = events[1].Since(events[0])
	is(t, "a time from an event without one", err, invalidHandle)
	_, err = events[0].Since(events[1])
	is(t, "a time to an event without one", err, invalidHandle)

	_, err = cu.MakeEvent(cu.InterprocessEvent | cu.DisableTiming)
	is(t, "an event for other processes", err, cu.InvalidValue)
}

// TestStreamFlags: stream 0 waits for a stream without flags, and does not for one with NonBlocking.
func TestStreamFlags(t *testing.T) {
	early := map[cu.StreamFlags]bool{}
	for _, setting := range []string{"order:1", "order:2", "order:3", "order:4", "order:5", "order:6"} {
		t.Run(setting, func(t *testing.T) {
			install(t, setting)
			to := onDevice(t, make([]float32, 4))
			for _, flags := range []cu.StreamFlags{cu.DefaultStream, cu.NonBlocking} {
				s, err := cu.MakeStream(flags)
				ok(t, err)
				ok(t, cu.MemsetD32Async(cu.DevicePtr(to), 1, 4, s))
				ok(t, ext.Set32(to, 2, 4, 0))
				ok(t, ext.Stream(0).Sync())
				if err := s.Query(); err != nil {
					is(t, "the work of a stream", err, cu.NotReady)
					early[flags] = true
				}
				ok(t, s.Synchronize())
				ok(t, s.Query())
			}
			_, err := cu.MakeStream(2)
			is(t, "a stream with other flags", err, cu.InvalidValue)
		})
	}
	if early[cu.DefaultStream] || !early[cu.NonBlocking] {
		t.Errorf("stream 0 goes on before a stream, by its flags: %v", early)
	}
}

// TestDevice: what package cu asks for beside.
func TestDevice(t *testing.T) {
	install(t, "")
	id, err := cu.Device(0).UUID()
	if want := [16]byte([]byte("emulated GPU\x00\x00\x00\x01")); [16]byte(id) != want || err != nil {
		t.Errorf("UUID % x, error %v", id, err)
	}
	for _, name := range []string{"cuDeviceGetUuid", "cuDeviceGetUuid_v2"} {
		if link.Symbol(name) == nil {
			t.Errorf("no %s, which some headers of CUDA mean", name)
		}
	}
	_, err = cu.Device(1).UUID()
	is(t, "another device", err, cu.InvalidDevice)
	at := onDevice(t, make([]float32, 4))
	if bytes, base, err := cu.DevicePtr(at + 4).AddressRange(); bytes != 16 || uint64(base) != at || err != nil {
		t.Errorf("%d bytes at %#x, error %v; want 16 at %#x", bytes, uint64(base), err, at)
	}
	_, _, err = cu.DevicePtr(at + 1<<30).AddressRange()
	is(t, "an address of nothing", err, cu.NotFound)
}
