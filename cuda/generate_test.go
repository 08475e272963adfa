package cuda

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/pretrained"
)

// continued continues prompts of ids with a model of the tests, greedily and by beams.
func continued(t *testing.T, x plan.Executor, model string) (all []generate.Sequence) {
	t.Helper()
	s, err := pretrained.Open(filepath.Join("../gpt/testdata/hf", model))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g, err := s.Generator(x)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	g.Tokenizer = nil
	prompts := [][]int32{{5, 9, 2}, {7}}
	for _, o := range []generate.Options{{Tokens: 4}, {Tokens: 4, Beams: 3, Returns: 2, LengthPenalty: 1}} {
		seqs, err := g.Generate(prompts, o)
		if err != nil {
			t.Fatalf("%s: %v", model, err)
		}
		all = append(all, seqs...)
	}
	return all
}

// TestGenerate: greedy and beam ids on the emulated GPU are the CPU's, and log-probabilities are within 1e-4.
func TestGenerate(t *testing.T) {
	cpu := plan.CPU(0)
	defer cpu.Close()
	for _, model := range []string{"gpt2", "llama-llama3", "mistral", "qwen2", "qwen3", "gemma3", "phi3-partial", "olmo2", "smollm3"} {
		got, want := continued(t, newEmulated(t), model), continued(t, cpu, model)
		for i, w := range want {
			if g := got[i]; fmt.Sprint(g.IDs) != fmt.Sprint(w.IDs) {
				t.Errorf("%s: sequence %d has ids %v, on the CPU %v", model, i, g.IDs, w.IDs)
			} else {
				for k, p := range w.LogProbs {
					if math.Abs(float64(g.LogProbs[k]-p)) > 1e-4 {
						t.Errorf("%s: sequence %d, token %d: log-probability %g, on the CPU %g", model, i, k, g.LogProbs[k], p)
					}
				}
			}
		}
	}
}
