package token

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files that the rows of TestOpen lay out.
const (
	vocabJSON  = `{"a":0,"b":1,"Ġ":2,"ab":3,"1":4,"2":5,"12":6,"<s>":7,"é":8,"Ì":9,"ģ":10,"e":11,"Ã":12,"©":13,"<|endoftext|>":14}`
	mergesTXT  = "#version: 0.2\na b\r\n\n1 2\n"
	configJSON = `{"bos_token":{"content":"<s>"},"eos_token":"<|endoftext|>"%s}`
)

// An openRow lays files into a folder and encodes a text with Options.Add.
type openRow struct {
	name  string
	files map[string]string
	open  string // beside the folder; "" for the folder itself
	text  string
	want  string // the ids, begin and end, or the error
}

func openRows() []openRow {
	vocab := map[string]string{"vocab.json": vocabJSON, "merges.txt": mergesTXT}
	config := func(more string) map[string]string {
		files := maps.Clone(vocab)
		files["tokenizer_config.json"] = fmt.Sprintf(configJSON, more)
		return files
	}
	class := func(name, more string) map[string]string {
		return map[string]string{"tokenizer.json": smallJSON, "tokenizer_config.json": fmt.Sprintf(`{"tokenizer_class":%q,"bos_token":"<e>"%s}`, name, more)}
	}
	ab := `{"kind":"char","chars":"ab"}`
	return []openRow{
		{"vocab.json", vocab, "", "ab 12<|endoftext|>", "[3 2 6 14] 14 14"},
		{"merges.txt by name", vocab, "merges.txt", "ab 12", "[3 2 6] 14 14"},
		{"encoder.json", map[string]string{"encoder.json": vocabJSON, "vocab.bpe": mergesTXT}, "", "ab", "[3] 14 14"},
		{"vocab.bpe by name", map[string]string{"encoder.json": vocabJSON, "vocab.bpe": mergesTXT}, "vocab.bpe", "ab", "[3] 14 14"},
		{"config", config(""), "", "<s>ab", "[7 3] 7 14"},
		{"add_bos_token", config(`,"add_bos_token":true,"add_eos_token":true`), "", "ab", "[7 3 14] 7 14"},
		{"add_prefix_space", config(`,"add_prefix_space":true`), "", "ab", "[2 3] 7 14"},
		{"Qwen 2", config(`,"tokenizer_class":"Qwen2Tokenizer"`), "", "12e\u0301", "[4 5 12 13] 7 14"},
		{"added", config(`,"added_tokens_decoder":{"15":{"content":"ba"}}`), "", "aba", "[0 15] 7 14"},
		{"added in the wrong place", config(`,"added_tokens_decoder":{"16":{"content":"ba"}}`), "", "ba", "[15] 7 14"},
		{"added with a bad id", config(`,"added_tokens_decoder":{"x":{"content":"ba"}}`), "", "", `added_tokens_decoder: key "x"`},
		{"bos is unknown", map[string]string{"vocab.json": vocabJSON, "merges.txt": mergesTXT, "tokenizer_config.json": `{"bos_token":"<t>","add_bos_token":true}`}, "", "a<t>", "[15 0 15] 15 -1"},
		{"config is broken", map[string]string{"vocab.json": vocabJSON, "merges.txt": mergesTXT, "tokenizer_config.json": `[`}, "", "", "tokenizer_config.json: unexpected end"},
		{"vocab is broken", map[string]string{"vocab.json": `{"a":`, "merges.txt": mergesTXT}, "", "", "vocab.json: unexpected end"},
		{"no merges", map[string]string{"vocab.json": vocabJSON}, "", "", "merges.txt"},
		{"bad merges", map[string]string{"vocab.json": vocabJSON, "merges.txt": "a b\n\nab"}, "", "", `merges.txt: line 3: merge "ab"`},
		{"tokenizer.json first", map[string]string{"tokenizer.json": smallJSON, "vocab.json": "no"}, "", "ab<e>", "[3 4] -1 -1"},
		{"tokenizer.json broken", map[string]string{"tokenizer.json": `{`}, "", "", "tokenizer.json: unexpected end"},
		{"any .json by name", map[string]string{"my.json": smallJSON}, "my.json", "ab", "[3] -1 -1"},
		{"Llama adds", class("LlamaTokenizerFast", ""), "", "ab", "[4 3] 4 5"},
		{"Llama does not", class("LlamaTokenizerFast", `,"add_bos_token":false`), "", "ab", "[3] 4 5"},
		{"others do not", class("GPT2Tokenizer", `,"add_bos_token":true`), "", "ab", "[3] 4 5"},
		{"added in both", class("GPT2Tokenizer", `,"added_tokens_decoder":{"4":{"content":"<e>"},"5":{"content":"ba"}}`), "", "ba<e>", "[5 4] 4 6"},
		{"merges of #version", map[string]string{"vocab.json": `{"#":0,"v":1,"#v":2,"#version":3,"ersion":4}`, "merges.txt": "# v\n#v ersion\n#version #"}, "", "", `merge 2 of "#version" and "#"`},
		{"ceto", map[string]string{FileName: ab}, "", "ba", "[1 0]"},
		{"ceto by name", map[string]string{FileName: ab}, FileName, "ba", "[1 0]"},
		{"nothing", map[string]string{"config.json": "{}"}, "", "", "no tokenizer.json, vocab.json"},
		{"tokenizer.model", map[string]string{"tokenizer.model": "x"}, "", "", "tokenizer.model alone is not read"},
		{"two", map[string]string{"a.gguf": "", "b.gguf": ""}, "", "", "2 files *.gguf: want one"},
		{"gguf", map[string]string{"a.gguf": "GGUF"}, "", "", "a.gguf"},
		{"bin", map[string]string{"tok512.bin": "x"}, "", "", "tok512.bin"},
		{"unknown", map[string]string{"a.model": "x"}, "a.model", "", "want a .json, .gguf or .bin file"},
		{"absent", nil, "a.json", "", "no such file"},
	}
}

func TestOpen(t *testing.T) {
	for _, c := range openRows() {
		dir := filepath.Join(t.TempDir(), "[a]*") // no pattern
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		for name, content := range c.files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if got := openAndEncode(filepath.Join(dir, c.open), c.text); got != c.want && !(strings.HasPrefix(got, "token: ") && strings.Contains(got, c.want)) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: error %v, want fs.ErrNotExist", err)
	}
}

func openAndEncode(path, text string) string {
	tok, err := Open(path)
	if err != nil {
		return err.Error()
	}
	s, ok := tok.(Subword)
	if !ok {
		ids, err := tok.Encode([]byte(text))
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(ids)
	}
	ids, err := s.EncodeWith([]byte(text), Options{Add: true})
	if err != nil {
		return err.Error()
	}
	begin, _ := s.Begin()
	end, _ := s.End()
	return fmt.Sprint(ids, begin, end)
}
