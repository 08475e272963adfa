package main

import (
	"strconv"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestSnake(t *testing.T) {
	for _, a := range []float64{1, 2, -0.5} {
		graphtest.Check(t, Snake{A: a}, graph.Shape{3, 5})
		graphtest.Check(t, Snake{A: a}, graph.Shape{})
	}
}

func TestProgram(t *testing.T) {
	for _, device := range exampletest.Devices() {
		out, err := exampletest.Run("-device", device)
		if err != nil {
			t.Fatalf("%s: %v\n%s", device, err, out)
		}
		s, ok := strings.CutPrefix(strings.TrimSpace(out), "mean squared error ")
		if v, err := strconv.ParseFloat(s, 64); !ok || err != nil || v > 0.01 {
			t.Errorf("%s: printed %q, want a mean squared error of at most 0.01", device, out)
		}
	}
}
