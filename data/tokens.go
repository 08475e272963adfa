package data

import (
	"math"
	"slices"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/pkg/errors"
)

// maxShort is the largest vocabulary whose ids fit in 2 bytes.
const maxShort = math.MaxUint16 + 1

// TokenWidth is the number of bytes that an id of a vocabulary takes in a token file: 2 for up to 65,536 ids, else 4.
func TokenWidth(vocab int) int {
	if vocab > maxShort {
		return 4
	}
	return 2
}

// tokens are ids in memory or in a mapped file, of 2 or of 4 bytes: one of the two slices is empty.
type tokens struct {
	short []uint16
	wide  []uint32
}

func (t tokens) len() int { return len(t.short) + len(t.wide) }

// slice returns the ids from place i up to place j.
func (t tokens) slice(i, j int) tokens {
	if t.wide != nil {
		return tokens{wide: t.wide[i:j:j]}
	}
	return tokens{short: t.short[i:j:j]}
}

// append returns a copy of both, in 4 bytes where one of them has 4.
func (t tokens) append(u tokens) tokens {
	if t.wide == nil && u.wide == nil {
		return tokens{short: append(slices.Clip(t.short), u.short...)}
	}
	return tokens{wide: slices.Concat(t.widened(), u.widened())}
}

func (t tokens) widened() []uint32 {
	if t.wide != nil {
		return t.wide
	}
	return appendIDs(make([]uint32, 0, len(t.short)), t.short)
}

// max is the largest id, 0 where there is none.
func (t tokens) max() int64 {
	switch {
	case len(t.wide) > 0:
		return int64(slices.Max(t.wide))
	case len(t.short) > 0:
		return int64(slices.Max(t.short))
	}
	return 0
}

// appendTo appends the ids to to.
func (t tokens) appendTo(to []int32) []int32 { return appendIDs(appendIDs(to, t.short), t.wide) }

// source returns windows over the ids.
func (t tokens) source(seed uint64, context, vocab int, random bool) Source {
	if t.wide != nil {
		return newWindows(seed, t.wide, context, vocab, random)
	}
	return newWindows(seed, t.short, context, vocab, random)
}

// encode returns the ids of all texts, in the width that the tokenizer's vocabulary needs.
func encode(t token.Tokenizer, docs []document) (all tokens, err error) {
	wide := TokenWidth(t.Vocab()) == 4
	for _, p := range docs {
		ids, err := t.Encode(p.text)
		if err != nil {
			return tokens{}, errors.Wrapf(err, "data: Text: %s", p.path)
		}
		if wide {
			all.wide = appendIDs(all.wide, ids)
		} else {
			all.short = appendIDs(all.short, ids)
		}
	}
	return all, nil
}

// appendIDs appends ids in another width.
func appendIDs[To, From int32 | uint16 | uint32](to []To, from []From) []To {
	to = slices.Grow(to, len(from))
	for _, id := range from {
		to = append(to, To(id))
	}
	return to
}
