package plan_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
)

var update = flag.Bool("update", false, "write the golden plans anew")

// TestGoldenPlan compares the printed plan of the training step of preset tiny, batch 8, with the one in testdata: a
// change that should change nothing shows nothing.
func TestGoldenPlan(t *testing.T) {
	m := gptModel("tiny", gpt.Tiny, 8)
	got := newPlan(t, m.step(t, graph.Float32), plan.Options{}).String()
	path := filepath.Join("testdata", "tiny.plan")
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
			t.Fatalf("line %d of the plan is\n%s\nwant\n%s\n(go test ./graph/plan -run GoldenPlan -update writes it anew)", i+1, line, at(want, i))
		}
	}
}
