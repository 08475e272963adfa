package graph_test

import (
	"encoding/json"
	"math"
	"path/filepath"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/internal/vec"
)

// golden is a file of values that PyTorch computed: see testdata/golden.py.
type golden struct {
	t          *testing.T
	file       *safetensors.File
	dtype      graph.DType
	atol, rtol float64
}

// eachGolden runs f with the float32 and with the float64 file of a name.
func eachGolden(t *testing.T, name string, f func(t *testing.T, gold golden)) {
	for _, gold := range []golden{{dtype: graph.Float32, atol: 1e-5, rtol: 1e-4}, {dtype: graph.Float64, atol: 1e-12, rtol: 1e-9}} {
		t.Run(gold.dtype.String(), func(t *testing.T) {
			path := filepath.Join("..", "testdata", "golden", name+map[graph.DType]string{graph.Float64: "_f64"}[gold.dtype]+".safetensors")
			file, err := safetensors.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			gold.t, gold.file = t, file
			f(t, gold)
		})
	}
}

// buf is the value of a name, not a copy.
func (gold golden) buf(name string) graph.Buf {
	gold.t.Helper()
	v, ok := gold.file.Tensor(name)
	if !ok {
		gold.t.Fatalf("no tensor %s", name)
	}
	d := map[safetensors.DType]graph.DType{safetensors.F32: graph.Float32, safetensors.F64: graph.Float64, safetensors.I32: graph.Int32}[v.DType]
	return graph.Buf{Meta: graph.Of(d, v.Shape...), Mem: v.Data}
}

// same compares a value with the one of a name.
func (gold golden) same(name string, got graph.Buf) {
	gold.t.Helper()
	want := gold.buf(name)
	if !got.Meta.Equal(want.Meta) {
		gold.t.Fatalf("%s is %v, want %v", name, got.Meta, want.Meta)
	}
	g, w := graphtest.Floats(got), graphtest.Floats(want)
	for i := range w {
		if !(math.Abs(g[i]-w[i]) <= gold.atol+gold.rtol*math.Abs(w[i])) {
			gold.t.Errorf("%s[%d] = %.12g, want %.12g", name, i, g[i], w[i])
			return
		}
	}
}

// A layer is one of the golden file's cases: its operands by name, and how it is built of them.
type goldenLayer struct {
	name  string
	in    []string
	build func(g *graph.Graph, x []*graph.Node) *graph.Node
}

func goldenEntropy(smoothing float64) func(g *graph.Graph, x []*graph.Node) *graph.Node {
	return func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.CrossEntropy(x[0], x[1], goldenOpts(smoothing, x))
	}
}

func goldenOpts(smoothing float64, x []*graph.Node) graph.CrossEntropyOpts {
	opt := graph.CrossEntropyOpts{HasIgnore: true, IgnoreIndex: -100, Smoothing: smoothing}
	if len(x) > 2 {
		opt.Weights = x[2]
	}
	return opt
}

var goldenLayers = []goldenLayer{
	{"linear", []string{"x", "weight", "bias"}, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Linear(x[0], x[1], x[2]) }},
	{"linear_nobias", []string{"x", "weight"}, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.MatMul(x[0], x[1]) }},
	{"linear_out_in", []string{"x", "weight", "bias"}, func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.Apply(graph.MatMul{TransB: true, Bias: true}, x...)
	}},
	{"embedding", []string{"ids", "weight"}, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Embedding(x[0], x[1]) }},
	{"layer_norm", []string{"x", "weight", "bias"}, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.LayerNorm(x[0], x[1], x[2], 1e-5) }},
	{"layer_norm_nobias", []string{"x", "weight"}, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.LayerNorm(x[0], x[1], nil, 1e-5) }},
	{"rms_norm", []string{"x", "weight"}, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.RMSNorm(x[0], x[1], 1e-6) }},
	{"softmax", []string{"x"}, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Softmax(x[0], -1) }},
	{"softmax_axis1", []string{"x"}, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Softmax(x[0], 1) }},
	{"log_softmax", []string{"x"}, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.LogSoftmax(x[0], -1) }},
	{"log_softmax_axis1", []string{"x"}, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.LogSoftmax(x[0], 1) }},
	{"cross_entropy", []string{"logits", "targets"}, goldenEntropy(0)},
	{"cross_entropy_ignore", []string{"logits", "targets"}, goldenEntropy(0)},
	{"cross_entropy_smoothing", []string{"logits", "targets"}, goldenEntropy(0.1)},
	{"cross_entropy_weighted", []string{"logits", "targets", "class_weight"}, goldenEntropy(0)},
	{"cross_entropy_all", []string{"logits", "targets", "class_weight"}, goldenEntropy(0.1)},
}

// TestGoldenLayers compares results and gradients with PyTorch's.
func TestGoldenLayers(t *testing.T) {
	eachGolden(t, "layers", func(t *testing.T, gold golden) {
		for _, l := range goldenLayers {
			t.Run(l.name, func(t *testing.T) {
				gold.t = t
				gold.layer(l)
			})
		}
	})
}

