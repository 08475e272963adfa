package plan_test

import (
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
	for name, lacks := range map[string]func(graph.Op, []graph.Meta) bool{"all kernels": nil, "formulas": hasFormula} {
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
