package blas_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/blas"
)

// usual is a product that every algorithm takes.
func usual(r *rig) *trial {
	return r.trial(shape{m: 16, n: 8, k: 16, batch: 1, alpha: 1}, 0, 0, 164)
}

// fastest puts the first algorithm into a call.
func (x *trial) fastest(c *blas.Call) {
	x.t.Helper()
	found, s := x.lib.MatmulAlgoGetHeuristic(x.h, c.Product, c.Layouts, x.pref, 1)
	x.ok(s)
	c.Algorithm = found[0].Algorithm[:]
}

// refusals change a call that the library takes.
var refusals = []struct {
	name   string
	change func(x *trial, c *blas.Call)
	status blas.Status
	say    string
}{
	{"A off its alignment", func(_ *trial, c *blas.Call) { c.At[0] += 4 }, blas.InvalidValue, "A at"},
	{"D at 0", func(_ *trial, c *blas.Call) { c.At[3] = 0 }, blas.InvalidValue, "D at 0x0"},
	{"C is read", func(_ *trial, c *blas.Call) { c.At[2], c.Beta = 4, 1 }, blas.InvalidValue, "C at 0x4"},
	{"D on B", func(_ *trial, c *blas.Call) { c.At[3] = c.At[1] + 16 }, blas.InvalidValue, "lies on B"},
	{"bias off its alignment", func(x *trial, c *blas.Call) {
		x.ok(x.lib.MatmulDescSetAttribute(c.Product, biasAt, u64(int(x.bias.at)+4)))
	}, blas.InvalidValue, "the bias at"},
	{"aux off its alignment", func(x *trial, c *blas.Call) {
		x.ok(x.lib.MatmulDescSetAttribute(c.Product, auxAt, u64(int(x.aux.at)+8)))
	}, blas.InvalidValue, "aux at"},
	{"ld of aux", func(x *trial, c *blas.Call) {
		x.ok(x.lib.MatmulDescSetAttribute(c.Product, auxLD, u64(20)))
	}, blas.InvalidValue, "aux with ld 20"},
	{"type of bias", func(x *trial, c *blas.Call) {
		x.ok(x.lib.MatmulDescSetAttribute(c.Product, biasType, u32(bf16)))
	}, blas.NotSupported, "a bias of type 14"},
	{"type of aux", func(x *trial, c *blas.Call) {
		x.ok(x.lib.MatmulDescSetAttribute(c.Product, auxType, u32(bf16)))
	}, blas.NotSupported, "aux of type 14"},
	{"epilogue", func(x *trial, c *blas.Call) {
		x.ok(x.lib.MatmulDescSetAttribute(c.Product, epilogueAt, u32(130)))
	}, blas.NotSupported, "epilogue 130"},
	{"no transpose", func(x *trial, c *blas.Call) {
		x.ok(x.lib.MatmulDescSetAttribute(c.Product, transA, u32(2)))
	}, blas.NotSupported, "transposes 2"},
	{"an algorithm for no transpose", func(x *trial, c *blas.Call) {
		x.ok(x.lib.MatmulDescSetAttribute(c.Product, transA, u32(1)))
	}, blas.InvalidValue, "another product"},
	{"an algorithm for other layouts", func(x *trial, c *blas.Call) {
		c.Layouts[1] = x.layout(x.empty(f32, 16, 8, 1, 4))
	}, blas.InvalidValue, "another product"},
	{"an algorithm of nobody", func(_ *trial, c *blas.Call) { c.Algorithm = make([]byte, 64) }, blas.InvalidValue, "did not make"},
	{"shapes", func(x *trial, c *blas.Call) { c.Layouts[2] = c.Layouts[0] }, blas.InvalidValue, "(16,16)·(16,8) + (16,16)"},
	{"types", func(x *trial, c *blas.Call) {
		c.Layouts[1] = x.layout(x.empty(bf16, 16, 8, 1, 0))
	}, blas.NotSupported, "types 0·14"},
	{"batches", func(x *trial, c *blas.Call) {
		c.Layouts[0] = x.layout(x.empty(f32, 16, 16, 2, 0))
	}, blas.InvalidValue, "A is 2 matrices"},
	{"no product", func(_ *trial, c *blas.Call) { c.Product = 99 }, blas.InvalidValue, "99 is no handle of a product"},
	{"no layout", func(_ *trial, c *blas.Call) { c.Layouts[3] = 98 }, blas.InvalidValue, "98 is no handle of the layout of D"},
}

