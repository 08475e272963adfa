package pretrained

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/pkg/errors"
)

// tokenModel writes a folder with a tiny model and the given files, and opens it.
func tokenModel(t *testing.T, vocab int, files map[string]string, tok token.Subword) *Source {
	t.Helper()
	c := folderConfig
	c.Vocab, c.GELUErf = vocab, false
	dir := writeModel(t, c, graph.Float32, func(ts []safetensors.Tensor) []safetensors.Tensor { return ts })
	if tok != nil {
		if err := token.Save(dir, tok); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

const tokenText = "It's 2024: the fox, the foxes; der Füchse 12345 größer als 你好 🙂\n\n\tthe  end<|end|>the"

// trained is a small BPE; change makes another one of it.
func trained(t *testing.T, change func(c *token.BPEConfig)) *token.BPE {
	t.Helper()
	b, err := token.Train([][]byte{[]byte(strings.Repeat(tokenText, 3))}, token.TrainOptions{Vocab: 300, Split: []token.Splitter{token.GPT2}, Specials: []string{"<|end|>"}})
	if err != nil {
		t.Fatal(err)
	}
	c := b.Config()
	change(&c)
	if b, err = token.NewBPE(c); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestExportTokenizer writes a tokenizer into a GGUF file and back into a folder. Its settings and the ids that it
// gives stay, or the error names what a file cannot say.
func TestExportTokenizer(t *testing.T) {
	zero := int32(0)
	for _, c := range []struct {
		name   string
		change func(c *token.BPEConfig)
		want   string // of the error
	}{
		{"gpt-2", func(c *token.BPEConfig) {}, ""},
		{"smollm", func(c *token.BPEConfig) { c.Split = []token.Splitter{token.Digits, token.GPT2} }, ""},
		{"llama-bpe", func(c *token.BPEConfig) { c.Split, c.IgnoreMerges = []token.Splitter{token.Llama3}, true }, ""},
		{"llama-bpe, merged", func(c *token.BPEConfig) { c.Split = []token.Splitter{token.Llama3} }, ""},
		{"qwen2", func(c *token.BPEConfig) { c.Split, c.NFC = []token.Splitter{token.Qwen2}, true }, ""},
		{"qwen2, not normalized", func(c *token.BPEConfig) { c.Split = []token.Splitter{token.Qwen2} }, ""},
		{"gpt-4o", func(c *token.BPEConfig) { c.Split = []token.Splitter{token.O200K} }, ""},
		{"tekken", func(c *token.BPEConfig) { c.Split, c.IgnoreMerges = []token.Splitter{token.Tekken}, true }, ""},
		{"around", func(c *token.BPEConfig) {
			c.Begin, c.End, c.Before, c.After = &zero, &zero, []int32{0}, []int32{0}
		}, ""},
		{"word", func(c *token.BPEConfig) { c.Specials[0].Special = false }, ""},
		{"unknown", func(c *token.BPEConfig) { c.Unknown = &zero }, ""}, // every byte has a token
		{"no splitter", func(c *token.BPEConfig) { c.Split = nil }, "no name for the tokenizer's way to split"},
		{"normalized", func(c *token.BPEConfig) { c.NFC = true }, "cannot say the tokenizer's normalization"},
		{"not merged", func(c *token.BPEConfig) { c.IgnoreMerges = true }, "cannot say the tokenizer's rule that tokens are not merged"},
		{"space", func(c *token.BPEConfig) { c.PrefixSpace = true }, "cannot say the tokenizer's space before a text"},
		{"stripped", func(c *token.BPEConfig) { c.Specials[0].LStrip = true }, "cannot say the tokenizer's special tokens"},
		{"before", func(c *token.BPEConfig) { c.Begin, c.Before = &zero, []int32{0, 0} }, "cannot say the tokenizer's tokens before"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := trained(t, c.change)
			s := tokenModel(t, want.Vocab()+3, nil, want) // three rows more
			if c.want != "" {
				_, err := s.export(fastFS(), filepath.Join(t.TempDir(), "out"), ExportOptions{Format: FormatGGUF})
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q", err, c.want)
				}
				return
			}
			_, file := exportOnce(t, s, ExportOptions{Format: FormatGGUF})
			if tokens, _ := file.ggufFile().Strings(tokenizerKey + "tokens"); len(tokens) != want.Vocab()+3 { // llama.cpp wants all rows
				t.Errorf("%d tokens, want %d", len(tokens), want.Vocab()+3)
			}
			_, folder := exportOnce(t, file, ExportOptions{Format: FormatHF})
			for _, again := range []*Source{file, folder} {
				tok, err := again.Tokenizer()
				if err != nil {
					t.Fatal(err)
				}
				got, full := tok.(*token.BPE).Config(), want.Config()
				if !slices.Equal(got.Tokens[:len(full.Tokens)], full.Tokens) || !slices.Equal(got.Merges, full.Merges) || !reflect.DeepEqual(got.Before, full.Before) || !reflect.DeepEqual(got.Begin, full.Begin) {
					t.Errorf("%s: another tokenizer", again.Format)
				}
				sameIDs(t, tok.(token.Subword), want)
			}
		})
	}
}

// sameIDs compares the ids of texts.
func sameIDs(t *testing.T, got, want token.Subword, more ...string) {
	t.Helper()
	for _, text := range append(more, "", tokenText, "a\x00\xff b", "cafe\u0301 ==== ______  x") {
		for _, o := range []token.Options{{}, {Add: true}, {Policy: token.AsText}} {
			a, err := got.EncodeWith([]byte(text), o)
			if err != nil {
				t.Fatal(err)
			}
			b, err := want.EncodeWith([]byte(text), o)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(a, b) {
				t.Errorf("%q %+v: ids %v, want %v", text, o, a, b)
			}
		}
	}
}

// TestExportPieces takes a SentencePiece from llama2.c's files through GGUF and a folder back to GGUF.
func TestExportPieces(t *testing.T) {
	data := os.Getenv("CETO_DATA")
	if data == "" {
		t.Skip("CETO_DATA is not set: it names the folder that has stories260k")
	}
	s, err := Open(filepath.Join(data, "stories260k"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want, err := s.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	story, err := os.ReadFile(filepath.Join(data, "stories260k", "expected_greedy_200.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{FormatGGUF, FormatHF, FormatGGUF} {
		_, s = exportOnce(t, s, ExportOptions{Format: format})
		got, err := s.Tokenizer()
		if err != nil {
			t.Fatal(err)
		}
		sameIDs(t, got.(token.Subword), want.(token.Subword), string(story))
	}
}

// TestExportScores has merges whose order scores can tell, and others for which they cannot.
func TestExportScores(t *testing.T) {
	pieces := func(merges ...string) token.SentencePieceConfig {
		c := token.SentencePieceConfig{Tokens: strings.Fields("a b c ab bc abc"), Types: slices.Repeat([]int32{ggufNormal}, 6)}
		for _, m := range merges {
			left, right, _ := strings.Cut(m, "+")
			c.Merges = append(c.Merges, [2]string{left, right})
		}
		return c
	}
	for _, c := range []struct {
		merges []string
		want   []float32
		err    string
	}{
		{[]string{"b+c", "a+b", "a+bc", "ab+c"}, []float32{-4, -5, -6, -2, -1, -3}, ""},
		{[]string{"a+b", "b+c", "ab+c", "a+bc"}, []float32{-4, -5, -6, -1, -2, -3}, ""},
		{[]string{"a+b", "ab+c", "b+c", "a+bc"}, nil, `cannot say the merge of "a" and "bc"`},
		{[]string{"a+b", "b+c", "ab+c"}, nil, `cannot say that "a" and "bc" are not merged`},
	} {
		got, err := scoresOf(pieces(c.merges...))
		if !slices.Equal(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v: scores %v, error %v; want %v, %q", c.merges, got, err, c.want, c.err)
		}
	}
}

// TestExportKinds has the tokenizers of runs, and a source without one.
func TestExportKinds(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"byte", `{"kind":"byte"}` + "\n", ""},
		{"char", `{"kind":"char","chars":"ab"}` + "\n", "cannot hold this tokenizer of kind char: want byte, BPE or SentencePiece"},
		{"none", "", ""},
	} {
		files := map[string]string{token.FileName: c.file}
		if c.file == "" {
			files = nil
		}
		s := tokenModel(t, 300, files, nil)
		for _, format := range []string{FormatHF, FormatLLMC} {
			dir, _ := exportOnce(t, s, ExportOptions{Format: format})
			if b, err := os.ReadFile(filepath.Join(dir, token.FileName)); string(b) != c.file {
				t.Errorf("%s %s: %q, want %q (error %v)", c.name, format, b, c.file, err)
			}
		}
		dir := filepath.Join(t.TempDir(), "out")
		_, err := s.export(fastFS(), dir, ExportOptions{Format: FormatGGUF})
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		tok, err := again.Tokenizer()
		if c.name == "none" {
			if err == nil {
				t.Errorf("none: a tokenizer of kind %s", tok.Name())
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		for b := range 256 {
			all = append(all, byte(b))
		}
		ids, err := tok.Encode(all)
		want, _ := token.Byte{}.Encode(all)
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("byte: ids %v (error %v)", ids, err)
		}
	}
}

// TestExportSettings: the end tokens, what the files say of sampling, and the chat template stay. A folder's own files
// are copied byte for byte, except for end tokens that an adapter has brought.
func TestExportSettings(t *testing.T) {
	files := map[string]string{
		GenerationFile: `{"eos_token_id": [0, 7, 9], "do_sample": true, "temperature": 0.5, "top_k": 0, "top_p": 0.75, "repetition_penalty": 1.25, "no_repeat_ngram_size": 3}`,
		ChatFile:       "{{ messages[0].content }}<|end|>", "special_tokens_map.json": "{ }", "README.md": "not of the model",
	}
	s := tokenModel(t, 300, files, trained(t, func(*token.BPEConfig) {}))
	config := map[string]any{}
	if err := readJSON(s.Path, ConfigFile, &config); err != nil {
		t.Fatal(err)
	}
	config["pad_token_id"] = 5
	b, err := json.Marshal(config)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.Path, ConfigFile), b, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir, folder := exportOnce(t, s, ExportOptions{Format: FormatHF})
	for _, name := range []string{GenerationFile, ChatFile, "special_tokens_map.json", "tokenizer.json", "vocab.json", "merges.txt", TokenizerFile} {
		a, err := os.ReadFile(filepath.Join(s.Path, name))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: another content (error %v)", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "README.md")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("README.md is there (error %v)", err)
	}
	_, file := exportOnce(t, folder, ExportOptions{Format: FormatGGUF})
	file.Sampling = folder.Sampling // which a GGUF file does not say
	dir, last := exportOnce(t, file, ExportOptions{Format: FormatHF})
	if err := readJSON(dir, ConfigFile, &config); err != nil || config["pad_token_id"] != 5. {
		t.Errorf("pad_token_id %v, want 5 (error %v)", config["pad_token_id"], err)
	}
	for _, x := range []*Source{folder, file, last} {
		a, err := json.Marshal(scalars(x.Sampling))
		b, _ := json.Marshal(scalars(s.Sampling))
		if err != nil || !bytes.Equal(a, b) || x.Chat != s.Chat || !slices.Equal(x.End, s.End) {
			t.Errorf("%s: sampling %s, chat %q, end %v; want %s, %q, %v", x.Format, a, x.Chat, x.End, b, s.Chat, s.End)
		}
	}
	s.End = append(slices.Clone(s.End), 11)
	_, adapted := exportOnce(t, s, ExportOptions{Format: FormatHF})
	a, err := json.Marshal(scalars(adapted.Sampling))
	b, _ = json.Marshal(scalars(s.Sampling))
	if err != nil || !bytes.Equal(a, b) || !slices.Equal(adapted.End, s.End) {
		t.Errorf("with an adapter's end token: sampling %s, end %v; want %s, %v", a, adapted.End, b, s.End)
	}
}

// TestExportNoFile: a folder or a device in place of a tokenizer's file is an error.
func TestExportNoFile(t *testing.T) {
	for _, target := range []string{t.TempDir(), os.DevNull} {
		s := tokenModel(t, 300, nil, nil)
		if err := os.Symlink(target, filepath.Join(s.Path, "tokenizer.model")); err != nil {
			t.Fatal(err)
		}
		_, err := s.export(fastFS(), filepath.Join(t.TempDir(), "out"), ExportOptions{Format: FormatHF})
		if err == nil || !strings.Contains(err.Error(), "want a file") {
			t.Errorf("%s: error %v", target, err)
		}
	}
}

// scalars are the settings that files have.
func scalars(o generate.Options) []any {
	return []any{o.Temperature, o.TopK, o.TopP, o.MinP, o.Typical, o.Repetition, o.NoRepeat}
}
