package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	runtime := shortDir(t)
	t.Setenv("XDG_RUNTIME_DIR", runtime)
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
	require.NotEmpty(t, sockets(t, runtime))

	f.start()
	_, err := f.say("herald.say", "hello")
	require.NoError(t, err)
	f.await("the sweep", func(e supervisor.Entry) bool {
		return e.Kind == supervisor.KindWarning && strings.HasPrefix(e.Text, "removed what a dead supervisor left behind: "+runtime)
	})

	// A living supervisor's sockets are never swept: a third one starts beside the second.
	living := sockets(t, runtime)
	other := newFleet(t)
	other.add("echo", "polite", []string{"echo.say"}, "")
	other.start()
	_, err = other.say("echo.say", "hello")
	require.NoError(t, err)
	other.halt()
	require.Subset(t, sockets(t, runtime), living)

	f.halt()
	require.Empty(t, sockets(t, runtime))
}

// sockets lists the private run directories below a runtime directory.
func sockets(t *testing.T, runtime string) []string {
	dirs, err := filepath.Glob(filepath.Join(runtime, "ixt", "*", "lock"))
	require.NoError(t, err)
	return dirs
}