func TestRefusals(t *testing.T) {
	for _, c := range refusals {
		x := usual(newRig(t))
		call := x.call()
		x.fastest(&call)
		if _, s := x.lib.Matmul(x.h, call); s != blas.Success {
			t.Fatalf("%s: before the change: status %d, %v", c.name, s, x.lib.Err())
		}
		c.change(x, &call)
		_, s := x.lib.Matmul(x.h, call)
		if s != c.status || !strings.Contains(x.lib.Err().Error(), c.say) {
			t.Errorf("%s: status %d, want %d, %v", c.name, s, c.status, x.lib.Err())
		}
	}
}

// TestWorkspace: an algorithm gets what it asked for, at a multiple of 256.
func TestWorkspace(t *testing.T) {
	r := newRig(t)
	x := r.trial(shape{m: 32, n: 16, k: 128, batch: 1, alpha: 1}, 0, 0, 1)
	c := x.call()
	found, s := r.lib.MatmulAlgoGetHeuristic(r.h, c.Product, c.Layouts, r.pref, 2)
	r.ok(s)
	c.Algorithm, c.Workspace, c.Bytes = found[1].Algorithm[:], 1<<46, found[1].Workspace-1
	if _, s := r.lib.Matmul(r.h, c); s != blas.InvalidValue || !strings.Contains(r.lib.Err().Error(), "a workspace of 2047 bytes") {
		t.Errorf("a small workspace: status %d, %v", s, r.lib.Err())
	}
	c.Workspace, c.Bytes = 1<<46+128, 1<<20
	if _, s := r.lib.Matmul(r.h, c); s != blas.InvalidValue || !strings.Contains(r.lib.Err().Error(), "the workspace at") {
		t.Errorf("a workspace off its alignment: status %d, %v", s, r.lib.Err())
	}
	r.ok(r.lib.MatmulPreferenceSetAttribute(r.pref, prefWorkspace, u64(0)))
	found, s = r.lib.MatmulAlgoGetHeuristic(r.h, c.Product, c.Layouts, r.pref, 5)
	if r.ok(s); len(found) != 2 {
		t.Errorf("without a workspace there are %d algorithms, want 2", len(found))
	}
}

// TestAlignment: small alignments leave the narrow algorithm, and what is no multiple of an element leaves none.
func TestAlignment(t *testing.T) {
	for align, want := range map[int]int{256: 2, 16: 2, 8: 1, 4: 1, 2: 0} {
		x := usual(newRig(t))
		x.ok(x.lib.MatmulPreferenceSetAttribute(x.pref, prefAlign+1, u32(align)))
		c := x.call()
		found, s := x.lib.MatmulAlgoGetHeuristic(x.h, c.Product, c.Layouts, x.pref, 5)
		if len(found) != want || (s == blas.Success) != (want > 0) {
			t.Errorf("B at a multiple of %d: %d algorithms, want %d, status %d", align, len(found), want, s)
		}
	}
}

// TestRefusedEpilogues: a library that was told to lack epilogues has no algorithms for them.
func TestRefusedEpilogues(t *testing.T) {
	for word, lacks := range map[string][]int{"bgrad": {208, 256, 512}, "gelu_aux": {160, 164}, "dgelu": {192, 208}, "": nil} {
		r := newRig(t, word)
		for _, e := range epilogues {
			c := r.trial(shape{m: 16, n: 8, k: 16, batch: 1, alpha: 1}, 0, 0, e).call()
			_, s := r.lib.MatmulAlgoGetHeuristic(r.h, c.Product, c.Layouts, r.pref, 1)
			_, s2 := r.lib.Matmul(r.h, c)
			want := blas.Success
			for _, l := range lacks {
				if l == e {
					want = blas.NotSupported
				}
			}
			if s != want || s2 != want {
				t.Errorf("refuse %q, epilogue %d: statuses %d and %d, want %d", word, e, s, s2, want)
			}
		}
	}
}

