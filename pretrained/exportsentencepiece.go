package pretrained

import (
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/internal/gguf"
	"github.com/pkg/errors"
)

// pieceSpace stands for a space in the tokens of SentencePiece.
const pieceSpace = "▁"

// ggufByte is the type of a token that stands for a single byte.
const ggufByte = 6

// pieceMeta returns the metadata of a SentencePiece-style BPE. Reading it must give the same tokenizer.
func (e *export) pieceMeta(c token.SentencePieceConfig) ([]gguf.KV, error) {
	if c.Plain {
		c.Tokens = slices.Clone(c.Tokens)
		for i, t := range c.Tokens {
			if strings.Contains(t, pieceSpace) {
				return nil, errors.Errorf("a GGUF file cannot tell token %d, %q, from one with a space", i, t)
			}
			if c.Types[i] == ggufNormal {
				c.Tokens[i] = strings.ReplaceAll(t, " ", pieceSpace)
			}
		}
	}
	if len(c.Scores) == 0 {
		var err error
		if c.Scores, err = scoresOf(c); err != nil {
			return nil, err
		}
	}
	tokens, types := e.padTokens(c.Tokens, c.Types)
	scores := make([]float32, len(tokens))
	copy(scores, c.Scores)
	meta := []gguf.KV{{Key: tokenizerKey + "model", Value: "llama"}, {Key: tokenizerKey + "pre", Value: "default"}, {Key: tokenizerKey + "tokens", Value: tokens},
		{Key: tokenizerKey + "scores", Value: scores}, {Key: tokenizerKey + "token_type", Value: types},
		{Key: tokenizerKey + "add_bos_token", Value: len(c.Before) > 0}, {Key: tokenizerKey + "add_eos_token", Value: len(c.After) > 0},
		{Key: tokenizerKey + "add_space_prefix", Value: c.Prefix}}
	meta = append(meta, idMeta("bos_token_id", c.Begin)...)
	meta = append(meta, idMeta("unknown_token_id", c.Unknown)...)
	again, err := readTokenizer(append(slices.Clip(meta), idMeta("eos_token_id", c.End)...))
	if err != nil {
		return nil, err
	}
	s := again.(*token.SentencePiece).Config()
	bytes := 0
	for _, kind := range c.Types {
		if kind == ggufByte {
			bytes++
		}
	}
	return meta, sayable([]same{
		{"special tokens", slices.Equal(loose(c.Specials), loose(s.Specials))},
		{"tokens before a text", slices.Equal(c.Before, s.Before)},
		{"tokens after a text", slices.Equal(c.After, s.After)},
		{"space before a text", c.Prefix == s.Prefix && !c.PrefixFirst && !c.PrefixMissing},
		{"single token for several unknown characters", !c.FuseUnknown || bytes >= 256},
	})
}

// scoresOf returns scores that join tokens in the order of c's merges: −1 for the token of the first merge, −2 for the
// next one. Scores know no order among the merges to one token. They join any two tokens whose union is one. Merges
// that need more are an error.
func scoresOf(c token.SentencePieceConfig) ([]float32, error) {
	scores, ids := make([]float32, len(c.Tokens)), map[string]int{}
	for id, t := range c.Tokens {
		if c.Types[id] == ggufNormal {
			ids[t] = id
		}
	}
	last := float32(0)
	merges := make(map[[2]string]bool, len(c.Merges))
	for _, m := range c.Merges {
		id := ids[m[0]+m[1]]
		if scores[id] == 0 {
			last--
			scores[id] = last
		} else if scores[id] != last {
			return nil, errors.Errorf("a GGUF file cannot say the merge of %q and %q: other tokens come between it and another merge to the same token", m[0], m[1])
		}
		merges[m] = true
	}
	for id, t := range c.Tokens {
		if c.Types[id] != ggufNormal {
			continue
		}
		for cut := 1; cut < len(t); cut++ {
			pair := [2]string{t[:cut], t[cut:]}
			_, left := ids[pair[0]]
			_, right := ids[pair[1]]
			if left && right && !merges[pair] {
				return nil, errors.Errorf("a GGUF file cannot say that %q and %q are not merged, though the vocabulary has that token", pair[0], pair[1])
			}
		}
		if scores[id] == 0 {
			scores[id] = last - 1 - float32(id)
		}
	}
	return scores, nil
}
