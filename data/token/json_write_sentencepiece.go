package token

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// files lists what [Files] returns: no vocab.json and merges.txt, which are for byte-level tokens.
func (s *SentencePiece) files() ([]writtenFile, error) {
	vocab := make(jsonVocab, len(s.tokens))
	seen := make(map[string]int, len(s.tokens))
	for id, t := range s.tokens {
		if t == "" {
			continue
		}
		if s.plain && !s.special[id] {
			t = strings.ReplaceAll(t, " ", metaSpace)
		}
		if other, twice := seen[t]; twice || !utf8.ValidString(t) {
			return nil, errors.Errorf("token %d %q: want UTF-8, and no other such token (%d)", id, t, other)
		}
		vocab[id], seen[t] = t, id
	}
	merges := []jsonMerge{}
	for _, slot := range s.pairs.sorted() {
		merges = append(merges, jsonMerge{vocab[slot.pair>>32], vocab[uint32(slot.pair)]})
	}
	words := vocab.words(s.config.Also, s.specials.list, func(t string) string { return t })
	f := &jsonWritten{Model: jsonWrittenModel{Type: "BPE", FuseUnknown: s.fuse, ByteFallback: true, Vocab: words, Merges: merges}}
	f.Model.Unknown = s.config.NoUnknown
	if s.unknown >= 0 {
		f.Model.Unknown = &vocab[s.unknown]
	}
	f.Version, f.AddedTokens = "1.0", addedTokens(s.specials.list)
	f.PostProcessor = template(s.before, s.after, vocab)
	if err := f.writeSpaces(s); err != nil {
		return nil, err
	}
	config := writtenConfig(f.AddedTokens, vocab, s.begin, s.end)
	return []writtenFile{
		{"tokenizer.json", func(w io.Writer) error { return encodeJSON(w, f, "  ") }},
		{"tokenizer_config.json", func(w io.Writer) error { return encodeJSON(w, config, "  ") }},
	}, nil
}

// writeSpaces is the reverse of spaces, with the decoder to it.
func (f *jsonWritten) writeSpaces(s *SentencePiece) error {
	replace := jsonStage{Type: "Replace", Pattern: &jsonPattern{String: " "}, Content: metaSpace}
	switch {
	case s.prefix && s.missing:
		scheme := "always"
		if s.first {
			scheme = "first"
		}
		f.PreTokenizer = &jsonStage{Type: "Metaspace", Replacement: metaSpace, PrependScheme: scheme, Split: new(false)}
	case s.prefix && s.first:
		return errors.New("PrefixFirst without PrefixMissing: want both or none")
	case s.prefix:
		f.Normalizer = &jsonStage{Type: "Sequence", Normalizers: []jsonStage{{Type: "Prepend", Prepend: metaSpace}, replace}}
	default:
		f.Normalizer = &replace
	}
	stages := []jsonStage{
		{Type: "Replace", Pattern: &jsonPattern{String: metaSpace}, Content: " "}, {Type: "ByteFallback"}, {Type: "Fuse"},
	}
	if s.prefix {
		stages = append(stages, jsonStage{Type: "Strip", Content: " ", Start: new(1), Stop: new(0)})
	}
	f.Decoder = &jsonStage{Type: "Sequence", Decoders: stages}
	return nil
}
