// Command classify teaches a pretrained model to tell texts apart: a new head on its trunk and LoRA in its attention,
// the data split by class, training stopped when the validation loss no longer falls, accuracy and F1 with an interval.
//
//	make smollm2
//	go run ./examples/classify -data SMSSpamCollection.tsv -columns label,text -text text -label label -rows 600
package main

import (
	"flag"
	"fmt"
	"log"
	"strings"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/metric"
)

var (
	path    = flag.String("model", "smollm2", "Hugging Face folder, GGUF file or a folder with one")
	file    = flag.String("data", "", "CSV, TSV or JSON Lines with a column of texts and one of labels")
	columns = flag.String("columns", "", "names of the columns, with commas, where the file has none")
	text    = flag.String("text", "text", "column of the texts")
	label   = flag.String("label", "label", "column of the labels")
	rows    = flag.Int("rows", 0, "records to use, drawn by class; 0: all")
	context = flag.Int("context", 64, "tokens of a text; the rest of a longer one is left out")
	steps   = flag.Int("steps", 200, "updates, at most")
	rate    = flag.Float64("lr", 1e-3, "learning rate at its highest")
	folder  = flag.String("adapter", "", "folder to save the adapter in")
)

func main() {
	log.SetFlags(0)
	flag.Parse()
	var o record.Options
	if *columns != "" {
		o.Columns = strings.Split(*columns, ",")
	}
	r := must(record.Open(*file, o))
	defer r.Close()
	classes := must(r.Classes(*label))
	all := record.Without(r.Rows(), must(record.Near{Text: r.Column(*text), Similarity: 1}.Within(r.Rows()))) // no text twice
	if *rows > 0 && *rows < len(all) {
		all = must(record.Split(all, classes, 1, float64(*rows), float64(len(all)-*rows)))[0]
	}
	parts := must(record.Split(all, classes, 1, 0.6, 0.2, 0.2))

	model := must(gpt.Open(*path))
	defer model.Close()
	tok := must(model.Tokenizer())
	table := func(rows []int) *data.Table { return must(encode(tok, r, classes, rows)) }
	trainer := train.Trainer{
		Task: gpt.Classify{Model: model.Model, Classes: len(classes.Names)},
		LoRA: &nn.LoRA{Targets: []string{"*.q_proj", "*.v_proj", "*.c_attn"}, Rank: 8, Alpha: 16, Also: []string{"score.*"}},
		From: model.FillTrunk,

		Optimizer: train.AdamW{LR: *rate}, Schedule: train.Cosine{Warmup: *steps / 10, Min: 0.1}, Clip: 1, Batch: 8, Steps: *steps, Seed: 1,
		Val: table(parts[1]), EvalEvery: max(1, *steps/8), Stop: train.EarlyStopping{Patience: 2, RestoreBest: true},
		Callbacks: []train.Callback{train.Print{Every: max(1, *steps/8)}},
	}
	run := must(trainer.Fit(table(parts[0])))

	seen := &metric.Rows{}
	f1 := metric.F1(metric.Macro)
	scores := must(run.Evaluate(table(parts[2]), metric.Accuracy, f1, seen))
	low, high := metric.Bootstrap95(seen.Len(), 1, seen.Of(f1))
	fmt.Printf("%d test texts never seen: accuracy %.3f, macro F1 %.3f (95 %%: %.3f to %.3f)\n",
		seen.Len(), scores.Metrics["accuracy"], scores.Metrics[f1.Name()], low, high)
	if *folder != "" {
		if err := model.SaveAdapter(*folder, run.State, *trainer.LoRA); err != nil {
			log.Fatal(err)
		}
	}
}

// encode makes the batches' fields of records: ids, the index of the last token, the class.
func encode(tok token.Tokenizer, r *record.Records, classes *record.Classes, rows []int) (*data.Table, error) {
	n := len(rows)
	ids, last, y := make([]int32, n**context), make([]int32, n), make([]int32, n)
	for i, row := range rows {
		t, err := r.Text(row, *text)
		if err != nil {
			return nil, err
		}
		tokens, err := gpt.PromptIDs(tok, t, token.AsText)
		if err != nil {
			return nil, err
		}
		tokens = tokens[:min(len(tokens), *context)]
		copy(ids[i**context:], tokens)
		last[i], y[i] = int32(len(tokens)-1), classes.Of[row]
	}
	return data.Examples(data.Batch{"ids": {Shape: []int{n, *context}, Int: ids}, "last": {Shape: []int{n}, Int: last}, "y": {Shape: []int{n}, Int: y}}), nil
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
