package process_test

import (
	"crypto/rand"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/process"
)

// mark is an entry of an environment that no other test has. Nothing that carries it survives the test.
func mark(t *testing.T) string {
	entry := "IXT_TEST_MARK=" + rand.Text() + "/"
	t.Cleanup(func() {
		for _, stray := range process.WithEnv(entry) {
			_ = stray.Kill()
		}
	})
	return entry
}

func TestStrays(t *testing.T) {
	setsid, err := exec.LookPath("setsid")
	if err != nil {
		t.Skip("setsid is not installed")
	}
	entry := mark(t)
	daemon := shell(`"$0" sh -c 'trap "" TERM; sleep 1000 & echo $$; wait' & wait`, setsid)
	daemon.Env = []string{"A=1", entry, "PATH=" + os.Getenv("PATH")}
	s := newSpawner(t)
	p, out := startPiped(t, s, daemon)
	pid, err := strconv.Atoi(out.line())
	require.NoError(t, err)
	for _, other := range []string{strings.TrimSuffix(entry, "/"), "X" + entry, "X=" + entry, strings.Replace(entry, "=", "", 1)} {
		spec := process.Spec{Path: "/bin/sleep", Args: []string{"1000"}, Env: []string{other}}
		start(t, s, spec)
	}
	require.NoError(t, p.SignalGroup(syscall.SIGKILL))
	require.Equal(t, syscall.SIGKILL, p.Reap().Signal)

	var strays []process.Stray
	require.Eventually(t, func() bool {
		strays = process.WithEnv(entry)
		return len(strays) == 2
	}, bound, time.Millisecond, "the daemon and its child, once that has become what it shall be")
	require.True(t, slices.ContainsFunc(strays, func(s process.Stray) bool { return s.PID == pid && s.StartTime > 0 }))
	for _, stray := range strays {
		require.NoError(t, stray.Kill())
	}
	require.Empty(t, out.rest(), "the end of the output says that both are dead")
	require.Empty(t, process.WithEnv(entry))
	for _, stray := range strays {
		require.Eventually(t, func() bool { return stray.Kill() == process.ErrGone }, bound, time.Millisecond)
	}
}

func TestStrayIsNotTheCaller(t *testing.T) {
	entry := mark(t)
	spec := role(t, "find", entry)
	spec.Env = append(spec.Env, entry)
	caller, out := startPiped(t, newSpawner(t), spec)
	require.Equal(t, "0 found\n", out.rest())
	require.True(t, caller.Reap().Success())
}

func TestStrayOfALaterProcess(t *testing.T) {
	p := start(t, newSpawner(t), process.Spec{Path: "/bin/sleep", Args: []string{"1000"}})
	for _, stray := range []process.Stray{
		{PID: p.PID(), StartTime: p.StartTime() - 1},
		{PID: p.PID()},
		{PID: 1 << 30, StartTime: 1},
	} {
		require.ErrorIs(t, stray.Kill(), process.ErrGone)
	}
	require.NoError(t, p.Signal(syscall.SIGTERM))
	require.Equal(t, syscall.SIGTERM, p.Reap().Signal, "not SIGKILL, which was for another")
}

func TestLargeEnvironmentIsSearchedToTheEnd(t *testing.T) {
	entry := mark(t)
	env := []string{}
	for i := range 8 {
		env = append(env, "FILLER"+strconv.Itoa(i)+"="+strings.Repeat("x", 100_000))
	}
	p := start(t, newSpawner(t), process.Spec{Path: "/bin/sleep", Args: []string{"1000"}, Env: append(env, entry)})
	require.Equal(t, []process.Stray{{PID: p.PID(), StartTime: p.StartTime()}}, process.WithEnv(entry))
}
