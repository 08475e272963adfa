//go:build gpu

package entry_test

import (
	"encoding/binary"
	"math"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/ceto-ml/ceto/cuda/internal/entry"
	"github.com/ceto-ml/ceto/cuda/internal/ext"
	"github.com/ceto-ml/ceto/cuda/internal/link"
	"github.com/pkg/errors"
	"gorgonia.org/cu"
)

// scale is y[i] = k·x[i] for n floats.
const scale = `
.version 8.0
.target sm_80
.address_size 64

.visible .entry scale(
	.param .u64 y,
	.param .u64 x,
	.param .f32 k,
	.param .u32 n
)
{
	.reg .pred 	%p<2>;
	.reg .f32 	%f<4>;
	.reg .b32 	%r<6>;
	.reg .b64 	%rd<8>;

	ld.param.u64 	%rd1, [y];
	ld.param.u64 	%rd2, [x];
	ld.param.f32 	%f1, [k];
	ld.param.u32 	%r1, [n];
	mov.u32 	%r2, %tid.x;
	setp.ge.u32 	%p1, %r2, %r1;
	@%p1 bra 	$L_end;

	cvta.to.global.u64 	%rd3, %rd2;
	mul.wide.u32 	%rd4, %r2, 4;
	add.s64 	%rd5, %rd3, %rd4;
	ld.global.f32 	%f2, [%rd5];
	mul.f32 	%f3, %f1, %f2;
	cvta.to.global.u64 	%rd6, %rd1;
	add.s64 	%rd7, %rd6, %rd4;
	st.global.f32 	[%rd7], %f3;

$L_end:
	ret;
}
`

// install opens the emulated GPU for a test. The context belongs to the test's thread.
func install(t *testing.T, setting string) {
	t.Helper()
	t.Setenv("CETO_EMU", setting)
	if err := entry.Install(); err != nil {
		t.Fatal(err)
	}
	current(t)
	t.Cleanup(func() {
		if err := cu.Device(0).ReleasePrimaryCtx(); err != nil {
			t.Error(err)
		}
		if err := entry.Release(); err != nil {
			t.Error(err)
		}
	})
}

// TestThread: a context belongs to a thread. A call on another one is refused, and so is a release too many.
func TestThread(t *testing.T) {
	install(t, "")
	_, err := cu.MemAlloc(16)
	ok(t, err)
	var other, after, more error
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		_, other = cu.MemAlloc(16)
		ctx, err := cu.Device(0).RetainPrimaryCtx()
		if err == nil {
			err = cu.SetCurrentContext(ctx)
		}
		if err == nil {
			_, err = cu.MemAlloc(16)
		}
		after = err
		if err := cu.Device(0).ReleasePrimaryCtx(); err != nil {
			t.Error(err)
		}
	}()
	<-done
	if other == nil || !strings.Contains(entryText(other), "InvalidContext") {
		t.Errorf("a thread without a context: %v", other)
	}
	ok(t, after)
	ok(t, cu.Device(0).ReleasePrimaryCtx())
	if more = cu.Device(0).ReleasePrimaryCtx(); more == nil {
		t.Error("the context is released once more than it was retained")
	}
	_, err = cu.Device(0).RetainPrimaryCtx() // for the end of the test
	ok(t, err)
}

// entryText is an error of package cu as text.
func entryText(err error) string { return errors.Cause(err).Error() }

// ok fails the test where err is an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bytesOf is the memory of numbers.
func bytesOf(x []float32) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x)) }

// onDevice copies numbers to new memory of the device.
func onDevice(t *testing.T, x []float32) uint64 {
	t.Helper()
	p, err := cu.MemAlloc(int64(4 * len(x)))
	ok(t, err)
	ok(t, ext.CopyIn(uint64(p), bytesOf(x), 0))
	return uint64(p)
}

// is fails the test where an error is not the one that is wanted.
func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// says fails the test where an error lacks a text.
func says(t *testing.T, err error, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if err == nil || !strings.Contains(err.Error(), s) {
			t.Errorf("error %v, want one with %q", err, s)
		}
	}
}

// words are n words of pinned memory.
func words(t *testing.T, n int) ([]byte, []float32) {
	t.Helper()
	b, err := ext.Pin(4 * n)
	ok(t, err)
	return b, unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), n)
}

// context takes the only device.
func context(t *testing.T) {
	t.Helper()
	n, err := cu.NumDevices()
	if n != 1 || err != nil {
		t.Fatalf("%d devices, error %v", n, err)
	}
	name, err := cu.Device(0).Name()
	if name != "emulated GPU" || err != nil {
		t.Errorf("name %q, error %v", name, err)
	}
	ctx, err := cu.Device(0).RetainPrimaryCtx()
	ok(t, err)
	ok(t, cu.SetCurrentContext(ctx))
}

