package plan_test

import (
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/graph/plan"
)

// TestTable runs every row of the table of cases through plans on the CPU, fused and unfused.
func TestTable(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	plan.Poison(x)
	for name, o := range map[string]plan.Options{"fused": {}, "no fusion": {NoFuse: true}, "no aliases": {NoFuse: true, NoAlias: true}} {
		t.Run(name, func(t *testing.T) { graphtest.Run(t, graphtest.Planned(x, o)) })
	}
}

// TestTableRemote runs it on an executor with memory of its own, with all kernels and without those that have formulas.
func TestTableRemote(t *testing.T) {
	if graphtest.Race {
		t.Skip("one goroutine: nothing for the race detector")
	}
	for name, lacks := range map[string]func(graph.Op, []graph.Meta) bool{"all kernels": nil, "formulas": hasFormula, "formulas forward": forward} {
		t.Run(name, func(t *testing.T) {
			x := graphtest.NewRemote()
			x.Lacks = lacks
			defer x.Close()
			graphtest.Run(t, graphtest.Planned(x, x.Options()))
			if x.Programs != 0 || x.States != 0 {
				t.Errorf("%d programs and %d states are open", x.Programs, x.States)
			}
		})
	}
}

// forward tells whether an op has a formula and is no derivative.
func forward(op graph.Op, in []graph.Meta) bool {
	return !strings.HasSuffix(graph.OpName(op), "Grad") && hasFormula(op, in)
}

// hasFormula tells whether an op has a formula of other ops.
func hasFormula(op graph.Op, in []graph.Meta) bool {
	u, ok := op.(graph.Unfuser)
	if !ok {
		return false
	}
	g := graph.New()
	x := make([]*graph.Node, len(in))
	for i, m := range in {
		x[i] = g.Input(string(rune('a'+i)), m)
	}
	return len(u.Unfused(g, x)) > 0
}

// TestFormulaParts: the parts that only derivatives read are those of the kernels. An attention has the log of its
// sums, 0 where a query sees no key, and a norm has factor and mean of its rows.
func TestFormulaParts(t *testing.T) {
	build := func() (*graph.Graph, []*graph.Node, map[string]graph.Buf) {
		g := graph.New()
		in := map[string]graph.Buf{"lengths": graph.BufOf([]int32{0, 3}, 2)}
		float := func(name string, shape ...int) *graph.Node {
			v := make([]float32, graph.Shape(shape).Size())
			for i := range v {
				v[i] = float32(i*i%11)/4 - 1
			}
			in[name] = graph.BufOf(v, shape...)
			return g.Input(name, graph.Of(graph.Float32, shape...))
		}
		q, k, v := float("q", 2, 3, 2, 4), float("k", 2, 5, 1, 4), float("v", 2, 5, 1, 4)
		lse := g.Apply(graph.Attention{Lengths: true, LSE: true}, q, k, v, g.Input("lengths", graph.Of(graph.Int32, 2)))
		x, w := float("x", 3, 4, 5), float("w", 5)
		return g, []*graph.Node{lse, g.Apply(graph.Norm{Eps: 1e-5, Weight: true, Of: 1}, x, w), g.Apply(graph.Norm{Eps: 1e-5, Weight: true, Of: 2}, x, w),
			g.Apply(graph.Norm{Eps: 1e-5, RMS: true, Of: 1}, x)}, in
	}
	cpu, x := plan.CPU(1), graphtest.NewRemote()
	defer cpu.Close()
	defer x.Close()
	x.Lacks = hasFormula
	g, outputs, in := build()
	want, err := graphtest.Planned(cpu, cpu.Options()).Eval(g, outputs, in)
	if err != nil {
		t.Fatal(err)
	}
	g, outputs, in = build()
	got, err := graphtest.Planned(x, x.Options()).Eval(g, outputs, in)
	if err != nil {
		t.Fatal(err)
	}
	for k := range want {
		for i, w := range graphtest.Floats(want[k]) {
			if v := graphtest.Floats(got[k])[i]; !graphtest.Close(v, w) {
				t.Errorf("output %d, element %d is %g, the kernel gives %g", k, i, v, w)
			}
		}
	}
	if v := graphtest.Floats(got[0])[0]; v != 0 {
		t.Errorf("the log of the sum over no key is %g", v)
	}
}
