package train

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
	"github.com/google/go-cmp/cmp"
)

// pretrained fills all parameters but those of LoRA with values drawn from a seed.
func pretrained(seed uint64) func(plan.State) error {
	return func(s plan.State) error {
		for _, name := range s.Names(graph.Param) {
			if strings.Contains(name, ".lora_") {
				continue
			}
			r := nn.NewRand(seed, name)
			err := s.Fill(name, func(b graph.Buf) error {
				for i := range b.Size() {
					if b.DType == graph.Float64 {
						graph.Data[float64](b)[i] = 0.3 * r.Normal(i, 0)
					} else {
						graph.Data[float32](b)[i] = float32(0.3 * r.Normal(i, 0))
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// tuned are scenarios that go on from pretrained parameters, some of which they freeze.
func tuned(t testing.TB) []scenario {
	d := words(t)
	lora := text(d, AdamW{LR: 0.02, Decay: 0.1})
	lora.From, lora.LoRA, lora.Accumulate = pretrained(1), &nn.LoRA{Targets: []string{"1.*"}, Rank: 2, Dropout: 0.1, Also: []string{"2.*"}}, 2
	freeze := rows(SGD{LR: 0.1, Momentum: 0.9})
	freeze.From, freeze.Freeze, freeze.EMA = pretrained(2), []string{"0.*", "*.bias"}, 0.9
	freeze.Val, freeze.EvalEvery, freeze.Stop = classes(7), 2, EarlyStopping{RestoreBest: true}
	thaw := rows(AdamW{LR: 0.02, Decay: 0.1})
	thaw.From, thaw.Freeze, thaw.EMA, thaw.Accumulate = pretrained(3), []string{"*"}, 0.8, 3
	thaw.Thaw = []Thaw{{9, []string{"0.weight"}}, {0, []string{"4.*"}}, {0.3, []string{"3.*"}}} // 0.bias stays frozen; a checkpoint comes before 9
	new := rows(Adam{LR: 0.02})
	new.Freeze, new.Thaw = []string{"0.*", "3.*"}, []Thaw{{6, []string{"0.*"}}}
	table := classes(22)
	return []scenario{
		{"text LoRA", lora, d},
		{"rows freeze, average, best", freeze, table},
		{"rows thaw, average", thaw, table},
		{"rows thaw from new", new, table},
	}
}

// stored lists the tensors of a file of the newest checkpoint.
func stored(t *testing.T, run, file string) []string {
	t.Helper()
	ck, err := NewestCheckpoint(run, nil)
	must(t, ck, err)
	f, err := safetensors.Open(filepath.Join(ck, file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	names := f.Names()
	slices.Sort(names)
	return names
}

// TestKept: with From, checkpoints leave out what stays frozen to the end; without it they have everything.
func TestKept(t *testing.T) {
	all := []string{"0.bias", "0.weight", "3.bias", "3.weight", "4.bias", "4.weight"}
	for _, c := range []struct {
		name   string
		change func(tr *Trainer)
		want   []string
	}{
		{"new", func(*Trainer) {}, all},
		{"new, frozen", func(tr *Trainer) { tr.Freeze = []string{"0.*"} }, all},
		{"from", func(tr *Trainer) { tr.From = pretrained(1) }, all},
		{"from, frozen", func(tr *Trainer) { tr.From, tr.Freeze = pretrained(1), []string{"0.*", "4.bias"} }, []string{"3.bias", "3.weight", "4.weight"}},
		{"from, thawed later", func(tr *Trainer) {
			tr.From, tr.Freeze, tr.Thaw = pretrained(1), []string{"0.*", "4.*"}, []Thaw{{2, []string{"0.bias"}}}
		}, []string{"0.bias", "3.bias", "3.weight"}},
		{"LoRA", func(tr *Trainer) {
			tr.From, tr.LoRA = pretrained(1), &nn.LoRA{Targets: []string{"0"}, Rank: 1, Also: []string{"4.*"}}
		}, []string{"0.lora_A.weight", "0.lora_B.weight", "4.bias", "4.weight"}},
	} {
		tr := rows(AdamW{LR: 0.1})
		tr.Steps, tr.Out, tr.Val, tr.Stop = 4, t.TempDir(), classes(5), EarlyStopping{RestoreBest: true}
		c.change(&tr)
		run, err := tr.Fit(classes(12))
		must(t, run, err)
		for _, file := range []string{modelFile, bestFile} {
			if d := cmp.Diff(c.want, stored(t, tr.Out, file)); d != "" {
				t.Errorf("%s: tensors of %s (want, got):\n%s", c.name, file, d)
			}
		}
	}
}

// TestFrom counts the parameters that are drawn. These are only those that From does not write, and they have the
// values that they have without From.
func TestFrom(t *testing.T) {
	drawn := 0
	count := func(w []float64, s graph.Shape, r *nn.Rand) error {
		drawn++
		return nn.Normal(0, 0.5)(w, s, r)
	}
	tr := rows(AdamW{LR: 0.1})
	tr.Model = nn.Sequential{nn.Linear{Out: 3, Init: count}, nn.Linear{Out: 3, Init: count}}
	fresh, err := tr.New(classes(12))
	must(t, fresh, err)
	tr.From = func(s plan.State) error {
		return s.Write("0.weight", graph.Dense(graph.NewBuf(fresh.State.Params.Get("0.weight").Meta)))
	}
	run, err := tr.New(classes(12))
	if must(t, run, err); drawn != 3 {
		t.Errorf("%d matrices were drawn, want 2 and then 1", drawn)
	}
	for _, name := range []string{"0.weight", "0.bias", "1.weight", "1.bias"} {
		want, got := values(t, fresh.State, name), values(t, run.State, name)
		if name == "0.weight" {
			clear(want)
		}
		if !slices.Equal(want, got) {
			t.Errorf("%s: want %v, got %v", name, want, got)
		}
	}
}

// TestResumeFrom resumes a run whose checkpoint lacks the frozen parameters. From another pretrained model it is an
// error. A checkpoint with all parameters is read whole.
func TestResumeFrom(t *testing.T) {
	tr := rows(AdamW{LR: 0.1})
	tr.Steps, tr.Out, tr.From, tr.Freeze = 4, t.TempDir(), pretrained(1), []string{"0.*"}
	run, err := tr.Fit(classes(12))
	want := digest(t, must(t, run, err))
	tr.Resume = true
	again, err := tr.Fit(classes(12))
	if must(t, again, err); digest(t, again) != want {
		t.Error("resumed, the digest is another")
	}
	tr.From = pretrained(2)
	_, err = tr.Fit(classes(12))
	wantErr(t, "another pretrained model", err, "step-4 is of a run from another pretrained model: the frozen parameters differ")
	ck, err := NewestCheckpoint(tr.Out, nil)
	must(t, ck, err)
	if err := run.State.Save(filepath.Join(ck, modelFile)); err != nil {
		t.Fatal(err)
	}
	older(t, ck)
	tr.From = pretrained(1)
	again, err = tr.Fit(classes(12))
	if must(t, again, err); digest(t, again) != want {
		t.Error("resumed with all parameters, the digest is another")
	}
}

// TestEMA follows the averages with a few lines of Go.
func TestEMA(t *testing.T) {
	for _, d := range []graph.DType{graph.Float32, graph.Float64} {
		for _, accumulate := range []int{1, 3} {
			for _, decay := range []float64{0.5, 0.999} {
				name := fmt.Sprintf("%v, accumulate %d, decay %g", d, accumulate, decay)
				tr := rows(AdamW{LR: 0.05})
				tr.DType, tr.Accumulate, tr.EMA, tr.Freeze, tr.Val = d, accumulate, decay, []string{"3.*"}, classes(9)
				tr.Thaw = []Thaw{{6, []string{"3.weight"}}} // its average has its frozen value in it
				avg, weight := map[string][]float64{}, 0.0
				own := map[string][]float64{}
				tr.Callbacks = []Callback{CallbackFunc(func(s *Status) error {
					weight = decay*weight + (1 - decay)
					for _, p := range s.Run.State.Params.All() {
						own[p.Name] = values(t, s.Run.State, p.Name)
						if avg[p.Name] == nil {
							avg[p.Name] = make([]float64, len(own[p.Name]))
						}
						for i, v := range own[p.Name] {
							avg[p.Name][i] = decay*avg[p.Name][i] + (1-decay)*v
						}
					}
					return nil
				})}
				run, err := tr.Fit(classes(22))
				must(t, run, err)
				for p, v := range avg {
					for i, got := range values(t, run.State, p) {
						if want := v[i] / weight; !near(d, got, want) {
							t.Errorf("%s: %s[%d] = %g, want %g", name, p, i, got, want)
						}
					}
				}
				if cmp.Equal(own["0.weight"], values(t, run.State, "0.weight")) {
					t.Errorf("%s: the average is the last value", name)
				}
				for _, avg := range run.State.Names(graph.Average) {
					if avg == "ema.3.bias" {
						t.Errorf("%s: %s is kept, of a frozen parameter", name, avg)
					}
				}
				last := run.History[len(run.History)-1]
				sc, err := run.Evaluate(tr.Val)
				if must(t, sc, err); sc.Loss != last.ValLoss {
					t.Errorf("%s: the last evaluation gave %g, the averages give %g", name, last.ValLoss, sc.Loss)
				}
			}
		}
	}
	tr := rows(SGD{LR: 1})
	tr.EMA = 1
	_, err := tr.Fit(classes(12))
	wantErr(t, "decay 1", err, "EMA 1: want a decay in [0, 1)")
}

// TestEMANotFinite: a step that is not finite leaves the averages, too, as they were.
func TestEMANotFinite(t *testing.T) {
	for _, accumulate := range []int{1, 3} {
		var before map[string][]float64
		tr := Trainer{Model: nn.Linear{Out: 1}, Loss: nn.BCEWithLogits{}, Optimizer: Adam{LR: 0.1}, Batch: 2, Accumulate: accumulate, Steps: 25, EMA: 0.9}
		tr.Callbacks = []Callback{CallbackFunc(func(s *Status) error { before = everything(t, s.Run.State); return nil })}
		run, err := tr.Fit(spoilt(1e20, 1e20, 1e20))
		wantErr(t, "spoilt", err, "gradient norm")
		if d := cmp.Diff(before, everything(t, run.State)); d != "" || before == nil {
			t.Errorf("accumulate %d: after %d steps the states changed:\n%s", accumulate, len(run.History), d)
		}
	}
}

// TestEMAMemory: an average costs the memory of what it is an average of, and no more.
func TestEMAMemory(t *testing.T) {
	for _, accumulate := range []int{1, 2} {
		total := func(ema float64) int {
			tr := rows(AdamW{LR: 0.05})
			tr.Model, tr.EMA, tr.Freeze, tr.Accumulate = nn.Sequential{nn.Linear{Out: 64}, nn.Linear{Out: 64}, nn.Linear{Out: 3}}, ema, []string{"*.bias", "2.*"}, accumulate
			l, err := tr.Start(classes(12))
			must(t, l, err)
			n := l.step.prog.Plan().Total()
			if l.update != nil {
				n = l.update.Plan().Total()
			}
			return n
		}
		if got, want := total(0.9)-total(0), 4*(3*64+64*64); got != want {
			t.Errorf("accumulate %d: averages take %d bytes, want %d", accumulate, got, want)
		}
	}
}

// TestEMATrainsAlike: averages change nothing of the training that they follow.
func TestEMATrainsAlike(t *testing.T) {
	for _, sc := range scenarios(t) {
		run, err := sc.trainer.Fit(sc.data)
		want := losses(must(t, run, err).History)
		tr := sc.trainer
		tr.EMA, tr.Val, tr.EvalEvery = 0.9, sc.data.(EvalData), 3
		run, err = tr.Fit(sc.data)
		if d := cmp.Diff(want, losses(must(t, run, err).History)); d != "" {
			t.Errorf("%s: losses without and with averages:\n%s", sc.name, d)
		}
	}
}

// TestThaw: what is frozen keeps its bits until its thaw, and then moves by the learning rate at once, as Adam's first
// step does.
func TestThaw(t *testing.T) {
	const lr = 0.001
	for _, opt := range []Optimizer{Adam{LR: lr, Eps: 1e-20}, AdamW{LR: lr, Eps: 1e-20}, SGD{LR: lr, Momentum: 0.9}} {
		for _, accumulate := range []int{1, 2} {
			name := fmt.Sprintf("%T, accumulate %d", opt, accumulate)
			tr := rows(opt)
			tr.Model, tr.Steps, tr.Schedule, tr.Clip, tr.DType, tr.Accumulate = small(0), 20, Constant{}, 0, graph.Float64, accumulate
			tr.Freeze = []string{"0.*", "3.*"}
			tr.Thaw = []Thaw{{0.5, []string{"3.*"}}, {15, []string{"0.weight"}}}
			thaws := map[string]int{"0.weight": 15, "0.bias": 99, "3.weight": 10, "3.bias": 10, "4.weight": 0, "4.bias": 0}
			fresh, err := tr.New(classes(12))
			old := map[string][]float64{}
			for p := range maps.Keys(thaws) {
				old[p] = values(t, must(t, fresh, err).State, p)
			}
			tr.Callbacks = []Callback{CallbackFunc(func(s *Status) error {
				for p, at := range thaws {
					now := values(t, s.Run.State, p)
					if cmp.Equal(old[p], now) != (s.Step <= at) {
						t.Errorf("%s: step %d: %s changed: %v; its thaw is at %d", name, s.Step, p, s.Step > at, at)
					}
					_, sgd := opt.(SGD)
					for i, v := range now {
						if step := max(v-old[p][i], old[p][i]-v); s.Step == at+1 && !sgd && !near(graph.Float64, step, lr) {
							t.Errorf("%s: %s[%d] moves by %g in its first update, want %g", name, p, i, step, lr)
						}
					}
					_, _, err := s.Run.State.Meta("exp_avg." + p)
					if !sgd && (err == nil) != (s.Step > at) {
						t.Errorf("%s: step %d: moments of %s: %v; its thaw is at %d", name, s.Step, p, err, at)
					}
					old[p] = now
				}
				return nil
			})}
			run, err := tr.Fit(classes(12))
			must(t, run, err)
		}
	}
}

// TestThawBest: the best values of before a thaw are those of the parameters that it unfroze as well.
func TestThawBest(t *testing.T) {
	tr := rows(SGD{LR: 0.01})
	tr.Schedule, tr.Val, tr.EvalEvery, tr.Stop = Constant{}, classes(22), 2, EarlyStopping{RestoreBest: true}
	tr.From, tr.Freeze, tr.Thaw = pretrained(1), []string{"0.*"}, []Thaw{{4, []string{"0.*"}}}
	best, low, from := 0, math.Inf(1), []float64(nil)
	tr.Callbacks = []Callback{CallbackFunc(func(s *Status) error {
		switch {
		case s.Step == 1:
			from = values(t, s.Run.State, "0.weight")
		case s.Step == 4:
			s.LRScale = 1000
		case s.Step == s.Steps && cmp.Equal(from, values(t, s.Run.State, "0.weight")):
			t.Error("0.weight did not change after its thaw")
		}
		if s.Evaluated && s.ValLoss < low {
			best, low = s.Step, s.ValLoss
		}
		return nil
	})}
	run, err := tr.Fit(classes(22))
	if must(t, run, err); best > 4 || !cmp.Equal(from, values(t, run.State, "0.weight")) {
		t.Errorf("the best step is %d, the thaw at 4; or 0.weight is not as it was", best)
	}
}

// TestThawMemory: a run whose last stage does not fit is refused before its first step.
func TestThawMemory(t *testing.T) {
	tr := rows(AdamW{LR: 0.1})
	tr.Model, tr.Freeze = nn.Sequential{nn.Linear{Out: 1000}, nn.Linear{Out: 3}}, []string{"0.*"}
	l, err := tr.Start(classes(12))
	tr.MemoryLimit = uint64(must(t, l, err).step.prog.Plan().Total()) + 1000
	run, err := tr.Fit(classes(12))
	must(t, run, err)
	tr.Thaw = []Thaw{{0.5, []string{"0.*"}}}
	_, err = tr.Start(classes(12))
	wantErr(t, "limit", err, "train: Thaw", "a step of batch 6 needs")
}

func TestThawErrors(t *testing.T) {
	for _, c := range []struct {
		thaw Thaw
		want string
	}{
		{Thaw{-1, []string{"0.*"}}, "want a share below 1 or a whole number of updates"},
		{Thaw{1.5, []string{"0.*"}}, "want a share below 1 or a whole number of updates"},
		{Thaw{0.5, nil}, "and patterns"},
		{Thaw{0.5, []string{"0.*", "nothing"}}, `"nothing" matches no parameter that is frozen`},
		{Thaw{0.5, []string{"4.*"}}, `"4.*" matches no parameter that is frozen`},
		{Thaw{0.5, []string{"["}}, `"[" matches no parameter`},
	} {
		tr := rows(SGD{LR: 1})
		tr.Freeze, tr.Thaw = []string{"0.*"}, []Thaw{c.thaw}
		_, err := tr.Fit(classes(12))
		wantErr(t, fmt.Sprint(c.thaw), err, c.want)
	}
}
