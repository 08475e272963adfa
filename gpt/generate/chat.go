package generate

import (
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/internal/jinja"
	"github.com/pkg/errors"
)

// Message is a turn of a chat. Roles are what the template knows: mostly system, user, assistant.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// ChatTemplate writes a chat as the text that a model was trained on.
type ChatTemplate struct {
	template   *jinja.Template
	begin, end string // the tokens of the tokenizer, which templates print
}

// ParseTemplate reads a chat template, in Jinja as the files of models have it, for a tokenizer whose begin and end
// tokens it may print. A construct that is not known is an error.
func ParseTemplate(text string, t token.Tokenizer) (*ChatTemplate, error) {
	parsed, err := jinja.Parse("chat template", text)
	if err != nil {
		return nil, errors.Wrap(err, "generate")
	}
	return newTemplate(parsed, t), nil
}

// PlainTemplate writes chats for a model that has no template of its own, as Taori et al. 2023 (Stanford Alpaca) do:
//
//	### Instruction:
//	…
//
//	### Response:
//	…
//
// with the tokenizer's end token, or a blank line where it has none, behind each answer, blank lines between turns, and
// a system message in front as it is.
func PlainTemplate(t token.Tokenizer) (*ChatTemplate, error) {
	parsed, err := jinja.Parse("plain template", plainTemplate)
	if err != nil {
		return nil, errors.Wrap(err, "generate")
	}
	return newTemplate(parsed, t), nil
}

const plainTemplate = `{% for m in messages %}` +
	`{% if m.role == 'system' %}{{ m.content + '\n\n' }}` +
	`{% elif m.role == 'user' %}{{ '### Instruction:\n' + m.content + '\n\n' }}` +
	`{% elif m.role == 'assistant' %}{{ '### Response:\n' + m.content + eos_token }}` +
	`{% if not (loop.last and eos_token) %}{{ '\n\n' }}{% endif %}` +
	`{% else %}{{ raise_exception('want the roles system, user and assistant') }}{% endif %}` +
	`{% endfor %}{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}`

func newTemplate(parsed *jinja.Template, t token.Tokenizer) *ChatTemplate {
	c := &ChatTemplate{template: parsed}
	if sub, ok := t.(token.Subword); ok {
		if id, ok := sub.Begin(); ok {
			c.begin = string(sub.Piece(id))
		}
		if id, ok := sub.End(); ok {
			c.end = string(sub.Piece(id))
		}
	}
	return c
}

// Render returns the text of a chat up to where the assistant's answer begins.
func (c *ChatTemplate) Render(chat []Message) (string, error) { return c.render(chat, true) }

// render returns the text of a chat, with what begins an answer behind it where next is set.
func (c *ChatTemplate) render(chat []Message, next bool) (string, error) {
	messages := make([]map[string]any, len(chat))
	for i, m := range chat {
		messages[i] = map[string]any{"role": m.Role, "content": m.Content}
	}
	return c.template.Render(map[string]any{
		"messages": messages, "add_generation_prompt": next, "bos_token": c.begin, "eos_token": c.end,
	})
}
