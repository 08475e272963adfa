package gpt

import (
	"bytes"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/internal/gguf"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// The types of tokens in GGUF files. Source: gguf-py of llama.cpp, constants.py, TokenType.
const (
	ggufNormal  = 1
	ggufControl = 3
	ggufUser    = 4
	ggufUnused  = 5
)

// tokenizerKey begins the keys of a GGUF file's tokenizer.
const tokenizerKey = "tokenizer.ggml."

// ggufTokenizer is the metadata of the tokenizer and the chat template. That of a GGUF source is copied.
func (e *export) ggufTokenizer() ([]gguf.KV, error) {
	if f := e.ggufFile(); f != nil {
		return slices.DeleteFunc(slices.Clone(f.Meta), func(kv gguf.KV) bool { return !strings.HasPrefix(kv.Key, "tokenizer.") }), nil
	}
	t, err := e.Tokenizer()
	var meta []gguf.KV
	switch t := t.(type) {
	case token.Byte:
		meta, err = e.bpeMeta(bytesBPE())
	case *token.BPE:
		meta, err = e.bpeMeta(t.Config())
	case nil:
		if errors.Is(err, fs.ErrNotExist) {
			meta, err = []gguf.KV{{Key: tokenizerKey + "model", Value: "none"}}, nil
		}
	default:
		err = errors.Errorf("a GGUF file cannot hold this tokenizer of kind %s: want byte or BPE", t.Name())
	}
	if err != nil {
		return nil, err
	}
	end, _ := t.(token.Subword)
	meta = append(meta, e.endMeta(end)...)
	if e.Chat != "" {
		meta = append(meta, gguf.KV{Key: "tokenizer.chat_template", Value: e.Chat})
	}
	return meta, nil
}

// bytesBPE is token.Byte as a BPE: a token for each byte, no merges.
func bytesBPE() token.BPEConfig {
	c := token.BPEConfig{Split: []token.Splitter{token.GPT2}}
	for b := range 256 {
		c.Tokens = append(c.Tokens, string([]byte{byte(b)}))
	}
	return c
}

// bpeMeta is the metadata of a byte-level BPE. Read again it must give the tokenizer; rows of the embedding past its
// vocabulary get names of their own.
func (e *export) bpeMeta(c token.BPEConfig) ([]gguf.KV, error) {
	pre, err := preName(c)
	if err != nil {
		return nil, err
	}
	tokens, types := make([]string, e.model.Dims().Vocab), make([]int32, e.model.Dims().Vocab)
	for i := range tokens {
		switch {
		case i < len(c.Tokens):
			tokens[i], types[i] = alphabetText(c.Tokens[i]), ggufNormal
		default:
			tokens[i], types[i] = "[PAD"+nn.Itoa(i)+"]", ggufUnused
		}
	}
	for _, s := range c.Specials {
		tokens[s.ID], types[s.ID] = s.Text, ggufUser
		if s.Special {
			types[s.ID] = ggufControl
		}
	}
	merges := make([]string, len(c.Merges))
	for i, m := range c.Merges {
		merges[i] = alphabetText(m[0]) + " " + alphabetText(m[1])
	}
	meta := []gguf.KV{{Key: tokenizerKey + "model", Value: "gpt2"}, {Key: tokenizerKey + "pre", Value: pre}, {Key: tokenizerKey + "tokens", Value: tokens},
		{Key: tokenizerKey + "token_type", Value: types}, {Key: tokenizerKey + "merges", Value: merges},
		{Key: tokenizerKey + "add_bos_token", Value: len(c.Before) > 0}, {Key: tokenizerKey + "add_eos_token", Value: len(c.After) > 0},
		{Key: tokenizerKey + "add_space_prefix", Value: false}}
	for _, x := range []struct {
		key string
		id  *int32
	}{{"bos_token_id", c.Begin}, {"unknown_token_id", c.Unknown}} {
		if x.id != nil {
			meta = append(meta, gguf.KV{Key: tokenizerKey + x.key, Value: uint32(*x.id)})
		}
	}
	check := meta
	if c.End != nil {
		check = append(slices.Clip(meta), gguf.KV{Key: tokenizerKey + "eos_token_id", Value: uint32(*c.End)})
	}
	return meta, sameBPE(c, check)
}

// preName is the name of a pre-tokenizer. Those of llama-bpe and qwen2 stand for more than their splitters: that pieces
// which are tokens are not merged, and normalization form C; others of the same splitters do not.
func preName(c token.BPEConfig) (string, error) {
	pre, ok := token.SplitterName(c.Split)
	switch {
	case !ok:
		return "", errors.New("a GGUF file has no name for the tokenizer's way to split a text")
	case pre == "llama-bpe" && !c.IgnoreMerges:
		pre = "smaug-bpe"
	case pre == "qwen2" && !c.NFC:
		pre = "deepseek-r1-qwen"
	}
	return pre, nil
}

// sameBPE reads what is to be written and compares it with the tokenizer that it was made from.
func sameBPE(c token.BPEConfig, meta []gguf.KV) error {
	var b bytes.Buffer
	if err := gguf.Write(&b, meta, nil); err != nil {
		return err
	}
	f, err := gguf.Parse(b.Bytes())
	if err != nil {
		return err
	}
	t, err := token.FromGGUF(f)
	if err != nil {
		return err
	}
	again := t.(*token.BPE).Config()
	again.Tokens = again.Tokens[:len(c.Tokens)]
	plain := func(list []token.Special) []token.Special {
		list = slices.Clone(list)
		for i := range list {
			list[i].Normalized = c.NFC && list[i].Normalized // else there is no difference
		}
		return list
	}
	single := map[string]bool{}
	for _, t := range c.Tokens {
		if len(t) == 1 {
			single[t] = true
		}
	}
	for _, x := range []struct {
		what string
		same bool
	}{
		{"tokens", slices.Equal(c.Tokens, again.Tokens) && !slices.ContainsFunc(c.Specials, func(s token.Special) bool { return !utf8.ValidString(s.Text) })},
		{"merges", slices.Equal(c.Merges, again.Merges)},
		{"special tokens", slices.Equal(plain(c.Specials), plain(again.Specials))},
		{"tokens before a text", slices.Equal(c.Before, again.Before)},
		{"tokens after a text", slices.Equal(c.After, again.After)},
		{"normalization", c.NFC == again.NFC},
		{"rule that tokens are not merged", c.IgnoreMerges == again.IgnoreMerges},
		{"space before a text", c.PrefixSpace == again.PrefixSpace},
		{"token for unknown bytes", c.Unknown == nil || len(single) == 256},
	} {
		if !x.same {
			return errors.Errorf("a GGUF file cannot say the tokenizer's %s", x.what)
		}
	}
	return nil
}

// alphabetText writes the bytes of a token as GPT-2's files do: a printable one of Latin-1 as itself, the others, in
// ascending order, as U+0100 and on. Source: bytes_to_unicode of GPT-2's encoder.py.
func alphabetText(s string) string {
	var out strings.Builder
	for i := range len(s) {
		out.WriteRune(alphabet[s[i]])
	}
	return out.String()
}

var alphabet = func() (runes [256]rune) {
	next := rune(256)
	for b := range runes {
		r := rune(b)
		if !('!' <= r && r <= '~' || '¡' <= r && r <= '¬' || '®' <= r) {
			r = next
			next++
		}
		runes[b] = r
	}
	return runes
}()

// endMeta names the tokens that end a text and the one that fills a batch: the tokenizer's own end is eos where it
// ends a text, the next two are eot and eom, which is all that a file can say.
func (e *export) endMeta(t token.Subword) []gguf.KV {
	ends := slices.Clone(e.End)
	if t != nil {
		if id, ok := t.End(); ok && (len(ends) == 0 || slices.Contains(ends, id)) {
			ends = append([]int32{id}, slices.DeleteFunc(ends, func(i int32) bool { return i == id })...)
		}
	}
	var meta []gguf.KV
	for i, key := range []string{"eos", "eot", "eom"} {
		if i < len(ends) {
			meta = append(meta, gguf.KV{Key: tokenizerKey + key + "_token_id", Value: uint32(ends[i])})
		}
	}
	var config struct {
		Pad *uint32 `json:"pad_token_id"`
	}
	if dir := e.folder(); dir != "" && readJSON(dir, ConfigFile, &config) == nil && config.Pad != nil {
		meta = append(meta, gguf.KV{Key: tokenizerKey + "padding_token_id", Value: *config.Pad})
	}
	return meta
}
