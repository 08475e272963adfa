// Command shakespeare trains a small GPT on a text of your own and prints a sample of it.
package main

import (
	"flag"
	"fmt"
	"log"

	"github.com/ceto-ml/ceto/cuda"
	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
)

func main() {
	file := flag.String("data", "input.txt", "a text file")
	steps := flag.Int("steps", 2000, "updates")
	device := flag.String("device", "auto", cuda.Names)
	flag.Parse()
	exec, err := cuda.Open(*device, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer exec.Close()
	cfg := gpt.ShakespeareCharCPU
	text, err := data.Text(*file, data.TextOptions{Context: cfg.Context})
	if err != nil {
		log.Fatal(err)
	}
	cfg.Vocab = text.Vocab()
	t := train.Trainer{
		Model: cfg, Loss: nn.CrossEntropy{},
		Optimizer: train.AdamW{LR: 1e-3, Beta2: 0.99, Decay: 0.1},
		Schedule:  train.Cosine{Warmup: 100, Min: 0.1},
		Clip:      1, Batch: 12, Steps: *steps, Val: text, EvalEvery: 250, Seed: 1337,
		Callbacks: []train.Callback{train.Print{Every: 50}}, Executor: exec,
	}
	run, err := t.Fit(text)
	if err != nil {
		log.Fatal(err)
	}
	prompt, err := text.Tokenizer().Encode([]byte("\n"))
	if err != nil {
		log.Fatal(err)
	}
	g := generate.Generator{Model: cfg, State: run.State, Executor: exec}
	ids, err := g.Sample(prompt, generate.Options{Tokens: 300, Temperature: 0.8})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text.Tokenizer().Decode(ids)))
}
