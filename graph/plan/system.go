package plan

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// systemMemory returns the memory that this process may still take, and all that it may have, in bytes. It asks the
// system, the control groups that the process is in, and its resource limits. 0 means that none says; what is full has
// a byte left.
func systemMemory() (free, total uint64) { return memoryUnder("/") }

// memoryUnder is [systemMemory] with the files of a system whose root is a folder.
func memoryUnder(root string) (free, total uint64) {
	info := sizes(filepath.Join(root, "proc/meminfo"))
	free, total = info["MemAvailable"], info["MemTotal"]
	for _, b := range append(groupBounds(root), resourceBounds(root)...) {
		if total == 0 || b.limit < total {
			total = b.limit
		}
		if left := b.limit - min(b.limit, b.used); free == 0 || left < free {
			free = max(left, 1)
		}
	}
	return free, total
}

// bound is a limit on memory and what counts against it, in bytes.
type bound struct{ limit, used uint64 }

// groupBounds are the limits of the memory control groups of the process, of both versions: of its own group and of
// those above it. A group that sets no limit has none.
func groupBounds(root string) []bound {
	var all []bound
	mounts := lines(filepath.Join(root, "proc/self/mountinfo"))
	for _, line := range lines(filepath.Join(root, "proc/self/cgroup")) {
		part := strings.SplitN(line, ":", 3) // number, controllers, group
		if len(part) != 3 {
			continue
		}
		v2 := part[0] == "0" && part[1] == ""
		if !v2 && !has(part[1], "memory") {
			continue
		}
		for _, m := range mounts {
			if at, from, ok := groupMount(m, v2); ok {
				all = append(all, boundsUp(root, at, below(part[2], from), v2)...)
			}
		}
	}
	return all
}

// groupMount reads a line of mountinfo: where a hierarchy that limits memory is mounted, and from which of its groups.
// See proc_pid_mountinfo(5).
func groupMount(line string, v2 bool) (at, from string, ok bool) {
	mount, kind, _ := strings.Cut(line, " - ")
	f, k := strings.Fields(mount), strings.Fields(kind)
	if len(f) < 5 || len(k) < 3 {
		return "", "", false
	}
	ok = v2 && k[0] == "cgroup2" || !v2 && k[0] == "cgroup" && has(k[2], "memory")
	return f[4], f[3], ok
}

// below is the path of a group from the group that is mounted. A group elsewhere, as a container sees its own, is the
// mounted one.
func below(group, mounted string) string {
	if rel, err := filepath.Rel(mounted, group); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return "."
}

// boundsUp are the limits of a group below a mount, and of those above it.
func boundsUp(root, mount, group string, v2 bool) []bound {
	limit, used, cache, dirty := "memory.limit_in_bytes", "memory.usage_in_bytes", "total_", "dirty"
	if v2 {
		limit, used, cache, dirty = "memory.max", "memory.current", "", "file_dirty"
	}
	var all []bound
	for ; ; group = filepath.Dir(group) {
		dir := filepath.Join(root, mount, group)
		l, err := readUint(filepath.Join(dir, limit))
		u, err2 := readUint(filepath.Join(dir, used))
		if err == nil && err2 == nil {
			s := sizes(filepath.Join(dir, "memory.stat"))
			clean := s[cache+"active_file"] + s[cache+"inactive_file"]
			clean -= min(clean, s[cache+dirty]+s[cache+strings.Replace(dirty, "dirty", "writeback", 1)])
			all = append(all, bound{l, u - min(u, clean)}) // the kernel gives clean pages of files back
		}
		if group == "." || group == "/" {
			return all
		}
	}
}

// resourceBounds are the limits that setrlimit set on the address space and the data of the process.
func resourceBounds(root string) []bound {
	var all []bound
	status := sizes(filepath.Join(root, "proc/self/status"))
	for _, line := range lines(filepath.Join(root, "proc/self/limits")) {
		for name, used := range map[string]string{"Max address space": "VmSize", "Max data size": "VmData"} {
			rest, ok := strings.CutPrefix(line, name)
			if f := strings.Fields(rest); ok && len(f) > 0 {
				if soft, err := strconv.ParseUint(f[0], 10, 64); err == nil { // else "unlimited"
					all = append(all, bound{soft, status[used]})
				}
			}
		}
	}
	return all
}

// has tells whether a list with commas has a word.
func has(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// lines are the lines of a file, none where it cannot be read.
func lines(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Split(string(b), "\n")
}

// sizes reads the lines "name: 3 kB" and "name 3" of a file, in bytes.
func sizes(path string) map[string]uint64 {
	all := map[string]uint64{}
	for _, line := range lines(path) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		v, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			continue
		}
		if len(f) > 2 && f[2] == "kB" {
			v <<= 10
		}
		all[strings.TrimSuffix(f[0], ":")] = v
	}
	return all
}

// readUint reads a file that holds one number; a group without a limit says "max", which is an error.
func readUint(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
}
