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
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/ceto-ml/ceto/train"
)

// hiddenStates is a task whose output is all hidden states.
type hiddenStates struct{ gpt.Model }

func (h hiddenStates) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	return nn.Objective{Outputs: map[string]*graph.Node{"pooled": h.Hidden(s, in["ids"])}}
}

// pooled runs a task over rows of ids and returns its vectors.
func pooled(t *testing.T, x plan.Executor, s *pretrained.Source, task train.Task, table *data.Table) (v []float32) {
	t.Helper()
	run, err := train.Trainer{Task: task, Executor: x, From: s.FillTrunk}.New(table)
	if err == nil {
		err = run.Outputs(table, "pooled", func(_ int, y []float32) error { v = append(v, y...); return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestPools compares each pool with its definition on the hidden states. The padding must not matter.
func TestPools(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	for _, name := range []string{"gpt2", "llama"} {
		s, err := pretrained.Open("testdata/hf/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		const rows, width = 3, 7
		ids, last := make([]int32, rows*width), []int32{0, 4, 6}
		for i := range ids {
			ids[i] = int32(i*11%90 + 3)
		}
		table := data.Examples(data.Batch{"ids": {Shape: []int{rows, width}, Int: ids}, "last": {Shape: []int{rows}, Int: last}})
		states, c := pooled(t, x, s, hiddenStates{s.Model}, table), s.Model.Dims().Width
		for _, pool := range append(gpt.Pools, "") {
			got := pooled(t, x, s, gpt.Classify{Model: s.Model, Pool: pool}, table)
			var want []float32
			for b, n := range last {
				row := states[b*width*c : (b+1)*width*c]
				if strings.Contains(string(pool), "mean") {
					for k := range c {
						sum := 0.0
						for i := range n + 1 {
							sum += float64(row[int(i)*c+k])
						}
						want = append(want, float32(sum/float64(n+1)))
					}
				}
				if pool != gpt.PoolMean {
					want = append(want, row[int(n)*c:int(n+1)*c]...)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("%s, pool %q: %d numbers, want %d", name, pool, len(got), len(want))
			}
			for i := range want {
				if math.Abs(float64(got[i]-want[i])) > 1e-5 {
					t.Fatalf("%s, pool %q, number %d: %g, want %g", name, pool, i, got[i], want[i])
				}
			}
		}
		if _, err := (train.Trainer{Task: gpt.Classify{Model: s.Model, Pool: "max"}, Executor: x}).New(table); err == nil || !strings.Contains(err.Error(), `pool "max"`) {
			t.Errorf("an unknown pool: %v", err)
		}
	}
}

// TestTrained trains a model a little, once all parameters and once with LoRA. It saves both and reads back what was
// trained: the whole model by With and Export, the adapter and its head by AdaptTask.
func TestTrained(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	for _, name := range []string{"gpt2", "llama"} {
		s, err := pretrained.Open("testdata/hf/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		table := data.Examples(data.Batch{"ids": {Shape: []int{2, 3}, Int: []int32{3, 4, 5, 6, 7, 8}}, "last": {Shape: []int{2}, Int: []int32{2, 1}}, "y": {Shape: []int{2}, Int: []int32{0, 1}}})
		lora := &nn.LoRA{Targets: []string{"*attn*"}, Rank: 2, Also: []string{"score.*"}}
		for method, l := range map[string]*nn.LoRA{"full": nil, "LoRA": lora} {
			task := gpt.Classify{Model: s.Model, Classes: 2, Pool: gpt.PoolMeanLast, Bias: true}
			run, err := train.Trainer{Task: task, Executor: x, From: s.FillTrunk, LoRA: l, Optimizer: train.AdamW{LR: 0.05}, Steps: 3}.Fit(table)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "trained")
			var again *pretrained.Source
			heads := map[string]graph.Buf{}
			if l == nil {
				if _, err := s.With(run.State).Export(dir, pretrained.ExportOptions{Format: pretrained.FormatHF}); err != nil {
					t.Fatal(err)
				}
				again, err = pretrained.Open(dir)
			} else if again, err = pretrained.Open("testdata/hf/" + name); err == nil {
				if err := s.SaveAdapter(dir, run.State, *l, ""); err != nil {
					t.Fatal(err)
				}
				if err := again.Adapt(dir); err == nil || !strings.Contains(err.Error(), "new head (score.bias, score.weight)") {
					t.Errorf("%s: Adapt with a head: %v", name, err)
				}
				heads, err = again.AdaptTask(dir)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			trunk := gpt.Classify{Model: s.Model, Pool: gpt.PoolMeanLast}
			before, got := pooled(t, x, s, trunk, table), pooled(t, x, again, trunk, table)
			var want []float32
			if err := run.Outputs(table, "pooled", func(_ int, y []float32) error { want = append(want, y...); return nil }); err != nil {
				t.Fatal(err)
			}
			if d, moved := farthest(got, want), farthest(before, want); d > 1e-5 || moved < 1e-3 {
				t.Errorf("%s, %s: what was read back differs by %g, training moved it by %g", name, method, d, moved)
			}
			if l != nil {
				sameHead(t, run.State, heads)
			}
		}
	}
}

// TestTagAdapter: the head of a tagger has the name that transformers gives it, and comes back.
func TestTagAdapter(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	table := data.Examples(data.Batch{"ids": {Shape: []int{2, 3}, Int: []int32{3, 4, 5, 6, 7, 8}}, "y": {Shape: []int{2, 3}, Int: []int32{0, 1, -1, 1, 0, 1}}})
	for name, head := range map[string]string{"gpt2": "classifier", "llama": "score"} {
		s, err := pretrained.Open("testdata/hf/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		l := nn.LoRA{Targets: []string{"*attn*"}, Rank: 2, Also: []string{"score.*"}}
		run, err := train.Trainer{Task: gpt.Tag{Model: s.Model, Classes: 2}, Executor: x, From: s.FillTrunk, LoRA: &l, Optimizer: train.AdamW{LR: 0.05}, Steps: 3}.Fit(table)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "adapter")
		if err := s.SaveAdapter(dir, run.State, l, "TOKEN_CLS"); err != nil {
			t.Fatal(err)
		}
		f, err := safetensors.Open(filepath.Join(dir, pretrained.AdapterWeightsFile))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, v := range f.Tensors {
			if strings.Contains(v.Name, "model."+head+".") {
				names = append(names, v.Name)
			}
		}
		f.Close()
		if len(names) != 2 {
			t.Errorf("%s: the head is %q, want %s.weight and %s.bias", name, names, head, head)
		}
		heads, err := s.AdaptTask(dir)
		if err != nil {
			t.Fatal(err)
		}
		sameHead(t, run.State, heads)
	}
}

// sameHead compares the head's parameters that were read back with a state's.
func sameHead(t *testing.T, s plan.State, heads map[string]graph.Buf) {
	t.Helper()
	for _, p := range []string{"score.weight", "score.bias"} {
		d, err := s.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		if b, ok := heads[p]; !ok || farthest(graph.Data[float32](b), d.Data().([]float32)) != 0 {
			t.Errorf("the head's %s was not read back", p)
		}
	}
}

// farthest returns the largest difference between two lists of the same length.
func farthest(a, b []float32) (d float64) {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	for i := range a {
		d = max(d, math.Abs(float64(a[i]-b[i])))
	}
	return d
}
