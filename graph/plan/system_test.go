package plan

import (
	"os"
	"path/filepath"
	"testing"
)

type files = map[string]string

const (
	meminfo = "MemTotal:       1000 kB\nMemFree:          612 kB\nMemAvailable:    900 kB\nHugePages_Total:       0\n"
	v1      = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n" + v1Mount
	v1Mount = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
	v2      = "30 23 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
)

// systems are made systems with the memory that is free and that there is.
var systems = map[string]struct {
	files       files
	free, total uint64
}{
	"no limit": {files{}, 900 << 10, 1000 << 10},
	"v1, own group": {files{"proc/self/mountinfo": v1, "proc/self/cgroup": "4:memory:/job/a\n0::/\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes":       "9223372036854771712\n",
		"sys/fs/cgroup/memory/memory.usage_in_bytes":       "123\n",
		"sys/fs/cgroup/memory/job/a/memory.limit_in_bytes": "1000\n",
		"sys/fs/cgroup/memory/job/a/memory.usage_in_bytes": "800\n",
		"sys/fs/cgroup/memory/job/a/memory.stat": "cache 600\nrss 100\nactive_file 1\ntotal_active_file 200\n" +
			"total_inactive_file 300\ntotal_dirty 30\ntotal_writeback 20\n"}, 650, 1000},
	"v1, the group above": {files{"proc/self/mountinfo": v1, "proc/self/cgroup": "4:cpu,memory:/job/a\n",
		"sys/fs/cgroup/memory/job/memory.limit_in_bytes":   "700",
		"sys/fs/cgroup/memory/job/memory.usage_in_bytes":   "100",
		"sys/fs/cgroup/memory/job/a/memory.limit_in_bytes": "1000",
		"sys/fs/cgroup/memory/job/a/memory.usage_in_bytes": "10"}, 600, 700},
	"v1, a bound group over the mount": {files{
		"proc/self/mountinfo": v1 +
			"50 35 0:32 /job /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
		"proc/self/cgroup":                           "4:memory:/job\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes": "500",
		"sys/fs/cgroup/memory/memory.usage_in_bytes": "100"}, 400, 500},
	"v2, nested": {files{"proc/self/mountinfo": v2, "proc/self/cgroup": "0::/user/job\n",
		"sys/fs/cgroup/user/memory.max":         "800\n",
		"sys/fs/cgroup/user/memory.current":     "700\n",
		"sys/fs/cgroup/user/memory.stat":        "active_file 300\ninactive_file 300\nfile_dirty 50\nfile_writeback 50\n",
		"sys/fs/cgroup/user/job/memory.max":     "max\n",
		"sys/fs/cgroup/user/job/memory.current": "5\n"}, 600, 800},
	"v2, a container that sees a group elsewhere": {files{"proc/self/mountinfo": v2, "proc/self/cgroup": "0::/../other\n",
		"sys/fs/cgroup/memory.max": "800\n", "sys/fs/cgroup/memory.current": "900\n"}, 1, 800},
	"address space": {files{"proc/self/limits": "Limit                     Soft Limit           Hard Limit           Units\n" +
		"Max data size             unlimited            unlimited            bytes\n" +
		"Max address space         300000               400000               bytes\n",
		"proc/self/status": "Name:\tx\nVmSize:\t     200 kB\nVmData:\t 1 kB\n"}, 300000 - 200<<10, 300000},
	"data": {files{"proc/self/limits": "Max data size             3000           3000           bytes\n",
		"proc/self/status": "VmData:\t 1 kB\n"}, 3000 - 1<<10, 3000},
	"another controller": {files{"proc/self/mountinfo": v1, "proc/self/cgroup": "4:cpuset:/a\n",
		"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "700", "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "1"}, 900 << 10, 1000 << 10},
}

// TestSystemMemory reads limits of control groups of both versions, nested and from within a container, and of
// setrlimit. Clean page cache is free.
func TestSystemMemory(t *testing.T) {
	for name, c := range systems {
		root := t.TempDir()
		c.files["proc/meminfo"] = meminfo
		for path, text := range c.files {
			path = filepath.Join(root, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if free, total := memoryUnder(root); free != c.free || total != c.total {
			t.Errorf("%s: %d bytes free of %d, want %d of %d", name, free, total, c.free, c.total)
		}
	}
	if free, total := memoryUnder(t.TempDir()); free != 0 || total != 0 {
		t.Errorf("no system: %d bytes free of %d", free, total)
	}
	if free, total := systemMemory(); free > total {
		t.Errorf("%d bytes free of %d", free, total)
	}
}
