// Command xor trains the smallest network that needs a hidden layer. It saves the weights and loads them into a new
// network.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/ceto-ml/ceto/cuda"
	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/metric"
)

func main() {
	device := flag.String("device", "auto", cuda.Names)
	flag.Parse()
	exec := must(cuda.Open(*device, 0))
	defer exec.Close()
	x := [][]float32{{0, 0}, {0, 1}, {1, 0}, {1, 1}}
	y := []float32{0, 1, 1, 0}
	xor := data.Rows(x, y)
	net := nn.Sequential{nn.Linear{Out: 8}, nn.Tanh, nn.Linear{Out: 1}}
	t := train.Trainer{Model: net, Loss: nn.BCEWithLogits{}, Optimizer: train.Adam{LR: 0.01}, Epochs: 2000, Seed: 1, Executor: exec}
	run, err := t.Fit(xor)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(must(run.Evaluate(xor, metric.Accuracy)))
	fmt.Println(must(run.Predict(x))) // probabilities, since the loss is BCEWithLogits; run.Logits gives the logits
	fmt.Println(must(again(t, run, xor, x)))
}

// again saves the weights, loads them into a run that was never trained, and predicts with it.
func again(t train.Trainer, run *train.Run, d train.TrainData, x [][]float32) ([][]float32, error) {
	path := filepath.Join(os.TempDir(), "xor.safetensors")
	if err := run.State.Save(path); err != nil {
		return nil, err
	}
	defer os.Remove(path)
	fresh, err := t.New(d)
	if err != nil {
		return nil, err
	}
	if err := fresh.State.Load(path); err != nil {
		return nil, err
	}
	return fresh.Predict(x)
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
