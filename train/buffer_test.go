package train

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

// normNet is a net for classes with running statistics of its input and of a hidden layer.
var normNet = nn.Sequential{nn.BatchNorm{}, nn.Linear{Out: 7}, nn.BatchNorm{Momentum: 0.3}, nn.Tanh, nn.Linear{Out: 3}}

// normBuffers are its buffers.
var normBuffers = []string{"0.num_batches_tracked", "0.running_mean", "0.running_var", "2.num_batches_tracked", "2.running_mean", "2.running_var"}

// normRows is a trainer of normNet on classes, with steps of so many micro-batches.
func normRows(accumulate int) Trainer {
	tr := rows(AdamW{LR: 0.02, Decay: 0.1})
	tr.Model, tr.Accumulate = normNet, accumulate
	return tr
}

// buffersOf reads the buffers of a run by name.
func buffersOf(t *testing.T, s *State) map[string][]float64 {
	t.Helper()
	vals := map[string][]float64{}
	for _, p := range s.Params.Buffers() {
		vals[p.Name] = values(t, s, p.Name)
	}
	if got := slices.Sorted(maps.Keys(vals)); !slices.Equal(got, normBuffers) {
		t.Fatalf("buffers %v, want %v", got, normBuffers)
	}
	return vals
}

// TestBuffersPerMicroBatch compares the running values of the input with those worked out from the batches in turn.
func TestBuffersPerMicroBatch(t *testing.T) {
	table := classes(22)
	for _, accumulate := range []int{1, 3} {
		tr := normRows(accumulate)
		run, err := tr.Fit(table)
		got := buffersOf(t, must(t, run, err).State)
		const c, n = 3, 6
		mean, variance := make([]float64, c), []float64{1, 1, 1}
		src := table.Train(tr.Seed)
		for range tr.Steps * accumulate {
			b := data.NewBatch(src.Fields(), n)
			_, err := src.Next(b)
			must(t, b, err)
			for j := range c {
				m, v := 0.0, 0.0
				for i := range n {
					m += float64(b["x"].Float[i*c+j]) / n
				}
				for i := range n {
					v += math.Pow(float64(b["x"].Float[i*c+j])-m, 2) / (n - 1)
				}
				mean[j], variance[j] = 0.9*mean[j]+0.1*m, 0.9*variance[j]+0.1*v
			}
		}
		for j := range c {
			if !near(graph.Float32, got["0.running_mean"][j], mean[j]) || !near(graph.Float32, got["0.running_var"][j], variance[j]) {
				t.Errorf("accumulate %d: channel %d: running mean and variance %v, %v, want %g, %g", accumulate, j, got["0.running_mean"], got["0.running_var"], mean[j], variance[j])
			}
		}
		if n := got["2.num_batches_tracked"]; n[0] != float64(tr.Steps*accumulate) {
			t.Errorf("accumulate %d: %v batches, want %d", accumulate, n, tr.Steps*accumulate)
		}
	}
}

// TestBuffersSaved: buffers are in the file of weights and in a checkpoint's model, and come back with the same bits.
func TestBuffersSaved(t *testing.T) {
	tr := normRows(1)
	tr.Out = t.TempDir()
	run, err := tr.Fit(classes(22))
	want := buffersOf(t, must(t, run, err).State)
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := run.State.Save(path); err != nil {
		t.Fatal(err)
	}
	fresh, err := tr.New(classes(22))
	first := buffersOf(t, must(t, fresh, err).State)
	if d := cmp.Diff(map[string][]float64{"0.running_mean": {0, 0, 0}, "0.running_var": {1, 1, 1}, "0.num_batches_tracked": {0}},
		map[string][]float64{"0.running_mean": first["0.running_mean"], "0.running_var": first["0.running_var"], "0.num_batches_tracked": first["0.num_batches_tracked"]}); d != "" {
		t.Errorf("first values (want, got):\n%s", d)
	}
	if err := fresh.State.Load(path); err != nil || !cmp.Equal(want, buffersOf(t, fresh.State)) || digest(t, fresh) != digest(t, run) {
		t.Errorf("load: %v, or other buffers", err)
	}
	must(t, path, fresh.State.Write("0.running_mean", graph.Dense(graph.BufOf([]float32{9, 9, 9}, 3))))
	if digest(t, fresh) == digest(t, run) {
		t.Error("another buffer, and the digest is the same")
	}
	model, optim := stored(t, tr.Out, modelFile), stored(t, tr.Out, optimFile)
	for _, name := range normBuffers {
		if !slices.Contains(model, name) || slices.Contains(optim, name) {
			t.Errorf("%s is not in %s %v alone", name, modelFile, model)
		}
	}
	other := tr
	other.Model = nn.Sequential{nn.BatchNorm{}, nn.Linear{Out: 7}, nn.Sequential{}, nn.Tanh, nn.Linear{Out: 3}}
	fresh, err = other.New(classes(22))
	wantErr(t, "a model with fewer buffers", must(t, fresh, err).State.Load(path), "unexpected: 2.bias, 2.num_batches_tracked")
}