func (gold golden) layer(l goldenLayer) {
	t, g, in := gold.t, graph.New(), map[string]graph.Buf{}
	input := func(name string) *graph.Node {
		in[name] = gold.buf(l.name + "/" + name)
		return g.Input(name, in[name].Meta)
	}
	var x, wrt []*graph.Node
	for _, name := range l.in {
		n := input(name)
		x = append(x, n)
		if _, ok := gold.file.Tensor(l.name + "/d" + name); ok {
			wrt = append(wrt, n)
		}
	}
	y := l.build(g, x)
	loss := g.Mul(y, input("dy"))
	if len(y.Shape()) > 0 {
		loss = g.Sum(loss)
	}
	out, names := append([]*graph.Node{y}, g.Grad(loss, wrt...)...), []string{l.name + "/y"}
	for _, n := range wrt {
		names = append(names, l.name+"/d"+n.Name())
	}
	if weight := l.name + "/weight_sum"; len(x) > 1 && x[0].Name() == "logits" {
		out, names = append(out, g.CrossEntropyWeight(x[0], x[1], goldenOpts(0, x))), append(names, weight)
	}
	pool := vec.NewPool(1)
	defer pool.Close()
	got, err := graphtest.Interpreter(pool).Eval(g, out, in)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		gold.same(name, got[i])
	}
}

// hyper are the settings of a golden optimizer, by PyTorch's names.
type hyper struct {
	LR          float64
	Betas       [2]float64
	Eps         float64
	WeightDecay float64 `json:"weight_decay"`
	Momentum    float64
	Nesterov    bool
}

// update builds one step of an optimizer on p, dp, m, v and scale. It returns new values of p, m and v, nil where
// there are none.
func (h hyper) update(g *graph.Graph, name string, x []*graph.Node) (p, m, v *graph.Node) {
	if h.Eps == 0 {
		p, m = g.SGD(graph.SGD{Momentum: h.Momentum, Nesterov: h.Nesterov, Decay: h.WeightDecay}, x[0], x[1], x[2], x[4])
		return p, m, nil
	}
	op := graph.AdamW{Beta1: h.Betas[0], Beta2: h.Betas[1], Eps: h.Eps, Decay: h.WeightDecay, Decoupled: name == "adamw"}
	return g.AdamW(op, x[0], x[1], x[2], x[3], x[4])
}

// TestGoldenOptimizers compares ten steps of each optimizer with PyTorch's. The gradients are doubled and scale is ½.
func TestGoldenOptimizers(t *testing.T) {
	eachGolden(t, "optim", func(t *testing.T, gold golden) {
		var cases map[string]hyper
		if err := json.Unmarshal([]byte(gold.file.Meta["cases"]), &cases); err != nil || len(cases) < 8 {
			t.Fatalf("%d cases: %v", len(cases), err)
		}
		for name, h := range cases {
			t.Run(name, func(t *testing.T) {
				gold.t = t
				gold.steps(name, h)
			})
		}
	})
}

func (gold golden) steps(name string, h hyper) {
	t, m := gold.t, graph.Of(gold.dtype, 2, 3)
	g := graph.New()
	var x []*graph.Node
	in := map[string]graph.Buf{}
	for _, n := range []string{"p", "dp", "m", "v", "scale"} {
		s := m
		if n == "scale" {
			s = graph.Of(gold.dtype)
		}
		x = append(x, g.Input(n, s))
		in[n] = graph.NewBuf(s)
	}
	copy(in["p"].Mem, gold.buf("p0").Mem)
	setFloats(in["scale"], 0.5)
	p, m1, v1 := h.update(g, name, x)
	names, out := []string{"p"}, []*graph.Node{p}
	for n, y := range map[string]*graph.Node{"m": m1, "v": v1} {
		if y != nil {
			names, out = append(names, n), append(out, y)
		}
	}
	pool := vec.NewPool(1)
	defer pool.Close()
	e := graphtest.Interpreter(pool)
	e.Scalars.LR = h.LR
	grads, path := graphtest.Floats(gold.buf("grads")), graph.NewBuf(graph.Of(gold.dtype, 10, 2, 3))
	for step := range 10 {
		e.Scalars.Step = int64(step + 1)
		for i := range 6 {
			setFloat(in["dp"], i, 2*grads[6*step+i])
		}
		got, err := e.Eval(g, out, in)
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range names {
			in[n] = got[i]
		}
		copy(path.Mem[step*m.Bytes():], got[0].Mem)
	}
	gold.same(name, path)
}

func setFloats(b graph.Buf, v float64) {
	for i := range b.Size() {
		setFloat(b, i, v)
	}
}

func setFloat(b graph.Buf, i int, v float64) {
	if b.DType == graph.Float64 {
		graph.Data[float64](b)[i] = v
	} else {
		graph.Data[float32](b)[i] = float32(v)
	}
}
