package train

import (
	"fmt"
	"math"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// remote returns a test executor, which is to be closed with nothing left open in it.
func remote(t *testing.T, late graphtest.Late) *graphtest.Remote {
	x := graphtest.NewRemote()
	x.Late = late
	t.Cleanup(func() { x.Close() })
	return x
}

// closed reports what is open in x.
func closed(t *testing.T, name string, x *graphtest.Remote) {
	t.Helper()
	if x.Programs != 0 || x.States != 0 {
		t.Errorf("%s: %d programs and %d states are open", name, x.Programs, x.States)
	}
}

// TestOtherExecutor runs the tests of the loop, of evaluation and of FindRate with executors that have memory of
// their own. Their runs are not done when Run returns.
func TestOtherExecutor(t *testing.T) {
	if graphtest.Race {
		t.Skip("one goroutine: nothing for the race detector")
	}
	old := newExecutor
	defer func() { newExecutor = old }()
	for name, late := range map[string]graphtest.Late{"at the next call": graphtest.AtNextCall, "at a wait": graphtest.AtWait, "at the next run": graphtest.AtNextRun} {
		newExecutor = func() plan.Executor { return remote(t, late) }
		for test, f := range map[string]func(*testing.T){
			"NotFinite": TestNotFinite, "NotFiniteSum": TestNotFiniteSum, "LearningRateNotFinite": TestLearningRateNotFinite,
			"FindRate": TestFindRate, "FindRateLeavesNothing": TestFindRateLeavesNothing, "FindRateErrors": TestFindRateErrors,
			"Evaluate": TestEvaluate, "EvaluateChangesNothing": TestEvaluateChangesNothing, "RaggedEvaluate": TestRaggedEvaluate,
			"Loop": TestLoop, "EarlyStopping": TestEarlyStopping, "Callbacks": TestCallbacks, "Accumulate": TestAccumulate,
			"Resume": TestResume, "EMA": TestEMA, "EMANotFinite": TestEMANotFinite, "Thaw": TestThaw, "GradCheck": TestGradCheck,
		} {
			if late == graphtest.AtNextRun && test == "NotFiniteSum" {
				continue // its failed run is the last
			}
			t.Run(name+"/"+test, f)
		}
	}
}

// tinyText is a GPT over words.
func tinyText(t *testing.T, x plan.Executor) (Trainer, *data.TextData) {
	d := words(t)
	c := gpt.GPT2{Vocab: d.Vocab(), Context: 8, Layers: 2, Heads: 2, Width: 16, Dropout: 0.1}
	tr := text(d, AdamW{LR: 0.01, Decay: 0.1})
	tr.Model, tr.Executor, tr.Val, tr.EvalEvery, tr.Stop = c, x, d, 5, EarlyStopping{RestoreBest: true}
	return tr, d
}

// TestSameDigest: an executor with memory of its own trains a GPT to the same digest, evaluations and rates included.
func TestSameDigest(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(tr *Trainer)
	}{
		{"whole", func(*Trainer) {}},
		{"accumulate", func(tr *Trainer) { tr.Accumulate = 3 }},
		{"EMA, recompute", func(tr *Trainer) { tr.EMA, tr.Recompute = 0.9, 0.2 }},
		{"LoRA", func(tr *Trainer) { tr.LoRA = &nn.LoRA{Targets: []string{"*.c_attn"}, Rank: 2} }},
	} {
		results := map[string]string{}
		cpu := plan.CPU(2)
		defer cpu.Close()
		for name, x := range map[string]plan.Executor{"cpu": cpu, "at once": remote(t, graphtest.AtOnce), "late": remote(t, graphtest.AtNextCall), "queued": remote(t, graphtest.AtWait)} {
			tr, d := tinyText(t, x)
			c.change(&tr)
			run, err := tr.Fit(d)
			must(t, run, err)
			tr.EMA = 0
			rates, err := tr.FindRate(d, RateFinder{Steps: 12, To: 0.1})
			if err != nil && rates.Losses == nil {
				t.Fatal(err)
			}
			results[name] = fmt.Sprint(digest(t, run), losses(run.History), run.History[4].ValLoss, rates)
			must(t, 0, run.Close())
			if r, ok := x.(*graphtest.Remote); ok {
				closed(t, c.name+", "+name, r)
			}
		}
		for name, got := range results {
			if got != results["cpu"] {
				t.Errorf("%s: %s gives\n%s\nthe CPU\n%s", c.name, name, got, results["cpu"])
			}
		}
	}
}