// TestBuffersOfPyTorch reads a count of batches that is a 64-bit integer.
func TestBuffersOfPyTorch(t *testing.T) {
	for _, d := range []graph.DType{graph.Float32, graph.Float64} {
		tr := normRows(1)
		tr.DType = d
		run, err := tr.New(classes(22))
		path := filepath.Join(t.TempDir(), "w.safetensors")
		f, err2 := tr.fs.Create(path)
		must(t, must(t, f, err2), safetensors.Write(f, []safetensors.Tensor{safetensors.Of("2.num_batches_tracked", nil, []int64{12})}, nil))
		must(t, f, f.Close())
		if bad, err := must(t, run, err).State.LoadMatching(path); err != nil || len(bad.Unexpected) > 0 {
			t.Fatalf("%v, %v", bad, err)
		}
		if got := buffersOf(t, run.State)["2.num_batches_tracked"][0]; got != 12 {
			t.Errorf("%v: %g batches, want 12", d, got)
		}
	}
}

// TestBuffersFrom: training starts from the buffers that From writes. A run that changes no parameter of the trunk
// keeps the trunk's buffers in the checkpoint all the same.
func TestBuffersFrom(t *testing.T) {
	tr := normRows(1)
	tr.From = func(s plan.State) error {
		return s.Write("0.running_mean", graph.Dense(graph.BufOf([]float32{5, 6, 7}, 3)))
	}
	tr.Freeze, tr.Out = []string{"0.*", "1.*", "2.*"}, t.TempDir()
	l, err := tr.Start(classes(22))
	defer must(t, l, err).Close()
	got := buffersOf(t, l.Run.State)
	if !slices.Equal(got["0.running_mean"], []float64{5, 6, 7}) || !slices.Equal(got["0.running_var"], []float64{1, 1, 1}) {
		t.Errorf("buffers at the start: %v", got)
	}
	if _, err := l.Step(); err != nil {
		t.Fatal(err)
	}
	if now := buffersOf(t, l.Run.State); now["0.running_mean"][0] == 5 || now["0.num_batches_tracked"][0] != 1 {
		t.Errorf("buffers after a step: %v", now)
	}
	must(t, l, l.Checkpoint())
	if got, want := stored(t, tr.Out, modelFile), append(slices.Clone(normBuffers), "4.bias", "4.weight"); !slices.Equal(got, want) {
		t.Errorf("the checkpoint's model has %v, want %v", got, want)
	}
}

// TestBuffersAverage: averages of the parameters do not touch buffers, and evaluations read them as they are.
func TestBuffersAverage(t *testing.T) {
	plain := normRows(1)
	run, err := plain.Fit(classes(22))
	want := buffersOf(t, must(t, run, err).State)
	tr := plain
	tr.EMA, tr.Val, tr.EvalEvery = 0.9, classes(7), 2
	averaged, err := tr.Fit(classes(22))
	if d := cmp.Diff(want, buffersOf(t, must(t, averaged, err).State)); d != "" {
		t.Errorf("buffers with averages (without, with):\n%s", d)
	}
	for _, name := range averaged.State.Names(graph.Average) {
		if strings.Contains(name, "running") || strings.Contains(name, "tracked") {
			t.Errorf("%s is averaged", name)
		}
	}
	before, err := averaged.Predict([][]float32{{1, 2, 3}}) // one row: no statistics of its own
	must(t, before, err)
	must(t, tr, averaged.State.Write("0.running_mean", graph.Dense(graph.BufOf([]float32{9, 9, 9}, 3))))
	after, err := averaged.Predict([][]float32{{1, 2, 3}})
	if must(t, after, err); cmp.Equal(before, after) {
		t.Error("a prediction does not depend on the running mean")
	}
	if got := buffersOf(t, averaged.State)["0.running_mean"]; !slices.Equal(got, []float64{9, 9, 9}) {
		t.Errorf("predictions changed the running mean to %v", got)
	}
}

