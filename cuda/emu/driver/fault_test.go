package driver_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/driver"
)

// is fails the test where a call has another result.
func (r *rig) is(what string, got, want driver.Result) {
	r.t.Helper()
	if got != want {
		r.t.Errorf("%s: result %d, want %d; %v", what, got, want, r.LastFault())
	}
}

// report is the report with no more than what matters of it.
func (r *rig) report() string {
	var b bytes.Buffer
	r.Report(&b)
	return strings.TrimSpace(b.String())
}

// free gives back what newRig took.
func (r *rig) free() {
	r.t.Helper()
	for _, p := range []emu.Ptr{r.x, r.y} {
		r.ok(r.MemFree(p))
	}
}

// TestFailAlloc: the allocation that the setting names has no memory, and others have.
func TestFailAlloc(t *testing.T) {
	r := newRig(t, "fail:alloc:3")
	_, res := r.MemAlloc(8)
	r.is("allocation 3", res, driver.OutOfMemory)
	p, res := r.MemAlloc(8)
	r.is("allocation 4", res, driver.Success)
	r.ok(r.MemFree(p))
	_, res = r.MemAlloc(2 << 30)
	r.is("more than there is", res, driver.OutOfMemory)
	r.free()
	if s := r.report(); !strings.HasSuffix(s, "0 allocations left, 0 bytes") {
		t.Errorf("report:\n%s", s)
	}
}

// TestFailLaunch: the launch that the setting names fails, and all that asks for more after it.
func TestFailLaunch(t *testing.T) {
	r := newRig(t, "fail:launch:2")
	r.ok(r.CopyHtoD(r.x, floats(1, r.n), 0, false))
	r.is("launch 1", r.add(r.y, r.x, 0), driver.Success)
	r.Annotate(nil, "h.3.mlp: GELU")
	r.is("launch 2", r.add(r.y, r.x, 0), driver.LaunchFailed)
	if err := r.LastFault(); err == nil || !strings.Contains(err.Error(), "launch 2, kernel add_one (h.3.mlp: GELU)") {
		t.Errorf("fault %v", err)
	}
	r.is("what comes after it", r.Synchronize(), driver.LaunchFailed)
	r.free()
}

// TestLost: from some call on nothing works, and nothing is left.
func TestLost(t *testing.T) {
	r := newRig(t, "lost:7")
	for i := range 4 {
		want := driver.Success
		if i > 1 {
			want = driver.Unknown
		}
		r.is(fmt.Sprintf("call %d", 5+i), r.Synchronize(), want)
	}
	if err := r.Fault(); err == nil || !strings.Contains(err.Error(), "call 7: the device is lost, as CETO_EMU asks") {
		t.Errorf("fault %v", err)
	}
	r.is("MemFree", r.MemFree(r.x), driver.Unknown)
	r.is("EventRecord", r.EventRecord(1, 0), driver.Unknown)
	if s := r.report(); !strings.HasSuffix(s, "0 allocations left, 0 bytes") {
		t.Errorf("report:\n%s", s)
	}
}

// TestSticky: after a kernel's fault every call that asks for something returns it. Memory can still be given back.
func TestSticky(t *testing.T) {
	r := newRig(t, "")
	e, res := r.EventCreate()
	r.ok(res)
	r.ok(r.add(r.y, r.x, 0)) // x was never written
	r.ok(r.EventRecord(e, 0))
	r.is("Synchronize", r.Synchronize(), driver.IllegalAddress)
	for _, err := range []error{r.Fault(), r.LastFault()} {
		if err == nil || !strings.Contains(err.Error(), "add_one") || !strings.Contains(err.Error(), "unwritten") {
			t.Errorf("fault %v", err)
		}
	}
	_, res = r.MemAlloc(4)
	r.is("MemAlloc", res, driver.IllegalAddress)
	_, res = r.ModuleLoadData(addOne)
	r.is("ModuleLoadData", res, driver.IllegalAddress)
	_, res = r.StreamCreate()
	r.is("StreamCreate", res, driver.IllegalAddress)
	for what, res := range map[string]driver.Result{
		"LaunchKernel": r.add(r.y, r.x, 0), "CopyHtoD": r.CopyHtoD(r.x, []byte{1}, 0, true), "EventQuery": r.EventQuery(e),
		"EventSynchronize": r.EventSynchronize(e), "StreamQuery": r.StreamQuery(0), "StreamSynchronize": r.StreamSynchronize(0),
	} {
		r.is(what, res, driver.IllegalAddress)
	}
	r.ok(r.EventDestroy(e))
	r.free()
	if s := r.report(); !strings.HasSuffix(s, "0 allocations left, 0 bytes") {
		t.Errorf("report:\n%s", s)
	}
}

