package finetune

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/pkg/errors"
)

// answerTokens is the default limit on the tokens of an answer.
const answerTokens = 128

// Answer continues chats that each end where the assistant is to speak. An answer has at most o.Tokens tokens, 128 by
// default; they are the most likely ones unless o has a Temperature. The answers are in the order of the chats, without
// white space around them and without half a character at the end. A chat that leaves no room for its answer in the
// model's context is an error, and so is a task other than chat.
func (p *Predictor) Answer(chats [][]generate.Message, o generate.Options) ([]string, error) {
	return p.task.answer(p, chats, o)
}

// write continues prompts. Prompts of like lengths share a batch.
func (p *Predictor) write(prompts [][]int32, o generate.Options) ([]string, error) {
	o.Tokens = cmp.Or(o.Tokens, answerTokens)
	o.End = append(slices.Clone(o.End), p.Source.End...)
	if id, ok := p.end(); ok && !slices.Contains(o.End, id) {
		o.End = append(o.End, id)
	}
	order := make([]int, len(prompts))
	for i, ids := range prompts {
		order[i] = i
		if err := p.room(ids, o); err != nil {
			return nil, errors.Wrapf(err, "finetune: prompt %d", i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(prompts[b]) - len(prompts[a]) })
	g := &generate.Generator{Model: p.Source.Model, State: p.run.State.State, Executor: p.x, Tokenizer: p.Tokenizer}
	texts := make([]string, len(prompts))
	for len(order) > 0 {
		n := min(len(order), generateRows(len(prompts[order[0]])+o.Tokens))
		batch := make([][]int32, n)
		for i, x := range order[:n] {
			batch[i] = prompts[x]
		}
		answers, err := g.Generate(batch, o)
		if err != nil {
			return nil, errors.Wrap(err, "finetune")
		}
		for _, a := range answers {
			texts[order[a.Prompt]] = strings.TrimSpace(strings.ToValidUTF8(a.Text, "")) // the last token may end within a character
		}
		order = order[n:]
	}
	return texts, nil
}

// generateRows returns how many sequences of up to that many tokens are generated at once, at most 16. Their keys and
// values are for at most 4096 tokens together, or for one sequence that is longer.
func generateRows(tokens int) int { return max(1, min(16, 4096/tokens)) }

// respond continues n prompts. One that cannot be made or leaves no room has an answer that says why. With the setting
// strict it is an error.
func (p *Predictor) respond(n int, prompt func(i int) ([]int32, error), o generate.Options) ([]Answer, error) {
	answers := make([]Answer, n)
	var prompts [][]int32
	var of []int // the answer of each prompt
	for i := range answers {
		ids, err := prompt(i)
		if err == nil {
			err = p.room(ids, o)
		}
		switch {
		case err == nil:
			prompts, of = append(prompts, ids), append(of, i)
		case p.Settings.Data.Strict:
			return nil, errors.Wrapf(err, "finetune: text %d", i)
		default:
			answers[i].Error = err.Error()
		}
	}
	texts, err := p.write(prompts, o)
	for i := range texts {
		answers[of[i]].Text = &texts[i]
	}
	return answers, err
}

// room returns an error where a prompt leaves no room for its answer in the model's context.
func (p *Predictor) room(ids []int32, o generate.Options) error {
	if n, context := cmp.Or(o.Tokens, answerTokens), p.Source.Model.Dims().Context; len(ids)+n > context {
		return errors.Errorf("a prompt of %d tokens; with an answer of up to %d that is more than the model's context of %d", len(ids), n, context)
	}
	return nil
}
