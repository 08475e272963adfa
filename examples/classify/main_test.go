package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// TestClassify learns from a hundred texts which of two words they end with, on a random model of test data, and saves
// an adapter.
func TestClassify(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString("text,label\n")
	for i := range 120 {
		fmt.Fprintf(&b, "\"number %d is %s\",%s\n", i, [...]string{"thin", "an inn"}[i%2], [...]string{"a", "b"}[i%2])
	}
	file := filepath.Join(dir, "texts.csv")
	if err := os.WriteFile(file, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	adapter := filepath.Join(dir, "adapter")
	out, err := exampletest.Run("-model", "../../gpt/testdata/hf/llama-chat", "-data", file, "-steps", "60", "-lr", "0.01", "-adapter", adapter)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := regexp.MustCompile(`(\d+) test texts never seen: accuracy (\S+), macro F1 (\S+) \(95 %: (\S+) to (\S+)\)\n$`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no last line with the scores:\n%s", out)
	}
	if acc, err := strconv.ParseFloat(m[2], 64); err != nil || acc < 0.95 || m[1] != "24" {
		t.Errorf("accuracy %s of %s texts, want at least 0.95 of 24:\n%s", m[2], m[1], out)
	}
	for name, want := range map[string]string{"adapter_config.json": `"SEQ_CLS"`, "adapter_model.safetensors": `"base_model.model.score.weight"`} {
		if b, err := os.ReadFile(filepath.Join(adapter, name)); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: %v; want %s in it", name, err, want)
		}
	}
}

func TestWrongColumn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "texts.csv")
	if err := os.WriteFile(file, []byte("a,b\n1,2\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := exampletest.Run("-data", file, "-label", "class")
	if err == nil || !strings.Contains(out, "class") || strings.Count(out, "\n") != 1 {
		t.Errorf("%v, printed %q: want a failure and one line that names the column", err, out)
	}
}
