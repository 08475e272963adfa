// Command toolkit fetches the parts of the CUDA toolkit that the build needs, and compiles the kernels with them.
//
//	go run ./cuda/toolkit headers          the headers of the driver: 2 MB
//	go run ./cuda/toolkit compiler         these and the compiler: 120 MB
//	go run ./cuda/toolkit kernels          cuda/kernels/*.cu to PTX
//	go run ./cuda/toolkit report [-update] registers, shared and spilled memory against cuda/kernels/report.txt
//	go run ./cuda/toolkit ptx SOURCE FILE  one source, anywhere, to PTX
//	go run ./cuda/toolkit env              what a build with the tag gpu needs in its environment, for eval
//
// It runs in the root of the repository. What it fetches are Python wheels of fixed version and sum, by pip, into the
// folder .cuda.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pkg/errors"
)

// The folders of the repository that the program works in.
const (
	folder  = ".cuda"
	kernels = "cuda/kernels"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "toolkit:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if _, err := os.Stat(kernels); err != nil {
		return errors.New("run it in the root of the repository")
	}
	switch what := args; {
	case slices.Equal(what, []string{"headers"}):
		return fetch(runtimeWheel)
	case slices.Equal(what, []string{"compiler"}):
		return fetch(compilerWheels...)
	case slices.Equal(what, []string{"env"}):
		return printEnv()
	case slices.Equal(what, []string{"kernels"}):
		if err := fetch(compilerWheels...); err != nil {
			return err
		}
		return compileAll()
	case slices.Equal(what, []string{"report"}), slices.Equal(what, []string{"report", "-update"}):
		if err := fetch(compilerWheels...); err != nil {
			return err
		}
		return report(len(what) == 2)
	}
	if len(args) == 3 && args[0] == "ptx" {
		return compileTo(args[1], args[2])
	}
	return errors.Errorf("%q: want headers, compiler, kernels, report, report -update or env", args)
}

// printEnv prints the flags of cgo. Those of the compatible header come before those of the toolkit.
func printEnv() error {
	root, err := os.Getwd()
	if err != nil {
		return errors.WithStack(err)
	}
	_, err = fmt.Printf("export CGO_ENABLED=1 CGO_CFLAGS='-g -O2 -I%s -I%s'\n",
		filepath.Join(root, "cuda", "internal", "compat"), filepath.Join(root, cuda13, "include"))
	return errors.WithStack(err)
}
