package token

import (
	"strings"

	"github.com/pkg/errors"

	"github.com/ceto-ml/ceto/internal/gguf"
)

// ignoresMerges names the pre-tokenizers whose models take a piece that is a token as that token. All but youtu's put a
// begin token before a text where the file does not say. Source: src/llama-vocab.cpp of llama.cpp.
var ignoresMerges = map[string]bool{
	"llama3": true, "llama-v3": true, "llama-bpe": true, "falcon3": true, "falcon-h1": true, "pixtral": true,
	"midm-2.0": true, "lfm2": true, "tekken": true,
}

// FromGGUF returns the tokenizer of a GGUF file: model "gpt2" is a [BPE], "llama" a [SentencePiece]. It keeps no
// reference to the file's memory. Text for Qwen 2 is brought into normalization form C. Its tokenizer.json says so, its
// GGUF files do not.
func FromGGUF(f *gguf.File) (Subword, error) {
	v, err := readGGUF(f)
	if err != nil {
		return nil, err
	}
	switch v.model {
	case "gpt2":
		b, err := v.bpe(f)
		if err != nil {
			return nil, err
		}
		return b, nil
	case "llama":
		s, err := v.sentencePiece(f)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	return nil, errors.Errorf("token: gguf: tokenizer.ggml.model %q: want gpt2 or llama", v.model)
}

// A ggufVocab is what both models have.
type ggufVocab struct {
	model, pre string
	tokens     []string
	types      []int32
	begin, end *int32
	addBegin   bool
	addEnd     bool
}

func readGGUF(f *gguf.File) (ggufVocab, error) {
	var v ggufVocab
	var ok bool
	v.model, _ = f.String("tokenizer.ggml.model")
	v.pre, _ = f.String("tokenizer.ggml.pre")
	tokens, ok := f.Strings("tokenizer.ggml.tokens")
	if !ok {
		return v, errors.New("token: gguf: no tokenizer.ggml.tokens: want a file with its tokenizer")
	}
	v.tokens = make([]string, len(tokens))
	for i, t := range tokens {
		v.tokens[i] = strings.Clone(t)
	}
	types, ok := f.Ints("tokenizer.ggml.token_type")
	if ok && len(types) != len(tokens) {
		return v, errors.Errorf("token: gguf: %d tokenizer.ggml.token_type for %d tokens: want one each", len(types), len(tokens))
	}
	v.types = make([]int32, len(types))
	for i, t := range types {
		v.types[i] = int32(t)
	}
	for key, to := range map[string]**int32{"bos_token_id": &v.begin, "eos_token_id": &v.end} {
		id, ok := f.Int("tokenizer.ggml." + key)
		if ok && id >= 0 && id < int64(len(tokens)) { // another never comes
			n := int32(id)
			*to = &n
		}
	}
	v.addBegin, ok = f.Bool("tokenizer.ggml.add_bos_token")
	if !ok {
		v.addBegin = v.model == "llama" || ignoresMerges[v.pre]
	}
	v.addEnd, _ = f.Bool("tokenizer.ggml.add_eos_token")
	if v.addBegin && v.begin == nil || v.addEnd && v.end == nil {
		return v, errors.New("token: gguf: a begin or end token is to be added: want bos_token_id and eos_token_id")
	}
	return v, nil
}

// bpe makes a byte-level BPE.
func (v ggufVocab) bpe(f *gguf.File) (*BPE, error) {
	c := BPEConfig{Tokens: v.tokens, Begin: v.begin, End: v.end, IgnoreMerges: ignoresMerges[v.pre], NFC: v.pre == "qwen2"}
	var err error
	if c.Split, err = SplitterNamed(v.pre); err != nil {
		return nil, err
	}
	for i, text := range v.tokens {
		special := Special{ID: int32(i), Text: text}
		kind := int32(0)
		if len(v.types) > 0 {
			kind = v.types[i]
		}
		switch kind {
		case typeUnknown, typeControl:
			special.Special = true
			c.Specials = append(c.Specials, special)
		case typeUser:
			c.Specials = append(c.Specials, special)
		default:
			c.Tokens[i] = fromAlphabet(text)
		}
	}
	merges, ok := f.Strings("tokenizer.ggml.merges")
	if !ok {
		return nil, errors.New("token: gguf: no tokenizer.ggml.merges: want them for model gpt2")
	}
	c.Merges = make([][2]string, len(merges))
	for i, s := range merges {
		m, err := parseMerge(s)
		if err != nil {
			return nil, errors.Wrap(err, "token: gguf")
		}
		c.Merges[i] = [2]string{fromAlphabet(m[0]), fromAlphabet(m[1])}
	}
	if v.addBegin {
		c.Before = []int32{*v.begin}
	}
	if v.addEnd {
		c.After = []int32{*v.end}
	}
	b, err := NewBPE(c)
	return b, errors.Wrap(err, "token: gguf")
}

// sentencePiece makes a SentencePiece-style BPE.
func (v ggufVocab) sentencePiece(f *gguf.File) (*SentencePiece, error) {
	c := SentencePieceConfig{Tokens: v.tokens, Types: v.types, Begin: v.begin, End: v.end, Prefix: true}
	var ok bool
	if c.Scores, ok = f.Floats("tokenizer.ggml.scores"); !ok {
		return nil, errors.New("token: gguf: no tokenizer.ggml.scores: want them for model llama")
	}
	if prefix, ok := f.Bool("tokenizer.ggml.add_space_prefix"); ok {
		c.Prefix = prefix
	}
	if id, ok := f.Int("tokenizer.ggml.unknown_token_id"); ok && id >= 0 && id < int64(len(v.tokens)) {
		n := int32(id)
		c.Unknown = &n
	}
	if v.addBegin {
		c.Before = []int32{*v.begin}
	}
	if v.addEnd {
		c.After = []int32{*v.end}
	}
	s, err := NewSentencePiece(c)
	return s, errors.Wrap(err, "token: gguf")
}
