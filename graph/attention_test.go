package graph_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/internal/vec"
)

// attnShape is an attention of a test: B, T, S, NH, KVH, HS.
type attnShape struct{ b, t, s, nh, kvh, hs int }

// packed says how operands and results lie in memory.
type packed uint8

const (
	contiguous  packed = iota
	inRows             // a slice of a packed row: Row = NH·HS
	inHeads            // a slice of each head: Row = HS
	inSequences        // a slice of a row's whole sequence: Row = T·NH·HS
)

// stride spreads a contiguous Buf over memory of its own, filled with NaN elsewhere.
func (p packed) stride(b graph.Buf) graph.Buf {
	if p == contiguous || len(b.Shape) != 4 {
		return b
	}
	axis := map[packed]int{inRows: 2, inHeads: 3, inSequences: 1}[p]
	row := b.Shape[axis:].Size()
	y := b
	y.Row, y.Stride = row, 2*row+3
	rows := b.Size() / row
	data := make([]float32, (rows-1)*y.Stride+row)
	for i := range data {
		data[i] = float32(math.NaN())
	}
	y.Mem = graph.BufOf(data).Mem
	for i := range rows {
		copy(graph.Data[float32](y)[i*y.Stride:][:row], graph.Data[float32](b)[i*row:])
	}
	return y
}

// flat is a contiguous copy of b.
func flat(b graph.Buf) graph.Buf {
	if b.Stride == 0 {
		return b
	}
	y := graph.NewBuf(b.Meta)
	for i := range b.Size() / b.Row {
		copy(graph.Data[float32](y)[i*b.Row:][:b.Row], graph.Data[float32](b)[i*b.Stride:])
	}
	return y
}

// attnRun is an attention and its gradient on memory of their own.
type attnRun struct {
	op               graph.Attention
	grad             graph.AttentionGrad
	in, gin          []graph.Buf
	out, gout        []graph.Buf
	fwd, bwd         *graph.Ctx
	flops, gradFLOPs int64
}

func newAttnRun(op graph.Attention, z attnShape, p packed, pool *vec.Pool) *attnRun {
	rng := rand.New(rand.NewPCG(1, 2))
	buf := func(shape ...int) graph.Buf {
		b := graph.NewBuf(graph.Of(graph.Float32, shape...))
		for i := range b.Size() {
			graph.Data[float32](b)[i] = float32(rng.NormFloat64())
		}
		return p.stride(b)
	}
	r := &attnRun{op: op, grad: graph.AttentionGrad{Of: op}}
	q, k, v := buf(z.b, z.t, z.nh, z.hs), buf(z.b, z.s, z.kvh, z.hs), buf(z.b, z.s, z.kvh, z.hs)
	y, lse, dy := buf(z.b, z.t, z.nh, z.hs), buf(z.b, z.nh, z.t), buf(z.b, z.t, z.nh, z.hs)
	r.in, r.out = []graph.Buf{q, k, v}, []graph.Buf{y, lse}
	if op.Start {
		start := make([]int32, z.b)
		for i := range start {
			start[i] = int32(z.s - z.t)
		}
		r.in = append(r.in, graph.BufOf(start, z.b))
	}
	r.gin = append([]graph.Buf{q, k, v, y, lse, dy}, r.in[3:]...)
	r.gout = []graph.Buf{buf(z.b, z.t, z.nh, z.hs), buf(z.b, z.s, z.kvh, z.hs), buf(z.b, z.s, z.kvh, z.hs)}
	ctx := func(op graph.Scratcher, in []graph.Buf) *graph.Ctx {
		return graph.NewCtx(pool, &graph.Scalars{Step: 1, Seed: 5}, graph.Alloc(op.Scratch(metas(in))))
	}
	r.fwd, r.bwd = ctx(op, r.in), ctx(r.grad, r.gin)
	r.flops, r.gradFLOPs = op.FLOPs(metas(r.in), y.Meta), r.grad.FLOPs(metas(r.gin), y.Meta)
	return r
}

func metas(in []graph.Buf) []graph.Meta {
	m := make([]graph.Meta, len(in))
	for i := range in {
		m[i] = in[i].Meta
	}
	return m
}

