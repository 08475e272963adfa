package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// has tells whether a plan has a step with an op of op's type.
func has(p *plan.Plan, op graph.Op) bool {
	return slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return graph.OpName(s.Op) == graph.OpName(op) })
}

// lacks says that an executor has no kernel for ops of these types.
func lacks(ops ...graph.Op) func(graph.Op, []graph.Meta) bool {
	return func(op graph.Op, _ []graph.Meta) bool {
		return slices.ContainsFunc(ops, func(o graph.Op) bool { return graph.OpName(o) == graph.OpName(op) })
	}
}

// TestUnsupported: an executor without attention, norms and cross-entropies trains a GPT to nearly the same values, and
// its plan has no such op.
func TestUnsupported(t *testing.T) {
	if graphtest.Race {
		t.Skip("one goroutine: nothing for the race detector")
	}
	cpu := plan.CPU(2)
	defer cpu.Close()
	missing := []graph.Op{graph.Attention{}, graph.AttentionGrad{}, graph.Norm{}, graph.NormGrad{}, graph.CrossEntropy{}, graph.CrossEntropyGrad{}, graph.CrossEntropyBoth{}, graph.LinearCrossEntropy{}}
	for _, m := range models()[2:] {
		want := m.trained(t, cpu, graph.Float64, plan.Options{})
		for _, some := range append([][]graph.Op{missing}, [][]graph.Op{{graph.Attention{}}, {graph.AttentionGrad{}}, {graph.Norm{}}, {graph.NormGrad{}}, {graph.CrossEntropyBoth{}}, {graph.MatMul{Bias: true}}}...) {
			x := graphtest.NewRemote()
			x.Lacks = lacks(some...)
			if m, ok := some[0].(graph.MatMul); ok {
				x.Lacks = func(op graph.Op, _ []graph.Meta) bool {
					o, ok := op.(graph.MatMul)
					return ok && (o.Bias && m.Bias || o.Act != 0 || o.Acc)
				}
			}
			what := fmt.Sprintf("%s without %T", m.name, some)
			all := []plan.Options{{}, {NoFuse: true, NoAlias: true}, {Recompute: 0.1}}
			if len(some) == 1 {
				all = all[:1]
			}
			for _, o := range all {
				own := x.Options()
				own.NoFuse, own.NoAlias, own.Recompute = o.NoFuse, o.NoAlias, o.Recompute
				p := newPlan(t, m.step(t, graph.Float64), own)
				if err := check(p); err != nil {
					t.Errorf("%s: %v", what, err)
				}
				read := readSlots(p)
				for _, s := range p.Steps {
					if !s.Guarded && !slices.ContainsFunc(s.Out, func(y int) bool { return y >= 0 && read[y] }) {
						t.Errorf("%s: nothing reads the results of %s of %s", what, graph.Describe(s.Op), s.Scope)
					}
					if x.Lacks(s.Op, nil) {
						t.Errorf("%s: the plan has a %s", what, graph.Describe(s.Op))
					}
				}
				compare(t, what, m.trained(t, x, graph.Float64, own), want, 1e-10, 1e-7)
			}
		}
	}
}

