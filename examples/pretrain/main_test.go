package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/exampletest"
	"github.com/ceto-ml/ceto/train/pretrain"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// TestPretrain learns a text that repeats itself, prints the JSON of ceto pretrain, and leaves a run that says how it
// was made.
func TestPretrain(t *testing.T) {
	dir := t.TempDir()
	file, run := filepath.Join(dir, "input.txt"), filepath.Join(dir, "run")
	if err := os.WriteFile(file, []byte(strings.Repeat("All the world's a stage,\nand all the men and women merely players.\n", 60)), 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := exampletest.Run("-data", file, "-steps", "60", "-out", run)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var r struct {
		Steps, Params int
		ValLoss       float64 `json:"val_loss"`
		BitsPerByte   float64 `json:"bits_per_byte"`
		Digest, Run   string
	}
	if err != nil || json.Unmarshal([]byte(lines[len(lines)-1]), &r) != nil {
		t.Fatalf("%v; the last line is not JSON:\n%s", err, out)
	}
	if r.Steps != 60 || r.ValLoss > 3 || r.ValLoss < 0.01 || r.BitsPerByte < r.ValLoss || len(r.Digest) != 64 || r.Run != run || r.Params < 1e5 {
		t.Errorf("%+v: want 60 steps to a loss below 3", r)
	}
	if s, err := pretrain.ReadSettings(filepath.Join(run, "run.yaml")); err != nil || s.Train.Steps != 60 || s.Data.Path != file {
		t.Errorf("run.yaml: %+v, %v", s, err)
	}
}

func TestNoFile(t *testing.T) {
	out, err := exampletest.Run("-data", "no-such-file.txt")
	if err == nil || !strings.Contains(out, "no-such-file.txt") || strings.Count(out, "\n") != 1 {
		t.Errorf("%v, printed %q: want a failure and one line that names the file", err, out)
	}
}
