// Command mutants plants single faults in the kernels, one at a time, and sees whether the tests find them:
//
//	go run ./cuda/mutants [-only NAME]
//
// Each fault is compiled with the toolkit and run through rows of the table of cases on the emulated GPU. It runs once
// with all checks, and once with the numbers alone. The list says what killed each; one that survives stays in the
// list, and makes the program end with 1. It runs in the root of the repository, after make kernels.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pkg/errors"
)

// A mutant is a fault: the first place of a source that reads old is changed to read new.
type mutant struct {
	name, file, old, new string
	rows                 string // of the table, as -test.run takes them
}

func main() {
	only := flag.String("only", "", "run the faults whose names contain this")
	flag.Parse()
	if err := run(*only); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(only string) error {
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return errors.WithStack(err)
	}
	defer os.RemoveAll(dir)
	if err := command("go", "build", "-o", filepath.Join(dir, "toolkit"), "./cuda/toolkit"); err != nil {
		return err
	}
	if err := command("go", "test", "-c", "-o", filepath.Join(dir, "cuda.test"), "./cuda"); err != nil {
		return err
	}
	total, survived, byNumbers := 0, 0, 0
	for _, m := range mutants {
		if !strings.Contains(m.name, only) {
			continue
		}
		checks, numbers, err := m.try(dir)
		if err != nil {
			return errors.Wrap(err, m.name)
		}
		total++
		if numbers != "" {
			byNumbers++
		}
		if checks == "" {
			survived++
			checks = "SURVIVES"
		}
		fmt.Printf("%-34s %-12s %-40s %s\n", m.name, m.file, checks, numbers)
	}
	fmt.Printf("%d faults, %d killed, %d by the numbers alone with the checks off\n", total, total-survived, byNumbers)
	if survived > 0 {
		return errors.Errorf("%d faults survive", survived)
	}
	return nil
}

// try plants the fault and runs its rows. checks and numbers say what killed it with the checks and without; "" means
// nothing did.
func (m mutant) try(dir string) (checks, numbers string, err error) {
	src, err := os.ReadFile(filepath.Join("cuda/kernels", m.file+".cu"))
	if err != nil {
		return "", "", errors.WithStack(err)
	}
	if !bytes.Contains(src, []byte(m.old)) {
		return "", "", errors.Errorf("%s.cu has no %q", m.file, m.old)
	}
	kernels := filepath.Join(dir, "kernels")
	if err := os.MkdirAll(kernels, 0o777); err != nil {
		return "", "", errors.WithStack(err)
	}
	all, err := filepath.Glob("cuda/kernels/*.ptx")
	if err != nil {
		return "", "", errors.WithStack(err)
	}
	for _, f := range all {
		b, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(kernels, filepath.Base(f)), b, 0o666)
		}
		if err != nil {
			return "", "", errors.WithStack(err)
		}
	}
	mutated := filepath.Join(dir, m.file+".cu")
	if err := os.WriteFile(mutated, bytes.Replace(src, []byte(m.old), []byte(m.new), 1), 0o666); err != nil {
		return "", "", errors.WithStack(err)
	}
	if err := command(filepath.Join(dir, "toolkit"), "ptx", mutated, filepath.Join(kernels, m.file+".ptx")); err != nil {
		return "", "", err
	}
	if checks, err = m.rowsOf(dir, kernels); err == nil {
		numbers, err = m.rowsOf(dir, kernels, "CETO_TEST_UNCHECKED=1")
	}
	return checks, numbers, err
}

var (
	fault  = regexp.MustCompile(`emu: ([a-z ]+): `)
	number = regexp.MustCompile(`seed \d+: \S+\[\d+\] of`)
)

// rowsOf runs the rows, and says what the first failure is.
func (m mutant) rowsOf(dir, kernels string, env ...string) (string, error) {
	c := exec.Command(filepath.Join(dir, "cuda.test"), "-test.run", "TestTable/"+m.rows, "-test.timeout", "120s")
	c.Dir = "cuda"
	c.Env = append(append(os.Environ(), "CETO_TEST_KERNELS="+kernels), env...)
	out, err := c.CombinedOutput()
	if err == nil {
		if bytes.Contains(out, []byte("no tests to run")) {
			return "", errors.Errorf("no rows %s", m.rows)
		}
		return "", nil
	}
	if f := fault.FindSubmatch(out); f != nil {
		return string(f[1]), nil
	}
	switch {
	case bytes.Contains(out, []byte("was never written")):
		return "unwritten", nil
	case number.Match(out):
		return "numbers", nil
	}
	return strings.SplitN(string(bytes.TrimSpace(out)), "\n", 2)[0], nil
}

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	return errors.Wrapf(err, "%s %s: %s", name, strings.Join(args, " "), bytes.TrimSpace(out))
}
