package lpft

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
)

// net is a network of images: a trunk that gives features, and a head.
type net struct {
	out  int
	bias bool
	loss nn.Loss
	in   bool // the head's weight is (N, Out)
}

func (n net) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	x := s.Tanh(s.Call("trunk", nn.Linear{Out: 12}, in["x"]))
	y := s.Call("head", nn.Linear{Out: n.out, OutIn: !n.in, NoBias: !n.bias}, x)
	o := nn.Objective{Outputs: map[string]*graph.Node{"y": y}}
	if s.Mode() != nn.Train {
		o.Outputs["features"], o.Outputs["predict"] = x, n.loss.Predict(s, y)
	}
	if in["y"] != nil {
		o.Loss, o.Weight = n.loss.Loss(s, y, in["y"])
	}
	return o
}

// side is the extent of an image.
const side = 6

// image has a bright bar, upright or lying, at a place, among noise.
func image(r *rand.Rand, place int, upright bool) []float32 {
	x := make([]float32, side*side)
	for i := range x {
		x[i] = float32(0.3 * r.NormFloat64())
		if upright && i%side == place || !upright && i/side == place {
			x[i]++
		}
	}
	return x
}

// pretrained is the trunk of a network that has learned where bars are.
func pretrained(t testing.TB) func(s plan.State) error {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var x [][]float32
	var y []int32
	for i := range 240 {
		place, upright := i%side, i/side%2 == 0
		x, y = append(x, image(r, place, upright)), append(y, int32(place))
		if upright {
			y[i] += side
		}
	}
	run, err := train.Trainer{Task: net{out: 2 * side, bias: true, loss: nn.CrossEntropy{}}, Optimizer: train.AdamW{LR: 0.02}, Epochs: 30, Seed: 1, Executor: plan.CPU(1)}.Fit(data.Rows(x, y))
	if err != nil {
		t.Fatal(err)
	}
	return func(s plan.State) error {
		for _, name := range []string{"trunk.weight", "trunk.bias"} {
			v, err := run.State.Read(name)
			if err == nil {
				err = s.Write(name, v)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// bars returns n images of two classes. With odd the class tells whether the bar's place is odd, which the features
// show. Without odd it tells whether the bar stands upright, which they hardly show.
func bars(n int, seed uint64, odd bool) *data.Table {
	r := rand.New(rand.NewPCG(seed, 3))
	var x [][]float32
	var y []int32
	for range n {
		place, class := r.IntN(side), int32(r.IntN(2))
		upright := class == 1
		if odd {
			class = int32(place % 2)
		}
		x, y = append(x, image(r, place, upright)), append(y, class)
	}
	return data.Rows(x, y)
}

// recipe learns the class of bars with LoRA on the trunk.
func recipe(t testing.TB, from func(plan.State) error, odd bool) Recipe {
	t.Helper()
	rows := bars(80, 5, odd)
	return Recipe{
		Trainer: train.Trainer{Task: net{out: 2, bias: true, loss: nn.CrossEntropy{}}, Optimizer: train.AdamW{LR: 0.02}, Batch: 16, Steps: 40, Seed: 3,
			LoRA: &nn.LoRA{Targets: []string{"trunk"}, Rank: 4, Also: []string{"head.*"}}, From: from,
			Val: bars(60, 6, odd), EvalEvery: 5, Stop: train.EarlyStopping{RestoreBest: true}, Executor: plan.CPU(1)},
		Train: rows, Examples: rows,
		Probe: &Probe{Features: "features", Head: "head", Target: Target{Link: Softmax, Classes: 2}},
	}
}

// read copies a parameter.
func read(t testing.TB, s *train.State, name string) []float32 {
	t.Helper()
	d, err := s.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(d.Data().([]float32))
}

// TestRecipe learns from images: by the head alone, with LoRA, and with all parameters.
func TestRecipe(t *testing.T) {
	from := pretrained(t)
	var trunk []float32 // as it was pretrained
	for _, w := range []struct {
		name   string
		change func(r *Recipe)
		tunes  bool
	}{
		{"head", func(r *Recipe) { r.ProbeOnly = true }, false},
		{"LoRA", func(*Recipe) {}, true},
		{"all", func(r *Recipe) { r.Trainer.LoRA, r.Trainer.Optimizer = nil, train.AdamW{LR: 0.01} }, true},
		{"all, no head first", func(r *Recipe) { r.Trainer.LoRA, r.Probe = nil, nil }, true},
	} {
		t.Run(w.name, func(t *testing.T) {
			r, said := recipe(t, from, false), 0
			w.change(&r)
			r.Say = func(string, ...any) { said++ }
			var before []float32
			var judged float64
			state, result, err := r.Fit(func(run *train.Run) error {
				before = read(t, run.State, "head.weight")
				s, err := run.Evaluate(r.Trainer.Val)
				judged = s.Loss
				return err
			})
			if err != nil || math.Abs(judged-result.ValLoss) > 1e-6 {
				t.Fatalf("what was measured has loss %g, the result is %+v, %v", judged, result, err)
			}
			if result.KeptHead == w.tunes || (result.Step > 0) != w.tunes || (result.Strength > 0) != (r.Probe != nil) || (said > 0) != (r.Probe != nil) {
				t.Errorf("%+v; it said %d things", result, said)
			}
			if bound := map[bool]float64{true: 0.5, false: 0.65}[w.tunes]; !(result.ValLoss < bound) {
				t.Errorf("loss %g, want below %g", result.ValLoss, bound)
			}
			if w.name == "head" {
				trunk = read(t, state, "trunk.weight")
			}
			moved := !slices.Equal(trunk, read(t, state, "trunk.weight"))
			if all := strings.HasPrefix(w.name, "all"); moved != all {
				t.Errorf("the trunk has moved: %t, want %t", moved, all)
			}
			if refit := !slices.Equal(before, read(t, state, "head.weight")); refit != result.KeptHead {
				t.Errorf("the head was fitted again: %t, want %t", refit, result.KeptHead)
			}
		})
	}
}

// TestKeepsHead: LoRA that makes things worse is taken back; the network then is the frozen one with the head that was
// fitted first.
func TestKeepsHead(t *testing.T) {
	r := recipe(t, pretrained(t), false)
	r.Trainer.Optimizer, r.Trainer.Steps = train.AdamW{LR: 1e-3}, 20
	run, err := r.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if err := run.Learn(); err != nil {
		t.Fatal(err)
	}
	state := run.Loop.Run.State
	learnt := read(t, state, "trunk.lora_B.weight")
	result, err := run.Choose()
	if err != nil {
		t.Fatal(err)
	}
	step, _, _ := run.Loop.Best()
	b := read(t, state, "trunk.lora_B.weight")
	if step == 0 || !result.KeptHead || result.Step != 0 || slices.Max(learnt) == 0 || slices.Max(b) != 0 || slices.Min(b) != 0 {
		t.Errorf("best step %d, %+v, B up to %g, then %g; want a step that is hardly better taken back", step, result, slices.Max(learnt), slices.Max(b))
	}
	if kept := read(t, state, "head.weight"); !slices.Equal(kept, run.head.weight) {
		t.Errorf("head %v, want the one that was fitted first, %v", kept, run.head.weight)
	}
	s, err := run.Loop.Run.Evaluate(r.Trainer.Val)
	if err != nil || s.Loss != result.ValLoss {
		t.Errorf("loss %g, %v, want %g", result.ValLoss, err, s.Loss)
	}
}

// TestAllAreKept: steps of all parameters are kept where they are hardly better, as they cannot be taken back.
func TestAllAreKept(t *testing.T) {
	r := recipe(t, pretrained(t), false)
	r.Trainer.LoRA, r.Trainer.Optimizer, r.Trainer.Steps, r.Trainer.Batch = nil, train.AdamW{LR: 1e-4}, 20, 2
	if _, result, err := r.Fit(nil); err != nil || result.KeptHead || result.Step == 0 {
		t.Errorf("%+v, %v; want the steps", result, err)
	}
}

// TestTargetLoss: the losses by hand, and targets that are none.
func TestTargetLoss(t *testing.T) {
	for _, w := range []struct {
		target  Target
		pred, y []float32
		want    float64
	}{
		{Target{Link: Softmax, Classes: 3}, []float32{0.2, 0.5, 0.3}, []float32{1}, math.Ln2},
		{Target{Link: Softmax, Classes: 2}, []float32{1, 0}, []float32{1}, 7 * math.Ln10},
		{Target{Link: Logistic}, []float32{0.25, 0.5}, []float32{0, 1}, math.Log(8. / 3)},
		{Target{Link: Logistic}, []float32{0.5}, []float32{0.3}, math.Ln2},
		{Target{Link: Identity}, []float32{1, 2}, []float32{3, 5}, 13},
	} {
		if got, err := w.target.loss(w.pred, w.y); err != nil || math.Abs(got-w.want) > 1e-6 {
			t.Errorf("%+v of %v for %v: %g, %v, want %g", w.target, w.pred, w.y, got, err, w.want)
		}
	}
	for _, y := range [][]float32{{2}, {-1}, {0, 1}, {}} {
		if _, _, err := (Target{Link: Softmax, Classes: 2}).encode(y); err == nil {
			t.Errorf("%v is taken for one of 2 classes", y)
		}
	}
	if _, weight, err := (Target{Link: Softmax, Classes: 2, Weights: []float64{1, 3}}).encode([]float32{1}); err != nil || weight != 3 {
		t.Errorf("weight %g, %v, want 3", weight, err)
	}
	if _, err := (Target{Link: Identity}).loss([]float32{1, 2}, []float32{1}); err == nil {
		t.Error("two predictions are taken for one number")
	}
}

// TestLinks fits heads to shares and to numbers, with and without a bias, in both layouts of the weight.
func TestLinks(t *testing.T) {
	from, r := pretrained(t), rand.New(rand.NewPCG(7, 8))
	for _, w := range []struct {
		name string
		net  net
		link Link
		y    func(odd float32) []float32
		most float64 // the bound of the loss
	}{
		{"labels", net{out: 2, bias: true, loss: nn.BCEWithLogits{}}, Logistic, func(odd float32) []float32 { return []float32{odd, 1 - odd} }, 0.2},
		{"shares", net{out: 1, bias: true, loss: nn.BCEWithLogits{}}, Logistic, func(odd float32) []float32 { return []float32{0.1 + 0.8*odd} }, 0.45},
		{"numbers", net{out: 2, bias: true, in: true, loss: nn.MSE{}}, Identity, func(odd float32) []float32 { return []float32{100 + 10*odd, -3 * odd} }, 4},
		{"numbers, no bias", net{out: 1, loss: nn.MSE{}}, Identity, func(odd float32) []float32 { return []float32{2*odd + 20} }, 400}, // 442 where the fit counts on a bias
	} {
		var x, y [2][][]float32
		for i := range 120 {
			place := r.IntN(side)
			x[i%2] = append(x[i%2], image(r, place, i%4 < 2))
			y[i%2] = append(y[i%2], w.y(float32(place%2)))
		}
		rows := data.Rows(x[0], y[0])
		set := recipe(t, from, true)
		set.Trainer.Task, set.Trainer.Val, set.ProbeOnly, set.Train, set.Examples = w.net, data.Rows(x[1], y[1]), true, rows, rows
		set.Probe = &Probe{Features: "features", Head: "head", InOut: w.net.in, Target: Target{Link: w.link}}
		_, result, err := set.Fit(nil)
		if err != nil || !(result.ValLoss < w.most) || !result.KeptHead {
			t.Errorf("%s: %+v, %v, want a loss below %g", w.name, result, err, w.most)
		}
	}
}

// TestResume goes on with a run that was interrupted: what comes of it is that of a run that was never stopped.
func TestResume(t *testing.T) {
	from := pretrained(t)
	for _, w := range []struct {
		rate  float64
		batch int
		head  bool // is kept: LoRA is hardly better, or not at all
	}{{0.02, 16, false}, {1e-3, 16, true}, {1e-3, 2, true}} {
		fit := func(out string, change func(t *train.Trainer)) (string, Result, error) {
			r := recipe(t, from, false)
			r.Trainer.Optimizer, r.Trainer.Steps, r.Trainer.Batch, r.Trainer.Out = train.AdamW{LR: w.rate}, 20, w.batch, out
			change(&r.Trainer)
			state, result, err := r.Fit(nil)
			if err != nil {
				return "", result, err
			}
			digest, err := state.Digest()
			return digest, result, err
		}
		want, whole, err := fit("", func(*train.Trainer) {})
		if err != nil || whole.KeptHead != w.head {
			t.Fatalf("%+v: %+v, %v", w, whole, err)
		}
		out, stop := filepath.Join(t.TempDir(), "run"), make(chan struct{})
		_, _, err = fit(out, func(t *train.Trainer) {
			t.Interrupt = stop
			t.Callbacks = []train.Callback{train.CallbackFunc(func(s *train.Status) error {
				if s.Step == 4 {
					close(stop)
				}
				return nil
			})}
		})
		if !errors.Is(err, train.ErrInterrupted) {
			t.Fatalf("%+v: %v, want ErrInterrupted", w, err)
		}
		if _, err := os.Stat(filepath.Join(out, "checkpoints", "step-4")); err != nil {
			t.Errorf("%+v: %v; want a checkpoint of the interrupted step", w, err)
		}
		got, result, err := fit(out, func(t *train.Trainer) { t.Resume = true })
		if err != nil || got != want || result.ValLoss != whole.ValLoss || result.Step != whole.Step || result.KeptHead != whole.KeptHead {
			t.Errorf("%+v: digest %s, %+v, %v; want %s, %+v", w, got, result, err, want, whole)
		}
	}
}

// TestRefuse has a clear line for what cannot be.
func TestRefuse(t *testing.T) {
	from := func(plan.State) error { return nil }
	for want, change := range map[string]func(r *Recipe){
		"want Train, Trainer.Val":            func(r *Recipe) { r.Trainer.Val = nil },
		"Trainer.Stop.RestoreBest":           func(r *Recipe) { r.Trainer.Stop.RestoreBest = false },
		"ProbeOnly wants a Probe":            func(r *Recipe) { r.Probe, r.ProbeOnly = nil, true },
		"a Probe wants Examples":             func(r *Recipe) { r.Examples = nil },
		`no parameter "score.weight"`:        func(r *Recipe) { r.Probe.Head = "score" },
		`"pooled"`:                           func(r *Recipe) { r.Probe.Features = "pooled" },
		"want one class id from 0 to 0":      func(r *Recipe) { r.Probe.Target.Classes = 1 },
		"head.weight is [2 12]; want [12 2]": func(r *Recipe) { r.Probe.InOut = true },
	} {
		r := recipe(t, from, false)
		change(&r)
		if _, _, err := r.Fit(nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}
