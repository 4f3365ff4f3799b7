package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/crash"
)

// TestOutOfMemoryIsToldFromAKill runs a supervisor in a control group with little memory, and a module that wants more.
func TestOutOfMemoryIsToldFromAKill(t *testing.T) {
	group := memoryGroup(t, 256<<20)
	s := newShell(t)
	s.script("glutton", "exec tail /dev/zero\n", "protocol = \"none\"\n[restart]\non = { oom = \"fail\" }\n")
	s.addEcho()
	run := exec.CommandContext(s.ctx, "/bin/sh", "-c", `echo $$ > "$1/cgroup.procs" && exec "$2" run modules`, "sh", group, s.binary)
	run.Dir, run.Env = s.dir, s.env
	r := s.beginCommand(run)
	r.await("glutton/001 failed")
	r.await("crash report")
	got := s.ixt("crash", "glutton", "--json")
	require.Zero(t, got.code, got.stderr)
	var report crash.Report
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &report))
	require.Equal(t, crash.KindOOM, report.Cause.Kind, report.Why)
	require.Equal(t, "SIGKILL", report.Cause.Signal)
	require.Greater(t, report.MaxRSSBytes, int64(64<<20))
	require.Equal(t, "hello\n", s.ixt("call", "echo.say", "hello").stdout)
	r.interrupt()
}

// memoryGroup makes a control group of limited memory below the one of this process, or skips the test.
func memoryGroup(t *testing.T, limit int) string {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Skip("not run: there are no control groups")
	}
	for line := range strings.Lines(string(own)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		root, file := "/sys/fs/cgroup", "memory.max"
		switch {
		case len(parts) == 3 && parts[1] == "memory":
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		case len(parts) == 3 && parts[0] == "0":
		default:
			continue
		}
		dir := filepath.Join(root, parts[2], fmt.Sprintf("ixt-test-%d", os.Getpid()))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { _ = os.Remove(dir) })
		if os.WriteFile(filepath.Join(dir, file), fmt.Append(nil, limit), 0o644) == nil {
			return dir
		}
	}
	t.Skip("not run: no control group with limited memory can be made here; root can")
	return ""
}
