package token

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/pkg/errors"
)

// configFile is what a tokenizer_config.json says about ids. All of it is optional.
type configFile struct {
	Class          string               `json:"tokenizer_class"`
	Bos            tokenText            `json:"bos_token"`
	Eos            tokenText            `json:"eos_token"`
	AddBos         *bool                `json:"add_bos_token"`
	AddEos         *bool                `json:"add_eos_token"`
	AddPrefixSpace bool                 `json:"add_prefix_space"`
	ByID           map[string]jsonFlags `json:"added_tokens_decoder"`
	Added          []jsonToken          `json:"-"` // the same, by ascending id
}

// tokenText is a token that is written as its text or as an object with it.
type tokenText string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *tokenText) UnmarshalJSON(b []byte) error {
	var object struct{ Content string }
	if bytes.HasPrefix(b, []byte("{")) {
		err := json.Unmarshal(b, &object)
		*t = tokenText(object.Content)
		return err
	}
	return json.Unmarshal(b, (*string)(t))
}

// readConfig reads the tokenizer_config.json of a folder; where there is none, the config says nothing.
func readConfig(dir string) (configFile, error) {
	const name = "tokenizer_config.json"
	var c configFile
	data, err := bounded.ReadFile(filepath.Join(dir, name), maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	} else if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, errors.Wrap(err, name)
	}
	for key, a := range c.ByID {
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil {
			return c, errors.Errorf("%s: added_tokens_decoder: key %q, want an id", name, key)
		}
		c.Added = append(c.Added, jsonToken{int32(id), a})
	}
	slices.SortFunc(c.Added, func(a, b jsonToken) int { return cmp.Compare(a.ID, b.ID) })
	return c, nil
}

// added lists the special tokens of a folder without tokenizer.json. They are those of the config, its begin and end
// tokens, and GPT-2's <|endoftext|>, as far as the vocab has them.
func (c configFile) added(vocab map[string]int32) []Special {
	var list []Special
	have := map[string]bool{}
	for _, a := range c.Added {
		list = append(list, a.special())
		have[a.Content] = true
	}
	for _, text := range []string{string(c.Bos), string(c.Eos), endOfText} {
		if id, ok := vocab[text]; ok && !have[text] {
			list = append(list, Special{ID: id, Text: text, Special: true})
			have[text] = true
		}
	}
	return list
}

const endOfText = "<|endoftext|>"

// ends fills in the begin and end tokens, and whether they are put around a text. Where template is true, add_bos_token
// and add_eos_token decide the latter. Where it is false, tokenizer.json has decided, and they count for Llama's and
// Gemma's tokenizers alone, as in transformers.
func (c configFile) ends(b *BPEConfig, template bool) error {
	bos, eos := string(c.Bos), string(c.Eos)
	if bos == "" && eos == "" && c.Class == "" {
		bos, eos = endOfText, endOfText // GPT-2's own files have no config
	}
	for _, s := range b.Specials {
		id := s.ID
		if s.Text == bos {
			b.Begin = &id
		}
		if s.Text == eos {
			b.End = &id
		}
	}
	llama := strings.HasPrefix(c.Class, "Llama") || strings.HasPrefix(c.Class, "CodeLlama") || strings.HasPrefix(c.Class, "Gemma")
	if !template && !llama {
		return nil
	}
	b.Before, b.After = nil, nil
	if c.AddBos != nil && *c.AddBos || c.AddBos == nil && llama {
		if b.Begin == nil {
			return errors.Errorf("tokenizer_config.json: add_bos_token, and bos_token %q: want one of the special tokens", bos)
		}
		b.Before = []int32{*b.Begin}
	}
	if c.AddEos != nil && *c.AddEos {
		if b.End == nil {
			return errors.Errorf("tokenizer_config.json: add_eos_token, and eos_token %q: want one of the special tokens", eos)
		}
		b.After = []int32{*b.End}
	}
	return nil
}
