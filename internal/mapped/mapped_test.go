package mapped

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/errors"
)

// TestGuard reads files that are whole, cut short and closed.
func TestGuard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights")
	const size = 1 << 20
	if err := os.WriteFile(path, make([]byte, size), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := func() error {
		all := make([]byte, size)
		copy(all, f.Bytes)
		for _, b := range f.Bytes {
			all[0] += b
		}
		return nil
	}
	if err := Guard(sum); err != nil || len(f.Bytes) != size {
		t.Fatalf("a whole file: %v", err)
	}
	if err := os.Truncate(path, 5000); err != nil {
		t.Fatal(err)
	}
	if err := Guard(sum); err == nil || !strings.HasPrefix(err.Error(), path+": ") {
		t.Errorf("a file cut short: %v", err)
	}
	if err := Guard(func() error { return errors.New("own") }); err == nil || err.Error() != "own" {
		t.Errorf("another error: %v", err)
	}
	for name, broken := range map[string]func() error{
		"panics":    func() error { panic("other") },
		"nil":       func() error { var p *File; return errors.New(p.path) },
		"elsewhere": func() error { var b []byte; _ = b[len(f.Bytes)]; return nil },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			t.Errorf("%s: %v", name, Guard(broken))
		}()
	}
	if err := f.Close(); err != nil || len(open.files) != 0 {
		t.Errorf("Close: %v, %d files open", err, len(open.files))
	}
}

// TestOpen refuses what cannot be mapped.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, dir, filepath.Join(dir, "none"), os.DevNull} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%s): %v", path, err)
		}
	}
}
