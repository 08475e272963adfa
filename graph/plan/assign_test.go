package plan_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
)

// assignRow builds on states a = (1, 2), b = (10, 20), c = (100, 200) and input x = (0.5, 0.25). It has the outputs
// and states after one run and after a second.
type assignRow struct {
	name  string
	build func(g *graph.Graph, a, b, c, x *graph.Node)
	want  [2]map[string][]float64
}

type values = map[string][]float64

var assignRows = []assignRow{
	{"in place", func(g *graph.Graph, a, _, _, x *graph.Node) { g.Assign(a, g.Add(a, x)) },
		[2]values{{"a": {1.5, 2.25}}, {"a": {2, 2.5}}}},
	{"swap", func(g *graph.Graph, a, b, _, _ *graph.Node) {
		g.Assign(a, b)
		g.Assign(b, a)
	}, [2]values{{"a": {10, 20}, "b": {1, 2}}, {"a": {1, 2}, "b": {10, 20}}}},
	{"rotate, computed", func(g *graph.Graph, a, b, c, x *graph.Node) {
		g.Assign(a, g.Add(b, x))
		g.Assign(b, c)
		g.Assign(c, g.Mul(a, x))
	}, [2]values{{"a": {10.5, 20.25}, "b": {100, 200}, "c": {0.5, 0.5}}, {"a": {100.5, 200.25}, "b": {0.5, 0.5}, "c": {5.25, 5.0625}}}},
	{"output of the old value", func(g *graph.Graph, a, _, _, x *graph.Node) {
		g.Output("old", a)
		g.Assign(a, g.Add(a, x))
	}, [2]values{{"old": {1, 2}, "a": {1.5, 2.25}}, {"old": {1.5, 2.25}, "a": {2, 2.5}}}},
	{"output of a view of the old value", func(g *graph.Graph, a, _, _, x *graph.Node) {
		g.Output("old", g.Reshape(a, 2, 1))
		g.Output("second", g.Slice(a, 0, 1, 2))
		g.Assign(a, g.Add(a, x))
	}, [2]values{{"old": {1, 2}, "second": {2}, "a": {1.5, 2.25}}, {"old": {1.5, 2.25}, "second": {2.25}, "a": {2, 2.5}}}},
	{"output of the new value", func(g *graph.Graph, a, _, _, x *graph.Node) {
		y := g.Add(a, x)
		g.Assign(a, y)
		g.Output("new", y)
	}, [2]values{{"new": {1.5, 2.25}, "a": {1.5, 2.25}}, {"new": {2, 2.5}, "a": {2, 2.5}}}},
	{"read after the new value is made", func(g *graph.Graph, a, _, _, x *graph.Node) {
		y := g.Add(a, x)
		g.Assign(a, y)
		g.Output("product", g.Mul(y, a))
	}, [2]values{{"product": {1.5, 4.5}, "a": {1.5, 2.25}}, {"product": {3, 5.625}, "a": {2, 2.5}}}},
	{"one value in two states", func(g *graph.Graph, a, b, _, x *graph.Node) {
		y := g.Add(a, x)
		g.Assign(a, y)
		g.Assign(b, y)
	}, [2]values{{"a": {1.5, 2.25}, "b": {1.5, 2.25}}, {"a": {2, 2.5}, "b": {2, 2.5}}}},
	{"itself", func(g *graph.Graph, a, _, _, _ *graph.Node) { g.Assign(a, a) }, [2]values{{"a": {1, 2}}, {"a": {1, 2}}}},
	{"an input", func(g *graph.Graph, a, _, _, x *graph.Node) { g.Assign(a, x) }, [2]values{{"a": {0.5, 0.25}}, {"a": {0.5, 0.25}}}},
	{"a view of another state", func(g *graph.Graph, a, b, _, _ *graph.Node) {
		g.Assign(a, g.Reshape(g.Reshape(b, 2, 1), 2))
		g.Assign(b, g.Reshape(g.Reshape(a, 2, 1), 2))
	}, [2]values{{"a": {10, 20}, "b": {1, 2}}, {"a": {1, 2}, "b": {10, 20}}}},
	{"a part of what another assignment made", func(g *graph.Graph, a, b, c, x *graph.Node) {
		y := g.Concat(0, g.Add(a, x), b)
		g.Assign(a, g.Slice(y, 0, 2, 4))
		g.Assign(c, g.Slice(y, 0, 0, 2))
		g.Output("both", y)
	}, [2]values{{"both": {1.5, 2.25, 10, 20}, "a": {10, 20}, "c": {1.5, 2.25}}, {"both": {10.5, 20.25, 10, 20}, "a": {10, 20}, "c": {10.5, 20.25}}}},
	{"zeros", func(g *graph.Graph, a, b, _, _ *graph.Node) {
		g.Assign(b, a)
		g.Assign(a, g.Full(a.Meta(), 0))
	}, [2]values{{"a": {0, 0}, "b": {1, 2}}, {"a": {0, 0}, "b": {0, 0}}}},
	{"a broadcast", func(g *graph.Graph, a, b, _, x *graph.Node) {
		g.Assign(a, g.Add(g.Sum(a), b))
		g.Assign(b, g.Add(b, g.Sum(x)))
	}, [2]values{{"a": {13, 23}, "b": {10.75, 20.75}}, {"a": {46.75, 56.75}, "b": {11.5, 21.5}}}},
	{"guarded by a loss", func(g *graph.Graph, a, b, _, x *graph.Node) {
		g.Assign(b, g.Mul(a, x))
		g.Guard(g.Sum(g.Exp(a)))
		g.Assign(a, g.Add(a, x))
	}, [2]values{{"a": {1.5, 2.25}, "b": {0.5, 0.5}}, {"a": {2, 2.5}, "b": {0.75, 0.5625}}}},
}

