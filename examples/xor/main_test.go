package main

import (
	"regexp"
	"testing"

	"github.com/ceto-ml/ceto/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestProgram(t *testing.T) {
	for _, device := range exampletest.Devices() {
		t.Run(device, func(t *testing.T) { program(t, device) })
	}
}

func program(t *testing.T, device string) {
	out, err := exampletest.Run("-device", device)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	small, large := `\[([0-9.e-]*e-05|0\.00\d+)\]`, `\[0\.99\d+\]`
	probs := `\[` + small + ` ` + large + ` ` + large + ` ` + small + `\]\n`
	want := regexp.MustCompile(`^accuracy 1, loss 0\.000\d+\n(` + probs + `){2}$`)
	if !want.MatchString(out) {
		t.Errorf("printed\n%s\nwant it to match\n%s", out, want)
	}
	lines := regexp.MustCompile(`\n`).Split(out, -1)
	if lines[1] != lines[2] {
		t.Errorf("predictions of the loaded weights differ:\n%s\n%s", lines[1], lines[2])
	}
}
