package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// availableMemory is what the system says is free for a new process, in bytes; 0 where it does not say.
func availableMemory() uint64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "MemAvailable:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(v, "kB")), 10, 64)
			if err == nil {
				return kib << 10
			}
		}
	}
	return 0
}
