package blas_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/blas"
)

// A trial is one product with all that belongs to it.
type trial struct {
	*rig
	ta, tb, epilogue int
	alpha, beta      float32
	a, b, c, d       *matrix
	bias, aux        *matrix
	compute          int
}

// shape is what the trials vary beside the epilogue.
type shape struct {
	m, n, k, batch, gap int
	kind, out           int
	alpha, beta         float32
}

var epilogues = []int{1, 2, 4, 6, 32, 36, 160, 164, 192, 208, 256, 512}

func has(epilogue int, bits int) bool { return epilogue&bits == bits }
func bgrad(e int) bool                { return e == 208 || e == 256 || e == 512 }
func vector(e int) bool               { return e != 1 && has(e, 4) || bgrad(e) }
func aux(e int) bool                  { return has(e, 128) }
func dgelu(e int) bool                { return e == 192 || e == 208 }

func (r *rig) trial(s shape, ta, tb, epilogue int) *trial {
	r.t.Helper()
	x := &trial{rig: r, ta: ta, tb: tb, epilogue: epilogue, alpha: s.alpha, beta: s.beta, compute: compute32}
	ar, ac, br, bc := s.m, s.k, s.k, s.n
	if ta == 1 {
		ar, ac = ac, ar
	}
	if tb == 1 {
		br, bc = bc, br
	}
	x.a, x.b = r.random(s.kind, ar, ac, s.batch, s.gap), r.random(s.kind, br, bc, s.batch, s.gap)
	x.d = r.empty(s.out, s.m, s.n, s.batch, s.gap)
	x.c = x.d
	if s.beta != 0 {
		x.c = r.random(s.out, s.m, s.n, s.batch, s.gap)
	}
	length := s.m
	if epilogue == 512 {
		length = s.n
	}
	x.bias = r.random(s.out, length, 1, s.batch, 0)
	x.bias.stride = length
	x.aux = r.random(s.out, s.m, s.n, s.batch, (8-s.m%8)%8)
	return x
}

// describe makes the handles of the trial.
func (x *trial) describe() (prod uint64, layouts [4]uint64) {
	x.t.Helper()
	list := attributes{transA: u32(x.ta), transB: u32(x.tb), epilogueAt: u32(x.epilogue)}
	if vector(x.epilogue) {
		list[biasAt] = u64(int(x.bias.at))
		list[biasStride] = u64(x.bias.stride)
	}
	if aux(x.epilogue) {
		list[auxAt], list[auxLD], list[auxStride] = u64(int(x.aux.at)), u64(x.aux.ld), u64(x.aux.stride)
	}
	for i, m := range []*matrix{x.a, x.b, x.c, x.d} {
		layouts[i] = x.layout(m)
	}
	return x.product(x.compute, list), layouts
}

// call is the call of the trial, without an algorithm.
func (x *trial) call() blas.Call {
	x.t.Helper()
	p, l := x.describe()
	return blas.Call{Product: p, Layouts: l, At: [4]emu.Ptr{x.a.at, x.b.at, x.c.at, x.d.at}, Alpha: x.alpha, Beta: x.beta}
}

// sum is element (i, j) before the epilogue.
func (x *trial) sum(b, i, j int) float64 {
	k := x.a.cols
	if x.ta == 1 {
		k = x.a.rows
	}
	s := 0.0
	for l := range k {
		s += x.a.get(b, i, l, x.ta) * x.b.get(b, l, j, x.tb)
	}
	s *= float64(x.alpha)
	if x.beta != 0 {
		s += float64(x.beta) * x.c.get(b, i, j, 0)
	}
	if vector(x.epilogue) && !bgrad(x.epilogue) {
		s += x.bias.x[b*x.bias.rows+i]
	}
	return s
}

// gelu is the GELU by its tanh approximation, slope its derivative as a central difference.
func gelu(v float64) float64 {
	return v / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
}
func slope(v float64) float64 { return (gelu(v+1e-5) - gelu(v-1e-5)) / 2e-5 }

// want is element (i, j) of D.
func (x *trial) want(b, i, j int) float64 {
	s := x.sum(b, i, j)
	switch e := x.epilogue; {
	case dgelu(e):
		return s * slope(x.aux.get(b, i, j, 0))
	case has(e, 32):
		return gelu(s)
	case has(e, 2):
		return max(s, 0)
	}
	return s
}

// wantGrad is element i of the gradient of the bias.
func (x *trial) wantGrad(b, i int) (s float64) {
	switch x.epilogue {
	case 256:
		for l := range x.a.rows * x.a.cols / x.d.rows {
			s += x.a.get(b, i, l, x.ta)
		}
	case 512:
		for l := range x.b.rows * x.b.cols / x.d.cols {
			s += x.b.get(b, l, i, x.tb)
		}
	default:
		for j := range x.d.cols {
			s += x.want(b, i, j)
		}
	}
	return s
}

