package token

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// A writtenFile is one of the files of [Files].
type writtenFile struct {
	name  string
	write func(w io.Writer) error
}

// files lists what [Files] returns, tokenizer.json first.
func (b *BPE) files() ([]writtenFile, error) {
	vocab, err := b.writtenTokens()
	if err != nil {
		return nil, err
	}
	merges := b.writtenMerges(vocab)
	words := vocab.words(b.also, b.specials.list, toAlphabet)
	file, err := b.json(words, merges)
	if err != nil {
		return nil, err
	}
	config := writtenConfig(file.AddedTokens, vocab, b.begin, b.end)
	if b.prefixSpace {
		config["add_prefix_space"] = true // transformers ask this file alone
	}
	lines := "#version: 0.2\n" + strings.Join(append(merges, ""), "\n")
	return []writtenFile{
		{"tokenizer.json", func(w io.Writer) error { return encodeJSON(w, file, "  ") }},
		{"vocab.json", func(w io.Writer) error { return encodeJSON(w, words, "") }},
		{"merges.txt", func(w io.Writer) error { _, err := io.WriteString(w, lines); return err }},
		{"tokenizer_config.json", func(w io.Writer) error { return encodeJSON(w, config, "  ") }},
	}, nil
}

// writtenConfig returns the content of tokenizer_config.json.
func writtenConfig(tokens []jsonToken, texts []string, begin, end int32) map[string]any {
	config := map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false,
		"model_input_names": []string{"input_ids", "attention_mask"}} // by default it has token types, which decoders refuse
	for key, id := range map[string]int32{"bos_token": begin, "eos_token": end} {
		if id >= 0 {
			config[key] = texts[id]
		}
		for _, t := range tokens {
			if t.ID == id {
				config[key] = t.Content
			}
		}
	}
	added := map[string]jsonFlags{}
	for _, t := range tokens {
		added[strconv.Itoa(int(t.ID))] = t.jsonFlags
	}
	config["added_tokens_decoder"] = added
	return config
}

func encodeJSON(w io.Writer, v any, indent string) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e.Encode(v)
}

// jsonVocab is an object of the tokens, in the order of their ids. An id with the text "" has none.
type jsonVocab []string

// jsonWords is an object of tokens with further texts of their ids.
type jsonWords struct {
	jsonVocab
	also map[string]int32
}

