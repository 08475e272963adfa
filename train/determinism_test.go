package train

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/google/go-cmp/cmp"
)

func TestDeterminism(t *testing.T) {
	for _, sc := range scenarios(t) {
		fit := func(threads int, seed uint64, dropout bool) (string, []float64) {
			tr := sc.trainer
			tr.Executor, tr.Seed = plan.CPU(threads), seed
			defer tr.Executor.Close()
			if !dropout && tr.Model != nil {
				tr.Model = nn.Sequential{withoutDropout(tr.Model)}
			}
			run, err := tr.Fit(sc.data)
			if err != nil {
				t.Fatalf("%s: %v", sc.name, err)
			}
			return digest(t, run), losses(run.History)
		}
		want, curve := fit(1, 3, true)
		for _, threads := range []int{1, 2, 4} {
			got, c := fit(threads, 3, true)
			if got != want || !slices.Equal(c, curve) {
				t.Errorf("%s: digest %s on %d threads, %s on 1; losses %v, %v", sc.name, got, threads, want, c, curve)
			}
		}
		if other, _ := fit(1, 4, true); other == want {
			t.Errorf("%s: seeds 3 and 4 give the same digest %s", sc.name, want)
		}
		if other, c := fit(1, 3, false); sc.trainer.Model != nil && (other == want || slices.Equal(c, curve)) {
			t.Errorf("%s: with and without dropout the run is the same", sc.name)
		}
	}
}

// TestRecompute: activations that are computed again change no bit of a run, and its steps need less memory.
func TestRecompute(t *testing.T) {
	for _, sc := range scenarios(t) {
		fit := func(share float64) (string, int) {
			tr := sc.trainer
			tr.Recompute = share
			l, err := tr.Start(sc.data)
			must(t, l, err)
			run, err := tr.Fit(sc.data)
			return digest(t, must(t, run, err)), l.StepPlan().Sizes[plan.Activations]
		}
		want, all := fit(0)
		if got, some := fit(1); got != want || some > all || some == all && strings.HasPrefix(sc.name, "text") {
			t.Errorf("%s: digest %s and %d bytes, without %s and %d", sc.name, got, some, want, all)
		}
	}
}

// withoutDropout is the model of scenarios at dropout 0.
func withoutDropout(l nn.Layer) nn.Layer {
	q := slices.Clone(l.(nn.Sequential))
	for i, l := range q {
		switch l := l.(type) {
		case nn.Dropout:
			q[i] = nn.Dropout{}
		case gpt.GPT2Block:
			a := l.Attn.(gpt.GPT2Attention)
			a.Dropout = 0
			l.Dropout, l.Attn = 0, a
			q[i] = l
		}
	}
	return q
}

// TestAccumulate compares k micro-batches with one batch of as many examples, some of whose targets do not count.
func TestAccumulate(t *testing.T) {
	for _, d := range []graph.DType{graph.Float32, graph.Float64} {
		for _, opt := range []Optimizer{SGD{LR: 0.5, Momentum: 0.9}, AdamW{LR: 0.01, Decay: 0.1, Eps: 1e-4}} {
			name := fmt.Sprintf("%v %T", d, opt)
			fit := func(batch, accumulate int) *Run {
				tr := rows(opt)
				tr.Model, tr.Batch, tr.Accumulate, tr.Steps, tr.DType, tr.Clip = small(0), batch, accumulate, 6, d, 0.3
				run, err := tr.Fit(classes(40))
				return must(t, run, err)
			}
			large, micro := fit(20, 1), fit(4, 5)
			for i, a := range large.History {
				b := micro.History[i]
				if !near(d, b.Loss, a.Loss) || !near(d, b.GradNorm, a.GradNorm) || a.Epoch != b.Epoch || a.GradNorm < 0.3 && i == 0 {
					t.Errorf("%s: step %d: accumulated loss %g norm %g epoch %g, at once %g %g %g", name, a.Step, b.Loss, b.GradNorm, b.Epoch, a.Loss, a.GradNorm, a.Epoch)
				}
			}
			for _, p := range large.State.Params.All() {
				want, got := values(t, large.State, p.Name), values(t, micro.State, p.Name)
				for i := range want {
					if !near(d, got[i], want[i]) {
						t.Errorf("%s: %s[%d] = %g accumulated, %g at once", name, p.Name, i, got[i], want[i])
					}
				}
			}
		}
	}
}

// half is a net with a branch that does not reach the loss.
type half struct{ net nn.Layer }

func (h half) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	s.Call("lost", nn.Linear{Out: 2}, x)
	return s.Call("net", h.net, x)
}

