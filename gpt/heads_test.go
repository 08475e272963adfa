package gpt_test

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/goldentest"
	"github.com/ceto-ml/ceto/internal/splitmix"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/ceto-ml/ceto/train"
)

// fineTuned is a file of steps that testdata/golden_heads.py saw transformers and PEFT make.
type fineTuned struct {
	Model   string
	IDs     [][]int32
	Last    []int32
	Rank    int
	Alpha   float64
	Targets []string
	Adapter map[string][]float32
	Tasks   map[string]struct {
		Y          any
		Head       map[string][]float32
		Full, LoRA steps
	}
}

// steps are ten AdamW steps of one task, as they were seen.
type steps struct {
	Logits    []float32            // before the first
	Gradients map[string][]float64 // at the first: whole, or as sketch gives them
	Losses    []float64
}

// tuning is one task on one model, whole or with LoRA.
type tuning struct {
	name   string
	source *pretrained.Source
	task   train.Task
	last   []int32
	batch  data.Batch
	lora   *nn.LoRA
	values map[string][]float32 // of the head and the adapter
	want   steps
}

// TestHeads compares every task, whole and with LoRA, with transformers and PEFT. It looks at the logits, the gradients
// of the first step, and the losses of ten steps.
func TestHeads(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	for _, model := range []string{"gpt2", "llama"} {
		b, err := os.ReadFile("testdata/heads/steps/" + model + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var f fineTuned
		if err := json.Unmarshal(b, &f); err != nil {
			t.Fatal(err)
		}
		s, err := pretrained.Open("testdata/hf/" + f.Model)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if c, ok := s.Model.(gpt.GPT2); ok {
			c.Dropout = 0 // the steps were made in mode eval
			s.Model = c
		}
		for _, c := range f.tunings(t, s) {
			t.Run(model+"/"+c.name, func(t *testing.T) {
				c.firstStep(t, x)
				c.losses(t, x)
			})
		}
	}
}

// tunings are the cases of a file.
func (f fineTuned) tunings(t *testing.T, s *pretrained.Source) (all []tuning) {
	t.Helper()
	tasks := map[string]train.Task{
		"classify":   gpt.Classify{Model: s.Model, Classes: 3},
		"regress":    gpt.Classify{Model: s.Model, Classes: 1, Loss: nn.MSE{}},
		"multilabel": gpt.Classify{Model: s.Model, Classes: 3, Loss: nn.BCEWithLogits{}},
		"tag":        gpt.Tag{Model: s.Model, Classes: 3},
		"lm":         train.Supervised{Model: s.Model, Loss: nn.CrossEntropy{}},
		"causal":     gpt.CausalLM{Model: s.Model}, // the same
	}
	var ids []int32
	for _, row := range f.IDs {
		ids = append(ids, row...)
	}
	rows := []int{len(f.IDs), len(f.IDs[0])}
	for _, name := range slices.Sorted(maps.Keys(tasks)) {
		lm := name == "lm" || name == "causal"
		e, ok := f.Tasks[map[bool]string{true: "lm", false: name}[lm]]
		if !ok {
			t.Fatalf("the file of %s has no task %s", f.Model, name)
		}
		c := tuning{name: name + "/full", source: s, task: tasks[name], last: f.Last, values: e.Head, want: e.Full}
		c.batch = data.Batch{"ids": {Shape: rows, Int: ids}, "last": {Shape: rows[:1], Int: f.Last}, "y": target(e.Y, name == "regress" || name == "multilabel")}
		also := []string{"score.*"}
		if lm {
			c.batch["x"], also = c.batch["ids"], nil
		}
		all = append(all, c)
		c.name, c.want, c.values = name+"/lora", e.LoRA, map[string][]float32{}
		c.lora = &nn.LoRA{Targets: f.Targets, Rank: f.Rank, Alpha: f.Alpha, Also: also}
		maps.Copy(c.values, e.Head)
		maps.Copy(c.values, f.Adapter)
		all = append(all, c)
	}
	return all
}

// target makes an array of nested lists of numbers.
func target(v any, float bool) (a data.Array) {
	for at := v; ; {
		list, ok := at.([]any)
		if !ok {
			break
		}
		a.Shape, at = append(a.Shape, len(list)), list[0]
	}
	var add func(v any)
	add = func(v any) {
		switch x := v.(type) {
		case []any:
			for _, e := range x {
				add(e)
			}
		case float64:
			if float {
				a.Float = append(a.Float, float32(x))
			} else {
				a.Int = append(a.Int, int32(x))
			}
		}
	}
	add(v)
	return a
}

// fill writes the model, its head and its adapter into a state.
func (c tuning) fill(st plan.State) error {
	fill := c.source.FillTrunk
	if c.values["score.weight"] == nil {
		fill = c.source.Fill
	}
	if err := fill(st); err != nil {
		return err
	}
	for name, v := range c.values {
		if err := st.Fill(name, func(b graph.Buf) error {
			copy(graph.Data[float32](b), v)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// firstStep checks logits and gradients.
func (c tuning) firstStep(t *testing.T, x plan.Executor) {
	g, params := graph.New(), nn.NewParams(graph.Float32)
	if c.lora != nil {
		if err := params.Adapt(*c.lora); err != nil {
			t.Fatal(err)
		}
	}
	s, in, feed := nn.NewScope(g, params, nn.Train), nn.Inputs{}, map[string]any{}
	for name, a := range c.batch {
		if a.Int != nil {
			in[name], feed[name] = s.Input(name, graph.Of(graph.Int32, a.Shape...)), a.Int
		} else {
			in[name], feed[name] = s.Input(name, graph.Of(graph.Float32, a.Shape...)), a.Float
		}
	}
	o := c.task.Build(s, in)
	y := o.Outputs["y"] // a CausalLM in training shows none
	if y != nil {
		s.Output("y", y)
	}
	var wrt []*graph.Node
	for _, p := range params.All() {
		if !p.Frozen {
			wrt = append(wrt, s.Declared()[p.Name])
		}
	}
	for i, d := range s.Grad(s.Div(o.Loss, o.Weight), wrt...) {
		s.Output("grad."+wrt[i].Name(), d)
	}
	prog := c.compile(t, x, g)
	if err := prog.Run(feed, graph.Scalars{}); err != nil {
		t.Fatal(err)
	}
	if y != nil {
		c.sameLogits(t, read(t, prog, "y"))
	}
	if len(wrt) != len(c.want.Gradients) {
		t.Errorf("%d gradients, want %d", len(wrt), len(c.want.Gradients))
	}
	for _, p := range wrt {
		got, want := read(t, prog, "grad."+p.Name()), c.want.Gradients[p.Name()]
		if d := distance(got, want, c.lora != nil); !(d <= 1e-4) {
			t.Errorf("gradient of %s: relative distance %.2g, want at most 1e-4", p.Name(), d)
		}
	}
}

// compile makes a program of a graph on a state of the case's values.
func (c tuning) compile(t *testing.T, x plan.Executor, g *graph.Graph) plan.Program {
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
	if err := c.fill(state); err != nil {
		t.Fatal(err)
	}
	return prog
}

func read(t *testing.T, prog plan.Program, name string) []float32 {
	t.Helper()
	d, err := prog.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return d.Data().([]float32)
}

// sameLogits compares the logits of rows, or of tokens up to the last of each row. Those of padding may be anything.
func (c tuning) sameLogits(t *testing.T, got []float32) {
	t.Helper()
	if len(got) != len(c.want.Logits) {
		t.Fatalf("%d logits, want %d", len(got), len(c.want.Logits))
	}
	width := c.batch["ids"].Shape[1]
	each := len(got) / len(c.last)
	for i, last := range c.last {
		n := each
		if _, rows := c.task.(gpt.Classify); !rows {
			n = each / width * int(last+1)
		}
		goldentest.Near(t, "logits", got[i*each:i*each+n], c.want.Logits[i*each:i*each+n], 1e-4)
	}
}

// distance returns ‖got − want‖/‖want‖ in L2; where want is a sketch, an estimate of it.
func distance(got []float32, want []float64, whole bool) float64 {
	var sum, norm float64
	if whole {
		if len(got) != len(want) {
			return math.Inf(1)
		}
		for i, w := range want {
			sum, norm = sum+(float64(got[i])-w)*(float64(got[i])-w), norm+w*w
		}
		return math.Sqrt(sum / norm)
	}
	s := sketch(got)
	if len(s) != len(want) {
		return math.Inf(1)
	}
	for i, w := range want[1:] {
		sum += (s[i+1] - w) * (s[i+1] - w)
	}
	return max(math.Abs(s[0]-want[0]), math.Sqrt(sum/float64(len(s)-1))) / want[0]
}

// sketch returns the L2 norm of a vector, then 16 sums of its elements with signs. The signs are the top bits of
// SplitMix64's outputs for the counters k·2³² + i. It is sketch of testdata/golden_heads.py.
func sketch(v []float32) []float64 {
	s := make([]float64, 17)
	for i, x := range v {
		s[0] += float64(x) * float64(x)
		for k := range 16 {
			if splitmix.Mix((uint64(k)<<32+uint64(i)+1)*splitmix.Gamma)>>63 == 0 {
				s[k+1] += float64(x)
			} else {
				s[k+1] -= float64(x)
			}
		}
	}
	s[0] = math.Sqrt(s[0])
	return s
}

// losses checks ten steps.
func (c tuning) losses(t *testing.T, x plan.Executor) {
	run, err := train.Trainer{
		Task: c.task, Optimizer: train.AdamW{LR: 0.002}, Steps: len(c.want.Losses), Batch: len(c.last), Executor: x, LoRA: c.lora, From: c.fill,
	}.Fit(data.Examples(c.batch))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range c.want.Losses {
		if got := run.History[i].Loss; !(math.Abs(got-want) <= 1e-4) {
			t.Errorf("loss of step %d is %.6f, want %.6f", i+1, got, want)
		}
	}
}
