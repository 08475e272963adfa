// Command tasks measures what SmolLM2 gains on two tasks by LoRA with the defaults of ceto finetune --task chat. It
// measures before and after:
//   - Following instructions: the loss of held-out answers and ROUGE-L of what the model writes. Both are taken over
//     all held-out examples, ROUGE-L also over those that ask for a summary.
//   - Translating from English into Chinese: BLEU and chrF.
//
// It appends a line of JSON for each task to the result file.
//
//	go run ./bench/tasks -model smollm2 -data DIR -out bench/tasks.jsonl
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ceto-ml/ceto/bench/internal/results"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/finetune"
)

var (
	model  = flag.String("model", "smollm2", "SmolLM2: folder or GGUF file")
	folder = flag.String("data", "", "folder with instruction-1100/instruction-data.json and tatoeba-cmn-eng/cmn.txt")
	out    = flag.String("out", "bench/tasks.jsonl", "result file")
	only   = flag.String("only", "", "only this task: instructions or translation")
	runs   = flag.String("runs", "", "folder to keep the runs in (default: a temporary one)")
)

// example is a record of the files that this program writes.
type example map[string]string

// result is a line of the result file. Each figure is followed by the bounds of its 95 % interval.
type result struct {
	Task     string                 `json:"task"`
	Train    int                    `json:"train_rows"`
	Test     int                    `json:"test_rows"`
	Before   map[string][3]float64  `json:"before"`
	After    map[string][3]float64  `json:"after"`
	Examples []map[string]string    `json:"examples"`
	Seconds  float64                `json:"seconds"` // of fine-tuning, with its evaluations
	Settings finetune.TrainSettings `json:"settings"`
}

func main() {
	log.SetFlags(0)
	flag.Parse()
	for _, t := range []struct {
		name string
		run  func(dir string) result
	}{{"instructions", instructions}, {"translation", translation}} {
		if *only != "" && t.name != *only {
			continue
		}
		dir := *runs
		if dir == "" {
			dir = results.Must(os.MkdirTemp("", "tasks"))
			defer os.RemoveAll(dir)
		}
		r := t.run(dir)
		r.Task = t.name
		results.Append(*out, r)
	}
}

// instructions holds out a tenth of the examples, drawn by seed, and all examples that ask for a summary.
func instructions(dir string) result {
	var all, trains, test, summaries []example
	results.Check(json.Unmarshal(results.Must(os.ReadFile(filepath.Join(*folder, "instruction-1100", "instruction-data.json"))), &all))
	shuffle(all)
	for _, e := range all {
		if strings.Contains(strings.ToLower(e["instruction"]), "summar") {
			summaries = append(summaries, e)
		} else if len(test) < len(all)/10 {
			test = append(test, e)
		} else {
			trains = append(trains, e)
		}
	}
	s := finetune.Settings{Task: "chat", Model: *model}
	r, before, after := learn(dir, "instructions", s, trains, append(slices.Clone(test), summaries...), []string{"rougel"}, 64)
	defer before.Close()
	defer after.Close()
	few := file(dir, "summaries.json", summaries)
	for _, p := range []struct {
		p  *finetune.Predictor
		to map[string][3]float64
	}{{before, r.Before}, {after, r.After}} {
		records := results.Must(record.Open(few, record.Options{}))
		v, ci, _, err := p.p.EvaluateText(records, nil, []string{"rougel"}, 64)
		results.Check(err)
		p.to["rougel of summaries"] = triple(v["rougel"], ci["rougel"])
		results.Check(records.Close())
	}
	return r
}

// translation learns from 2,000 pairs and is tested on 200 others, all drawn by seed.
func translation(dir string) result {
	r := results.Must(record.Open(filepath.Join(*folder, "tatoeba-cmn-eng", "cmn.txt"), record.Options{Format: record.TSV, Columns: []string{"english", "chinese"}}))
	defer r.Close()
	same := results.Must(record.Near{Text: r.Column("english"), Similarity: 1}.Within(r.Rows()))
	var all []example
	for _, i := range record.Without(r.Rows(), same) {
		all = append(all, example{"english": results.Must(r.Text(i, "english")), "chinese": results.Must(r.Text(i, "chinese"))})
	}
	shuffle(all)
	s := finetune.Settings{Task: "chat", Model: *model}
	s.Data.Layout = finetune.Layout{Template: "Translate into Chinese: {english}", Answer: "chinese"}
	got, before, after := learn(dir, "translation", s, all[:2000], all[2000:2200], []string{"bleu_zh", "chrf"}, 48)
	results.Check(before.Close())
	results.Check(after.Close())
	return got
}

// learn fine-tunes, and measures the model before and after.
func learn(dir, name string, s finetune.Settings, trains, test []example, metrics []string, tokens int) (r result, before, after *finetune.Predictor) {
	s.Data.Path = file(dir, name+"-train.json", trains)
	held := file(dir, name+"-test.json", test)
	s.Data.TestPath = held // training leaves out the questions in it
	s.Train.Seed = 1
	run := filepath.Join(dir, name)
	results.Check(os.RemoveAll(run))
	start := time.Now()
	j := results.Must(finetune.Open(s))
	got := results.Must(j.Fit(finetune.Options{Out: run, Say: log.Printf, Callbacks: []train.Callback{train.CallbackFunc(func(s *train.Status) error {
		if s.Evaluated || s.Step%10 == 0 {
			fmt.Fprintf(os.Stderr, "step %d/%d, loss %.4f, validation %.4f, %.0f s\n", s.Step, s.Steps, s.Loss, s.ValLoss, s.Seconds)
		}
		return nil
	})}}))
	r = result{Train: got.TrainRows, Test: len(test), Seconds: time.Since(start).Seconds(), Settings: j.Settings.Train}
	s = j.Settings
	results.Check(j.Close())
	records := results.Must(record.Open(held, record.Options{}))
	defer records.Close()
	before, after = results.Must(finetune.OpenBase(s, nil)), results.Must(finetune.OpenRun(run, nil))
	var first, second []string
	r.Before, first = measure(before, records, metrics, tokens)
	r.After, second = measure(after, records, metrics, tokens)
	for i := range min(5, len(first)) {
		e := map[string]string{"before": first[i], "after": second[i]}
		for k, v := range test[i] {
			e[k] = v
		}
		r.Examples = append(r.Examples, e)
	}
	return r, before, after
}

// measure returns the loss of the answers, the metrics of what the model writes, and what it writes.
func measure(p *finetune.Predictor, r *record.Records, metrics []string, tokens int) (map[string][3]float64, []string) {
	all := map[string][3]float64{}
	v, ci, err := p.Evaluate(r)
	results.Check(err)
	for name := range v {
		all[name] = triple(v[name], ci[name])
	}
	v, ci, answers, err := p.EvaluateText(r, nil, metrics, tokens)
	results.Check(err)
	for name := range v {
		all[name] = triple(v[name], ci[name])
	}
	return all, answers
}

func triple(v finetune.Number, ci [2]finetune.Number) [3]float64 {
	return [3]float64{float64(v), float64(ci[0]), float64(ci[1])}
}

func shuffle(all []example) {
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
}

func file(dir, name string, all []example) string {
	path := filepath.Join(dir, name)
	results.Check(os.MkdirAll(dir, 0o777))
	results.Check(os.WriteFile(path, results.Must(json.Marshal(all)), 0o666))
	return path
}
