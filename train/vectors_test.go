package train

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/nn"
)

// frames is a task over vectors in time: the class of an example by the mean of its vectors.
type frames struct{}

func (frames) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	x := in[field.X] // (B, T, F)
	b, t, f := x.Dim(0), x.Dim(1), x.Dim(2)
	v := s.Reshape(x, b, t, 1, f)
	// One query of zeros at the last vector scores all vectors up to it alike: their mean.
	q := s.Full(graph.Of(s.DType(), b, 1, 1, f), 0)
	mean := s.Reshape(s.Attention(q, v, v, graph.AttentionOpts{Causal: true, Start: in[field.Last]}), b, f)
	y := s.Call("head", nn.Linear{Out: 3}, mean)
	o := nn.Objective{Outputs: map[string]*graph.Node{field.Y: y, field.Predict: s.Softmax(y, -1), field.Pooled: mean}}
	o.Loss, o.Weight = nn.CrossEntropy{}.Loss(s, y, in[field.Y])
	return o
}

// frameData are n examples of 1 to 40 vectors of 4 numbers; the class is the largest of the first three means.
func frameData(n int) *data.Sequences {
	r := rand.New(rand.NewPCG(5, 6))
	all, classes, lengths := make([][]float32, n), make([]int32, n), make([]int32, n)
	for i := range all {
		lengths[i], classes[i] = 1+r.Int32N(40), r.Int32N(3)
		for t := range 4 * int(lengths[i]) {
			v := float32(r.NormFloat64())
			if int32(t%4) == classes[i] {
				v++
			}
			all[i] = append(all[i], v)
		}
	}
	return &data.Sequences{Lengths: lengths, Context: 64, Features: 4, Target: data.Field{Name: field.Y, Int: true},
		At: func(i int, _ uint64) (data.Sequence, error) {
			return data.Sequence{X: all[i], Y: classes[i : i+1]}, nil
		}}
}

func frameTrainer() Trainer {
	return Trainer{Task: frames{}, Optimizer: AdamW{LR: 0.05}, Batch: 4, Steps: 14, Seed: 5, fs: fast{atomicfile.OS}, noSync: true}
}

// TestVectors trains on vectors of ragged length: the loss falls, and padding changes neither means nor losses.
// TestResume and the crash tests have the same trainer.
func TestVectors(t *testing.T) {
	d := frameData(23)
	tr := frameTrainer()
	tr.Steps, tr.Epochs = 0, 20
	run, err := tr.Fit(d)
	must(t, run, err)
	if first, last := run.History[0].Loss, run.History[len(run.History)-1].Loss; !(last < 0.6*first) {
		t.Errorf("the loss went from %g to %g", first, last)
	}
	whole, err := run.Evaluate(d)
	must(t, whole, err)
	sum := 0.0
	for i := range int32(23) {
		one := d.Pick([]int32{i})
		s, err := run.Evaluate(one)
		must(t, s, err)
		sum += s.Loss
		e, _ := d.At(int(i), 0)
		var mean [4]float64
		for j, v := range e.X {
			mean[j%4] += float64(v) / float64(d.Lengths[i])
		}
		err = run.Outputs(one, field.Pooled, func(_ int, y []float32) error {
			for j, v := range y {
				if math.Abs(float64(v)-mean[j]) > 1e-5 {
					t.Errorf("example %d: mean %d is %g, want %g", i, j, v, mean[j])
				}
			}
			return nil
		})
		must(t, 0, err)
	}
	if whole.Weight != 23 || math.Abs(sum/23-whole.Loss) > 1e-6 {
		t.Errorf("mean loss %.8f of %g examples, of examples alone %.8f of 23", whole.Loss, whole.Weight, sum/23)
	}
}
