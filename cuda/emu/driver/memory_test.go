package driver_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/driver"
)

// TestDevice: what the driver says of its device.
func TestDevice(t *testing.T) {
	r := newRig(t, "")
	r.ok(r.Init())
	n, res := r.DeviceCount()
	r.ok(res)
	v, res := r.DriverVersion()
	r.ok(res)
	id, res := r.UUID(0)
	r.ok(res)
	name, res := r.DeviceName(0)
	r.ok(res)
	total, res := r.TotalMem(0)
	r.ok(res)
	if n != 1 || v != driver.Version || id == [16]byte{} || name != "emulated GPU" || total != 1<<30 {
		t.Errorf("%d devices, version %d, UUID %x, name %q, %d bytes", n, v, id, name, total)
	}
	for a, want := range map[int]int{1: 1024, 8: 49152, 10: 32, 16: 4, 75: 9, 76: 0, 97: 232448, 34: 0} {
		if got, res := r.Attribute(a, 0); res != driver.Success || got != want {
			t.Errorf("attribute %d: %d, want %d, result %d", a, got, want, res)
		}
	}
	_, res = r.DeviceGet(1)
	r.is("device 1", res, driver.InvalidDevice)
	_, res = r.Attribute(1000, 0)
	r.is("attribute 1000", res, driver.InvalidValue)
}

// TestContext: a thread that says who it is needs the context, as long as it is there.
func TestContext(t *testing.T) {
	r := newRig(t, "")
	ctx, res := r.PrimaryCtxRetain(0)
	r.ok(res)
	again, res := r.PrimaryCtxRetain(0)
	if r.ok(res); again != ctx || ctx == 0 {
		t.Errorf("contexts %d and %d", ctx, again)
	}
	r.Thread(7)
	_, res = r.MemAlloc(4)
	r.is("no context", res, driver.InvalidContext)
	r.ok(r.CtxSetCurrent(ctx))
	p, res := r.MemAlloc(4)
	r.is("a context", res, driver.Success)
	r.Thread(8)
	r.is("another thread", r.MemFree(p), driver.InvalidContext)
	r.ok(r.CtxPushCurrent(ctx))
	r.ok(r.MemFree(p))
	now, res := r.CtxPopCurrent()
	if r.ok(res); now != ctx {
		t.Errorf("popped %d, want %d", now, ctx)
	}
	if now, _ = r.CtxGetCurrent(); now != 0 {
		t.Errorf("context %d is left", now)
	}
	_, res = r.CtxPopCurrent()
	r.is("pop of nothing", res, driver.InvalidContext)
	r.is("a strange context", r.CtxSetCurrent(ctx+999), driver.InvalidContext)
	r.Thread(7)
	r.ok(r.PrimaryCtxRelease(0))
	r.is("one user left", r.Synchronize(), driver.Success)
	r.ok(r.PrimaryCtxRelease(0))
	r.is("released", r.Synchronize(), driver.InvalidContext)
	r.is("released too often", r.PrimaryCtxRelease(0), driver.InvalidContext)
	if active, res := r.PrimaryCtxState(0); active || res != driver.Success {
		t.Errorf("active %v, result %d", active, res)
	}
	r.ok(r.CtxSetCurrent(0))
	_, res = r.CtxGetDevice()
	r.is("no context", res, driver.InvalidContext)
}

