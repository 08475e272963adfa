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

// TestClassify learns from a hundred texts which of two words they end with, then answers two more. The model is a
// random one of the test data.
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
	out, err := exampletest.Run("-model", "../../gpt/testdata/hf/llama-chat", "-data", file, "-out", filepath.Join(dir, "run"), "number 555 is thin", "number 7 is an inn")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := regexp.MustCompile(`validation accuracy (\S+) \(95 %: \S+ to \S+\)\n(?s:.*)a, probability \S+: number 555 is thin\nb, probability \S+: number 7 is an inn\n$`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("want a line with the accuracy and the two answers at the end:\n%s", out)
	}
	if acc, err := strconv.ParseFloat(m[1], 64); err != nil || acc < 0.95 {
		t.Errorf("accuracy %s, want at least 0.95:\n%s", m[1], out)
	}
}

func TestWrongColumn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "texts.csv")
	if err := os.WriteFile(file, []byte("text,b\n1,2\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := exampletest.Run("-model", "../../gpt/testdata/hf/llama-chat", "-data", file, "-label", "class")
	if err == nil || !strings.Contains(out, "class") || strings.Count(out, "\n") != 1 {
		t.Errorf("%v, printed %q: want a failure and one line that names the column", err, out)
	}
}
