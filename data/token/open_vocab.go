package token

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/pkg/errors"
)

// byID orders the tokens of a file by their ids: 0, 1, 2 … without a gap. An added token is also in the vocab, with
// the same id, or beyond it. text is what a token of the vocab stands for.
func byID(vocab map[string]int32, added []Special, text func(string) string) ([]string, error) {
	n := len(vocab)
	for _, a := range added {
		if id, ok := vocab[a.Text]; !ok {
			n++
		} else if id != a.ID {
			return nil, errors.Errorf("added token %q: id %d, want its id %d of the vocabulary", a.Text, a.ID, id)
		}
	}
	tokens := make([]string, n)
	set := func(id int32, s string) error {
		if id < 0 || int(id) >= n || s == "" || tokens[id] != "" {
			return errors.Errorf("token %q: id %d, want a text, and each id from 0 to %d once", s, id, n-1)
		}
		tokens[id] = s
		return nil
	}
	for _, a := range added {
		if err := set(a.ID, a.Text); err != nil {
			return nil, err
		}
	}
	for s, id := range vocab {
		if s != "" && id >= 0 && int(id) < n && tokens[id] == s {
			continue // added, too
		}
		if err := set(id, text(s)); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

// bpeOf finishes a byte-level BPE: c has all but tokens and merges, which are in the alphabet of bytes.
func bpeOf(c BPEConfig, vocab map[string]int32, merges [][2]string) (*BPE, error) {
	var err error
	if c.Tokens, err = byID(vocab, c.Specials, fromAlphabet); err != nil {
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
	c := BPEConfig{Split: []Splitter{GPT2}, Specials: config.added(vocab), PrefixSpace: config.AddPrefixSpace}
	if strings.HasPrefix(config.Class, "Qwen2Tokenizer") {
		c.Split, c.NFC = []Splitter{Qwen2}, true
	}
	if err := config.ends(&c, true); err != nil {
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
