package pretrained_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/pretrained"
	"github.com/pkg/errors"
)

// TestSmallFiles: a small file of a model's folder that is too large, too deep or no file ends opening in one line that
// names it.
func TestSmallFiles(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100000) + "1" + strings.Repeat("}", 100000)
	for _, name := range []string{"config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors.index.json"} {
		for what, spoil := range map[string]func(path string) error{
			"size": func(path string) error {
				if err := os.WriteFile(path, []byte("{"), 0o666); err != nil {
					return err
				}
				return os.Truncate(path, 1<<40)
			},
			"depth":  func(path string) error { return os.WriteFile(path, []byte(deep), 0o666) },
			"folder": func(path string) error { return os.Mkdir(path, 0o777) },
		} {
			if what == "depth" && name == "chat_template.jinja" {
				continue // no JSON
			}
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS("../gpt/testdata/hf/llama-chat")); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, name)
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			if name == "model.safetensors.index.json" {
				os.Remove(filepath.Join(dir, "model.safetensors"))
			}
			if name == "tokenizer_config.json" {
				os.Remove(filepath.Join(dir, "chat_template.jinja"))
			}
			if err := spoil(path); err != nil {
				t.Fatal(err)
			}
			s, err := pretrained.Open(dir)
			if err == nil {
				_, err = s.Tokenizer()
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}
