package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// tree writes files below a directory that stands for the root of a machine; PID in a name stands for the process.
func tree(t *testing.T, root string, pid int, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(root, strings.ReplaceAll(name, "PID", strconv.Itoa(pid)))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
}

const (
	mountedV2     = "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n"
	mountedV1     = "34 31 0:31 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n35 31 0:32 / /cg/mem rw,relatime shared:9 - cgroup cgroup rw,memory\n"
	mountedBoth   = "22 1 8:1 / / rw - ext4 /dev/root rw\n" + mountedV1 + "41 31 0:38 / /cg/unified rw,relatime - cgroup2 cgroup2 rw\n"
	mountedInside = "35 31 0:32 /docker/c1 /cg/mem ro - cgroup cgroup rw,memory\n"
)

func TestOOMCounter(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		path  string // "" if there is none
		kills uint64
	}{
		{"version 2", map[string]string{
			"proc/self/mountinfo": mountedV2,
			"proc/PID/cgroup":     "0::/user.slice/ixt.service\n",
			"sys/fs/cgroup/user.slice/ixt.service/memory.events": "low 0\nhigh 1\nmax 2\noom 9\noom_kill 3\noom_group_kill 1\n",
			"proc/vmstat": "oom_kill 99\n",
		}, "/sys/fs/cgroup/user.slice/ixt.service/memory.events", 4},
		{"version 1", map[string]string{
			"proc/self/mountinfo":           mountedV1,
			"proc/PID/cgroup":               "9:name=systemd:/a\n4:memory:/a:b\n3:cpuset:/c\n",
			"cg/mem/a:b/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n",
		}, "/cg/mem/a:b/memory.oom_control", 5},
		{"both, memory in version 1", map[string]string{
			"proc/self/mountinfo":         mountedBoth,
			"proc/PID/cgroup":             "5:cpu,memory:/a\n0::/b\n",
			"cg/mem/a/memory.oom_control": "oom_kill 1\n",
			"cg/unified/b/memory.events":  "oom_kill 2\n",
		}, "/cg/mem/a/memory.oom_control", 1},
		{"both, memory in version 2", map[string]string{
			"proc/self/mountinfo":        mountedBoth,
			"proc/PID/cgroup":            "5:cpu:/a\n0::/b\n",
			"cg/unified/b/memory.events": "oom_kill 2\n",
		}, "/cg/unified/b/memory.events", 2},
		{"a container that sees its own group alone", map[string]string{
			"proc/self/mountinfo":         mountedInside,
			"proc/PID/cgroup":             "4:memory:/docker/c1/x\n",
			"cg/mem/x/memory.oom_control": "oom_kill 1\n",
		}, "/cg/mem/x/memory.oom_control", 1},
		{"a group outside of the container", map[string]string{
			"proc/self/mountinfo":       mountedInside,
			"proc/PID/cgroup":           "4:memory:/docker/c2\n",
			"cg/mem/memory.oom_control": "oom_kill 1\n",
		}, "", 0},
		{"the group at the top keeps none", map[string]string{
			"proc/self/mountinfo": mountedV2,
			"proc/PID/cgroup":     "0::/\n",
			"proc/vmstat":         "nr_free_pages 1\noom_kill 7\ndrop_pagecache 0\n",
		}, "/proc/vmstat", 7},
		{"an old kernel", map[string]string{
			"proc/self/mountinfo":         mountedV1,
			"proc/PID/cgroup":             "4:memory:/a\n",
			"cg/mem/a/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n",
			"proc/vmstat":                 "nr_free_pages 1\n",
		}, "", 0},
		{"nonsense", map[string]string{
			"proc/self/mountinfo": "- \n - cgroup\n1 2 3 / /x rw - cgroup2 x rw\n",
			"proc/PID/cgroup":     "\n0:\n0::/a\n",
			"x/a/memory.events":   "oom_kill many\n",
		}, "", 0},
		{"another system", nil, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			tree(t, root, 42, c.files)
			counter := findCgroupMounts(root).oomCounter(42)
			require.Equal(t, c.path, strings.TrimPrefix(counter.path, root))
			require.Equal(t, c.kills, counter.kills)
			require.False(t, counter.grew())
		})
	}
}

func TestOOMKilled(t *testing.T) {
	const events = "sys/fs/cgroup/a/memory.events"
	kernel := func(p *Process) error { return syscall.Kill(p.PID(), syscall.SIGKILL) }
	for _, c := range []struct {
		name  string
		end   func(p *Process) error
		kills string // at the end; 1 at the start
		want  bool
	}{
		{"killed by the kernel", kernel, "2", true},
		{"killed by a person", kernel, "1", false},
		{"killed by us", func(p *Process) error { return p.Signal(syscall.SIGKILL) }, "2", false},
		{"killed by us with its group", func(p *Process) error { return p.SignalGroup(syscall.SIGKILL) }, "2", false},
		{"another was the victim", func(p *Process) error { return p.Signal(syscall.SIGTERM) }, "2", false},
		{"killed by us when it was dead", func(p *Process) error {
			err := kernel(p)
			<-p.Exited()
			if err == nil {
				err = p.SignalGroup(syscall.SIGKILL)
			}
			return err
		}, "2", true},
		{"its group is gone", kernel, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NewSpawner()
			defer s.Close()
			p, err := s.Start(Spec{Path: "/bin/sleep", Args: []string{"1000"}})
			require.NoError(t, err)
			root := t.TempDir()
			tree(t, root, p.PID(), map[string]string{"proc/self/mountinfo": mountedV2, "proc/PID/cgroup": "0::/a\n", events: "oom_kill 1\n"})
			p.oom = findCgroupMounts(root).oomCounter(p.PID())

			tree(t, root, p.PID(), map[string]string{events: "oom_kill " + c.kills + "\n"})
			if c.kills == "" {
				require.NoError(t, os.Remove(filepath.Join(root, events)))
			}
			require.NoError(t, c.end(p))
			require.False(t, p.OOMKilled(), "not before Reap")
			p.Reap()
			require.Equal(t, c.want, p.OOMKilled())
		})
	}
}
