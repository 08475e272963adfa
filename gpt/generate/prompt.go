package generate

import (
	"strings"

	"github.com/ceto-ml/ceto/data/token"
)

// PromptIDs encodes a prompt as Hugging Face's tokenizers do by default. Special tokens written in it count as such, as
// policy says. The model's begin token goes before it where the model's files ask for one.
//
// An empty prompt becomes one token: the tokenizer's begin token, else its end token, else a line's end, else id 0.
func PromptIDs(t token.Tokenizer, prompt string, policy token.Policy) ([]int32, error) {
	sub, ok := t.(token.Subword)
	if !ok {
		if prompt != "" {
			return t.Encode([]byte(prompt))
		}
		if ids, err := t.Encode([]byte("\n")); err == nil && len(ids) > 0 {
			return ids, nil
		}
		return []int32{0}, nil
	}
	id, begins := sub.Begin()
	o := token.Options{Policy: policy, Add: !starts(sub, prompt)}
	ids, err := sub.EncodeWith([]byte(prompt), o)
	switch {
	case err != nil || len(ids) > 0:
		return ids, err
	case begins:
		return []int32{id}, nil
	}
	if id, ok := sub.End(); ok { // GPT-2's texts begin with the token that ends one
		return []int32{id}, nil
	}
	return sub.EncodeWith([]byte("\n"), token.Options{})
}

// starts reports whether the text has the begin token in front, as chat templates write it.
func starts(t token.Subword, text string) bool {
	id, ok := t.Begin()
	return ok && strings.HasPrefix(text, string(t.Piece(id)))
}
