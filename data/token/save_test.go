package token

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/atomicfile/faultfs"
	"github.com/pkg/errors"
)

// smallBPE is a tokenizer learned from a text.
func smallBPE(t *testing.T, text string, vocab int) *BPE {
	t.Helper()
	b, err := Train([][]byte{[]byte(text)}, TrainOptions{Vocab: vocab})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSave writes a tokenizer in the place of another, and crashes at every operation: the folder has the files of one
// of them. What else is in it stays.
func TestSave(t *testing.T) {
	old, other := smallBPE(t, strings.Repeat("the cat sat on the mat ", 20), 262), smallBPE(t, strings.Repeat("a dog dug a dug out ", 20), 265)
	files, err := Files(other)
	if err != nil {
		t.Fatal(err)
	}
	text := func(dir, name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return ""
		}
		return string(b)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	if err := Save(whole, other); err != nil {
		t.Fatal(err)
	}
	for n, fired := 1, true; fired; n++ {
		dir := filepath.Join(t.TempDir(), "tokenizer")
		if err := Save(dir, old); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"mine.txt": "mine", "special_tokens_map.json": "{}"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		fsys := faultfs.New(atomicfile.OS, faultfs.Crash, n)
		err := save(fsys, dir, files)
		if fired = fsys.Fired(); fired == (err == nil) {
			t.Fatalf("crash at %d: %v", n, err)
		}
		if err := fsys.Close(); err != nil {
			t.Fatal(err)
		}
		isNew := text(dir, "tokenizer.json") == text(whole, "tokenizer.json")
		for name := range files {
			if (text(dir, name) == text(whole, name)) != isNew && name != "tokenizer_config.json" {
				t.Errorf("crash at %d: %s is of the other tokenizer", n, name)
			}
		}
		if (text(dir, "special_tokens_map.json") == "") != isNew || text(dir, "mine.txt") != "mine" {
			t.Errorf("crash at %d: other files: %q, %q", n, text(dir, "special_tokens_map.json"), text(dir, "mine.txt"))
		}
	}
}

// TestSavePlaces writes into a folder that another writes, into one with folders in it, and into that where it works.
func TestSavePlaces(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokenizer")
	release, err := atomicfile.Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Save(dir, Byte{}); !errors.Is(err, atomicfile.ErrInUse) {
		t.Errorf("while another writes: %v", err)
	}
	release()
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := Save(dir, Byte{}); err != nil {
		t.Errorf("a folder in it: %v", err)
	}
	t.Chdir(filepath.Join(dir, "sub"))
	if err := Save(".", Byte{}); err != nil {
		t.Error(err)
	}
}
