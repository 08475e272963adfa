//go:build gpu

package main

import (
	"math"
	"testing"

	"github.com/ceto-ml/ceto/cuda"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/graph/plan"
)

// TestKernels: the kernels of the op and of its derivative give on the emulated GPU what Eval gives.
func TestKernels(t *testing.T) {
	if err := registerKernels(); err != nil {
		t.Fatal(err)
	}
	gpu, err := cuda.Emulated()
	if err != nil {
		t.Fatal(err)
	}
	defer gpu.Close()
	cpu := plan.CPU(1)
	defer cpu.Close()
	row := graphtest.Case{Name: "Snake", In: []graphtest.Operand{{Shape: graph.Shape{7, 43}}},
		Build: func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Apply(Snake{A: 2}, x[0]) }}
	got, want := &kept{plan: graphtest.Planned(gpu, gpu.Options())}, &kept{plan: graphtest.Planned(cpu, cpu.Options())}
	for _, e := range []*kept{got, want} {
		if err := row.Evaluate(e); err != nil {
			t.Fatal(err)
		}
	}
	if len(want.values) != 2*7*43 {
		t.Fatalf("%d values, want result and gradient", len(want.values))
	}
	for i, w := range want.values {
		if math.Abs(got.values[i]-w) > graphtest.Atol+graphtest.Rtol*math.Abs(w) {
			t.Fatalf("value %d is %g, Eval gives %g", i, got.values[i], w)
		}
	}
}

// kept is an evaluator that keeps what another one gives.
type kept struct {
	plan   graphtest.Evaluator
	values []float64
}

func (k *kept) Eval(g *graph.Graph, outputs []*graph.Node, in map[string]graph.Buf) ([]graph.Buf, error) {
	out, err := k.plan.Eval(g, outputs, in)
	for _, b := range out {
		k.values = append(k.values, graphtest.Floats(b)...)
	}
	return out, err
}
