package process_test

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTraced(t *testing.T) {
	p := start(t, newSpawner(t), shell("sleep 1000"))
	require.False(t, p.Traced())

	runtime.LockOSThread() // the debugger is a thread
	defer runtime.UnlockOSThread()
	err := unix.PtraceSeize(p.PID())
	if err == unix.EPERM || err == unix.ENOSYS {
		t.Skip("debuggers are not allowed here: ", err)
	}
	require.NoError(t, err)
	require.True(t, p.Traced())
	require.False(t, p.Stopped())

	require.NoError(t, unix.PtraceInterrupt(p.PID()))
	var status syscall.WaitStatus
	_, err = syscall.Wait4(p.PID(), &status, syscall.WALL, nil)
	require.NoError(t, err)
	require.True(t, status.Stopped())
	require.False(t, p.Stopped(), "halted by a debugger")
	require.NoError(t, syscall.PtraceDetach(p.PID()))
	require.Eventually(t, func() bool { return !p.Traced() }, bound, time.Millisecond)
}
