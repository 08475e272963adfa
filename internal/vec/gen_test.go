package vec

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestGenerated sees that the assembly is what its generators print.
func TestGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the generators")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	for _, name := range []string{"loops", "gemm"} {
		dir := t.TempDir()
		if out, err := exec.Command(tool, "run", "-C", "gen", "./"+name, dir).CombinedOutput(); err != nil {
			t.Errorf("generator %s: %v\n%s", name, err, out)
			continue
		}
		for _, file := range []string{name + "_amd64.s", name + "_amd64.go"} {
			want, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Error(err)
			}
			if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s is not what the generator prints (%v); run go generate", file, err)
			}
		}
	}
}
