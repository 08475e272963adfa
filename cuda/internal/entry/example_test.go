//go:build gpu

package entry_test

import (
	"fmt"

	"github.com/ceto-ml/ceto/cuda/internal/entry"
	"gorgonia.org/cu"
)

// A program that uses package cu runs on the emulated GPU.
func Example() {
	if err := entry.Install(); err != nil {
		fmt.Println(err)
		return
	}
	defer entry.Release()
	name, err := cu.Device(0).Name()
	fmt.Println(name, err)
	// Output: emulated GPU <nil>
}
