package token

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// TestSmolLM2 holds the ids of the prompts of a real model: those on which llama.cpp and Hugging Face tokenizers agree.
// CETO_SMOLLM2 is the path of SmolLM2-135M-Instruct.Q4_1.gguf.
func TestSmolLM2(t *testing.T) {
	path := os.Getenv("CETO_SMOLLM2")
	if path == "" {
		t.Skip("CETO_SMOLLM2 is not set: no model")
	}
	tok, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b := tok.(*BPE)
	data, err := os.ReadFile(dataFile(t, "smollm2", "expected.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range bytes.Lines(data) {
		var v struct {
			Text string
			IDs  []int32 `json:"prompt_ids"`
		}
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		n++
		ids, err := b.EncodeWith([]byte(v.Text), Options{Add: true})
		if err != nil || !slices.Equal(ids, v.IDs) {
			t.Errorf("prompt %d %q: %v, ids\n%d, want\n%d", n, v.Text, err, ids, v.IDs)
		}
		if got := b.Decode(ids); string(got) != v.Text {
			t.Errorf("prompt %d: decoded %q, want %q", n, got, v.Text)
		}
	}
	if n == 0 {
		t.Error("no prompts")
	}
	begin, ok := b.Begin()
	end, ok2 := b.End()
	if begin != 1 || end != 2 || !ok || !ok2 || b.Vocab() != 49152 || len(b.Specials()) != 17 {
		t.Errorf("begin %d %v, end %d %v, %d tokens, %d special: want 1, 2, 49152, 17", begin, ok, end, ok2, b.Vocab(), len(b.Specials()))
	}
}
