package bounded

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/errors"
)

// TestReadFile reads files up to the bound and one byte beyond it.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for size := range 6 {
		want := bytes.Repeat([]byte("x"), size)
		if err := os.WriteFile(path, want, 0o666); err != nil {
			t.Fatal(err)
		}
		b, err := ReadFile(path, 4)
		if size <= 4 && (err != nil || !bytes.Equal(b, want)) {
			t.Errorf("%d bytes: %q, %v", size, b, err)
		}
		if size > 4 && (err == nil || !strings.Contains(err.Error(), path+": more than 4 bytes")) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if _, err := ReadFile(filepath.Join(dir, "none"), 4); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, p := range []string{dir, os.DevNull} {
		if _, err := ReadFile(p, 4); err == nil || !strings.Contains(err.Error(), "want a regular file") {
			t.Errorf("%s: %v", p, err)
		}
	}
	// What tells no size, and a file that is as large as nobody can have, take no more than the bound.
	if b, err := ReadFile("/proc/self/status", 1<<20); err == nil && len(b) < 100 {
		t.Errorf("%d bytes of a file without a size", len(b))
	}
	if err := os.Truncate(path, 1<<40); err == nil {
		if _, err := ReadFile(path, 1<<10); err == nil {
			t.Error("a file of 1 TiB was read")
		}
	}
}

func ExampleReadFile() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "config.json")
	if err := os.WriteFile(path, []byte("{}"), 0o666); err != nil {
		fmt.Println(err)
		return
	}
	b, err := ReadFile(path, 1<<20)
	fmt.Println(string(b), err)
	// Output: {} <nil>
}
