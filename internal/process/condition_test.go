package process_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStopped(t *testing.T) {
	p := start(t, newSpawner(t), shell("sleep 1000"))
	require.False(t, p.Stopped())
	require.NoError(t, p.Signal(syscall.SIGSTOP))
	require.Eventually(t, p.Stopped, bound, time.Millisecond)
	require.False(t, p.Traced())
	require.NoError(t, p.Signal(syscall.SIGCONT))
	require.Eventually(t, func() bool { return !p.Stopped() }, bound, time.Millisecond)
	require.NoError(t, p.Signal(syscall.SIGSTOP))
	require.NoError(t, p.SignalGroup(syscall.SIGKILL))
	p.Reap()
	require.False(t, p.Stopped())
	require.False(t, p.Traced())
}