// TestTinyPreset: the preset tiny of ceto pretrain, trained in another memory, has the CPU's digest.
func TestTinyPreset(t *testing.T) {
	if graphtest.Race {
		t.Skip("one goroutine: nothing for the race detector")
	}
	cpu := plan.CPU(2)
	defer cpu.Close()
	results := map[string]string{}
	for name, x := range map[string]plan.Executor{"cpu": cpu, "late": remote(t, graphtest.AtNextCall)} {
		tr, d := tinyText(t, x)
		tr.Model, tr.Steps, tr.Batch = gpt.Tiny, 6, 4
		run, err := tr.Fit(d)
		must(t, run, err)
		results[name] = fmt.Sprint(digest(t, run), losses(run.History))
		must(t, 0, run.Close())
	}
	if results["late"] != results["cpu"] {
		t.Errorf("late gives\n%s\nthe CPU\n%s", results["late"], results["cpu"])
	}
}

// TestMissingKernels: without kernels for attention, norms and cross-entropies the loss is nearly the same.
func TestMissingKernels(t *testing.T) {
	x := remote(t, graphtest.AtOnce)
	x.Lacks = func(op graph.Op, _ []graph.Meta) bool {
		switch op.(type) {
		case graph.Attention, graph.AttentionGrad, graph.Norm, graph.NormGrad, graph.CrossEntropy, graph.CrossEntropyGrad, graph.CrossEntropyBoth, graph.LinearCrossEntropy:
			return true
		}
		return false
	}
	tr, d := tinyText(t, newExecutor())
	want, err := tr.Fit(d)
	must(t, want, err)
	tr.Executor = x
	got, err := tr.Fit(d)
	must(t, got, err)
	for i, s := range got.History {
		if w := want.History[i]; math.Abs(s.Loss-w.Loss) > 1e-4 || math.Abs(s.ValLoss-w.ValLoss) > 1e-4 {
			t.Errorf("step %d: losses %g and %g, with all kernels %g and %g", i+1, s.Loss, s.ValLoss, w.Loss, w.ValLoss)
		}
	}
	must(t, 0, got.Close())
	closed(t, "without kernels", x)
}

// TestNothingOpen: whatever ends a run, and however many shapes it met, nothing stays open.
func TestNothingOpen(t *testing.T) {
	x := remote(t, graphtest.AtNextCall)
	tr := rows(AdamW{LR: 0.01})
	tr.Executor = x
	run, err := tr.Fit(classes(22))
	must(t, run, err)
	for n := 1; n <= maxShapes+6; n++ { // programs of evaluations that were dropped
		_, err := run.Predict(make([][]float32, n))
		if err == nil {
			t.Fatal("rows without numbers are predicted")
		}
		rows := make([][]float32, n)
		for i := range rows {
			rows[i] = []float32{1, 2, 3}
		}
		p, err := run.Predict(rows)
		must(t, p, err)
		if x.Programs != len(run.progs) || x.Programs > maxShapes {
			t.Fatalf("%d programs are open, %d are kept, of at most %d", x.Programs, len(run.progs), maxShapes)
		}
	}
	must(t, 0, run.Close())
	must(t, 0, run.Close())
	closed(t, "a run", x)
	if _, err := run.State.Digest(); !errors.Is(err, plan.ErrClosed) {
		t.Errorf("a closed run has a digest: %v", err)
	}
	for name, change := range map[string]func(tr *Trainer){
		"a pattern without a parameter": func(tr *Trainer) { tr.Freeze = []string{"none"} },
		"too little memory":             func(tr *Trainer) { tr.MemoryLimit = 1 },
		"too little memory for a thaw": func(tr *Trainer) {
			tr.MemoryLimit, tr.Freeze, tr.Thaw = 1, []string{"0.*"}, []Thaw{{At: 3, Unfreeze: []string{"0.*"}}}
		},
		"From that fails": func(tr *Trainer) { tr.From = func(plan.State) error { return errStopped } },
	} {
		tr := rows(AdamW{LR: 0.01})
		tr.Executor = x
		change(&tr)
		if _, err := tr.Start(classes(22)); err == nil {
			t.Errorf("%s: Start succeeds", name)
		}
		closed(t, name, x)
	}
	bad := rows(AdamW{LR: 0.01})
	bad.Executor, bad.From = x, func(plan.State) error { return errStopped }
	if _, err := bad.New(classes(22)); !errors.Is(err, errStopped) {
		t.Errorf("New with a From that fails: %v", err)
	}
	closed(t, "New", x)
	fields := []data.Field{{Name: "x", Shape: []int{3}}, {Name: "y"}}
	b := data.NewBatch(fields, 4)
	report, err := GradCheck{Task: Supervised{nn.Linear{Out: 1}, nn.MSE{}}, Executor: x}.Run(fields, b, 4)
	must(t, report, err)
	closed(t, "GradCheck", x)
	l := thawed(t, x)
	must(t, 0, l.Close())
	must(t, 0, l.Run.Close())
	closed(t, "a loop with thaws and accumulation", x)
}