// run runs a call and checks all that it wrote against plain loops in float64.
func (x *trial) run(name string, c blas.Call) {
	x.t.Helper()
	task, s := x.lib.Matmul(x.h, c)
	x.ok(s)
	x.try(task.Run(x.dev, nil))
	for b := range x.d.batch {
		for j := range x.d.cols {
			for i := range x.d.rows {
				x.near(at(name+": D", b, i, j), x.read(x.d, b, i, j), x.want(b, i, j), x.d.kind)
				if aux(x.epilogue) && !dgelu(x.epilogue) {
					x.near(at(name+": aux", b, i, j), x.read(x.aux, b, i, j), x.sum(b, i, j), x.d.kind)
				}
			}
		}
		for i := range x.bias.rows {
			if bgrad(x.epilogue) {
				x.near(at(name+": gradient", b, i, 0), x.read(x.bias, b, i, 0), x.wantGrad(b, i), x.d.kind)
			}
		}
	}
}

var shapes = []shape{
	{m: 1, n: 1, k: 1, batch: 1, alpha: 1},
	{m: 7, n: 5, k: 3, batch: 1, gap: 2, alpha: 1},
	{m: 16, n: 8, k: 32, batch: 1, alpha: -0.5, beta: 1},
	{m: 13, n: 17, k: 71, batch: 3, gap: 3, alpha: 2, beta: -0.75},
	{m: 9, n: 6, k: 11, batch: 2, kind: bf16, out: bf16, alpha: 1},
	{m: 24, n: 16, k: 8, batch: 1, kind: bf16, out: f32, alpha: 1, beta: 1},
	{m: 4, n: 4, k: 4, batch: 1, alpha: 0, beta: 2},
}

// TestProducts: each epilogue, type and transpose, sizes that no tile divides, gaps and batches, by each algorithm.
func TestProducts(t *testing.T) {
	for _, s := range shapes {
		for _, epilogue := range epilogues {
			for trans := range 4 {
				r := newRig(t)
				x := r.trial(s, trans&1, trans>>1, epilogue)
				name := fmt.Sprintf("%+v, epilogue %d, transposes %d", s, epilogue, trans)
				c := x.call()
				x.run(name, c)
				found, status := x.lib.MatmulAlgoGetHeuristic(x.h, c.Product, c.Layouts, x.pref, 5)
				x.ok(status)
				for i, f := range found {
					c.Algorithm, c.Bytes, c.Workspace = f.Algorithm[:], f.Workspace, 0
					if f.Workspace > 0 {
						var err error
						c.Workspace, err = x.dev.Alloc(f.Workspace)
						x.try(err)
					}
					x.run(fmt.Sprintf("%s, algorithm %d", name, i), c)
				}
			}
		}
	}
}

// TestSplit: where K is long and all is aligned there are three algorithms, and one needs a workspace.
func TestSplit(t *testing.T) {
	r := newRig(t)
	x := r.trial(shape{m: 32, n: 16, k: 128, batch: 1, alpha: 1}, 1, 0, 1)
	c := x.call()
	found, s := r.lib.MatmulAlgoGetHeuristic(r.h, c.Product, c.Layouts, r.pref, 5)
	r.ok(s)
	if len(found) != 3 || found[0].Workspace != 0 || found[1].Workspace != 4*32*16 || found[0].Waves <= 0 {
		t.Fatalf("%d algorithms: %+v", len(found), found)
	}
	c.Algorithm = found[1].Algorithm[:]
	c.Bytes = found[1].Workspace
	var err error
	c.Workspace, err = r.dev.Alloc(c.Bytes)
	r.try(err)
	x.run("split", c)
	if n, err := r.dev.Written(c.Workspace, c.Bytes); n != c.Bytes || err != nil {
		t.Errorf("%d bytes of the workspace were written, error %v", n, err)
	}
}

// TestTF32: float32 operands lose all but 10 bits of fraction; float32 sums do not.
func TestTF32(t *testing.T) {
	for _, c := range []struct {
		compute int
		want    float64
	}{{compute32, 1 + 0x1p-12}, {computeTF32, 1}} {
		r := newRig(t)
		x := r.trial(shape{m: 1, n: 1, k: 1, batch: 1, alpha: 1}, 0, 0, 1)
		x.compute = c.compute
		r.set(x.a, 0, 0, 0, 1+0x1p-12)
		r.set(x.b, 0, 0, 0, 1)
		task, s := r.lib.Matmul(r.h, x.call())
		r.ok(s)
		r.try(task.Run(r.dev, nil))
		if got := r.read(x.d, 0, 0, 0); got != c.want {
			t.Errorf("compute type %d: %v, want %v", c.compute, got, c.want)
		}
	}
}

// TestInPlace: C may be D, and is not read where β is 0.
func TestInPlace(t *testing.T) {
	r := newRig(t)
	x := r.trial(shape{m: 5, n: 3, k: 2, batch: 1, alpha: 1, beta: 1}, 0, 0, 1)
	x.d = x.c
	c := x.call()
	want := make([]float64, 15)
	for i := range want {
		want[i] = x.want(0, i%5, i/5)
	}
	task, s := r.lib.Matmul(r.h, c)
	r.ok(s)
	r.try(task.Run(r.dev, nil))
	for i, v := range want {
		r.near(at("D", 0, i%5, i/5), r.read(x.d, 0, i%5, i/5), v, f32)
	}
}
