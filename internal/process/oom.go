package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// OOMKilled reports whether the system killed the process for lack of memory: it died by a SIGKILL that was not sent through this
// Process, and while it ran, the number of such kills grew in its control group. Where a group keeps no count, that of the whole machine
// stands in. It takes a SIGKILL from elsewhere and another victim in the same group to be wrong. It is false before Reap, on macOS, and
// if the control group is gone by then.
func (p *Process) OOMKilled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.oomKilled
}

// cgroupMounts is where the memory controller can be. The zero value finds only the count of the whole machine.
type cgroupMounts struct {
	root   string // "/" but for tests
	v1, v2 cgroupMount
}

// A cgroupMount shows the control groups from top on at dir, as in a container that sees its own alone.
type cgroupMount struct{ top, dir string }

// findCgroupMounts reads lines such as "35 31 0:32 TOP DIR rw - cgroup cgroup rw,memory": the file system's type and options follow the
// dash. They are looked up once, for they do not change while a system runs.
func findCgroupMounts(root string) cgroupMounts {
	m := cgroupMounts{root: root}
	text, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return m
	}
	for line := range strings.Lines(string(text)) {
		mount, system, _ := strings.Cut(line, " - ")
		at, kind := strings.Fields(mount), strings.Fields(system)
		if len(at) < 5 || len(kind) < 3 {
			continue
		}
		switch found := (cgroupMount{top: at[3], dir: at[4]}); {
		case kind[0] == "cgroup2":
			m.v2 = found
		case kind[0] == "cgroup" && strings.Contains(","+kind[2]+",", ",memory,"):
			m.v1 = found
		}
	}
	return m
}

// file is where the mount shows a file of a group; "" if it does not.
func (m cgroupMount) file(group, name string) string {
	below, ok := strings.CutPrefix(group, strings.TrimSuffix(m.top, "/"))
	if m.dir == "" || !ok {
		return ""
	}
	return filepath.Join(m.dir, below, name)
}

// oomCounter finds the count for a process and notes it. The path must be remembered: a dead process is in no group any more.
func (m cgroupMounts) oomCounter(pid int) oomCounter {
	for _, path := range append(m.oomFiles(pid), "/proc/vmstat") {
		path = filepath.Join(m.root, path)
		if kills, ok := readOOMKills(path); ok {
			return oomCounter{path, kills}
		}
	}
	return oomCounter{}
}

// oomFiles reads lines such as "4:memory:/GROUP" (version 1) and "0::/GROUP" (version 2). A machine can have both, and the memory
// controller in one: in version 1 if that names it.
func (m cgroupMounts) oomFiles(pid int) []string {
	text, err := os.ReadFile(filepath.Join(m.root, fmt.Sprintf("proc/%d/cgroup", pid)))
	if err != nil {
		return nil
	}
	var v1, v2 string
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		switch {
		case len(parts) < 3:
		case parts[0] == "0":
			v2 = m.v2.file(parts[2], "memory.events")
		case strings.Contains(","+parts[1]+",", ",memory,"):
			v1 = m.v1.file(parts[2], "memory.oom_control")
		}
	}
	return []string{v1, v2}
}

// An oomCounter is a file in which the kernel counts its kills for lack of memory, and the count at some time. The zero value never
// grows.
type oomCounter struct {
	path  string
	kills uint64
}

func (c oomCounter) grew() bool {
	kills, ok := readOOMKills(c.path)
	return ok && kills > c.kills
}

// readOOMKills adds up the lines "oom_kill N", one for every victim, and "oom_group_kill N", one for every group killed as a whole. It
// is not ok if there is none.
func readOOMKills(path string) (kills uint64, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if key != "oom_kill" && key != "oom_group_kill" {
			continue
		}
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return 0, false
		}
		kills, ok = kills+n, true
	}
	return kills, ok
}
