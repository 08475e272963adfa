package gpt_test

import (
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/goldentest"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
)

// TestGoldenGradients compares logits, loss and every gradient with PyTorch's.
func TestGoldenGradients(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	goldentest.Each(t, func(gold goldentest.Golden) {
		g, params := graph.New(), nn.NewParams(gold.DType)
		s := nn.NewScope(g, params, nn.Train)
		ids := graph.Of(graph.Int32, 2, 16)
		logits := gold.Model.Forward(s, s.Input("ids", ids))
		sum, weight := nn.CrossEntropy{}.Loss(s, logits, s.Input("targets", ids))
		loss := s.Div(sum, weight)
		var wrt []*graph.Node
		for _, p := range params.All() {
			wrt = append(wrt, s.Declared()[p.Name])
		}
		for i, d := range s.Grad(loss, wrt...) {
			s.Output("grad."+wrt[i].Name(), d)
		}
		s.Output("logits", logits)
		s.Output("loss", loss)
		prog := gold.Compile(x, g, params)
		in := map[string]any{"ids": graph.Dense(gold.Buf("ids")), "targets": graph.Dense(gold.Buf("targets"))}
		if err := prog.Run(in, graph.Scalars{}); err != nil {
			gold.Fatal(err)
		}
		gold.SameLoss("loss", gold.Scalar(prog, "loss"), goldentest.Floats(gold.Buf("loss"))[0])
		gold.Same(prog, "logits", "logits")
		n := 0
		for _, name := range gold.File.Names() {
			if strings.HasPrefix(name, "grad.") {
				gold.Same(prog, name, name)
				n++
			}
		}
		if n != len(params.All()) {
			gold.Errorf("the file has %d gradients, the model %d parameters", n, len(params.All()))
		}
	})
}

// TestGoldenTraining compares the losses and gradient norms of ten steps of clip and AdamW with PyTorch's. In float64
// it also compares the final parameters. In float32 it does not: where a gradient is zero, Adam makes steps of rounding
// noise.
func TestGoldenTraining(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	goldentest.Each(t, func(gold goldentest.Golden) {
		params := nn.NewParams(gold.DType)
		b := train.Builder{Params: params, Clip: 1, Task: train.Supervised{Model: gold.Model, Loss: nn.CrossEntropy{}},
			Optimizer: train.AdamW{LR: 1e-3, Beta2: 0.95, Decay: 0.1}}
		g, err := b.Step([]data.Field{{Name: "x", Int: true, Shape: []int{16}}, {Name: "y", Int: true, Shape: []int{16}}}, 2)
		if err != nil {
			gold.Fatal(err)
		}
		prog := gold.Compile(x, g, params)
		ids, targets := graph.Data[int32](gold.Buf("train.ids")), graph.Data[int32](gold.Buf("train.targets"))
		losses, norms := goldentest.Floats(gold.Buf("train.losses")), goldentest.Floats(gold.Buf("train.norms"))
		for i := range losses {
			in := map[string]any{"x": ids[i*32 : i*32+32], "y": targets[i*32 : i*32+32]}
			if err := prog.Run(in, graph.Scalars{Step: int64(i + 1), LR: 1e-3}); err != nil {
				gold.Fatal(err)
			}
			gold.SameLoss("loss of a step", gold.Scalar(prog, "loss")/gold.Scalar(prog, "weight"), losses[i])
			if got := gold.Scalar(prog, "grad_norm"); !gold.Near(got, norms[i]) {
				gold.Errorf("step %d: gradient norm %.12g, want %.12g", i+1, got, norms[i])
			}
		}
		for _, p := range params.All() {
			if gold.DType == graph.Float64 {
				gold.Same(prog, p.Name, "final."+p.Name)
			}
		}
	})
}
