//go:build unix

package textfile

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestIrregular refuses what is no file before it is opened: opening a pipe without a writer would wait for ever.
func TestIrregular(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o666); err != nil {
		t.Skip(err)
	}
	done := make(chan error, 1)
	for path, want := range map[string]string{pipe: "a named pipe, want a file", os.DevNull: "a device, want a file", t.TempDir(): "a folder, want a file"} {
		go func() {
			_, err := Read(path, Options{})
			done <- err
		}()
		select {
		case err := <-done:
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q", path, err, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: waits", path)
		}
	}
}
