package process_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// watchDeath returns a function that waits until the process is gone; the system collects an orphan at once.
func watchDeath(t *testing.T, pid int) (await func()) {
	return func() {
		t.Helper()
		require.Eventually(t, func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH }, bound, time.Millisecond)
	}
}
