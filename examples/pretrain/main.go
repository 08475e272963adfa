// Command pretrain trains a GPT on a text, as ceto pretrain does, and prints its JSON.
//
//	go run ./examples/pretrain -data input.txt -out runs/first
package main

import (
	"encoding/json"
	"flag"
	"log"
	"os"

	"github.com/ceto-ml/ceto/cuda"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/pretrain"
)

func main() {
	settings := must(pretrain.Preset("tiny"))
	flag.StringVar(&settings.Data.Path, "data", "", "text file, or a folder of them; the Go standard library's source")
	flag.IntVar(&settings.Train.Steps, "steps", settings.Train.Steps, "updates")
	out := flag.String("out", "", "run folder; none")
	device := flag.String("device", "auto", cuda.Names)
	flag.Parse()
	exec := must(cuda.Open(*device, 0))
	defer exec.Close()

	job := must(pretrain.Open(settings))
	defer job.Close()
	result := must(job.Fit(pretrain.Options{Out: *out, Executor: exec, Callbacks: []train.Callback{train.Print{Every: 100}}}))
	log.Printf("%s", must(job.Sample(result)))
	must(0, json.NewEncoder(os.Stdout).Encode(result))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
