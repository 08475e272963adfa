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
	small, large := `\[([0-9.e-]*e-05|0\.00\d+)\]`, `\[0\.99\d+\]`
	probs := `\[` + small + ` ` + large + ` ` + large + ` ` + small + `\]\n`
	want := regexp.MustCompile(`^accuracy 1, loss 0\.000\d+\n(` + probs + `){2}$`)
	if !want.Match(out) {
		t.Errorf("printed\n%s\nwant it to match\n%s", out, want)
	}
	lines := regexp.MustCompile(`\n`).Split(string(out), -1)
	if lines[1] != lines[2] {
		t.Errorf("predictions of the loaded weights differ:\n%s\n%s", lines[1], lines[2])
	}
}
