package train

import (
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
)

// detector has a trunk and two heads: the logits of 3 classes and the 2 numbers of a box.
func detector(s *nn.Scope, in nn.Inputs) map[string]*graph.Node {
	x := s.Call("trunk", nn.Sequential{nn.Linear{Out: 16}, nn.Tanh}, in["x"])
	return map[string]*graph.Node{"class": s.Call("class", nn.Linear{Out: 3}, x), "box": s.Call("box", nn.Linear{Out: 2}, x)}
}

// head is detector with one of its outputs.
type head string

func (h head) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	return detector(s, nn.Inputs{"x": x})[string(h)]
}

// boxes are n rows with two targets: the class of classes, some of it ignored, and two sums of the row's numbers.
func boxes(n int) data.Batch {
	all := data.NewBatch(classes(n).Eval().Fields(), n)
	if _, err := classes(n).Eval().Next(all); err != nil {
		panic(err)
	}
	box := make([]float32, 0, 2*n)
	for row := range slices.Chunk(all["x"].Float, 3) {
		box = append(box, row[0]+row[1], row[1]-row[2])
	}
	return data.Batch{"x": all["x"], "class": all["y"], "box": {Shape: []int{n, 2}, Float: box}}
}

// boxLoss is the loss of detector.
var boxLoss = nn.MultiLoss{"class": nn.CrossEntropy{}, "box": nn.Weighted{Term: nn.L1{}, By: 0.5}}

// TestMultiSum makes one step with both targets and one with each alone: losses add up, and so do the changes.
func TestMultiSum(t *testing.T) {
	all := boxes(12)
	tr := Trainer{Optimizer: SGD{LR: 1}, Batch: 12, Steps: 1, Seed: 4, DType: graph.Float64, Executor: plan.CPU(1), Warn: func(string) {}}
	step := func(task Task, y string) (float64, *State, *State) {
		b := all
		if y != "" {
			b = data.Batch{"x": all["x"], "y": all[y]}
		}
		tr := tr
		tr.Task = task
		first, err := tr.New(data.Examples(b))
		must(t, first, err)
		run, err := tr.Fit(data.Examples(b))
		return must(t, run, err).History[0].Loss, first.State, run.State
	}
	both, first, after := step(Multi{nn.ModelFunc(detector), boxLoss}, "")
	class, _, afterClass := step(Supervised{head("class"), nn.CrossEntropy{}}, "class")
	box, _, afterBox := step(Supervised{head("box"), nn.L1{}}, "box")
	if !near(graph.Float64, both, class+0.5*box) || class < 0.5 || box < 0.5 {
		t.Errorf("loss %g of both, %g of the class and %g of the box alone", both, class, box)
	}
	for _, p := range first.Params.All() {
		p0, p2, pc, pb := values(t, first, p.Name), values(t, after, p.Name), values(t, afterClass, p.Name), values(t, afterBox, p.Name)
		for i := range p0 {
			if want := pc[i] - p0[i] + 0.5*(pb[i]-p0[i]); !near(graph.Float64, p2[i]-p0[i], want) {
				t.Fatalf("%s[%d] changes by %g, want %g", p.Name, i, p2[i]-p0[i], want)
			}
		}
	}
}

// TestMultiTrains trains both targets, in one batch a step and in two micro-batches, and finds each term as an output.
func TestMultiTrains(t *testing.T) {
	all := boxes(64)
	table := data.Examples(all)
	for _, accumulate := range []int{1, 2} {
		tr := Trainer{Task: Multi{nn.ModelFunc(detector), boxLoss}, Optimizer: Adam{LR: 0.02}, Batch: 16, Accumulate: accumulate, Epochs: 150,
			Seed: 1, Executor: plan.CPU(1), Val: table}
		run, err := tr.Fit(table)
		s, err2 := must(t, run, err).Evaluate(table)
		if must(t, s, err2); !(s.Loss < 0.15) || s.Weight != 64 || !(run.History[0].Loss > 1) {
			t.Errorf("accumulate %d: loss %g at first, then %v", accumulate, run.History[0].Loss, s)
		}
		terms := 0.0
		for _, name := range []string{"loss.class", "loss.box"} {
			must(t, name, run.Outputs(table, name, func(n int, y []float32) error {
				terms += float64(n) / 64 * float64(y[0])
				return nil
			}))
		}
		if !near(graph.Float32, terms, s.Loss) {
			t.Errorf("accumulate %d: the terms add up to %g, the loss is %g", accumulate, terms, s.Loss)
		}
		got, err := run.PredictBatch(data.Batch{"x": all["x"]})
		must(t, got, err)
		right, counted := 0, 0
		for i, id := range all["class"].Int {
			p := got["predict.class"].Float[3*i : 3*i+3]
			if id >= 0 {
				counted++
			}
			if id >= 0 && slices.Max(p) == p[id] {
				right++
			}
		}
		if counted != 48 || right < 44 || !slices.Equal(got["predict.box"].Shape, []int{64, 2}) {
			t.Errorf("accumulate %d: %d of %d classes, boxes %v", accumulate, right, counted, got["predict.box"].Shape)
		}
	}
}

func TestMultiErrors(t *testing.T) {
	all := boxes(12)
	model := nn.ModelFunc(detector)
	for _, c := range []struct {
		task Multi
		data data.Batch
		want string
	}{
		{Multi{nil, boxLoss}, all, "train: Multi has no Model"},
		{Multi{model, nil}, all, "nn: MultiLoss has no losses"},
		{Multi{model, boxLoss}, data.Batch{"x": all["x"], "box": all["box"]}, `the batch has no field "class"`},
		{Multi{model, boxLoss}, data.Batch{"x": all["x"]}, "builds no loss"},
	} {
		_, err := Trainer{Task: c.task, Optimizer: SGD{LR: 1}, Steps: 1}.Fit(data.Examples(c.data))
		wantErr(t, c.want, err, c.want)
	}
}

// TestMultiGradCheck compares the gradients of both terms with differences of the loss.
func TestMultiGradCheck(t *testing.T) {
	b := boxes(6)
	r, err := GradCheck{Task: Multi{nn.ModelFunc(detector), nn.MultiLoss{"class": nn.CrossEntropy{}, "box": nn.MSE{}}}, Seed: 1, Random: 0.3}.Run(data.Examples(b).Eval().Fields(), b, 6)
	if must(t, r, err); !r.OK || len(r.ByParam) != 6 {
		t.Errorf("%+v", r)
	}
}
