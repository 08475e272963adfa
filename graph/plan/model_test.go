package plan_test

import (
	"math"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
)

// model is a network with its training step, and batches for it.
type model struct {
	name   string
	build  train.Builder
	fields []data.Field
	batch  int
	lora   *nn.LoRA // nil trains all parameters
}

// small is a GPT in which no two kinds of buffers have one size, and (B, NH, T, T) would be the largest.
var small = gpt.GPT2{Vocab: 61, Context: 64, Layers: 2, Heads: 4, Width: 32}

func gptModel(name string, c gpt.GPT2, batch int) model {
	return model{name, train.Builder{Task: train.Supervised{Model: c, Loss: nn.CrossEntropy{}}, Clip: 1, Optimizer: train.AdamW{Decay: 0.1}},
		[]data.Field{{Name: "x", Int: true, Shape: []int{c.Context}}, {Name: "y", Int: true, Shape: []int{c.Context}}}, batch, nil}
}

func models() []model {
	net := nn.Sequential{nn.Linear{Out: 8}, nn.Tanh, nn.Linear{Out: 1}}
	xor := train.Builder{Task: train.Supervised{Model: net, Loss: nn.BCEWithLogits{}}, Optimizer: train.SGD{Momentum: 0.9}}
	bare := small
	bare.NoBias, bare.GELUErf, bare.Dropout = true, true, 0.2
	adapted := gptModel("gpt with LoRA", small, 3)
	adapted.lora = &nn.LoRA{Targets: []string{"*.c_attn"}, Rank: 2}
	adapted.build.Task = train.Supervised{Model: small, Loss: nn.CrossEntropy{Ignore: 7}}
	return []model{{"xor", xor, []data.Field{{Name: "x", Shape: []int{2}}, {Name: "y"}}, 4, nil},
		gptModel("gpt", small, 2), gptModel("gpt with dropout", bare, 2), adapted}
}

// step builds the training step.
func (m *model) step(t testing.TB, d graph.DType) *graph.Graph {
	t.Helper()
	m.build.Params = nn.NewParams(d)
	if m.lora != nil {
		if err := m.build.Params.Adapt(*m.lora); err != nil {
			t.Fatal(err)
		}
	}
	g, err := m.build.Step(m.fields, m.batch)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// inputs draws batch i.
func (m *model) inputs(i int) map[string]any {
	in, r := map[string]any{}, nn.NewRand(uint64(i), m.name)
	for k, f := range m.fields {
		n := m.batch
		for _, d := range f.Shape {
			n *= d
		}
		ids, x := make([]int32, n), make([]float32, n)
		for j := range n {
			ids[j], x[j] = int32(float64(small.Vocab)*r.Uniform(j, k)), float32(math.Round(r.Uniform(j, k)))
		}
		if in[f.Name] = any(x); f.Int {
			in[f.Name] = ids
		}
	}
	return in
}

// newPlan lowers g.
func newPlan(t testing.TB, g *graph.Graph, o plan.Options) *plan.Plan {
	t.Helper()
	p, err := plan.New(g, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// program compiles the training step with first values from a seed.
func (m *model) program(t testing.TB, x plan.Executor, d graph.DType, o plan.Options) (plan.Program, *train.State) {
	t.Helper()
	p := newPlan(t, m.step(t, d), o)
	state := &train.State{State: x.NewState(), Params: m.build.Params}
	prog, err := x.Compile(p, state)
	if err == nil {
		err = state.Init(3)
	}
	if err != nil {
		t.Fatal(err)
	}
	return prog, state
}

// scalars are those of step i.
func scalars(i int) graph.Scalars {
	return graph.Scalars{Step: int64(i + 1), Micro: int64(i), LR: 1e-2, Seed: 7}
}

// trained returns all state after three steps, and their losses.
func (m *model) trained(t testing.TB, x plan.Executor, d graph.DType, o plan.Options) map[string][]float64 {
	t.Helper()
	prog, state := m.program(t, x, d, o)
	got := map[string][]float64{}
	for i := range 3 {
		if err := prog.Run(m.inputs(i), scalars(i)); err != nil {
			t.Fatal(err)
		}
		loss, err := prog.Scalar("loss")
		if err != nil {
			t.Fatal(err)
		}
		got["loss"] = append(got["loss"], loss)
	}
	for _, k := range []graph.Kind{graph.Param, graph.Moment} {
		for _, name := range state.Names(k) {
			got[name] = read(t, prog, name)
		}
	}
	return got
}

// read returns an output or state of floats.
func read(t testing.TB, prog plan.Program, name string) []float64 {
	t.Helper()
	d, err := prog.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	switch v := d.Data().(type) {
	case []float64:
		return v
	case []float32:
		y := make([]float64, len(v))
		for i, x := range v {
			y[i] = float64(x)
		}
		return y
	}
	t.Fatalf("%s is %v", name, d.Dtype())
	return nil
}

// compare reports the first element of each value that is further off than atol + rtol·|want|.
func compare(t testing.TB, what string, got, want map[string][]float64, atol, rtol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
	}
	for name, w := range want {
		for i := range w {
			if g := got[name]; len(g) != len(w) || !(math.Abs(g[i]-w[i]) <= atol+rtol*math.Abs(w[i])) {
				t.Errorf("%s: %s[%d] = %v, want %.12g", what, name, i, at(g, i), w[i])
				break
			}
		}
	}
}

func at[T any](x []T, i int) any {
	if i < len(x) {
		return x[i]
	}
	return "missing"
}
