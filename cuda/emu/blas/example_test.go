package blas_test

import (
	"fmt"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/blas"
)

// Example multiplies a row by a column: 1·3 + 2·4.
func Example() {
	n := uint64(0)
	lib := blas.New(func() uint64 { n++; return n })
	dev := emu.New(emu.Options{})
	handle, _ := lib.Create()
	product, _ := lib.MatmulDescCreate(68, 0) // sums in float32
	row, _ := lib.MatrixLayoutCreate(0, 1, 2, 1)
	column, _ := lib.MatrixLayoutCreate(0, 2, 1, 2)
	one, _ := lib.MatrixLayoutCreate(0, 1, 1, 1)

	var at [3]emu.Ptr
	for i, b := range [][]byte{{0, 0, 0x80, 0x3f, 0, 0, 0, 0x40}, {0, 0, 0x40, 0x40, 0, 0, 0x80, 0x40}, make([]byte, 4)} {
		at[i], _ = dev.Alloc(len(b))
		dev.Write(at[i], b)
	}
	task, status := lib.Matmul(handle, blas.Call{Product: product, Layouts: [4]uint64{row, column, one, one},
		At: [4]emu.Ptr{at[0], at[1], at[2], at[2]}, Alpha: 1})
	fmt.Println(status, task.Run(dev, nil))
	b := make([]byte, 4)
	dev.Read(b, at[2])
	fmt.Printf("% x\n", b) // 11 as float32
	// Output:
	// 0 <nil>
	// 00 00 30 41
}
