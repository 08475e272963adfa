package driver_test

import (
	"fmt"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/driver"
)

// Example asks for a copy to the device and one back. The work is done when the program waits.
func Example() {
	d, err := driver.New(emu.Options{}, driver.Setting{})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, _ := d.MemAlloc(4)
	got := make([]byte, 4)
	d.CopyHtoD(p, []byte{1, 2, 3, 4}, 0, true)
	d.CopyDtoH(got, p, 0, true)
	fmt.Println(got)
	d.Synchronize()
	fmt.Println(got, d.Fault())
	// Output:
	// [0 0 0 0]
	// [1 2 3 4] <nil>
}
