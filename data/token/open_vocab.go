package token

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/pkg/errors"
)

// maxHoles bounds the ids of a file that have no token, which take memory all the same.
const maxHoles = 1 << 20

// byID orders the tokens of a file by their ids; one without a token has the text "". Also has the ids of texts that
// encoding finds though the token of the id is written otherwise. With symbols, the vocab is in the alphabet of bytes.
// There an added token that is the symbol of a byte stays that byte.
func byID(vocab map[string]int32, added []Special, symbols bool) (tokens []string, also map[string]int32, err error) {
	n, most := 0, len(vocab)+len(added)+maxHoles
	for s, id := range vocab {
		if s == "" || id < 0 || int(id) >= most {
			return nil, nil, errors.Errorf("token %q: id %d, want a text, and an id from 0 to %d", s, id, most-1)
		}
		n = max(n, int(id)+1)
	}
	for _, a := range added {
		n = max(n, int(a.ID)+1)
	}
	tokens, also = make([]string, n), map[string]int32{}
	fixed := make(map[int32]bool, len(added))
	for _, a := range added {
		if _, ok := vocab[a.Text]; !ok || !symbols || !isSymbol(a.Text) {
			tokens[a.ID], fixed[a.ID] = a.Text, true
		}
	}
	text := func(s string) string {
		if symbols {
			return fromAlphabet(s)
		}
		return s
	}
	for s, id := range vocab {
		if t := text(s); !fixed[id] && (tokens[id] == "" || t < tokens[id]) {
			tokens[id] = t
		}
	}
	for s, id := range vocab {
		t := text(s)
		if _, better := vocab[toAlphabet(s)]; symbols && t == s && better {
			id = vocab[toAlphabet(s)] // a text as it is, beside the symbols of its bytes
			if tokens[vocab[s]] == t && vocab[s] != id {
				also[t] = id
			}
		}
		if tokens[id] != t {
			also[t] = id
		}
	}
	return tokens, also, nil
}

// isSymbol tells whether a text is one character that stands for another byte in vocab.json.
func isSymbol(s string) bool { return utf8.RuneCountInString(s) == 1 && fromAlphabet(s) != s }

// bpeOf finishes a byte-level BPE: c has all but tokens and merges, which are in the alphabet of bytes.
func bpeOf(c BPEConfig, vocab map[string]int32, merges [][2]string) (*BPE, error) {
	var err error
	if c.Tokens, c.Also, err = byID(vocab, c.Specials, true); err != nil {
		return nil, err
	}
	c.Merges = make([][2]string, len(merges))
	for i, m := range merges {
		c.Merges[i] = [2]string{fromAlphabet(m[0]), fromAlphabet(m[1])}
	}
	return NewBPE(c)
}

// openVocab reads vocab.json and merges.txt, or GPT-2's own encoder.json and vocab.bpe, from a folder, with its
// tokenizer_config.json. The text is split as GPT-2 does, unless the folder's config names Qwen2's tokenizer.
func openVocab(dir, vocabName, mergesName string) (*BPE, error) {
	data, err := bounded.ReadFile(filepath.Join(dir, vocabName), maxTokenizer)
	if err != nil {
		return nil, err
	}
	var vocab map[string]int32
	if err := json.Unmarshal(data, &vocab); err != nil {
		return nil, errors.Wrap(err, vocabName)
	}
	text, err := bounded.ReadFile(filepath.Join(dir, mergesName), maxTokenizer)
	if err != nil {
		return nil, err
	}
	merges, err := parseMerges(text)
	if err != nil {
		return nil, errors.Wrap(err, mergesName)
	}
	config, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	if _, ok := vocab[endOfText]; ok && config.Class == "" && len(config.Roles) == 0 {
		config.Class = "GPT2Tokenizer" // GPT-2's own files have no config
	}
	v := newAddedVocab(vocab)
	v.take(config)
	if id, ok := vocab[endOfText]; ok && !v.has(endOfText) {
		v.add([]Special{{ID: id, Text: endOfText, Special: true}})
	}
	c := BPEConfig{Split: []Splitter{GPT2}, Specials: v.list(), PrefixSpace: is(config.AddPrefixSpace, false)}
	if strings.HasPrefix(config.Class, "Qwen2Tokenizer") {
		c.Split, c.NFC = []Splitter{Qwen2}, true
	}
	if err := config.ends(&c, v, true); err != nil {
		return nil, err
	}
	b, err := bpeOf(c, vocab, merges)
	return b, errors.Wrap(err, vocabName)
}

// parseMerges reads the lines of merges.txt: two tokens and a space between; the first line may be a "#version" one.
func parseMerges(text []byte) ([][2]string, error) {
	var merges [][2]string
	for n := 1; len(text) > 0; n++ {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 || n == 1 && bytes.HasPrefix(line, []byte("#version")) {
			continue
		}
		m, err := parseMerge(string(line))
		if err != nil {
			return nil, errors.Wrapf(err, "line %d", n)
		}
		merges = append(merges, m)
	}
	return merges, nil
}

// parseMerge reads the two tokens of a merge.
func parseMerge(s string) ([2]string, error) {
	left, right, _ := strings.Cut(s, " ")
	if left == "" || right == "" || strings.Contains(right, " ") {
		return [2]string{}, errors.Errorf("merge %q: want two tokens and a space between", s)
	}
	return [2]string{left, right}, nil
}
