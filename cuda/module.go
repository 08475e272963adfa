package cuda

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

//go:embed kernels
var kernelFiles embed.FS

// kernelFS has the texts that ship; a test of faulty kernels has others.
var kernelFS fs.FS = kernelFiles

// A param is a parameter of a kernel.
type param struct{ offset, bytes int }

// ptxModules returns the PTX texts that ship and those of programs, by file.
func ptxModules() (map[string]string, error) {
	files, err := fs.Glob(kernelFS, "kernels/*.ptx")
	if err != nil {
		return nil, errors.WithStack(err)
	}
	texts := map[string]string{}
	for _, f := range files {
		b, err := fs.ReadFile(kernelFS, f)
		if err != nil {
			return nil, errors.WithStack(err)
		}
		texts[f] = string(b)
	}
	registered.Lock()
	defer registered.Unlock()
	for i, ptx := range registered.texts {
		texts[fmt.Sprintf("registered kernel %d", i)] = ptx
	}
	return texts, nil
}

var (
	entryRE = regexp.MustCompile(`(?s)\.entry\s+(\w+)\s*\((.*?)\)`)
	paramRE = regexp.MustCompile(`\.param\s+(?:\.align\s+\d+\s+)?\.([busf])(\d+)`)
)

// kernelParams returns the parameter lists of the kernels of a PTX text, by kernel.
func kernelParams(ptx string) map[string][]param {
	all := map[string][]param{}
	for _, m := range entryRE.FindAllStringSubmatch(ptx, -1) {
		var list []param
		at := 0
		for _, line := range strings.Split(m[2], ",") {
			p := paramRE.FindStringSubmatch(line)
			if p == nil {
				continue
			}
			bits, _ := strconv.Atoi(p[2]) // digits
			n := bits / 8
			at = (at + n - 1) / n * n
			list = append(list, param{at, n})
			at += n
		}
		all[m[1]] = list
	}
	return all
}
