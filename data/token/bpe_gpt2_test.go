package token

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// dataFile is the path of a real file under CETO_DATA, without which the test is skipped.
func dataFile(t testing.TB, path ...string) string {
	t.Helper()
	root := os.Getenv("CETO_DATA")
	if root == "" {
		t.Skip("CETO_DATA is not set: no real data")
	}
	p := filepath.Join(append([]string{root}, path...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("real data: %v", err)
	}
	return p
}

var loadGPT2 = sync.OnceValues(func() (Tokenizer, error) {
	return Open(filepath.Join(os.Getenv("CETO_DATA"), "gpt2-tokenizer"))
})

func gpt2(t testing.TB) *BPE {
	t.Helper()
	dataFile(t, "gpt2-tokenizer", "vocab.bpe")
	b, err := loadGPT2()
	if err != nil {
		t.Fatal(err)
	}
	return b.(*BPE)
}

func TestGPT2Vectors(t *testing.T) {
	b := gpt2(t)
	data, err := os.ReadFile(dataFile(t, "gpt2-tokenizer", "vectors.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range bytes.Lines(data) {
		var v struct {
			Text    string
			IDs     []int32
			Special bool
		}
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		n++
		o := Options{Policy: AsText}
		if v.Special {
			o.Policy = Parse
		}
		ids, err := b.EncodeWith([]byte(v.Text), o)
		if err != nil || !slices.Equal(ids, v.IDs) {
			t.Errorf("vector %d %q: %v, ids\n%d, want\n%d", n, v.Text, err, ids, v.IDs)
		}
		if got := b.Decode(ids); string(got) != v.Text {
			t.Errorf("vector %d: decoded %q, want %q", n, got, v.Text)
		}
	}
	if n != 110 {
		t.Errorf("%d vectors, want 110", n)
	}
}

// TestGPT2Shakespeare counts the tokens of Tiny Shakespeare: 338,025 by tiktoken and by nanoGPT's README.
func TestGPT2Shakespeare(t *testing.T) {
	b := gpt2(t)
	text, err := os.ReadFile(dataFile(t, "tinyshakespeare", "input.txt"))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := b.Encode(text)
	if err != nil || len(ids) != 338025 {
		t.Errorf("%v, %d tokens, want 338025", err, len(ids))
	}
	if !bytes.Equal(b.Decode(ids), text) {
		t.Error("decoded text differs")
	}
}

func BenchmarkEncode(b *testing.B) {
	t := gpt2(b)
	text, err := os.ReadFile(dataFile(b, "tinyshakespeare", "input.txt"))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := t.Encode(text); err != nil {
			b.Fatal(err)
		}
	}
}
