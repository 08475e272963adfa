package pretrained

import (
	"bytes"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/internal/gguf"
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

// ggufTokenizer returns the metadata of the tokenizer and the chat template. A GGUF source's is copied.
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
	case *token.SentencePiece:
		meta, err = e.pieceMeta(t.Config())
	case nil:
		if errors.Is(err, fs.ErrNotExist) {
			meta, err = []gguf.KV{{Key: tokenizerKey + "model", Value: "none"}}, nil
		}
	default:
		err = errors.Errorf("a GGUF file cannot hold this tokenizer of kind %s: want byte, BPE or SentencePiece", t.Name())
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

// bpeMeta returns the metadata of a byte-level BPE. Reading it must give the same tokenizer.
func (e *export) bpeMeta(c token.BPEConfig) ([]gguf.KV, error) {
	pre, err := preName(c)
	if err != nil {
		return nil, err
	}
	texts, kinds := make([]string, len(c.Tokens)), make([]int32, len(c.Tokens))
	for i, t := range c.Tokens {
		texts[i], kinds[i] = alphabetText(t), ggufNormal
	}
	for _, s := range c.Specials {
		texts[s.ID], kinds[s.ID] = s.Text, ggufUser
		if s.Special {
			kinds[s.ID] = ggufControl
		}
	}
	merges := make([]string, len(c.Merges))
	for i, m := range c.Merges {
		merges[i] = alphabetText(m[0]) + " " + alphabetText(m[1])
	}
	tokens, types := e.padTokens(texts, kinds)
	meta := []gguf.KV{{Key: tokenizerKey + "model", Value: "gpt2"}, {Key: tokenizerKey + "pre", Value: pre}, {Key: tokenizerKey + "tokens", Value: tokens},
		{Key: tokenizerKey + "token_type", Value: types}, {Key: tokenizerKey + "merges", Value: merges},
		{Key: tokenizerKey + "add_bos_token", Value: len(c.Before) > 0}, {Key: tokenizerKey + "add_eos_token", Value: len(c.After) > 0},
		{Key: tokenizerKey + "add_space_prefix", Value: false}}
	meta = append(meta, idMeta("bos_token_id", c.Begin)...)
	meta = append(meta, idMeta("unknown_token_id", c.Unknown)...)
	again, err := readTokenizer(append(slices.Clip(meta), idMeta("eos_token_id", c.End)...))
	if err != nil {
		return nil, err
	}
	return meta, sameBPE(c, again.(*token.BPE).Config())
}

// padTokens gives the rows of the embedding past the vocabulary names of their own, as convert_hf_to_gguf.py does.
func (e *export) padTokens(texts []string, kinds []int32) ([]string, []int32) {
	texts, kinds = slices.Clone(texts), slices.Clone(kinds)
	for i := len(texts); i < e.model.Dims().Vocab; i++ {
		texts, kinds = append(texts, "[PAD"+strconv.Itoa(i)+"]"), append(kinds, ggufUnused)
	}
	return texts, kinds
}

// idMeta returns the metadata of a token with a role, such as the begin token; none for nil.
func idMeta(key string, id *int32) []gguf.KV {
	if id == nil {
		return nil
	}
	return []gguf.KV{{Key: tokenizerKey + key, Value: uint32(*id)}}
}

// readTokenizer reads the metadata back that is to be written.
func readTokenizer(meta []gguf.KV) (token.Subword, error) {
	var b bytes.Buffer
	if err := gguf.Write(&b, meta, nil); err != nil {
		return nil, err
	}
	f, err := gguf.Parse(b.Bytes())
	if err != nil {
		return nil, err
	}
	return token.FromGGUF(f)
}

// preName returns the name of a pre-tokenizer. llama-bpe and qwen2 stand for more than their splitters. With llama-bpe,
// pieces that are tokens are not merged; qwen2 has normalization form C. Other names of the same splitters stand for
// the splitters alone.
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

// sameBPE compares a tokenizer with the one that is read back.
func sameBPE(c, again token.BPEConfig) error {
	single := map[string]bool{}
	for _, t := range c.Tokens {
		if len(t) == 1 {
			single[t] = true
		}
	}
	notUTF8 := func(s token.Special) bool { return !utf8.ValidString(s.Text) }
	a, b := loose(c.Specials), loose(again.Specials)
	if c.NFC { // without normalization, before and after it are the same
		a, b = c.Specials, again.Specials
	}
	return sayable([]same{
		{"tokens", slices.Equal(c.Tokens, again.Tokens[:len(c.Tokens)])},
		{"merges", slices.Equal(c.Merges, again.Merges)},
		{"special tokens", slices.Equal(a, b) && !slices.ContainsFunc(c.Specials, notUTF8)},
		{"tokens before a text", slices.Equal(c.Before, again.Before)},
		{"tokens after a text", slices.Equal(c.After, again.After)},
		{"normalization", c.NFC == again.NFC},
		{"rule that tokens are not merged", c.IgnoreMerges == again.IgnoreMerges},
		{"space before a text", c.PrefixSpace == again.PrefixSpace},
		{"token for unknown bytes", c.Unknown == nil || len(single) == 256},
	})
}

// same tells whether something of a tokenizer was read as it was written.
type same struct {
	what string
	ok   bool
}

// sayable returns an error that names the first of list that is not the same.
func sayable(list []same) error {
	for _, x := range list {
		if !x.ok {
			return errors.Errorf("a GGUF file cannot say the tokenizer's %s", x.what)
		}
	}
	return nil
}

// loose returns special tokens without the place of their search: before or after normalization.
func loose(list []token.Special) []token.Special {
	list = slices.Clone(list)
	for i := range list {
		list[i].Normalized = false
	}
	return list
}

// alphabetText writes the bytes of a token as GPT-2's files do. A printable byte of Latin-1 is itself. The others, in
// ascending order, are U+0100 and on. Source: bytes_to_unicode of GPT-2's encoder.py.
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

// endMeta returns the metadata of the tokens that end a text, and of the one that fills a batch. The tokenizer's own
// end token is eos where it ends a text. The next two are eot and eom; a file cannot say more.
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
