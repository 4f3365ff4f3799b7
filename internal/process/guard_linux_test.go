package process_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// filesOf names what a process has open, pipes without their number.
func filesOf(proc string) map[string]string {
	files := map[string]string{}
	names, _ := filepath.Glob(filepath.Join(proc, "fd", "*"))
	for _, name := range names {
		target, _ := os.Readlink(name)
		files[filepath.Base(name)], _, _ = strings.Cut(target, ":")
	}
	return files
}

func TestGuardHoldsNothing(t *testing.T) {
	inherited, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0) // open on exec, as is what a program is started with
	require.NoError(t, err)
	defer syscall.Close(inherited)
	s := newSpawner(t)
	guard := s.GuardPID()
	proc := fmt.Sprintf("/proc/%d", guard)

	held := map[string]string{"0": "pipe", "1": os.DevNull, "2": os.DevNull}
	require.Eventually(t, func() bool { return maps.Equal(held, filesOf(proc)) }, bound, time.Millisecond, "once its libraries are loaded")
	dir, err := os.Readlink(filepath.Join(proc, "cwd"))
	require.NoError(t, err)
	require.Equal(t, "/", dir)
	environ, err := os.ReadFile(filepath.Join(proc, "environ"))
	require.NoError(t, err)
	require.Empty(t, environ)
	group, err := syscall.Getpgid(guard)
	require.NoError(t, err)
	require.Equal(t, guard, group)
}

// A number that was withdrawn may be a stranger's. Here the stranger is of the withdrawn group.
func TestGuardSparesWhatWasWithdrawn(t *testing.T) {
	supervisor, named, out := startGuarded(t, "/bin/sh", "withdrawal")
	gone := watchDeath(t, named["guard"])
	require.NoError(t, supervisor.Process.Kill())
	gone()
	require.NoError(t, syscall.Kill(named["survivor"], syscall.SIGTERM))
	require.Equal(t, "spared\n", out.rest())
}

// The reason why the guard may run no other program than the shell: some programs called kill take a group for everybody.
func TestShellWithoutKillIsNoGuard(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	shell := filepath.Join(t.TempDir(), "sh")
	script := fmt.Sprintf("#!%s\nenable -n kill\nscript=$2\nshift 3\neval \"$script\"\n", bash)
	require.NoError(t, os.WriteFile(shell, []byte(script), 0o755))
	s := newSpawnerWith(t, shell)
	require.ErrorContains(t, <-s.Unguarded(), "it ended: exit 127")
}
