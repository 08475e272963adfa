package train

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
)

// given is a task whose gradient for its parameter p (2, 3) is the batch itself, over weight.
type given struct {
	p0     []float64
	weight float64
}

func (g given) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	init := func(w []float64, _ graph.Shape, _ *nn.Rand) error { copy(w, g.p0); return nil }
	p := s.Param("p", init, 2, 3)
	return nn.Objective{Loss: s.Sum(s.Mul(p, s.Sum(in["g"], 0))), Weight: s.Full(graph.Of(s.DType()), g.weight)}
}

// golden reads a tensor of PyTorch's optimizers as float64.
func golden(t *testing.T, f *safetensors.File, name string) []float64 {
	t.Helper()
	x, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("no %s in the golden file", name)
	}
	if v, err := safetensors.Values[float64](x); err == nil {
		return v
	}
	v, err := safetensors.Values[float32](x)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// TestOptimizers follows PyTorch's optimizers for ten steps along the same gradients, in one plan and in two.
func TestOptimizers(t *testing.T) {
	decay := func(d float64) []Group { return []Group{{Match: "*", Decay: d}} }
	for name, opt := range map[string]Optimizer{
		"sgd":            SGD{LR: 0.1},
		"sgd_decay":      SGD{LR: 0.1, Decay: 0.05},
		"momentum":       SGD{LR: 0.1, Momentum: 0.9},
		"momentum_decay": SGD{LR: 0.2, Momentum: 0.9, Groups: []Group{{Match: "p", Decay: 0.05, LRScale: 0.5}}},
		"nesterov":       SGD{LR: 0.1, Momentum: 0.9, Nesterov: true},
		"adam":           Adam{LR: 0.01},
		"adam_decay":     Adam{LR: 0.01, Groups: decay(0.05)},
		"adamw":          AdamW{LR: 0.01, Beta2: 0.95, Decay: 0.1},
	} {
		for _, d := range []graph.DType{graph.Float32, graph.Float64} {
			for _, accumulate := range []bool{false, true} {
				follow(t, fmt.Sprintf("%s %v accumulate %v", name, d, accumulate), name, opt, d, accumulate)
			}
		}
	}
}

func follow(t *testing.T, name, tensor string, opt Optimizer, d graph.DType, accumulate bool) {
	t.Helper()
	file := map[graph.DType]string{graph.Float32: "optim.safetensors", graph.Float64: "optim_f64.safetensors"}[d]
	f, err := safetensors.Open(filepath.Join("..", "testdata", "golden", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	grads, want := golden(t, f, "grads"), golden(t, f, tensor)
	x := plan.CPU(1)
	defer x.Close()
	b := &Builder{Task: given{golden(t, f, "p0"), 4}, Params: nn.NewParams(d), Optimizer: opt}
	s := &State{State: x.NewState(), Params: b.Params}
	fields := []data.Field{{Name: "g", Shape: []int{2, 3}}}
	var progs []plan.Program
	add := func(g *graph.Graph, err error) {
		p, err := compile(x, s, plan.Options{})(g, err)
		progs = append(progs, must(t, p, err))
	}
	if accumulate {
		add(b.Accumulate(fields, 1))
		add(b.Update())
	} else {
		add(b.Step(fields, 1))
	}
	if err := s.Init(0); err != nil {
		t.Fatal(err)
	}
	for step := range 10 {
		g := make([]float64, 6)
		for i := range g {
			g[i] = 4 * grads[6*step+i] // the weight is 4
		}
		for _, p := range progs {
			in := map[string]any{"g": g}
			if err := p.Run(in, graph.Scalars{Step: int64(step) + 1, LR: opt.Rate()}); err != nil {
				t.Fatalf("%s: step %d: %v", name, step+1, err)
			}
		}
		for i, v := range values(t, s, "p") {
			if !near(d, v, want[6*step+i]) {
				t.Fatalf("%s: step %d: p[%d] = %.17g, PyTorch has %.17g", name, step+1, i, v, want[6*step+i])
			}
		}
	}
}

// still is a model whose loss has a zero gradient for every parameter: what changes is decay.
type still struct{}

func (still) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	x := s.Call("fc", biased{4}, in["x"])
	x = s.Call("ln", nn.LayerNorm{}, x)
	return nn.Objective{Loss: s.Scale(s.Sum(x), 0), Weight: s.Full(graph.Of(s.DType()), 1)}
}

// biased is a linear layer whose parameters are all 1.
type biased struct{ out int }

func (b biased) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	return s.Add(s.MatMul(x, s.Param("weight", nn.Ones, x.Dim(-1), b.out)), s.Param("bias", nn.Ones, b.out))
}

