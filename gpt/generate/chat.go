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

// ParseTemplate reads a chat template, in Jinja as the files of models have it. The template may print the tokenizer's
// begin and end tokens. An unknown construct is an error.
func ParseTemplate(text string, t token.Tokenizer) (*ChatTemplate, error) {
	parsed, err := jinja.Parse("chat template", text)
	if err != nil {
		return nil, errors.Wrap(err, "generate")
	}
	return newTemplate(parsed, t), nil
}

// PlainTemplate returns a template for models that have none, as Taori et al. 2023 (Stanford Alpaca) write chats:
//
//	### Instruction:
//	…
//
//	### Response:
//	…
//
// Behind each answer stands the tokenizer's end token, or a blank line where it has none. Blank lines separate the
// turns. A system message stands in front, as it is.
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

// Render returns the text of a chat up to where the assistant's answer begins. A chat that the template refuses is an
// error.
func (c *ChatTemplate) Render(chat []Message) (string, error) { return c.render(chat, true) }

// render returns the text of a chat; where next is set, it ends with what begins an answer.
func (c *ChatTemplate) render(chat []Message, next bool) (string, error) {
	messages := make([]map[string]any, len(chat))
	for i, m := range chat {
		messages[i] = map[string]any{"role": m.Role, "content": m.Content}
	}
	return c.template.Render(map[string]any{
		"messages": messages, "add_generation_prompt": next, "bos_token": c.begin, "eos_token": c.end,
	})
}
