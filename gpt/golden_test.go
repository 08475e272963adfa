package gpt_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
)

// golden is a file of values that PyTorch computed: see testdata/golden.py.
type golden struct {
	*testing.T
	file       *safetensors.File
	model      gpt.Config
	dtype      graph.DType
	atol, rtol float64 // of logits, gradients and parameters
	loss       float64 // of losses, absolute; 0: as the rest
}

// eachGolden runs f with the two models in float32 and in float64.
func eachGolden(t *testing.T, f func(gold golden)) {
	biased := gpt.Config{Layers: 2, Heads: 4, Width: 32, Vocab: 96, Context: 16}
	bare := biased
	bare.NoBias, bare.GELUErf = true, true
	for _, gold := range []golden{
		{model: biased, dtype: graph.Float32, atol: 1e-5, rtol: 1e-4, loss: 1e-5},
		{model: biased, dtype: graph.Float64, atol: 1e-12, rtol: 1e-9},
		{model: bare, dtype: graph.Float32, atol: 1e-5, rtol: 1e-4, loss: 1e-5},
		{model: bare, dtype: graph.Float64, atol: 1e-12, rtol: 1e-9},
	} {
		name := map[bool]string{false: "gpt_tiny", true: "gpt_nano"}[gold.model.NoBias] + map[graph.DType]string{graph.Float64: "_f64"}[gold.dtype]
		t.Run(name, func(t *testing.T) {
			file, err := safetensors.Open(filepath.Join("..", "testdata", "golden", name+".safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			gold.T, gold.file = t, file
			f(gold)
		})
	}
}

func (gold golden) buf(name string) graph.Buf {
	gold.Helper()
	v, ok := gold.file.Tensor(name)
	if !ok {
		gold.Fatalf("no tensor %s", name)
	}
	d := map[safetensors.DType]graph.DType{safetensors.F32: graph.Float32, safetensors.F64: graph.Float64, safetensors.I32: graph.Int32}[v.DType]
	return graph.Buf{Meta: graph.Of(d, v.Shape...), Mem: v.Data}
}

func floats(b graph.Buf) []float64 {
	if b.DType == graph.Float64 {
		return graph.Data[float64](b)
	}
	v := make([]float64, b.Size())
	for i, x := range graph.Data[float32](b) {
		v[i] = float64(x)
	}
	return v
}

func (gold golden) near(got, want float64) bool {
	return math.Abs(got-want) <= gold.atol+gold.rtol*math.Abs(want)
}

// same compares what a program or its state calls name with the file's want.
func (gold golden) same(prog plan.Program, name, want string) {
	gold.Helper()
	d, err := prog.Read(name)
	if err != nil {
		gold.Fatal(err)
	}
	b := gold.buf(want)
	got, err := graph.BufOfDense(d, b.Meta)
	if err != nil {
		gold.Fatal(err)
	}
	g, w := floats(got), floats(b)
	for i := range w {
		if !gold.near(g[i], w[i]) {
			gold.Errorf("%s[%d] = %.12g, want %.12g", want, i, g[i], w[i])
			return
		}
	}
}

// sameLoss compares losses.
func (gold golden) sameLoss(what string, got, want float64) {
	gold.Helper()
	if gold.loss == 0 && !gold.near(got, want) || gold.loss > 0 && !(math.Abs(got-want) <= gold.loss) {
		gold.Errorf("%s = %.12g, want %.12g", what, got, want)
	}
}

// compile makes a program of g and sets the parameters to the file's.
func (gold golden) compile(x plan.Executor, g *graph.Graph, params *nn.Params) plan.Program {
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
		if err := state.Write(q.Name, graph.Dense(gold.buf(q.Name))); err != nil {
			gold.Fatal(err)
		}
	}
	return prog
}

func (gold golden) scalar(prog plan.Program, name string) float64 {
	gold.Helper()
	v, err := prog.Scalar(name)
	if err != nil {
		gold.Fatal(err)
	}
	return v
}

// TestGoldenGradients compares logits, loss and every gradient with PyTorch's.
func TestGoldenGradients(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	eachGolden(t, func(gold golden) {
		g, params := graph.New(), nn.NewParams(gold.dtype)
		s := nn.NewScope(g, params, nn.Train)
		ids := graph.Of(graph.Int32, 2, 16)
		logits := gold.model.Forward(s, s.Input("ids", ids))
		sum, weight := nn.CrossEntropy{}.Loss(s, logits, s.Input("targets", ids))
		loss := s.Div(sum, weight)
		var wrt []*graph.Node
		for _, p := range params.All() {
			wrt = append(wrt, s.Declared()[p.Name])
		}
		for i, d := range s.Grad(loss, wrt...) {
			s.Output("grad."+wrt[i].Name(), d)
		}
		s.Output("logits", logits)
		s.Output("loss", loss)
		prog := gold.compile(x, g, params)
		in := map[string]any{"ids": graph.Dense(gold.buf("ids")), "targets": graph.Dense(gold.buf("targets"))}
		if err := prog.Run(in, graph.Scalars{}); err != nil {
			gold.Fatal(err)
		}
		gold.sameLoss("loss", gold.scalar(prog, "loss"), floats(gold.buf("loss"))[0])
		gold.same(prog, "logits", "logits")
		n := 0
		for _, name := range gold.file.Names() {
			if strings.HasPrefix(name, "grad.") {
				gold.same(prog, name, name)
				n++
			}
		}
		if n != len(params.All()) {
			gold.Errorf("the file has %d gradients, the model %d parameters", n, len(params.All()))
		}
	})
}

// TestGoldenTraining compares the losses and gradient norms of ten steps of clip and AdamW with PyTorch's; in float64
// the final parameters too (in float32 Adam makes steps of rounding noise where a gradient is zero).
func TestGoldenTraining(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	eachGolden(t, func(gold golden) {
		params := nn.NewParams(gold.dtype)
		b := train.Builder{Params: params, Clip: 1, Task: train.Supervised{Model: gold.model, Loss: nn.CrossEntropy{}},
			Optimizer: train.AdamW{LR: 1e-3, Beta2: 0.95, Decay: 0.1}}
		g, err := b.Step([]data.Field{{Name: "x", Int: true, Shape: []int{16}}, {Name: "y", Int: true, Shape: []int{16}}}, 2)
		if err != nil {
			gold.Fatal(err)
		}
		prog := gold.compile(x, g, params)
		ids, targets := graph.Data[int32](gold.buf("train.ids")), graph.Data[int32](gold.buf("train.targets"))
		losses, norms := floats(gold.buf("train.losses")), floats(gold.buf("train.norms"))
		for i := range losses {
			in := map[string]any{"x": ids[i*32 : i*32+32], "y": targets[i*32 : i*32+32]}
			if err := prog.Run(in, graph.Scalars{Step: int64(i + 1), LR: 1e-3}); err != nil {
				gold.Fatal(err)
			}
			gold.sameLoss("loss of a step", gold.scalar(prog, "loss")/gold.scalar(prog, "weight"), losses[i])
			if got := gold.scalar(prog, "grad_norm"); !gold.near(got, norms[i]) {
				gold.Errorf("step %d: gradient norm %.12g, want %.12g", i+1, got, norms[i])
			}
		}
		for _, p := range params.All() {
			if gold.dtype == graph.Float64 {
				gold.same(prog, p.Name, "final."+p.Name)
			}
		}
	})
}
