package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/supervisor"
)

// command returns this binary about to play a role outside any supervisor.
func command(t *testing.T, role string, env ...string) *exec.Cmd {
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, "-test.run=^$")
	cmd.Env = append(append(os.Environ(), roleVar+"="+role), env...)
	cmd.Stderr = os.Stderr
	return cmd
}

// shortDir is a directory whose name leaves room for a socket's path.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "ixt")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestKilledSupervisorLeavesNothing(t *testing.T) {
	dir := shortDir(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	g := newGate(t)
	f := newFleet(t)
	f.add("herald", "herald "+g.path, []string{"herald.say"}, "[scale]\ninstances = 3\n")

	doomed := command(t, "supervisor "+f.dir)
	require.NoError(t, doomed.Start())
	var modules []*arrival
	for range 3 {
		modules = append(modules, g.arrival())
	}
	require.NoError(t, doomed.Process.Kill())
	require.Error(t, doomed.Wait())
	for _, m := range modules {
		m.gone()
	}
	require.NotEmpty(t, sockets(t, dir))

	f.start()
	_, err := f.say("herald.say", "hello")
	require.NoError(t, err)
	f.await("the sweep", func(e supervisor.Entry) bool {
		return e.Kind == supervisor.KindWarning && strings.HasPrefix(e.Text, "removed what a dead supervisor left behind: "+dir)
	})

	// A living supervisor's sockets are never swept: a third one starts beside the second.
	living := sockets(t, dir)
	other := newFleet(t)
	other.add("echo", "polite", []string{"echo.say"}, "")
	other.start()
	_, err = other.say("echo.say", "hello")
	require.NoError(t, err)
	other.halt()
	require.Subset(t, sockets(t, dir), living)

	f.halt()
	require.Empty(t, sockets(t, dir))
}

func TestWhatAModuleStartedGoesWithIt(t *testing.T) {
	for _, role := range []string{"parent", "daemon"} {
		for _, how := range []string{"stopped", "killed"} {
			t.Run(role+" "+how, func(t *testing.T) {
				if role == "daemon" && runtime.GOOS != "linux" {
					t.Skip("only Linux lets a daemon be recognised")
				}
				g := newGate(t)
				f := newFleet(t)
				f.add("parent", role+" "+g.path, []string{"parent.say"}, "")
				f.start()
				child := g.arrival()
				f.awaitState("parent", supervisor.Ready)
				if how == "stopped" {
					require.NoError(t, f.Stop(f.ctx, "parent"))
				} else {
					require.NoError(t, syscall.Kill(f.pids()[0], syscall.SIGKILL))
				}
				child.gone()
			})
		}
	}
}

// TestWhatAModuleStartedGoesWithAKilledSupervisor: what stayed in the module's group at once, a daemon when the next supervisor
// of the user starts.
func TestWhatAModuleStartedGoesWithAKilledSupervisor(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux lets a daemon be recognised")
	}
	t.Setenv("XDG_RUNTIME_DIR", shortDir(t))
	f := newFleet(t)
	near, far := newGate(t), newGate(t)
	f.add("parent", "parent "+near.path, []string{"parent.say"}, "")
	f.add("daemon", "daemon "+far.path, []string{"daemon.say"}, "")
	doomed := command(t, "supervisor "+f.dir)
	require.NoError(t, doomed.Start())
	child, daemon := near.arrival(), far.arrival()
	require.NoError(t, doomed.Process.Kill())
	require.Error(t, doomed.Wait())
	child.gone()
	daemon.stays()

	next := newFleet(t)
	next.start()
	daemon.gone()
}

// sockets lists the private run directories below a runtime directory.
func sockets(t *testing.T, dir string) []string {
	dirs, err := filepath.Glob(filepath.Join(dir, "ixt", "*", "lock"))
	require.NoError(t, err)
	return dirs
}
