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
	// Given is the message as a JSON object, where it has more than a role and a text: parts, calls of tools. The
	// template sees all its keys in their order.
	Given string `json:"-"`
}

// value returns what the template sees of a message.
func (m Message) value() (any, error) {
	if m.Given != "" {
		return jinja.ReadJSON([]byte(m.Given))
	}
	v := new(jinja.Map)
	v.Set("role", m.Role)
	v.Set("content", m.Content)
	return v, nil
}

// ChatTemplate writes a chat as the text that a model was trained on.
type ChatTemplate struct {
	// Special holds the special tokens by their names in transformers, such as pad_token. The template sees them.
	Special map[string]any
	// Tools is a JSON list of the tools that the assistant may call, which the template sees; "" for none.
	Tools string

	template *jinja.Template
}

// ParseTemplate reads a chat template, in Jinja as the files of models have it. Special has the tokenizer's begin and
// end tokens, bos_token and eos_token. An unknown construct is an error.
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
	`{% elif m.role == 'assistant' %}{{ '### Response:\n' + m.content ~ eos_token }}` +
	`{% if not (loop.last and eos_token) %}{{ '\n\n' }}{% endif %}` +
	`{% else %}{{ raise_exception('want the roles system, user and assistant') }}{% endif %}` +
	`{% endfor %}{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}`

func newTemplate(parsed *jinja.Template, t token.Tokenizer) *ChatTemplate {
	c := &ChatTemplate{template: parsed, Special: map[string]any{}}
	if sub, ok := t.(token.Subword); ok {
		if id, ok := sub.Begin(); ok {
			c.Special["bos_token"] = string(sub.Piece(id))
		}
		if id, ok := sub.End(); ok {
			c.Special["eos_token"] = string(sub.Piece(id))
		}
	}
	return c
}

// Render returns the text of a chat up to where the assistant's answer begins. A chat that the template refuses is an
// error.
func (c *ChatTemplate) Render(chat []Message) (string, error) { return c.render(chat, true) }

// render returns the text of a chat; where next is set, it ends with what begins an answer. The template sees the
// variables that transformers' apply_chat_template passes without documents.
func (c *ChatTemplate) render(chat []Message, next bool) (string, error) {
	messages := make([]any, len(chat))
	for i, m := range chat {
		var err error
		if messages[i], err = m.value(); err != nil {
			return "", errors.Wrapf(err, "generate: message %d", i+1)
		}
	}
	vars := map[string]any{"messages": messages, "tools": nil, "documents": nil, "add_generation_prompt": next}
	if c.Tools != "" {
		tools, err := jinja.ReadJSON([]byte(c.Tools))
		if err != nil {
			return "", errors.Wrap(err, "generate: tools")
		}
		vars["tools"] = tools
	}
	for name, v := range c.Special {
		vars[name] = v
	}
	return c.template.Render(vars)
}
