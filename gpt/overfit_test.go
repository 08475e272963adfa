package gpt_test

import (
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
)

// TestOverfit learns one batch by heart, to under 0.01 nats/token.
func TestOverfit(t *testing.T) {
	model := gpt.GPT2{Vocab: 32, Context: 16, Layers: 2, Heads: 2, Width: 32}
	params := nn.NewParams(graph.Float32)
	b := train.Builder{Params: params, Clip: 1, Task: train.Supervised{Model: model, Loss: nn.CrossEntropy{}}, Optimizer: train.AdamW{LR: 1e-2}}
	g, err := b.Step([]data.Field{{Name: "x", Int: true, Shape: []int{16}}, {Name: "y", Int: true, Shape: []int{16}}}, 4)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.New(g, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := plan.CPU(2)
	defer x.Close()
	state := &train.State{State: x.NewState(), Params: params}
	prog, err := x.Compile(p, state)
	if err != nil {
		t.Fatal(err)
	}
	if err := state.Init(1); err != nil {
		t.Fatal(err)
	}
	r := nn.NewRand(1, "ids")
	ids, targets := make([]int32, 64), make([]int32, 64)
	for i := range ids {
		ids[i], targets[i] = int32(32*r.Uniform(i, 0)), int32(32*r.Uniform(i, 1))
		if i%16 == 0 {
			ids[i] = int32(i / 16) // rows that began alike could not be told apart
		}
	}
	loss := 0.0
	for step := 1; step <= 300; step++ {
		if err := prog.Run(map[string]any{"x": ids, "y": targets}, graph.Scalars{Step: int64(step), LR: 1e-2}); err != nil {
			t.Fatal(err)
		}
		if loss, err = prog.Scalar("loss"); err != nil {
			t.Fatal(err)
		}
		if loss /= 64; loss < 0.01 {
			t.Logf("%g after %d steps", loss, step)
			return
		}
	}
	t.Errorf("seed 1: loss %g after 300 steps, want under 0.01 nats/token", loss)
}
