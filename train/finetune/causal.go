package finetune

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// writer is a task of the model's own head, which goes on with texts.
type writer interface{ writes() }

// causal is what the writers have in common: a target for each token, −1 where it carries no loss.
type causal struct{}

func (causal) writes() {}

func (causal) pooled() bool { return false }

func (causal) target() (data.Field, bool) { return data.Field{Name: "y", Int: true}, true }

func (causal) build(j *Job) train.Task {
	return gpt.CausalLM{Model: j.Source.Model, Smoothing: j.Settings.Train.Smoothing}
}

func (causal) metrics(*Job) []namedMetric { return nil }

func (causal) chance(*Job) float64 { return 0 }

func (causal) output() string { return "predict" }

func (causal) answer(*Job, []float32) Answer { return Answer{} }

// tokenLoss is what a model gives the targets of an example.
type tokenLoss struct {
	nll    float64 // −Σ ln p, nats
	tokens float64 // that count
	right  float64 // those that were the most probable
	bytes  float64 // of text that they stand for; 0 where nothing asks for them
}

// measure implements measurer: loss and perplexity a token, with intervals over examples.
func (c causal) measure(j *Job, run *train.Run, _ *part, q *data.Sequences) (map[string]Number, map[string][2]Number, error) {
	each, err := tokenLosses(run, q, j.Source.Model.Dims().Vocab)
	if err != nil {
		return nil, nil, err
	}
	values, ci := summary(len(each), lossMetrics(each))
	return values, ci, nil
}

// lossMetrics are statistics of some of the examples.
func lossMetrics(each []tokenLoss) map[string]func(rows []int) float64 {
	of := func(f func(sum tokenLoss) float64) func(rows []int) float64 {
		return func(rows []int) float64 {
			var sum tokenLoss
			for _, i := range rows {
				e := each[i]
				sum = tokenLoss{sum.nll + e.nll, sum.tokens + e.tokens, sum.right + e.right, sum.bytes + e.bytes}
			}
			return f(sum)
		}
	}
	all := map[string]func(rows []int) float64{
		"loss":           of(func(s tokenLoss) float64 { return s.nll / s.tokens }),
		"perplexity":     of(func(s tokenLoss) float64 { return math.Exp(s.nll / s.tokens) }),
		"token_accuracy": of(func(s tokenLoss) float64 { return s.right / s.tokens }),
	}
	if slices.ContainsFunc(each, func(e tokenLoss) bool { return e.bytes > 0 }) {
		all["bits_per_byte"] = of(func(s tokenLoss) float64 { return metric.BitsPerByte(s.nll, int(s.bytes)) })
	}
	return all
}

// summary is each statistic of n examples with its 95 % interval, by the bootstrap.
func summary(n int, statistics map[string]func(rows []int) float64) (map[string]Number, map[string][2]Number) {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	values, ci := map[string]Number{}, map[string][2]Number{}
	for name, of := range statistics {
		values[name] = Number(of(all))
		lo, hi := metric.Bootstrap95(n, 1, of)
		ci[name] = [2]Number{Number(lo), Number(hi)}
	}
	return values, ci
}

// tokenLosses runs the model over q and returns the loss of each example, by its number.
func tokenLosses(run *train.Run, q *data.Sequences, vocab int) ([]tokenLoss, error) {
	each := make([]tokenLoss, q.Len())
	err := outputs(run, q, "predict", vocab, func(i int, e data.Sequence, p []float32) error {
		for t, y := range e.Y {
			if y < 0 {
				continue
			}
			row := p[t*vocab : (t+1)*vocab]
			best := 0
			for k, v := range row {
				if v > row[best] {
					best = k
				}
			}
			each[i].nll -= math.Log(max(float64(row[y]), math.SmallestNonzeroFloat32))
			each[i].tokens++
			if len(e.Values) > 0 {
				each[i].bytes += float64(e.Values[t])
			}
			if best == int(y) {
				each[i].right++
			}
		}
		return nil
	})
	return each, err
}

// outputs runs the model over q and calls f with each example, its number and the output's cols values for each of its
// ids, (ids, cols), which f must not keep.
func outputs(run *train.Run, q *data.Sequences, output string, cols int, f func(i int, e data.Sequence, y []float32) error) error {
	at, order := 0, q.Order()
	return run.Outputs(q, output, func(n int, y []float32) error {
		for b := range n {
			i := int(order[at])
			e, err := q.At(i, 0)
			if err != nil {
				return err
			}
			at++
			rows := y[b*len(y)/n : (b+1)*len(y)/n]
			if err := f(i, e, rows[:cols*len(e.IDs)]); err != nil {
				return err
			}
		}
		return nil
	})
}

// A writer's row has minRow to maxRow tokens by default, and a batch rowTokens: the logits of more take much memory,
// 4·Vocab bytes a token and as much for their gradient.
const minRow, maxRow, rowTokens = 256, 1024, 1024

// chooseContext makes a writer's rows as short as lets 99 of 100 examples fit whole: a power of two from minRow to
// maxRow, at most the model's context.
func (j *Job) chooseContext() {
	c := &j.Settings.Data.Context
	for n := minRow; n < *c; n *= 2 {
		long := 0
		for _, l := range j.train.lengths {
			if int(l) > n {
				long++
			}
		}
		if 100*long <= len(j.train.lengths) {
			*c = n
		}
	}
}

// resolveRows is resolveSize for a writer.
func (j *Job) resolveRows() {
	t, rows, width := &j.Settings.Train, j.Counts.Train, int(slices.Max(j.train.lengths))
	if j.packs() {
		width = j.Settings.Data.Context
		rows = j.Counts.Tokens/width + 1
	}
	orElse(&t.Batch, max(1, min(rowTokens/width, rows/8))) // few examples are to give some steps, too
	epochs := 2
	if j.Counts.Train < 1000 {
		epochs = 3
	}
	orElse(&t.Epochs, epochs)
	orElse(&t.Evaluations, 2)
}

// packs tells whether examples share rows.
func (j *Job) packs() bool {
	_, ok := j.task.(writer)
	return ok && !j.Settings.Data.NoPacking
}

// batches is what training takes its batches from: of a writer rows that its examples share.
func (f *fit) batches() train.TrainData {
	if f.packs() {
		return data.Pack(f.trainData, f.Settings.Data.Context)
	}
	return f.trainData
}

// beforeLoss is the validation loss before the first step: of this process or, after a resume, by the run's log.
func (f *fit) beforeLoss() (Number, error) {
	if h := f.loop.Run.History; len(h) > 0 && h[0].Step == 0 {
		return Number(h[0].ValLoss), nil
	}
	log, err := os.Open(filepath.Join(f.o.Out, "log.jsonl"))
	if err != nil {
		return 0, errors.Wrap(err, "finetune")
	}
	defer log.Close()
	first := struct {
		Step int
		Loss Number `json:"val_loss"`
	}{Step: -1}
	if err := json.NewDecoder(log).Decode(&first); err != nil || first.Step != 0 {
		return 0, errors.Errorf("finetune: %s: its first line is of step %d, %v; want the loss before training", log.Name(), first.Step, err)
	}
	return first.Loss, nil
}