// TestAssign: a value is stored after the last read of the state's old one, under every kind of plan.
func TestAssign(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	for _, r := range assignRows {
		for _, o := range []plan.Options{{}, {NoFuse: true}, {NoAlias: true}} {
			m := graph.Of(graph.Float64, 2)
			g := graph.New()
			var s []*graph.Node
			for _, name := range []string{"a", "b", "c"} {
				s = append(s, g.State(name, m, graph.Statistic))
			}
			r.build(g, s[0], s[1], s[2], g.Input("x", m))
			p := newPlan(t, g, o)
			if err := check(p); err != nil {
				t.Errorf("%s %+v: %v\n%v", r.name, o, err, p)
			}
			state := x.NewState()
			prog, err := x.Compile(p, state)
			if err != nil {
				t.Fatal(err)
			}
			for i, name := range []string{"a", "b", "c"} {
				v := [...]float64{1, 10, 100}[i]
				if _, _, err := state.Meta(name); err != nil {
					continue // a state that the graph does not use
				}
				if err := state.Write(name, graph.Dense(graph.BufOf([]float64{v, 2 * v}, 2))); err != nil {
					t.Fatal(err)
				}
			}
			for run, want := range r.want {
				if err := prog.Run(map[string]any{"x": []float64{0.5, 0.25}}, graph.Scalars{}); err != nil {
					t.Fatal(err)
				}
				for name, w := range want {
					compare(t, r.name, values{name: read(t, prog, name)}, values{name: w}, 0, 0)
				}
				if t.Failed() {
					t.Fatalf("%s %+v, run %d:\n%v", r.name, o, run, p)
				}
			}
		}
	}
}

// TestAssignGuarded: new values that others are computed from. Where a guard fails, the outputs of the run are
// right all the same, and no state changes. Where it holds, b is made in place of a's new value, with no memory
// beside.
func TestAssignGuarded(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	m := graph.Of(graph.Float64, 2)
	for _, output := range []bool{false, true} {
		g := graph.New()
		a, b, in := g.State("a", m, graph.Statistic), g.State("b", m, graph.Average), g.Input("x", m)
		g.Guard(g.Sum(g.Input("guard", m)))
		y := g.AddScalar(a, 1)
		g.Assign(a, y)
		g.Assign(b, g.EMA(b, y, 0.5))
		if output {
			g.Output("product", g.Mul(y, in))
		}
		p := newPlan(t, g, plan.Options{})
		if n := p.Sizes[plan.Activations]; !output && n > 64 {
			t.Errorf("%d bytes of activations, want those of the guard alone:\n%v", n, p)
		}
		state := x.NewState()
		prog, err := x.Compile(p, state)
		if err != nil {
			t.Fatal(err)
		}
		for i, inf := range []float64{math.Inf(1), 0, math.Inf(1)} {
			if err := prog.Run(map[string]any{"x": []float64{2, 3}, "guard": []float64{inf, 0}}, graph.Scalars{}); (err != nil) != (inf != 0) {
				t.Fatal(err)
			}
			done := []float64{0, 1, 1}[i]
			want := values{"a": {done, done}, "b": {done / 2, done / 2}}
			if output {
				k := []float64{1, 1, 2}[i]
				want["product"] = []float64{2 * k, 3 * k}
			}
			for name, w := range want {
				compare(t, fmt.Sprintf("output %v, run %d", output, i), values{name: read(t, prog, name)}, values{name: w}, 0, 0)
			}
		}
	}
}

// TestAssignErrors: what cannot be stored.
func TestAssignErrors(t *testing.T) {
	for name, build := range map[string]func(g *graph.Graph, a, x *graph.Node){
		"shape":    func(g *graph.Graph, a, x *graph.Node) { g.Assign(a, g.Reshape(x, 2, 1)) },
		"twice":    func(g *graph.Graph, a, x *graph.Node) { g.Assign(a, x); g.Assign(a, x) },
		"an input": func(g *graph.Graph, a, x *graph.Node) { g.Assign(x, a) },
		"guard":    func(g *graph.Graph, a, x *graph.Node) { g.Guard(a) },
		"no name":  func(g *graph.Graph, a, x *graph.Node) { g.Output("", a) },
		"nothing":  func(*graph.Graph, *graph.Node, *graph.Node) {},
	} {
		g := graph.New()
		m := graph.Of(graph.Float32, 2)
		build(g, g.State("a", m, graph.Statistic), g.Input("x", m))
		if _, err := plan.New(g, plan.Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
