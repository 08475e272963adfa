package blas_test

import (
	"bytes"
	"math"
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
	{"pointer mode", func(x *trial, c *blas.Call) {
		x.ok(x.lib.MatmulDescSetAttribute(c.Product, 2, u32(1)))
	}, blas.NotSupported, "pointer mode 1"},
	{"compute type", func(x *trial, c *blas.Call) {
		x.ok(x.lib.MatmulDescSetAttribute(c.Product, 0, u32(70)))
	}, blas.NotSupported, "compute type 70"},
	{"order", func(x *trial, c *blas.Call) {
		x.ok(x.lib.MatrixLayoutSetAttribute(c.Layouts[1], 1, u32(1)))
	}, blas.NotSupported, "B: a matrix in order 1"},
	{"no matrices", func(x *trial, c *blas.Call) {
		x.ok(x.lib.MatrixLayoutSetAttribute(c.Layouts[0], layoutBatch, u32(0)))
	}, blas.InvalidValue, "A: 0 matrices"},
	{"matrices in each other", func(x *trial, c *blas.Call) {
		for _, l := range c.Layouts {
			x.ok(x.lib.MatrixLayoutSetAttribute(l, layoutBatch, u32(2)))
		}
	}, blas.InvalidValue, "matrices D lie in each other"},
	{"biases in each other", func(x *trial, c *blas.Call) {
		for _, l := range c.Layouts {
			x.ok(x.lib.MatrixLayoutSetAttribute(l, layoutBatch, u32(2)))
			x.ok(x.lib.MatrixLayoutSetAttribute(l, layoutStride, u64(16*16)))
		}
		x.ok(x.lib.MatmulDescSetAttribute(c.Product, biasStride, u64(8)))
	}, blas.NotSupported, "biases of 16 elements, each 8"},
	{"aux in each other", func(x *trial, c *blas.Call) {
		for _, l := range c.Layouts {
			x.ok(x.lib.MatrixLayoutSetAttribute(l, layoutBatch, u32(2)))
			x.ok(x.lib.MatrixLayoutSetAttribute(l, layoutStride, u64(16*16)))
		}
		x.ok(x.lib.MatmulDescSetAttribute(c.Product, auxStride, u64(16*8-8)))
	}, blas.InvalidValue, "aux each 120"},
	{"C at D with other gaps", func(x *trial, c *blas.Call) {
		wide := x.layout(x.empty(f32, 16, 8, 1, 4))
		c.Layouts[2], c.At[2], c.Beta, c.Algorithm = wide, c.At[3], 1, nil
	}, blas.InvalidValue, "C lies at D"},
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

// TestHeuristicRefused: what has no algorithms.
func TestHeuristicRefused(t *testing.T) {
	x := usual(newRig(t))
	c := x.call()
	for name, ask := range map[string]func() blas.Status{
		"no library": func() blas.Status {
			_, s := x.lib.MatmulAlgoGetHeuristic(99, c.Product, c.Layouts, x.pref, 1)
			return s
		},
		"no preference": func() blas.Status {
			_, s := x.lib.MatmulAlgoGetHeuristic(x.h, c.Product, c.Layouts, 99, 1)
			return s
		},
		"no algorithms": func() blas.Status {
			_, s := x.lib.MatmulAlgoGetHeuristic(x.h, c.Product, c.Layouts, x.pref, 0)
			return s
		},
		"no product": func() blas.Status {
			_, s := x.lib.MatmulAlgoGetHeuristic(x.h, 99, c.Layouts, x.pref, 1)
			return s
		},
	} {
		if s := ask(); s != blas.InvalidValue {
			t.Errorf("%s: status %d", name, s)
		}
	}
	if found, s := x.lib.MatmulAlgoGetHeuristic(x.h, c.Product, c.Layouts, 0, 5); s != blas.Success || len(found) != 2 {
		t.Errorf("without a preference: status %d, %d algorithms", s, len(found))
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
		{"column 2 of C", func(c *blas.Call) { c.At[2], c.Beta = c.At[0]+448*2, 1 }},
		{"column 0 of the bias", func(c *blas.Call) {
			r.ok(r.lib.MatmulDescSetAttribute(c.Product, biasAt, u64(int(x.empty(f32, 16, 1, 1, 0).at))))
		}},
		{"aux: column 7", func(c *blas.Call) {
			r.ok(r.lib.MatmulDescSetAttribute(c.Product, auxAt, u64(int(x.aux.at)+64)))
		}},
		{"column 0 of aux", func(c *blas.Call) {
			r.ok(r.lib.MatmulDescSetAttribute(c.Product, auxAt, u64(int(x.empty(f32, 16, 8, 1, 0).at))))
			r.ok(r.lib.MatmulDescSetAttribute(c.Product, epilogueAt, u32(192)))
		}},
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
	for a := range 27 {
		if v, s := r.lib.MatmulDescGetAttribute(p, a); s == blas.Success {
			r.ok(r.lib.MatmulDescSetAttribute(p, a, v))
		}
	}
	for a, v := range map[int][]byte{0: u32(7), 9: u32(int(math.Float32bits(0.5))), 3: u32(1), 12: u64(3), prefAlign + 3: u32(16)} {
		r.ok(r.lib.MatmulPreferenceSetAttribute(r.pref, a, v))
	}
	l, s := r.lib.MatrixLayoutCreate(f32, 4, 4, 4)
	r.ok(s)
	for a, v := range map[int][]byte{0: u32(bf16), 2: u64(3), 3: u64(5), 4: u64(8)} {
		r.ok(r.lib.MatrixLayoutSetAttribute(l, a, v))
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
