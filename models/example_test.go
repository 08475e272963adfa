package models_test

import (
	"fmt"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/models"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
)

// Example trains a classifier of two classes that no straight line parts.
func Example() {
	x := [][]float32{{0, 0}, {0, 1}, {1, 0}, {1, 1}}
	net := models.MLP{Hidden: []int{8}, Out: 2, Act: nn.Tanh}
	t := train.Trainer{Model: net, Loss: nn.CrossEntropy{}, Optimizer: train.Adam{LR: 0.05}, Epochs: 300, Seed: 1}
	run, err := t.Fit(data.Rows(x, []int{0, 1, 1, 0}))
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := run.Predict(x) // a probability for each class
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, row := range p {
		fmt.Println(x[i], row[1] > 0.9)
	}
	// Output:
	// [0 0] false
	// [0 1] true
	// [1 0] true
	// [1 1] false
}
