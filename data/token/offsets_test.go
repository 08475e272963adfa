package token

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// foreign is a tokenizer that does not tell offsets.
type foreign struct{ Tokenizer }

// TestOffsets: for tokenizers of each kind the ids are those of Encode. The spans joined are the text, and each is what
// its id decodes to.
func TestOffsets(t *testing.T) {
	letters := []rune("ab é€😀北 京\n\t.0")
	char, err := NewChar([]byte(string(letters)))
	if err != nil {
		t.Fatal(err)
	}
	toks := map[string]Tokenizer{"byte": Byte{}, "byte's address": &Byte{}, "char": char, "gpt2": openGolden(t, "gpt2"), "smollm": openGolden(t, "smollm"), "llama2": openGolden(t, "llama2")}
	for name, tok := range toks {
		for seed := range uint64(50) {
			r := rand.New(rand.NewPCG(seed, 2))
			var text []byte
			for range r.IntN(40) {
				text = append(text, string(letters[r.IntN(len(letters))])...)
			}
			ids, spans, err := Offsets(tok, text, Options{})
			want, err2 := tok.Encode(text)
			if err != nil || err2 != nil || !slices.Equal(ids, want) || len(spans) != len(ids) {
				t.Fatalf("%s: %q: %d ids, %d spans, %v; Encode gives %d, %v", name, text, len(ids), len(spans), err, len(want), err2)
			}
			var joined []byte
			for i, s := range spans {
				joined = append(joined, text[s[0]:s[1]]...)
				if piece := string(tok.Decode(ids[i : i+1])); name != "llama2" && piece != string(text[s[0]:s[1]]) {
					t.Errorf("%s: %q: id %d is %q, its span %q", name, text, ids[i], piece, text[s[0]:s[1]])
				}
			}
			if string(joined) != string(text) {
				t.Errorf("%s: %q: the spans joined are %q", name, text, joined)
			}
		}
	}
	if _, _, err := Offsets(char, []byte("ax"), Options{}); err == nil || !strings.Contains(err.Error(), `character 'x' at offset 1`) {
		t.Errorf("a character that has no id: %v", err)
	}
	if ids, spans, err := Offsets(foreign{Byte{}}, []byte("ab"), Options{}); err == nil || !strings.Contains(err.Error(), "token: Offsets of a byte: want") {
		t.Errorf("another's tokenizer: %v %v, %v", ids, spans, err)
	}
}
