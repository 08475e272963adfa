package token

import "github.com/pkg/errors"

// sentencePiece makes the tokenizer of a BPE whose tokens are characters and that writes spaces as ▁: Llama 2's and
// Mistral's. Their older files put the ▁ there by normalizers, newer ones by the pre-tokenizer Metaspace.
func (f *jsonFile) sentencePiece(m jsonModel, config configFile) (Subword, error) {
	if m.IgnoreMerges {
		return nil, errors.New("model: ignore_merges without ByteLevel: want one of them")
	}
	var b BPEConfig
	if err := f.common(&b, m, config, f.added(m.Vocab, config)); err != nil {
		return nil, err
	}
	c := SentencePieceConfig{
		Specials: b.Specials, Before: b.Before, After: b.After, Begin: b.Begin, End: b.End, Unknown: b.Unknown, FuseUnknown: m.FuseUnknown,
		NoUnknown: b.NoUnknown,
	}
	if c.Specials == nil {
		c.Specials = []Special{} // none: not those of the types
	}
	var err error
	if c.Tokens, c.Also, err = byID(m.Vocab, b.Specials, false); err != nil {
		return nil, err
	}
	for _, pair := range m.Merges {
		c.Merges = append(c.Merges, pair)
	}
	if err := f.spaces(&c); err != nil {
		return nil, err
	}
	s, err := NewSentencePiece(c)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// spaces reads where a ▁ is put before a text, and checks that spaces become ▁ and nothing else changes.
func (f *jsonFile) spaces(c *SentencePieceConfig) error {
	replaced := false
	for _, s := range f.Normalizer.flat() {
		switch {
		case s.Type == "Prepend" && s.Prepend == metaSpace:
			c.Prefix = true
		case s.Type == "Replace" && s.Pattern != nil && s.Pattern.String == " " && s.Content == metaSpace:
			replaced = true
		default:
			return errors.Errorf("normalizer %s: want a Prepend of ▁ and a Replace of the space by it", s)
		}
	}
	for _, s := range f.PreTokenizer.flat() {
		if s.Type != "Metaspace" || s.Replacement != metaSpace || is(s.Split, true) {
			return errors.Errorf("pre_tokenizer %s: want none, or a Metaspace with ▁ that does not split", s)
		}
		replaced = true
		switch scheme := s.PrependScheme; {
		case scheme == "always" || scheme == "" && is(s.AddPrefixSpace, true):
			c.Prefix, c.PrefixMissing = true, true
		case scheme == "first":
			c.Prefix, c.PrefixFirst, c.PrefixMissing = true, true, true
		case scheme != "never" && scheme != "":
			return errors.Errorf("pre_tokenizer Metaspace: prepend_scheme %q: want always, first or never", scheme)
		}
	}
	if !replaced {
		return errors.Errorf("normalizer %s, pre_tokenizer %s: want one that writes spaces as ▁", f.Normalizer, f.PreTokenizer)
	}
	return nil
}
