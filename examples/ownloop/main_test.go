package main

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// TestMain runs the program itself where the test below starts its own binary again.
func TestMain(m *testing.M) {
	if os.Getenv("CETO_RUN_MAIN") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestProgram(t *testing.T) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "CETO_RUN_MAIN=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := regexp.MustCompile(`^step 50, loss \S+\nstep 100, loss \S+\nstep 150, loss \S+\nstep 200, loss 0\.00\d+\n` +
		`out.weight \(8, 1\) \[.*\]\ngrad.out.bias \(1\) \[.*\]\nexp_avg.out.bias \(1\) \[.*\]\nhidden \(4, 8\) \[.*\]\n` +
		`no such name: .*"fc.output" is neither an output of the plan nor a state.*\n$`)
	if !want.Match(out) {
		t.Errorf("printed\n%s\nwant it to match\n%s", out, want)
	}
}
