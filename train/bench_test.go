package train

import (
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
)

// xorLoop is the tutorials' network under way.
func xorLoop(b *testing.B) *Loop {
	b.Helper()
	d := data.Rows([][]float32{{0, 0}, {0, 1}, {1, 0}, {1, 1}}, []float32{0, 1, 1, 0})
	net := nn.Sequential{nn.Linear{Out: 8}, nn.Tanh, nn.Linear{Out: 1}}
	l, err := Trainer{Model: net, Loss: nn.BCEWithLogits{}, Optimizer: Adam{LR: 0.01}, Steps: 1 << 30, Seed: 1, Executor: plan.CPU(1)}.Start(d)
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// BenchmarkXOR is a step of the loop; less BenchmarkXORPlan it is what the loop adds.
func BenchmarkXOR(b *testing.B) {
	l := xorLoop(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Step(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkXORPlan is the plan of the step alone.
func BenchmarkXORPlan(b *testing.B) {
	l := xorLoop(b)
	if _, err := l.src.Next(l.step.batch); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := l.step.prog.Run(l.step.in, graph.Scalars{Step: 1, LR: 0.01}); err != nil {
			b.Fatal(err)
		}
	}
}