// MarshalJSON implements [json.Marshaler].
func (v jsonWords) MarshalJSON() ([]byte, error) {
	out := bytes.NewBufferString("{")
	put := func(t string, id int) error {
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		err := encodeJSON(out, t, "")
		out.WriteByte(':')
		out.WriteString(strconv.Itoa(id))
		return err
	}
	for id, t := range v.jsonVocab {
		if t == "" {
			continue
		}
		if err := put(t, id); err != nil {
			return nil, err
		}
	}
	for _, t := range slices.Sorted(maps.Keys(v.also)) {
		if err := put(t, int(v.also[t])); err != nil {
			return nil, err
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// words returns the tokens with all that [BPEConfig.Also] and the special tokens add.
func (v jsonVocab) words(also map[string]int32, list []Special, write func(string) string) jsonWords {
	w := jsonWords{v, map[string]int32{}}
	for t, id := range also {
		if t = write(t); v[id] != t {
			w.also[t] = id
		}
	}
	for _, s := range list {
		if v[s.ID] != s.Text {
			w.also[s.Text] = s.ID
		}
	}
	return w
}

// writtenTokens returns the tokens in the alphabet of bytes, special ones as they are.
func (b *BPE) writtenTokens() (jsonVocab, error) {
	vocab := make(jsonVocab, len(b.tokens))
	seen := make(map[string]int, len(b.tokens))
	for id, t := range b.tokens {
		vocab[id] = t
		if t == "" {
			continue
		}
		if special, ok := b.specials.ids[t]; !ok || special != int32(id) {
			vocab[id] = toAlphabet(t)
		} else if !utf8.ValidString(t) {
			return nil, errors.Errorf("special token %q: want UTF-8", t)
		}
		if other, twice := seen[vocab[id]]; twice {
			return nil, errors.Errorf("tokens %d and %d would both be written %q", other, id, vocab[id])
		}
		seen[vocab[id]] = id
	}
	return vocab, nil
}

// writtenMerges returns the lines of merges.txt.
func (b *BPE) writtenMerges(vocab jsonVocab) []string {
	if b.merges != nil {
		var lines []string
		for _, m := range b.merges {
			lines = append(lines, toAlphabet(m[0])+" "+toAlphabet(m[1]))
		}
		return lines
	}
	list := b.pairs.sorted()
	lines := make([]string, len(list))
	for i, s := range list {
		lines[i] = vocab[s.pair>>32] + " " + vocab[uint32(s.pair)]
	}
	return lines
}

// A jsonWritten is a tokenizer.json with all its fields in place.
type jsonWritten struct {
	jsonFile
	Model jsonWrittenModel `json:"model"`
}

type jsonWrittenModel struct {
	Type         string    `json:"type"`
	Dropout      *float64  `json:"dropout"`
	Unknown      *string   `json:"unk_token"`
	Prefix       *string   `json:"continuing_subword_prefix"`
	Suffix       *string   `json:"end_of_word_suffix"`
	FuseUnknown  bool      `json:"fuse_unk"`
	ByteFallback bool      `json:"byte_fallback"`
	IgnoreMerges bool      `json:"ignore_merges"`
	Vocab        jsonWords `json:"vocab"`
	Merges       any       `json:"merges"` // of lines "a b", which all versions read, or of pairs
}

// json returns the content of tokenizer.json.
func (b *BPE) json(vocab jsonWords, merges []string) (*jsonWritten, error) {
	pre, err := b.preTokenizer()
	if err != nil {
		return nil, err
	}
	f := &jsonWritten{Model: jsonWrittenModel{Type: "BPE", FuseUnknown: b.fuseUnknown, IgnoreMerges: b.ignore, Vocab: vocab, Merges: merges}}
	f.Model.Unknown = b.noUnknown
	if b.unknown >= 0 {
		f.Model.Unknown = &vocab.jsonVocab[b.unknown]
	}
	f.Version, f.AddedTokens = "1.0", addedTokens(b.specials.list)
	if b.nfc {
		f.Normalizer = &jsonStage{Type: "NFC"}
	}
	f.PreTokenizer, f.Decoder, f.PostProcessor = pre, byteLevel(true, true), template(b.before, b.after, vocab.jsonVocab)
	if f.PostProcessor == nil {
		f.PostProcessor = byteLevel(true, true)
	}
	return f, nil
}

// addedTokens writes special tokens; there is a list even where there are none.
func addedTokens(list []Special) []jsonToken {
	added := []jsonToken{}
	for _, s := range list {
		added = append(added, jsonToken{s.ID, jsonFlags{s.Text, s.SingleWord, s.LStrip, s.RStrip, s.Normalized, s.Special}})
	}
	return added
}

func byteLevel(prefixSpace, useRegex bool) *jsonStage {
	return &jsonStage{Type: "ByteLevel", AddPrefixSpace: &prefixSpace, TrimOffsets: new(false), UseRegex: &useRegex}
}

// preTokenizer writes the splitters.
func (b *BPE) preTokenizer() (*jsonStage, error) {
	var stages []jsonStage
	split := b.split
	useRegex := len(split) > 0 && sameSplitter(split[len(split)-1], GPT2)
	if useRegex {
		split = split[:len(split)-1]
	}
	if b.prefixSpace && len(split) > 0 {
		return nil, errors.New("PrefixSpace beside other splitters than GPT2: want one of them")
	}
	for i, s := range split {
		switch pattern := patternOf(s); pattern {
		case "":
			return nil, errors.Errorf("splitter %d is unknown: want one of this package", i)
		case digitsPattern, digitRunPattern:
			stages = append(stages, jsonStage{Type: "Digits", Individual: new(pattern == digitsPattern)})
		default:
			stages = append(stages, jsonStage{Type: "Split", Pattern: &jsonPattern{Regex: pattern}, Behavior: "Isolated", Invert: new(false)})
		}
	}
	last := byteLevel(b.prefixSpace, useRegex)
	if len(stages) == 0 {
		return last, nil
	}
	return &jsonStage{Type: "Sequence", Pretokenizers: append(stages, *last)}, nil
}

// patternOf is the reverse of [SplitterOf], "" where there is none.
func patternOf(s Splitter) string {
	for _, known := range []struct {
		split   Splitter
		pattern string
	}{
		{GPT2, gpt2Pattern}, {Llama3, llama3Pattern}, {CL100K, cl100kPattern}, {Qwen2, qwen2Pattern}, {O200K, o200kPattern},
		{Tekken, tekkenPattern}, {Digits, digitsPattern}, {DigitRuns, digitRunPattern},
	} {
		if sameSplitter(s, known.split) {
			return known.pattern
		}
	}
	return ""
}

// template writes the tokens around a text, nil where there are none.
func template(before, after []int32, vocab jsonVocab) *jsonStage {
	if len(before)+len(after) == 0 {
		return nil
	}
	s := &jsonStage{Type: "TemplateProcessing", SpecialTokens: map[string]jsonToIDs{}}
	add := func(ids []int32) {
		for _, id := range ids {
			s.Single = append(s.Single, jsonItem{SpecialToken: &jsonTypeID{ID: vocab[id]}})
			s.SpecialTokens[vocab[id]] = jsonToIDs{ID: vocab[id], IDs: []int32{id}, Tokens: []string{vocab[id]}}
		}
	}
	add(before)
	s.Single = append(s.Single, jsonItem{Sequence: &jsonTypeID{ID: "A"}})
	add(after)
	s.Pair = append(slices.Clone(s.Single), jsonItem{Sequence: &jsonTypeID{ID: "B", TypeID: 1}})
	return s
}
