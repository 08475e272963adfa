package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
)

// TestMain runs the program itself where the test below starts its own binary again.
func TestMain(m *testing.M) {
	if os.Getenv("CETO_RUN_MAIN") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestSnake(t *testing.T) {
	for _, a := range []float64{1, 2, -0.5} {
		graphtest.Check(t, Snake{A: a}, graph.Shape{3, 5})
		graphtest.Check(t, Snake{A: a}, graph.Shape{})
	}
}

func TestProgram(t *testing.T) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "CETO_RUN_MAIN=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "mean squared error ")
	if v, err := strconv.ParseFloat(s, 64); !ok || err != nil || v > 0.01 {
		t.Errorf("printed %q, want a mean squared error of at most 0.01", out)
	}
}