// TestMemory: allocations, where an address lies, what is free, and what is refused.
func TestMemory(t *testing.T) {
	r := newRig(t, "")
	base, n, res := r.MemGetAddressRange(r.y + 5)
	if r.ok(res); base != r.y || n != 4*r.n {
		t.Errorf("range %#x, %d bytes", uint64(base), n)
	}
	_, _, res = r.MemGetAddressRange(r.y + emu.Ptr(n))
	r.is("no allocation", res, driver.NotFound)
	free, total, res := r.MemInfo()
	if r.ok(res); total != 1<<30 || free > total-uint64(8*r.n) {
		t.Errorf("%d of %d bytes free", free, total)
	}
	_, res = r.MemAlloc(0)
	r.is("no bytes", res, driver.InvalidValue)
	p, res := r.MemAlloc(4)
	r.ok(res)
	r.ok(r.MemFree(p))
	r.is("twice", r.MemFree(p), driver.InvalidValue)
	_, _, res = r.MemGetAddressRange(p)
	r.is("memory that was freed", res, driver.NotFound)
	r.is("free of nothing", r.MemFree(0), driver.Success)
	r.is("free of a part", r.MemFree(r.x+4), driver.InvalidValue)
	r.is("a copy past the end", r.CopyHtoD(r.x, make([]byte, 4*r.n+1), 0, true), driver.InvalidValue)
	if err := r.LastFault(); err == nil || !strings.Contains(err.Error(), "cuMemcpyHtoDAsync") {
		t.Errorf("fault %v", err)
	}
	r.is("words at an odd place", r.MemsetD32(r.x+1, 0, 1, 0, false), driver.InvalidValue)
	r.is("pinned memory of nobody", r.MemFreeHost(8), driver.InvalidValue)
	r.ok(r.MemAllocHost(8, 4))
	r.ok(r.MemFreeHost(8))
	r.ok(r.Synchronize()) // a refused call is no fault
}

// TestTransfers: fillings and copies of any size, each in both forms.
func TestTransfers(t *testing.T) {
	for _, async := range []bool{false, true} {
		r := newRig(t, "")
		r.ok(r.MemsetD8(r.x, 7, 5, 0, async))
		r.ok(r.MemsetD32(r.x+8, 0x04030201, 1, 0, async))
		r.ok(r.CopyHtoD(r.x+5, []byte{9, 9, 9}, 0, async))
		r.ok(r.CopyDtoD(r.y, r.x, 12, 0, async))
		b := make([]byte, 12)
		r.ok(r.CopyDtoH(b, r.y, 0, async))
		if done := !bytes.Equal(b, make([]byte, 12)); done == async {
			t.Errorf("asynchronous %v: done at once %v", async, done)
		}
		r.ok(r.Synchronize())
		if !bytes.Equal(b, []byte{7, 7, 7, 7, 7, 9, 9, 9, 1, 2, 3, 4}) {
			t.Errorf("asynchronous %v: % x", async, b)
		}
		r.is("what nothing wrote", r.CopyDtoH(b, r.x+12, 0, false), driver.IllegalAddress)
	}
}

// TestModule: modules, functions and their attributes.
func TestModule(t *testing.T) {
	r := newRig(t, "")
	_, res := r.ModuleLoadData(".version 8.0\nnonsense")
	r.is("no PTX", res, driver.InvalidPTX)
	if r.LastFault() == nil {
		t.Error("no reason for it")
	}
	m, res := r.ModuleLoadData(addOne)
	r.ok(res)
	_, res = r.ModuleGetFunction(m, "add_two")
	r.is("no such kernel", res, driver.NotFound)
	f, res := r.ModuleGetFunction(m, "add_one")
	r.ok(res)
	params, res := r.Params(f)
	if r.ok(res); len(params) != 3 || params[2].Offset != 16 {
		t.Errorf("parameters %+v", params)
	}
	r.ok(r.FuncSetAttribute(f, 8, 100<<10))
	for a, want := range map[int]int{0: 1024, 1: 0, 5: 90, 8: 100 << 10, 9: -1} {
		if got, res := r.FuncGetAttribute(f, a); res != driver.Success || got != want {
			t.Errorf("attribute %d: %d, want %d, result %d", a, got, want, res)
		}
	}
	r.is("more shared memory than there is", r.FuncSetAttribute(f, 8, 228<<10), driver.InvalidValue)
	r.is("an attribute to read", r.FuncSetAttribute(f, 4, 1), driver.InvalidValue)
	r.ok(r.ModuleUnload(m))
	r.is("twice", r.ModuleUnload(m), driver.InvalidHandle)
	_, res = r.Params(f)
	r.is("a function of a module that is gone", res, driver.InvalidHandle)
	_, res = r.FuncGetAttribute(f, 1)
	r.is("its attribute", res, driver.InvalidHandle)
	r.f = f
	r.is("its launch", r.add(r.y, r.x, 0), driver.InvalidHandle)
}
