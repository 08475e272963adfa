package graph_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

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

// TestAttentionUnfused compares values and gradients with the formula in other ops, in float64.
func TestAttentionUnfused(t *testing.T) {
	pool := vec.NewPool(2)
	defer pool.Close()
	for _, c := range []struct {
		z   attnShape
		has string // of lengths, segments, start
		o   graph.AttentionOpts
	}{
		{attnShape{2, 5, 5, 3, 3, 4}, "", graph.AttentionOpts{}},
		{attnShape{1, 1, 1, 1, 1, 1}, "", graph.AttentionOpts{Causal: true}},
		{attnShape{2, 7, 7, 4, 2, 3}, "", graph.AttentionOpts{Causal: true, Scale: 0.9}},
		{attnShape{1, 300, 300, 2, 1, 4}, "", graph.AttentionOpts{Causal: true}},
		{attnShape{1, 280, 280, 1, 1, 2}, "", graph.AttentionOpts{Causal: true, Window: 150}},
		{attnShape{1, 150, 290, 1, 1, 2}, "", graph.AttentionOpts{Window: 20}},
		{attnShape{1, 40, 1100, 1, 1, 2}, "", graph.AttentionOpts{}},
		{attnShape{3, 9, 7, 2, 2, 4}, "l", graph.AttentionOpts{}},
		{attnShape{3, 140, 140, 2, 2, 4}, "l", graph.AttentionOpts{Causal: true}},
		{attnShape{2, 90, 90, 2, 1, 4}, "g", graph.AttentionOpts{Causal: true}},
		{attnShape{2, 9, 6, 2, 1, 4}, "gs", graph.AttentionOpts{}},
		{attnShape{4, 3, 20, 4, 2, 4}, "s", graph.AttentionOpts{Causal: true, Window: 5}},
		{attnShape{4, 1, 520, 4, 2, 4}, "ls", graph.AttentionOpts{Causal: true}},
		{attnShape{3, 70, 75, 4, 2, 3}, "lgs", graph.AttentionOpts{Causal: true, Window: 40, Drop: 0.4, Stream: 3}},
		{attnShape{2, 6, 600, 2, 1, 3}, "", graph.AttentionOpts{Drop: 0.5, Stream: 9}},
	} {
		got := evalAttention(t, pool, c.z, c.has, c.o, (*graph.Graph).Attention)
		want := evalAttention(t, pool, c.z, c.has, c.o, graph.AttentionUnfused)
		for k := range want {
			for i, w := range want[k] {
				if d := math.Abs(got[k][i] - w); !(d <= 1e-12*(1+math.Abs(w))) {
					t.Errorf("%+v %q %+v: %s[%d] = %.15g, want %.15g", c.z, c.has, c.o, []string{"y", "dq", "dk", "dv"}[k], i, got[k][i], w)
					break
				}
			}
		}
	}
}

type attnBuilder = func(g *graph.Graph, q, k, v *graph.Node, o graph.AttentionOpts) *graph.Node

// evalAttention returns y and the gradients of Σ y·r.
func evalAttention(t *testing.T, pool *vec.Pool, z attnShape, has string, o graph.AttentionOpts, build attnBuilder) [][]float64 {
	t.Helper()
	g, in := graph.New(), map[string]graph.Buf{}
	rng := rand.New(rand.NewPCG(3, 4))
	input := func(name string, m graph.Meta, vocab int) *graph.Node {
		b := graph.NewBuf(m)
		for i := range m.Size() {
			if vocab > 0 {
				graph.Data[int32](b)[i] = int32(rng.IntN(vocab))
			} else {
				graph.Data[float64](b)[i] = rng.NormFloat64()
			}
		}
		in[name] = b
		return g.Input(name, m)
	}
	f := func(name string, t, h int) *graph.Node {
		return input(name, graph.Of(graph.Float64, z.b, t, h, z.hs), 0)
	}
	q, k, v, r := f("q", z.t, z.nh), f("k", z.s, z.kvh), f("v", z.s, z.kvh), f("r", z.t, z.nh)
	if strings.Contains(has, "l") {
		o.Lengths = input("l", graph.Of(graph.Int32, z.b), z.s+1)
	}
	if strings.Contains(has, "g") {
		o.Segments = input("g", graph.Of(graph.Int32, z.b, z.s), 2)
	}
	if strings.Contains(has, "s") {
		o.Start = input("s", graph.Of(graph.Int32, z.b), z.s)
		for i := range z.b {
			graph.Data[int32](in["s"])[i] -= 2
		}
	}
	y := build(g, q, k, v, o)
	dx := g.Grad(g.Sum(g.Mul(y, r)), q, k, v)
	if g.Err() != nil {
		t.Fatal(g.Err())
	}
	out, err := graphtest.Interpreter(pool).Eval(g, append([]*graph.Node{y}, dx...), in)
	if err != nil {
		t.Fatal(err)
	}
	all := make([][]float64, len(out))
	for i, b := range out {
		all[i] = graphtest.Floats(b)
	}
	return all
}

