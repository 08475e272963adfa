package plan_test

import (
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
)

// TestLinearLossNot: the three steps stay apart where the logits, or the product behind the loss, are not those of a
// linear layer alone. They compute what they do without fusion.
func TestLinearLossNot(t *testing.T) {
	const n, v = 6, 4
	cpu := plan.CPU(1)
	defer cpu.Close()
	for _, c := range []struct {
		name  string
		fuses bool
		batch []int // of x, w and y
		bias  bool
		more  func(g *graph.Graph, w, logits, dlogits *graph.Node) // outputs
	}{
		{"a linear layer", true, nil, false, func(g *graph.Graph, w, _, d *graph.Node) { g.Output("dx", g.MatMulT(d, w)) }},
		{"logits that are an output", false, nil, false, func(g *graph.Graph, w, logits, d *graph.Node) {
			g.Output("dx", g.MatMulT(d, w))
			g.Output("logits", logits)
		}},
		{"logits that another step reads", false, nil, false, func(g *graph.Graph, w, logits, d *graph.Node) {
			g.Output("dx", g.MatMulT(d, w))
			g.Output("most", g.Sum(g.Exp(logits)))
		}},
		{"a gradient that another step reads", false, nil, false, func(g *graph.Graph, w, _, d *graph.Node) {
			g.Output("dx", g.MatMulT(d, w))
			g.Output("db", g.Sum(d))
		}},
		{"a product with the weight as it is", false, nil, false, func(g *graph.Graph, w, _, d *graph.Node) { g.Output("dx", g.MatMul(d, w)) }},
		{"a bias", false, nil, true, func(g *graph.Graph, w, _, d *graph.Node) { g.Output("dx", g.MatMulT(d, w)) }},
		{"a weight for each example", false, []int{2}, false, func(g *graph.Graph, w, _, d *graph.Node) { g.Output("dx", g.MatMulT(d, w)) }},
		{"a product with another weight", false, nil, false, func(g *graph.Graph, w, _, d *graph.Node) {
			g.Output("dx", g.MatMulT(d, g.Input("u", graph.Of(graph.Float64, v, v))))
		}},
	} {
		g := graph.New()
		w := g.Input("w", graph.Of(graph.Float64, append(c.batch, v, v)...))
		x, y := g.Input("x", graph.Of(graph.Float64, append(c.batch, n, v)...)), g.Input("y", graph.Of(graph.Int32, append(c.batch, n)...))
		logits := g.MatMul(x, w)
		if c.bias {
			logits = g.Linear(x, w, g.Input("b", graph.Of(graph.Float64, v)))
		}
		g.Output("loss", g.CrossEntropy(logits, y, graph.CrossEntropyOpts{}))
		c.more(g, w, logits, g.Apply(graph.CrossEntropyGrad{}, logits, y, g.Full(graph.Of(graph.Float64), 1)))
		got := outputs(t, cpu, g, plan.Options{}, c.fuses)
		want := outputs(t, cpu, g, plan.Options{NoFuse: true}, false)
		compare(t, c.name, got, want, 1e-12, 1e-12)
	}
}

// outputs runs g on made up numbers, in a plan with a LinearCrossEntropy or without.
func outputs(t *testing.T, x plan.Executor, g *graph.Graph, o plan.Options, fuses bool) map[string][]float64 {
	t.Helper()
	in := map[string]any{}
	for k, name := range []string{"x", "w", "u", "b", "y"} {
		n := g.Named(name)
		if n == nil {
			continue
		}
		ids, floats := make([]int32, n.Meta().Size()), make([]float64, n.Meta().Size())
		for i := range floats {
			ids[i], floats[i] = int32(i%4), float64((7*i+3*k)%5)-2
		}
		if in[name] = any(floats); n.Meta().DType == graph.Int32 {
			in[name] = ids
		}
	}
	p := newPlan(t, g, o)
	if fused := slices.ContainsFunc(p.Steps, func(s plan.Step) bool { _, ok := s.Op.(graph.LinearCrossEntropy); return ok }); fused != fuses {
		t.Errorf("fused %v:\n%v", fused, p)
	}
	prog, err := x.Compile(p, x.NewState())
	if err == nil {
		err = prog.Run(in, graph.Scalars{})
	}
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]float64{}
	for _, o := range g.Outputs() {
		got[o.Name] = read(t, prog, o.Name)
	}
	return got
}
