package token

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/pkg/errors"
)

// jsonFile is a tokenizer.json of Hugging Face tokenizers. The decoder is not read, as decoding is the reverse of
// encoding.
type jsonFile struct {
	Version       string          `json:"version"`
	Truncation    any             `json:"truncation"`
	Padding       any             `json:"padding"`
	AddedTokens   []jsonToken     `json:"added_tokens"`
	Normalizer    *jsonStage      `json:"normalizer"`
	PreTokenizer  *jsonStage      `json:"pre_tokenizer"`
	PostProcessor *jsonStage      `json:"post_processor"`
	Decoder       *jsonStage      `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

// jsonToken is one of the added tokens.
type jsonToken struct {
	ID int32 `json:"id"`
	jsonFlags
}

// UnmarshalJSON implements [json.Unmarshaler], as the one of jsonFlags would leave out the id.
func (t *jsonToken) UnmarshalJSON(b []byte) error {
	id := struct{ ID int32 }{}
	if err := json.Unmarshal(b, &id); err != nil {
		return err
	}
	t.ID = id.ID
	return json.Unmarshal(b, &t.jsonFlags)
}

// jsonFlags are what a tokenizer_config.json says of an added token, too.
type jsonFlags struct {
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

func (t jsonToken) special() Special {
	return Special{ID: t.ID, Text: t.Content, Special: t.Special, LStrip: t.LStrip, RStrip: t.RStrip, SingleWord: t.SingleWord, Normalized: t.Normalized}
}

// jsonModel is a model of type BPE.
type jsonModel struct {
	Type         string           `json:"type"`
	Dropout      float64          `json:"dropout"`
	Unknown      *string          `json:"unk_token"`
	Prefix       string           `json:"continuing_subword_prefix"`
	Suffix       string           `json:"end_of_word_suffix"`
	FuseUnknown  bool             `json:"fuse_unk"`
	ByteFallback bool             `json:"byte_fallback"`
	IgnoreMerges bool             `json:"ignore_merges"`
	Vocab        map[string]int32 `json:"vocab"`
	Merges       []jsonMerge      `json:"merges"`
}

// jsonMerge is "a b" in older files, ["a", "b"] in newer ones.
type jsonMerge [2]string

// UnmarshalJSON implements [json.Unmarshaler].
func (m *jsonMerge) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		pair, err := parseMerge(s)
		*m = pair
		return err
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	if len(list) != 2 {
		return errors.Errorf("merge of %d tokens %q: want two", len(list), list)
	}
	*m = [2]string(list)
	return nil
}

// parseJSON makes the tokenizer of a tokenizer.json, with what the tokenizer_config.json beside it adds.
func parseJSON(data []byte, config configFile) (Subword, error) {
	var f jsonFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	var kind struct{ Type string }
	if err := json.Unmarshal(f.Model, &kind); err != nil {
		return nil, errors.Wrap(err, "model")
	}
	if kind.Type != "BPE" && kind.Type != "" {
		return nil, errors.Errorf("model: type %q, want BPE", kind.Type)
	}
	var m jsonModel
	if err := json.Unmarshal(f.Model, &m); err != nil {
		return nil, errors.Wrap(err, "model")
	}
	if m.Dropout != 0 || m.Prefix != "" || m.Suffix != "" {
		return nil, errors.Errorf("model: dropout %g, continuing_subword_prefix %q, end_of_word_suffix %q: want none of these", m.Dropout, m.Prefix, m.Suffix)
	}
	if f.PreTokenizer.contains("ByteLevel") {
		return f.bpe(m, config)
	}
	if m.ByteFallback || f.Normalizer.contains("Prepend") || f.PreTokenizer.contains("Metaspace") {
		return f.sentencePiece(m, config)
	}
	return nil, errors.Errorf("pre_tokenizer %s: want ByteLevel, or a model with byte_fallback", f.PreTokenizer)
}

// added gives the file's added tokens and those that the config names their ids.
func (f *jsonFile) added(vocab map[string]int32, config configFile) *addedVocab {
	v := newAddedVocab(vocab)
	var list []Special
	ids := map[int32]bool{}
	for _, a := range f.AddedTokens {
		list = append(list, a.special())
		ids[a.ID] = true
	}
	v.add(list)
	if config.legacy {
		config.Added = slices.DeleteFunc(config.Added, func(a jsonToken) bool { return ids[a.ID] })
	}
	v.take(config)
	return v
}

// bpe makes a byte-level BPE.
func (f *jsonFile) bpe(m jsonModel, config configFile) (Subword, error) {
	c := BPEConfig{FuseUnknown: m.FuseUnknown, IgnoreMerges: m.IgnoreMerges}
	v := f.added(m.Vocab, config)
	if err := f.common(&c, m, config, v); err != nil {
		return nil, err
	}
	for _, s := range f.Normalizer.flat() {
		if s.Type != "NFC" {
			return nil, errors.Errorf("normalizer %s: want NFC beside ByteLevel", s)
		}
		c.NFC = true
	}
	if err := f.PreTokenizer.splitters(&c); err != nil {
		return nil, err
	}
	if config.there && f.PreTokenizer.Type == "ByteLevel" && !strings.HasPrefix(config.Class, "LlamaTokenizer") {
		c.PrefixSpace = is(config.AddPrefixSpace, false) // as transformers, which asks the config alone
	}
	merges := make([][2]string, len(m.Merges))
	for i, pair := range m.Merges {
		merges[i] = pair
	}
	return bpeOf(c, m.Vocab, merges)
}

// common fills in what both kinds of tokenizer have: the special tokens, and which of them stand around a text.
func (f *jsonFile) common(c *BPEConfig, m jsonModel, config configFile, v *addedVocab) error {
	c.Specials = v.list()
	if m.Unknown != nil {
		if id, ok := m.Vocab[*m.Unknown]; ok {
			c.Unknown = &id
		} else {
			c.NoUnknown = m.Unknown
		}
	}
	if err := f.PostProcessor.around(c); err != nil {
		return err
	}
	before, after := c.Before, c.After
	if err := config.ends(c, v, false); err != nil || config.Class != "" {
		return err
	}
	if _, ok := config.Roles["bos_token"]; !ok && len(before) > 0 && f.adds(before[0]) {
		c.Begin = &before[0]
	}
	if _, ok := config.Roles["eos_token"]; !ok && len(after) > 0 && f.adds(after[0]) {
		c.End = &after[0]
	}
	return nil
}

// adds tells whether an id is that of an added token.
func (f *jsonFile) adds(id int32) bool {
	return slices.ContainsFunc(f.AddedTokens, func(a jsonToken) bool { return a.ID == id })
}

// The most bytes of a tokenizer's files, and of its settings. The largest vocabularies of 2025 take 40 MB.
const maxTokenizer, maxConfig = 256 << 20, 16 << 20

// openJSON reads a tokenizer.json and the tokenizer_config.json beside it.
func openJSON(path string) (Subword, error) {
	data, err := bounded.ReadFile(path, maxTokenizer)
	if err != nil {
		return nil, err
	}
	config, err := readConfig(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	t, err := parseJSON(data, config)
	return t, errors.Wrap(err, strings.TrimSpace(filepath.Base(path)))
}
