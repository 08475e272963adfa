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
)

var update = flag.Bool("update", false, "write the golden plans anew")

// TestGoldenPlan compares the printed plan of the training step of preset tiny, batch 8, with the one in testdata: a
// change that should change nothing shows nothing.
func TestGoldenPlan(t *testing.T) {
	m := gptModel("tiny", gpt.Tiny, 8)
	golden(t, "tiny.plan", newPlan(t, m.step(t, graph.Float32), plan.Options{}).String())
}

// TestGoldenRecompute compares memory, steps and work of plans that compute activations again with those in testdata:
// of the models here, and of GPT-2 with LoRA, a row of 256 tokens.
func TestGoldenRecompute(t *testing.T) {
	short := gpt.GPT2
	short.Context = 256
	long := gptModel("GPT-2 with LoRA", short, 1)
	long.lora = &nn.LoRA{Targets: []string{"*.c_attn"}, Rank: 8}
	var b strings.Builder
	for _, m := range append(models()[1:], gptModel("tiny", gpt.Tiny, 8), long) {
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
