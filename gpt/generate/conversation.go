package generate

import (
	"context"
	"slices"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/pkg/errors"
)

// Conversation is a chat under way between a user and a model. It keeps the turns, writes them through the model's
// template, and leaves the oldest out when the context is full.
//
//	o := generate.Options{Tokens: 200, End: source.End}
//	c := generate.Conversation{Generator: g, Template: template, Options: o}
//	answer, _, err := c.Answer(ctx, "What is the capital of France?")
//	fmt.Println(answer.Text)
//
// It is not safe for concurrent use.
type Conversation struct {
	Generator *Generator // with a Tokenizer; with KeepCache it reads only what is new of a prompt
	Template  *ChatTemplate
	Options   Options // of each answer
	System    string  // the system's message, which is never left out; "" leaves it to the template
	// Refuse makes a control token that a user's turn writes out an error. Else it counts as the token.
	Refuse bool
	Turns  []Message // so far, the oldest first
}

// assistantRoom is the least that an answer gets, in tokens, before old turns are left out.
const assistantRoom = 64

// Reset forgets the turns. The system's message stays.
func (c *Conversation) Reset() { c.Turns = nil }

// Answer adds a turn of the user's and the model's answer, and returns that with the ids of the prompt. When ctx is
// done the answer ends early, and what there is of it stays a turn. Without an answer the user's turn is taken back.
// Options.Stream and Options.StreamText are called as in [Generator.Generate].
func (c *Conversation) Answer(ctx context.Context, text string) (answer Sequence, prompt []int32, err error) {
	before := slices.Clone(c.Turns)
	c.Turns = append(c.Turns, Message{Role: "user", Content: text})
	o := c.Options
	seqs := []Sequence{}
	if prompt, err = c.Prompt(); err == nil {
		o.Tokens = min(o.Tokens, c.context()-len(prompt))
		o.Stream = func(id int32) bool { return (c.Options.Stream == nil || c.Options.Stream(id)) && ctx.Err() == nil }
		seqs, err = c.Generator.Generate([][]int32{prompt}, o)
	}
	if len(seqs) == 0 {
		c.Turns = before
		return Sequence{}, prompt, err
	}
	c.Turns = append(c.Turns, Message{Role: assistant, Content: seqs[0].Text})
	return seqs[0], prompt, err
}

// context is the number of tokens that prompt and answer may have together.
func (c *Conversation) context() int { return c.Generator.Model.Dims().Context }

// Prompt returns the ids of the system's message and the turns, up to where an answer begins. Where the context has no
// room beside an answer, the oldest turns are left out for good, a question and its answer at a time. It is an error if
// the last turn alone is too long.
func (c *Conversation) Prompt() ([]int32, error) {
	if err := c.refuse(); err != nil {
		return nil, err
	}
	var system []Message
	if c.System != "" {
		system = []Message{{Role: "system", Content: c.System}}
	}
	for {
		text, err := c.Template.Render(slices.Concat(system, c.Turns))
		if err != nil {
			return nil, err
		}
		ids, err := PromptIDs(c.Generator.Tokenizer, text, token.Parse)
		if err != nil || len(ids)+min(assistantRoom, c.Options.Tokens) <= c.context() {
			return ids, err
		}
		if len(c.Turns) < 3 {
			return nil, errors.Errorf("generate: Conversation: the prompt has %d tokens; the context holds %d, and an answer needs some", len(ids), c.context())
		}
		c.Turns = c.Turns[2:]
	}
}

// refuse is an error where the last turn writes out a control token, and Refuse is set.
func (c *Conversation) refuse() error {
	sub, ok := c.Generator.Tokenizer.(token.Subword)
	if !c.Refuse || !ok || len(c.Turns) == 0 {
		return nil
	}
	_, err := sub.EncodeWith([]byte(c.Turns[len(c.Turns)-1].Content), token.Options{Policy: token.Refuse})
	return err
}
