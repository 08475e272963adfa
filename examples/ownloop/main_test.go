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
	want := regexp.MustCompile(`^step 50, loss \S+\nstep 100, loss \S+\nstep 150, loss \S+\nstep 200, loss 0\.00\d+\n` +
		`out.weight \(8, 1\) \[.*\]\ngrad.out.bias \(1\) \[.*\]\nexp_avg.out.bias \(1\) \[.*\]\nhidden \(4, 8\) \[.*\]\n` +
		`no such name: .*"fc.output" is neither an output of the plan nor a state.*\n$`)
	if !want.MatchString(out) {
		t.Errorf("printed\n%s\nwant it to match\n%s", out, want)
	}
}
