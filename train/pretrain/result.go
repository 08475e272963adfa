package pretrain

import (
	"math"

	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/train"
)

// Result is what a job has come to: the JSON of ceto pretrain.
type Result struct {
	Steps       int            `json:"steps"`
	TrainLoss   float64        `json:"train_loss"` // nats per token, mean of the last tenth of the steps
	ValLoss     train.Number   `json:"val_loss"`   // nats per token over the whole held-out part
	BitsPerByte train.Number   `json:"bits_per_byte"`
	TokensPerS  float64        `json:"tokens_per_s"`
	Seconds     float64        `json:"seconds"`      // in training steps
	WallSeconds float64        `json:"wall_seconds"` // with evaluations and checkpoints
	Params      int            `json:"params"`
	Digest      string         `json:"digest"` // SHA-256 of the final parameters
	Run         string         `json:"run"`    // the run folder
	History     []train.Status `json:"-"`      // of this process
	Whole       []train.Status `json:"-"`      // of the whole run, of which the figures are
	State       *train.State   `json:"-"`
	exec        plan.Executor  // of State
}

// result gathers the figures of a run.
func (j *Job) result(run *train.Run, out string) (*Result, error) {
	h, s := run.Whole(), j.Settings
	r := &Result{Steps: s.Train.Steps, Run: out, WallSeconds: run.FitSeconds, History: run.History, Whole: h, State: run.State, exec: run.Executor()}
	if before := len(h) - len(run.History); before > 0 {
		r.WallSeconds += h[before-1].Seconds
	}
	r.Params, _ = run.State.Params.Count()
	var err error
	if r.Digest, err = run.State.Digest(); err != nil {
		return nil, err
	}
	tokens := float64(s.Train.Batch * s.Train.Accumulate * s.Model.Context)
	tail := h[len(h)-(len(h)+9)/10:]
	for _, st := range tail {
		r.TrainLoss += st.Loss / float64(len(tail))
	}
	last := 0
	if len(h) > 0 {
		last = h[0].Step - 1
	}
	for _, st := range h { // a status stands for the steps since the one before it
		r.Seconds += float64(st.Step-last) * tokens / st.TokensPerSec
		last = st.Step
	}
	val := math.NaN()
	if n := len(h); n > 0 {
		r.Steps, r.TokensPerS = last, tokens*float64(last-h[0].Step+1)/r.Seconds
	}
	if n := len(h); n > 0 && h[n-1].Evaluated {
		val = h[n-1].ValLoss
	} else {
		scores, err := run.Evaluate(j.Text)
		if err != nil {
			return nil, err
		}
		val = scores.Loss
	}
	r.ValLoss, r.BitsPerByte = train.Number(val), train.Number(math.NaN())
	if b := j.Text.BytesPerToken(); b > 0 {
		r.BitsPerByte = train.Number(val / math.Ln2 / b)
	}
	return r, nil
}

// sampleTokens is the number of tokens of a sample.
const sampleTokens = 300

// Sample has the trained model write a text, prompt included: 300 tokens at temperature 0.8, of the 40 most likely each
// time. Without a tokenizer, as of bare token files, it returns nil.
func (j *Job) Sample(r *Result) ([]byte, error) {
	tok := j.Text.Tokenizer()
	if tok == nil {
		return nil, nil
	}
	prompt := []byte("\n")
	if j.Settings.Data.Path == "" {
		prompt = []byte("\nfunc ")
	}
	ids, err := tok.Encode(prompt)
	if err != nil {
		ids = []int32{0} // the text has no line's end
	}
	g := generate.Generator{Model: j.Settings.Model, State: r.State, Executor: r.exec}
	more, err := g.Sample(ids, generate.Options{Tokens: sampleTokens, Temperature: 0.8, TopK: 40, Seed: j.Settings.Train.Seed})
	if err != nil {
		return nil, err
	}
	return tok.Decode(append(ids, more...)), nil
}
