package train

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// wantErr reports an error that does not hold every one of want.
func wantErr(t *testing.T, name string, err error, want ...string) {
	t.Helper()
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%s: error %v, want one with %q", name, err, w)
		}
	}
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func digest(t *testing.T, r *Run) string {
	t.Helper()
	d, err := r.State.Digest()
	return must(t, d, err)
}

// values reads a state by name as float64.
func values(t *testing.T, s plan.State, name string) []float64 {
	t.Helper()
	d, err := s.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := graph.Floats[float64](d)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// everything reads all states that a checkpoint keeps, by name.
func everything(t *testing.T, s *State) map[string][]float64 {
	t.Helper()
	all := map[string][]float64{}
	for _, k := range []graph.Kind{graph.Param, graph.Moment, graph.Statistic, graph.Average} {
		for _, name := range s.Names(k) {
			all[name] = values(t, s, name)
		}
	}
	return all
}

// losses are those of a history.
func losses(h []Status) []float64 {
	var l []float64
	for _, s := range h {
		l = append(l, s.Loss)
	}
	return l
}

// near is |got − want| ≤ 1e-5 + 1e-4·|want|, or in float64 1e-12 + 1e-9·|want|.
func near(d graph.DType, got, want float64) bool {
	if d == graph.Float64 {
		return math.Abs(got-want) <= 1e-12+1e-9*math.Abs(want)
	}
	return math.Abs(got-want) <= 1e-5+1e-4*math.Abs(want)
}

// classes are n rows of 3 numbers with class ids 0 to 2; every fourth id is −1, which the loss ignores.
func classes(n int) *data.Table {
	r := nn.NewRand(11, "classes")
	var x [][]float32
	var y []int
	for i := range n {
		x = append(x, []float32{float32(r.Normal(3*i, 0)), float32(r.Normal(3*i+1, 0)), float32(r.Normal(3*i+2, 0))})
		y = append(y, slices.Index(x[i], slices.Max(x[i])))
		if i%4 == 3 {
			y[i] = -1
		}
	}
	return data.Rows(x, y)
}

// small is a net for classes.
func small(dropout float64) nn.Layer {
	return nn.Sequential{nn.Linear{Out: 7}, nn.Tanh, nn.Dropout{P: dropout}, nn.LayerNorm{}, nn.Linear{Out: 3}}
}

// rows is a trainer on classes.
func rows(opt Optimizer) Trainer {
	return Trainer{Model: small(0.2), Loss: nn.CrossEntropy{}, Optimizer: opt, Batch: 6, Steps: 14, Seed: 3, Clip: 1,
		Schedule: Cosine{Warmup: 2, Min: 0.1}, Executor: newExecutor(), fs: fast{atomicfile.OS}, noSync: true}
}

// fast is a file system without syncs, which have tests of their own.
type fast struct{ atomicfile.FS }

func (f fast) Create(name string) (atomicfile.File, error) {
	file, err := f.FS.Create(name)
	return fastFile{file}, err
}

func (fast) SyncDir(string) error { return nil }

type fastFile struct{ atomicfile.File }

func (fastFile) Sync() error { return nil }

// words is a text of characters with windows of 8.
func words(t testing.TB) *data.TextData {
	t.Helper()
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte(strings.Repeat("the sea is calm tonight. the tide is full. ", 20)), 0o666); err != nil {
		t.Fatal(err)
	}
	d, err := data.Text(file, data.TextOptions{Context: 8})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// text is a trainer on words.
func text(d *data.TextData, opt Optimizer) Trainer {
	block := gpt.GPT2Block{Norm: nn.LayerNorm{}, Attn: gpt.GPT2Attention{Heads: 2, Causal: true, Dropout: 0.1}, MLP: gpt.GPT2MLP{}, Dropout: 0.1}
	net := nn.Sequential{nn.Embedding{Vocab: d.Vocab(), Dim: 8}, block, nn.Linear{Out: d.Vocab()}}
	return Trainer{Model: net, Loss: nn.CrossEntropy{}, Optimizer: opt, Batch: 3, Steps: 14, Seed: 5, Clip: 1,
		Schedule: Linear{Warmup: 3}, Executor: newExecutor(), fs: fast{atomicfile.OS}, noSync: true}
}

// scenario is a fit that the tests below stop, crash and compare.
type scenario struct {
	name    string
	trainer Trainer
	data    TrainData
}

// scenarios are rows and text with every optimizer, with and without accumulation.
func scenarios(t testing.TB) []scenario {
	d := words(t)
	table := classes(22) // 6 a batch: batches span epochs
	acc := rows(SGD{LR: 0.1, Momentum: 0.9, Nesterov: true})
	acc.Accumulate = 3
	accText := text(d, AdamW{LR: 0.01, Decay: 0.1})
	accText.Accumulate = 2
	accRagged := raggedTrainer()
	accRagged.Accumulate = 2
	return []scenario{
		{"rows SGD", rows(SGD{LR: 0.1, Momentum: 0.9}), table},
		{"rows Adam", rows(Adam{LR: 0.02}), table},
		{"rows accumulate Nesterov", acc, table},
		{"rows batch norm", normRows(1), table},
		{"rows accumulate batch norm", normRows(3), table},
		{"text AdamW", text(d, AdamW{LR: 0.02, Decay: 0.1}), d},
		{"text accumulate AdamW", accText, d},
		{"ragged AdamW", raggedTrainer(), raggedData(22)}, // the last batch of an epoch is smaller
		{"ragged accumulate AdamW", accRagged, raggedData(22)},
		{"vectors AdamW", frameTrainer(), frameData(22)},
	}
}

// stopAt is a callback that ends a fit with errStopped after a step.
func stopAt(step int) Callback {
	return CallbackFunc(func(s *Status) error {
		if s.Step == step {
			return errStopped
		}
		return nil
	})
}

var errStopped = errors.New("stopped by the test")
