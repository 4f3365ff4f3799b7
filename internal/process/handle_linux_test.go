package process

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A kernel without pidfds cannot be had for a test, so the pidfd is thrown away behind the Process's back.
func TestWithoutPidfd(t *testing.T) {
	s := NewSpawner()
	defer s.Close()
	h, err := newHandle()
	require.NoError(t, err)
	pid, err := s.fork(Spec{Path: "/bin/sleep", Args: []string{"1000"}}, h)
	require.NoError(t, err)
	if h.pidfd >= 0 {
		require.NoError(t, unix.Close(h.pidfd))
		h.pidfd = -1
	}
	h.attach()
	p := &Process{pid: pid, handle: h, exited: make(chan struct{})}
	go p.watch()

	require.NoError(t, p.Signal(syscall.SIGTERM))
	<-p.Exited()
	require.NoError(t, p.Signal(syscall.SIGKILL), "a zombie takes a signal without effect")
	require.Equal(t, syscall.SIGTERM, p.Reap().Signal)
	require.ErrorIs(t, p.Signal(syscall.SIGKILL), ErrGone)
}
