package token

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/gguf"
)

// ggufOf makes the metadata of a file.
func ggufOf(t *testing.T, meta map[string]any) *gguf.File {
	t.Helper()
	var list []gguf.KV
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		if meta[key] != nil {
			list = append(list, gguf.KV{Key: "tokenizer.ggml." + key, Value: meta[key]})
		}
	}
	var file bytes.Buffer
	if err := gguf.Write(&file, list, nil); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Parse(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// smallGGUF has the tokens "a", "b", " ", "ab", "<e>" (control) and "<w>" (an added word).
func smallGGUF() map[string]any {
	return map[string]any{
		"model": "gpt2", "pre": "gpt-2", "tokens": []string{"a", "b", "Ġ", "ab", "<e>", "<w>"}, "token_type": []int32{1, 1, 1, 1, 3, 4},
		"merges": []string{"a b"}, "bos_token_id": uint32(4), "eos_token_id": uint32(5),
	}
}

func TestFromGGUF(t *testing.T) {
	for _, c := range []struct {
		key   string
		value any // nil: the key is absent
		want  string
	}{
		{"model", "gpt2", "[2 3 4 2 3 5]"},
		{"token_type", nil, "[2 3 2 3]"},
		{"add_bos_token", true, "[4 2 3 4 2 3 5]"},
		{"add_eos_token", true, "[2 3 4 2 3 5 5]"},
		{"pre", "llama-bpe", "[4 2 3 4 2 3 5]"}, // adds a begin token unless the file says no
		{"pre", nil, "[2 3 4 2 3 5]"},
		{"pre", "no", `pre-tokenizer "no" is not known`},
		{"model", "bert", `tokenizer.ggml.model "bert": want gpt2 or llama`},
		{"model", nil, `tokenizer.ggml.model "": want gpt2 or llama`},
		{"model", "llama", "no tokenizer.ggml.scores"},
		{"tokens", nil, "no tokenizer.ggml.tokens"},
		{"tokens", []string{}, "token_type for 0 tokens"},
		{"tokens", []string{"a", "a", "Ġ", "ab", "<e>", "<w>"}, `tokens 0 and 1 are both "a"`},
		{"token_type", []int32{1}, "1 tokenizer.ggml.token_type for 6 tokens"},
		{"merges", nil, "no tokenizer.ggml.merges"},
		{"merges", []string{"ab"}, `merge "ab"`},
		{"merges", []string{"b b"}, `merge 0 of "b" and "b"`},
		{"bos_token_id", uint32(6), "[2 3 4 2 3 5]"}, // such a token never comes
	} {
		meta := smallGGUF()
		meta[c.key] = c.value
		tok, err := FromGGUF(ggufOf(t, meta))
		got := fmt.Sprint(err)
		if err == nil {
			ids, err := tok.EncodeWith([]byte(" ab<e> ab<w>"), Options{Add: true})
			got = fmt.Sprint(ids)
			if err != nil {
				got = err.Error()
			}
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s = %v: %s, want %s", c.key, c.value, got, c.want)
		}
	}
}

func TestFromGGUFLlama(t *testing.T) {
	meta := map[string]any{
		"model": "llama", "tokens": []string{"<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁a", "<0xC3>", "<0xA9>"},
		"scores":     []float32{0, 0, 0, -1, -2, -3, -4, -5, 0, 0},
		"token_type": []int32{2, 3, 3, 1, 1, 1, 1, 1, 6, 6}, "bos_token_id": uint32(1), "eos_token_id": uint32(2), "unknown_token_id": uint32(0),
	}
	for _, c := range []struct {
		key   string
		value any
		text  string
		want  string
	}{
		{"model", "llama", "aba", "[1 3 6 4]"},
		{"model", "llama", "é</s>b", "[1 3 8 9 2 3 5]"},
		{"add_bos_token", false, "a", "[7]"},
		{"add_space_prefix", false, "ab", "[1 6]"},
		{"add_eos_token", true, "a", "[1 7 2]"},
	} {
		meta := maps.Clone(meta)
		meta[c.key] = c.value
		tok, err := FromGGUF(ggufOf(t, meta))
		if err != nil {
			t.Fatal(err)
		}
		ids, err := tok.EncodeWith([]byte(c.text), Options{Add: true})
		if got := fmt.Sprint(ids); err != nil || got != c.want {
			t.Errorf("%s = %v, %q: %v, %s, want %s", c.key, c.value, c.text, err, got, c.want)
		}
	}
}

func TestSplitterName(t *testing.T) {
	for _, name := range []string{"gpt-2", "smollm", "llama-bpe", "qwen2", "gpt-4o", "tekken"} {
		split, err := SplitterNamed(name)
		if got, ok := SplitterName(split); err != nil || got != name || !ok {
			t.Errorf("%s: %v, %q, %v", name, err, got, ok)
		}
	}
	for _, split := range [][]Splitter{nil, {Digits}, {GPT2, GPT2}} {
		if got, ok := SplitterName(split); ok {
			t.Errorf("%d splitters without a name: %q", len(split), got)
		}
	}
}

func FuzzFromGGUF(f *testing.F) {
	f.Add("a b Ġ ab <e> <w>", "\x01\x01\x01\x01\x03\x04", "a b", "gpt2", "smollm", int32(4), " ab<e>1")
	f.Add("<unk> ▁ a ▁a <0xC3>", "\x02\x01\x01\x01\x06", "x y", "llama", "", int32(0), "a é")
	f.Fuzz(func(t *testing.T, tokens, types, merges, model, pre string, begin int32, text string) {
		meta := map[string]any{
			"model": model, "pre": pre, "tokens": strings.Split(tokens, " "), "merges": strings.Split(merges, ","),
			"bos_token_id": begin, "scores": make([]float32, len(strings.Split(tokens, " "))),
		}
		kinds := []int32{}
		for _, k := range []byte(types) {
			kinds = append(kinds, int32(k))
		}
		meta["token_type"] = kinds
		tok, err := FromGGUF(ggufOf(t, meta))
		if err != nil {
			return
		}
		ids, _, err := tok.Offsets([]byte(text), Options{Add: true})
		if err != nil {
			t.Fatal(err)
		}
		tok.Decode(ids)
	})
}
