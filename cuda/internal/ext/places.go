package ext

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Status is what a function of cuBLASLt returns: cublasStatus_t. 0 is success.
type Status int

// NotSupported says that the library has no algorithm for a product.
const NotSupported Status = 15

var statuses = map[Status]string{
	1: "CUBLAS_STATUS_NOT_INITIALIZED", 3: "CUBLAS_STATUS_ALLOC_FAILED", 7: "CUBLAS_STATUS_INVALID_VALUE",
	8: "CUBLAS_STATUS_ARCH_MISMATCH", 11: "CUBLAS_STATUS_MAPPING_ERROR", 13: "CUBLAS_STATUS_EXECUTION_FAILED",
	14: "CUBLAS_STATUS_INTERNAL_ERROR", NotSupported: "CUBLAS_STATUS_NOT_SUPPORTED", 16: "CUBLAS_STATUS_LICENSE_ERROR",
}

// Error is the name and the number.
func (s Status) Error() string {
	if name := statuses[s]; name != "" {
		return fmt.Sprintf("%s (%d)", name, int(s))
	}
	return fmt.Sprintf("cuBLASLt status %d", int(s))
}

// ltPlaces lists where cuBLASLt may lie, in the order of the search. A name without a folder is for the loader. Folders
// with a pattern are left out where nothing matches. A library of CUDA 13 needs a driver for 13.
func ltPlaces(getenv func(string) string, driver int) []string {
	names := []string{"libcublasLt.so.12"}
	if driver >= 13000 {
		names = slices.Insert(names, 0, "libcublasLt.so.13")
	}
	var places []string
	add := func(dir string) {
		for _, n := range names {
			places = append(places, filepath.Join(dir, n))
		}
	}
	for _, dir := range filepath.SplitList(getenv("CETO_CUDA_PATH")) {
		for _, below := range []string{"", "lib64", "lib"} {
			add(filepath.Join(dir, below))
		}
	}
	add("")
	for _, name := range []string{"CUDA_PATH", "CUDA_HOME"} {
		if dir := getenv(name); dir != "" {
			add(filepath.Join(dir, "lib64"))
		}
	}
	globs := []string{"/usr/local/cuda*/lib64", "/usr/local/cuda*/targets/x86_64-linux/lib"}
	var prefixes []string
	for _, name := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if dir := getenv(name); dir != "" {
			prefixes = append(prefixes, dir)
		}
	}
	prefixes = append(prefixes, "/opt/*/.venv", "/usr/local")
	if home := getenv("HOME"); home != "" {
		prefixes = append(prefixes, filepath.Join(home, ".local"))
	}
	for _, p := range prefixes {
		for _, packages := range []string{"site-packages", "dist-packages"} {
			for _, owner := range []string{"cu13", "cublas"} {
				globs = append(globs, filepath.Join(p, "lib/python3*", packages, "nvidia", owner, "lib"))
			}
		}
	}
	for _, g := range globs {
		dirs, _ := filepath.Glob(g) // a home with a bracket in its name matches nothing
		for _, d := range dirs {
			if !strings.Contains(d, "cu13") || driver >= 13000 {
				add(d)
			}
		}
	}
	return slices.Compact(places)
}
