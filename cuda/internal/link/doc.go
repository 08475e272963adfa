// Package link lets one program start with and without a CUDA driver.
//
// Package gorgonia.org/cu calls the driver by symbols that the linker must find. Under the build tag gpu this package
// has a small C function for each, which finds the driver's at its first call. So a program needs no libcuda to be
// linked or to start, and a table of C functions can stand in for the driver.
//
// The driver is looked for in this order:
//   - the table given to Override,
//   - the file that CETO_LIBCUDA names,
//   - libcuda.so.1 wherever the loader finds it,
//   - /usr/local/nvidia/lib64, /usr/lib/x86_64-linux-gnu and /usr/lib/wsl/lib.
//
// It is opened by the first call that needs it, not at the start of the program.
package link

import (
	"fmt"
	"strings"
)

// VersionString writes a CUDA version, 13000, as people do: 13.0.
func VersionString(v int) string { return fmt.Sprintf("%d.%d", v/1000, v%1000/10) }

// Attempt writes what the loader said of a place: "PLACE: words".
func Attempt(place, said string) string {
	said = strings.TrimPrefix(said, place+": ")
	return place + ": " + strings.TrimPrefix(said, "cannot open shared object file: ")
}

// Places writes attempts in short: where there is nothing, the place alone.
func Places(attempts []string) string {
	var short []string
	for _, a := range attempts {
		short = append(short, strings.TrimSuffix(a, ": No such file or directory"))
	}
	return strings.Join(short, ", ")
}
