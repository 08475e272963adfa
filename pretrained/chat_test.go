package pretrained_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/internal/gguf"
	"github.com/ceto-ml/ceto/pretrained"
)

// chatFolder returns a folder with the model llama-chat and these files in place of its own chat template, special
// tokens and configuration of the tokenizer.
func chatFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../gpt/testdata/hf/llama-chat")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"chat_template.jinja", "special_tokens_map.json", "tokenizer_config.json"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// renderChat returns what the template of a folder writes for a chat of one message.
func renderChat(t *testing.T, dir string, m generate.Message) (string, error) {
	t.Helper()
	s, err := pretrained.Open(dir)
	if err != nil {
		return "", err
	}
	defer s.Close()
	tok, err := s.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Template(tok)
	if err != nil {
		return "", err
	}
	return c.Render([]generate.Message{m})
}

// TestChatFiles: of the places of a chat template, that one counts which transformers 4.57.6 takes.
func TestChatFiles(t *testing.T) {
	const (
		config, jinja = "tokenizer_config.json", "chat_template.jinja"
		extra         = "additional_chat_templates/"
		named         = `{"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]}`
	)
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string // or a part of the error
	}{
		{"a text", map[string]string{config: `{"chat_template": "C"}`}, "C"},
		{"named ones", map[string]string{config: named}, "D"},
		{"an object of named ones", map[string]string{config: `{"chat_template": {"tool_use": "T", "default": "D"}}`}, "D"},
		{"no default", map[string]string{config: `{"chat_template": [{"name": "rag", "template": "R"}]}`}, "none named default: rag"},
		{"a file before the config", map[string]string{config: `{"chat_template": "C"}`, jinja: "J"}, "J"},
		{"a file before named ones", map[string]string{config: named, jinja: "J"}, "J"},
		{"a file among others", map[string]string{config: named, jinja: "J", extra + "tool_use.jinja": "X"}, "J"},
		{"others alone", map[string]string{config: named, extra + "tool_use.jinja": "X"}, "none named default: tool_use"},
		{"a default among others", map[string]string{jinja: "J", extra + "default.jinja": "X"}, "X"},
		{"of a processor", map[string]string{"chat_template.json": `{"chat_template": "P"}`}, "P"},
		{"of a processor, and a config", map[string]string{config: `{"chat_template": "C"}`, "chat_template.json": `{"chat_template": "P"}`}, "C"},
		{"null", map[string]string{config: `{"chat_template": null}`, "chat_template.json": `{"chat_template": "P"}`}, "P"},
		{"none", nil, "has no chat template"},
		{"a number", map[string]string{config: `{"chat_template": 1}`}, "tokenizer_config.json: chat_template: want a text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := renderChat(t, chatFolder(t, c.files), generate.Message{Role: "user", Content: "Hi"})
			if err != nil && !strings.Contains(err.Error(), c.want) || err == nil && got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// TestChatVariables: templates see what apply_chat_template of transformers 4.57.6 passes.
func TestChatVariables(t *testing.T) {
	const show = "{{ bos_token }}|{{ eos_token }}|{{ unk_token }}|{{ pad_token is defined }}|{{ additional_special_tokens }}"
	hi := generate.Message{Role: "user", Content: "Hi"}
	for _, c := range []struct {
		name, template, config, special string
		message                         generate.Message
		want                            string
	}{
		{"tools", "{{ tools is none }} {{ documents is none }} {{ add_generation_prompt }}", "{}", "", hi, "True True True"},
		{"order", "{{ messages[0]|tojson }} {{ messages|length }}", "{}", "", hi, `{"role": "user", "content": "Hi"} 1`},
		{"all keys in their order", "{{ messages[0]|tojson }}{{ messages[0].b[0].text }}", "{}", "", generate.Message{
			Role: "user", Content: "Hi", Given: `{"z": 1, "role": "user", "b": [{"type": "text", "text": "Hi"}], "content": null, "a": 1.0}`,
		}, `{"z": 1, "role": "user", "b": [{"type": "text", "text": "Hi"}], "content": null, "a": 1.0}Hi`},
		{"tokens", show, `{"bos_token": "<s>", "eos_token": {"__type": "AddedToken", "content": "</s>"}, "unk_token": "<unk>", "pad_token": null}`, "",
			hi, "<s>|</s>|<unk>|False|"},
		{"more tokens", show, `{"tokenizer_class": "X", "pad_token": "</s>", "additional_special_tokens": ["<a>", {"__type": "AddedToken", "content": "<b>"}]}`, "", hi, "|||True|['<a>', '<b>']"},
		{"the map wins", show, `{"bos_token": "<s>", "unk_token": "<s>"}`, `{"unk_token": "<unk>", "eos_token": {"content": "</s>"}}`,
			hi, "<s>|</s>|<unk>|False|"},
		{"the map does not count", show, `{"bos_token": "<s>", "eos_token": null, "added_tokens_decoder": {}}`, `{"bos_token": "</s>", "unk_token": "<unk>"}`,
			hi, "<s>|||False|"},
		{"both lists", show, `{"tokenizer_class": "X", "additional_special_tokens": ["<a>"]}`, `{"additional_special_tokens": ["<b>", "<a>"]}`, hi, "|||False|['<a>', '<b>']"},
		{"own names", "{{ image_token }}{{ video_token is defined }}", `{"extra_special_tokens": {"image_token": "<i>"}}`, "", hi, "<i>False"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"chat_template.jinja": c.template, "tokenizer_config.json": c.config}
			if c.special != "" {
				files["special_tokens_map.json"] = c.special
			}
			if got, err := renderChat(t, chatFolder(t, files), c.message); err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// TestChatGGUF: a GGUF file names its special tokens by ids, and its templates by keys.
func TestChatGGUF(t *testing.T) {
	f, err := gguf.Open("../gpt/testdata/gguf/llama-chat.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const show = "{{ bos_token }}|{{ eos_token }}|{{ unk_token }}|{{ pad_token }}|{{ sep_token is defined }}"
	for _, c := range []struct {
		name string
		meta []gguf.KV
		want string
	}{
		{"tokens", []gguf.KV{{Key: "tokenizer.chat_template", Value: show}, {Key: "tokenizer.ggml.unknown_token_id", Value: uint32(3)}},
			"<|im_start|>|<|im_end|>|!|<|endoftext|>|False"},
		{"several", []gguf.KV{{Key: "tokenizer.chat_template", Value: "D"}, {Key: "tokenizer.chat_templates", Value: []string{"rag"}},
			{Key: "tokenizer.chat_template.rag", Value: "R"}}, "D"},
		{"a named default", []gguf.KV{{Key: "tokenizer.chat_templates", Value: []string{"default"}}, {Key: "tokenizer.chat_template.default", Value: "D"}}, "D"},
		{"no default", []gguf.KV{{Key: "tokenizer.chat_templates", Value: []string{"rag"}}, {Key: "tokenizer.chat_template.rag", Value: "R"}},
			"none named default: rag"},
		{"none", nil, "has no chat template"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, b := filepath.Join(t.TempDir(), "x.gguf"), new(bytes.Buffer)
			meta := slices.DeleteFunc(slices.Clone(f.Meta), func(kv gguf.KV) bool { return kv.Key == "tokenizer.chat_template" })
			if err := gguf.Write(b, append(meta, c.meta...), f.Tensors); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
			got, err := renderChat(t, path, generate.Message{Role: "user", Content: "Hi"})
			if err != nil && !strings.Contains(err.Error(), c.want) || err == nil && got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// TestChatExport: an export has the template that counts, wherever it stood.
func TestChatExport(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"config": {"tokenizer_config.json": `{"chat_template": "X"}`}, "processor": {"chat_template.json": `{"chat_template": "X"}`},
		"folder": {"chat_template.jinja": "J", "additional_chat_templates/default.jinja": "X"},
	} {
		for _, format := range []string{pretrained.FormatHF, pretrained.FormatGGUF} {
			s, err := pretrained.Open(chatFolder(t, files))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			out := filepath.Join(t.TempDir(), "out")
			if _, err := s.Export(out, pretrained.ExportOptions{Format: format, Type: "f32"}); err != nil {
				t.Fatal(err)
			}
			if got, err := renderChat(t, out, generate.Message{Role: "user", Content: "Hi"}); err != nil || got != "X" {
				t.Errorf("%s, %s: got %q, %v; want X", name, format, got, err)
			}
		}
	}
}
