//go:build race

package graphtest

// raceEnabled says that the race detector runs; it allocates.
const raceEnabled = true
