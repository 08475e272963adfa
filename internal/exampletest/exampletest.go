// Package exampletest runs a program's main from its own test binary; for tests.
//
//	func TestMain(m *testing.M) { exampletest.Main(m, main) }
//	…
//	out, err := exampletest.Run("-steps", "20")
package exampletest

import (
	"os"
	"os/exec"
	"testing"
)

// env says that the test binary was started to be the program.
const env = "CETO_RUN_MAIN"

// Main is a TestMain: it runs main where [Run] started the binary, and the tests elsewhere.
func Main(m *testing.M, main func()) {
	if os.Getenv(env) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Run starts the program and returns what it printed on standard output and standard error.
func Run(args ...string) (string, error) {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), env+"=1")
	out, err := c.CombinedOutput()
	return string(out), err
}
