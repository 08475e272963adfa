package plan_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
)

var update = flag.Bool("update", false, "write the golden plans anew")

// TestGoldenPlan compares the printed plan of the training step of preset tiny, batch 8, with the one in testdata. A
// change that should change nothing shows nothing.
func TestGoldenPlan(t *testing.T) {
	m := gptModel("tiny", gpt.Tiny, 8)
	golden(t, "tiny.plan", newPlan(t, m.step(t, graph.Float32), plan.Options{}).String())
}

// TestGoldenRecompute compares plans that compute activations again with testdata: memory, steps and work. They are
// plans of the models here, of GPT-2 on a row of 256 tokens, and of SmolLM2 with LoRA on 8 rows of 64.
func TestGoldenRecompute(t *testing.T) {
	row := gpt.GPT2Small
	row.Context = 256
	smol := gpt.Llama{Vocab: 49152, Context: 64, Layers: 30, Width: 576, MLPWidth: 1536, Heads: 9, KVHeads: 3, Eps: 1e-5, Rotary: graph.RotaryOpts{Base: 1e5}, Tied: true}
	gpt2, llama := gptModel("GPT-2 with LoRA", row, 1), gptModel("SmolLM2 with LoRA", row, 8)
	gpt2.lora = &nn.LoRA{Targets: []string{"*.c_attn"}, Rank: 8}
	llama.lora = &nn.LoRA{Targets: []string{"*.q_proj", "*.v_proj"}, Rank: 8}
	llama.build.Task = train.Supervised{Model: smol, Loss: nn.CrossEntropy{}}
	for i := range llama.fields {
		llama.fields[i].Shape = []int{smol.Context}
	}
	var b strings.Builder
	for _, m := range append(models()[1:], gptModel("tiny", gpt.Tiny, 8), gptModel("GPT-2", row, 1), gptModel("GPT-2", row, 4), gpt2, llama) {
		fmt.Fprintf(&b, "%s, batch %d\n", m.name, m.batch)
		g := m.step(t, graph.Float32)
		for _, share := range []float64{0, 0.01, 0.02, 0.05, 0.1, 0.2, 1} {
			p := newPlan(t, g, plan.Options{Recompute: share})
			fmt.Fprintf(&b, "%6g %12d bytes of activations %5d steps %14d FLOPs %12d bytes moved\n", share, p.Sizes[plan.Activations], len(p.Steps), p.FLOPs(), p.Moved())
		}
	}
	golden(t, "recompute.txt", b.String())
}

// golden compares what a test has made with a file in testdata; -update writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(string(b), "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(want) || line != want[i] {
			t.Fatalf("line %d of %s is\n%s\nwant\n%s\n(go test ./graph/plan -run %s -update writes it anew)", i+1, name, line, at(want, i), t.Name())
		}
	}
}
