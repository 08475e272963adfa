// Command rates measures what docs/finetune.md says about learning rates and overfitting. It fine-tunes SmolLM2 on
// 500 messages of the SMS Spam Collection and validates on 500 others, with one setting changed at a time. It appends
// a line of JSON for each run to the result file. It leaves out the runs that are there already, so it can be stopped
// and started again.
//
//	go run ./bench/rates -model smollm2 -data SMSSpamCollection.tsv -out bench/rates.jsonl
package main

import (
	"flag"
	"fmt"
	"log"
	"strings"

	"github.com/ceto-ml/ceto/bench/internal/results"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/finetune"
)

var (
	model = flag.String("model", "smollm2", "SmolLM2: folder or GGUF file")
	data  = flag.String("data", "", "SMSSpamCollection.tsv")
	out   = flag.String("out", "bench/rates.jsonl", "result file")
	only  = flag.String("only", "", "only the runs whose name begins with this")
)

// result is a line of the result file.
type result struct {
	Name     string  `json:"name"`
	LR       float64 `json:"lr"`
	Seed     uint64  `json:"seed"`
	Before   float64 `json:"before"` // validation loss of the head on frozen features, if it was fitted
	Curve    []point `json:"curve"`
	Kept     float64 `json:"kept_epoch"`
	F1       float64 `json:"f1"`       // of spam on the validation messages, by the model that was kept
	LogLoss  float64 `json:"log_loss"` // the same messages and model; each message has weight 1
	Verdict  string  `json:"verdict"`
	Seconds  float64 `json:"seconds"`
	Trained  int     `json:"trained_params"`
	Messages int     `json:"messages"`
}

// point is an evaluation.
type point struct {
	Epoch float64 `json:"epoch"`
	Loss  float64 `json:"loss"` // mean over the training batches since the evaluation before
	Val   float64 `json:"val_loss"`
}

// variant changes the defaults in one respect.
type variant struct {
	name   string
	rates  []float64
	epochs int
	change func(*finetune.Settings)
}

var variants = []variant{
	{"lora after the head", []float64{2e-5, 6e-5, 2e-4, 6e-4, 2e-3, 6e-3}, 2, func(*finetune.Settings) {}},
	{"lora and a random head", []float64{2e-5, 6e-5, 2e-4, 6e-4, 2e-3, 6e-3}, 2, func(s *finetune.Settings) { s.Head.NoFit = true }},
	{"all after the head", []float64{5e-6, 1.5e-5, 5e-5, 1.5e-4, 5e-4}, 2, func(s *finetune.Settings) { s.Method = finetune.Full }},
	{"long", over, 4, func(*finetune.Settings) {}},
	{"long, rank 2", over, 4, func(s *finetune.Settings) { s.LoRA.Rank = 2 }},
	{"long, q and v", over, 4, func(s *finetune.Settings) { s.LoRA.Targets = []string{"*.q_proj", "*.v_proj"} }},
	{"long, dropout", over, 4, func(s *finetune.Settings) { s.Head.Dropout, s.LoRA.Dropout = 0.1, 0.1 }},
	{"long, smoothing", over, 4, func(s *finetune.Settings) { s.Train.Smoothing = 0.1 }},
	{"long, decay", over, 4, func(s *finetune.Settings) { s.Train.Decay = 0.1 }},
	{"long, changed texts", over, 4, func(s *finetune.Settings) { s.Data.Augment.Swap, s.Data.Augment.Delete = 0.1, 0.1 }},
	{"long, moving average", over, 4, func(s *finetune.Settings) { s.Train.EMA = 0.98 }},
	{"long, four times the messages", over, 1, func(s *finetune.Settings) { s.Data.Rows, s.Data.Val = 2500, 0.2 }},
}

// over is a learning rate at which the model learns its examples by heart.
var over = []float64{6e-4}

func main() {
	log.SetFlags(0)
	flag.Parse()
	done := map[string]bool{}
	for _, r := range results.Read[result](*out) {
		done[r.key()] = true
	}
	for _, v := range variants {
		for _, lr := range v.rates {
			r := result{Name: v.name, LR: lr, Seed: 1}
			if done[r.key()] || !strings.HasPrefix(v.name, *only) {
				continue
			}
			measure(&r, v)
			results.Append(*out, r)
		}
	}
}

func (r result) key() string { return fmt.Sprint(r.Name, r.LR, r.Seed) }

// measure trains and fills in the results. Where no step was better, they are those of the head on frozen features.
func measure(r *result, v variant) {
	s := finetune.Settings{Task: "classify", Model: *model,
		Data:  finetune.DataSettings{Path: *data, Columns: []string{"label", "text"}, Rows: 1000, Val: 0.5},
		Train: finetune.TrainSettings{Settings: train.Settings{LR: r.LR, Seed: r.Seed}, Epochs: v.epochs, Evaluations: 4 / v.epochs, Patience: 100}}
	v.change(&s)
	j := results.Must(finetune.Open(s))
	defer j.Close()
	got := results.Must(j.Fit(finetune.Options{Say: log.Printf}))
	r.Messages, r.Trained, r.Kept = j.Counts.Train, got.TrainedParams, got.BestEpoch
	r.F1, r.LogLoss = float64(got.Metrics["f1"]), float64(got.Metrics["log_loss"])
	r.Verdict, r.Seconds = got.Verdict.Name, got.Seconds
	var sum, n float64
	for _, h := range got.History {
		if h.Step > 0 {
			sum, n = sum+h.Loss, n+1
		}
		if h.Evaluated && h.Step == 0 {
			r.Before = h.ValLoss
		} else if h.Evaluated {
			r.Curve = append(r.Curve, point{h.Epoch, sum / n, h.ValLoss})
			sum, n = 0, 0
		}
	}
}
