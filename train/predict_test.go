package train

import (
	"math"
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/google/go-cmp/cmp"
)

// pixels reads images as rows.
type pixels struct{}

func (pixels) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	x = s.Reshape(x, x.Dim(0), x.Meta().Size()/x.Dim(0))
	return s.Call("net", nn.Sequential{nn.Linear{Out: 5}, nn.Tanh, nn.Linear{Out: 3}}, x)
}

// normals are n random numbers.
func normals(n int) []float32 {
	v, r := make([]float32, n), nn.NewRand(8, "noise")
	for i := range v {
		v[i] = float32(r.Normal(i, 0))
	}
	return v
}

// TestPredictImages: images (H, W, C) in several batches give what their numbers give as rows.
func TestPredictImages(t *testing.T) {
	const n, h, w, c = 13, 2, 3, 2
	for _, d := range []graph.DType{graph.Float32, graph.Float64} {
		x := normals(n * h * w * c)
		images := data.Batch{"x": {Shape: []int{n, h, w, c}, Float: x}, "y": {Shape: []int{n}, Int: make([]int32, n)}}
		tr := rows(Adam{LR: 0.02})
		tr.Model, tr.EvalBatch, tr.DType = pixels{}, 5, d
		run, err := tr.Fit(data.Examples(images))
		must(t, run, err)
		delete(images, "y")
		got, err := run.PredictBatch(images)
		must(t, got, err)
		lines := slices.Collect(slices.Chunk(x, h*w*c))
		predict, err := run.Predict(lines)
		must(t, predict, err)
		logits, err := run.Logits(lines)
		must(t, logits, err)
		want := data.Batch{"predict": {Shape: []int{n, 3}, Float: slices.Concat(predict...)}, "y": {Shape: []int{n, 3}, Float: slices.Concat(logits...)}}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("rows, images:\n%s", d)
		}
		got, err = run.PredictBatch(images, "y")
		delete(want, "predict")
		if d := cmp.Diff(want, must(t, got, err)); d != "" {
			t.Errorf("y alone (want, got):\n%s", d)
		}
	}
}

// TestPredictIDs: sequences of ids give an output for each position, the same alone and in a batch.
func TestPredictIDs(t *testing.T) {
	d := words(t)
	tr := text(d, AdamW{LR: 0.02})
	tr.EvalBatch = 2
	run, err := tr.Fit(d)
	must(t, run, err)
	const n, ctx = 3, 8
	v := d.Vocab()
	ids := make([]int32, n*ctx)
	for i := range ids {
		ids[i] = int32(i * i % v)
	}
	got, err := run.PredictBatch(data.Batch{"x": {Shape: []int{n, ctx}, Int: ids}})
	must(t, got, err)
	if y, p := got["y"].Shape, got["predict"].Shape; !slices.Equal(y, []int{n, ctx, v}) || !slices.Equal(p, y) || len(got) != 2 {
		t.Fatalf("y %v, predict %v, want [%d %d %d]", y, p, n, ctx, v)
	}
	for i := range n {
		one, err := run.PredictBatch(data.Batch{"x": {Shape: []int{1, ctx}, Int: ids[i*ctx : (i+1)*ctx]}}, "y")
		if all := got["y"].Float[i*ctx*v : (i+1)*ctx*v]; !slices.Equal(must(t, one, err)["y"].Float, all) {
			t.Errorf("sequence %d: other numbers alone than in a batch", i)
		}
	}
	for row := range slices.Chunk(got["predict"].Float, v) {
		sum := 0.0
		for _, p := range row {
			sum += float64(p)
		}
		if !near(graph.Float32, sum, 1) {
			t.Fatalf("probabilities add up to %g", sum)
		}
	}
}

// seen is towers with its ids as an output, and one that is no example's.
type seen struct{ towers }

func (k seen) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	o := k.towers.Build(s, in)
	o.Outputs["seen"], o.Outputs["mean"] = in["seen"], s.Mean(o.Outputs["y"])
	return o
}

// TestPredictTwoInputs: the predictions of a model of two inputs have the loss that an evaluation finds.
func TestPredictTwoInputs(t *testing.T) {
	table, _ := pairs(70)
	tr := Trainer{Task: seen{}, Optimizer: Adam{LR: 0.02}, Batch: 16, Epochs: 5, Seed: 1, EvalBatch: 32}
	run, err := tr.Fit(table)
	must(t, run, err)
	all := data.NewBatch(table.Eval().Fields(), 70)
	_, err = table.Eval().Next(all)
	must(t, all, err)
	in := data.Batch{"seen": all["seen"], "item": all["item"]}
	got, err := run.PredictBatch(in)
	must(t, got, err)
	if p := got["predict"]; !slices.Equal(p.Shape, []int{70}) || len(got) != 3 {
		t.Fatalf("%d outputs, predict %v", len(got), p.Shape)
	}
	if ids := got["seen"]; !cmp.Equal(ids, all["seen"]) {
		t.Errorf("ids come back as %v", ids)
	}
	loss := 0.0
	for i, p := range got["predict"].Float {
		if all["y"].Float[i] == 0 {
			p = 1 - p
		}
		loss -= math.Log(float64(p)) / 70
	}
	s, err := run.Evaluate(table)
	if must(t, s, err); !near(graph.Float32, loss, s.Loss) {
		t.Errorf("the predictions have loss %g, the evaluation finds %g", loss, s.Loss)
	}
	for _, c := range []struct {
		name    string
		in      data.Batch
		outputs []string
		want    string
	}{
		{"nothing", data.Batch{}, nil, "train: PredictBatch"},
		{"no examples", data.Batch{"seen": {Shape: []int{0, 2}}}, nil, "train: PredictBatch"},
		{"unlike numbers", data.Batch{"seen": in["seen"], "item": {Shape: []int{1, 3}, Float: []float32{1, 2, 3}}}, nil, "train: PredictBatch"},
		{"unknown output", in, []string{"logits"}, `the task has no output "logits"`},
		{"a parameter", in, []string{"user.out.bias"}, `the task has no output "user.out.bias"`},
		{"no example's", in, []string{"mean"}, `output "mean" of 32 examples is []`},
		{"a field is missing", data.Batch{"item": in["item"]}, nil, "train: PredictBatch"},
	} {
		if _, err := run.PredictBatch(c.in, c.outputs...); err == nil {
			t.Errorf("%s: no error", c.name)
		} else {
			wantErr(t, c.name, err, c.want)
		}
	}
}
