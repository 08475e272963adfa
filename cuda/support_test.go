package cuda

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

var update = flag.Bool("update", false, "write SUPPORT.md and testdata/skipped.txt")

// support is what the table of cases says of an op.
type support struct {
	kernels map[string]bool
	dtypes  map[string]bool
	rows    int
}

// counter is an evaluator that lowers plans and runs nothing.
type counter struct {
	ops map[string]*support
}

// Eval implements graphtest.Evaluator: it always ends with an error.
func (c counter) Eval(g *graph.Graph, outputs []*graph.Node, _ map[string]graph.Buf) ([]graph.Buf, error) {
	for i, n := range outputs {
		g.Output(fmt.Sprint("support.", i), n)
	}
	p, err := plan.New(g, Planner().Options())
	if err != nil {
		return nil, err
	}
	code, err := compile(p, ownOnly)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i, s := range p.Steps {
		name := graph.OpName(s.Op)
		o := c.ops[name]
		if o == nil {
			o = &support{kernels: map[string]bool{}, dtypes: map[string]bool{}}
			c.ops[name] = o
		}
		for _, l := range code.steps[i] {
			o.kernels[l.kernel] = true
		}
		for _, m := range append(p.Metas(s.In), outMetas(p, s.Out)...) {
			o.dtypes[m.DType.String()] = true
		}
		if !seen[name] {
			o.rows++
		}
		seen[name] = true
	}
	return nil, errCounted
}

var errCounted = errors.New("counted")

// outMetas are the metas of the results that something reads.
func outMetas(p *plan.Plan, out []int) (metas []graph.Meta) {
	for _, y := range out {
		if y >= 0 {
			metas = append(metas, p.Slots[y].Meta)
		}
	}
	return metas
}

// TestSupport: SUPPORT.md says which ops have kernels, and testdata/skipped.txt lists the rows of the table that have
// none.
func TestSupport(t *testing.T) {
	c := counter{ops: map[string]*support{}}
	var skipped []string
	rows := 0
	for _, row := range graphtest.Cases() {
		rows++
		err := row.Evaluate(c)
		if errors.Is(err, plan.ErrUnsupported) {
			skipped = append(skipped, row.Name)
		} else if !errors.Is(err, errCounted) {
			t.Errorf("%s: %v", row.Name, err)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# What the CUDA executor supports\n\nThis page is written by `go test ./cuda -run TestSupport -update` from the table of cases.\n\n")
	fmt.Fprintf(&b, "%d of %d rows have kernels; `testdata/skipped.txt` lists the others. Kernels compute in float32, and sums in float64 where the\nCPU's are. A dtype is one of an operand or result.\n\n| op | kernels | dtypes | rows |\n|---|---|---|---|\n", rows-len(skipped), rows)
	for _, name := range slices.Sorted(maps.Keys(c.ops)) {
		o := c.ops[name]
		kernels := strings.Join(slices.Sorted(maps.Keys(o.kernels)), " ")
		fmt.Fprintf(&b, "| %s | %s | %s | %d |\n", name, strings.ReplaceAll(kernels, "ceto_", ""), strings.Join(slices.Sorted(maps.Keys(o.dtypes)), " "), o.rows)
	}
	golden(t, "SUPPORT.md", b.Bytes())
	golden(t, "testdata/skipped.txt", []byte(strings.Join(skipped, "\n")+"\n"))
}

// golden compares a file with what it must be, or writes it.
func golden(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the table says (%v); write it anew: go test ./cuda -run TestSupport -update", path, err)
	}
}
