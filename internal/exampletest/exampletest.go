// Package exampletest runs a program's main from the program's own test binary. It is for tests.
//
//	func TestMain(m *testing.M) { exampletest.Main(m, main) }
//	…
//	out, err := exampletest.Run("-steps", "20")
package exampletest

import (
	"os"
	"os/exec"
	"testing"

	"github.com/ceto-ml/ceto/cuda"
)

// env is the variable that tells a test binary to be the program.
const env = "CETO_RUN_MAIN"

// Main is the body of a TestMain. It runs main where [Run] started the binary, else the tests.
func Main(m *testing.M, main func()) {
	if os.Getenv(env) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Devices are those that a program is tested on: the CPU, and an emulated GPU in a build for GPUs.
func Devices() []string {
	if cuda.Built {
		return []string{"cpu", "emulated"}
	}
	return []string{"cpu"}
}

// Run runs the program with arguments. It returns what the program printed on standard output and standard error.
func Run(args ...string) (string, error) {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), env+"=1")
	out, err := c.CombinedOutput()
	return string(out), err
}
