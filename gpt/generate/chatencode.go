package generate

import (
	"encoding/json"
	"strings"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/pkg/errors"
)

// assistant is the role whose messages are answers.
const assistant = "assistant"

// Encode returns the ids of a whole chat, and for each id whether the assistant writes it. The assistant writes each
// answer and the token that ends its turn. What the template adds, such as a system message, is there too. The begin
// token is as [PromptIDs] has it. A tokenizer may join the end of the text before an answer with the answer's
// beginning. Such an id does not count as the assistant's, which would never write it in a chat.
//
// The bounds of an answer are the lengths of two texts that the template writes: without the answer, and with it. Some
// templates write earlier turns differently once later ones come. Then there are no such bounds, which is an error:
// such a model learns from chats of one answer.
//
// A control token written out in a message is an error, as the model could not tell it from a real one. So is a chat
// without an answer, or one that begins with an answer.
func (c *ChatTemplate) Encode(t token.Tokenizer, chat []Message) (ids []int32, answer []bool, err error) {
	if err := checkChat(t, chat); err != nil {
		return nil, nil, err
	}
	text, answers, err := c.answers(chat)
	if err != nil {
		return nil, nil, err
	}
	ids, spans, err := offsets(t, text)
	if err != nil {
		return nil, nil, errors.Wrap(err, "generate: Encode")
	}
	answer = make([]bool, len(ids))
	control := controls(t)
	i := 0
	for _, a := range answers {
		for i < len(ids) && spans[i][0] < a[0] {
			i++
		}
		end := i
		for ; end < len(ids) && spans[end][0] < a[1]; end++ {
			answer[end] = true
		}
		// A line's end behind the control token that ends the turn is the template's.
		last := end - 1
		for last >= i && !control[ids[last]] && strings.TrimSpace(text[spans[last][0]:spans[last][1]]) == "" {
			last--
		}
		if last >= i && control[ids[last]] {
			clear(answer[last+1 : end])
		}
		i = end
	}
	return ids, answer, nil
}

// checkChat returns an error for a chat from which no answer can be learned.
func checkChat(t token.Tokenizer, chat []Message) error {
	sub, ok := t.(token.Subword)
	for i, m := range chat {
		if !ok {
			break
		}
		for _, text := range append(jsonTexts(m.Given), m.Role, m.Content) {
			if _, err := sub.EncodeWith([]byte(text), token.Options{Policy: token.Refuse}); err != nil {
				return errors.Wrapf(err, "generate: Encode: message %d (%s)", i+1, m.Role)
			}
		}
	}
	return errors.WithMessage(CheckAnswers(chat), "generate: Encode")
}

// jsonTexts returns the texts in a JSON value, keys among them.
func jsonTexts(value string) (texts []string) {
	d := json.NewDecoder(strings.NewReader(value))
	for {
		v, err := d.Token()
		if err != nil {
			return texts
		}
		if text, ok := v.(string); ok {
			texts = append(texts, text)
		}
	}
}

// CheckAnswers returns an error for a chat from which no answer can be learned.
// The assistant must answer at least once, and not first.
func CheckAnswers(chat []Message) error {
	answers := 0
	for _, m := range chat {
		if m.Role == assistant {
			answers++
		}
	}
	if answers == 0 || chat[0].Role == assistant {
		return errors.Errorf("%d messages, %d of them of the assistant: want at least one answer, and another before it", len(chat), answers)
	}
	return nil
}

// answers returns the text of a chat and where in it each answer begins and ends.
func (c *ChatTemplate) answers(chat []Message) (text string, bounds [][2]int, err error) {
	before := ""
	step := func(n int, next bool) (int, error) {
		text, err := c.render(chat[:n], next)
		if err == nil && !strings.HasPrefix(text, before) {
			err = errors.Errorf("generate: Encode: the chat template writes earlier messages differently when message %d comes: it takes chats of one answer only", n)
		}
		before = text
		return len(text), err
	}
	for i, m := range chat {
		if m.Role != assistant {
			continue
		}
		var b [2]int
		if b[0], err = step(i, true); err == nil {
			b[1], err = step(i+1, false)
		}
		if err != nil {
			return "", nil, err
		}
		bounds = append(bounds, b)
	}
	_, err = step(len(chat), false)
	return before, bounds, err
}

// offsets returns the ids of a text, control tokens included, and for each the range of bytes that it stands for.
func offsets(t token.Tokenizer, text string) ([]int32, [][2]int, error) {
	if sub, ok := t.(token.Subword); ok {
		return sub.Offsets([]byte(text), token.Options{Add: !starts(sub, text)})
	}
	ids, err := t.Encode([]byte(text))
	spans, at := make([][2]int, len(ids)), 0
	for i := range ids {
		spans[i][0] = at
		at += len(t.Decode(ids[i : i+1]))
		spans[i][1] = at
	}
	if err == nil && at != len(text) {
		err = errors.Errorf("tokenizer %s does not write texts as it read them: %d bytes of %d", t.Name(), at, len(text))
	}
	return ids, spans, err
}

// controls returns the ids of the control tokens of a tokenizer.
func controls(t token.Tokenizer) map[int32]bool {
	ids := map[int32]bool{}
	if sub, ok := t.(token.Subword); ok {
		for _, x := range sub.Specials() {
			ids[x.ID] = ids[x.ID] || x.Special
		}
	}
	return ids
}
