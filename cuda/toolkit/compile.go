package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pkg/errors"
)

// ptxVersion is that of the drivers since 525. The kernels use no newer instruction: the assembler of CUDA 12.0 checks
// it.
const ptxVersion = "8.0"

// architectures are those for which the PTX is checked and reported.
var architectures = []string{"sm_80", "sm_90"}

// compileAll compiles each source to PTX beside it, and removes PTX that has no source.
func compileAll() error {
	sources, err := filepath.Glob(filepath.Join(kernels, "*.cu"))
	if err != nil {
		return errors.WithStack(err)
	}
	want := map[string]bool{}
	for _, name := range sources {
		out := strings.TrimSuffix(name, ".cu") + ".ptx"
		want[out] = true
		ptx, err := compile(filepath.Base(name))
		if err != nil {
			return err
		}
		if err := write(out, ptx); err != nil {
			return err
		}
	}
	old, err := filepath.Glob(filepath.Join(kernels, "*.ptx"))
	if err != nil {
		return errors.WithStack(err)
	}
	for _, name := range old {
		if !want[name] {
			if err := os.Remove(name); err != nil {
				return errors.WithStack(err)
			}
		}
	}
	return nil
}

// compileTo compiles one source to a file. It may include what the kernels do.
func compileTo(source, out string) error {
	path, err := filepath.Abs(source)
	if err != nil {
		return errors.WithStack(err)
	}
	ptx, err := compile(path)
	if err != nil {
		return err
	}
	return write(out, ptx)
}

// write leaves a file alone that has the text already, so that its time does not change.
func write(name string, text []byte) error {
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return errors.WithStack(os.WriteFile(name, text, 0o666))
}

// compile returns the PTX of a source in the folder of kernels. It has been through the old assembler.
func compile(source string) ([]byte, error) {
	tmp, err := os.MkdirTemp(folder, "compile")
	if err != nil {
		return nil, errors.WithStack(err)
	}
	defer os.RemoveAll(tmp)
	out, err := filepath.Abs(filepath.Join(tmp, "out.ptx"))
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if _, err := tool(cuda13, "nvcc", "-ptx", "-arch=compute_80", "-O3", "-I.", "-o", out, source); err != nil {
		return nil, errors.Wrap(err, source)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	text = clean(text)
	if err := os.WriteFile(out, text, 0o666); err != nil {
		return nil, errors.WithStack(err)
	}
	for _, arch := range architectures {
		if _, err := tool(cuda12, "ptxas", "-arch="+arch, "-o", os.DevNull, out); err != nil {
			return nil, errors.Wrapf(err, "%s: PTX %s for %s", source, ptxVersion, arch)
		}
	}
	return text, nil
}

var (
	versionLine = regexp.MustCompile(`(?m)^\.version .*$`)
	comment     = regexp.MustCompile(`(?s)//[^\n]*|/\*.*?\*/`)
	internal    = regexp.MustCompile(`_INTERNAL_[0-9a-f]{8}_`) // names that hold a sum of the path
	emptyLines  = regexp.MustCompile(`\n{3,}`)
	endOfLine   = regexp.MustCompile(`(?m)[ \t]+$`)
)

// clean takes from PTX what differs from run to run or says nothing, and lowers its version.
func clean(ptx []byte) []byte {
	ptx = comment.ReplaceAll(ptx, nil)
	ptx = internal.ReplaceAll(ptx, []byte("_INTERNAL_"))
	ptx = versionLine.ReplaceAll(ptx, []byte(".version "+ptxVersion))
	ptx = emptyLines.ReplaceAll(endOfLine.ReplaceAll(ptx, nil), []byte("\n\n"))
	return append(bytes.TrimSpace(ptx), '\n')
}

// tool runs a program of a toolkit in the folder of kernels, and returns what it prints.
func tool(toolkit, name string, args ...string) (string, error) {
	root, err := filepath.Abs(toolkit)
	if err != nil {
		return "", errors.WithStack(err)
	}
	c := exec.Command(filepath.Join(root, "bin", name), args...)
	c.Dir = kernels
	path := []string{filepath.Join(root, "bin"), filepath.Join(root, "nvvm", "bin"), os.Getenv("PATH")}
	c.Env = append(os.Environ(), "PATH="+strings.Join(path, string(os.PathListSeparator)))
	out, err := c.CombinedOutput()
	if err != nil {
		return "", errors.Errorf("%s: %v\n%s", name, err, bytes.TrimSpace(out))
	}
	return string(out), nil
}