func TestDecay(t *testing.T) {
	const lr, decay = 0.5, 0.1
	for _, c := range []struct {
		name   string
		groups []Group
		want   map[string]float64 // what one step leaves of a parameter of 1
	}{
		{"no decay on biases and norms", nil, map[string]float64{"fc.weight": 1 - lr*decay, "fc.bias": 1, "ln.weight": 1}},
		{"a group with decay", []Group{{Match: "*.bias", Decay: 0.2}}, map[string]float64{"fc.weight": 1 - lr*decay, "fc.bias": 1 - lr*0.2, "ln.weight": 1}},
		{"the first group counts", []Group{{Match: "fc.*", LRScale: 0.5, Decay: 0.2}, {Match: "*", Decay: 0.4}},
			map[string]float64{"fc.weight": 1 - lr*0.5*0.2, "fc.bias": 1 - lr*0.5*0.2, "ln.weight": 1 - lr*0.4}},
	} {
		tr := Trainer{Task: still{}, Optimizer: AdamW{LR: lr, Decay: decay, Groups: c.groups}, Steps: 1, DType: graph.Float64}
		run, err := tr.Fit(classes(4))
		must(t, run, err)
		for name, want := range c.want {
			for i, v := range values(t, run.State, name) {
				if math.Abs(v-want) > 1e-15 {
					t.Errorf("%s: %s[%d] = %.17g, want %.17g", c.name, name, i, v, want)
				}
			}
		}
	}
	for _, o := range []Optimizer{SGD{LR: 1, Groups: []Group{{Match: "[a"}}}, AdamW{LR: 1, Groups: []Group{{Match: "*"}, {Match: "[a"}}}, Adam{LR: 1, Groups: []Group{{Match: "[a"}}}} {
		tr := Trainer{Task: still{}, Optimizer: o, Steps: 1}
		_, err := tr.Fit(classes(4))
		wantErr(t, "bad pattern", err, `group "[a"`)
	}
	tr := Trainer{Task: still{}, Optimizer: SGD{LR: 1, Groups: []Group{{Match: "*"}, {Match: "fc.weights"}}}, Steps: 1}
	_, err := tr.Fit(classes(4))
	wantErr(t, "pattern without a match", err, `group "fc.weights" matches no parameter`)
	tr = rows(SGD{LR: 1})
	for target, want := range map[string]string{"nothing": `target "nothing" matches no layer`, "4": ""} {
		tr.LoRA = &nn.LoRA{Targets: []string{"0", target}, Rank: 1}
		if _, err = tr.Fit(classes(12)); want != "" || err != nil {
			wantErr(t, "target without a match", err, want)
		}
	}
}

// TestClip has a mean gradient of norm 5·√6/4.
func TestClip(t *testing.T) {
	g := data.Examples(data.Batch{"g": data.Array{Shape: []int{1, 2, 3}, Float: []float32{5, 5, 5, 5, -5, -5}}})
	norm := 5 * math.Sqrt(6) / 4
	for _, clip := range []float64{0, 0.5, 3, 4} {
		tr := Trainer{Task: given{make([]float64, 6), 4}, Optimizer: SGD{LR: 1}, Steps: 1, Clip: clip, DType: graph.Float64}
		run, err := tr.Fit(g)
		must(t, run, err)
		sum := 0.0
		for _, v := range values(t, run.State, "p") {
			sum += v * v
		}
		want := norm
		if clip > 0 && clip < norm {
			want = clip
		}
		if got := math.Sqrt(sum); math.Abs(got-want) > 1e-6 {
			t.Errorf("clip %g: the step has length %g, want %g", clip, got, want)
		}
		if got := run.History[0].GradNorm; math.Abs(got-norm) > 1e-9 {
			t.Errorf("clip %g: gradient norm %g, want that before clipping, %g", clip, got, norm)
		}
	}
}
