package finetune_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/train/finetune"
)

// A model learns from a hundred texts which of two words they end with, and answers two more.
func Example() {
	dir, err := os.MkdirTemp("", "finetune")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	lines := []string{"text,label"}
	for i := range 100 {
		lines = append(lines, fmt.Sprintf("number %d is %s", i, [2]string{"thin,a", "an inn,b"}[i%2]))
	}
	file, run := filepath.Join(dir, "texts.csv"), filepath.Join(dir, "run")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o666); err != nil {
		log.Fatal(err)
	}

	j, err := finetune.Open(finetune.Settings{Task: "classify", Model: "../../gpt/testdata/hf/llama-chat",
		Data:  finetune.DataSettings{Path: file, Text: "text", Label: []string{"label"}},
		Train: finetune.TrainSettings{Epochs: 2}})
	if err != nil {
		log.Fatal(err)
	}
	defer j.Close()
	r, err := j.Fit(finetune.Options{Out: run, Executor: plan.CPU(1)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d texts to train on, %d to validate on, accuracy %.2f\n", r.TrainRows, r.ValRows, r.Metrics["accuracy"])

	p, err := finetune.OpenRun(run, plan.CPU(1))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	answers, err := p.Predict([]string{"number 555 is thin", "number 7 is an inn"})
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range answers {
		fmt.Println(a.Label)
	}
	// Output:
	// 80 texts to train on, 20 to validate on, accuracy 1.00
	// a
	// b
}