// TestUnsupportedFused: passes make no op that the executor has no kernel for.
func TestUnsupportedFused(t *testing.T) {
	for name, build := range map[string]func(g *graph.Graph, x, w *graph.Node){
		"Act": func(g *graph.Graph, x, w *graph.Node) { g.Output("y", g.Tanh(g.MatMul(x, w))) },
		"Acc": func(g *graph.Graph, x, w *graph.Node) {
			acc := g.State("acc", graph.Of(graph.Float32, 3, 5), graph.Grad)
			g.Assign(acc, g.Add(acc, g.MatMul(x, w)))
		},
		"Acc:": func(g *graph.Graph, x, w *graph.Node) {
			ids := g.Input("ids", graph.Of(graph.Int32, 2))
			table := g.State("table", graph.Of(graph.Float32, 4, 4), graph.Param)
			y := g.Add(g.Sum(g.Embedding(ids, table)), g.Sum(g.MatMul(x, g.MatMul(table, w))))
			g.Output("dtable", g.Grad(y, table)[0])
		},
		"Concat": func(g *graph.Graph, x, w *graph.Node) {
			y := g.Add(g.Sum(g.Exp(g.Slice(x, 1, 0, 2))), g.Sum(g.Tanh(g.Slice(x, 1, 2, 4))))
			g.Output("dx", g.Grad(y, x)[0])
		},
	} {
		g := graph.New()
		build(g, g.Input("x", graph.Of(graph.Float32, 3, 4)), g.State("w", graph.Of(graph.Float32, 4, 5), graph.Param))
		made := func(op graph.Op) bool { return strings.Contains(graph.Describe(op), strings.TrimSuffix(name, ":")) }
		with := newPlan(t, g, plan.Options{})
		if !slices.ContainsFunc(with.Steps, func(s plan.Step) bool { return made(s.Op) }) {
			t.Fatalf("%s: the passes make no such op:\n%v", name, with)
		}
		x := graphtest.NewRemote()
		x.Lacks = func(op graph.Op, _ []graph.Meta) bool { return made(op) }
		without := newPlan(t, g, x.Options())
		if err := without.CheckOps(x.Options().Supports); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// readSlots tells which slots of a plan are read, by steps, through aliases or by name.
func readSlots(p *plan.Plan) []bool {
	read := make([]bool, len(p.Slots))
	for _, s := range p.Steps {
		for _, x := range s.In {
			read[x] = true
		}
	}
	for _, o := range p.Outputs {
		read[o.Slot] = true
	}
	for _, g := range p.Guards {
		read[g] = true
	}
	for i := range p.Slots { // what is read through a view
		for x := i; read[i] && p.Slots[x].Base >= 0; {
			x = p.Slots[x].Base
			read[x] = true
		}
	}
	for i := range p.Slots { // what is written through a view
		if r, _ := p.Root(i); read[r] {
			read[i] = true
		}
	}
	return read
}

// TestUnsupportedNamed: an op without a kernel and without a formula is an error that names op, metas and scope, also
// within the formula of another.
func TestUnsupportedNamed(t *testing.T) {
	for _, c := range []struct {
		missing []graph.Op
		want    string
	}{
		{[]graph.Op{graph.Embedding{}}, "plan: wte: Embedding[int32[2 64] float32[61 32]]: there is no formula of other ops: plan: the executor does not support the op"},
		{[]graph.Op{graph.Attention{}, graph.Softmax{}}, "plan: h.0.attn: Softmax[float32[2 4 64 64]]: there is no formula"},
		{[]graph.Op{graph.MatMul{}}, "plan: h.0.attn.c_attn: MatMul["},
	} {
		x := graphtest.NewRemote()
		x.Lacks = lacks(c.missing...)
		m := gptModel("gpt", small, 2)
		_, err := plan.New(m.step(t, graph.Float32), x.Options())
		if !errors.Is(err, plan.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("without %v: %v, want ErrUnsupported and %q", c.missing, err, c.want)
		}
		p := newPlan(t, m.step(t, graph.Float32), plan.Options{})
		if _, err := x.Compile(p, x.NewState()); !errors.Is(err, plan.ErrUnsupported) {
			t.Errorf("without %v: Compile of a plan of the CPU's: %v", c.missing, err)
		}
	}
	failed := errors.New("broken")
	m := gptModel("gpt", small, 2)
	_, err := plan.New(m.step(t, graph.Float32), plan.Options{Supports: func(graph.Op, []graph.Meta) error { return failed }})
	if !errors.Is(err, failed) || errors.Is(err, plan.ErrUnsupported) {
		t.Errorf("an executor that fails to say what it supports: %v", err)
	}
}
