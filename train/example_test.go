package train_test

import (
	"fmt"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
)

// A network with one hidden layer learns exclusive or.
func Example() {
	x := [][]float32{{0, 0}, {0, 1}, {1, 0}, {1, 1}}
	xor := data.Rows(x, []float32{0, 1, 1, 0})
	net := nn.Sequential{nn.Linear{Out: 8}, nn.Tanh, nn.Linear{Out: 1}}
	t := train.Trainer{Model: net, Loss: nn.BCEWithLogits{}, Optimizer: train.Adam{LR: 0.01}, Epochs: 2000, Seed: 1}
	run, err := t.Fit(xor)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer run.Close()
	p, err := run.Predict(x) // probabilities
	for i := range p {
		fmt.Printf("%v %.0f\n", x[i], p[i][0])
	}
	fmt.Println(err)
	// Output:
	// [0 0] 0
	// [0 1] 1
	// [1 0] 1
	// [1 1] 0
	// <nil>
}
