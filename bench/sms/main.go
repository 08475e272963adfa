// Command sms measures what a pretrained model is worth on the SMS Spam Collection, with 100, 500 and 4,000 labelled
// messages. It compares SmolLM2 fine-tuned with the defaults of ceto finetune, the same network from random weights,
// and a linear SVM on character n-grams. The SVM is both plain and tuned.
//
// Texts that are equal when folded are left out first. 1,000 messages drawn by seed are for testing and in no
// training set. The command appends a line of JSON for each run to the result file. It leaves out the runs that are
// there already, so it can be stopped and started again.
//
//	go run ./bench/sms -model smollm2 -data SMSSpamCollection.tsv -python .venv/bin/python -out bench/sms.jsonl
package main

import (
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ceto-ml/ceto/bench/internal/results"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/finetune"
)

var (
	model  = flag.String("model", "smollm2", "SmolLM2: folder or GGUF file")
	data   = flag.String("data", "", "SMSSpamCollection.tsv")
	python = flag.String("python", "", "Python with scikit-learn, for the SVM; without it the SVM is left out")
	out    = flag.String("out", "bench/sms.jsonl", "result file")
	only   = flag.String("only", "", "only the kinds that begin with this: pretrained, random or svm")
	size   = flag.Int("size", 0, "only this number of messages: 100, 500 or 4000")
)

// result is a line of the result file.
type result struct {
	Kind     string     `json:"kind"`
	Size     int        `json:"size"`
	Seed     uint64     `json:"seed"`
	Accuracy float64    `json:"accuracy"`
	Within   [2]float64 `json:"accuracy_ci95"`
	F1       float64    `json:"f1"` // of spam
	CI95     [2]float64 `json:"f1_ci95"`
	Kept     string     `json:"kept,omitempty"`
	Seconds  float64    `json:"seconds"`
}

// runs lists what is measured: the number of seeds of each kind at each size.
var runs = []struct {
	kind  string
	size  int
	seeds uint64
}{
	{"svm", 100, 5}, {"svm", 500, 5}, {"svm", 4000, 3}, {"svm-tuned", 100, 5}, {"svm-tuned", 500, 5}, {"svm-tuned", 4000, 3},
	{"pretrained", 100, 5}, {"pretrained", 500, 5}, {"pretrained", 4000, 3},
	{"random", 100, 3}, {"random", 500, 3}, {"random", 4000, 1},
}

func main() {
	log.SetFlags(0)
	flag.Parse()
	done := map[string]bool{}
	for _, r := range results.Read[result](*out) {
		done[key(r.Kind, r.Size, r.Seed)] = true
	}
	for _, w := range runs {
		for seed := uint64(1); seed <= w.seeds; seed++ {
			if done[key(w.kind, w.size, seed)] || *only != "" && !strings.HasPrefix(w.kind, *only) || *size != 0 && w.size != *size || strings.HasPrefix(w.kind, "svm") && *python == "" {
				continue
			}
			r := measure(w.kind, w.size, seed)
			results.Append(*out, r)
		}
	}
}

func key(kind string, size int, seed uint64) string { return fmt.Sprint(kind, size, seed) }

// measure writes the files of a run and does the run.
func measure(kind string, size int, seed uint64) result {
	dir := results.Must(os.MkdirTemp("", "sms"))
	defer os.RemoveAll(dir)
	labelled, test := filepath.Join(dir, "train.csv"), filepath.Join(dir, "test.csv")
	split(labelled, test, size, seed)
	r := result{Kind: kind, Size: size, Seed: seed}
	start := time.Now()
	if strings.HasPrefix(kind, "svm") {
		c := exec.Command(*python, "bench/peers/sms_svm.py", "--train", labelled, "--test", test, "--label", "spam", "--json")
		if kind == "svm" {
			c.Args = append(c.Args, "--plain")
		}
		c.Stderr = os.Stderr
		lines := strings.Split(strings.TrimSpace(string(results.Must(c.Output()))), "\n")
		var got struct {
			Accuracy, F1 float64
			CI95         struct{ Accuracy, F1 [2]float64 }
		}
		results.Check(json.Unmarshal([]byte(lines[len(lines)-1]), &got))
		r.Accuracy, r.Within, r.F1, r.CI95 = got.Accuracy, got.CI95.Accuracy, got.F1, got.CI95.F1
	} else {
		fineTune(&r, kind == "random", labelled, test, dir)
	}
	r.Seconds = time.Since(start).Seconds()
	return r
}

// split writes the labelled messages and the test messages of a seed to two files.
func split(labelled, test string, size int, seed uint64) {
	r := results.Must(record.Open(*data, record.Options{Columns: []string{"label", "text"}}))
	defer r.Close()
	rows := record.Without(r.Rows(), results.Must(record.Near{Text: r.Column("text"), Similarity: 1}.Within(r.Rows())))
	const testing = 1000
	classes := results.Must(r.Classes("label"))
	parts := results.Must(record.Split(rows, classes, seed, float64(testing), float64(len(rows)-testing)))
	pool := results.Must(record.Split(parts[1], classes, seed, float64(size), float64(len(parts[1])-size)))
	for path, rows := range map[string][]int{test: parts[0], labelled: pool[0]} {
		f := results.Must(os.Create(path))
		w := csv.NewWriter(f)
		results.Check(w.Write([]string{"text", "label"}))
		for _, i := range rows {
			results.Check(w.Write([]string{results.Must(r.Text(i, "text")), results.Must(r.Text(i, "label"))}))
		}
		w.Flush()
		results.Check(w.Error())
		results.Check(f.Close())
	}
}

// fineTune runs a job with the defaults.
func fineTune(r *result, random bool, labelled, test, dir string) {
	j := results.Must(finetune.Open(finetune.Settings{Task: "classify", Model: *model, Random: random,
		Data:  finetune.DataSettings{Path: labelled, TestPath: test, Text: "text", Label: []string{"label"}},
		Train: finetune.TrainSettings{Settings: train.Settings{Seed: r.Seed}}}))
	defer j.Close()
	fmt.Fprintf(os.Stderr, "%+v\n%+v\n", j.Counts, j.Settings)
	got := results.Must(j.Fit(finetune.Options{Say: log.Printf, Callbacks: []train.Callback{train.CallbackFunc(func(s *train.Status) error {
		if s.Evaluated {
			fmt.Fprintf(os.Stderr, "step %d/%d, epoch %.2f, loss %.4f, validation %.4f, %.0f s\n", s.Step, s.Steps, s.Epoch, s.Loss, s.ValLoss, s.Seconds)
		}
		return nil
	})}}))
	r.Accuracy, r.F1 = float64(got.Test["accuracy"]), float64(got.Test["f1"])
	for name, ci := range map[string]*[2]float64{"accuracy": &r.Within, "f1": &r.CI95} {
		ci[0], ci[1] = float64(got.TestCI95[name][0]), float64(got.TestCI95[name][1])
	}
	r.Kept = fmt.Sprintf("epoch %.2f of %.2f", got.BestEpoch, got.Epochs)
}