// thawed is a loop at its end that has met several plans of a step.
func thawed(t *testing.T, x plan.Executor) *Loop {
	tr := raggedTrainer()
	tr.Executor, tr.Accumulate, tr.Freeze, tr.Thaw = x, 2, []string{"wte.*"}, []Thaw{{At: 3, Unfreeze: []string{"wte.*"}}}
	l, err := tr.Start(raggedData(40))
	must(t, l, err)
	must(t, 0, l.Fit())
	return l
}

// TestShapesClosed: the programs of shapes that are dropped are closed, and those that are kept are not.
func TestShapesClosed(t *testing.T) {
	x := remote(t, graphtest.AtOnce)
	tr := rows(SGD{LR: 0.1})
	tr.Executor = x
	l, err := tr.Start(classes(22))
	must(t, l, err)
	for n := 1; n <= maxShapes+9; n++ {
		s, err := l.shape(l.src.Fields(), n)
		must(t, s, err)
		if x.Programs != len(l.shapes) || x.Programs > maxShapes {
			t.Fatalf("%d programs are open, %d are kept, of at most %d", x.Programs, len(l.shapes), maxShapes)
		}
	}
	must(t, 0, l.Close())
	must(t, 0, l.Run.Close())
	closed(t, "a loop", x)
}

// TestLateStep: the loop blames a failed step on its own batch and scalars, whenever it is told. It then stands as
// before the step: values, counts and the place in the data.
func TestLateStep(t *testing.T) {
	boom := nn.Sequential{nn.Dropout{P: 0.2}, named{"boom", nn.Func("Exp", (*graph.Graph).Exp)}, nn.Linear{Out: 1}}
	for _, accumulate := range []int{1, 3} {
		var want string
		for _, late := range []graphtest.Late{graphtest.AtOnce, graphtest.AtNextCall, graphtest.AtWait, graphtest.AtNextRun} {
			x := remote(t, late)
			tr := Trainer{Model: boom, Loss: nn.BCEWithLogits{}, Optimizer: Adam{LR: 0.01}, Batch: 2, Accumulate: accumulate, Steps: 100, Seed: 3, Executor: x,
				Schedule: Cosine{Warmup: 5}}
			l, err := tr.Start(spoilt(200, 200, 200))
			must(t, l, err)
			positions := map[int]data.Position{}
			states := map[int]map[string][]float64{}
			for err == nil {
				positions[l.StepsDone()], states[l.StepsDone()] = l.src.Position(), everything(t, l.Run.State)
				_, err = l.Step()
			}
			var bad *NotFiniteError
			if !errors.As(err, &bad) {
				t.Fatalf("accumulate %d, %v: %v", accumulate, late, err)
			}
			if l.StepsDone() != bad.Step-1 || l.at.Micro != int64(accumulate*l.StepsDone()) || l.src.Position() != positions[l.StepsDone()] || len(l.Run.History) != l.StepsDone() {
				t.Errorf("accumulate %d, %v: after step %d failed %d steps and %d micro-batches are done, the data is at %+v, the history has %d steps",
					accumulate, late, bad.Step, l.StepsDone(), l.at.Micro, l.src.Position(), len(l.Run.History))
			}
			got := fmt.Sprint(bad, everything(t, l.Run.State), losses(l.Run.History))
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("accumulate %d, %v:\n%s\nat once:\n%s", accumulate, late, got, want)
			}
			if fmt.Sprint(everything(t, l.Run.State)) != fmt.Sprint(states[l.StepsDone()]) {
				t.Errorf("accumulate %d, %v: the values are not as before the step", accumulate, late)
			}
			l.Close()
			l.Run.Close()
			closed(t, "a failed run", x)
		}
	}
}
