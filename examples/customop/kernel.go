package main

import (
	_ "embed"

	"github.com/ceto-ml/ceto/cuda"
)

//go:embed snake.ptx
var ptx string

// registerKernels gives a GPU the kernels of the op and of its derivative. Without a GPU it changes nothing.
func registerKernels() error {
	err := cuda.Register(ptx, func(s Snake, out, in []cuda.Value) ([]cuda.Launch, error) {
		return each("snake", in[0].Size(), out[0], in[0], float32(s.A)), nil
	})
	if err != nil {
		return err
	}
	return cuda.Register(ptx, func(s SnakeGrad, out, in []cuda.Value) ([]cuda.Launch, error) {
		return each("snake_grad", in[0].Size(), out[0], in[0], in[1], float32(s.A)), nil
	})
}

// each launches one thread for each of n elements; n is the kernel's last parameter.
func each(kernel string, n int, args ...any) []cuda.Launch {
	const threads = 256
	return []cuda.Launch{{Kernel: kernel, Grid: [3]int{(n + threads - 1) / threads, 1, 1}, Block: [3]int{threads, 1, 1}, Args: append(args, n)}}
}
