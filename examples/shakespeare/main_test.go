package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// TestText learns a text that repeats itself.
func TestText(t *testing.T) {
	file := filepath.Join(t.TempDir(), "input.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("All the world's a stage,\nand all the men and women merely players.\n", 60)), 0o666); err != nil {
		t.Fatal(err)
	}
	check(t, file, 20, 2.9)
}

// TestShakespeare trains on the real text, if CETO_DATA names the folder that has it.
func TestShakespeare(t *testing.T) {
	file := filepath.Join(os.Getenv("CETO_DATA"), "tinyshakespeare", "input.txt")
	if _, err := os.Stat(file); os.Getenv("CETO_DATA") == "" || err != nil {
		t.Skipf("no tinyshakespeare/input.txt in CETO_DATA=%q", os.Getenv("CETO_DATA"))
	}
	if testing.Short() {
		t.Skip("100 steps take seconds")
	}
	check(t, file, 100, 2.8)
}

// check wants the program to bring the val loss below most in so many steps, and to print a sample.
func check(t *testing.T, file string, steps int, most float64) {
	t.Helper()
	out, err := exampletest.Run("-data", file, "-steps", strconv.Itoa(steps))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := regexp.MustCompile(`step (\d+)/\d+, .* val loss (\S+)\n((?s:.*))$`).FindStringSubmatch(out)
	if m == nil || m[1] != strconv.Itoa(steps) || len(m[3]) < 290 {
		t.Fatalf("no last line with a val loss and a sample of 300 characters:\n%s", out)
	}
	if v, err := strconv.ParseFloat(m[2], 64); err != nil || v > most {
		t.Errorf("val loss %s after %d steps, want at most %g", m[2], steps, most)
	}
}

func TestNoFile(t *testing.T) {
	out, err := exampletest.Run("-data", "no-such-file.txt")
	if err == nil || !strings.Contains(out, "no-such-file.txt") || strings.Count(out, "\n") != 1 {
		t.Errorf("%v, printed %q: want a failure and one line that names the file", err, out)
	}
}
