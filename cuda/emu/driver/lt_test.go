package driver_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/blas"
	"github.com/ceto-ml/ceto/cuda/emu/driver"
)

// fine fails the test where a call of the library is refused.
func (r *rig) fine(s blas.Status) {
	r.t.Helper()
	if s != blas.Success {
		r.t.Fatalf("status %d: %v", s, r.LastFault())
	}
}

// A ltRig is a product of (32, k) and (k, 16) to (32, 16), with a workspace.
type ltRig struct {
	*rig
	h, pref uint64
	c       blas.Call
	k       int
}

func newLt(t *testing.T, setting string, epilogue uint32) *ltRig {
	t.Helper()
	r := &ltRig{rig: newRig(t, setting), k: 64}
	var s blas.Status
	r.h, s = r.LtCreate()
	r.fine(s)
	r.c.Product, s = r.LtMatmulDescCreate(68, 0)
	r.fine(s)
	r.fine(r.LtMatmulDescSetAttribute(r.c.Product, 7, binary.LittleEndian.AppendUint32(nil, epilogue)))
	if b, s := r.LtMatmulDescGetAttribute(r.c.Product, 7); s != blas.Success || b[0] != byte(epilogue) && epilogue < 256 {
		t.Errorf("epilogue % x, status %d", b, s)
	}
	for i, m := range [][2]int{{32, r.k}, {r.k, 16}, {32, 16}, {32, 16}} {
		r.c.Layouts[i], s = r.LtMatrixLayoutCreate(0, uint64(m[0]), uint64(m[1]), int64(m[0]))
		r.fine(s)
		r.fine(r.LtMatrixLayoutSetAttribute(r.c.Layouts[i], 5, binary.LittleEndian.AppendUint32(nil, 1)))
		if i < 3 {
			var res driver.Result
			r.c.At[i], res = r.MemAlloc(4 * m[0] * m[1])
			r.ok(res)
		}
	}
	r.c.At[3], r.c.Alpha, r.c.Bytes = r.c.At[2], 1, 4*32*16
	var res driver.Result
	r.c.Workspace, res = r.MemAlloc(r.c.Bytes)
	r.ok(res)
	r.ok(r.MemsetD32(r.c.At[0], 0x3f800000, 32*r.k, 0, false)) // 1
	r.ok(r.MemsetD32(r.c.At[1], 0x40000000, 16*r.k, 0, false)) // 2
	r.ok(r.Synchronize())
	r.pref, s = r.LtMatmulPreferenceCreate()
	r.fine(s)
	r.fine(r.LtMatmulPreferenceSetAttribute(r.pref, 1, binary.LittleEndian.AppendUint64(nil, 1<<20)))
	return r
}

// way sets the i-th algorithm.
func (r *ltRig) way(i int) {
	r.t.Helper()
	found, s := r.LtMatmulAlgoGetHeuristic(r.h, r.c.Product, r.c.Layouts, r.pref, 5)
	r.fine(s)
	r.c.Algorithm = found[i].Algorithm[:]
}

// TestLt: a product is work of its stream, and all that was made can be given back.
func TestLt(t *testing.T) {
	for i := range 3 {
		path := filepath.Join(t.TempDir(), "trace")
		r := newLt(t, "trace:"+path, 1)
		r.way(i)
		s := r.streams(1, 1)[0]
		before := r.event()
		r.ok(r.EventRecord(before, s))
		r.fine(r.LtMatmul(r.h, r.c, s))
		if n, _ := r.Device().Written(r.c.At[3], 4); n != 0 {
			t.Error("the product ran before anything waited for it")
		}
		after := r.event()
		r.ok(r.EventRecord(after, s))
		r.ok(r.StreamSynchronize(s))
		if v := r.read(r.c.At[3]); v != 128 {
			t.Errorf("algorithm %d: %g, want 128", i, v)
		}
		if ms, res := r.EventElapsedTime(before, after); ms <= 0 || res != driver.Success {
			t.Errorf("%g ms, result %d", ms, res)
		}
		for _, l := range r.c.Layouts {
			r.fine(r.LtMatrixLayoutDestroy(l))
		}
		r.fine(r.LtMatmulDescDestroy(r.c.Product))
		r.fine(r.LtMatmulPreferenceDestroy(r.pref))
		r.fine(r.LtDestroy(r.h))
		r.ok(r.StreamDestroy(s))
		if s := r.report(); !strings.Contains(s, "1 launches of cublasLtMatmul") || !strings.Contains(s, "\n0 streams, 2 events, 1 modules, 0 graphs and 0 handles") {
			t.Errorf("report:\n%s", s)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		b, err := os.ReadFile(path)
		if want := fmt.Sprintf(" cublasLtMatmul[m=32 n=16 k=64 batch=1 stream=%d]\n", s); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("no %q in the record, error %v", want, err)
		}
	}
}

