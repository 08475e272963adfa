//go:build !amd64

package vec

// gemmKernel has the loops in plain Go.
func gemmKernel[T Float]() *kernel[T] { return pick[T](&plain32, &plain64) }

// pause would tell the core that this is a spinning loop.
func pause() {}
