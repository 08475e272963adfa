package cuda

import (
	"math"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/train"
)

// smallModels are toys of the families whose ops the kernels must have: what a step of each needs.
var smallModels = map[string]gpt.Model{
	"gpt2":    gpt.GPT2{Layers: 2, Heads: 2, Width: 32, Context: 32, Vocab: 256, Dropout: 0.1},
	"llama":   gpt.Llama{Layers: 2, Heads: 4, KVHeads: 2, Width: 32, MLPWidth: 48, Context: 32, Vocab: 256, Eps: 1e-5},
	"mistral": gpt.Llama{Layers: 2, Heads: 4, KVHeads: 1, Width: 32, MLPWidth: 48, Context: 32, Vocab: 256, Eps: 1e-5, Window: 9},
	"qwen3":   gpt.Llama{Layers: 2, Heads: 2, KVHeads: 1, Width: 32, MLPWidth: 48, Context: 32, Vocab: 256, Eps: 1e-6, QKNorm: true, HeadDim: 24, Tied: true},
}

// trained trains a model on the small text, and returns losses and gradient norms.
func trained(t *testing.T, m gpt.Model, x plan.Executor, accumulate int) (losses, norms []float64) {
	t.Helper()
	d, err := data.Text("../testdata/small.txt", data.TextOptions{Context: 16, Kind: "byte"})
	if err != nil {
		t.Fatal(err)
	}
	tr := train.Trainer{Model: m, Task: gpt.CausalLM{Model: m}, Optimizer: train.AdamW{LR: 1e-3, Beta1: 0.9, Beta2: 0.95, Decay: 0.1},
		Batch: 3, Steps: 4, Clip: 1, Accumulate: accumulate, Seed: 7, Executor: x}
	run, err := tr.Fit(d)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	for _, s := range run.History {
		losses, norms = append(losses, s.Loss), append(norms, s.GradNorm)
	}
	return losses, norms
}

// TestParity: a model trained on the emulated GPU has the CPU's losses within 1e-4, and its gradient norms within 1e-3,
// both relative.
func TestParity(t *testing.T) {
	cpu := plan.CPU(0)
	defer cpu.Close()
	for name, m := range smallModels {
		for _, accumulate := range []int{1, 2} {
			losses, norms := trained(t, m, newEmulated(t), accumulate)
			wantLosses, wantNorms := trained(t, m, cpu, accumulate)
			if e := worst(losses, wantLosses); !(e <= 1e-4) {
				t.Errorf("%s, %d micro-batches: losses %v, on the CPU %v", name, accumulate, losses, wantLosses)
			}
			if e := worst(norms, wantNorms); !(e <= 1e-3) {
				t.Errorf("%s, %d micro-batches: gradient norms %v, on the CPU %v", name, accumulate, norms, wantNorms)
			}
		}
	}
}

// worst is the largest relative difference.
func worst(got, want []float64) float64 {
	if len(got) != len(want) || len(want) == 0 {
		return math.Inf(1)
	}
	e := 0.0
	for i, w := range want {
		e = math.Max(e, math.Abs(got[i]-w)/math.Abs(w))
	}
	return e
}
