package train

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// TestEvaluate has a short last batch. The mean over all equals the mean of the examples one by one, and the one that
// plain Go computes from the logits.
func TestEvaluate(t *testing.T) {
	const n = 2*defaultEvalBatch + 9
	all := classes(n)
	tr := rows(Adam{LR: 0.05})
	tr.DType = graph.Float64
	run, err := tr.Fit(classes(22))
	must(t, run, err)
	got, err := run.Evaluate(all, metric.Accuracy)
	must(t, got, err)
	b := data.NewBatch(all.Eval().Fields(), n)
	if _, err := all.Eval().Next(b); err != nil {
		t.Fatal(err)
	}
	sum, count, right := 0.0, 0.0, 0.0
	var single float64
	for i := range n {
		x, y := b["x"].Float[3*i:3*i+3], b["y"].Int[i]
		z, err := run.Logits([][]float32{x})
		must(t, z, err)
		p, err := run.Predict([][]float32{x})
		must(t, p, err)
		total := 0.0
		for _, v := range z[0] {
			total += math.Exp(float64(v))
		}
		for k, v := range z[0] {
			if want := math.Exp(float64(v)) / total; math.Abs(float64(p[0][k])-want) > 1e-6 {
				t.Errorf("example %d: probability of %d is %g, want %g", i, k, p[0][k], want)
			}
		}
		if y < 0 {
			continue
		}
		count++
		sum += math.Log(total) - float64(z[0][y])
		if best := argmax(z[0]); int32(best) == y {
			right++
		}
		one, err := run.Evaluate(data.Rows([][]float32{x}, []int32{y}))
		single += must(t, one, err).Loss
	}
	if got.Weight != count || math.Abs(got.Loss-sum/count) > 1e-5 || math.Abs(got.Loss-single/count) > 1e-12*count || got.Metrics["accuracy"] != right/count {
		t.Errorf("loss %.15g of %g, accuracy %g; by hand %.15g of %g, %g; one by one %.15g", got.Loss, got.Weight, got.Metrics["accuracy"], sum/count, count, right/count, single/count)
	}
	if s := got.String(); s != fmt.Sprintf("accuracy %.4g, loss %.4g", right/count, got.Loss) {
		t.Errorf("scores print as %q", s)
	}
}

func argmax(v []float32) (best int) {
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return best
}

// TestEvaluateChangesNothing wants the same run with evaluations between its steps, dropout and all.
func TestEvaluateChangesNothing(t *testing.T) {
	for _, sc := range scenarios(t) {
		run, err := sc.trainer.Fit(sc.data)
		want := digest(t, must(t, run, err))
		tr := sc.trainer
		tr.Val, tr.EvalEvery = sc.data.(EvalData), 2
		run, err = tr.Fit(sc.data)
		if must(t, run, err); digest(t, run) != want {
			t.Errorf("%s: with evaluations the digest is another", sc.name)
		}
		for _, s := range run.History {
			if s.Evaluated != (s.Step%2 == 0) || s.Evaluated && (s.ValLoss != s.Scores.Loss || s.ValLoss == 0) {
				t.Errorf("%s: step %d: evaluated %v, val loss %g", sc.name, s.Step, s.Evaluated, s.ValLoss)
			}
		}
	}
}

func TestPredictErrors(t *testing.T) {
	run, err := rows(SGD{LR: 0.1}).Fit(classes(12))
	must(t, run, err)
	_, err = run.Predict([][]float32{{1, 2, 3}, {1, 2}})
	wantErr(t, "uneven rows", err, "row 1 has 2 numbers, row 0 has 3")
	_, err = run.Predict([][]float32{{1, 2}})
	wantErr(t, "other width", err, "0.weight", "[2 7]", "[3 7]")
	if y, err := run.Predict(nil); y != nil || err != nil {
		t.Errorf("no rows: %v, %v", y, err)
	}
	_, err = run.Evaluate(data.Rows([][]float32{{1, 2, 3}}, []int{1, 2}))
	wantErr(t, "bad table", err, "1 rows but 2 targets")
	_, err = run.Evaluate(data.Examples(data.Batch{"x": {Shape: []int{1, 3}, Float: []float32{1, 2, 3}}}), metric.Accuracy)
	wantErr(t, "no targets", err, "loss")
}

// scripted is a task whose losses are given: of evaluation i, vals[i].
type scripted struct{ vals []float32 }

