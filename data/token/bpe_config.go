package token

import (
	"maps"
	"reflect"
	"slices"
)

// Config returns what the tokenizer was made of, the reverse of [NewBPE], for those who write it into other files. The
// caller owns its slices.
func (b *BPE) Config() BPEConfig {
	c := BPEConfig{
		Tokens: slices.Clone(b.tokens), Split: slices.Clone(b.split), Specials: b.Specials(),
		Before: slices.Clone(b.before), After: slices.Clone(b.after),
		Also: maps.Clone(b.also), NoUnknown: b.noUnknown,
		FuseUnknown: b.fuseUnknown, NFC: b.nfc, IgnoreMerges: b.ignore, PrefixSpace: b.prefixSpace,
	}
	c.Merges = slices.Clone(b.merges)
	if b.merges != nil {
		return b.ends(c)
	}
	for _, s := range b.pairs.sorted() {
		c.Merges = append(c.Merges, [2]string{b.tokens[s.pair>>32], b.tokens[uint32(s.pair)]})
	}
	return b.ends(c)
}

// ends fills in the optional ids.
func (b *BPE) ends(c BPEConfig) BPEConfig {
	for _, x := range []struct {
		id int32
		to **int32
	}{{b.begin, &c.Begin}, {b.end, &c.End}, {b.unknown, &c.Unknown}} {
		if x.id >= 0 {
			id := x.id
			*x.to = &id
		}
	}
	return c
}

// SplitterName is the reverse of [SplitterNamed]. It returns the name that GGUF files give splitters of this package,
// and false where there is none.
func SplitterName(split []Splitter) (string, bool) {
	for _, name := range []string{"gpt-2", "smollm", "llama-bpe", "qwen2", "gpt-4o", "tekken"} {
		if slices.EqualFunc(split, stages[name], sameSplitter) {
			return name, true
		}
	}
	return "", false
}

// sameSplitter compares functions by their code, as the language does not.
func sameSplitter(a, b Splitter) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}
