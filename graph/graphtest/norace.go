//go:build !race

package graphtest

// Race says that the race detector runs. It allocates, and is slow: tests of one goroutine are left out under it.
const Race = false