// Eval gives the next loss as the one example of a table.
func (s *scripted) Eval() data.Source {
	v := s.vals[0]
	s.vals = s.vals[1:]
	return data.Rows([][]float32{{v, 0, 0}}, []float32{0}).Eval()
}

// reader is a model whose evaluation loss is the first number of x; in training w counts the steps.
type reader struct{}

func (reader) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	w := s.Param("w", nn.Zeros)
	one := s.Full(graph.Of(s.DType()), 1)
	if s.Mode() == nn.Train {
		return nn.Objective{Loss: s.Neg(w), Weight: one}
	}
	return nn.Objective{Loss: s.Sum(s.Slice(in["x"], 1, 0, 1)), Weight: one}
}

func TestEarlyStopping(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name  string
		stop  EarlyStopping
		vals  []float32
		steps int     // that the run makes
		w     float64 // at its end: with SGD of rate 1 the count of steps at which w was taken
	}{
		{"patience 2", EarlyStopping{Patience: 2}, []float32{3, 2, 2, 2.5, 1}, 4, 4},
		{"patience 2, restore", EarlyStopping{Patience: 2, RestoreBest: true}, []float32{3, 2, 2, 2.5, 1}, 4, 2},
		{"patience 3", EarlyStopping{Patience: 3, RestoreBest: true}, []float32{3, 2, 2, 2.5, 1, 2}, 6, 5},
		{"min delta", EarlyStopping{Patience: 2, MinDelta: 0.5}, []float32{3, 2.6, 2.4, 2, 1.95, 1}, 5, 5},
		{"never better", EarlyStopping{Patience: 1, RestoreBest: true}, []float32{1, 2}, 2, 1},
		{"NaN first", EarlyStopping{Patience: 3, RestoreBest: true}, []float32{nan, 4, 3, nan, nan, nan}, 6, 3},
		{"no patience", EarlyStopping{RestoreBest: true}, []float32{5, 4, 6, 6, 6, 6}, 6, 2},
		{"nothing", EarlyStopping{}, []float32{5, 6, 7, 8, 9, 9}, 6, 6},
	} {
		tr := Trainer{Task: reader{}, Optimizer: SGD{LR: 1}, Steps: 6, Val: &scripted{c.vals}, EvalEvery: 1, Stop: c.stop}
		run, err := tr.Fit(classes(4))
		must(t, run, err)
		if w := values(t, run.State, "w")[0]; len(run.History) != c.steps || w != c.w {
			t.Errorf("%s: %d steps, parameters of step %g, want %d and %g", c.name, len(run.History), w, c.steps, c.w)
		}
	}
}

// recorder notes its calls.
type recorder struct {
	calls []string
	err   error
	at    int
}

func (r *recorder) OnStep(s *Status) error {
	r.calls = append(r.calls, fmt.Sprint("step ", s.Step))
	if s.Step == r.at {
		return r.err
	}
	return nil
}

func (r *recorder) OnEval(s *Status) error {
	r.calls = append(r.calls, fmt.Sprint("eval ", s.Step))
	return nil
}

func TestCallbacks(t *testing.T) {
	for _, c := range []struct {
		err   error
		want  string
		calls string
	}{
		{nil, "", "step 1 step 2 eval 2 step 3 step 4 eval 4 step 5 eval 5"},
		{ErrStop, "", "step 1 step 2 eval 2 step 3"},
		{errors.Wrap(ErrStop, "enough"), "", "step 1 step 2 eval 2 step 3"},
		{errStopped, "step 3: callback: stopped by the test", "step 1 step 2 eval 2 step 3"},
	} {
		r := &recorder{err: c.err, at: 3}
		tr := rows(SGD{LR: 0.1})
		tr.Steps, tr.Val, tr.EvalEvery, tr.Callbacks = 5, classes(5), 2, []Callback{r}
		run, err := tr.Fit(classes(12))
		if got := strings.Join(r.calls, " "); got != c.calls || run == nil {
			t.Errorf("%v: calls %s, want %s", c.err, got, c.calls)
		}
		if c.want == "" && err != nil {
			t.Errorf("%v: error %v", c.err, err)
		}
		if c.want != "" {
			wantErr(t, c.want, err, c.want)
		}
	}
}

