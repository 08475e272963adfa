package pretrained

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/atomicfile/faultfs"
	"github.com/pkg/errors"
)

// opens tells why the model at path, whose type is want, does not open.
func opens(path string, want gpt.Model) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Model != want {
		return errors.Errorf("model %+v, want %+v", s.Model, want)
	}
	return nil
}

// TestRecoverExport writes an exported folder again and crashes at every operation. The file system cannot exchange two
// folders. The old model or the new one opens.
func TestRecoverExport(t *testing.T) {
	s, err := Open(filepath.Join("..", "gpt", "testdata", "hf", "llama"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	aside := 0
	for n, fired := 1, true; fired; n++ {
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := s.export(fastFS(), dir, ExportOptions{Format: FormatHF}); err != nil {
			t.Fatal(err)
		}
		fsys := faultfs.New(atomicfile.OS, faultfs.Crash, n)
		fsys.NoExchange = true
		_, err := s.export(fsys, dir, ExportOptions{Format: FormatHF, Type: "bf16", Force: true})
		if fired = fsys.Fired(); fired == (err == nil) {
			t.Fatalf("crash at %d: %v", n, err)
		}
		if err := fsys.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir); err != nil {
			aside++
		}
		if err := opens(dir, s.Model); err != nil {
			t.Errorf("crash at %d: %v", n, err)
		}
	}
	if aside == 0 {
		t.Error("no crash left the folder aside")
	}
}

// TestRecoverReaders: every reader of a model or an adapter finds the folder that a crash has left aside.
func TestRecoverReaders(t *testing.T) {
	s, err := Open(filepath.Join("..", "gpt", "testdata", "hf", "llama"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	adapter := filepath.Join("..", "gpt", "testdata", "adapter", "llama-qv")
	for _, c := range []struct {
		name string
		from string // what is left aside
		read func(dir string) error
	}{
		{"Open", s.Path, func(dir string) error { return opens(dir, s.Model) }},
		{"Open of a file", s.Path, func(dir string) error { return opens(filepath.Join(dir, "model.safetensors"), s.Model) }},
		{"Adapt", adapter, func(dir string) error { defer s.Unadapt(); return s.Adapt(dir) }},
		{"Export", s.Path, func(dir string) error { // it is no new folder
			if _, err := s.Export(dir, ExportOptions{Format: FormatHF}); err == nil || !strings.Contains(err.Error(), "want a new or empty folder") {
				return errors.Errorf("error %v", err)
			}
			return nil
		}},
	} {
		dir := filepath.Join(t.TempDir(), "folder")
		if err := os.CopyFS(dir+atomicfile.OldSuffix, os.DirFS(c.from)); err != nil {
			t.Fatal(err)
		}
		if err := c.read(dir); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
