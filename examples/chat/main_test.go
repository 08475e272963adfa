package main

import (
	"os"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// TestSmolLM2 asks the real model, if CETO_SMOLLM2 names its file.
func TestSmolLM2(t *testing.T) {
	path := os.Getenv("CETO_SMOLLM2")
	if path == "" {
		t.Skip("CETO_SMOLLM2 does not name the model's file")
	}
	out, err := exampletest.Run("-model", path, "What is the capital of France?")
	if err != nil || out != "The capital of France is Paris.\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestNoModel(t *testing.T) {
	out, err := exampletest.Run("-model", t.TempDir(), "Hello?")
	if err == nil || !strings.Contains(out, "no model") || strings.Count(out, "\n") != 1 {
		t.Errorf("%v, printed %q: want a failure and one line", err, out)
	}
}
