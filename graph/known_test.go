package graph_test

import (
	"math"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
)

var (
	inf = math.Inf(1)
	nan = math.NaN()
)

// known are results that do not follow from the float64 meaning of an op alone. The table compares two dtypes of one
// body, which may both be wrong.
var known = []struct {
	name string
	op   graph.Op
	in   []graph.Buf
	want []float64 // shape as operand 0's, or a scalar
}{
	{"Softmax row of −Inf", graph.Softmax{Axis: 1}, bufs(graph.BufOf([]float64{-inf, -inf, 0, -inf}, 2, 2)), []float64{0, 0, 1, 0}},
	{"Softmax column of −Inf", graph.Softmax{}, bufs(graph.BufOf([]float64{-inf, 0, -inf, -inf}, 2, 2)), []float64{0, 1, 0, 0}},
	{"Softmax ln", graph.Softmax{Axis: -1}, bufs(graph.BufOf([]float64{math.Log(1), math.Log(3), 700, 700 + math.Log(4)}, 2, 2)), []float64{.25, .75, .2, .8}},
	{"Softmax ln, columns", graph.Softmax{}, bufs(graph.BufOf([]float64{math.Log(1), 700, math.Log(3), 700 + math.Log(4)}, 2, 2)), []float64{.25, .2, .75, .8}},
	{"LogSoftmax −Inf", graph.LogSoftmax{}, bufs(graph.BufOf([]float64{5, -inf}, 2)), []float64{0, -inf}},
	{"LogSoftmax row of −Inf", graph.LogSoftmax{}, bufs(graph.BufOf([]float64{-inf, -inf}, 2)), []float64{nan, nan}},
	{"LogSoftmax column of −Inf", graph.LogSoftmax{}, bufs(graph.BufOf([]float64{-inf, 1, -inf, 1}, 2, 2)), []float64{nan, -math.Ln2, nan, -math.Ln2}},
	{"LayerNorm of a constant", graph.Norm{Eps: 1e-5}, bufs(graph.BufOf([]float64{3, 3}, 1, 2)), []float64{0, 0}},
	{"RMSNorm", graph.Norm{RMS: true, Eps: 1}, bufs(graph.BufOf([]float64{1, 3, 2, 2, 0}, 5)), []float64{1 / math.Sqrt(4.6), 3 / math.Sqrt(4.6), 2 / math.Sqrt(4.6), 2 / math.Sqrt(4.6), 0}},
	{"CrossEntropy, one class", graph.CrossEntropy{}, bufs(graph.BufOf([]float64{5}, 1, 1), graph.BufOf([]int32{0}, 1)), []float64{0}},
	{"CrossEntropy ignores", graph.CrossEntropy{HasIgnore: true, IgnoreIndex: -1}, bufs(graph.BufOf([]float64{nan, nan, 0, 0}, 2, 2), graph.BufOf([]int32{-1, 1}, 2)), []float64{math.Ln2}},
	{"CrossEntropy of −Inf", graph.CrossEntropy{}, bufs(graph.BufOf([]float64{0, -inf}, 1, 2), graph.BufOf([]int32{1}, 1)), []float64{inf}},
	{"CrossEntropyGrad ignores", graph.CrossEntropyGrad{CrossEntropy: graph.CrossEntropy{HasIgnore: true}}, bufs(graph.BufOf([]float64{nan, nan, 0, 0}, 2, 2), graph.BufOf([]int32{0, 1}, 2), graph.BufOf([]float64{3})), []float64{0, 0, 1.5, -1.5}},
	{"CrossEntropyWeight", graph.CrossEntropyWeight{DType: graph.Float64, HasIgnore: true, IgnoreIndex: 7}, bufs(graph.BufOf([]int32{7, 1, 1, 0}, 4), graph.BufOf([]float64{2, 0.25}, 2)), []float64{2.5}},
	{"CrossEntropyWeight counts", graph.CrossEntropyWeight{DType: graph.Float64, HasIgnore: true, IgnoreIndex: 7}, bufs(graph.BufOf([]int32{7, 1, 1, 0}, 4)), []float64{3}},
	{"ClipScale over", graph.ClipScale{Limit: 1}, bufs(graph.BufOf([]float64{12}), graph.BufOf([]float64{3})), []float64{1 / (4 + 1e-6) / 3}},
	{"ClipScale under", graph.ClipScale{Limit: 1}, bufs(graph.BufOf([]float64{2}), graph.BufOf([]float64{4})), []float64{0.25}},
	{"ClipScale, no limit", graph.ClipScale{}, bufs(graph.BufOf([]float64{12}), graph.BufOf([]float64{4})), []float64{0.25}},
	{"ClipScale of nothing", graph.ClipScale{Limit: 1}, bufs(graph.BufOf([]float64{0}), graph.BufOf([]float64{0})), []float64{0}},
	{"ClipScale of NaN", graph.ClipScale{Limit: 1}, bufs(graph.BufOf([]float64{nan}), graph.BufOf([]float64{4})), []float64{nan}},
	{"SumSq", graph.SumSq{}, bufs(graph.BufOf([]float64{3, -4}, 2)), []float64{25}},
	{"EMA", graph.EMA{Decay: 0.75}, bufs(graph.BufOf([]float64{4, 8}, 2), graph.BufOf([]float64{8, 0}, 2)), []float64{5, 6}},
	{"SGD at the first step", graph.SGD{Momentum: 0.9, LRScale: 1000}, bufs(graph.BufOf([]float64{1}, 1), graph.BufOf([]float64{2}, 1), graph.BufOf([]float64{99}, 1), graph.BufOf([]float64{0.25})), []float64{0.5}},
	{"EmbeddingGrad", graph.EmbeddingGrad{Vocab: 2, Acc: true}, bufs(graph.BufOf([]int32{1, 1}, 2), graph.BufOf([]float64{1, 2}, 2, 1), graph.BufOf([]float64{10, 20}, 2, 1)), []float64{10, 23}},
	{"MatMul", graph.MatMul{TransA: true, Bias: true, Acc: true, Act: graph.ActReLU}, bufs(graph.BufOf([]float64{1, 2}, 1, 2), graph.BufOf([]float64{3, 4}, 1, 2), graph.BufOf([]float64{1, 1}, 2), graph.BufOf([]float64{0, -9, 10, 0}, 2, 2)), []float64{4, 0, 17, 9}},
}