// TestStandIn: package cu and ext work on the emulated GPU as on a GPU.
func TestStandIn(t *testing.T) {
	install(t, "order:7")
	context(t)
	const count = 8
	in, x := words(t, count)
	out, y := words(t, count)
	for i := range x {
		x[i], y[i] = float32(i), -1
	}
	a, err := cu.MemAlloc(4 * count)
	ok(t, err)
	b, err := cu.MemAlloc(4 * count)
	ok(t, err)
	s, err := ext.NewStream()
	ok(t, err)
	m, err := ext.Load(scale)
	ok(t, err)
	f, err := m.Function("scale")
	ok(t, err)
	start, err := ext.NewEvent(true)
	ok(t, err)
	end, err := ext.NewEvent(true)
	ok(t, err)

	ok(t, start.Record(s))
	ok(t, ext.CopyIn(uint64(a), in, s))
	ok(t, f.Launch([3]uint32{1, 1, 1}, [3]uint32{32, 1, 1}, 0, s, params(uint64(b), uint64(a), 3, count), []int{0, 8, 16, 20}))
	ok(t, ext.CopyOut(out, uint64(b), s))
	ok(t, end.Record(s))
	if y[1] != -1 {
		t.Error("the copy ran before anything waited for it")
	}
	if done, err := end.Done(); done || err != nil {
		t.Errorf("done is %t, error %v, before anything waited", done, err)
	}
	ok(t, end.Sync())
	for i := range y {
		if y[i] != 3*float32(i) {
			t.Errorf("y[%d] = %g, want %d", i, y[i], 3*i)
		}
	}
	if d, err := end.Since(start); err != nil || d <= 0 {
		t.Errorf("%v between the events, error %v", d, err)
	}

	ok(t, ext.Set8(uint64(b), 0, 4*count, s))
	back := make([]byte, 4*count) // not pinned: the copy is done when the call returns
	ok(t, ext.CopyOut(back, uint64(b), s))
	if binary.LittleEndian.Uint64(back[8:]) != 0 {
		t.Errorf("after Set8: % x", back)
	}
	for _, err := range []error{start.Destroy(), end.Destroy(), s.Destroy(), m.Unload(), cu.MemFree(a), cu.MemFree(b),
		ext.Unpin(in), ext.Unpin(out), cu.Device(0).ReleasePrimaryCtx()} {
		ok(t, err)
	}
}

// params packs those of scale.
func params(y, x uint64, k float32, n uint32) []byte {
	b := binary.LittleEndian.AppendUint64(nil, y)
	b = binary.LittleEndian.AppendUint64(b, x)
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(k))
	return binary.LittleEndian.AppendUint32(b, n)
}

// TestFaults: what the emulated GPU finds comes out of the calls, with the result's name.
func TestFaults(t *testing.T) {
	install(t, "")
	a, err := cu.MemAlloc(16)
	ok(t, err)
	m, err := ext.Load(scale)
	ok(t, err)
	f, err := m.Function("scale")
	ok(t, err)
	entry.Name(uint64(a), "weights")
	ok(t, f.Launch([3]uint32{1, 1, 1}, [3]uint32{32, 1, 1}, 0, 0, params(uint64(a), uint64(a), 3, 4), []int{0, 8, 16, 20}))
	err = ext.Stream(0).Sync()
	if err == nil || entry.Fault() == nil || !strings.Contains(entry.Fault().Error(), "weights") {
		t.Errorf("memory that was not written is read: %v, fault %v", err, entry.Fault())
	}
}

// TestRefused: calls that fail name the function and the result.
func TestRefused(t *testing.T) {
	install(t, "fail:alloc:1,refuse:cublaslt")
	if _, err := cu.MemAlloc(16); err == nil {
		t.Error("the first allocation has memory")
	}
	says(t, entry.Refused(), "allocation 1 has no memory")
	_, err := ext.Load("no PTX")
	if err == nil || !strings.Contains(err.Error(), "cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX (218)") {
		t.Errorf("a text that is no PTX: %v", err)
	}
	if _, err := cu.MakeGraph(); !errors.Is(err, cu.NotFound) || link.Symbol("cuGraphCreate") != nil {
		t.Errorf("a function that the emulated driver lacks: %v", err)
	}
	if _, err := ext.OpenLt(); err == nil || !strings.Contains(err.Error(), "hidden") {
		t.Errorf("cuBLASLt: %v", err)
	}
}

func TestInstallRefused(t *testing.T) {
	t.Setenv("CETO_EMU", "fail:everything")
	if err := entry.Install(); err == nil || !strings.Contains(err.Error(), "fail:everything") {
		t.Errorf("Install takes a setting that does not exist: %v", err)
	}
}
