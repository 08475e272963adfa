package gpt_test

import (
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/goldentest"
	"github.com/ceto-ml/ceto/nn"
)

// taped is a network whose graph runs on Gorgonia's own machine too.
type taped struct {
	name   string
	model  nn.Layer
	loss   nn.Loss
	x, y   []int // shapes
	ids    int   // vocabulary of x, 0 where x is numbers
	labels int   // classes of y, 0 where y is numbers
}

var tapes = []taped{
	{"mlp", nn.Sequential{nn.Linear{Out: 5}, nn.Tanh, nn.Linear{Out: 4}, nn.GELU, nn.Linear{Out: 1}}, nn.BCEWithLogits{}, []int{6, 3}, []int{6}, 0, 0},
	{"block", gpt.GPT2Block{Norm: nn.LayerNorm{}, Attn: gpt.GPT2Attention{Heads: 2, Causal: true}, MLP: gpt.GPT2MLP{}}, nn.MSE{}, []int{2, 5, 8}, []int{2, 5, 8}, 0, 0},
	{"gpt", gpt.GPT2{Layers: 2, Heads: 4, Width: 32, Vocab: 96, Context: 16}, nn.CrossEntropy{}, []int{2, 16}, []int{2, 16}, 96, 96},
}

// numbers draws a value: ids below n, or floats between 0 and 1.
func numbers(m graph.Meta, name string, n int) graph.Buf {
	b, r := graph.NewBuf(m), nn.NewRand(9, name)
	for i := range m.Size() {
		switch m.DType {
		case graph.Int32:
			graph.Data[int32](b)[i] = int32(float64(n) * r.Uniform(i, 0))
		case graph.Float32:
			graph.Data[float32](b)[i] = float32(r.Uniform(i, 0))
		case graph.Float64:
			graph.Data[float64](b)[i] = r.Uniform(i, 0)
		}
	}
	return b
}

// TestTapeMachine compares loss, output and all gradients of the plan with Gorgonia's TapeMachine on the same graph.
func TestTapeMachine(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	for _, r := range tapes {
		for _, d := range []graph.DType{graph.Float32, graph.Float64} {
			t.Run(r.name+" "+d.String(), func(t *testing.T) { r.run(t, x, d) })
		}
	}
}

func (r taped) run(t *testing.T, x plan.Executor, d graph.DType) {
	params := nn.NewParams(d)
	s := nn.NewScope(graph.New(), params, nn.Train)
	dtype := func(ids int) graph.DType { return map[bool]graph.DType{true: graph.Int32, false: d}[ids > 0] }
	in := map[string]graph.Buf{}
	input := func(name string, ids int, shape []int) *graph.Node {
		n := s.Input(name, graph.Of(dtype(ids), shape...))
		in[name] = numbers(n.Meta(), name, ids)
		return n
	}
	y := r.model.Forward(s, input("x", r.ids, r.x))
	loss, _ := r.loss.Loss(s, y, input("y", r.labels, r.y))
	out := []*graph.Node{loss, y}
	var wrt []*graph.Node
	for _, p := range params.All() {
		wrt = append(wrt, s.Declared()[p.Name])
		v, err := p.Value(1)
		if err != nil {
			t.Fatal(err)
		}
		in[p.Name] = v
	}
	out = append(out, s.Grad(loss, wrt...)...)
	prog := planned(t, x, s, out, in)
	want, err := graphtest.TapeMachine().Eval(s.Graph, out, in)
	if err != nil {
		t.Fatal(err)
	}
	gold := goldentest.Golden{T: t, Atol: 1e-5, Rtol: 1e-4}
	if d == graph.Float64 {
		gold.Atol, gold.Rtol = 1e-12, 1e-9
	}
	for i, n := range out {
		v, err := prog.Read(n.String())
		if err != nil {
			t.Fatal(err)
		}
		got, err := graph.BufOfDense(v, n.Meta())
		if err != nil {
			t.Fatal(err)
		}
		equal(gold, n.String(), goldentest.Floats(got), goldentest.Floats(want[i]))
	}
}

// planned runs the plan of the outputs out, each under the name that its String gives.
func planned(t *testing.T, x plan.Executor, s *nn.Scope, out []*graph.Node, in map[string]graph.Buf) plan.Program {
	t.Helper()
	for _, n := range out {
		s.Output(n.String(), n)
	}
	prog := filled(t, x, s, func(name string) graph.Buf { return in[name] })
	if err := prog.Run(map[string]any{"x": graph.Dense(in["x"]), "y": graph.Dense(in["y"])}, graph.Scalars{Step: 1}); err != nil {
		t.Fatal(err)
	}
	return prog
}

// equal compares two values.
func equal(gold goldentest.Golden, name string, got, want []float64) {
	gold.Helper()
	if len(got) != len(want) || len(got) == 0 {
		gold.Fatalf("%s: %d elements, want %d", name, len(got), len(want))
	}
	for i := range want {
		if !gold.Near(got[i], want[i]) {
			gold.Errorf("%s[%d] = %.12g, want %.12g", name, i, got[i], want[i])
			return
		}
	}
}
