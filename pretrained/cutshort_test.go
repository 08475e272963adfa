package pretrained

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCutShort opens models whose weights another program then cuts short. Reading them is an error that names the
// file.
func TestCutShort(t *testing.T) {
	for name, weights := range map[string]string{
		"hf/llama": "model.safetensors", "hf/llama-f16": "model.safetensors", "gguf/llama.gguf": "", "gguf/llama.mix.gguf": "",
	} {
		t.Run(name, func(t *testing.T) {
			from := filepath.Join("..", "gpt", "testdata", filepath.FromSlash(name))
			dir := filepath.Join(t.TempDir(), filepath.Base(from))
			path := filepath.Join(dir, weights)
			if weights != "" {
				if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
					t.Fatal(err)
				}
			} else if b, err := os.ReadFile(from); err != nil || os.WriteFile(path, b, 0o666) != nil {
				t.Fatal(err)
			}
			s, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
			_, err = s.Export(filepath.Join(t.TempDir(), "out"), ExportOptions{Format: FormatHF})
			if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Export: %v", err)
			}
		})
	}
}
