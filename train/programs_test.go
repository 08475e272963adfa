package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/nn"
)

// ragged is a task over data.Sequences: the class of a sequence by the state at its last id.
type ragged struct{}

func (ragged) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	x := s.Call("wte", nn.Embedding{Vocab: 16, Dim: 8}, in["ids"])
	x = s.Call("attn", gpt.GPT2Attention{Heads: 2, Causal: true, Init: nn.Normal(0, 0.3)}, x)
	b, t, c := x.Dim(0), x.Dim(1), x.Dim(2)
	v := s.Reshape(x, b, t, 1, c)
	x = s.Reshape(s.Attention(s.Slice(v, 1, 0, 1), v, v, graph.AttentionOpts{Causal: true, Window: 1, Start: in["last"]}), b, c)
	y := s.Call("head", nn.Linear{Out: 3}, x)
	o := nn.Objective{Outputs: map[string]*graph.Node{"y": y, "predict": s.Softmax(y, -1)}}
	o.Loss, o.Weight = nn.CrossEntropy{}.Loss(s, y, in["y"])
	return o
}

// raggedData are n sequences of 1 to 40 ids; the class is that of the last id.
func raggedData(n int) *data.Sequences {
	r := rand.New(rand.NewPCG(3, 4))
	all := make([][]int32, n)
	lengths := make([]int32, n)
	for i := range all {
		all[i] = make([]int32, 1+r.IntN(40))
		lengths[i] = int32(len(all[i]))
		for j := range all[i] {
			all[i][j] = r.Int32N(16)
		}
	}
	return &data.Sequences{Lengths: lengths, Context: 64, Target: data.Field{Name: "y", Int: true}, At: func(i int, _ uint64) (data.Sequence, error) {
		return data.Sequence{IDs: all[i], Y: []int32{all[i][len(all[i])-1] % 3}}, nil
	}}
}

func raggedTrainer() Trainer {
	return Trainer{Task: ragged{}, Optimizer: AdamW{LR: 0.02}, Batch: 4, Steps: 14, Seed: 5, fs: fast{atomicfile.OS}, noSync: true}
}

// TestRaggedEvaluate: mean loss and outputs do not depend on how sequences meet in batches.
func TestRaggedEvaluate(t *testing.T) {
	d := raggedData(23)
	tr := raggedTrainer()
	tr.EvalBatch = 5
	run, err := tr.Fit(d)
	must(t, run, err)
	whole, err := run.Evaluate(d)
	must(t, whole, err)
	if whole.Weight != 23 {
		t.Errorf("%g sequences were evaluated, want 23", whole.Weight)
	}
	if len(run.progs) < 4 {
		t.Errorf("%d programs for batches of 1 to 40 ids", len(run.progs))
	}
	sum, alone := 0.0, make([]float32, 3*23)
	for i := range int32(23) {
		one := d.Pick([]int32{i})
		s, err := run.Evaluate(one)
		must(t, s, err)
		sum += s.Loss
		err = run.Outputs(one, "y", func(n int, y []float32) error { copy(alone[3*i:], y); return nil })
		must(t, 0, err)
	}
	if math.Abs(sum/23-whole.Loss) > 1e-6 {
		t.Errorf("mean loss %.8f, of sequences alone %.8f", whole.Loss, sum/23)
	}
	at := 0
	err = run.Outputs(d, "y", func(n int, y []float32) error {
		for _, i := range d.Order()[at : at+n] {
			for k, v := range y[:3] {
				if math.Abs(float64(v-alone[3*int(i)+k])) > 1e-5 {
					t.Errorf("sequence %d, logit %d: %g, alone %g", i, k, v, alone[3*int(i)+k])
				}
			}
			y = y[3:]
		}
		at += n
		return nil
	})
	if err != nil || at != 23 {
		t.Errorf("%d outputs, %v", at, err)
	}
}

// TestRaggedEpochs: steps of whole epochs, the last batch of each smaller, and a loss that falls.
func TestRaggedEpochs(t *testing.T) {
	tr := raggedTrainer()
	tr.Steps, tr.Epochs = 0, 30
	l, err := tr.Start(raggedData(23))
	must(t, l, err)
	if err := l.Fit(); err != nil {
		t.Fatal(err)
	}
	if len(l.shapes) < 4 {
		t.Errorf("%d shapes of batches of 1 to 40 ids", len(l.shapes))
	}
	h := l.Run.History
	if len(h) != 30*6 || h[5].Epoch != 1 || h[len(h)-1].Epoch != 30 {
		t.Fatalf("%d steps, epoch %g after 6, want 180 and 1", len(h), h[5].Epoch)
	}
	if first, last := h[0].Loss, slices.MaxFunc(h[len(h)-6:], func(a, b Status) int { return int(1e6 * (a.Loss - b.Loss)) }).Loss; !(last < 0.2*first) {
		t.Errorf("the loss went from %g to %g", first, last)
	}
}
