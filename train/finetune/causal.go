package finetune

import (
	"cmp"
	"math"
	"slices"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/metric"
)

// causal has the defaults of a task that trains the model's own head, which continues texts. An example has a target
// for each token, or −1 where the token carries no loss. Such a task adds the methods about, make, predict and next.
type causal struct{ base }

func (causal) newHead() bool { return false }

func (causal) rate() float64 { return 3e-4 }

// By default a row of texts has minRow to maxRow tokens, and a batch has rowTokens. The logits take much memory:
// 4·Vocab bytes a token, and as much for their gradient.
const minRow, maxRow, rowTokens = 256, 1024, 1024

func (causal) longest(s *Setup) int { return min(maxRow, s.Source.Model.Dims().Context) }

// shorter returns the shortest row that holds 99 of 100 examples whole: minRow, 2·minRow, 4·minRow … or the context.
func (causal) shorter(lengths []int32, context int) int {
	for n := minRow; n < context; n *= 2 {
		long := 0
		for _, l := range lengths {
			if int(l) > n {
				long++
			}
		}
		if 100*long <= len(lengths) {
			return n
		}
	}
	return context
}

// valShare is base's share, of at most 200 records. Validating on a record costs nearly as much as training on it.
func (causal) valShare(records int) float64 {
	return min(base{}.valShare(records), 200/float64(records))
}

func (c causal) sizes(s *Settings, n extent) {
	rows, width := n.examples, n.longest
	if !s.Data.NoPacking {
		width = s.Data.Context
		rows = n.tokens/width + 1
	}
	s.Train.Batch = cmp.Or(s.Train.Batch, max(1, min(rowTokens/width, rows/8))) // few examples should give several steps, too
	epochs := 2
	if n.examples < 1000 {
		epochs = 3
	}
	s.Train.Epochs = cmp.Or(s.Train.Epochs, epochs)
	s.Train.Evaluations = cmp.Or(s.Train.Evaluations, 2)
}

func (causal) field() (data.Field, bool) { return data.Field{Name: field.Y, Int: true}, true }

// evalBatch is 32 examples, or fewer so that their logits take at most 256 MiB.
func (causal) evalBatch(s *Setup) int {
	const bytes = 256 << 20
	return max(1, min(base{}.evalBatch(s), bytes/(4*s.Source.Model.Dims().Vocab*s.Settings.Data.Context)))
}

func (causal) fill(s *Setup, state plan.State) error { return s.Source.Fill(state) }

// batches puts several examples into a row, unless the settings ask for a row each.
func (causal) batches(s *Setup, q *data.Sequences) train.TrainData {
	if s.Settings.Data.NoPacking {
		return q
	}
	return data.Pack(q, s.Settings.Data.Context)
}

func (causal) build(s *Setup) train.Task {
	return gpt.CausalLM{Model: s.Source.Model, Smoothing: s.Settings.Train.Smoothing}
}

// nextCommand returns two commands: one generates text with the model of a run, the other measures the model.
func (causal) nextCommand(command string, s Settings, run string) []string {
	model := "--model " + s.Model + " --adapter " + run + "/" + AdapterDir
	if s.Method == Full {
		model = "--model " + run + "/" + ModelDir
	}
	return []string{"ceto " + command + " " + model, "ceto eval --run " + run + " --data FILE"}
}

// tokenLoss is how well a model predicts the targets of an example.
type tokenLoss struct {
	nll    float64 // −Σ ln p, in nats
	tokens float64 // targets that count
	right  float64 // targets that were the most probable
	bytes  float64 // bytes of text that the targets stand for; 0 where the task does not count them
}

// judge computes lossMetrics. Their intervals resample whole examples.
func (causal) judge(s *Setup, run *train.Run, _ *subset, q *data.Sequences) (judged, error) {
	each, err := tokenLosses(run, q, s.Source.Model.Dims().Vocab)
	if err != nil {
		return judged{}, err
	}
	return summary(len(each), lossMetrics(each)), nil
}

// lossMetrics returns, by name, metrics of the examples that rows lists.
func lossMetrics(each []tokenLoss) map[string]func(rows []int) float64 {
	sum := func(f func(sum tokenLoss) float64) func(rows []int) float64 {
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
		"loss":           sum(func(s tokenLoss) float64 { return s.nll / s.tokens }),
		"perplexity":     sum(func(s tokenLoss) float64 { return math.Exp(s.nll / s.tokens) }),
		"token_accuracy": sum(func(s tokenLoss) float64 { return s.right / s.tokens }),
	}
	if slices.ContainsFunc(each, func(e tokenLoss) bool { return e.bytes > 0 }) {
		all["bits_per_byte"] = sum(func(s tokenLoss) float64 { return metric.BitsPerByte(s.nll, int(s.bytes)) })
	}
	return all
}

// tokenLosses runs the model over q and returns the loss of each example, by its number.
func tokenLosses(run *train.Run, q *data.Sequences, vocab int) ([]tokenLoss, error) {
	each := make([]tokenLoss, q.Len())
	err := outputs(run, q, field.Predict, vocab, func(i int, e data.Sequence, p []float32) error {
		for t, y := range e.Y {
			if y < 0 {
				continue
			}
			row := p[t*vocab : (t+1)*vocab]
			each[i].nll -= math.Log(max(float64(row[y]), math.SmallestNonzeroFloat32))
			each[i].tokens++
			if len(e.Values) > 0 {
				each[i].bytes += float64(e.Values[t])
			}
			if largest(row) == int(y) {
				each[i].right++
			}
		}
		return nil
	})
	return each, err
}

// outputs runs the model over q. It calls f with each example, its number and its values of the output, y (ids, cols).
// f must not keep y.
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