// TestAttentionUnseen fills the keys past a row's length, and past the position of decoding, with NaN: nothing reads
// them.
func TestAttentionUnseen(t *testing.T) {
	pool := vec.NewPool(1)
	defer pool.Close()
	for _, op := range []graph.Attention{{Lengths: true}, {Causal: true, Start: true}} {
		z := attnShape{1, 2, 40, 2, 2, 4}
		const seen = 9
		r := newAttnRun(graph.Attention{}, z, contiguous, pool)
		id := int32(seen)
		if op.Start {
			id -= int32(z.t)
		}
		for _, x := range r.in[1:3] {
			k := graph.Data[float32](x)
			for i := seen * z.kvh * z.hs; i < len(k); i++ {
				k[i] = float32(math.NaN())
			}
		}
		r.op, r.grad.Of = op, op
		r.in, r.gin = append(r.in, graph.BufOf([]int32{id}, 1)), append(r.gin, graph.BufOf([]int32{id}, 1))
		run(t, r)
		for i, b := range append(append([]graph.Buf{}, r.out...), r.gout...) {
			for j, v := range graph.Data[float32](b) {
				if v != v {
					t.Errorf("%+v: result %d[%d] is NaN", op, i, j)
					break
				}
			}
		}
	}
}

// TestAttentionCutHeads sees that slices through heads, and more workers than there is scratch for, are errors.
func TestAttentionCutHeads(t *testing.T) {
	pool, many := vec.NewPool(1), vec.NewPool(graph.MaxWorkers+1)
	defer pool.Close()
	defer many.Close()
	z := attnShape{1, 2, 2, 2, 2, 4}
	r := newAttnRun(graph.Attention{}, z, contiguous, pool)
	r.in[1].Row, r.in[1].Stride = 2, 5
	for want, err := range map[string]error{
		"cut heads of 4":      r.forward(),
		"17 workers, at most": newAttnRun(graph.Attention{}, z, contiguous, many).backward(),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestAttentionFLOPs compares the closed formula with a count.
func TestAttentionFLOPs(t *testing.T) {
	for _, a := range []graph.Attention{{}, {Causal: true}, {Window: 3}, {Window: 1}, {Causal: true, Window: 3}, {Causal: true, Window: 99}} {
		for _, z := range [][2]int{{1, 1}, {7, 7}, {3, 11}, {11, 3}, {1, 9}, {9, 1}} {
			if got, want := graph.Pairs(a, z[0], z[1]), graph.Sees(a, z[0], z[1]); got != want {
				t.Errorf("%+v, %d queries, %d keys: %d pairs, want %d", a, z[0], z[1], got, want)
			}
		}
	}
	q := graph.Of(graph.Float32, 2, 64, 4, 32)
	a := graph.Attention{Causal: true}
	if got, want := a.FLOPs([]graph.Meta{q, q, q}, q), int64(4*2*4*32*(64*65/2)); got != want {
		t.Errorf("FLOPs = %d, want %d", got, want)
	}
	if got, want := (graph.AttentionGrad{Of: a}).FLOPs([]graph.Meta{q, q, q, q, q, q}, q), int64(10*2*4*32*(64*65/2)); got != want {
		t.Errorf("FLOPs of the gradient = %d, want %d", got, want)
	}
}

// TestAttentionRefuses has operands and attributes that do not fit.
func TestAttentionRefuses(t *testing.T) {
	f := func(s ...int) graph.Meta { return graph.Of(graph.Float32, s...) }
	ids := func(s ...int) graph.Meta { return graph.Of(graph.Int32, s...) }
	q, k := f(2, 3, 4, 8), f(2, 5, 2, 8)
	for _, c := range []struct {
		op   graph.Op
		in   []graph.Meta
		want string
	}{
		{graph.Attention{}, []graph.Meta{q, k}, "2 operands, want 3"},
		{graph.Attention{}, []graph.Meta{f(2, 3, 32), k, k}, "want floats q"},
		{graph.Attention{}, []graph.Meta{q, k, f(2, 5, 2, 4)}, "want floats q"},
		{graph.Attention{}, []graph.Meta{q, graph.Of(graph.Float64, 2, 5, 2, 8), graph.Of(graph.Float64, 2, 5, 2, 8)}, "want floats q"},
		{graph.Attention{}, []graph.Meta{q, f(2, 5, 3, 8), f(2, 5, 3, 8)}, "multiple of KVH"},
		{graph.Attention{}, []graph.Meta{q, f(1, 5, 2, 8), f(1, 5, 2, 8)}, "one B"},
		{graph.Attention{}, []graph.Meta{q, f(2, 5, 2, 6), f(2, 5, 2, 6)}, "one HS"},
		{graph.Attention{Lengths: true}, []graph.Meta{q, k, k}, "3 operands, want 4"},
		{graph.Attention{Lengths: true}, []graph.Meta{q, k, k, f(2)}, "lengths float32[2], want int32[2]"},
		{graph.Attention{Segments: true}, []graph.Meta{q, k, k, ids(2, 3)}, "segments int32[2 3], want int32[2 5]"},
		{graph.Attention{Lengths: true, Start: true}, []graph.Meta{q, k, k, ids(2), ids(3)}, "start int32[3], want int32[2]"},
		{graph.Attention{Window: -1}, []graph.Meta{q, k, k}, "window -1"},
		{graph.Attention{Window: math.MaxInt}, []graph.Meta{q, k, k}, "window"},
		{graph.Attention{Scale: math.NaN()}, []graph.Meta{q, k, k}, "scale NaN"},
		{graph.Attention{Drop: 1}, []graph.Meta{q, k, k}, "dropout 1"},
		{graph.AttentionGrad{}, []graph.Meta{q, k, k, q, f(2, 3, 4), q}, "lse (B, NH, T)"},
		{graph.AttentionGrad{Operand: 3}, []graph.Meta{q, k, k, q, f(2, 4, 3), q}, "operand 3"},
		{graph.AttentionMask{S: 0}, []graph.Meta{q}, "number of keys, not 0"},
		{graph.Rotary{Dim: 7}, []graph.Meta{q, f(3, 7)}, "even dim"},
		{graph.Rotary{Dim: 10}, []graph.Meta{q, f(3, 10)}, "even dim"},
		{graph.Rotary{Dim: 8}, []graph.Meta{q, f(2, 8)}, "T = 3"},
		{graph.RotaryTable{Dim: 8, Base: 0, Scaling: graph.RotaryScaling{Factor: 1}}, []graph.Meta{ids(3)}, "base 0"},
		{graph.RotaryTable{Dim: 8, Base: 10}, []graph.Meta{ids(3)}, "factor 0"},
		{graph.RotaryTable{Dim: 8, Base: 10, Scaling: graph.RotaryScaling{Factor: 1, Context: 8, Low: 4, High: 1}}, []graph.Meta{ids(3)}, "Low < High"},
		{graph.RotaryTable{Dim: 8, Base: 10}, []graph.Meta{f(3)}, "want ids"},
		{graph.Dropout{P: math.NaN()}, []graph.Meta{q}, "dropout NaN"},
		{graph.Dropout{P: -0.1}, []graph.Meta{q}, "dropout -0.1"},
		{graph.Dropout{P: 0.1}, []graph.Meta{ids(3)}, "want floats"},
		{graph.Iota{}, nil, "rank 0"},
		{graph.Iota{Dims: graph.DimsOf(1 << 33)}, nil, "the largest is"},
		{graph.Positions{T: 3}, []graph.Meta{f(3)}, "want ids (B)"},
	} {
		if _, err := c.op.Infer(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s%v: error %v, want one with %q", graph.Describe(c.op), c.in, err, c.want)
		}
	}
}
