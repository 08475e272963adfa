package token

import (
	"fmt"

	"github.com/pkg/errors"
)

// A jsonStage is a normalizer, pre-tokenizer, post-processor or decoder of a tokenizer.json. Type says which fields it
// has. A nil one does nothing.
type jsonStage struct {
	Type string `json:"type"`

	Normalizers   []jsonStage `json:"normalizers,omitempty"`   // Sequence
	Pretokenizers []jsonStage `json:"pretokenizers,omitempty"` // Sequence
	Processors    []jsonStage `json:"processors,omitempty"`    // Sequence
	Decoders      []jsonStage `json:"decoders,omitempty"`      // Sequence; written only

	AddPrefixSpace *bool `json:"add_prefix_space,omitempty"` // ByteLevel
	TrimOffsets    *bool `json:"trim_offsets,omitempty"`     // ByteLevel
	UseRegex       *bool `json:"use_regex,omitempty"`        // ByteLevel

	Pattern    *jsonPattern `json:"pattern,omitempty"`  // Split, Replace
	Behavior   string       `json:"behavior,omitempty"` // Split
	Invert     *bool        `json:"invert,omitempty"`   // Split
	Individual *bool        `json:"individual_digits,omitempty"`

	Prepend       string `json:"prepend,omitempty"`        // Prepend
	Content       string `json:"content,omitempty"`        // Replace, Strip
	Start         *int   `json:"start,omitempty"`          // Strip
	Stop          *int   `json:"stop,omitempty"`           // Strip
	Replacement   string `json:"replacement,omitempty"`    // Metaspace
	PrependScheme string `json:"prepend_scheme,omitempty"` // Metaspace
	Split         *bool  `json:"split,omitempty"`          // Metaspace

	Single        []jsonItem           `json:"single,omitempty"`         // TemplateProcessing
	Pair          []jsonItem           `json:"pair,omitempty"`           // TemplateProcessing
	SpecialTokens map[string]jsonToIDs `json:"special_tokens,omitempty"` // TemplateProcessing
}

// jsonPattern is a regular expression or a string.
type jsonPattern struct {
	String string `json:"String,omitempty"`
	Regex  string `json:"Regex,omitempty"`
}

// jsonItem is one place of a template: a special token or the text.
type jsonItem struct {
	SpecialToken *jsonTypeID `json:"SpecialToken,omitempty"`
	Sequence     *jsonTypeID `json:"Sequence,omitempty"`
}

// jsonTypeID names a special token, or the sequence A or B. The type is of no use to models that generate.
type jsonTypeID struct {
	ID     string `json:"id"`
	TypeID int    `json:"type_id"`
}

// jsonToIDs are the ids of a special token of a template.
type jsonToIDs struct {
	ID     string   `json:"id"`
	IDs    []int32  `json:"ids"`
	Tokens []string `json:"tokens"`
}

// String names a stage in errors.
func (s *jsonStage) String() string {
	if s == nil {
		return "null"
	}
	return fmt.Sprintf("%q", s.Type)
}

// flat lists the stages of a sequence and of the sequences in it.
func (s *jsonStage) flat() []*jsonStage {
	if s == nil {
		return nil
	}
	if s.Type != "Sequence" {
		return []*jsonStage{s}
	}
	var list []*jsonStage
	for _, in := range [][]jsonStage{s.Normalizers, s.Pretokenizers, s.Processors} {
		for i := range in {
			list = append(list, in[i].flat()...)
		}
	}
	return list
}

// contains tells whether a stage of a type is among those of s.
func (s *jsonStage) contains(kind string) bool {
	for _, x := range s.flat() {
		if x.Type == kind {
			return true
		}
	}
	return false
}

// is returns the value of an optional flag.
func is(flag *bool, unset bool) bool {
	if flag == nil {
		return unset
	}
	return *flag
}

// splitters turns a pre-tokenizer that contains ByteLevel into splitters.
func (s *jsonStage) splitters(c *BPEConfig) error {
	stages := s.flat()
	for i, x := range stages {
		switch x.Type {
		case "ByteLevel":
			if is(x.AddPrefixSpace, true) && i > 0 || i+1 < len(stages) {
				return errors.Errorf("pre_tokenizer: ByteLevel as number %d of %d: want it last, and without add_prefix_space behind another", i+1, len(stages))
			}
			c.PrefixSpace = is(x.AddPrefixSpace, true)
			if is(x.UseRegex, true) {
				c.Split = append(c.Split, GPT2)
			}
		case "Digits":
			if is(x.Individual, false) {
				c.Split = append(c.Split, Digits)
			} else {
				c.Split = append(c.Split, DigitRuns)
			}
		case "Split":
			split, err := x.split()
			if err != nil {
				return errors.Wrap(err, "pre_tokenizer: Split")
			}
			c.Split = append(c.Split, split)
		default:
			return errors.Errorf("pre_tokenizer %s: want ByteLevel, Split, Digits or a Sequence of them", x)
		}
	}
	return nil
}

// split returns the splitter of a Split. The patterns of all but digits match every character. For them the pieces are
// the matches, whether they are isolated or whatever is between them is removed.
func (s *jsonStage) split() (Splitter, error) {
	if s.Pattern == nil || s.Pattern.Regex == "" {
		return nil, errors.New("want a pattern that is a Regex")
	}
	split, err := SplitterOf(s.Pattern.Regex)
	if err != nil {
		return nil, err
	}
	isolated := s.Behavior == "Isolated" && !is(s.Invert, false)
	removed := s.Behavior == "Removed" && is(s.Invert, false) && !sameSplitter(split, Digits) && !sameSplitter(split, DigitRuns)
	if !isolated && !removed {
		return nil, errors.Errorf("behavior %q, invert %v, pattern %q: want Isolated, or Removed inverted where the pattern matches all", s.Behavior, is(s.Invert, false), s.Pattern.Regex)
	}
	return split, nil
}

// around fills in the tokens that a post-processor puts around a text.
func (s *jsonStage) around(c *BPEConfig) error {
	for _, x := range s.flat() {
		switch x.Type {
		case "ByteLevel": // trims offsets, which ours never are
		case "TemplateProcessing":
			if len(c.Before)+len(c.After) > 0 {
				return errors.New("post_processor: two templates, want one")
			}
			to := &c.Before
			for _, item := range x.Single {
				switch {
				case item.SpecialToken != nil:
					t, ok := x.SpecialTokens[item.SpecialToken.ID]
					if !ok {
						return errors.Errorf("post_processor: TemplateProcessing: %q is not among its special_tokens", item.SpecialToken.ID)
					}
					*to = append(*to, t.IDs...)
				case item.Sequence != nil && item.Sequence.ID == "A" && to == &c.Before:
					to = &c.After
				default:
					return errors.New("post_processor: TemplateProcessing: want special tokens and the sequence A, once")
				}
			}
		default:
			return errors.Errorf("post_processor %s: want ByteLevel, TemplateProcessing or a Sequence of them", x)
		}
	}
	return nil
}
