// Package generate continues texts and chats with the models of package gpt: it draws tokens, searches beams, and keeps
// keys and values between tokens.
//
//	g := generate.Generator{Model: cfg, State: run.State}
//	ids, err := g.Sample(prompt, generate.Options{Tokens: 200, Temperature: 0.8})
package generate

import (
	"slices"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// Generator continues sequences of tokens with a model's values. It keeps plans and caches between calls and is not
// safe for concurrent use.
type Generator struct {
	Model     gpt.Model
	State     plan.State
	Executor  plan.Executor   // nil means plan.CPU(0); must be the one that made State, or of its kind
	Tokenizer token.Tokenizer // for the text of sequences, and for Options.Stop; nil for ids alone
	NoCache   bool            // run the whole sequence for each token; for tests and measurements
	// KeepCache reuses the caches of the last sequence for a prompt that begins as it did, like the next turn of a
	// chat. Rounding then depends on what was generated before.
	KeepCache bool

	*caches
	ownState, ownExec bool // made for the generator
}

// Close frees the plans, the caches, and what was made for the generator. That is the state of [New], and the executor
// where none was given. A second Close does nothing.
func (g *Generator) Close() error {
	err := g.closeCaches()
	if g.ownState {
		if e := g.State.Close(); err == nil {
			err = e
		}
	}
	if g.ownExec {
		if e := g.Executor.Close(); err == nil {
			err = e
		}
	}
	return err
}

// New returns a generator whose state on x has the model's parameters, float32, zeros until they are filled. The
// tokenizer may be nil. An impossible setting of the model is an error.
func New(m gpt.Model, x plan.Executor, t token.Tokenizer) (*Generator, error) {
	g := &Generator{Model: m, State: x.NewState(), Executor: x, Tokenizer: t, ownState: true}
	if err := g.prepare(1, 1); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// Logits returns the logits (Vocab) of the token after ids, with 1 ≤ len(ids) ≤ Context, and fills the caches anew.
// Another number of ids is an error, and so is a logit that is not finite.
func (g *Generator) Logits(ids []int32) ([]float32, error) {
	if n := g.Model.Dims().Context; len(ids) < 1 || len(ids) > n {
		return nil, errors.Errorf("generate: %d tokens; the context holds 1 to %d", len(ids), n)
	}
	if err := g.prepare(1, len(ids)); err != nil {
		return nil, err
	}
	g.reset()
	logits, err := g.feed([][]int32{ids}, nil)
	if err != nil {
		return nil, err
	}
	return logits[0], nil
}

// Sample returns the tokens that follow one prompt: the ids of the first sequence of [Generator.Generate].
func (g *Generator) Sample(prompt []int32, o Options) ([]int32, error) {
	s, err := g.Generate([][]int32{prompt}, o)
	if len(s) == 0 {
		return nil, err
	}
	return s[0].IDs, err
}

// Generate continues prompts in one batch; each has 1 to Context tokens. It returns Returns sequences for each, in the
// order of the prompts. Those of one prompt are sorted by score, the best first.
//
// A sequence that fills the context goes on from its later half; in beam search that is an error. So are impossible
// options, ids outside the vocabulary, and logits that are not finite. An error while tokens are drawn comes with the
// sequences so far.
func (g *Generator) Generate(prompts [][]int32, o Options) ([]Sequence, error) {
	if err := g.checkRequest(prompts, o); err != nil {
		return nil, err
	}
	need := 0
	for _, p := range prompts {
		need = max(need, len(p)+o.Tokens)
	}
	each := max(1, o.Returns, o.Beams)
	if err := g.prepare(len(prompts)*each, need); err != nil {
		return nil, err
	}
	if err := g.room(16*uint64(len(prompts)*each)*uint64(o.Tokens), o.Tokens); err != nil { // ids and logarithms, as slices grow
		return nil, err
	}
	if !g.KeepCache {
		g.reset()
	}
	if o.Beams > 1 {
		return g.beamSearch(prompts, o)
	}
	return g.sample(prompts, each, o)
}

func (g *Generator) checkRequest(prompts [][]int32, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	d := g.Model.Dims()
	if err := o.Fits(d.Vocab); err != nil {
		return err
	}
	if len(prompts) == 0 {
		return errors.New("generate: no prompt")
	}
	if len(o.Stop) > 0 && g.Tokenizer == nil {
		return errors.New("generate: stop texts need the Generator's Tokenizer")
	}
	for i, p := range prompts {
		switch {
		case len(p) == 0:
			return errors.Errorf("generate: prompt %d has no token", i)
		case len(p) > d.Context:
			return errors.Errorf("generate: prompt %d has %d tokens; the context holds %d", i, len(p), d.Context)
		case o.Beams > 1 && len(p)+o.Tokens > d.Context:
			return errors.Errorf("generate: prompt %d has %d tokens; beam search for %d more needs a context that holds them all; it holds %d", i, len(p), o.Tokens, d.Context)
		}
		for _, id := range p {
			if id < 0 || int(id) >= d.Vocab {
				return errors.Errorf("generate: prompt %d has token %d; the vocabulary has tokens 0 to %d", i, id, d.Vocab-1)
			}
		}
	}
	return nil
}

// sample draws tokens. The sequences of a prompt lie beside each other in the batch.
func (g *Generator) sample(prompts [][]int32, each int, o Options) ([]Sequence, error) {
	rows := make([]*row, 0, g.batch)
	for i, p := range prompts {
		for range each {
			rows = append(rows, g.newRow(i, p, len(rows), o))
		}
	}
	windows := make([][]int32, len(rows))
	for step, open := 0, o.Tokens > 0; open; step++ {
		for b, r := range rows {
			windows[b] = r.window
		}
		logits, err := g.feed(windows, nil)
		if err != nil {
			return sequences(rows), err
		}
		open = false
		for b, r := range rows {
			if r.End == "" && !r.add(logits[b], step, o) {
				return sequences(rows), nil
			}
			open = open || r.End == ""
		}
	}
	return sequences(rows), nil
}

// row is a sequence being drawn.
type row struct {
	Sequence
	choose  *chooser
	window  []int32 // what the model sees
	context int
	text    *reader
}

func (g *Generator) newRow(prompt int, ids []int32, number int, o Options) *row {
	r := &row{Sequence: Sequence{Prompt: prompt}, choose: newChooser(o, ids, number), window: slices.Clone(ids), context: g.Model.Dims().Context}
	if g.Tokenizer != nil {
		r.text = newReader(g.Tokenizer, o)
	}
	return r
}

// add chooses the next token and notes why the sequence ends, if it does. It returns false where Stream or StreamText
// ends everything.
func (r *row) add(logits []float32, step int, o Options) bool {
	id, p := r.choose.next(logits, step)
	r.choose.add(id)
	r.IDs, r.LogProbs = append(r.IDs, id), append(r.LogProbs, p)
	r.Score += float64(p)
	if len(r.window) == r.context {
		r.window = append([]int32{}, r.window[r.context-r.context/2:]...)
	}
	r.window = append(r.window, id)
	text, stopped := r.text.next(id)
	switch {
	case slices.Contains(o.End, id):
		r.End = "end"
	case stopped:
		r.End = "stop"
	case len(r.IDs) == o.Tokens:
		r.End = "length"
	}
	if r.End != "" {
		text = append(text, r.text.flush()...)
	}
	r.Text += string(text)
	more := o.Stream == nil || o.Stream(id)
	if len(text) > 0 && o.StreamText != nil { // at the end too, so that StreamText is told all of Text
		more = o.StreamText(text) && more
	}
	return more
}

// sequences returns the sequences of the rows by prompt, and those of one prompt by score, the best first.
func sequences(rows []*row) []Sequence {
	out := make([]Sequence, len(rows))
	for i, r := range rows {
		out[i] = r.Sequence
	}
	slices.SortStableFunc(out, func(a, b Sequence) int {
		switch {
		case a.Prompt != b.Prompt:
			return a.Prompt - b.Prompt
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	return out
}

// beamSearch runs a search for each prompt, all in one batch.
func (g *Generator) beamSearch(prompts [][]int32, o Options) ([]Sequence, error) {
	searches := make([]*beamSearch, len(prompts))
	rows := make([][]int32, 0, g.batch) // Beams for each prompt
	for i, p := range prompts {
		searches[i] = newBeams(o, p, g.stops(o))
		for range o.Beams {
			rows = append(rows, slices.Clone(p))
		}
	}
	var parents []int // of each row; nil at first
	done := make([]bool, len(prompts))
	for open := o.Tokens > 0; open; {
		logits, err := g.feed(rows, parents)
		if err != nil {
			return nil, err
		}
		open = false
		next := slices.Clone(rows)
		parents = make([]int, len(rows))
		for i, s := range searches {
			base := i * o.Beams
			for b := range o.Beams {
				parents[base+b] = base + b
			}
			if done[i] {
				continue
			}
			from, ids, over := s.next(logits[base : base+len(s.running)])
			for b, p := range from {
				parents[base+b] = base + p
				next[base+b] = append(slices.Clone(rows[base+p]), ids[b])
			}
			done[i] = over
			open = open || !over
		}
		rows = next
	}
	var out []Sequence
	for i, s := range searches {
		for _, q := range s.finish() {
			q.Prompt = i
			q.Text = g.textOf(q.IDs, o)
			out = append(out, q)
		}
	}
	return out, nil
}
