package process_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// watchDeath takes hold of any process; the returned function waits until it is dead, whether or not it was collected.
func watchDeath(t *testing.T, pid int) (await func()) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(fd)) })
	return func() {
		t.Helper()
		n, err := 0, error(unix.EINTR)
		for err == unix.EINTR {
			n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(bound.Milliseconds()))
		}
		require.NoError(t, err)
		require.Equal(t, 1, n, "process %d lives on", pid)
	}
}