func bufs(b ...graph.Buf) []graph.Buf { return b }

func metasOf(in []graph.Buf) []graph.Meta {
	var m []graph.Meta
	for _, b := range in {
		m = append(m, b.Meta)
	}
	return m
}

func TestKnown(t *testing.T) {
	for _, c := range known {
		t.Run(c.name, func(t *testing.T) {
			m, err := c.op.Infer(metasOf(c.in))
			if err != nil {
				t.Fatal(err)
			}
			y := graph.NewBuf(m)
			if err := graph.EvalAlone(c.op, y, c.in); err != nil {
				t.Fatal(err)
			}
			got := graphtest.Floats(y)
			if len(got) != len(c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
			for i, w := range c.want {
				if g := got[i]; !(math.Abs(g-w) <= 1e-14*math.Abs(w) || g == w || math.IsNaN(g) && math.IsNaN(w)) {
					t.Errorf("[%d] = %.17g, want %.17g", i, g, w)
				}
			}
		})
	}
}

// TestNormRows holds that the parts of a norm beside its result give no gradient: a loss of them does not reach x.
func TestNormRows(t *testing.T) {
	for of, want := range []bool{true, false, false} {
		g := graph.New()
		x := g.Input("x", f32(2, 3))
		loss := g.Sum(g.Apply(graph.Norm{Eps: 1e-5, Of: of}, x))
		if got := g.Grad(loss, x)[0] != nil; got != want || g.Err() != nil {
			t.Errorf("member %d has a gradient: %v, want %v; %v", of, got, want, g.Err())
		}
	}
}

// f32 makes metas of float32, i32 of int32.
func f32(shape ...int) graph.Meta { return graph.Of(graph.Float32, shape...) }
func i32(shape ...int) graph.Meta { return graph.Of(graph.Int32, shape...) }

// refused are operands and attributes that Infer refuses, with a part of what it says.
var refused = []struct {
	op   graph.Op
	in   []graph.Meta
	want string
}{
	{graph.MatMul{}, []graph.Meta{f32(8, 64), f32(32, 64)}, "inner axes 64 and 32"},
	{graph.MatMul{}, []graph.Meta{f32(8, 64)}, "1 operands, want 2"},
	{graph.MatMul{Bias: true, Acc: true}, []graph.Meta{f32(2, 3), f32(3, 4), f32(4)}, "3 operands, want 4"},
	{graph.MatMul{}, []graph.Meta{f32(), f32(3, 4)}, "want matrices"},
	{graph.MatMul{}, []graph.Meta{f32(3, 4), f32(4)}, "want matrices"},
	{graph.MatMul{TransA: true}, []graph.Meta{f32(3), f32(3, 4)}, "want matrices"},
	{graph.MatMul{}, []graph.Meta{f32(3), f32(2, 3, 4)}, "want matrices"},
	{graph.MatMul{}, []graph.Meta{f32(2, 3, 4), f32(3, 4, 5)}, "do not broadcast"},
	{graph.MatMul{}, []graph.Meta{f32(2, 3), graph.Of(graph.Float64, 3, 4)}, "one dtype"},
	{graph.MatMul{}, []graph.Meta{i32(2, 3), i32(3, 4)}, "want floats"},
	{graph.MatMul{Bias: true}, []graph.Meta{f32(2, 3), f32(3, 4), f32(3)}, "bias [3], want [4]"},
	{graph.MatMul{Acc: true}, []graph.Meta{f32(2, 3), f32(3, 4), f32(4, 2)}, "accumulator [4 2], want [2 4]"},
	{graph.MatMul{Act: 99}, []graph.Meta{f32(2, 3), f32(3, 4)}, "unknown activation 99"},
	{graph.Softmax{Axis: 2}, []graph.Meta{f32(2, 3)}, "axis 2 of shape [2 3]"},
	{graph.Softmax{}, []graph.Meta{f32()}, "axis 0 of shape []"},
	{graph.LogSoftmax{Axis: -3}, []graph.Meta{f32(2, 3)}, "axis -3"},
	{graph.SoftmaxGrad{}, []graph.Meta{f32(2, 3), f32(3, 2)}, "one dtype and shape"},
	{graph.LogSoftmaxGrad{}, []graph.Meta{i32(2), i32(2)}, "want floats"},
	{graph.Norm{Eps: -1}, []graph.Meta{f32(2, 3)}, "eps -1"},
	{graph.Norm{Eps: nan}, []graph.Meta{f32(2, 3)}, "eps NaN"},
	{graph.Norm{RMS: true, Bias: true}, []graph.Meta{f32(2, 3), f32(3)}, "no bias"},
	{graph.Norm{}, []graph.Meta{f32()}, "want a float with an axis"},
	{graph.Norm{Weight: true}, []graph.Meta{f32(2, 3), f32(2)}, "weight or bias float32[2], want (3)"},
	{graph.Norm{Weight: true}, []graph.Meta{f32(2, 3)}, "1 operands, want 2"},
	{graph.NormGrad{Weight: true, Of: 2}, []graph.Meta{f32(2, 3), f32(3), f32(2), f32(2), f32(2, 3)}, "member 2 of 2"},
	{graph.Norm{RMS: true, Of: 2}, []graph.Meta{f32(2, 3)}, "member 2 of 2"},
	{graph.NormGrad{RMS: true}, []graph.Meta{f32(2, 3), f32(3), f32(2, 3)}, "rows float32[3], want float32[2]"},
	{graph.NormGrad{}, []graph.Meta{f32(2, 3), f32(2), f32(2), f32(3, 2)}, "dy float32[3 2], want float32[2 3]"},
	{graph.Embedding{}, []graph.Meta{f32(2), f32(5, 3)}, "want ids"},
	{graph.Embedding{}, []graph.Meta{i32(2), f32(5, 3, 2)}, "float table (V, C)"},
	{graph.EmbeddingGrad{Vocab: 5}, []graph.Meta{i32(2), f32(3, 4)}, "ids (…) and dy (…, C)"},
	{graph.EmbeddingGrad{Vocab: 5, Acc: true}, []graph.Meta{i32(2), f32(2, 4), f32(4, 4)}, "accumulator float32[4 4], want float32[5 4]"},
	{graph.CrossEntropy{}, []graph.Meta{f32(2, 3), i32(3)}, "logits (…, V) and ids (…)"},
	{graph.CrossEntropy{}, []graph.Meta{f32(), i32()}, "logits (…, V) and ids (…)"},
	{graph.CrossEntropy{}, []graph.Meta{f32(2, 3), f32(2)}, "logits (…, V) and ids (…)"},
	{graph.CrossEntropy{Smoothing: 1}, []graph.Meta{f32(2, 3), i32(2)}, "smoothing 1"},
	{graph.CrossEntropy{Smoothing: nan}, []graph.Meta{f32(2, 3), i32(2)}, "smoothing NaN"},
	{graph.CrossEntropy{Weighted: true}, []graph.Meta{f32(2, 3), i32(2), f32(2)}, "class weights float32[2], want (3)"},
	{graph.CrossEntropyGrad{}, []graph.Meta{f32(2, 3), i32(2), f32(1)}, "dy float32[1], want a scalar"},
	{graph.CrossEntropyRows{}, []graph.Meta{f32(2, 3), i32(2), f32(3)}, "3 operands, want 2"},
	{graph.CrossEntropyBoth{}, []graph.Meta{f32(2, 3), i32(2)}, "2 operands, want 3"},
	{graph.LinearCrossEntropy{}, []graph.Meta{f32(2, 3), f32(3, 4), i32(2)}, "3 operands, want 4"},
	{graph.LinearCrossEntropy{}, []graph.Meta{f32(2, 3), f32(4, 3), i32(2), f32()}, "inner axes 3 and 4"},
	{graph.LinearCrossEntropy{}, []graph.Meta{f32(2, 2, 3), f32(2, 3, 4), i32(2, 2), f32()}, "weight float32[2 3 4], want one matrix"},
	{graph.LinearCrossEntropy{TransB: true}, []graph.Meta{f32(2, 3), f32(4, 3), i32(3), f32()}, "logits (…, V) and ids (…)"},
	{graph.LinearCrossEntropy{}, []graph.Meta{f32(2, 3), f32(3, 4), i32(2), f32(1)}, "dy float32[1], want a scalar"},
	{graph.CrossEntropyWeight{}, []graph.Meta{f32(2)}, "want ids"},
	{graph.CrossEntropyWeight{}, nil, "want ids"},
	{graph.AdamW{Beta1: 1}, []graph.Meta{f32(2), f32(2), f32(2), f32(2), f32()}, "betas 1 and 0"},
	{graph.AdamW{Of: 3}, []graph.Meta{f32(2), f32(2), f32(2), f32(2), f32()}, "member 3 of 3"},
	{graph.AdamW{}, []graph.Meta{f32(2), f32(2), f32(2), f32(3), f32()}, "one dtype and shape"},
	{graph.AdamW{}, []graph.Meta{f32(2), f32(2), f32(2), f32(2), f32(1)}, "scale float32[1]"},
	{graph.SGD{Of: 1}, []graph.Meta{f32(2), f32(2), f32()}, "member 1 of 1"},
	{graph.SGD{Nesterov: true}, []graph.Meta{f32(2), f32(2), f32()}, "momentum 0"},
	{graph.SGD{Momentum: 0.9}, []graph.Meta{f32(2), f32(2), f32()}, "3 operands, want 4"},
	{graph.EMA{Decay: 1.5}, []graph.Meta{f32(2), f32(2)}, "decay 1.5"},
	{graph.SumSq{}, []graph.Meta{i32(2)}, "want floats"},
	{graph.Total{}, nil, "want scalars"},
	{graph.Total{}, []graph.Meta{f32(1)}, "want scalars"},
	{graph.ClipScale{Limit: -1}, []graph.Meta{f32(), f32()}, "limit of 0 or more, not -1"},
	{graph.ClipScale{}, []graph.Meta{f32(1), f32(1)}, "want scalars"},
}

func TestRefused(t *testing.T) {
	for _, c := range refused {
		if m, err := c.op.Infer(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s%v = %v, %v; want an error with %q", graph.Describe(c.op), c.in, m, err, c.want)
		}
	}
}

// failing are evaluations that end in an error, with a part of what it says.
var failing = []struct {
	op   graph.Op
	in   []graph.Buf
	want string
}{
	{graph.Embedding{}, bufs(graph.BufOf([]int32{0, 5}, 2), graph.BufOf([]float32{1, 2, 3}, 3, 1)), "id 5 at position 1: the table has rows 0 to 2"},
	{graph.Embedding{}, bufs(graph.BufOf([]int32{-1}, 1), graph.BufOf([]float32{1, 2, 3}, 3, 1)), "id -1 at position 0"},
	{graph.EmbeddingGrad{Vocab: 3}, bufs(graph.BufOf([]int32{3}, 1), graph.BufOf([]float64{1}, 1, 1)), "id 3 at position 0: the table has rows 0 to 2"},
	{graph.CrossEntropy{}, bufs(graph.BufOf([]float32{1, 2}, 1, 2), graph.BufOf([]int32{2}, 1)), "target 2 at position 0: there are classes 0 to 1"},
	{graph.CrossEntropyGrad{CrossEntropy: graph.CrossEntropy{HasIgnore: true, IgnoreIndex: -1}}, bufs(graph.BufOf([]float64{1, 2}, 1, 2), graph.BufOf([]int32{-2}, 1), graph.BufOf([]float64{1})), "target -2 at position 0"},
	{graph.LinearCrossEntropy{}, bufs(graph.BufOf([]float32{1}, 1, 1), graph.BufOf([]float32{1, 2}, 1, 2), graph.BufOf([]int32{2}, 1), graph.BufOf([]float32{1})), "target 2 at position 0: there are classes 0 to 1"},
	{graph.CrossEntropyWeight{DType: graph.Float32}, bufs(graph.BufOf([]int32{2}, 1), graph.BufOf([]float32{1, 2}, 2)), "target 2 at position 0: there are classes 0 to 1"},
}

func TestFailing(t *testing.T) {
	for _, c := range failing {
		m, err := c.op.Infer(metasOf(c.in))
		if err != nil {
			t.Fatal(err)
		}
		if err := graph.EvalAlone(c.op, graph.NewBuf(m), c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s%v: %v; want an error with %q", graph.Describe(c.op), c.in, err, c.want)
		}
	}
	c := graph.NewCtx(nil, &graph.Scalars{}, nil)
	if err := (graph.AdamW{}).Eval(c, nil, nil); err == nil || !strings.Contains(err.Error(), "step count 0") {
		t.Errorf("AdamW at step 0: %v", err)
	}
}
