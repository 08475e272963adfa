package main

import (
	"os"
	"runtime/debug"
)

// smallHeap lets the collector run early, so that copies of large values on their way to a state or a file are soon
// given back. Plans allocate nothing while they run, so training does not pay for it.
func smallHeap() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(10)
	}
}
