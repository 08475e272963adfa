package vec

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestLoopsGenerated sees that the assembly is what its generator prints.
func TestLoopsGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the generator")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	if out, err := exec.Command(tool, "run", "-C", "gen", "./loops", dir).CombinedOutput(); err != nil {
		t.Fatalf("generator: %v\n%s", err, out)
	}
	for _, name := range []string{"loops_amd64.s", "loops_amd64.go"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator prints (%v); run go generate", name, err)
		}
	}
}
