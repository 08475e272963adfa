package lpft_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/lpft"
)

// digits is a task of images: a frozen trunk gives features, a head tells two kinds of images apart.
type digits struct{}

// Build implements train.Task.
func (digits) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	x := s.Tanh(s.Call("trunk", nn.Linear{Out: 8}, in["x"]))
	y := s.Call("head", nn.Linear{Out: 2, OutIn: true}, x)
	o := nn.Objective{Outputs: map[string]*graph.Node{"y": y}}
	if s.Mode() != nn.Train {
		o.Outputs["features"], o.Outputs["predict"] = x, nn.CrossEntropy{}.Predict(s, y)
	}
	if in["y"] != nil {
		o.Loss, o.Weight = nn.CrossEntropy{}.Loss(s, y, in["y"])
	}
	return o
}

// images are n images of 16 pixels, of which the left or the right half is brighter.
func images(n int, seed uint64) *data.Table {
	r := rand.New(rand.NewPCG(seed, 1))
	x, y := make([][]float32, n), make([]int32, n)
	for i := range x {
		y[i] = int32(i % 2)
		for pixel := range 16 {
			x[i] = append(x[i], float32(r.NormFloat64()))
			if pixel/8 == i%2 {
				x[i][pixel]++
			}
		}
	}
	return data.Rows(x, y)
}

// A head is fitted to what the trunk gives, and LoRA goes on from there.
func Example() {
	rows := images(60, 1)
	recipe := lpft.Recipe{
		Trainer: train.Trainer{
			Task:      digits{}, // From would read the pretrained trunk
			LoRA:      &nn.LoRA{Targets: []string{"trunk"}, Rank: 2, Also: []string{"head.*"}},
			Optimizer: train.AdamW{LR: 0.01}, Batch: 20, Steps: 30, Seed: 1,
			Val: images(40, 2), EvalEvery: 3, Stop: train.EarlyStopping{RestoreBest: true}, Executor: plan.CPU(1),
		},
		Train: rows, Examples: rows,
		Probe: &lpft.Probe{Features: "features", Head: "head", Target: lpft.Target{Link: lpft.Softmax, Classes: 2}},
	}
	_, result, err := recipe.Fit(func(run *train.Run) error {
		s, err := run.Evaluate(recipe.Trainer.Val)
		fmt.Println("better than guessing:", s.Loss < 0.5)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the head alone was kept:", result.KeptHead)
	// Output:
	// better than guessing: true
	// the head alone was kept: false
}
