package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

const reportFile = kernels + "/report.txt"

// A usage is what a kernel takes on an architecture. All but the registers are bytes.
type usage struct {
	kernel, arch                      string
	registers, shared, local, spilled int
}

func (u usage) String() string {
	return fmt.Sprintf("%-40s %s %3d registers %5d shared %3d local %d spilled", u.kernel, u.arch, u.registers, u.shared, u.local, u.spilled)
}

// report assembles all PTX and compares what each kernel takes with the golden file, or writes that.
func report(update bool) error {
	all, err := usages()
	if err != nil {
		return err
	}
	lines, spilled := []string{}, 0
	for _, u := range all {
		lines = append(lines, u.String())
		if u.spilled > 0 {
			spilled++
			fmt.Println(u)
		}
	}
	text := strings.Join(lines, "\n") + "\n"
	if update {
		if err := write(reportFile, []byte(text)); err != nil {
			return err
		}
	}
	golden, err := os.ReadFile(reportFile)
	if err != nil {
		return errors.WithStack(err)
	}
	if n := differences(strings.Split(strings.TrimSpace(string(golden)), "\n"), lines); n > 0 {
		return errors.Errorf("%d lines differ from %s; make kernel-report-update writes it", n, reportFile)
	}
	if spilled > 0 {
		return errors.Errorf("%d kernels spill registers", spilled)
	}
	fmt.Printf("%d kernels for %s as in %s, 0 spilled bytes\n", len(all)/len(architectures), strings.Join(architectures, " and "), reportFile)
	return nil
}

// differences prints the lines that are only in one of the two.
func differences(golden, have []string) int {
	n := 0
	for _, l := range golden {
		if !slices.Contains(have, l) {
			fmt.Println("-", l)
			n++
		}
	}
	for _, l := range have {
		if !slices.Contains(golden, l) {
			fmt.Println("+", l)
			n++
		}
	}
	return n
}

// usages assembles all PTX for each architecture, sorted by kernel.
func usages() ([]usage, error) {
	files, err := filepath.Glob(filepath.Join(kernels, "*.ptx"))
	if err != nil {
		return nil, errors.WithStack(err)
	}
	var all []usage
	for _, f := range files {
		for _, arch := range architectures {
			out, err := tool(cuda13, "ptxas", "-v", "-arch="+arch, "-o", os.DevNull, filepath.Base(f))
			if err != nil {
				return nil, errors.Wrap(err, f)
			}
			list, err := parseUsages(out)
			if err != nil {
				return nil, errors.Wrap(err, f)
			}
			all = append(all, list...)
		}
	}
	slices.SortStableFunc(all, func(a, b usage) int { return strings.Compare(a.kernel, b.kernel) })
	return all, nil
}

var (
	compiling = regexp.MustCompile(`Compiling entry function '(\w+)' for '(\w+)'`)
	frame     = regexp.MustCompile(`(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads`)
	used      = regexp.MustCompile(`Used (\d+) registers`)
	shared    = regexp.MustCompile(`(\d+) bytes smem`)
)

// parseUsages reads what ptxas -v prints: for each kernel its name, a line of its frame and one of its registers.
func parseUsages(out string) ([]usage, error) {
	var all []usage
	for line := range strings.Lines(out) {
		if m := compiling.FindStringSubmatch(line); m != nil {
			all = append(all, usage{kernel: m[1], arch: m[2]})
			continue
		}
		if len(all) == 0 {
			continue
		}
		u := &all[len(all)-1]
		if m := frame.FindStringSubmatch(line); m != nil {
			u.local, u.spilled = number(m[1]), number(m[2])+number(m[3])
		}
		if m := used.FindStringSubmatch(line); m != nil {
			u.registers = number(m[1])
			if m := shared.FindStringSubmatch(line); m != nil {
				u.shared = number(m[1])
			}
		}
	}
	for _, u := range all {
		if u.registers == 0 {
			return nil, errors.Errorf("the assembler does not say how many registers %s takes", u.kernel)
		}
	}
	return all, nil
}

// number is that of digits.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}
