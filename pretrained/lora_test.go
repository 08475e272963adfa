package pretrained_test

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/goldentest"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/ceto-ml/ceto/train"
)

// loras are the settings of the adapters that testdata/golden_adapter.py trains. One alpha and one rank hold for all
// matrices.
var loras = map[string]nn.LoRA{
	"llama-qv":    {Targets: []string{"*.q_proj", "*.v_proj"}, Rank: 4, Alpha: 8},
	"qwen3-first": {Targets: []string{"model.layers.0.*.o_proj", "model.layers.0.*.gate_proj"}, Rank: 2, Alpha: 2},
	"gpt2-attn":   {Targets: []string{"*.c_attn", "*.c_fc"}, Rank: 4, Alpha: 16},
}

// fillLoRA writes the matrices of an adapter's file into a state.
func fillLoRA(st plan.State, dir string) error {
	f, err := safetensors.Open(filepath.Join(dir, pretrained.AdapterWeightsFile))
	if err != nil {
		return err
	}
	defer f.Close()
	for _, t := range f.Tensors {
		v, err := safetensors.Values[float32](t)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(strings.TrimPrefix(t.Name, "base_model.model."), "transformer.")
		if err := st.Write(name, graph.Dense(graph.BufOf(append([]float32{}, v...), t.Shape...))); err != nil {
			return err
		}
	}
	return nil
}

// TestLoRA: ten AdamW steps on a pretrained model's adapter have PEFT's losses. They leave the model's own parameters
// as they are, and no moments but the adapter's. The adapter, saved and merged, gives the trained model's logits.
func TestLoRA(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	for name, l := range loras {
		dir := "../gpt/testdata/adapter/" + name
		e := readAdapted(t, dir)
		s, err := pretrained.Open("../gpt/testdata/hf/" + e.Model)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if c, ok := s.Model.(gpt.GPT2); ok {
			c.Dropout = 0 // PEFT's steps were made in mode eval
			s.Model = c
		}
		var ids, next []int32
		for _, row := range e.Train {
			ids, next = append(ids, row[:len(row)-1]...), append(next, row[1:]...)
		}
		shape := []int{len(e.Train), len(e.Train[0]) - 1}
		run, err := train.Trainer{
			Model: s.Model, Loss: nn.CrossEntropy{}, Optimizer: train.AdamW{LR: 0.002}, Steps: len(e.Losses), Batch: shape[0], Executor: x, LoRA: &l,
			From: func(st plan.State) error {
				if err := s.Fill(st); err != nil {
					return err
				}
				return fillLoRA(st, dir)
			},
		}.Fit(data.Examples(data.Batch{"x": {Shape: shape, Int: ids}, "y": {Shape: shape, Int: next}}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, want := range e.Losses {
			if got := run.History[i].Loss; math.Abs(got-want) > 1e-4 {
				t.Errorf("%s: loss of step %d is %.6f, want %.6f", name, i+1, got, want)
			}
		}
		checkTrained(t, name, x, s, run, l)
	}
}

// TestLoRACost: a frozen parameter costs no gradient of its own. A step of an adapter alone has less than three
// quarters of a full step's operations. It keeps no gradients and moments of the model.
func TestLoRACost(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	d := data.Examples(data.Batch{"x": {Shape: []int{2, 64}, Int: make([]int32, 128)}, "y": {Shape: []int{2, 64}, Int: make([]int32, 128)}})
	m := gpt.Llama{Vocab: 64, Context: 64, Layers: 2, Width: 64, MLPWidth: 160, Heads: 4, Tied: true}
	step := func(l *nn.LoRA) (flops int64, moments int) {
		run, err := train.Trainer{Model: m, Loss: nn.CrossEntropy{}, Optimizer: train.AdamW{LR: 0.01}, Steps: 1, Batch: 2, Executor: x, LoRA: l}.Fit(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range run.State.Names(graph.Moment) {
			meta, _, _ := run.State.Meta(name)
			moments += meta.Size()
		}
		return run.StepFLOPs(), moments
	}
	full, fullMoments := step(nil)
	lora, loraMoments := step(&nn.LoRA{Targets: []string{"*.q_proj", "*.v_proj"}, Rank: 2})
	if float64(lora) > 0.75*float64(full) || fullMoments != 2*m.Params() || loraMoments != 2*2*2*2*(64+64) {
		t.Errorf("FLOPs %d of %d, numbers in moments %d of %d", lora, full, loraMoments, fullMoments)
	}
}

func tensorNames(t *testing.T, dir string) []string {
	t.Helper()
	f, err := safetensors.Open(filepath.Join(dir, pretrained.AdapterWeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return f.Names()
}

func checkTrained(t *testing.T, name string, x plan.Executor, s *pretrained.Source, run *train.Run, l nn.LoRA) {
	t.Helper()
	for _, m := range run.State.Names(graph.Moment) {
		if !strings.Contains(m, "lora_") {
			t.Errorf("%s: a moment %s", name, m)
		}
	}
	dir := filepath.Join(t.TempDir(), "adapter")
	if err := s.SaveAdapter(dir, run.State, l, ""); err != nil {
		t.Fatal(err)
	}
	if a, b := tensorNames(t, dir), tensorNames(t, "../gpt/testdata/adapter/"+name); !slices.Equal(a, b) {
		t.Errorf("%s: saved tensors %v, PEFT's are %v", name, a, b)
	}
	ids := []int32{5, 9, 40, 7, 33, 21}
	sc := nn.NewScope(graph.New(), run.State.Params, nn.Eval)
	sc.Output("logits", s.Model.Forward(sc, sc.Input("ids", graph.Of(graph.Int32, 1, len(ids)))))
	p, err := plan.New(sc.Graph, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	prog, err := x.Compile(p, run.State)
	if err != nil {
		t.Fatal(err)
	}
	if err := prog.Run(map[string]any{"ids": ids}, graph.Scalars{}); err != nil {
		t.Fatal(err)
	}
	d, err := prog.Read("logits")
	if err != nil {
		t.Fatal(err)
	}
	want := d.Data().([]float32)[(len(ids)-1)*s.Model.Dims().Vocab:]
	plain, err := s.Generator(x)
	if err != nil {
		t.Fatal(err)
	}
	before, err := plain.Logits(ids)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Adapt(dir); err != nil {
		t.Fatal(err)
	}
	g, err := s.Generator(x)
	if err != nil {
		t.Fatal(err)
	}
	got, err := g.Logits(ids)
	if err != nil {
		t.Fatal(err)
	}
	goldentest.Near(t, fmt.Sprintf("%s: saved and merged", name), got, want, 1e-4)
	if math.Abs(float64(got[0]-before[0])) < 1e-3 {
		t.Errorf("%s: the adapter changes nothing", name)
	}
}
