// Package goldentest runs tests against two tiny GPT-2 models whose values PyTorch has computed.
package goldentest

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
)

// Golden is a file of values that PyTorch computed: see testdata/golden.py.
type Golden struct {
	*testing.T
	File       *safetensors.File
	Model      gpt.GPT2
	DType      graph.DType
	Atol, Rtol float64 // of logits, gradients and parameters
	loss       float64 // absolute tolerance of losses; 0 means Atol and Rtol
}

// Each runs f with the two models in float32 and in float64.
func Each(t *testing.T, f func(gold Golden)) {
	biased := gpt.GPT2{Layers: 2, Heads: 4, Width: 32, Vocab: 96, Context: 16}
	bare := biased
	bare.NoBias, bare.GELUErf = true, true
	for _, gold := range []Golden{
		{Model: biased, DType: graph.Float32, Atol: 1e-5, Rtol: 1e-4, loss: 1e-5},
		{Model: biased, DType: graph.Float64, Atol: 1e-12, Rtol: 1e-9},
		{Model: bare, DType: graph.Float32, Atol: 1e-5, Rtol: 1e-4, loss: 1e-5},
		{Model: bare, DType: graph.Float64, Atol: 1e-12, Rtol: 1e-9},
	} {
		name := map[bool]string{false: "gpt_tiny", true: "gpt_nano"}[gold.Model.NoBias] + map[graph.DType]string{graph.Float64: "_f64"}[gold.DType]
		t.Run(name, func(t *testing.T) {
			file, err := safetensors.Open(filepath.Join(root(), "testdata", "golden", name+".safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			gold.T, gold.File = t, file
			f(gold)
		})
	}
}

// Buf returns a tensor of the file.
func (gold Golden) Buf(name string) graph.Buf {
	gold.Helper()
	v, ok := gold.File.Tensor(name)
	if !ok {
		gold.Fatalf("no tensor %s", name)
	}
	d := map[safetensors.DType]graph.DType{safetensors.F32: graph.Float32, safetensors.F64: graph.Float64, safetensors.I32: graph.Int32}[v.DType]
	return graph.Buf{Meta: graph.Of(d, v.Shape...), Mem: v.Data}
}

// Floats returns the numbers of a buffer of floats.
func Floats(b graph.Buf) []float64 {
	if b.DType == graph.Float64 {
		return graph.Data[float64](b)
	}
	v := make([]float64, b.Size())
	for i, x := range graph.Data[float32](b) {
		v[i] = float64(x)
	}
	return v
}

// Near reports whether a number is within the tolerance of the wanted one.
func (gold Golden) Near(got, want float64) bool {
	return math.Abs(got-want) <= gold.Atol+gold.Rtol*math.Abs(want)
}

// Same compares a value of a program or its state, by its name, with the tensor want of the file.
func (gold Golden) Same(prog plan.Program, name, want string) {
	gold.Helper()
	d, err := prog.Read(name)
	if err != nil {
		gold.Fatal(err)
	}
	b := gold.Buf(want)
	got, err := graph.BufOfDense(d, b.Meta)
	if err != nil {
		gold.Fatal(err)
	}
	g, w := Floats(got), Floats(b)
	for i := range w {
		if !gold.Near(g[i], w[i]) {
			gold.Errorf("%s[%d] = %.12g, want %.12g", want, i, g[i], w[i])
			return
		}
	}
}

// SameLoss compares a loss, which what names, with the wanted one.
func (gold Golden) SameLoss(what string, got, want float64) {
	gold.Helper()
	if gold.loss == 0 && !gold.Near(got, want) || gold.loss > 0 && !(math.Abs(got-want) <= gold.loss) {
		gold.Errorf("%s = %.12g, want %.12g", what, got, want)
	}
}

// Compile makes a program of g and sets the parameters to the file's.
func (gold Golden) Compile(x plan.Executor, g *graph.Graph, params *nn.Params) plan.Program {
	gold.Helper()
	p, err := plan.New(g, plan.Options{})
	if err != nil {
		gold.Fatal(err)
	}
	state := x.NewState()
	prog, err := x.Compile(p, state)
	if err != nil {
		gold.Fatal(err)
	}
	for _, q := range params.All() {
		if err := state.Write(q.Name, graph.Dense(gold.Buf(q.Name))); err != nil {
			gold.Fatal(err)
		}
	}
	return prog
}

// Scalar returns an output of one element.
func (gold Golden) Scalar(prog plan.Program, name string) float64 {
	gold.Helper()
	v, err := prog.Scalar(name)
	if err != nil {
		gold.Fatal(err)
	}
	return v
}

// Near fails a test where a value is farther than tol from the wanted one.
func Near(t *testing.T, what string, got, want []float32, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(float64(got[i])-float64(want[i])) <= tol) {
			t.Fatalf("%s: value %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

// root returns the repository's folder, seen from that of a test.
func root() string {
	dir := "."
	for !atomicfile.Exists(filepath.Join(dir, "go.mod")) {
		dir = filepath.Join(dir, "..")
	}
	return dir
}
