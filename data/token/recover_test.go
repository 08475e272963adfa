package token_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/internal/atomicfile"
)

// TestRecover: a tokenizer in a folder that a crash has left aside is found, by the folder or by its file.
func TestRecover(t *testing.T) {
	for name, read := range map[string]func(dir string) error{
		"Open":           func(dir string) error { _, err := token.Open(dir); return err },
		"Open of a file": func(dir string) error { _, err := token.Open(filepath.Join(dir, token.FileName)); return err },
		"Load":           func(dir string) error { _, err := token.Load(dir); return err },
	} {
		dir := filepath.Join(t.TempDir(), "model")
		if err := os.Mkdir(dir+atomicfile.OldSuffix, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := token.Save(dir+atomicfile.OldSuffix, token.Byte{}); err != nil {
			t.Fatal(err)
		}
		if err := read(dir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, token.FileName)); err != nil {
			t.Errorf("%s: the folder is not back: %v", name, err)
		}
	}
}
