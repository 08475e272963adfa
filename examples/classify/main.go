// Command classify teaches a pretrained model to tell texts apart and asks it about new ones. It does as a library
// what ceto finetune does. It fits a head to the frozen model's features, then trains LoRA, keeps what validates
// best, and prints accuracy and F1 with their intervals.
//
//	make smollm2
//	go run ./examples/classify -data SMSSpamCollection.tsv -columns label,text -rows 600 "You have won a prize"
package main

import (
	"flag"
	"fmt"
	"log"
	"strings"

	"github.com/ceto-ml/ceto/cuda"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/finetune"
)

var (
	model   = flag.String("model", "smollm2", "Hugging Face folder, GGUF file or a folder with one")
	file    = flag.String("data", "", "CSV, TSV or JSON Lines with a column of texts and one of labels")
	columns = flag.String("columns", "", "names of the columns, with commas, where the file has none")
	text    = flag.String("text", "text", "column of the texts")
	label   = flag.String("label", "label", "column of the labels")
	rows    = flag.Int("rows", 0, "records to use, drawn by class; 0: all")
	device  = flag.String("device", "auto", cuda.Names)
	out     = flag.String("out", "runs/classify", "folder of the run, which ceto predict can use")
)

func main() {
	log.SetFlags(0)
	flag.Parse()
	exec := must(cuda.Open(*device, 0))
	defer exec.Close()
	s := finetune.Settings{Task: "classify", Model: *model}
	s.Data.Path, s.Data.Text, s.Data.Label, s.Data.Rows = *file, *text, []string{*label}, *rows
	if *columns != "" {
		s.Data.Columns = strings.Split(*columns, ",")
	}
	job := must(finetune.Open(s))
	defer job.Close()
	fmt.Printf("%d records to train on, %d to validate on\n%v\n", job.Counts.Train, job.Counts.Val, job.Counts.Balance)

	result := must(job.Fit(finetune.Options{Out: *out, Executor: exec, Say: log.Printf, Callbacks: []train.Callback{train.Print{Every: 50}}}))
	for _, name := range []string{"accuracy", "f1"} {
		fmt.Printf("validation %s %.3f (95 %%: %.3f to %.3f)\n", name, result.Metrics[name], result.CI95[name][0], result.CI95[name][1])
	}
	fmt.Println(result.Verdict)

	spam := must(finetune.OpenRun(*out, exec))
	defer spam.Close()
	for i, a := range must(spam.Predict(flag.Args())) {
		fmt.Printf("%s, probability %.2f: %s\n", a.Label, *a.Probability, flag.Arg(i))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