func TestUnreached(t *testing.T) {
	for _, accumulate := range []int{1, 3} {
		var warned []string
		tr := rows(AdamW{LR: 0.1, Decay: 0.5, Groups: []Group{{Match: "*", Decay: 0.5}}})
		tr.Model, tr.Accumulate, tr.Steps = half{small(0)}, accumulate, 3
		tr.Warn = func(s string) { warned = append(warned, s) }
		fresh, err := tr.New(classes(12))
		must(t, fresh, err)
		run, err := tr.Fit(classes(12))
		must(t, run, err)
		want := []string{"train: these parameters do not reach the loss and stay as they are: lost.weight, lost.bias"}
		if d := cmp.Diff(want, warned); d != "" {
			t.Errorf("accumulate %d: warnings (want, got):\n%s", accumulate, d)
		}
		for _, name := range []string{"lost.weight", "lost.bias"} {
			if d := cmp.Diff(values(t, fresh.State, name), values(t, run.State, name)); d != "" {
				t.Errorf("accumulate %d: %s changed:\n%s", accumulate, name, d)
			}
		}
		if cmp.Equal(values(t, fresh.State, "net.0.weight"), values(t, run.State, "net.0.weight")) {
			t.Errorf("accumulate %d: net.0.weight did not train", accumulate)
		}
		wantNoState(t, run, "lost.")
	}
}

// wantNoState reports moments and gradients of parameters with the given part in their names.
func wantNoState(t *testing.T, run *Run, part string) {
	t.Helper()
	for _, k := range []graph.Kind{graph.Grad, graph.Moment} {
		for _, name := range run.State.Names(k) {
			if strings.Contains(name, part) {
				t.Errorf("%v %s is kept, of a parameter that does not train", k, name)
			}
		}
	}
}

func TestFreeze(t *testing.T) {
	for _, accumulate := range []int{1, 2} {
		tr := rows(AdamW{LR: 0.1, Decay: 0.5})
		tr.Freeze, tr.Accumulate = []string{"0.*", "3.bias"}, accumulate
		tr.Warn = func(s string) { t.Errorf("warned %q of a frozen parameter", s) }
		fresh, err := tr.New(classes(12))
		must(t, fresh, err)
		run, err := tr.Fit(classes(12))
		must(t, run, err)
		for _, p := range run.State.Params.All() {
			frozen := strings.HasPrefix(p.Name, "0.") || p.Name == "3.bias"
			if cmp.Equal(values(t, fresh.State, p.Name), values(t, run.State, p.Name)) != frozen || p.Frozen != frozen {
				t.Errorf("%s: frozen is %v, want %v, or its value says otherwise", p.Name, p.Frozen, frozen)
			}
		}
		wantNoState(t, run, ".0.")
		wantNoState(t, run, "3.bias")
	}
	tr := rows(SGD{LR: 1})
	tr.Freeze = []string{"nothing.*"}
	_, err := tr.Fit(classes(12))
	wantErr(t, "pattern without a match", err, `"nothing.*" matches no parameter`)
	tr.Freeze = []string{"[*"}
	_, err = tr.Fit(classes(12))
	wantErr(t, "bad pattern", err, `"[*"`)
	tr.Freeze = []string{"*"}
	_, err = tr.Fit(classes(12))
	wantErr(t, "all frozen", err, "no parameter that trains")
}

// TestIgnoredBatch has batches none of whose targets count: such a step has loss 0 and no gradient.
func TestIgnoredBatch(t *testing.T) {
	d := data.Rows([][]float32{{1, 2, 3}, {4, 5, 6}}, []int{-1, -1})
	for _, accumulate := range []int{1, 2} {
		tr := rows(SGD{LR: 1})
		tr.Accumulate, tr.Out = accumulate, t.TempDir()
		fresh, err := tr.New(d)
		must(t, fresh, err)
		run, err := tr.Fit(d)
		must(t, run, err)
		if s := run.History[3]; s.Loss != 0 || s.GradNorm != 0 || digest(t, run) != digest(t, fresh) {
			t.Errorf("accumulate %d: loss %g, norm %g, or the parameters changed", accumulate, s.Loss, s.GradNorm)
		}
	}
}

// TestRandom trains where steps differ by their dropout alone. Each micro-batch drops other elements, and the same ones
// whether it is a step of its own or one of several.
func TestRandom(t *testing.T) {
	x, y := make([][]float32, 16), make([]float32, 16)
	for i := range x {
		x[i] = []float32{1, 1, 1, 1}
	}
	net := nn.Sequential{nn.Dropout{P: 0.5}, nn.Linear{Out: 1}}
	fit := func(accumulate int) []float64 {
		tr := Trainer{Model: net, Loss: nn.MSE{}, Optimizer: SGD{}, Batch: 16, Accumulate: accumulate, Steps: 12 / accumulate, Seed: 9, DType: graph.Float64}
		run, err := tr.Fit(data.Rows(x, y))
		return losses(must(t, run, err).History)
	}
	single, double := fit(1), fit(2)
	for i, l := range single {
		if slices.Contains(single[:i], l) {
			t.Errorf("loss %g of step %d came before", l, i+1)
		}
	}
	for i, l := range double {
		if want := (single[2*i] + single[2*i+1]) / 2; !near(graph.Float64, l, want) {
			t.Errorf("step %d of two micro-batches: loss %g, want the mean %g of those alone", i+1, l, want)
		}
	}
}
