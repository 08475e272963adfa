package vec

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestPeak sees a rate that some machine could have: more than a scalar interpreter's, less than a whole rack's.
func TestPeak(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for threads := 1; threads <= 2; threads++ {
			if p := Peak(threads, time.Millisecond); !(p > 1e-4 && p < 1e4) {
				t.Errorf("Peak(%d) = %v GFLOP/s", threads, p)
			}
		}
	})
}

// TestGemmGenerated sees that the assembly is what its generator prints.
func TestGemmGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the generator")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	if out, err := exec.Command(tool, "run", "-C", "gen", "./gemm", dir).CombinedOutput(); err != nil {
		t.Fatalf("generator: %v\n%s", err, out)
	}
	for _, name := range []string{"gemm_amd64.s", "gemm_amd64.go"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator prints (%v); run go generate", name, err)
		}
	}
}