// TestBuffersBest: the best values that come back at the end include the buffers of that evaluation.
func TestBuffersBest(t *testing.T) {
	tr := normRows(1)
	tr.Optimizer, tr.Val, tr.EvalEvery, tr.Stop = SGD{LR: 1}, classes(7), 1, EarlyStopping{RestoreBest: true}
	at := map[int]map[string][]float64{}
	tr.Callbacks = []Callback{CallbackFunc(func(s *Status) error {
		at[s.Step] = buffersOf(t, s.Run.State)
		return nil
	})}
	l, err := tr.Start(classes(22))
	defer must(t, l, err).Close()
	must(t, l, l.Fit())
	step, _, ok := l.Best()
	if !ok || step == tr.Steps {
		t.Fatalf("the best step is %d of %d: no test", step, tr.Steps)
	}
	if d := cmp.Diff(at[step], buffersOf(t, l.Run.State)); d != "" {
		t.Errorf("buffers of the best step (want, got):\n%s", d)
	}
}

// TestBuffersNotFinite: a batch whose loss or statistics are not finite changes no buffer, wherever in a step it comes.
func TestBuffersNotFinite(t *testing.T) {
	for _, c := range []struct {
		name   string
		bad    float32
		op     string
		finite bool // the loss
	}{
		{"input", float32(math.NaN()), "input x", false},
		{"variance overflows", 1e25, "", true}, // and the output is 0
	} {
		for i, accumulate := range []int{1, 4, 4, 4, 4} { // the bad row comes in one micro-batch or another
			name := fmt.Sprintf("%s, accumulate %d, seed %d", c.name, accumulate, i)
			tr := Trainer{Model: normNet[:5], Loss: nn.MSE{}, Optimizer: SGD{LR: 0.01}, Batch: 2, Accumulate: accumulate, Steps: 25, Seed: uint64(i)}
			tr.Model = append(slices.Clone(normNet), nn.Linear{Out: 1})
			run, err := tr.Fit(spoilt(c.bad, 0, 0))
			var bad *NotFiniteError
			if !errors.As(err, &bad) {
				t.Fatalf("%s: error %v, want a NotFiniteError", name, err)
			}
			if !strings.HasPrefix(bad.Op, c.op) || c.op == "" && bad.Scope != "0" || finite(bad.Loss) != c.finite {
				t.Errorf("%s: %v", name, err)
			}
			want, err := tr.New(spoilt(c.bad, 0, 0))
			must(t, want, err)
			if bad.Step > 1 {
				tr.Steps = bad.Step - 1
				want, err = tr.Fit(spoilt(c.bad, 0, 0))
				must(t, want, err)
			}
			if d := cmp.Diff(buffersOf(t, want.State), buffersOf(t, run.State)); d != "" {
				t.Errorf("%s: step %d changed buffers (want, got):\n%s", name, bad.Step, d)
			}
		}
	}
}

// TestBuffersGradCheck compares the gradients through the batch's own statistics with differences of the loss.
func TestBuffersGradCheck(t *testing.T) {
	d := classes(6)
	src := d.Train(1)
	b := data.NewBatch(src.Fields(), 6)
	_, err := src.Next(b)
	must(t, b, err)
	r, err := GradCheck{Task: Supervised{normNet, nn.CrossEntropy{}}, Seed: 1, Full: true, Random: 0.3}.Run(src.Fields(), b, 6)
	if must(t, r, err); !r.OK || r.ByParam["0.weight"] == 0 {
		t.Errorf("%+v", r)
	}
}
