package generate

import (
	"cmp"
	"math"
	"slices"

	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/pkg/errors"
)

// Options say how tokens are chosen. All zero is greedy: the most likely token each time. Ties go to the smaller id.
//
// The options work in this order:
//   - Bias, Repetition, Presence and Frequency, and NoRepeat change the logits.
//   - Temperature divides the logits. With 0 the most likely token is taken, and the rest is left out.
//   - TopK, TopP, MinP and Typical each leave out tokens of what the one before left.
//
// The formulas are those of transformers 4.57's logits processors, where it has one.
type Options struct {
	Tokens      int     `flag:"tokens" usage:"new tokens, at most" range:"[0,16777216]"`
	Temperature float64 `flag:"temperature" usage:"spread of the choice, softmax(logits/temperature); 0 takes the most likely token each time" range:"[0,inf)"`
	TopK        int     `flag:"top-k" usage:"choose among the k most likely tokens; 0: among all" range:"[0,inf)"`
	TopP        float64 `flag:"top-p" usage:"choose among the fewest, most likely tokens that together have this probability; 0 or 1: among all" range:"[0,1]"`
	MinP        float64 `flag:"min-p" usage:"leave out tokens less likely than this share of the most likely; 0: none" range:"[0,1]"`
	Typical     float64 `flag:"typical" usage:"choose among the tokens nearest to the expected information that together have this probability; 0 or 1: among all" range:"[0,1]"`

	Repetition float64           `flag:"repetition-penalty" usage:"divide the positive logits of tokens that were there, multiply the negative ones; 0 or 1: leave them" range:"[0,100]"`
	Presence   float64           `flag:"presence-penalty" usage:"taken from the logit of a token that the answer has" range:"[-2,2]"`
	Frequency  float64           `flag:"frequency-penalty" usage:"taken from the logit of a token, once for each time that the answer has it" range:"[-2,2]"`
	NoRepeat   int               `flag:"no-repeat" usage:"no sequence of this many tokens comes twice, prompt included; 0: any may" range:"[0,inf)"` // where that bans all, id 0 comes
	Bias       map[int32]float64 // added to the logits of these tokens

	Beams         int     `flag:"beams" usage:"beam search that goes on with this many sequences; wants temperature 0" range:"[0,256]"` // 0 or 1: no beam search
	LengthPenalty float64 `flag:"length-penalty" usage:"beams are ranked by log-probability / tokens^this, as transformers do" range:"[-10,10]"`
	EarlyStopping string  `flag:"early-stopping" usage:"when beam search ends: false, true or never" oneof:"false true never"` // before Tokens; one of the constants below

	Returns int      `flag:"returns" usage:"sequences for each prompt" range:"[0,65536]"` // 0: 1
	Seed    uint64   `flag:"seed" usage:"seed of the choice"`
	End     []int32  // tokens that end a sequence; the token itself is its last
	Stop    []string `flag:"stop,array" usage:"text that ends the answer, which is cut before it; may be repeated"`
	// Stream, where set, is called with each new token. StreamText is called with the characters that are complete and
	// come before any text of Stop. A result of false ends everything. Beam search calls neither.
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
	LogProbs []float32 // of each: ln softmax(logits)[id], by the logits as the model gave them
	Score    float64   // sorts the sequences of a prompt: Σ log p, in beam search divided by tokens^LengthPenalty
	Text     string    // of IDs without the token of End, cut before a text of Stop; needs the Generator's Tokenizer
	End      string    // why it ended: "length", "end" (a token of End), "stop" (a text of Stop)
}

// Validate returns an error that names the first option outside its range, or the options that do not go together.
func (o Options) Validate() error {
	o.EarlyStopping = cmp.Or(o.EarlyStopping, EarlyFalse)
	if err := setting.Check(&o); err != nil {
		return errors.WithMessage(err, "generate")
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

// validateTogether checks what a range cannot say: a gap in it, texts, and options that do not go together.
func (o Options) validateTogether() error {
	if o.Repetition > 0 && o.Repetition < 0.01 {
		return errors.Errorf("generate: repetition penalty is %g; it must be 0 or in [0.01, 100]", o.Repetition)
	}
	if slices.Contains(o.Stop, "") {
		return errors.New("generate: a stop text is empty; it must have at least one byte")
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
