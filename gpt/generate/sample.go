package generate

import (
	"math"
	"slices"

	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Options say how tokens are chosen. In the order in which they work: Bias, Repetition, Presence and Frequency,
// NoRepeat change the logits; then, unless Temperature is 0, Temperature, TopK, TopP, MinP and Typical each leave out
// tokens of what the one before left. The formulas are those of transformers 4.57's logits processors, where they have one.
// All zero is greedy: the most likely token each time. Ties go to the smaller id.
type Options struct {
	Tokens      int     `flag:"tokens" usage:"new tokens, at most"`
	Temperature float64 `flag:"temperature" usage:"spread of the choice, softmax(logits/temperature); 0 takes the most likely token each time"`
	TopK        int     `flag:"top-k" usage:"choose among the k most likely tokens; 0: among all"`
	TopP        float64 `flag:"top-p" usage:"choose among the fewest, most likely tokens that together have this probability; 0 or 1: among all"`
	MinP        float64 `flag:"min-p" usage:"leave out tokens less likely than this share of the most likely; 0: none"`
	Typical     float64 `flag:"typical" usage:"choose among the tokens nearest to the expected information that together have this probability; 0 or 1: among all"`

	Repetition float64           `flag:"repetition-penalty" usage:"divide the positive logits of tokens that were there, multiply the negative ones; 0 or 1: leave them"`
	Presence   float64           `flag:"presence-penalty" usage:"taken from the logit of a token that the answer has"`
	Frequency  float64           `flag:"frequency-penalty" usage:"taken from the logit of a token, once for each time that the answer has it"`
	NoRepeat   int               `flag:"no-repeat" usage:"no sequence of this many tokens comes twice, prompt included; 0: any may"` // where that bans all, id 0 comes
	Bias       map[int32]float64 // added to the logits of these tokens

	Beams         int     `flag:"beams" usage:"beam search that goes on with this many sequences; wants temperature 0"` // 0 or 1: no beam search
	LengthPenalty float64 `flag:"length-penalty" usage:"beams are ranked by log-probability / tokens^this, as transformers do"`
	EarlyStopping string  `flag:"early-stopping" usage:"when beam search ends: false, true or never"` // before Tokens; one of the constants below

	Returns int      `flag:"returns" usage:"sequences for each prompt"` // 0: 1
	Seed    uint64   `flag:"seed" usage:"seed of the choice"`
	End     []int32  // tokens that end a sequence; the token itself is its last
	Stop    []string `flag:"stop,array" usage:"text that ends the answer, which is cut before it; may be repeated"`
	// Stream, where set, is called with each new token, StreamText with the characters that are complete and before
	// any text of Stop; false ends everything. Beam search calls neither.
	Stream     func(id int32) bool
	StreamText func(text []byte) bool
}

// What beam search does once it has as many finished sequences as beams: transformers' early_stopping.
const (
	EarlyFalse = "false" // also "": ends when the best beam, ranked at its present length, is behind the worst finished one
	EarlyTrue  = "true"  // ends at once
	EarlyNever = "never" // as EarlyFalse, but ranks at the length Tokens where LengthPenalty is above 0
)

// Sequence is one answer to a prompt.
type Sequence struct {
	Prompt   int       // index of the prompt
	IDs      []int32   // the new tokens; one that ended the sequence is the last
	LogProbs []float32 // of each: ln softmax(logits)[id], of the logits as the model gave them
	Score    float64   // what sequences of a prompt are sorted by: Σ log p, in beam search / tokens^LengthPenalty
	Text     string    // of IDs without the token of End, cut before a text of Stop; needs the Generator's Tokenizer
	End      string    // why it ended: "length", "end" (a token of End), "stop" (a text of Stop)
}

// maxBeams bounds what a request may cost.
const maxBeams = 256

// Validate returns an error that names the first option that cannot be.
func (o Options) Validate() error {
	const most = math.MaxInt // an int has no other bound
	for _, r := range []struct {
		name      string
		v, lo, hi float64
	}{
		{"the number of tokens", float64(o.Tokens), 0, most},
		{"temperature", o.Temperature, 0, math.MaxFloat64},
		{"top-k", float64(o.TopK), 0, most},
		{"top-p", o.TopP, 0, 1},
		{"min-p", o.MinP, 0, 1},
		{"typical", o.Typical, 0, 1},
		{"repetition penalty", o.Repetition, 0, 100},
		{"presence penalty", o.Presence, -2, 2},   // the range of the OpenAI API
		{"frequency penalty", o.Frequency, -2, 2}, // the range of the OpenAI API
		{"no-repeat size", float64(o.NoRepeat), 0, most},
		{"the number of beams", float64(o.Beams), 0, maxBeams},
		{"length penalty", o.LengthPenalty, -10, 10},
		{"the number of returns", float64(o.Returns), 0, most},
	} {
		switch {
		case r.v >= r.lo && r.v <= r.hi:
		case r.hi >= most:
			return errors.Errorf("generate: %s is %g; it must be %g or more", r.name, r.v, r.lo)
		default:
			return errors.Errorf("generate: %s is %g; it must be in [%g, %g]", r.name, r.v, r.lo, r.hi)
		}
	}
	for id, b := range o.Bias {
		if !(math.Abs(b) <= maxBias) {
			return errors.Errorf("generate: bias of token %d is %g; it must be in [%g, %g]", id, b, -maxBias, maxBias)
		}
	}
	return o.validateTogether()
}

// maxBias bounds a bias: its float32 sum with a logit stays finite, and it outweighs any logit.
const maxBias = 1e9

// validateTogether returns an error about options that a range does not tell, and those that cannot be together.
func (o Options) validateTogether() error {
	if o.Repetition > 0 && o.Repetition < 0.01 {
		return errors.Errorf("generate: repetition penalty is %g; it must be 0 or in [0.01, 100]", o.Repetition)
	}
	if slices.Contains(o.Stop, "") {
		return errors.New("generate: a stop text is empty; it must have at least one byte")
	}
	if !slices.Contains([]string{"", EarlyFalse, EarlyTrue, EarlyNever}, o.EarlyStopping) {
		return errors.Errorf("generate: early stopping is %q; it must be true, false or never", o.EarlyStopping)
	}
	switch beams := max(o.Beams, 1); {
	case beams > 1 && o.Temperature > 0:
		return errors.Errorf("generate: temperature is %g with %d beams; it must be 0, as beam search draws nothing", o.Temperature, beams)
	case beams > 1 && o.Returns > beams:
		return errors.Errorf("generate: %d returns of %d beams; there must be as many beams", o.Returns, beams)
	case beams == 1 && o.Returns > 1 && o.Temperature == 0:
		return errors.Errorf("generate: %d returns at temperature 0 would all be the same; give a temperature or beams", o.Returns)
	}
	return nil
}

// Fits returns an error for options with a token that a vocabulary of this size lacks.
func (o Options) Fits(vocab int) error {
	for id := range o.Bias {
		if id < 0 || int(id) >= vocab {
			return errors.Errorf("generate: bias of token %d; the vocabulary has tokens 0 to %d", id, vocab-1)
		}
	}
	for _, id := range o.End {
		if id < 0 || int(id) >= vocab {
			return errors.Errorf("generate: end token %d; the vocabulary has tokens 0 to %d", id, vocab-1)
		}
	}
	return nil
}

// chooser chooses the tokens of one sequence. What it chooses depends on the options, on the tokens so far and their
// logits, on the sequence's number and on the step, not on what else was drawn.
type chooser struct {
	o        Options
	rand     *nn.Rand
	sequence int
	ids      []int32 // prompt and answer
	prompt   int     // how many of them are the prompt
	penalty  penalty
	c        []candidate
}

// newChooser returns the chooser of the sequence with that number, from 0, over all prompts and returns.
func newChooser(o Options, prompt []int32, sequence int) *chooser {
	c := &chooser{o: o, rand: nn.NewRand(o.Seed, "sample"), sequence: sequence, prompt: len(prompt), penalty: penalty{o: &o}}
	c.ids = append(make([]int32, 0, len(prompt)+min(max(o.Tokens, 0), 4096)), prompt...)
	return c
}

// add appends a token to the sequence.
func (c *chooser) add(id int32) { c.ids = append(c.ids, id) }

// next chooses the token that follows at a step, from 0, by the logits (V), which stay as they are, and returns with
// it ln softmax(logits)[id], sums in float64. V must be at least 1 and the same each time.
func (c *chooser) next(logits []float32, step int) (id int32, logprob float32) {
	id = c.draw(logits, c.rand.Uniform(step, c.sequence))
	return id, float32(float64(logits[id]) - logSum(logits))
}

// logSum returns ln Σ exp(x), in one pass, with the largest so far taken out.
func logSum(x []float32) float64 {
	top, sum := math.Inf(-1), 0.0
	for _, v := range x {
		if d := float64(v) - top; d <= 0 {
			sum += math.Exp(d)
		} else {
			top, sum = float64(v), sum*math.Exp(-d)+1
		}
	}
	return top + math.Log(sum)
}

// draw returns the token whose share of [0, 1) has u in it.
func (c *chooser) draw(logits []float32, u float64) int32 {
	scores := c.penalty.apply(logits, c.ids, c.prompt)
	best := largest(scores)
	if c.o.Temperature == 0 {
		return best
	}
	left := c.candidates(scores, scores[best])
	u *= total(left)
	for _, x := range left {
		if u -= x.p; u < 0 {
			return x.id
		}
		if x.p > 0 {
			best = x.id // the last one, where rounding leaves some of u
		}
	}
	return best
}

// largest returns the index of the largest, the first of equals.
func largest(x []float32) int32 {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return int32(best)
}

// candidate is a token that may be drawn.
type candidate struct {
	id  int32
	key float32 // its rank: the larger, the better
	p   float64 // its probability, times a factor common to all
}

// candidates returns what Temperature, TopK, TopP, MinP and Typical leave, at least the most likely token.
func (c *chooser) candidates(scores []float32, best float32) []candidate {
	o, left := c.o, slices.Grow(c.c[:0], len(scores))[:len(scores)]
	c.c = left
	for i, v := range scores {
		left[i] = candidate{id: int32(i), key: v}
	}
	if o.TopK > 0 && o.TopK < len(left) {
		left = take(left, func(n int, _ candidate) bool { return n == o.TopK })
	}
	for i, x := range left {
		left[i].p = math.Exp(float64(x.key-best) / o.Temperature)
	}
	if o.TopP > 0 && o.TopP < 1 {
		left = mass(left, o.TopP)
	}
	if o.MinP > 0 {
		left = slices.DeleteFunc(left, func(x candidate) bool { return x.p < o.MinP })
	}
	if o.Typical > 0 && o.Typical < 1 {
		left = typical(left, best, o.Temperature, o.Typical)
	}
	return left
}

// mass returns the first candidates by rank that together have at least the share p of the probability.
// Source: Holtzman et al. 2020, arXiv:1904.09751, section 3.1.
func mass(c []candidate, p float64) []candidate {
	rest := p * total(c)
	return take(c, func(_ int, x candidate) bool { rest -= x.p; return rest <= 0 })
}

// typical returns the candidates with |−ln p − H| least that together have at least the share of the probability, where
// ln p = (key − best)/temperature − ln Σ exp((key − best)/temperature) and H = −Σ p·ln p.
// Source: Meister et al. 2023, arXiv:2202.00666, section 3.
func typical(c []candidate, best float32, temperature, share float64) []candidate {
	sum, entropy := total(c), 0.0
	lnp := func(x candidate) float64 { return float64(x.key-best)/temperature - math.Log(sum) }
	for _, x := range c {
		if x.p > 0 {
			entropy -= x.p / sum * lnp(x)
		}
	}
	for i, x := range c {
		c[i].key = -float32(math.Abs(lnp(x) + entropy))
	}
	return mass(c, share)
}

func total(c []candidate) (sum float64) {
	for _, x := range c {
		sum += x.p
	}
	return sum
}

// take returns the candidates of c by rank, the best first, up to the one with which enough is true of their number and
// it. It reorders c: a heap, taken from as long as needed, so that a few of many cost one pass.
func take(c []candidate, enough func(n int, x candidate) bool) []candidate {
	for i := len(c)/2 - 1; i >= 0; i-- {
		sink(c, i)
	}
	n := 0
	for n < len(c) {
		end := len(c) - 1 - n
		c[0], c[end] = c[end], c[0]
		sink(c[:end], 0)
		n++
		if enough(n, c[end]) {
			break
		}
	}
	c = c[len(c)-n:]
	slices.Reverse(c)
	return c
}

// sink moves element i of a heap down to where both below it rank lower.
func sink(c []candidate, i int) {
	for {
		child := 2*i + 1
		if child >= len(c) {
			return
		}
		if child+1 < len(c) && c[child+1].before(c[child]) {
			child++
		}
		if !c[child].before(c[i]) {
			return
		}
		c[i], c[child] = c[child], c[i]
		i = child
	}
}

func (x candidate) before(y candidate) bool { return x.key > y.key || x.key == y.key && x.id < y.id }
