package plan

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// systemMemory returns the memory that is free for a new process, and all there is, in bytes. It asks the system and
// the control group that this process is in. 0 means that neither says.
func systemMemory() (free, total uint64) {
	free, total = memInfo("/proc/meminfo")
	for _, g := range [][2]string{
		{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},                                 // version 2
		{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"}, // version 1
	} {
		limit, err := readUint(g[0])
		used, err2 := readUint(g[1])
		if err != nil || err2 != nil {
			continue
		}
		if limit >= used && (free == 0 || limit-used < free) {
			free = limit - used
		}
		if total == 0 || limit < total {
			total = limit
		}
	}
	return free, total
}

// memInfo reads MemAvailable and MemTotal from a file as /proc/meminfo, in bytes; 0 where it does not say.
func memInfo(path string) (free, total uint64) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		name, v, _ := strings.Cut(s.Text(), ":")
		kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(v, "kB")), 10, 64)
		switch {
		case err != nil:
		case name == "MemAvailable":
			free = kib << 10
		case name == "MemTotal":
			total = kib << 10
		}
	}
	return free, total
}

// readUint reads a file that holds one number; a group without a limit says "max", which is an error.
func readUint(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
}
