package plan

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMemInfo reads a file as /proc/meminfo; a file that is not there, or not such a file, says nothing.
func TestMemInfo(t *testing.T) {
	for text, want := range map[string][2]uint64{
		"MemTotal:       16330528 kB\nMemFree:          612344 kB\nMemAvailable:    9301224 kB\nHugePages_Total:       0\n": {9301224 << 10, 16330528 << 10},
		"MemTotal: x kB\n": {}, "": {}, "MemAvailable": {},
	} {
		path := filepath.Join(t.TempDir(), "meminfo")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if free, total := memInfo(path); free != want[0] || total != want[1] {
			t.Errorf("%q: %d bytes free of %d, want %d of %d", text, free, total, want[0], want[1])
		}
	}
	if free, total := memInfo(filepath.Join(t.TempDir(), "none")); free != 0 || total != 0 {
		t.Errorf("no file: %d of %d", free, total)
	}
	free, total := systemMemory()
	if free > total {
		t.Errorf("%d bytes free of %d", free, total)
	}
}