// TestLtRanges: a product touches what it was said to touch, and its faults have names.
func TestLtRanges(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(g []emu.Range)
		say    string
	}{
		{"as it is", func([]emu.Range) {}, ""},
		{"A is short", func(g []emu.Range) { g[0].Bytes -= 4 }, `column 63 of A: emu: out of bounds: kernel cublasLtMatmul (h.1: MatMul): read of 128 bytes`},
		{"A is not read", func(g []emu.Range) { g[0].Access = emu.Writes }, `"A", which is not there to read`},
		{"A is fresh", func(g []emu.Range) { g[0].Access |= emu.Fresh }, `byte 0 of "A" was never written`},
		{"B begins late", func(g []emu.Range) { g[1].Ptr += 4; g[1].Bytes -= 4 }, `4 bytes before "B"`},
		{"D is read only", func(g []emu.Range) { g[2].Access = emu.Reads }, `"D", which is not there to write`},
		{"D has short rows", func(g []emu.Range) { g[2].Row, g[2].Stride = 120, 128 }, `D: column 0`},
		{"D has rows", func(g []emu.Range) { g[2].Row, g[2].Stride = 128, 128 }, ""},
		{"D is far", func(g []emu.Range) { g[2].Ptr += 8; g[2].Bytes = 8 }, `"D"`},
	} {
		r := newLt(t, "", 1)
		r.way(1)
		g := []emu.Range{{Name: "A", Ptr: r.c.At[0], Bytes: 4 * 32 * r.k, Access: emu.Reads},
			{Name: "B", Ptr: r.c.At[1], Bytes: 4 * 16 * r.k, Access: emu.Reads}, {Name: "D", Ptr: r.c.At[3], Bytes: 4 * 32 * 16, Access: emu.Writes}}
		c.change(g)
		r.Annotate(g, "h.1: MatMul")
		r.fine(r.LtMatmul(r.h, r.c, 0))
		res := r.Synchronize()
		switch err := r.Fault(); {
		case c.say == "" && res != driver.Success:
			t.Errorf("%s: %v", c.name, err)
		case c.say != "" && (res != driver.IllegalAddress || err == nil || !strings.Contains(err.Error(), c.say)):
			t.Errorf("%s: result %d, %v; want %q", c.name, res, err, c.say)
		}
	}
}

// TestLtInPlace: a range that may be read and one that may be written can be the same memory.
func TestLtInPlace(t *testing.T) {
	r := newLt(t, "", 1)
	r.ok(r.MemsetD32(r.c.At[3], 0x3f800000, 32*16, 0, false))
	r.c.Beta = 1
	in := emu.Range{Name: "C", Ptr: r.c.At[3], Bytes: 4 * 32 * 16, Access: emu.Reads}
	out := in
	out.Name, out.Access = "D", emu.Writes
	r.Annotate([]emu.Range{{Name: "A", Ptr: r.c.At[0], Bytes: 4 * 32 * r.k, Access: emu.Reads},
		{Name: "B", Ptr: r.c.At[1], Bytes: 4 * 16 * r.k, Access: emu.Reads}, in, out}, "")
	r.fine(r.LtMatmul(r.h, r.c, 0))
	if v := r.read(r.c.At[3]); v != 129 {
		t.Errorf("%g, want 129", v)
	}
}

// TestLtUnwritten: without ranges a product may touch all memory, and what nothing wrote is still a fault.
func TestLtUnwritten(t *testing.T) {
	r := newLt(t, "", 1)
	if err := r.Device().Forget(r.c.At[1]+8, 4); err != nil {
		t.Fatal(err)
	}
	r.fine(r.LtMatmul(r.h, r.c, 0))
	r.is("unwritten", r.Synchronize(), driver.IllegalAddress)
	if s := r.LtMatmul(r.h, r.c, 0); s != blas.ExecutionFailed {
		t.Errorf("after the fault: status %d", s)
	}
}

