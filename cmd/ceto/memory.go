package main

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// availableMemory is what is free for a new process, in bytes, by the system and by the control group of this one. It
// is 0 where neither says.
func availableMemory() uint64 {
	free := memAvailable("/proc/meminfo")
	for _, g := range [][2]string{
		{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},                                 // version 2
		{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"}, // version 1
	} {
		limit, err := readUint(g[0])
		used, err2 := readUint(g[1])
		if err == nil && err2 == nil && limit >= used && (free == 0 || limit-used < free) {
			free = limit - used
		}
	}
	return free
}

// smallHeap lets the collector run early, so that copies of large values on their way to a state or a file are soon
// given back. Plans allocate nothing while they run, so training does not pay for it.
func smallHeap() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(10)
	}
}

// memAvailable reads MemAvailable from a file as /proc/meminfo.
func memAvailable(path string) uint64 {
	f, err := os.Open(path)
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

// readUint reads a file that holds one number; a group without a limit says "max", which is an error.
func readUint(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
}