// TestMemoryFaults: operands that nothing wrote and matrices past an allocation are errors with the matrix's name.
func TestMemoryFaults(t *testing.T) {
	r := newRig(t)
	x := usual(r)
	for _, c := range []struct {
		say    string
		change func(c *blas.Call)
	}{
		{"column 0 of A", func(c *blas.Call) { c.At[0] = x.empty(f32, 16, 16, 1, 0).at }},
		{"column 6 of B", func(c *blas.Call) { c.At[1] += 128 }},
		{"D: column 7", func(c *blas.Call) { c.At[3] += 16 }},
	} {
		call := x.call()
		c.change(&call)
		task, s := r.lib.Matmul(r.h, call)
		r.ok(s)
		r.try(r.dev.Forget(x.d.at, x.d.bytes()))
		if err := task.Run(r.dev, nil); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%v, want %q", err, c.say)
		}
	}
}

// TestAttributes: what is set can be read, and a value has the bytes of its attribute.
func TestAttributes(t *testing.T) {
	r := newRig(t)
	p, s := r.lib.MatmulDescCreate(compute32, f32)
	r.ok(s)
	for a, v := range map[int][]byte{transB: u32(1), biasAt: u64(1 << 46), auxStride: u64(-8)} {
		r.ok(r.lib.MatmulDescSetAttribute(p, a, v))
		if got, s := r.lib.MatmulDescGetAttribute(p, a); s != blas.Success || !bytes.Equal(got, v) {
			t.Errorf("attribute %d: % x, want % x, status %d", a, got, v, s)
		}
	}
	for name, s := range map[string]blas.Status{
		"bytes":     r.lib.MatmulDescSetAttribute(p, transA, u64(1)),
		"attribute": r.lib.MatmulDescSetAttribute(p, 99, u32(1)),
		"handle":    r.lib.MatrixLayoutSetAttribute(p, layoutBatch, u32(2)),
		"kind":      r.lib.MatmulPreferenceDestroy(p),
	} {
		if s != blas.InvalidValue {
			t.Errorf("a wrong %s: status %d", name, s)
		}
	}
	if _, s := r.lib.MatmulDescGetAttribute(p, 99); s != blas.InvalidValue {
		t.Errorf("a wrong attribute: status %d", s)
	}
}

// TestHandles: all that was made can be given back, once.
func TestHandles(t *testing.T) {
	r := newRig(t)
	p, s := r.lib.MatmulDescCreate(compute32, f32)
	r.ok(s)
	l, s := r.lib.MatrixLayoutCreate(f32, 2, 2, 2)
	r.ok(s)
	if n := r.lib.Left(); n != 4 {
		t.Errorf("%d handles, want 4", n)
	}
	again := func(f func(uint64) blas.Status, h uint64) {
		if r.ok(f(h)); f(h) != blas.InvalidValue {
			t.Errorf("handle %d can be given back twice", h)
		}
	}
	again(r.lib.MatmulDescDestroy, p)
	again(r.lib.MatrixLayoutDestroy, l)
	again(r.lib.MatmulPreferenceDestroy, r.pref)
	again(r.lib.Destroy, r.h)
	if n := r.lib.Left(); n != 0 {
		t.Errorf("%d handles left", n)
	}
	for _, m := range [][3]int{{0, 4, 4}, {4, 0, 4}, {4, 4, 3}} {
		if _, s := r.lib.MatrixLayoutCreate(f32, uint64(m[0]), uint64(m[1]), int64(m[2])); s != blas.InvalidValue {
			t.Errorf("layout %v: status %d", m, s)
		}
	}
	if _, s := r.lib.MatmulDescCreate(70, 1); s != blas.InvalidValue {
		t.Errorf("products of float64: status %d", s)
	}
	if _, s := r.lib.Matmul(r.h, blas.Call{At: [4]emu.Ptr{}}); s != blas.InvalidValue {
		t.Errorf("a handle that is gone: status %d", s)
	}
}
