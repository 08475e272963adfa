package data

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCutShort trains on token files that another program cuts short: the next batch is an error that names the file.
func TestCutShort(t *testing.T) {
	for name, width := range map[string]int{"uint16": 2, "uint32": 4} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "train.bin")
			if err := os.WriteFile(path, make([]byte, 1<<16), 0o666); err != nil {
				t.Fatal(err)
			}
			text, err := TokenFiles(path, TextOptions{Vocab: 2, Width: width, Val: 0.1, Context: 4})
			if err != nil {
				t.Fatal(err)
			}
			defer text.Close()
			for _, s := range []Source{text.Train(1), text.Eval()} {
				b := NewBatch(s.Fields(), 2)
				if _, err := s.Next(b); err != nil {
					t.Fatalf("a whole file: %v", err)
				}
			}
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
			for _, s := range []Source{text.Train(1), text.Eval()} {
				if _, err := s.Next(NewBatch(s.Fields(), 2)); err == nil || !strings.Contains(err.Error(), path) {
					t.Errorf("a file cut short: %v", err)
				}
			}
		})
	}
}
