package driver_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/driver"
)

// addOne is y[i] = x[i] + 1 for n floats.
const addOne = `
.version 8.0
.target sm_80
.address_size 64

.visible .entry add_one(
	.param .u64 add_one_param_0,
	.param .u64 add_one_param_1,
	.param .u32 add_one_param_2
)
{
	.reg .pred 	%p<2>;
	.reg .f32 	%f<3>;
	.reg .b32 	%r<6>;
	.reg .b64 	%rd<8>;

	ld.param.u64 	%rd1, [add_one_param_0];
	ld.param.u64 	%rd2, [add_one_param_1];
	ld.param.u32 	%r2, [add_one_param_2];
	mov.u32 	%r3, %ctaid.x;
	mov.u32 	%r4, %ntid.x;
	mov.u32 	%r5, %tid.x;
	mad.lo.s32 	%r1, %r3, %r4, %r5;
	setp.ge.u32 	%p1, %r1, %r2;
	@%p1 bra 	$L__BB0_2;

	cvta.to.global.u64 	%rd3, %rd2;
	mul.wide.u32 	%rd4, %r1, 4;
	add.s64 	%rd5, %rd3, %rd4;
	ld.global.f32 	%f1, [%rd5];
	add.f32 	%f2, %f1, 0f3F800000;
	cvta.to.global.u64 	%rd6, %rd1;
	add.s64 	%rd7, %rd6, %rd4;
	st.global.f32 	[%rd7], %f2;

$L__BB0_2:
	ret;
}
`

// rig is a driver with a kernel loaded and two arrays of n floats.
type rig struct {
	t *testing.T
	*driver.Driver
	f    uint64
	x, y emu.Ptr
	n    int
}

func newRig(t *testing.T, setting string) *rig {
	t.Helper()
	set, err := driver.ParseSetting(setting)
	if err != nil {
		t.Fatal(err)
	}
	d, err := driver.New(emu.Options{}, set)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, Driver: d, n: 37}
	m, res := d.ModuleLoadData(addOne)
	r.ok(res)
	r.f, res = d.ModuleGetFunction(m, "add_one")
	r.ok(res)
	r.x, res = d.MemAlloc(4 * r.n)
	r.ok(res)
	r.y, res = d.MemAlloc(4 * r.n)
	r.ok(res)
	return r
}

func (r *rig) ok(res driver.Result) {
	r.t.Helper()
	if res != driver.Success {
		r.t.Fatalf("result %d: %v", res, r.Fault())
	}
}

// add asks for y = x + 1.
func (r *rig) add(y, x emu.Ptr, stream uint64) driver.Result {
	return r.LaunchKernel(r.f, emu.Dim{X: 2, Y: 1, Z: 1}, emu.Dim{X: 32, Y: 1, Z: 1}, 0, stream, r.params(y, x))
}

// params are those of add_one.
func (r *rig) params(y, x emu.Ptr) []byte {
	var p []byte
	p = binary.LittleEndian.AppendUint64(p, uint64(y))
	p = binary.LittleEndian.AppendUint64(p, uint64(x))
	return binary.LittleEndian.AppendUint32(p, uint32(r.n))
}

func floats(v float32, n int) []byte {
	var b []byte
	for range n {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// read is the first float of an array, all work done.
func (r *rig) read(p emu.Ptr) float32 {
	r.t.Helper()
	b := make([]byte, 4)
	r.ok(r.CopyDtoH(b, p, 0, false))
	return math.Float32frombits(binary.LittleEndian.Uint32(b))
}

// TestLazy: a launch runs when something waits for it, and a copy reads the host's memory when it runs.
func TestLazy(t *testing.T) {
	r := newRig(t, "")
	host := floats(1, r.n)
	r.ok(r.CopyHtoD(r.x, host, 0, true))
	copy(host, floats(5, r.n)) // too early: the copy was not waited for
	r.ok(r.add(r.y, r.x, 0))
	if v := r.read(r.y); v != 6 {
		t.Errorf("%g, want 6: the copy reads memory when it runs", v)
	}
}

// TestOrder: streams are served in an order that the seed draws. An event that is waited for makes all orders give one
// result.
func TestOrder(t *testing.T) {
	for _, waits := range []bool{false, true} {
		got := map[float32]bool{}
		for seed := range 20 {
			r := newRig(t, fmt.Sprintf("order:%d", seed))
			r.ok(r.CopyHtoD(r.x, floats(1, r.n), 0, false))
			r.ok(r.CopyHtoD(r.y, floats(0, r.n), 0, false))
			a, res := r.StreamCreate()
			r.ok(res)
			b, res := r.StreamCreate()
			r.ok(res)
			e, res := r.EventCreate()
			r.ok(res)
			r.ok(r.add(r.x, r.x, a))
			r.ok(r.EventRecord(e, a))
			if waits {
				r.ok(r.StreamWaitEvent(b, e))
			}
			r.ok(r.add(r.y, r.x, b))
			r.ok(r.Synchronize())
			got[r.read(r.y)] = true
		}
		if want := map[bool]int{false: 2, true: 1}[waits]; len(got) != want {
			t.Errorf("with the event waited for %v: results %v, want %d", waits, got, want)
		}
	}
}

// TestSetting: what cannot be read is an error that names the word.
func TestSetting(t *testing.T) {
	s, err := driver.ParseSetting("fail:alloc:4,refuse:cublaslt,refuse:bgrad,order:9,report")
	if err != nil || s.FailAlloc != 4 || len(s.Refuse) != 2 || s.Order != 9 || !s.Report {
		t.Errorf("%+v, %v", s, err)
	}
	s, err = driver.ParseSetting("refuse:bgrad,gelu_aux,dgelu,lost:3")
	if err != nil || len(s.Refuse) != 3 || s.Lost != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []string{"bgrad", "fail", "fail:alloc", "fail:alloc:0", "fail:free:1", "lost:x", "refuse:gemm", "order:-1", "trace:", "report:1", "slow"} {
		if _, err := driver.ParseSetting("order:1," + bad); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", bad)) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// first is the first float of memory of the host.
func (r *rig) first(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }
