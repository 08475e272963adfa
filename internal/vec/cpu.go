package vec

import (
	"os"

	"github.com/klauspost/cpuid/v2"
	"github.com/pkg/errors"
)

// A Path is one of the three ways in which every inner loop exists.
type Path uint8

// The paths, each better than the one before it where the machine has it.
const (
	Generic Path = iota // plain Go
	AVX2                // AVX2 and FMA
	AVX512              // AVX-512 F, BW, DQ and VL
)

var pathNames = [...]string{Generic: "generic", AVX2: "avx2", AVX512: "avx512"}

// String is the name by which CETO_CPU knows the path.
func (p Path) String() string {
	if int(p) < len(pathNames) {
		return pathNames[p]
	}
	return "unknown"
}

var (
	path    Path  // the current one
	pathErr error // why CETO_CPU was not followed
)

func init() { path, pathErr = choose(os.Getenv("CETO_CPU"), Paths()) }

// Paths are the paths this machine can run, the best one last.
func Paths() []Path {
	paths := []Path{Generic}
	if !assembly {
		return paths
	}
	if cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3) {
		paths = append(paths, AVX2)
	}
	if cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL) {
		paths = append(paths, AVX512)
	}
	return paths
}

// choose is the path of the given name, or the best of paths where name is empty or, with an error, impossible.
func choose(name string, paths []Path) (Path, error) {
	best := paths[len(paths)-1]
	if name == "" {
		return best, nil
	}
	for _, p := range paths {
		if p.String() == name {
			return p, nil
		}
	}
	for p, known := range pathNames {
		if known == name {
			return best, errors.Errorf("vec: CETO_CPU=%s: this machine has no %s; want one of %v; using %s", name, Path(p), paths, best)
		}
	}
	return best, errors.Errorf("vec: CETO_CPU=%s: no such path; want one of %v; using %s", name, paths, best)
}

// Current is the path that the loops take now.
func Current() Path { return path }

// Use makes the loops take path p, until the next Use; no loop may be running. It is for tests.
// It fails where this machine cannot run p, and changes nothing then.
func Use(p Path) error {
	for _, q := range Paths() {
		if p == q {
			path = p
			return nil
		}
	}
	return errors.Errorf("vec: Use(%s): this machine cannot run it; want one of %v", p, Paths())
}

// Err says why CETO_CPU was not followed, if it was not.
func Err() error { return pathErr }