func (r *attnRun) forward() error  { return r.op.Eval(r.fwd, r.out, r.in) }
func (r *attnRun) backward() error { return r.grad.Eval(r.bwd, r.gout, r.gin) }

// TestAttentionStrided sees that slices of packed matrices give the bits of contiguous values.
func TestAttentionStrided(t *testing.T) {
	pool := vec.NewPool(2)
	defer pool.Close()
	for _, z := range []attnShape{{2, 5, 5, 4, 2, 3}, {1, 70, 70, 2, 2, 8}, {2, 1, 600, 3, 3, 5}} {
		for _, op := range []graph.Attention{{}, {Causal: true, Start: true}, {Causal: true, Drop: 0.2}} {
			want := newAttnRun(op, z, contiguous, pool)
			run(t, want)
			for p := inRows; p <= inSequences; p++ {
				got := newAttnRun(op, z, p, pool)
				run(t, got)
				for i, b := range append(append([]graph.Buf{}, got.out...), got.gout...) {
					w := append(append([]graph.Buf{}, want.out...), want.gout...)[i]
					if !bytes.Equal(flat(b).Mem, w.Mem) {
						t.Errorf("%+v %+v in rows of %d: result %d has other bits than contiguous", z, op, b.Row, i)
					}
				}
			}
		}
	}
}

func run(t *testing.T, r *attnRun) {
	t.Helper()
	for _, f := range []func() error{r.forward, r.backward} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkAttention has configurations A, B and C of the whole step, and decoding; T of 1 has no gradient.
func BenchmarkAttention(b *testing.B) {
	for _, c := range []struct {
		name string
		z    attnShape
	}{{"A", attnShape{12, 64, 64, 4, 4, 32}}, {"B", attnShape{4, 256, 256, 6, 6, 64}}, {"C", attnShape{1, 256, 256, 12, 12, 64}},
		{"long", attnShape{1, 1024, 1024, 12, 12, 64}},
		{"decode256", attnShape{1, 1, 256, 12, 12, 64}}, {"decode1024", attnShape{1, 1, 1024, 12, 12, 64}}} {
		for _, threads := range []int{1, 2} {
			for _, pass := range []string{"forward", "backward"}[:min(c.z.t, 2)] {
				b.Run(fmt.Sprintf("%s/%s/%d", c.name, pass, threads), func(b *testing.B) {
					pool := vec.NewPool(threads)
					defer pool.Close()
					r := newAttnRun(graph.Attention{Causal: true, Start: c.z.t == 1}, c.z, contiguous, pool)
					if c.z.t > 1 {
						project(r.in[:3])
						copy(r.gin, r.in[:3])
						project(r.gout)
					}
					if pass == "forward" {
						bench(b, threads, r.flops, r.forward)
					} else {
						bench(b, threads, r.gradFLOPs, r.backward)
					}
				})
			}
		}
	}
}

// project makes three values slices of one packed matrix (B, T, 3·C), as a model has them.
func project(x []graph.Buf) {
	c := x[0].Shape[2] * x[0].Shape[3]
	all := graph.NewBuf(graph.Of(graph.Float32, x[0].Shape[0]*x[0].Shape[1], 3*c))
	for i := range x {
		y := x[i]
		y.Row, y.Stride, y.Mem = c, 3*c, all.Mem[4*i*c:len(all.Mem)-4*(2-i)*c]
		for r := range all.Shape[0] {
			copy(graph.Data[float32](y)[r*3*c:][:c], graph.Data[float32](x[i])[r*c:])
		}
		x[i] = y
	}
}

// bench measures f in ns, in GFLOP/s and as a part of the peak that is measured beside it.
func bench(b *testing.B, threads int, flops int64, f func() error) {
	if err := f(); err != nil {
		b.Fatal(err)
	}
	peak := vec.Peak(threads, 10*time.Millisecond)
	b.ReportAllocs()
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	peak = max(peak, vec.Peak(threads, 10*time.Millisecond))
	rate := float64(flops) * float64(b.N) / float64(b.Elapsed().Nanoseconds())
	b.ReportMetric(rate, "GFLOP/s")
	b.ReportMetric(100*rate/peak, "%peak")
}

var _ = graphtest.Atol