// TestKinds: the kind of a fault says which result the driver tells.
func TestKinds(t *testing.T) {
	for what, c := range map[string]struct {
		launch func(r *rig) driver.Result
		want   driver.Result
	}{
		"misaligned":    {func(r *rig) driver.Result { return r.add(r.y, r.x+2, 0) }, driver.Misaligned},
		"out of bounds": {func(r *rig) driver.Result { return r.add(r.y+4, r.x, 0) }, driver.IllegalAddress},
		"too large": {func(r *rig) driver.Result {
			return r.LaunchKernel(r.f, emu.Dim{X: 1, Y: 1, Z: 1}, emu.Dim{X: 2048, Y: 1, Z: 1}, 0, 0, make([]byte, 20))
		}, driver.OutOfResources},
	} {
		r := newRig(t, "")
		r.ok(r.CopyHtoD(r.x, floats(1, r.n), 0, false))
		r.ok(c.launch(r))
		r.is(what, r.Synchronize(), c.want)
	}
}

// TestAnnotate: what is said before a launch holds for that launch.
func TestAnnotate(t *testing.T) {
	r := newRig(t, "")
	r.ok(r.CopyHtoD(r.x, floats(1, r.n), 0, false))
	ranges := []emu.Range{{Name: "in", Ptr: r.x, Bytes: 4 * r.n, Access: emu.Reads}, {Name: "out", Ptr: r.y, Bytes: 4*r.n - 4, Access: emu.Writes}}
	r.Annotate(ranges, "h.0: add")
	r.ok(r.add(r.y, r.x, 0))
	ranges[0].Name = "changed later"
	r.ok(r.add(r.y, r.x, 0)) // no range holds for it
	r.is("past the range", r.Synchronize(), driver.IllegalAddress)
	if err := r.Fault(); err == nil || !strings.Contains(err.Error(), `(h.0: add)`) || !strings.Contains(err.Error(), `"out"`) {
		t.Errorf("fault %v", err)
	}
}

// TestTrace: a line for each call, with marks between.
func TestTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	r := newRig(t, "trace:"+path)
	r.Mark("step 1")
	r.ok(r.CopyHtoD(r.x, floats(1, r.n), 0, true))
	r.ok(r.add(r.y, r.x, 0))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const want = "mark step 1\n5 cuMemcpyHtoDAsync[148 stream=0]\n" +
		"6 cuLaunchKernel[kernel=add_one grid=2,1,1 block=32,1,1 shared=0 stream=0]\n"
	if s := string(b); !strings.HasSuffix(s, want) {
		t.Errorf("trace:\n%s", s)
	}
	if _, err := driver.New(emu.Options{}, driver.Setting{Trace: filepath.Join(path, "below")}); err == nil {
		t.Error("a record that cannot be written is no error")
	}
}

// TestReport: calls by name, kernels with what they touched, and what is left.
func TestReport(t *testing.T) {
	r := newRig(t, "")
	r.ok(r.CopyHtoD(r.x, floats(1, r.n), 0, false))
	r.ok(r.add(r.y, r.x, 0))
	r.ok(r.MemAllocHost(4096, 64))
	r.ok(r.Synchronize())
	s := r.report()
	for _, want := range []string{
		` 2 cuMemAlloc\n`, ` 1 cuLaunchKernel\n`, `1 launches of add_one: [1-9]\d* instructions, [1-9]\d* sectors \([1-9]\d* would do\), 0 bank`,
		`\n2 allocations and 1 launches were asked for\n`, `\n3 allocations left, 296 bytes$`,
	} {
		if !regexp.MustCompile(want).MatchString(s) {
			t.Errorf("no %q in the report:\n%s", want, s)
		}
	}
	if a, l := r.Counts(); a != 2 || l != 1 {
		t.Errorf("counts %d, %d", a, l)
	}
}
