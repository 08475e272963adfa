package generate

import (
	"strings"

	"github.com/ceto-ml/ceto/data/token"
)

// PromptIDs encodes a prompt as Hugging Face's tokenizers do by default: special tokens written in it count as such, as
// policy says, and the model's begin token goes before it where its files ask for one. In place of an empty prompt
// comes the begin token or, of a tokenizer without one, a line's end.
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

// starts tells whether text has the begin token in front already, as what a chat template writes.
func starts(t token.Subword, text string) bool {
	id, ok := t.Begin()
	return ok && strings.HasPrefix(text, string(t.Piece(id)))
}
