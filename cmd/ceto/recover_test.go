package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/pretrained"
)

// TestRecoverModel: --model finds an exported folder, or a file in one, that a crash has left under another name.
func TestRecoverModel(t *testing.T) {
	for _, file := range []string{"", pretrained.ConfigFile} {
		dir := filepath.Join(t.TempDir(), "model")
		if err := os.CopyFS(dir+atomicfile.OldSuffix, os.DirFS(filepath.Join("..", "..", "gpt", "testdata", "hf", "llama"))); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, file)
		if got, err := (&global{}).findModel(path); err != nil || got != path {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}