func TestTrainerErrors(t *testing.T) {
	good := rows(SGD{LR: 0.1})
	for _, c := range []struct {
		change func(t *Trainer)
		data   TrainData
		want   string
	}{
		{func(t *Trainer) { t.Model = nil }, nil, "wants a Task, or a Model and a Loss"},
		{func(t *Trainer) { t.Loss = nil }, nil, "wants a Task, or a Model and a Loss"},
		{func(t *Trainer) { t.Optimizer = nil }, nil, "no Optimizer"},
		{func(t *Trainer) { t.Steps = 0 }, nil, "steps 0, epochs 0"},
		{func(t *Trainer) { t.Steps = -1 }, nil, "steps -1"},
		{func(t *Trainer) { t.Batch = -1 }, nil, "batch -1"},
		{func(t *Trainer) { t.Accumulate = -1 }, nil, "accumulate -1"},
		{func(t *Trainer) { t.Stop.Patience = 1 }, nil, "early stopping wants Val and EvalEvery"},
		{func(t *Trainer) { t.Stop.RestoreBest = true }, nil, "RestoreBest wants Val"},
		{func(t *Trainer) { t.Resume = true }, nil, "Resume wants Out"},
		{func(t *Trainer) { t.Clip = math.NaN() }, nil, "limit"},
		{func(t *Trainer) { t.Clip = -1 }, nil, "limit"},
		{func(t *Trainer) { t.MemoryLimit = 1000 }, nil, "of memory"},
		{func(t *Trainer) { t.Recompute = 1.5 }, nil, "Recompute 1.5: want a share"},
		{func(t *Trainer) { t.Optimizer = AdamW{LR: 1, Beta1: 1} }, nil, "betas 1 and"},
		{func(t *Trainer) { t.Optimizer = SGD{LR: 1, Nesterov: true} }, nil, "Nesterov"},
		{func(*Trainer) {}, data.Rows([][]float32{{1, 2, 3}}, []int{1, 2}), "1 rows but 2 targets"},
		{func(*Trainer) {}, data.Rows([][]float32{{1, 2, 3}}, []int{5}), "5"},
		{func(t *Trainer) { t.Loss = nn.MSE{} }, nil, "targets int32[6]"},
	} {
		tr := good
		c.change(&tr)
		if c.data == nil {
			c.data = classes(12)
		}
		_, err := tr.Fit(c.data)
		wantErr(t, c.want, err, c.want)
	}
	_, err := good.Fit(nil)
	wantErr(t, "nil data", err, "no data")
}

// TestLoop makes the steps of a fit one by one.
func TestLoop(t *testing.T) {
	for _, sc := range scenarios(t) {
		run, err := sc.trainer.Fit(sc.data)
		want := digest(t, must(t, run, err))
		tr := sc.trainer
		tr.Out = t.TempDir()
		l, err := tr.Start(sc.data)
		must(t, l, err)
		steps := 0
		for !l.Done() {
			s, err := l.Step()
			if steps++; must(t, s, err).Step != steps {
				t.Errorf("%s: status of step %d at step %d", sc.name, s.Step, steps)
			}
		}
		if err := l.Finish(); err != nil {
			t.Fatal(err)
		}
		l.Close()
		if digest(t, l.Run) != want || steps != tr.Steps {
			t.Errorf("%s: %d own steps, or another digest than that of Fit", sc.name, steps)
		}
		if _, err := NewestCheckpoint(tr.Out, nil); err != nil {
			t.Errorf("%s: after Finish: %v", sc.name, err)
		}
	}
}

func TestEpochs(t *testing.T) {
	for _, c := range []struct{ n, batch, accumulate, epochs, steps int }{
		{12, 4, 1, 1, 3}, {12, 5, 1, 1, 3}, {12, 5, 1, 2, 5}, {12, 0, 1, 7, 7}, {100, 0, 1, 1, 4}, {12, 4, 2, 3, 5},
	} {
		tr := rows(SGD{LR: 0.1})
		tr.Batch, tr.Accumulate, tr.Epochs, tr.Steps = c.batch, c.accumulate, c.epochs, 0
		run, err := tr.Fit(classes(c.n))
		must(t, run, err)
		if last := run.History[len(run.History)-1]; last.Step != c.steps || last.Epoch < float64(c.epochs) {
			t.Errorf("%+v: %d steps, %g epochs", c, last.Step, last.Epoch)
		}
	}
}
