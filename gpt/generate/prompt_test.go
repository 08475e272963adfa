package generate_test

import (
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
)

// TestPromptIDs: the begin token comes once, where the files ask for it or nothing else is there.
func TestPromptIDs(t *testing.T) {
	const begin, end = 256, 257
	bpe := func(change func(c *token.BPEConfig)) token.Tokenizer {
		c := token.BPEConfig{Specials: []token.Special{{ID: begin, Text: "<s>", Special: true}, {ID: end, Text: "</s>", Special: true}}}
		for b := range 256 {
			c.Tokens = append(c.Tokens, string([]byte{byte(b)}))
		}
		c.Tokens = append(c.Tokens, "<s>", "</s>")
		change(&c)
		b, err := token.NewBPE(c)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first, last := int32(begin), int32(end)
	adds := bpe(func(c *token.BPEConfig) { c.Before, c.Begin, c.End = []int32{begin}, &first, &last })
	has := bpe(func(c *token.BPEConfig) { c.Begin, c.End = &first, &last })
	ends := bpe(func(c *token.BPEConfig) { c.End = &last })
	none := bpe(func(*token.BPEConfig) {})
	for _, c := range []struct {
		name   string
		t      token.Tokenizer
		prompt string
		policy token.Policy
		want   []int32
	}{
		{"adds", adds, "ab", token.Parse, []int32{begin, 'a', 'b'}},
		{"adds, and has it", adds, "<s>ab", token.Parse, []int32{begin, 'a', 'b'}},
		{"adds, as text", adds, "b<s>", token.AsText, []int32{begin, 'b', '<', 's', '>'}},
		{"adds, empty", adds, "", token.Parse, []int32{begin}},
		{"does not add", has, "ab", token.Parse, []int32{'a', 'b'}},
		{"does not add, written", has, "a<s></s>", token.Parse, []int32{'a', begin, end}},
		{"does not add, empty", has, "", token.Parse, []int32{begin}},
		{"an end alone, empty", ends, "", token.Parse, []int32{end}},
		{"neither, empty", none, "", token.Parse, []int32{'\n'}},
		{"bytes", token.Byte{}, "ab", token.Parse, []int32{'a', 'b'}},
		{"bytes, empty", token.Byte{}, "", token.Parse, []int32{'\n'}},
		{"refuses", adds, "a</s>", token.Refuse, nil},
	} {
		got, err := generate.PromptIDs(c.t, c.prompt, c.policy)
		if !slices.Equal(got, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
	}
}