// TestWorkspaces: two streams need two workspaces, but for one that waits for the other.
func TestWorkspaces(t *testing.T) {
	for name, c := range map[string]struct {
		between func(r *ltRig, s []uint64)
		want    blas.Status
	}{
		"nothing": {func(*ltRig, []uint64) {}, blas.InvalidValue},
		"an event": {func(r *ltRig, s []uint64) {
			e := r.event()
			r.ok(r.EventRecord(e, s[0]))
			r.ok(r.StreamWaitEvent(s[1], e))
		}, blas.Success},
		"the host":              {func(r *ltRig, s []uint64) { r.ok(r.StreamSynchronize(s[0])) }, blas.Success},
		"another event":         {func(r *ltRig, s []uint64) { e := r.event(); r.ok(r.EventRecord(e, s[1])); r.ok(r.EventSynchronize(e)) }, blas.InvalidValue},
		"a stream that is gone": {func(r *ltRig, s []uint64) { r.ok(r.StreamDestroy(s[0])) }, blas.InvalidValue},
		"all after it":          {func(r *ltRig, s []uint64) { r.ok(r.StreamDestroy(s[0])); r.ok(r.Synchronize()) }, blas.Success},
		"all":                   {func(r *ltRig, s []uint64) { r.ok(r.Synchronize()) }, blas.Success},
		"another place":         {func(r *ltRig, s []uint64) { r.c.Workspace, _ = r.MemAlloc(r.c.Bytes) }, blas.Success},
		"no workspace":          {func(r *ltRig, s []uint64) { r.way(0) }, blas.Success},
	} {
		r := newLt(t, "", 1)
		r.way(1)
		s := r.streams(2, 1)
		r.fine(r.LtMatmul(r.h, r.c, s[0]))
		c.between(r, s)
		if got := r.LtMatmul(r.h, r.c, s[1]); got != c.want {
			t.Errorf("with %s between: status %d, want %d; %v", name, got, c.want, r.LastFault())
		}
	}
}

// TestLtSettings: what CETO_EMU asks of the library.
func TestLtSettings(t *testing.T) {
	hidden := newRig(t, "refuse:cublaslt")
	if _, s := hidden.LtCreate(); s != blas.NotInitialized || hidden.HasLt() {
		t.Errorf("a hidden library: status %d", s)
	}
	for word, epilogue := range map[string]uint32{"bgrad": 512, "gelu_aux": 160, "dgelu": 192} {
		r := newLt(t, "refuse:"+word, epilogue)
		if !r.HasLt() || r.LtVersion() != blas.Version {
			t.Errorf("refuse:%s hides the library", word)
		}
		if word != "bgrad" {
			r.fine(r.LtMatmulDescSetAttribute(r.c.Product, 12, binary.LittleEndian.AppendUint64(nil, 32)))
		}
		if found, s := r.LtMatmulAlgoGetHeuristic(r.h, r.c.Product, r.c.Layouts, r.pref, 1); s != blas.NotSupported {
			t.Errorf("refuse:%s: status %d, %d algorithms", word, s, len(found))
		}
	}
	r := newLt(t, "fail:launch:2", 1)
	r.fine(r.LtMatmul(r.h, r.c, 0))
	r.Annotate(nil, "h.1: MatMul")
	if s := r.LtMatmul(r.h, r.c, 0); s != blas.ExecutionFailed || !strings.Contains(r.LastFault().Error(), "launch 2, cublasLtMatmul (h.1: MatMul)") {
		t.Errorf("launch 2: status %d, %v", s, r.LastFault())
	}
	lost := newRig(t, "lost:6")
	lost.ok(lost.Synchronize())
	if _, s := lost.LtCreate(); s != blas.NotInitialized {
		t.Errorf("a lost device: status %d", s)
	}
}

// TestLtInGraph: a product can be captured.
func TestLtInGraph(t *testing.T) {
	r := newLt(t, "", 1)
	r.ok(r.MemsetD32(r.c.At[3], 0, 32*16, 0, false))
	r.ok(r.Synchronize())
	s := r.streams(1, 1)[0]
	r.c.Beta = 1
	g := r.capture(s, func() { r.fine(r.LtMatmul(r.h, r.c, s)) })
	x, res := r.GraphInstantiate(g)
	r.ok(res)
	r.ok(r.GraphLaunch(x, s))
	r.ok(r.GraphLaunch(x, s))
	r.ok(r.StreamSynchronize(s))
	if v := r.read(r.c.At[3]); v != 256 {
		t.Errorf("%g, want 256", v)
	}
}
