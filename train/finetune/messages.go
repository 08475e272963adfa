package finetune

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/pkg/errors"
)

// roles maps names of roles in files such as ShareGPT's to those that chat templates know.
var roles = map[string]string{"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatbot": "assistant"}

// parseMessages reads the messages of a chat from JSON.
func parseMessages(raw []byte) ([]generate.Message, error) {
	var messages []json.RawMessage
	if err := json.Unmarshal(raw, &messages); err != nil {
		return nil, errors.New(`want JSON messages, [{"role": "user", "content": "…"}, …]`)
	}
	chat := make([]generate.Message, len(messages))
	for i, raw := range messages {
		o, err := readObject(raw)
		if err == nil {
			chat[i], err = o.message()
		}
		if err != nil {
			return nil, errors.WithMessagef(err, "message %d", i+1)
		}
	}
	return chat, nil
}

// object is a JSON object whose keys keep their order.
type object []member

type member struct {
	key   string
	value json.RawMessage
}

// readObject reads an object from valid JSON. The last value of a key counts, at the place of the first.
func readObject(raw []byte) (o object, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New(`want an object with "role" and "content"`)
	}
	at := map[string]int{}
	for d.More() {
		var m member
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		m.key, _ = key.(string)
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		if i, twice := at[m.key]; twice {
			o[i] = m
			continue
		}
		at[m.key] = len(o)
		o = append(o, m)
	}
	return o, nil
}

// get returns the value of a key, nil where it is null or missing.
func (o object) get(key string) json.RawMessage {
	for _, m := range o {
		if m.key == key && string(m.value) != "null" {
			return m.value
		}
	}
	return nil
}

// text returns the text of a key; false where it has none.
func (o object) text(key string) (text string, ok bool) {
	v := o.get(key)
	return text, v != nil && json.Unmarshal(v, &text) == nil
}

// message reads a message, whose content may be null beside calls of tools. If it has more than a role and a content,
// the chat template sees its keys in their order. The texts of its parts are joined.
func (o object) message() (m generate.Message, err error) {
	var ok bool
	if m.Role, ok = o.text("from"); ok && o.get("role") == nil && o.get("content") == nil {
		m.Role = role(m.Role)
		if m.Content, ok = o.text("value"); !ok {
			err = errors.New(`want "role" and "content", or "from" and "value"`)
		}
		return m, err
	}
	content := o.get("content")
	m.Role, ok = o.text("role")
	if !ok || content == nil && !o.calls() {
		return m, errors.New(`want "role" and "content", or "from" and "value"`)
	}
	m.Role = role(m.Role)
	if m.Content, err = contentText(content); err != nil {
		return m, err
	}
	if slices.ContainsFunc(o, func(x member) bool { return x.key != "role" && x.key != "content" }) {
		m.Given, err = o.given(m)
	}
	return m, err
}

// calls tells whether the assistant calls tools in a message.
func (o object) calls() bool {
	c := o.get("tool_calls")
	return o.get("function_call") != nil || c != nil && string(bytes.Trim(c, "[] \t\r\n")) != ""
}

// given writes the object with the role and the content of m.
func (o object) given(m generate.Message) (string, error) {
	var b strings.Builder
	for i, x := range o {
		var v any = x.value
		switch {
		case x.key == "role":
			v = m.Role
		case x.key == "content" && o.get("content") != nil:
			v = m.Content
		}
		key, err := json.Marshal(x.key)
		if err != nil {
			return "", err
		}
		value, err := json.Marshal(v)
		if err != nil {
			return "", err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(key) + ":" + string(value))
	}
	return "{" + b.String() + "}", nil
}

func role(name string) string {
	if r, ok := roles[name]; ok {
		return r
	}
	return name
}

// contentText returns a content as text: a text, or the texts of a list of parts, joined. A part that is no text, such
// as an image, is an error.
func contentText(content json.RawMessage) (text string, err error) {
	if content == nil || json.Unmarshal(content, &text) == nil {
		return text, nil
	}
	var parts []json.RawMessage
	if json.Unmarshal(content, &parts) != nil {
		return "", errors.New(`want a content that is a text, or a list of parts such as {"type": "text", "text": "…"}`)
	}
	var b strings.Builder
	for i, raw := range parts {
		var t string
		if json.Unmarshal(raw, &t) != nil {
			if t, err = partText(raw); err != nil {
				return "", errors.WithMessagef(err, "part %d", i+1)
			}
		}
		b.WriteString(t)
	}
	return b.String(), nil
}

// partText returns the text of a part of a content.
func partText(raw []byte) (string, error) {
	o, err := readObject(raw)
	if err != nil {
		return "", errors.New("want a text, or an object with type and text")
	}
	text, ok := o.text("text")
	kind, typed := o.text("type")
	switch {
	case typed && !slices.Contains([]string{"text", "input_text", "output_text"}, kind):
		return "", errors.Errorf("it is of type %.40q; only texts are read", kind)
	case !ok:
		return "", errors.New("it has no text")
	}
	return text, nil
}

// withoutNull returns a chat with an empty text for each content that is null, and whether there was one. Some
// templates refuse null.
func withoutNull(chat []generate.Message) (same []generate.Message, found bool) {
	for i, m := range chat {
		if m.Content != "" || m.Given == "" {
			continue
		}
		o, err := readObject([]byte(m.Given))
		if err != nil || o.get("content") != nil {
			continue
		}
		o = append(slices.DeleteFunc(o, func(x member) bool { return x.key == "content" }), member{"content", json.RawMessage(`""`)})
		given, err := o.given(m)
		if err != nil {
			continue
		}
		if !found {
			chat = slices.Clone(chat)
		}
		chat[i].Given, found = given, true
	}
	return chat, found
}

// checkChat refuses a chat from which no answer can be learned.
func checkChat(chat []generate.Message) error {
	for i, m := range chat {
		if (m.Role == "user" || m.Role == "assistant") && strings.TrimSpace(m.Content) == "" && !callsTools(m) {
			return errors.Errorf("message %d (%s) is empty", i+1, m.Role)
		}
	}
	return generate.CheckAnswers(chat)
}

// callsTools tells whether a message calls tools.
func callsTools(m generate.Message) bool {
	o, err := readObject([]byte(m.Given))
	return err == nil && o.calls()
}
