package nn_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/goldentest"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
)

// goldenRow is a layer or loss beside the case of that name in testdata/golden/layers. Parameters carry the names of
// the layer's own. The operand is x; losses have logits and targets, or x and t.
type goldenRow struct {
	name  string
	layer nn.Layer
	loss  nn.Loss
}

var goldenRows = []goldenRow{
	{name: "linear", layer: nn.Linear{Out: 5}},
	{name: "linear_nobias", layer: nn.Linear{Out: 5, NoBias: true}},
	{name: "linear_out_in", layer: nn.Linear{Out: 5, OutIn: true}},
	{name: "embedding", layer: nn.Embedding{Vocab: 7, Dim: 4}},
	{name: "layer_norm", layer: nn.LayerNorm{}},
	{name: "layer_norm_nobias", layer: nn.LayerNorm{NoBias: true}},
	{name: "rms_norm", layer: nn.RMSNorm{}},
	{name: "gelu_tanh", layer: nn.GELU},
	{name: "gelu_erf", layer: nn.GELUErf},
	{name: "silu", layer: nn.SiLU},
	{name: "softplus", layer: nn.Softplus},
	{name: "elu", layer: nn.ELU{Alpha: 1.3}},
	{name: "leaky_relu", layer: nn.LeakyReLU{Slope: 0.2}},
	{name: "relu", layer: nn.ReLU},
	{name: "tanh", layer: nn.Tanh},
	{name: "sigmoid", layer: nn.Sigmoid},
	{name: "cross_entropy", loss: nn.CrossEntropy{}},
	{name: "cross_entropy_ignore", loss: nn.CrossEntropy{Ignore: -100}},
	{name: "cross_entropy_smoothing", loss: nn.CrossEntropy{Smoothing: 0.1}},
	{name: "cross_entropy_weighted", loss: nn.CrossEntropy{Ignore: -100, Weights: classWeight}},
	{name: "cross_entropy_all", loss: nn.CrossEntropy{Ignore: -100, Smoothing: 0.1, Weights: classWeight}},
	{name: "bce_with_logits", loss: nn.BCEWithLogits{}},
	{name: "bce_with_logits_pos", loss: nn.BCEWithLogits{PosWeight: []float64{0.5, 1, 3, 7}}},
	{name: "mse", loss: nn.MSE{}},
	{name: "l1", loss: nn.L1{}},
	{name: "huber", loss: nn.Huber{Delta: 0.7}},
}

// classWeight are the class weights of testdata/golden_layers.py, as float32 values.
var classWeight = []float64{1.3791619539260864, 0.3721078634262085, 0.8213149309158325, 0.9848717451095581, 1.3082983493804932, 1.7791937589645386, 1.3594528436660767}

// precision is a golden file's dtype and how near a value must be.
type precision struct {
	dtype      graph.DType
	suffix     string
	atol, rtol float64
}

var precisions = []precision{{graph.Float32, "", 1e-5, 1e-4}, {graph.Float64, "_f64", 1e-12, 1e-9}}

// TestGoldenLayers compares outputs and all gradients with PyTorch's, through the plan and the CPU executor.
func TestGoldenLayers(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	for _, p := range precisions {
		f, err := safetensors.Open(filepath.Join("..", "testdata", "golden", "layers"+p.suffix+".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, r := range goldenRows {
			t.Run(r.name+p.suffix, func(t *testing.T) { r.run(t, x, f, p) })
		}
	}
}

func tensorBuf(t *testing.T, f *safetensors.File, name string) graph.Buf {
	t.Helper()
	v, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	d := map[safetensors.DType]graph.DType{safetensors.F32: graph.Float32, safetensors.F64: graph.Float64, safetensors.I32: graph.Int32}[v.DType]
	return graph.Buf{Meta: graph.Of(d, v.Shape...), Mem: v.Data}
}

// run builds the layer, sets its parameters, and compares.
func (r goldenRow) run(t *testing.T, x plan.Executor, f *safetensors.File, p precision) {
	g, params := graph.New(), nn.NewParams(p.dtype)
	s := nn.NewScope(g, params, nn.Train)
	in, of := map[string]any{}, map[string]*graph.Node{} // of: what has a gradient
	input := func(name string) *graph.Node {
		b := tensorBuf(t, f, r.name+"/"+name)
		n := g.Input(name, b.Meta)
		in[name] = graph.Dense(b)
		if _, ok := f.Tensor(r.name + "/d" + name); ok {
			of[name] = n
		}
		return n
	}
	y := r.build(s, f, input)
	for name, n := range s.Declared() {
		of[name] = n
	}
	names, wrt := []string{}, []*graph.Node{}
	for _, v := range f.Names() {
		if name, ok := strings.CutPrefix(v, r.name+"/d"); ok && name != "y" {
			if of[name] == nil {
				t.Fatalf("nothing built is %s", name)
			}
			names, wrt = append(names, "d"+name), append(wrt, of[name])
		}
	}
	loss := g.Mul(y, input("dy"))
	if len(y.Shape()) > 0 {
		loss = g.Sum(loss)
	}
	g.Output("y", y)
	for i, d := range g.Grad(loss, wrt...) {
		g.Output(names[i], d)
	}
	prog := compile(t, x, g, func(state plan.State) {
		for _, q := range params.All() {
			write(t, state, q.Name, tensorBuf(t, f, r.name+"/"+q.Name))
		}
	})
	if err := prog.Run(in, graph.Scalars{Step: 1}); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, "y") {
		same(t, prog, name, tensorBuf(t, f, r.name+"/"+name), p)
	}
	if _, ok := f.Tensor(r.name + "/weight_sum"); ok {
		same(t, prog, "weight_sum", tensorBuf(t, f, r.name+"/weight_sum"), p)
	}
}

// build adds the row's layer or loss.
func (r goldenRow) build(s *nn.Scope, f *safetensors.File, input func(string) *graph.Node) *graph.Node {
	if r.layer != nil {
		x := "x"
		if _, ok := f.Tensor(r.name + "/x"); !ok {
			x = "ids"
		}
		return r.layer.Forward(s, input(x))
	}
	x, t := "x", "t"
	if _, ok := f.Tensor(r.name + "/x"); !ok {
		x, t = "logits", "targets"
	}
	sum, weight := r.loss.Loss(s, input(x), input(t))
	s.Output("weight_sum", weight)
	return sum
}

// compile makes a program of g on x, with its state filled.
func compile(t *testing.T, x plan.Executor, g *graph.Graph, fill func(plan.State)) plan.Program {
	t.Helper()
	p, err := plan.New(g, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	state := x.NewState()
	prog, err := x.Compile(p, state)
	if err != nil {
		t.Fatal(err)
	}
	fill(state)
	return prog
}

func write(t *testing.T, s plan.State, name string, b graph.Buf) {
	t.Helper()
	if err := s.Write(name, graph.Dense(b)); err != nil {
		t.Fatal(err)
	}
}

// same compares an output with what it must be.
func same(t *testing.T, prog plan.Program, name string, want graph.Buf, p precision) {
	t.Helper()
	d, err := prog.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := graph.BufOfDense(d, want.Meta)
	if err != nil {
		t.Fatal(err)
	}
	g, w := goldentest.Floats(got), goldentest.Floats(want)
	for i := range w {
		if !(math.Abs(g[i]-w[i]) <= p.atol+p.rtol*math.Abs(w[i])) {
			t.Errorf("%s[%d] = %.12g, want %.12g", name, i, g[i], w[i])
			return
		}
	}
}
