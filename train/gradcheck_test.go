package train

import (
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"gorgonia.org/gorgonia"
)

// twisted is y = tanh(x) whose derivative is off by a factor.
type twisted struct{ off float64 }

func (twisted) Infer(in []graph.Meta) (graph.Meta, error) { return graph.Tanh{}.Infer(in) }

func (w twisted) VJP(g *graph.Graph, x []*graph.Node, y, dy *graph.Node) []*graph.Node {
	return []*graph.Node{g.Scale(graph.Tanh{}.VJP(g, x, y, dy)[0], w.off)}
}

func (twisted) Eval(c *graph.Ctx, out, in []graph.Buf) error { return graph.Tanh{}.Eval(c, out, in) }

func TestGradCheck(t *testing.T) {
	b := data.NewBatch(classes(6).Eval().Fields(), 6)
	if _, err := classes(6).Eval().Next(b); err != nil {
		t.Fatal(err)
	}
	for _, off := range []float64{1, 1 + 1e-5} {
		act := nn.Func("Twisted", func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Apply(twisted{off}, x) })
		net := half{nn.Sequential{nn.Linear{Out: 5}, act, nn.LayerNorm{}, nn.Linear{Out: 3}}} // with a branch that is lost
		for _, full := range []bool{false, true} {
			c := GradCheck{Task: Supervised{net, nn.CrossEntropy{}}, Seed: 1, Full: full, Random: 0.3}
			r, err := c.Run(classes(6).Eval().Fields(), b, 6)
			must(t, r, err)
			if r.OK != (off == 1) || len(r.ByParam) != 6 || r.OK != (r.WorstRelErr <= 1e-6) {
				t.Errorf("off by %g, full %v: %+v", off, full, r)
			}
		}
	}
}

// TestForeign has an op of Gorgonia's own in a model: the run says so, once.
func TestForeign(t *testing.T) {
	var warned []string
	cube := nn.Func("Cube", func(g *graph.Graph, x *graph.Node) *graph.Node {
		y, err := gorgonia.Cube(x.Gorgonia())
		if err != nil {
			return g.Fail(err)
		}
		return g.Wrap(y)
	})
	tr := rows(SGD{LR: 0.01})
	tr.Model, tr.Warn = nn.Sequential{nn.Linear{Out: 3}, cube}, func(s string) { warned = append(warned, s) }
	run, err := tr.Fit(classes(12))
	if must(t, run, err); len(warned) != 1 {
		t.Fatalf("warned %q, want one line", warned)
	}
	wantErr(t, "foreign", errString(warned[0]), "foreign", "cube")
}

type errString string

func (e errString) Error() string { return string(e) }
